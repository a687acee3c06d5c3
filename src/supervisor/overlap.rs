//! `--order start-first`: two children at once, for as short as it can be, and never three.
//!
//! The old one serves until the new one is ready. A new one that ends, or is not ready in time, is
//! stopped, and the old one serves on: the change is tried again after a pause that grows to 15
//! minutes. (The design's `RolledBack` is `Postponed` here: nothing differs but the pause.) When it
//! is the old one that ends, whatever its code, the new one takes its place as it is.

use super::change::Desired;
use super::config::{Config, Order};
use super::crash::backoff;
use super::hold::is_held;
use super::instance::{Instance, Startup};
use super::launch::{Attempt, Launch, Stage, Takeover};
use super::notice::Notice;
use super::phase::Phase;
use super::readiness::Readiness;
use super::service::Service;
use super::time::Duration;
use super::transition::apply_again;
use super::turn::Turn;

/// The longest pause before a change that was rolled back is tried again.
pub(super) const ROLLBACK_MAX: Duration = Duration::from_secs(900);

impl Service {
    /// The new child is prepared: it is spawned beside the old one as soon as that makes no third.
    pub(super) fn begin_to_join(
        &mut self,
        turn: &mut Turn<'_>,
        old: Instance,
        mut next: Launch,
    ) -> Phase {
        let starts = turn.config.order == Order::StartFirst && next.stage == Stage::Prepared;
        if starts && self.leaving.is_none() {
            next.spawn(turn);
            Phase::Joining { old, next }
        } else {
            Phase::Preparing { old, next }
        }
    }

    /// The new child lives, if it is still wanted.
    pub(super) fn join(
        &mut self,
        turn: &mut Turn<'_>,
        old: Instance,
        next: Launch,
        pid: u32,
        desired: Option<&Desired>,
    ) -> Phase {
        let is_wanted = desired.is_some_and(|desired| next.is_for(desired));
        let (cause, takeover) = (next.cause(), next.takeover());
        let new = next.born(turn, pid);
        let attempt = &takeover.attempt;
        let waits = attempt.spared(turn).is_some() || is_held(turn, &old, attempt);
        if is_wanted && !waits {
            turn.announce(Notice::StartedBeside {
                child: new.child(),
                cause,
                serving: old.child(),
                timeout: time_to_be_ready(turn.config),
            });
            return Phase::Overlapping { old, new, takeover };
        }
        self.dismiss(turn, new);
        let attempt = if is_wanted {
            takeover.attempt
        } else {
            takeover.attempt.anew()
        };
        match desired {
            Some(desired) => apply_again(turn, old, desired, attempt),
            None => Phase::Running { instance: old },
        }
    }

    /// The old child ended while its successor was being spawned: it is waited for.
    pub(super) fn take_over_unborn(&mut self, old: Instance, mut next: Launch) -> Phase {
        match old.ending() {
            None => Phase::Joining { old, next },
            Some(end) => {
                next.follow(end);
                self.leave(old);
                Phase::Starting { next }
            }
        }
    }

    /// Which of two children serves from now on, if that can be said.
    pub(super) fn compare(
        &mut self,
        turn: &mut Turn<'_>,
        mut old: Instance,
        new: Instance,
        takeover: Takeover,
    ) -> Phase {
        let child = new.child();
        match (new.startup(), old.lives()) {
            (Some(Startup::Awaited { .. }), true) => {
                return Phase::Overlapping { old, new, takeover };
            }
            (Some(Startup::Ready { .. } | Startup::Unasked), _) => {
                let change = takeover.change(turn.now);
                turn.announce(Notice::TookOver { child, change });
            }
            (Some(Startup::Awaited { .. } | Startup::Overdue(_)), false) => {
                turn.announce(Notice::TookOverEarly { child });
            }
            (Some(Startup::Overdue(_)), true) | (None, _) => {
                return self.roll_back(turn, old, new, takeover.attempt.next());
            }
        }
        old.stop(turn);
        self.leave(old);
        Phase::Running { instance: new }
    }

    /// The new child did not come to serve: the old one does.
    fn roll_back(
        &mut self,
        turn: &mut Turn<'_>,
        old: Instance,
        mut new: Instance,
        attempt: Attempt,
    ) -> Phase {
        let pauses = turn.config.crash.backoff;
        let longest = pauses.max.max(ROLLBACK_MAX);
        let pause = backoff(attempt.failures, pauses.min, longest);
        turn.announce(Notice::RolledBack {
            child: new.child(),
            serving: old.child(),
            unready: new.unready(),
            retry_in: pause,
        });
        new.stop(turn);
        self.leave(new);
        Phase::Postponed {
            old,
            attempt,
            until: turn.now + pause,
        }
    }

    /// The new child is not wanted any more.
    pub(super) fn dismiss(&mut self, turn: &mut Turn<'_>, mut new: Instance) {
        let child = new.child();
        turn.announce(Notice::Superseded { child });
        new.stop(turn);
        self.leave(new);
    }

    /// Whatever is left of it is in nobody's way, but for a third process and the exit.
    fn leave(&mut self, instance: Instance) {
        if instance.gone().is_none() {
            self.leaving = Some(instance);
        }
    }
}

fn time_to_be_ready(config: &Config) -> Duration {
    match config.ready {
        Readiness::Delay(delay) => delay,
        Readiness::None
        | Readiness::Notify { .. }
        | Readiness::Descriptor(_)
        | Readiness::Tcp(_)
        | Readiness::Http(_) => config.ready_timeout,
    }
}
