//! After a failed end: what was asked, what the answers allow, and by when.

use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::LoginId;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{SLACK, VIGIL_MAX, VIGIL_MIN};

/// The wait after a failed end.
#[derive(Debug)]
pub(super) enum Inquiry {
    None,
    /// Heroku and Postgres are asked.
    Asking(Asking),
    /// A login was refused: the successor is awaited, or the day on which the credential works.
    Awaiting(Awaiting),
}

#[derive(Debug)]
pub(super) struct Awaiting {
    since: Time,
    /// Heroku is asked once more then, if the account could not afford a burst.
    look: Option<Time>,
    /// When the credential was last tried, or answered for.
    tried: Time,
    out: Option<LoginId>,
    /// A login worked in this very step.
    works: bool,
}

#[derive(Debug)]
pub(super) struct Asking {
    since: Time,
    until: Time,
    answered: bool,
    /// Heroku was not asked.
    spared: bool,
    owed: Owed,
    logins: Vec<LoginId>,
    refused: bool,
    unreachable: bool,
}

/// Whether a login must be tried in this very step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Nothing,
    Login,
}

impl Inquiry {
    /// `spared`: Heroku is not asked.
    pub(super) fn open(since: Time, until: Time, owed: Owed, spared: bool) -> Self {
        Self::Asking(Asking {
            since,
            until,
            answered: spared,
            spared,
            owed,
            logins: Vec::new(),
            refused: false,
            unreachable: false,
        })
    }

    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::None => false,
            Self::Asking(_) | Self::Awaiting(_) => true,
        }
    }

    /// Whether a child's end is still being asked about.
    pub(super) fn is_asking(&self) -> bool {
        match self {
            Self::Asking(_) => true,
            Self::None | Self::Awaiting(_) => false,
        }
    }

    /// "Evidence of a dying credential (burst): a failed end whose login was refused or
    /// unreachable".
    pub(super) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Asking(asking) if asking.unreachable || !asking.logins.is_empty())
    }

    /// "asks at most once a minute" where Postgres lets the child in, and else all the same.
    pub(super) fn is_spared(&self) -> bool {
        matches!(self, Self::Asking(asking) if asking.spared)
    }

    /// A request that began at `asked` was answered, well or not.
    pub(super) fn answered(&mut self, asked: Time) {
        if let Self::Asking(asking) = self {
            asking.answered |= asked >= asking.since;
        }
    }

    pub(super) fn login(&mut self, now: Time, login: LoginId, outcome: &LoginOutcome) {
        if let Self::Awaiting(awaiting) = self
            && awaiting.out == Some(login)
        {
            (awaiting.out, awaiting.tried) = (None, now);
            awaiting.works = *outcome == LoginOutcome::Accepted;
        }
        let Self::Asking(asking) = self else { return };
        let Some(at) = asking.logins.iter().position(|open| *open == login) else {
            return;
        };
        asking.logins.swap_remove(at);
        asking.refused |= matches!(outcome, LoginOutcome::Refused { .. });
        asking.unreachable |= matches!(outcome, LoginOutcome::Unreachable { .. });
    }

    /// A login is tried.
    pub(super) fn logs_in(&mut self, now: Time, login: LoginId) -> Result<(), String> {
        match self {
            Self::Asking(asking) if asking.since == now => {
                asking.logins.push(login);
                asking.owed = Owed::Nothing;
                Ok(())
            }
            Self::Awaiting(awaiting) if awaiting.out.is_some() => {
                Err("two logins with one credential".to_owned())
            }
            Self::Awaiting(awaiting) if now < awaiting.tried + VIGIL_MIN => Err(format!(
                "a refused login is tried again {} later",
                now.since(awaiting.tried).as_millis()
            )),
            Self::Awaiting(awaiting) => {
                (awaiting.tried, awaiting.out) = (now, Some(login));
                Ok(())
            }
            Self::Asking(_) | Self::None => Err("a login that no failed end asks for".to_owned()),
        }
    }

    /// The core found that the credential is dead.
    pub(super) fn awaits(&mut self, now: Time, timeout: Duration) -> Result<(), String> {
        match self {
            Self::Asking(asking) if asking.refused => {
                *self = Self::Awaiting(Awaiting {
                    since: now,
                    look: Some(now + timeout * 3 / 4),
                    tried: now,
                    out: None,
                    works: false,
                });
                Ok(())
            }
            Self::Asking(_) | Self::Awaiting(_) | Self::None => {
                Err("a credential is called dead that was not refused".to_owned())
            }
        }
    }

    /// Whether the last look for a successor is due.
    pub(super) fn looks_once_more(&mut self, now: Time, timeout: Duration) -> bool {
        match self {
            Self::Awaiting(awaiting) => {
                let is_due = awaiting.look.take_if(|at| *at <= now).is_some();
                is_due && now < awaiting.since + timeout
            }
            Self::Asking(_) | Self::None => false,
        }
    }

    /// The core found nothing.
    pub(super) fn finds_nothing(&self, now: Time) -> Result<(), String> {
        match self {
            Self::Asking(asking) if asking.is_finished(now) && !asking.refused => Ok(()),
            Self::Asking(_) | Self::Awaiting(_) | Self::None => {
                Err("an end is called final before everything was asked".to_owned())
            }
        }
    }

    /// The core stops waiting for a successor.
    pub(super) fn gives_up(&self, now: Time, timeout: Duration) -> Result<(), String> {
        match self {
            Self::Awaiting(awaiting) if now >= awaiting.since + timeout => Ok(()),
            Self::Asking(_) | Self::Awaiting(_) | Self::None => {
                Err("a successor is given up too early".to_owned())
            }
        }
    }

    /// The credential that was refused works: the child is started on it again.
    pub(super) fn works(&mut self) -> Result<(), String> {
        match std::mem::replace(self, Self::None) {
            Self::Awaiting(awaiting) if awaiting.works => Ok(()),
            Self::Asking(_) | Self::Awaiting(_) | Self::None => {
                Err("a credential is said to work that did not".to_owned())
            }
        }
    }

    /// What is answered is concluded, and nothing waits for ever.
    pub(super) fn check(&self, now: Time, timeout: Duration) -> Result<(), String> {
        match self {
            Self::Asking(asking) if asking.owed == Owed::Login => {
                Err("the failed child's credential was not tried".to_owned())
            }
            Self::Asking(asking) if asking.refused || asking.is_finished(now) => {
                Err("everything is answered, and nothing is concluded".to_owned())
            }
            Self::Awaiting(awaiting) if awaiting.works => {
                Err("the credential works, and nothing is started".to_owned())
            }
            Self::Awaiting(awaiting) if now > awaiting.since + timeout + SLACK => {
                Err(format!("a successor is awaited since {}", awaiting.since))
            }
            Self::Awaiting(awaiting)
                if awaiting.out.is_none() && now > awaiting.tried + VIGIL_MAX + SLACK =>
            {
                Err(format!(
                    "the credential was last tried at {}",
                    awaiting.tried
                ))
            }
            Self::Asking(_) | Self::Awaiting(_) | Self::None => Ok(()),
        }
    }
}

impl Asking {
    fn is_finished(&self, now: Time) -> bool {
        (self.answered && self.logins.is_empty()) || now >= self.until
    }
}
