//! The world's own reading of "Check the login" in the design: which logins a difference asks for,
//! and what their answers allow.
//!
//! Only the first of the world's variables is a postgres URL: a round is one login.

use crate::supervisor::config::CheckLogin;
use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::LoginId;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{LOGIN_RETRY, LOGIN_ROUND, SLACK};

/// What never changes in a life.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) policy: CheckLogin,
    pub(super) timeout: Duration,
    pub(super) interval: Duration,
}

/// Whose credential a login is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    New,
    Old,
}

/// The logins about one difference.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trial {
    /// None is wanted.
    None,
    /// One is due in this very step.
    Owed(Round),
    /// One is out since then.
    Out(Round, LoginId, Time),
    /// One is tried again then.
    Held(Time),
}

/// One login, and what was answered before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Round {
    pub(super) whose: Whose,
    pub(super) version: u32,
    pub(super) new: Said,
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Accepted,
    Refused,
    Unreachable,
}

/// What the design's table says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    Go,
    /// At once: a delay would protect nothing.
    GoNow,
    Keep,
    Wait,
}

impl Said {
    pub(super) fn of(outcome: &LoginOutcome) -> Self {
        match outcome {
            LoginOutcome::Accepted => Self::Accepted,
            LoginOutcome::Refused { .. } => Self::Refused,
            LoginOutcome::Unreachable { .. } => Self::Unreachable,
        }
    }
}

impl Rules {
    /// Whether an answer that is not a yes counts. "Login checks never worked on this host: they
    /// decide nothing."
    pub(super) fn counts(&self, worked: bool) -> bool {
        match self.policy {
            CheckLogin::Never => false,
            CheckLogin::Auto => worked,
            CheckLogin::Always => true,
        }
    }

    /// "Retries come every min(interval, 30 s)".
    pub(super) fn retry(&self) -> Duration {
        self.interval.min(LOGIN_RETRY)
    }

    pub(super) fn rule(&self, new: Said, old: Said, counts: bool, waited: Duration) -> Ruling {
        let dead = counts && old == Said::Refused;
        match new {
            Said::Accepted if dead => Ruling::GoNow,
            Said::Accepted | Said::Nothing => Ruling::Go,
            Said::Refused | Said::Unreachable if !counts => Ruling::Go,
            Said::Refused => Ruling::Keep,
            Said::Unreachable if dead => Ruling::GoNow,
            Said::Unreachable if waited >= self.timeout => Ruling::Go,
            Said::Unreachable => Ruling::Wait,
        }
    }
}

impl Trial {
    /// A login goes out. `again`: the one that is tried once more.
    pub(super) fn logs_in(
        &mut self,
        now: Time,
        login: LoginId,
        version: u32,
        again: Round,
    ) -> Result<(), String> {
        let round = match *self {
            Self::Owed(round) => round,
            Self::Held(until) if now >= until => again,
            Self::None | Self::Out(..) | Self::Held(_) => {
                return Err("a login that nothing asks for".to_owned());
            }
        };
        if round.version != version {
            return Err(format!(
                "a login with version {version}, where {} is asked about",
                round.version
            ));
        }
        *self = Self::Out(round, login, now);
        Ok(())
    }

    /// The login that has got no answer for too long.
    pub(super) fn silent(&self, now: Time) -> Option<LoginId> {
        match self {
            Self::Out(_, login, since) if now >= *since + LOGIN_ROUND => Some(*login),
            Self::None | Self::Owed(_) | Self::Out(..) | Self::Held(_) => None,
        }
    }

    pub(super) fn check(&self, now: Time) -> Result<(), String> {
        match self {
            Self::Owed(round) => Err(format!("no login is made with version {}", round.version)),
            Self::Held(until) if now > *until + SLACK => {
                Err(format!("no login is tried again since {until}"))
            }
            Self::None | Self::Out(..) | Self::Held(_) => Ok(()),
        }
    }
}
