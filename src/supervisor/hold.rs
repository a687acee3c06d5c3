//! `hold`: a person keeps changes from a child that works, until `resume`.
//!
//! What is proven is not acted on meanwhile, be it a change, a failover or a restart, as long as
//! the child lives and its credential still logs in, which is tried now and then. With nothing left
//! to protect it is acted on: once that login is refused; or when the new credential leads to
//! another server, and the old one gives no answer. A child that ends by itself is followed as
//! ever, by one with the newest values. `restart --force` counts more than a hold.
//!
//! A hold ends with the supervisor.

use crate::credential::{Kind, Secret};

use super::change::{Desired, Trust};
use super::ends::Finish;
use super::event::LoginOutcome;
use super::id::LoginId;
use super::instance::Instance;
use super::launch::{Attempt, Left};
use super::logins::Standing;
use super::lookout::Lookout;
use super::notice::{HoldNotice, Notice};
use super::phase::Phase;
use super::service::Service;
use super::time::{Duration, Time};
use super::transition::act;
use super::turn::Turn;

/// That something waits is told again this often.
const HEARTBEAT: Duration = Duration::from_secs(900);

/// Whether a person holds changes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Off,
    On { since: Time },
}

/// What is looked at while something waits.
#[derive(Debug)]
pub(super) struct Sentry {
    since: Time,
    told_at: Time,
    lookout: Lookout,
}

/// Something is to be done about a child that lives, and a person holds that back.
pub(super) fn hold_back(
    turn: &mut Turn<'_>,
    old: Instance,
    desired: &Desired,
    attempt: Attempt,
) -> Phase {
    let mut sentry = Sentry {
        since: turn.now,
        told_at: turn.now,
        lookout: Lookout::begin(turn, turn.now),
    };
    sentry.tell(turn, &old, desired);
    sentry.lookout.on_deadline(turn, outdated(&old, desired));
    Phase::Held {
        old,
        attempt,
        sentry,
    }
}

/// Whether a person holds back what is to be done about this child.
pub(super) fn is_held(turn: &Turn<'_>, old: &Instance, attempt: &Attempt) -> bool {
    let is_on = match *turn.hold {
        Hold::Off => false,
        Hold::On { .. } => true,
    };
    is_on && old.is_untouched() && !old.is_forced() && attempt.left == Left::Something
}

impl Sentry {
    pub(super) fn deadline(&self) -> Time {
        let heartbeat = self.told_at + HEARTBEAT;
        self.lookout
            .deadline()
            .map_or(heartbeat, |at| at.min(heartbeat))
    }

    /// Drops the question that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        self.lookout.close(turn);
    }

    fn tell(&mut self, turn: &mut Turn<'_>, old: &Instance, desired: &Desired) {
        self.told_at = turn.now;
        turn.announce(Notice::Hold(HoldNotice::Waits {
            running: old.child(),
            newest: desired.revision,
            lasted: turn.now.since(self.since),
        }));
    }

    /// There is nothing more to look at.
    fn rest(&mut self, turn: &mut Turn<'_>) {
        self.told_at = turn.now;
        std::mem::replace(&mut self.lookout, Lookout::Never).close(turn);
    }
}

/// What the child runs on, where that is not the newest.
fn outdated<'a>(
    old: &'a Instance,
    desired: &'a Desired,
) -> impl Iterator<Item = (&'a String, &'a Secret)> {
    let is_old = |(name, value): &(&String, &Secret)| desired.values.get(*name) != Some(value);
    old.values.iter().filter(is_old)
}

