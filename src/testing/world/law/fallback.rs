//! `--fallback inherited`: what there is to start on when Heroku gives no answer.
//!
//! The supervisors of a world were started with the first version of everything.

use crate::supervisor::config::CheckLogin;
use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::LoginId;
use crate::supervisor::time::Time;
use crate::testing::world::bounds::LOGIN_ROUND;
use crate::testing::world::values::Values;

use super::Law;

/// How far a start without Heroku has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// There is none, or it is not needed any more.
    None,
    /// There is one, should no answer come.
    Ready,
    /// The start timeout is over: its login is due in this very step.
    Owed,
    /// Its login is out since then.
    Out(LoginId, Time),
    /// The login worked: the start is due in this very step.
    Works,
}

impl Law {
    /// The start timeout is over. Yields whether that is the end.
    pub(super) fn start_times_out(&mut self) -> bool {
        match self.fallback {
            Fallback::Ready => {
                self.fallback = match self.config.check_login {
                    CheckLogin::Never => Fallback::Works,
                    CheckLogin::Auto | CheckLogin::Always => Fallback::Owed,
                };
                false
            }
            Fallback::None => true,
            Fallback::Owed | Fallback::Out(..) | Fallback::Works => false,
        }
    }

    /// Heroku has said something: it is not away.
    pub(super) fn heroku_spoke(&mut self) {
        if self.fallback == Fallback::Ready {
            self.fallback = Fallback::None;
        }
    }

    /// Yields whether the login is that of the fallback.
    pub(super) fn fallback_logs_in(&mut self, now: Time, login: LoginId, version: u32) -> bool {
        let is_it = self.fallback == Fallback::Owed && version == 1;
        if is_it {
            self.fallback = Fallback::Out(login, now);
        }
        is_it
    }

    pub(super) fn fallback_answered(&mut self, now: Time, login: LoginId, outcome: &LoginOutcome) {
        match self.fallback {
            Fallback::Out(open, _) if open == login && self.end.is_none() => match outcome {
                LoginOutcome::Accepted => self.fallback = Fallback::Works,
                LoginOutcome::Refused { .. } | LoginOutcome::Unreachable { .. } => {
                    self.no_fallback(now);
                }
            },
            Fallback::None
            | Fallback::Ready
            | Fallback::Owed
            | Fallback::Out(..)
            | Fallback::Works => {}
        }
    }

    /// A login that was made long ago has got no answer.
    pub(super) fn fallback_times_out(&mut self, now: Time) {
        if let Fallback::Out(_, since) = self.fallback
            && now >= since + LOGIN_ROUND
            && self.end.is_none()
        {
            self.no_fallback(now);
        }
    }

    /// The core starts on it.
    pub(super) fn falls_back(&mut self, now: Time) -> Result<(), String> {
        if self.fallback != Fallback::Works || self.ledger.proven().is_some() {
            return Err("a start on a fallback that is not known to work".to_owned());
        }
        self.fallback = Fallback::None;
        let requires = self.watch.requires();
        let values: Values = requires.map(|is_required| is_required.then_some(1));
        self.ledger.falls_back(values);
        self.requests.has_started(now);
        Ok(())
    }

    pub(super) fn check_fallback(&self) -> Result<(), String> {
        match self.fallback {
            Fallback::Owed => Err("the fallback is not tried".to_owned()),
            Fallback::Works => Err("the fallback works, and nothing is started".to_owned()),
            Fallback::None | Fallback::Ready | Fallback::Out(..) => Ok(()),
        }
    }

    fn no_fallback(&mut self, now: Time) {
        self.fallback = Fallback::None;
        self.begin_end(now, self.heard.timeout());
    }
}
