//! What a failed end asks: is there a new credential, and does the old one still log in?

use crate::credential::{DatabaseUrl, Values};

use super::action::Action;
use super::config::Logins;
use super::event::LoginOutcome;
use super::id::LoginId;
use super::notice::Notice;
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// The longest that a failed end waits for its answers.
const INQUIRY: Duration = Duration::from_secs(5);

/// The questions that are still open, and what the answers say so far.
#[derive(Debug)]
pub(super) struct Inquiry {
    until: Time,
    fetch: Fetch,
    logins: Vec<Pending>,
    credential: Credential,
}

#[derive(Debug)]
enum Fetch {
    /// Only an answer to a request that began at `since` or later counts.
    Asked {
        since: Time,
    },
    Answered,
}

#[derive(Debug)]
struct Pending {
    login: LoginId,
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Credential {
    /// No login was refused.
    NotRefused,
    /// One was: the credential is dead.
    Refused,
}

/// What an inquiry came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The credential died before its successor was there.
    CredentialDead,
    /// The credential is not known to be the reason.
    NothingFound,
}

impl Inquiry {
    /// Asks for a fetch, and for a login with every postgres URL that the failed child ran on.
    pub(super) fn open(turn: &mut Turn<'_>, values: &Values) -> Self {
        let mut inquiry = Self {
            until: turn.now + INQUIRY,
            fetch: Fetch::Asked { since: turn.now },
            logins: Vec::new(),
            credential: Credential::NotRefused,
        };
        turn.want(Want::Fetch);
        inquiry.log_in(turn, values);
        inquiry
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

    pub(super) fn on_login(&mut self, turn: &mut Turn<'_>, login: LoginId, outcome: LoginOutcome) {
        let Some(at) = self
            .logins
            .iter()
            .position(|pending| pending.login == login)
        else {
            return;
        };
        let Pending { name, .. } = self.logins.swap_remove(at);
        match &outcome {
            LoginOutcome::Refused { .. } => self.credential = Credential::Refused,
            LoginOutcome::Accepted | LoginOutcome::Unreachable { .. } => {}
        }
        turn.announce(Notice::LoginTried { name, outcome });
    }

    /// `None`: not everything is answered yet.
    pub(super) fn finding(&self, now: Time) -> Option<Finding> {
        let answered = matches!(self.fetch, Fetch::Answered) && self.logins.is_empty();
        match self.credential {
            Credential::Refused => Some(Finding::CredentialDead),
            Credential::NotRefused if answered || now >= self.until => Some(Finding::NothingFound),
            Credential::NotRefused => None,
        }
    }

    /// Drops the questions that nobody waits for any more.
    pub(super) fn close(self, turn: &mut Turn<'_>) {
        for Pending { login, .. } in self.logins {
            turn.act(Action::CancelLogin { login });
        }
    }

    fn log_in(&mut self, turn: &mut Turn<'_>, values: &Values) {
        if turn.config.logins == Logins::Never {
            return;
        }
        for (name, value) in values {
            let Ok(url) = DatabaseUrl::parse(value.expose()) else {
                continue;
            };
            let login = turn.ids.login();
            let sslmode = turn.config.environment.login_sslmode(&url);
            turn.act(Action::CheckLogin {
                login,
                url: value.clone(),
                sslmode,
            });
            self.logins.push(Pending {
                login,
                name: name.clone(),
            });
        }
    }
}
