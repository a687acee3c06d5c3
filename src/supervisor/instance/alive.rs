//! Who is still alive while an end takes long: when that is asked, and which answer is wanted.
//!
//! Each time lies twice as far from the beginning as the one before: an end that takes hours is a
//! few lines in the log, and the first come while somebody still waits for it.

use crate::supervisor::action::Action;
use crate::supervisor::config::Config;
use crate::supervisor::event::Alive;
use crate::supervisor::notice::Notice;
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::{Instance, State};

/// A stop is slow after this long, or after a quarter of all the time that it has.
const SLOW: Duration = Duration::from_secs(5);
/// Nobody is asked about earlier; and this long after KILL, or a sweep's TERM, somebody is.
const SOON: Duration = Duration::from_secs(1);

/// The questions about one stretch of an end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    since: Time,
    next: Look,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    At(Time),
    /// The answer is on its way.
    Asked,
}

impl Looks {
    /// The stop begins.
    pub(super) fn at_stop(now: Time, config: &Config) -> Self {
        Self::first(now, (config.stop.timeout() / 4).clamp(SOON, SLOW))
    }

    /// All is told to end, and nothing has long to do so.
    pub(super) fn soon(now: Time) -> Self {
        Self::first(now, SOON)
    }

    fn first(now: Time, after: Duration) -> Self {
        Self {
            since: now,
            next: Look::At(now + after),
        }
    }
}

impl Instance {
    /// When to ask who is still alive.
    pub(super) fn look_due(&self) -> Option<Time> {
        match self.looks()?.next {
            Look::At(at) => Some(at),
            Look::Asked => None,
        }
    }

    /// Asks who is still alive, when it is time to.
    pub(super) fn look(&mut self, turn: &mut Turn<'_>) {
        let is_due = self.look_due().is_some_and(|due| due <= turn.now);
        let instance = self.id;
        if is_due && let Some(looks) = self.looks_mut() {
            looks.next = Look::Asked;
            turn.act(Action::ListTree { instance });
        }
    }

    /// Somebody looked. An answer that was asked for in an earlier state tells nothing new.
    pub(in crate::supervisor) fn on_listed(&mut self, turn: &mut Turn<'_>, alive: Alive) {
        let Some(looks) = self.looks_mut().filter(|looks| looks.next == Look::Asked) else {
            return;
        };
        let after = turn.now.since(looks.since);
        looks.next = Look::At(turn.now + after);
        if alive.count > 0 {
            turn.announce(Notice::StillAlive {
                pid: self.pid,
                after,
                alive,
            });
        }
    }

    fn looks(&self) -> Option<&Looks> {
        match &self.state {
            State::Stopping { looks, .. }
            | State::Killed { looks, .. }
            | State::Sweeping { looks, .. }
            | State::SweepKilled { looks, .. } => Some(looks),
            State::Live { .. } | State::Gone { .. } => None,
        }
    }

    fn looks_mut(&mut self) -> Option<&mut Looks> {
        match &mut self.state {
            State::Stopping { looks, .. }
            | State::Killed { looks, .. }
            | State::Sweeping { looks, .. }
            | State::SweepKilled { looks, .. } => Some(looks),
            State::Live { .. } | State::Gone { .. } => None,
        }
    }
}
