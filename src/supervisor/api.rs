//! Whether the API answers, and when people are told: one line when it begins to fail, one when it
//! answers again, a heartbeat in between.

use super::event::{FailureKind, FetchFailure};
use super::notice::{Child, Notice};
use super::overview::{FailingOverview, TokenOverview};
use super::time::{Duration, Time};
use super::turn::Turn;

/// A failing API is told about again after this long.
const HEARTBEAT: Duration = Duration::from_secs(900);

/// What the last answers say of the API.
#[derive(Debug)]
pub(super) enum Api {
    /// The last request was answered well.
    Answering,
    /// None has been since `since`.
    Failing(Failing),
}

#[derive(Debug)]
pub(super) struct Failing {
    since: Time,
    attempts: u32,
    last: FetchFailure,
    told_at: Time,
}

impl Api {
    /// How many requests failed in a row.
    pub(super) fn failures(&self) -> u32 {
        match self {
            Self::Answering => 0,
            Self::Failing(failing) => failing.attempts,
        }
    }

    /// For how long none was answered well, if so.
    pub(super) fn failing(&self) -> Option<FailingOverview> {
        match self {
            Self::Answering => None,
            Self::Failing(failing) => Some(FailingOverview {
                since: failing.since,
                attempts: failing.attempts,
                failure: failing.last.clone(),
            }),
        }
    }

    pub(super) fn answered(&mut self, turn: &mut Turn<'_>) {
        if let Self::Failing(Failing {
            since, attempts, ..
        }) = *self
        {
            let lasted = turn.now.since(since);
            turn.announce(Notice::FetchRecovered { lasted, attempts });
            *self = Self::Answering;
        }
    }

    pub(super) fn failed(
        &mut self,
        turn: &mut Turn<'_>,
        failure: &FetchFailure,
        running: Option<Child>,
    ) {
        match self {
            Self::Failing(failing) => failing.again(turn, failure, running),
            Self::Answering => {
                let (now, failure) = (turn.now, failure.clone());
                *self = Self::Failing(Failing {
                    since: now,
                    attempts: 1,
                    last: failure.clone(),
                    told_at: now,
                });
                turn.announce(Notice::FetchFailing { failure, running });
            }
        }
    }
}

impl TokenOverview {
    /// Where Heroku is not there, what it said last of the token still holds.
    pub(super) fn after<T>(self, answer: &Result<T, FetchFailure>) -> Self {
        match answer {
            Ok(_) => Self::Accepted,
            Err(failure) => match failure.kind {
                FailureKind::Unavailable => self,
                FailureKind::AppNotFound => Self::Accepted,
                FailureKind::TokenRefused => Self::Refused,
                FailureKind::NoToken => Self::Missing,
                FailureKind::TokenCommandFailed => Self::CommandFailed,
            },
        }
    }
}

impl Failing {
    fn again(&mut self, turn: &mut Turn<'_>, failure: &FetchFailure, running: Option<Child>) {
        self.attempts = self.attempts.saturating_add(1);
        let is_news = self.last.kind != failure.kind;
        self.last = failure.clone();
        let failure = failure.clone();
        if is_news {
            turn.announce(Notice::FetchFailing { failure, running });
        } else if turn.now.since(self.told_at) >= HEARTBEAT {
            turn.announce(Notice::FetchStillFailing {
                failure,
                lasted: turn.now.since(self.since),
                attempts: self.attempts,
                running,
            });
        } else {
            return;
        }
        self.told_at = turn.now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_says_nothing_of_the_token() {
        let fails = |before: TokenOverview, kind| {
            let answer: Result<(), _> = Err(FetchFailure {
                kind,
                ..FetchFailure::unavailable("down")
            });
            before.after(&answer)
        };
        let untried = fails(TokenOverview::Untried, FailureKind::Unavailable);
        assert_eq!(untried, TokenOverview::Untried);
        let refused = fails(untried, FailureKind::TokenRefused);
        assert_eq!(refused, TokenOverview::Refused);
        assert_eq!(fails(refused, FailureKind::Unavailable), refused);
        let accepted = fails(refused, FailureKind::AppNotFound);
        assert_eq!(accepted, TokenOverview::Accepted);
        assert_eq!(refused.after(&Ok(())), TokenOverview::Accepted);
    }
}
