//! A request that somebody asks for, who may ask so again and again: a child whose credential is
//! refused does, in each of its threads. It keeps its distance from the last one.

use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::{Purpose, RECENT, State, Watch};

/// With little left for the account such a request comes this long after the last.
const SCARCE_PAUSE: Duration = Duration::from_secs(60);

impl Watch {
    /// Only a request from now on will do.
    pub(in crate::supervisor) fn refresh(&mut self, turn: &Turn<'_>) {
        match self.state {
            State::Off => {}
            _ if self.asks_everything_now(turn) => {}
            State::Waiting { .. } | State::Fetching { .. } | State::Superseded { .. } => {
                let when = self.refresh_at(turn);
                self.owed_at = Some(self.owed_at.map_or(when, |at| at.min(when)));
            }
        }
    }

    /// How soon that is answered by a request, at the latest; `None`: never.
    pub(in crate::supervisor) fn refresh_in(&self, turn: &Turn<'_>) -> Option<Duration> {
        let when = self.refresh_at(turn);
        let at = match self.state {
            State::Off => return None,
            _ if self.asks_everything_now(turn) => turn.now,
            State::Waiting { not_before, .. } => when.max(not_before),
            State::Fetching { .. } | State::Superseded { .. } => when,
        };
        Some(at.since(turn.now))
    }

    fn refresh_at(&self, turn: &Turn<'_>) -> Time {
        let pause = if self.affords_bursts() {
            RECENT
        } else {
            SCARCE_PAUSE
        };
        let after = self.asked_at.map(|at| at + pause);
        after.map_or(turn.now, |after| after.max(turn.now))
    }

    /// Whether a full request goes out at this very moment.
    pub(super) fn asks_everything_now(&self, turn: &Turn<'_>) -> bool {
        match self.state {
            State::Fetching {
                started_at,
                purpose: Purpose::Evidence,
                ..
            } => started_at == turn.now,
            State::Off
            | State::Waiting { .. }
            | State::Fetching { .. }
            | State::Superseded { .. } => false,
        }
    }
}
