//! Before the first child: the start deadline, and when waiting for it is no use.

use crate::credential::Fault;
use crate::exit_code::ExitCode;

use super::event::{FailureKind, FetchFailure};
use super::notice::{GaveUp, Notice};
use super::time::Time;
use super::turn::Turn;

/// The wait for the first good answer.
#[derive(Debug)]
pub(super) struct Start {
    until: Time,
    seen: Seen,
}

/// The last answer, when it was not good.
#[derive(Debug)]
enum Seen {
    Nothing,
    Failure(FetchFailure),
    Faults(Vec<(String, Fault)>),
}

impl Start {
    pub(super) fn new(until: Time) -> Self {
        Self {
            until,
            seen: Seen::Nothing,
        }
    }

    pub(super) fn deadline(&self) -> Time {
        self.until
    }

    /// An answer came, and required variables are unusable in it.
    pub(super) fn on_faults(&mut self, faults: Vec<(String, Fault)>) {
        self.seen = Seen::Faults(faults);
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

    /// The deadline came.
    pub(super) fn expired(&self, turn: &mut Turn<'_>) -> Option<ExitCode> {
        if self.until > turn.now {
            return None;
        }
        let timeout = turn.config.start_timeout;
        let (reason, code) = match &self.seen {
            Seen::Nothing => (
                GaveUp::NoAnswer {
                    last: None,
                    timeout,
                },
                ExitCode::NoAnswer,
            ),
            Seen::Failure(failure) => (
                GaveUp::NoAnswer {
                    last: Some(failure.clone()),
                    timeout,
                },
                ExitCode::NoAnswer,
            ),
            Seen::Faults(faults) => (
                GaveUp::Unusable {
                    faults: faults.clone(),
                    timeout,
                },
                ExitCode::Config,
            ),
        };
        turn.announce(Notice::StartGaveUp { reason });
        Some(code)
    }
}
