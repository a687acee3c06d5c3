//! After a failed end: what was asked, what the answers allow, and by when.

use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::LoginId;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::SLACK;

/// The wait after a failed end.
#[derive(Debug)]
pub(super) enum Inquiry {
    None,
    /// Heroku and Postgres are asked.
    Asking(Asking),
    /// A login was refused: the successor is awaited since then.
    Awaiting(Time),
}

#[derive(Debug)]
pub(super) struct Asking {
    since: Time,
    until: Time,
    answered: bool,
    owed: Owed,
    logins: Vec<LoginId>,
    refused: bool,
}

/// Whether a login must be tried in this very step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Nothing,
    Login,
}

impl Inquiry {
    pub(super) fn open(since: Time, until: Time, owed: Owed) -> Self {
        Self::Asking(Asking {
            since,
            until,
            answered: false,
            owed,
            logins: Vec::new(),
            refused: false,
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

    /// A request that began at `asked` was answered, well or not.
    pub(super) fn answered(&mut self, asked: Time) {
        if let Self::Asking(asking) = self {
            asking.answered |= asked >= asking.since;
        }
    }

    pub(super) fn login(&mut self, login: LoginId, outcome: &LoginOutcome) {
        let Self::Asking(asking) = self else { return };
        let Some(at) = asking.logins.iter().position(|open| *open == login) else {
            return;
        };
        asking.logins.swap_remove(at);
        asking.refused |= matches!(outcome, LoginOutcome::Refused { .. });
    }

    /// A login is tried.
    pub(super) fn logs_in(&mut self, now: Time, login: LoginId) -> Result<(), String> {
        match self {
            Self::Asking(asking) if asking.since == now => {
                asking.logins.push(login);
                asking.owed = Owed::Nothing;
                Ok(())
            }
            Self::Asking(_) | Self::Awaiting(_) | Self::None => {
                Err("a login that no failed end asks for".to_owned())
            }
        }
    }

    /// The core found that the credential is dead.
    pub(super) fn awaits(&mut self, now: Time) -> Result<(), String> {
        match self {
            Self::Asking(asking) if asking.refused => {
                *self = Self::Awaiting(now);
                Ok(())
            }
            Self::Asking(_) | Self::Awaiting(_) | Self::None => {
                Err("a credential is called dead that was not refused".to_owned())
            }
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
            Self::Awaiting(since) if now >= *since + timeout => Ok(()),
            Self::Asking(_) | Self::Awaiting(_) | Self::None => {
                Err("a successor is given up too early".to_owned())
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
            Self::Awaiting(since) if now > *since + timeout + SLACK => {
                Err(format!("a successor is awaited since {since}"))
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
