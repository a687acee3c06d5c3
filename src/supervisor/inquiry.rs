//! What a failed end asks: is there a new credential, and does the old one still log in?

use crate::credential::Values;

use super::config::CheckLogin;
use super::event::LoginOutcome;
use super::id::LoginId;
use super::logins::{Logins, Standing};
use super::notice::{Asked, Notice};
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// The longest that a failed end waits for its answers.
const INQUIRY: Duration = Duration::from_secs(5);

/// The questions that are still open, and what the answers say so far.
#[derive(Debug)]
pub(super) struct Inquiry {
    until: Time,
    fetch: Fetch,
    /// `None`: there is no credential to log in with.
    logins: Option<Logins>,
}

#[derive(Debug)]
enum Fetch {
    /// Only an answer to a request that began at `since` or later counts.
    Asked {
        since: Time,
    },
    Answered,
    /// It is not asked right now.
    Spared,
}

/// What an inquiry came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The credential died before its successor was there.
    CredentialDead,
    /// Postgres could not be asked: the database may be dying, and a new credential on its way.
    DatabaseSilent,
    /// The credential is not known to be the reason.
    NothingFound,
}

impl Inquiry {
    /// Asks for a fetch, and for a login with every postgres URL that the failed child ran on, and
    /// tells it.
    pub(super) fn open(turn: &mut Turn<'_>, values: &Values) -> Self {
        let asked = match turn.config.check_login {
            CheckLogin::Auto | CheckLogin::Always if Logins::are_possible(values) => Asked::Both,
            CheckLogin::Never | CheckLogin::Auto | CheckLogin::Always => Asked::Heroku,
        };
        turn.announce(Notice::Asking { asked });
        turn.want(Want::FetchForEnd);
        Self {
            until: turn.now + INQUIRY,
            fetch: Fetch::Asked { since: turn.now },
            logins: match asked {
                Asked::Heroku => None,
                Asked::Both => Logins::ask(turn, values),
            },
        }
    }

    pub(super) fn deadline(&self) -> Time {
        self.until
    }

    /// A fetch that began at `started_at` was answered, well or not.
    pub(super) fn on_answer(&mut self, started_at: Time) {
        if let Fetch::Asked { since } = self.fetch
            && started_at >= since
        {
            self.fetch = Fetch::Answered;
        }
    }

    /// The account has too little left to be asked for each of many failures.
    pub(super) fn spare_fetch(&mut self, turn: &mut Turn<'_>) {
        turn.announce(Notice::FetchSpared);
        self.fetch = Fetch::Spared;
        if self.logins.is_none() {
            self.until = turn.now;
        }
    }

    /// Whether nothing was asked of Heroku.
    pub(super) fn is_fetch_spared(&self) -> bool {
        match self.fetch {
            Fetch::Spared => true,
            Fetch::Asked { .. } | Fetch::Answered => false,
        }
    }

    pub(super) fn on_login(&mut self, turn: &mut Turn<'_>, login: LoginId, outcome: LoginOutcome) {
        let logins = self.logins.as_mut();
        if let Some(name) = logins.and_then(|logins| logins.on_login(login, &outcome)) {
            turn.announce(Notice::LoginTried { name, outcome });
        }
    }

    /// `None`: not everything is answered yet.
    pub(super) fn finding(&self, now: Time) -> Option<Finding> {
        let standing = match &self.logins {
            None => Some(Standing::Accepted),
            Some(logins) => logins.standing(),
        };
        let is_asked = matches!(self.fetch, Fetch::Asked { .. });
        let answered = !is_asked && standing.is_some();
        let is_over = answered || now >= self.until;
        match standing {
            Some(Standing::Refused) => Some(Finding::CredentialDead),
            // No answer in all that time is none.
            Some(Standing::Unreachable) | None => is_over.then_some(Finding::DatabaseSilent),
            Some(Standing::Accepted) => is_over.then_some(Finding::NothingFound),
        }
    }

    /// It has come to something: what was not answered by now is told, too.
    pub(super) fn conclude(self, turn: &mut Turn<'_>) {
        if turn.now >= self.until {
            let unanswered = self.logins.iter().flat_map(Logins::unanswered);
            for (name, outcome) in unanswered {
                turn.announce(Notice::LoginTried { name, outcome });
            }
        }
        self.close(turn);
    }

    /// Drops the questions that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        if let Some(logins) = self.logins {
            logins.close(turn);
        }
    }
}
