//! What people are told: each fact once, and with the right numbers.

use crate::supervisor::event::{FailureKind, FetchFailure};
use crate::supervisor::notice::Notice;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::HEARTBEAT;

/// What was told about the API, and what must be told next.
#[derive(Debug)]
pub(super) struct Api {
    failing: Option<Failing>,
    due: Due,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    since: Time,
    attempts: u32,
    kind: FailureKind,
    told: Time,
}

/// The one line that a step owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Begins(FailureKind),
    Heartbeat { lasted: Duration, attempts: u32 },
    Ends { lasted: Duration, attempts: u32 },
}

impl Api {
    pub(super) fn new() -> Self {
        Self {
            failing: None,
            due: Due::Nothing,
        }
    }

    pub(super) fn good(&mut self, now: Time) {
        if let Some(failing) = self.failing.take() {
            self.due = Due::Ends {
                lasted: now.since(failing.since),
                attempts: failing.attempts,
            };
        }
    }

    pub(super) fn bad(&mut self, now: Time, failure: &FetchFailure) {
        let kind = failure.kind;
        let Some(failing) = &mut self.failing else {
            self.failing = Some(Failing {
                since: now,
                attempts: 1,
                kind,
                told: now,
            });
            self.due = Due::Begins(kind);
            return;
        };
        failing.attempts += 1;
        if failing.kind != kind {
            self.due = Due::Begins(kind);
        } else if now.since(failing.told) >= HEARTBEAT {
            self.due = Due::Heartbeat {
                lasted: now.since(failing.since),
                attempts: failing.attempts,
            };
        } else {
            return;
        }
        (failing.kind, failing.told) = (kind, now);
    }

    /// A line about the API.
    pub(super) fn told(&mut self, notice: &Notice) -> Result<(), String> {
        let told = if let Notice::FetchFailing { failure, .. } = notice {
            Due::Begins(failure.kind)
        } else if let Notice::FetchStillFailing {
            lasted, attempts, ..
        } = notice
        {
            let (lasted, attempts) = (*lasted, *attempts);
            Due::Heartbeat { lasted, attempts }
        } else if let Notice::FetchRecovered { lasted, attempts } = notice {
            let (lasted, attempts) = (*lasted, *attempts);
            Due::Ends { lasted, attempts }
        } else {
            return Ok(());
        };
        let due = std::mem::replace(&mut self.due, Due::Nothing);
        if told == due {
            Ok(())
        } else {
            Err(format!("told {told:?} where {due:?} was due"))
        }
    }

    pub(super) fn check(&mut self) -> Result<(), String> {
        let due = std::mem::replace(&mut self.due, Due::Nothing);
        if due == Due::Nothing {
            Ok(())
        } else {
            Err(format!("{due:?} was not told"))
        }
    }
}
