//! Before the first child: the start deadline, when waiting for it is no use, and what there is to
//! start on when Heroku gives no answer (`--fallback`).

use std::sync::Arc;

use crate::credential::{Fault, LastGood, Values};
use crate::exit_code::ExitCode;

use super::action::Action;
use super::config::{CheckLogin, Fallback};
use super::event::{Age, CacheOutcome, FailureKind, FetchFailure, LoginOutcome};
use super::id::{CacheId, LoginId};
use super::logins::{Logins, Standing};
use super::notice::{FallbackNotice, GaveUp, Notice, Unusable};
use super::phase::Phase;
use super::service::Service;
use super::source::{Fallen, From};
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// The longest that a login with the fallback is waited for.
const LOGIN_MAX: Duration = Duration::from_secs(10);
/// The longest that the cache is waited for: it may lie on a disk that hangs.
const READ_MAX: Duration = Duration::from_secs(10);

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
    /// It gave no answer; the cache is looked into. An answer would still win.
    Reading { read: CacheId, until: Time },
    /// It gave no answer; the fallback is logged in with. An answer would still win.
    FallingBack {
        fallen: Fallen,
        logins: Logins,
        until: Time,
    },
    /// There is something to start on, which is done in this very turn, however late it is.
    Found,
}

/// The last answer, when it was not good.
#[derive(Debug)]
enum Seen {
    Nothing,
    Failure(FetchFailure),
    Faults(Vec<(String, Fault)>),
}

impl Service {
    /// The cache was looked into, for a start without Heroku.
    pub(super) fn on_cache(&mut self, turn: &mut Turn<'_>, read: CacheId, outcome: CacheOutcome) {
        if let Phase::Waiting(start) = &mut self.phase
            && let Some(code) = start.on_cache(turn, read, outcome)
        {
            self.not_started(turn, code);
        }
    }
}

impl Start {
    pub(super) fn new(until: Time) -> Self {
        Self {
            stage: Stage::Asking { until },
            seen: Seen::Nothing,
            heroku: Heroku::Silent,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.stage {
            Stage::Asking { until }
            | Stage::Reading { until, .. }
            | Stage::FallingBack { until, .. } => Some(until),
            Stage::Found => None,
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
        let Stage::FallingBack { logins, fallen, .. } = &mut self.stage else {
            return None;
        };
        let name = logins.on_login(login, outcome)?;
        if *outcome != LoginOutcome::Accepted {
            let outcome = outcome.clone();
            turn.announce(Notice::LoginTried { name, outcome });
        }
        match logins.standing()? {
            Standing::Accepted => {
                turn.want(Want::FallBack(fallen.clone()));
                self.stage = Stage::Found;
                None
            }
            Standing::Unreachable | Standing::Refused => Some(self.give_up(turn)),
        }
    }

    /// The cache was looked into.
    fn on_cache(
        &mut self,
        turn: &mut Turn<'_>,
        id: CacheId,
        outcome: CacheOutcome,
    ) -> Option<ExitCode> {
        let (Stage::Reading { read, .. }, Fallback::Cached { max_age: max }) =
            (&self.stage, &turn.config.fallback)
        else {
            return None;
        };
        if *read != id {
            return None;
        }
        let unusable = match outcome {
            CacheOutcome::Good { good, age } => match age {
                Age::Past(age) if age <= *max => {
                    let from = From::Cache(age);
                    self.try_on(turn, Fallen { from, good });
                    return None;
                }
                Age::Past(age) => Unusable::TooOld { age, max: *max },
                Age::Future(ahead) => Unusable::Future { ahead },
            },
            CacheOutcome::OtherToken => {
                turn.act(Action::RemoveCache);
                Unusable::OtherToken
            }
            CacheOutcome::Unusable { why } => Unusable::Other { why },
        };
        Some(self.useless(turn, unusable))
    }

    /// There is something to start on, if it logs in.
    fn try_on(&mut self, turn: &mut Turn<'_>, fallen: Fallen) {
        let logins = match turn.config.check_login {
            CheckLogin::Never => None,
            CheckLogin::Auto | CheckLogin::Always => Logins::ask(turn, &fallen.good.watched),
        };
        self.stage = match logins {
            Some(logins) => Stage::FallingBack {
                fallen,
                logins,
                until: turn.now + LOGIN_MAX,
            },
            // Nothing to log in with, or nobody is to: nothing speaks against it.
            None => {
                turn.want(Want::FallBack(fallen));
                Stage::Found
            }
        };
    }

    fn useless(&self, turn: &mut Turn<'_>, why: Unusable) -> ExitCode {
        let notice = FallbackNotice::CacheUnusable { why };
        turn.announce(Notice::Fallback(notice));
        self.give_up(turn)
    }

    /// The deadline came.
    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>) -> Option<ExitCode> {
        if self.deadline().is_none_or(|deadline| deadline > turn.now) {
            return None;
        }
        match (&self.stage, self.heroku) {
            (Stage::Asking { .. }, Heroku::Silent) => match &turn.config.fallback {
                Fallback::None => Some(self.give_up(turn)),
                Fallback::Inherited(values) => {
                    let (from, others) = (From::Inherited, Values::new());
                    let watched = (**values).clone();
                    let good = Arc::new(LastGood { watched, others });
                    self.try_on(turn, Fallen { from, good });
                    None
                }
                Fallback::Cached { .. } => {
                    let (read, until) = (turn.ids.cache(), turn.now + READ_MAX);
                    turn.act(Action::ReadCache { read });
                    self.stage = Stage::Reading { read, until };
                    None
                }
            },
            (Stage::Reading { .. }, _) => {
                let after = READ_MAX;
                Some(self.useless(turn, Unusable::Late { after }))
            }
            (Stage::FallingBack { logins, .. }, _) => {
                for (name, outcome) in logins.unanswered() {
                    turn.announce(Notice::LoginTried { name, outcome });
                }
                Some(self.give_up(turn))
            }
            (Stage::Found, _) => None,
            (Stage::Asking { .. }, Heroku::Spoke) => Some(self.give_up(turn)),
        }
    }

    /// Drops the questions that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        match self.stage {
            Stage::Asking { .. } | Stage::Reading { .. } | Stage::Found => {}
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
