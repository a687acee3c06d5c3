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

use super::change::{Desired, Trust, retry_pause};
use super::config::CheckLogin;
use super::ends::Finish;
use super::event::LoginOutcome;
use super::id::LoginId;
use super::instance::Instance;
use super::launch::{Attempt, Left};
use super::logins::{Logins, Standing};
use super::notice::{HoldNotice, Notice};
use super::phase::Phase;
use super::service::Service;
use super::time::{Duration, Time};
use super::transition::act;
use super::turn::Turn;

/// That something waits is told again this often.
const HEARTBEAT: Duration = Duration::from_secs(900);
/// A login that takes longer has got no answer.
const LOGIN_MAX: Duration = Duration::from_secs(10);

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
    login: Login,
}

/// Whether the child's credential still works.
#[derive(Debug)]
enum Login {
    /// Nobody is to log in, or there is no other credential for it yet.
    Never,
    At(Time),
    Out {
        logins: Logins,
        since: Time,
    },
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
        login: Login::At(turn.now),
    };
    sentry.tell(turn, &old, desired);
    sentry.try_login(turn, &old, desired);
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
        match &self.login {
            Login::Never => heartbeat,
            Login::At(at) => heartbeat.min(*at),
            Login::Out { since, .. } => heartbeat.min(*since + LOGIN_MAX),
        }
    }

    /// Drops the question that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        if let Login::Out { logins, .. } = self.login {
            logins.close(turn);
        }
    }

    fn tell(&mut self, turn: &mut Turn<'_>, old: &Instance, desired: &Desired) {
        self.told_at = turn.now;
        turn.announce(Notice::Hold(HoldNotice::Waits {
            running: old.child(),
            newest: desired.revision,
            lasted: turn.now.since(self.since),
        }));
    }

    /// Logs in with what the child runs on, where that is not the newest.
    fn try_login(&mut self, turn: &mut Turn<'_>, old: &Instance, desired: &Desired) {
        let is_old = |(name, value): &(&String, &Secret)| desired.values.get(*name) != Some(value);
        let logins = match turn.config.check_login {
            CheckLogin::Never => None,
            CheckLogin::Auto | CheckLogin::Always => {
                Logins::ask(turn, old.values.iter().filter(is_old))
            }
        };
        self.login = match logins {
            None => Login::Never,
            Some(logins) => Login::Out {
                logins,
                since: turn.now,
            },
        };
    }

    fn on_login(&mut self, login: LoginId, outcome: &LoginOutcome) -> Option<Standing> {
        match &mut self.login {
            Login::Out { logins, .. } => {
                logins.on_login(login, outcome)?;
                logins.standing()
            }
            Login::Never | Login::At(_) => None,
        }
    }

    /// There is nothing more to look at.
    fn rest(&mut self, turn: &mut Turn<'_>) {
        self.pause(turn);
        (self.told_at, self.login) = (turn.now, Login::Never);
    }

    /// The login has come to something; the next one comes later.
    fn pause(&mut self, turn: &mut Turn<'_>) {
        let next = Login::At(turn.now + retry_pause(turn));
        if let Login::Out { logins, .. } = std::mem::replace(&mut self.login, next) {
            logins.close(turn);
        }
    }
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
            && let Some(standing) = sentry.on_login(login, outcome)
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
        match sentry.login {
            Login::At(at) if at <= turn.now => sentry.try_login(turn, old, desired),
            Login::Out { since, .. } if since + LOGIN_MAX <= turn.now => {
                self.judge(turn, Standing::Unreachable, desired, trust);
            }
            Login::Never | Login::At(_) | Login::Out { .. } => {}
        }
    }

    /// Whether there is anything left to protect.
    fn judge(&mut self, turn: &mut Turn<'_>, found: Standing, desired: &Desired, trust: Trust) {
        let Phase::Held { old, sentry, .. } = &mut self.phase else {
            return;
        };
        sentry.pause(turn);
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
