//! `hold` and `resume`: "Debounce, splay and hold delay only while a live instance has a credential
//! that still logs in; with nothing left to protect, act now."

use crate::supervisor::command::Force;
use crate::supervisor::config::CheckLogin;
use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::{InstanceId, LoginId};
use crate::supervisor::notice::{HoldNotice, Splay};
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{HEARTBEAT, LOGIN_ROUND, SLACK};
use crate::testing::world::values::lives_elsewhere;

use super::child::Child;
use super::ledger::Adopts;
use super::trial::Said;
use super::{Launch, Law};

/// What is known of a child that is to make room for a revision, and does not, or did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watched {
    instance: InstanceId,
    revision: u32,
    told: Time,
    login: Login,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Tried(Time),
    Out(LoginId, Time),
    /// It was refused: nothing is left to protect.
    Dead,
}

impl Law {
    /// A person holds changes back; what has not touched the child is called off for now.
    pub(super) fn begins_to_hold(&mut self, now: Time) {
        self.held_since = Some(now);
        let planned = match self.launch {
            Launch::Preparing(planned) | Launch::Prepared(planned) => Some(planned.values),
            Launch::None | Launch::Spawning(_) | Launch::Failed { .. } => None,
        };
        let has_them = |child: &Child| planned.is_some_and(|planned| child.suits(planned));
        if self.holds() && !self.healthy().is_some_and(has_them) {
            self.interrupts();
        }
    }

    /// Whether nothing may be done about the child.
    pub(super) fn holds(&self) -> bool {
        let Some(child) = self.held_since.and(self.healthy()) else {
            return false;
        };
        let dead = self
            .watched()
            .is_some_and(|watch| watch.login == Login::Dead);
        self.end.is_none() && child.asked_for != Some(Force::Yes) && !dead
    }

    /// A login that nothing else asks for: with what the child runs on, and only that.
    pub(super) fn watches_login(
        &mut self,
        now: Time,
        login: LoginId,
        version: u32,
    ) -> Result<(), String> {
        let runs_on = self.healthy().and_then(|child| child.values[0]);
        if runs_on != Some(version) || !self.is_tried() {
            return Err("a login that nothing asks for".to_owned());
        }
        let mut watch = self.begin_to_watch(now);
        if let Login::Out(..) = watch.login {
            return Err("two logins while a change is held back".to_owned());
        }
        watch.login = Login::Out(login, now);
        self.watched = Some(watch);
        Ok(())
    }

    /// A login was answered; or was not in time.
    pub(super) fn watched_login(&mut self, now: Time, login: LoginId, outcome: &LoginOutcome) {
        let Some(mut watch) = self.watched() else {
            return;
        };
        if !matches!(watch.login, Login::Out(out, _) if out == login) {
            return;
        }
        let proven = self.ledger.proven().unwrap_or_default();
        let runs_on = self.healthy().and_then(|child| child.values[0]);
        let is_dead = match Said::of(outcome) {
            Said::Refused => true,
            Said::Unreachable => lives_elsewhere(runs_on, proven[0]),
            Said::Accepted | Said::Nothing => false,
        };
        watch.login = if is_dead && self.ledger.logins_count() {
            Login::Dead
        } else {
            Login::Tried(now)
        };
        self.watched = Some(watch);
    }

    pub(super) fn watched_login_times_out(&mut self, now: Time) {
        if let Some(Watched {
            login: Login::Out(login, since),
            ..
        }) = self.watched()
            && now >= since + LOGIN_ROUND
        {
            let detail = "no answer".to_owned();
            self.watched_login(now, login, &LoginOutcome::Unreachable { detail });
        }
    }

    /// Nobody waits for it any more.
    pub(super) fn drops_login(&mut self, now: Time, login: LoginId) {
        if let Some(mut watch) = self.watched()
            && matches!(watch.login, Login::Out(out, _) if out == login)
        {
            watch.login = Login::Tried(now);
            self.watched = Some(watch);
        }
    }