impl Service {
    /// A person holds changes back from now on. What has not touched the child yet is called off
    /// for now.
    pub(super) fn hold(&mut self, turn: &mut Turn<'_>, desired: &Desired) {
        self.phase = match self.take() {
            Phase::Preparing { old, next } => {
                let attempt = next.attempt().unwrap_or_default();
                if is_held(turn, &old, &attempt) && !old.suits(&next.values) {
                    hold_back(turn, old, desired, attempt)
                } else {
                    Phase::Preparing { old, next }
                }
            }
            Phase::Telling { child, news } if is_held(turn, &child, &news.attempt) => {
                hold_back(turn, child, desired, news.attempt)
            }
            Phase::Overlapping { old, new, takeover }
                if is_held(turn, &old, &takeover.attempt) =>
            {
                self.dismiss(turn, new);
                hold_back(turn, old, desired, takeover.attempt)
            }
            phase @ (Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::Postponed { .. }
            | Phase::Held { .. }
            | Phase::Telling { .. }
            // What is being spawned is stopped as soon as it lives.
            | Phase::Joining { .. }
            | Phase::Overlapping { .. }
            | Phase::Replacing { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(_)
            | Phase::Done) => phase,
        };
        self.advance(turn);
    }

    /// The child ended: what was held back is done, should another follow.
    pub(super) fn overrule(&self, turn: &mut Turn<'_>, finish: Finish, desired: &Desired) {
        if let Phase::Held { old, .. } = &self.phase
            && !old.suits(&desired.values)
        {
            let (child, newest) = (old.child(), desired.revision);
            match finish {
                Finish::Failed | Finish::Again => {
                    turn.announce(Notice::Hold(HoldNotice::Ended { child, newest }));
                }
                Finish::Expected | Finish::Final | Finish::Followed => {}
            }
        }
    }

    /// What waits for a person need not wait any longer.
    pub(super) fn stand_down(&mut self, turn: &mut Turn<'_>) {
        if let Phase::Held { .. } = &self.phase
            && let Phase::Held {
                old,
                attempt,
                sentry,
            } = self.take()
        {
            sentry.close(turn);
            let until = turn.now;
            self.phase = Phase::Postponed {
                old,
                attempt,
                until,
            };
        }
    }

    /// The child's credential was tried, while a change waits for a person.
    pub(super) fn on_sentrys_login(
        &mut self,
        turn: &mut Turn<'_>,
        login: LoginId,
        outcome: &LoginOutcome,
        desired: Option<&Desired>,
        trust: Trust,
    ) {
        if let (Phase::Held { sentry, .. }, Some(desired)) = (&mut self.phase, desired)
            && let Some(standing) = sentry.lookout.on_login(turn, login, outcome)
        {
            self.judge(turn, standing, desired, trust);
        }
    }

    pub(super) fn on_sentrys_deadline(
        &mut self,
        turn: &mut Turn<'_>,
        desired: Option<&Desired>,
        trust: Trust,
    ) {
        let (Phase::Held { old, sentry, .. }, Some(desired)) = (&mut self.phase, desired) else {
            return;
        };
        if !old.is_untouched() {
            // It missed its watchdog, and ends: nothing is held back any more.
            sentry.rest(turn);
            return;
        }
        if sentry.told_at + HEARTBEAT <= turn.now {
            sentry.tell(turn, old, desired);
        }
        let found = sentry.lookout.on_deadline(turn, outdated(old, desired));
        if let Some(standing) = found {
            self.judge(turn, standing, desired, trust);
        }
    }

    /// Whether there is anything left to protect.
    fn judge(&mut self, turn: &mut Turn<'_>, found: Standing, desired: &Desired, trust: Trust) {
        let Phase::Held { old, .. } = &self.phase else {
            return;
        };
        let is_dead = match found {
            Standing::Accepted => false,
            Standing::Refused => trust.counts(turn),
            Standing::Unreachable => trust.counts(turn) && leads_elsewhere(old, desired),
        };
        // One that missed its watchdog ends anyway, and is followed as ever.
        let is_dead = is_dead && old.is_untouched();
        if is_dead && let Phase::Held { old, attempt, .. } = self.take() {
            let running = old.child();
            turn.announce(Notice::Hold(HoldNotice::NothingToProtect { running }));
            let left = Left::Nothing;
            let attempt = Attempt { left, ..attempt };
            self.phase = match attempt.spared(turn) {
                Some(until) => Phase::Postponed {
                    old,
                    attempt,
                    until,
                },
                None => act(turn, old, desired, attempt),
            };
            self.advance(turn);
        }
    }
}

/// Whether what is desired is on another server than what the child runs on.
fn leads_elsewhere(old: &Instance, desired: &Desired) -> bool {
    let mut values = desired.values.iter();
    values.any(|(name, new)| {
        let changed = old.values.get(name) != Some(new);
        changed && Kind::of(name, new, &old.values, &desired.others).is_urgent()
    })
}
