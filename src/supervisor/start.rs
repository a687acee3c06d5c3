//! Before the first child: the start deadline, when waiting for it is no use, and what there is to
//! start on when Heroku gives no answer (`--fallback`).

use crate::credential::Fault;
use crate::exit_code::ExitCode;

use super::config::CheckLogin;
use super::event::{FailureKind, FetchFailure, LoginOutcome};
use super::id::LoginId;
use super::logins::{Logins, Standing};
use super::notice::{GaveUp, Notice};
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// The longest that a login with the fallback is waited for.
const LOGIN_MAX: Duration = Duration::from_secs(10);

/// The wait for the first good answer.
#[derive(Debug)]
pub(super) struct Start {
    stage: Stage,
    seen: Seen,
    heroku: Heroku,
}

/// Whether Heroku has said anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heroku {
    /// As far as we know it is not there.
    Silent,
    /// It has refused us, or what it shows is unusable: no outage.
    Spoke,
}

#[derive(Debug)]
enum Stage {
    /// Heroku is asked.
    Asking { until: Time },
    /// It gave no answer; the fallback is logged in with. An answer would still win.
    FallingBack { logins: Logins, until: Time },
}

/// The last answer, when it was not good.
#[derive(Debug)]
enum Seen {
    Nothing,
    Failure(FetchFailure),
    Faults(Vec<(String, Fault)>),
}

impl Start {
    pub(super) fn new(until: Time) -> Self {
        Self {
            stage: Stage::Asking { until },
            seen: Seen::Nothing,
            heroku: Heroku::Silent,
        }
    }

    pub(super) fn deadline(&self) -> Time {
        match self.stage {
            Stage::Asking { until } | Stage::FallingBack { until, .. } => until,
        }
    }

    /// An answer came, and required variables are unusable in it.
    pub(super) fn on_faults(&mut self, faults: Vec<(String, Fault)>) {
        self.seen = Seen::Faults(faults);
        self.heroku = Heroku::Spoke;
    }

    /// No usable answer. Without a token, or when the second answer in a row refuses us, waiting is
    /// no use.
    pub(super) fn on_failure(
        &mut self,
        turn: &mut Turn<'_>,
        failure: &FetchFailure,
    ) -> Option<ExitCode> {
        let before = std::mem::replace(&mut self.seen, Seen::Failure(failure.clone()));
        let hopeless = match failure.kind {
            FailureKind::NoToken => true,
            FailureKind::TokenRefused | FailureKind::AppNotFound => {
                self.heroku = Heroku::Spoke;
                matches!(before, Seen::Failure(earlier) if earlier.kind == failure.kind)
            }
            FailureKind::TokenCommandFailed | FailureKind::Unavailable => false,
        };
        hopeless.then(|| {
            let reason = GaveUp::Refused {
                failure: failure.clone(),
            };
            turn.announce(Notice::StartGaveUp { reason });
            ExitCode::Config
        })
    }

    /// A login with the fallback was answered.
    pub(super) fn on_login(
        &mut self,
        turn: &mut Turn<'_>,
        login: LoginId,
        outcome: &LoginOutcome,
    ) -> Option<ExitCode> {
        let Stage::FallingBack { logins, .. } = &mut self.stage else {
            return None;
        };
        let name = logins.on_login(login, outcome)?;
        if *outcome != LoginOutcome::Accepted {
            let outcome = outcome.clone();
            turn.announce(Notice::LoginTried { name, outcome });
        }
        match logins.standing()? {
            Standing::Accepted => {
                turn.want(Want::FallBack);
                None
            }
            Standing::Unreachable | Standing::Refused => Some(self.give_up(turn)),
        }
    }

    /// The deadline came.
    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>) -> Option<ExitCode> {
        if self.deadline() > turn.now {
            return None;
        }
        match (&self.stage, self.heroku, &turn.config.fallback) {
            (Stage::Asking { .. }, Heroku::Silent, Some(values)) => {
                let logins = match turn.config.check_login {
                    CheckLogin::Never => None,
                    CheckLogin::Auto | CheckLogin::Always => Logins::ask(turn, &**values),
                };
                match logins {
                    Some(logins) => {
                        let until = turn.now + LOGIN_MAX;
                        self.stage = Stage::FallingBack { logins, until };
                    }
                    // Nothing to log in with, or nobody is to: nothing speaks against it.
                    None => turn.want(Want::FallBack),
                }
                None
            }
            // It has come to something in this very turn, and we were late.
            (Stage::FallingBack { logins, .. }, _, _)
                if logins.standing() == Some(Standing::Accepted) =>
            {
                None
            }
            (Stage::FallingBack { logins, .. }, _, _) => {
                for (name, outcome) in logins.unanswered() {
                    turn.announce(Notice::LoginTried { name, outcome });
                }
                Some(self.give_up(turn))
            }
            (Stage::Asking { .. }, _, _) => Some(self.give_up(turn)),
        }
    }

    /// Drops the questions that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        match self.stage {
            Stage::Asking { .. } => {}
            Stage::FallingBack { logins, .. } => {
                logins.close(turn);
            }
        }
    }

    fn give_up(&self, turn: &mut Turn<'_>) -> ExitCode {
        let timeout = turn.config.start_timeout;
        let (last, code) = match &self.seen {
            Seen::Nothing => (None, ExitCode::NoAnswer),
            Seen::Failure(failure) => (Some(failure.clone()), ExitCode::NoAnswer),
            Seen::Faults(faults) => {
                let faults = faults.clone();
                let reason = GaveUp::Unusable { faults, timeout };
                turn.announce(Notice::StartGaveUp { reason });
                return ExitCode::Config;
            }
        };
        let reason = GaveUp::NoAnswer { last, timeout };
        turn.announce(Notice::StartGaveUp { reason });
        code
    }
}
