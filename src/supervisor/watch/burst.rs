//! Fetches in quick succession, while a dying credential's successor is expected.

use crate::supervisor::config::Watching;
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::Watch;

/// A burst asks after 1, 2, 4 … s, this long in all.
const BURST: Duration = Duration::from_secs(60);
/// After a burst that found nothing there is no other for this long.
const BURST_PAUSE: Duration = Duration::from_secs(600);

/// Fetches in quick succession, while a dying credential's successor is expected.
#[derive(Debug)]
pub(super) enum Burst {
    /// There was none, or the last one found a change.
    Ready,
    /// Under way; `round` counts the fetches after the first.
    Running { since: Time, round: u32 },
    /// The last one began then and found nothing.
    Spent { since: Time },
}

/// Whether a burst began with this call, or earlier.
pub(super) enum Begun {
    Now,
    Before,
}

impl Burst {
    /// When the next of its fetches is due, after the end of one; `None`: it is over.
    pub(super) fn next(&mut self, turn: &Turn<'_>) -> Option<Time> {
        let Self::Running { since, round } = *self else {
            return None;
        };
        let end = since + BURST;
        if turn.now >= end {
            *self = Self::Spent { since };
            return None;
        }
        *self = Self::Running {
            since,
            round: round + 1,
        };
        let pause = Duration::from_secs(1 << round.min(6));
        let pause = match turn.config.watching {
            Watching::Every(interval) => pause.min(interval),
            Watching::Once => pause,
        };
        Some((turn.now + pause).min(end))
    }
}

impl Watch {
    pub(super) fn begin_burst(&mut self, turn: &Turn<'_>) -> Begun {
        match self.burst {
            _ if !self.affords_bursts() => Begun::Before,
            Burst::Running { .. } => Begun::Before,
            Burst::Spent { since } if turn.now.since(since) < BURST_PAUSE => Begun::Before,
            Burst::Ready | Burst::Spent { .. } => {
                self.burst = Burst::Running {
                    since: turn.now,
                    round: 0,
                };
                Begun::Now
            }
        }
    }
}
