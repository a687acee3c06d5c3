//! While a change waits, for a person or for its place in the fleet: does the credential that the
//! child runs on still work? It is tried now and then.

use crate::credential::Secret;

use super::change::retry_pause;
use super::config::CheckLogin;
use super::event::LoginOutcome;
use super::id::LoginId;
use super::logins::{Logins, Standing};
use super::time::{Duration, Time};
use super::turn::Turn;

/// A login that takes longer has got no answer.
const LOGIN_MAX: Duration = Duration::from_secs(10);

/// The next login, or the one that is out.
#[derive(Debug)]
pub(super) enum Lookout {
    /// Nobody is to log in.
    Never,
    At(Time),
    Out {
        logins: Logins,
        since: Time,
    },
}

impl Lookout {
    /// Looks at `at` for the first time.
    pub(super) fn begin(turn: &Turn<'_>, at: Time) -> Self {
        match turn.config.check_login {
            CheckLogin::Never => Self::Never,
            CheckLogin::Auto | CheckLogin::Always => Self::At(at),
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Self::Never => None,
            Self::At(at) => Some(*at),
            Self::Out { since, .. } => Some(*since + LOGIN_MAX),
        }
    }

    /// Logs in with these values when it is time to, and where there is nothing to log in with,
    /// looks again later: a successor may have taken over. Yields what a login has come to that has
    /// got no answer.
    pub(super) fn on_deadline<'a>(
        &mut self,
        turn: &mut Turn<'_>,
        values: impl IntoIterator<Item = (&'a String, &'a Secret)>,
    ) -> Option<Standing> {
        if self.deadline().is_none_or(|deadline| deadline > turn.now) {
            return None;
        }
        match self {
            Self::Never => None,
            Self::At(_) => {
                let since = turn.now;
                match Logins::ask(turn, values) {
                    Some(logins) => *self = Self::Out { logins, since },
                    None => self.pause(turn),
                }
                None
            }
            Self::Out { .. } => {
                self.pause(turn);
                Some(Standing::Unreachable)
            }
        }
    }

    /// What the login has come to, if that is known now.
    pub(super) fn on_login(
        &mut self,
        turn: &mut Turn<'_>,
        login: LoginId,
        outcome: &LoginOutcome,
    ) -> Option<Standing> {
        let Self::Out { logins, .. } = self else {
            return None;
        };
        logins.on_login(login, outcome)?;
        let standing = logins.standing()?;
        self.pause(turn);
        Some(standing)
    }

    /// Drops the question that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        match self {
            Self::Never | Self::At(_) => {}
            Self::Out { logins, .. } => {
                logins.close(turn);
            }
        }
    }

    /// The login has come to something; the next one comes later.
    fn pause(&mut self, turn: &mut Turn<'_>) {
        let next = Self::At(turn.now + retry_pause(turn));
        std::mem::replace(self, next).close(turn);
    }
}
