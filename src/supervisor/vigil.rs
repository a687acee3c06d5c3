//! After a login was refused: the wait for a new credential, or for the day on which this one
//! works.

use crate::credential::Values;

use super::crash::backoff;
use super::event::LoginOutcome;
use super::id::LoginId;
use super::logins::{Logins, Standing};
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// A refused login is tried again after this, doubling, up to [`RETRY_MAX`]: a role that is made a
/// moment after its URL is shown is found soon, and nobody is pestered.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// The wait itself.
#[derive(Debug)]
pub(super) struct Vigil {
    until: Time,
    /// Heroku is asked once more then, if it was not asked often.
    look_at: Option<Time>,
    tries: u32,
    login: Login,
}

/// The next login with the credential that was refused.
#[derive(Debug)]
enum Login {
    At(Time),
    Out(Logins),
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// The wait goes on.
    Open,
    /// The credential works after all.
    Works,
    /// It took too long.
    Over,
}

impl Vigil {
    pub(super) fn begin(turn: &Turn<'_>) -> Self {
        Self {
            until: turn.now + turn.config.start_timeout,
            look_at: Some(turn.now + turn.config.start_timeout * 3 / 4),
            tries: 0,
            login: Login::At(turn.now + RETRY_MIN),
        }
    }

    pub(super) fn deadline(&self) -> Time {
        let own = match self.login {
            Login::At(at) => at.min(self.until),
            Login::Out(_) => self.until,
        };
        self.look_at.map_or(own, |at| at.min(own))
    }

    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>, values: &Values) -> Outlook {
        if self.until <= turn.now {
            return Outlook::Over;
        }
        if self.look_at.take_if(|at| *at <= turn.now).is_some() {
            turn.want(Want::FetchOnceMore);
        }
        if let Login::At(at) = self.login
            && at <= turn.now
        {
            self.tries += 1;
            self.login = match Logins::ask(turn, values) {
                Some(logins) => Login::Out(logins),
                None => Login::At(self.until),
            };
        }
        Outlook::Open
    }

    pub(super) fn on_login(
        &mut self,
        turn: &mut Turn<'_>,
        login: LoginId,
        outcome: &LoginOutcome,
    ) -> Outlook {
        let Login::Out(logins) = &mut self.login else {
            return Outlook::Open;
        };
        logins.on_login(login, outcome);
        match logins.standing() {
            None => Outlook::Open,
            Some(Standing::Accepted) => Outlook::Works,
            Some(Standing::Unreachable | Standing::Refused) => {
                let pause = backoff(self.tries + 1, RETRY_MIN, RETRY_MAX);
                let next = Login::At(turn.now + pause);
                if let Login::Out(logins) = std::mem::replace(&mut self.login, next) {
                    logins.close(turn);
                }
                Outlook::Open
            }
        }
    }

    /// Drops the question that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        if let Login::Out(logins) = self.login {
            logins.close(turn);
        }
    }
}