    pub(super) fn tells_hold(&mut self, now: Time, notice: &HoldNotice) -> Result<(), String> {
        match notice {
            HoldNotice::NothingToProtect { .. } => match self.watched() {
                Some(Watched {
                    login: Login::Dead, ..
                }) => Ok(()),
                Some(_) | None => Err("a credential is called dead that is not".to_owned()),
            },
            HoldNotice::Ended { newest, .. } => {
                let has_ended = self.child.as_ref().is_some_and(|child| !child.lives());
                let is_newest = newest.0 == self.ledger.revision();
                if self.held_since.is_none() || !has_ended || self.suits_proven() || !is_newest {
                    return Err("a hold is said to be overruled, and is not".to_owned());
                }
                self.overruled = None;
                Ok(())
            }
            HoldNotice::Waits { lasted, .. } => {
                if !self.holds() || !self.waits() {
                    return Err("a change is said to wait, and does not".to_owned());
                }
                let before = self.watched();
                let mut watch = self.begin_to_watch(now);
                let early = before.is_some_and(|before| now < before.told + HEARTBEAT);
                if *lasted > Duration::ZERO && early {
                    return Err("it is told too often that a change waits".to_owned());
                }
                watch.told = now;
                self.watched = Some(watch);
                Ok(())
            }
        }
    }

    pub(super) fn tells_splay(&self, splay: Splay) -> Result<(), String> {
        match (splay, self.adopts) {
            (Splay::CutShort(_), Adopts::No) => {
                Err("a splay is cut short whose child still logs in".to_owned())
            }
            (Splay::Begins(_) | Splay::CutShort(_), Adopts::Now | Adopts::No) => Ok(()),
        }
    }

    /// A child ends by itself, and may be followed.
    pub(super) fn overrules(&mut self, now: Time, instance: InstanceId) {
        let watched = self.watched().filter(|_| self.holds() && self.is_idle(now));
        self.overruled = watched
            .map(|watched| watched.instance)
            .filter(|id| *id == instance);
    }

    pub(super) fn check_hold(&self, now: Time) -> Result<(), String> {
        if self.overruled.is_some() && !self.suits_proven() {
            return Err("it was not told that nothing is held back any more".to_owned());
        }
        if !self.holds() || !self.waits() || !self.is_idle(now) {
            return Ok(());
        }
        let Some(watch) = self.watched() else {
            return Err("it was not told that a change waits".to_owned());
        };
        if now > watch.told + HEARTBEAT + SLACK {
            return Err("it is not told any more that a change waits".to_owned());
        }
        match watch.login {
            Login::Tried(at) if self.is_tried() && now > at + self.ledger.retry() + SLACK => {
                Err(format!("the child's credential was last tried at {at}"))
            }
            Login::Tried(_) | Login::Out(..) | Login::Dead => Ok(()),
        }
    }

    /// Whether nothing else puts off what is held back.
    fn is_idle(&self, now: Time) -> bool {
        let put_off = self.is_spared_by_now(now) || self.failover_waits(now);
        matches!(self.launch, Launch::None) && !put_off
    }

    /// After every step: what was known of one that waited.
    pub(super) fn forgets_watch(&mut self) {
        self.overruled = None;
        if !self.waits() {
            self.watched = None;
        }
    }

    /// Whether a child that lives is not what it should be.
    fn waits(&self) -> bool {
        let proven = self.ledger.proven().zip(self.healthy());
        proven.is_some_and(|(proven, child)| !child.suits(proven))
    }

    /// Whether there is another credential for it.
    fn is_tried(&self) -> bool {
        let proven = self.ledger.proven().unwrap_or_default();
        let runs_on = self.healthy().and_then(|child| child.values[0]);
        let tries = self.config.check_login != CheckLogin::Never;
        tries && runs_on.is_some() && runs_on != proven[0] && self.held_since.is_some()
    }

    fn watched(&self) -> Option<Watched> {
        let (instance, revision) = (self.healthy()?.id, self.ledger.revision());
        let watched = self.watched;
        watched.filter(|watch| watch.instance == instance && watch.revision == revision)
    }

    fn begin_to_watch(&self, now: Time) -> Watched {
        self.watched().unwrap_or(Watched {
            instance: self.healthy().map_or(InstanceId(0), |child| child.id),
            revision: self.ledger.revision(),
            told: now,
            login: Login::Tried(now),
        })
    }
}
