//! Logins with several credentials, asked at once: what they come to together.

use crate::credential::{DatabaseUrl, Secret};

use super::action::Action;
use super::event::LoginOutcome;
use super::id::LoginId;
use super::turn::Turn;

/// Logins that were asked for in one go.
#[derive(Debug)]
pub(super) struct Logins {
    pending: Vec<Pending>,
    worst: Answered,
}

#[derive(Debug)]
struct Pending {
    login: LoginId,
    name: String,
}

/// What was answered so far.
#[derive(Debug)]
enum Answered {
    /// Nothing but good.
    Well,
    /// The worst answer, and of whom.
    Badly(Bad),
}

/// One answer that is not `Accepted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) name: String,
    pub(super) outcome: LoginOutcome,
}

/// Whether the credentials let us in: as good as the worst of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Standing {
    /// All of them did.
    Accepted,
    /// Of one at least nothing is known.
    Unreachable,
    /// One at least is dead, or not born yet.
    Refused,
}

impl Logins {
    /// Whether there is a postgres URL among the values.
    pub(super) fn are_possible<'a>(
        values: impl IntoIterator<Item = (&'a String, &'a Secret)>,
    ) -> bool {
        let mut values = values.into_iter();
        values.any(|(_, value)| DatabaseUrl::parse(value.expose()).is_ok())
    }

    /// Asks for a login with every postgres URL among the values; `None` when there is none.
    pub(super) fn ask<'a>(
        turn: &mut Turn<'_>,
        values: impl IntoIterator<Item = (&'a String, &'a Secret)>,
    ) -> Option<Self> {
        let mut pending = Vec::new();
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
            pending.push(Pending {
                login,
                name: name.clone(),
            });
        }
        let worst = Answered::Well;
        (!pending.is_empty()).then_some(Self { pending, worst })
    }

    /// Takes an answer, and yields the variable that it is about: `None` when it is not one of
    /// these.
    pub(super) fn on_login(&mut self, login: LoginId, outcome: &LoginOutcome) -> Option<String> {
        let is_it = |pending: &Pending| pending.login == login;
        let at = self.pending.iter().position(is_it)?;
        let Pending { name, .. } = self.pending.swap_remove(at);
        let known = match &self.worst {
            Answered::Well => Standing::Accepted,
            Answered::Badly(bad) => standing(&bad.outcome),
        };
        if standing(outcome) > known {
            self.worst = Answered::Badly(Bad {
                name: name.clone(),
                outcome: outcome.clone(),
            });
        }
        Some(name)
    }

    /// What they came to; `None` while that is open. One refusal decides, whatever the others say.
    pub(super) fn standing(&self) -> Option<Standing> {
        let known = match &self.worst {
            Answered::Well => Standing::Accepted,
            Answered::Badly(bad) => standing(&bad.outcome),
        };
        (known == Standing::Refused || self.pending.is_empty()).then_some(known)
    }

    /// The variables of which nothing is known yet, as if their time were over.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (String, LoginOutcome)> {
        let pending = self.pending.iter();
        pending.map(|pending| (pending.name.clone(), no_answer()))
    }

    /// Drops the questions that nobody waits for any more, and yields the worst answer; no answer
    /// is one.
    pub(super) fn close(self, turn: &mut Turn<'_>) -> Option<Bad> {
        let mut silent = None;
        for Pending { login, name } in self.pending {
            turn.act(Action::CancelLogin { login });
            let outcome = no_answer();
            silent = Some(Bad { name, outcome });
        }
        match self.worst {
            Answered::Well => silent,
            Answered::Badly(bad) => Some(bad),
        }
    }
}

fn no_answer() -> LoginOutcome {
    let detail = "no answer in time".to_owned();
    LoginOutcome::Unreachable { detail }
}

/// What one answer says of its credential.
pub(super) fn standing(outcome: &LoginOutcome) -> Standing {
    match outcome {
        LoginOutcome::Accepted => Standing::Accepted,
        LoginOutcome::Unreachable { .. } => Standing::Unreachable,
        LoginOutcome::Refused { .. } => Standing::Refused,
    }
}
