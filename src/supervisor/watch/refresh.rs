//! A request that somebody asks for, who may ask so again and again: a child whose credential is
//! refused does, in each of its threads. It keeps its distance from the last one.

use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::{Purpose, RECENT, SPREAD, State, Watch};

/// With little left for the account such a request comes this long after the last.
const SCARCE_PAUSE: Duration = Duration::from_secs(60);

/// A request in the place of a burst comes no later than this after the last: within the time that
/// a successor is usually waited for (`--start-timeout`).
const PATIENCE_MAX: Duration = Duration::from_secs(45);

/// What became of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Asked {
    Now,
    NotYet,
}

impl Watch {
    /// Only a request from now on will do.
    pub(in crate::supervisor) fn refresh(&mut self, turn: &Turn<'_>) {
        if let Some(when) = self.refreshed_by(turn)
            && !self.asks_everything_now(turn)
        {
            self.owe(when);
        }
    }

    /// Evidence of a dying credential, in a fleet that has little left to ask with: one request. If
    /// Heroku was asked just now, the change may not have been there to be seen: then it comes
    /// later, by as much as everything does on such an account, and not by all at once.
    pub(super) fn ask_once(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Off => {}
            State::Waiting { .. } | State::Fetching { .. } | State::Superseded { .. } => {
                let pause = self.budget.pause(RECENT).min(PATIENCE_MAX);
                let recent = self.asked_at.filter(|at| turn.now.since(*at) <= RECENT);
                let when = recent.map_or(turn.now, |at| at + pause);
                let when = when.max(turn.now) + turn.rng.up_to(SPREAD);
                self.owe(when);
            }
        }
    }

    /// The same once more, where the account could not afford a burst.
    pub(in crate::supervisor) fn ask_once_more(&mut self, turn: &mut Turn<'_>) {
        if !self.affords_bursts() {
            self.ask_once(turn);
        }
    }

    /// A child has failed. Where little is left for the account, and Heroku was asked within a
    /// minute, the next one is what the minute allows: a fleet of programs that fail again and
    /// again would use up the rest.
    pub(in crate::supervisor) fn ask_for_end(&mut self, turn: &Turn<'_>) -> Asked {
        let when = self.refresh_at(turn);
        if self.affords_bursts() || when <= turn.now {
            self.ask(turn);
            return Asked::Now;
        }
        match self.state {
            State::Off => {}
            State::Waiting { .. } | State::Fetching { .. } | State::Superseded { .. } => {
                self.owe(when);
            }
        }
        Asked::NotYet
    }

    fn owe(&mut self, when: Time) {
        self.owed_at = Some(self.owed_at.map_or(when, |at| at.min(when)));
    }

    /// How soon that is answered by a request, at the latest; `None`: never.
    pub(in crate::supervisor) fn refresh_in(&self, turn: &Turn<'_>) -> Option<Duration> {
        let when = self.refreshed_by(turn)?;
        Some(when.since(turn.now))
    }

    /// A request that is due anyway will do, where it comes sooner.
    fn refreshed_by(&self, turn: &Turn<'_>) -> Option<Time> {
        let not_before = match self.state {
            State::Off => return None,
            _ if self.asks_everything_now(turn) => return Some(turn.now),
            State::Waiting { not_before, .. } => not_before.max(turn.now),
            State::Fetching { .. } | State::Superseded { .. } => turn.now,
        };
        let series = if self.affords_bursts() {
            self.series.deadline()
        } else {
            self.series.renewed_at()
        };
        let due = [self.own_deadline(), self.owed_at, series];
        let when = due.into_iter().flatten().min();
        let refresh = self.refresh_at(turn);
        Some(
            when.map_or(refresh, |when| when.min(refresh))
                .max(not_before),
        )
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
