//! What the server's thread and the controlling program share: one state behind one lock.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::account::{Budget, Tokens};
use super::app::App;
use super::database::Pace;
use super::fault::Fault;
use super::injection::Faults;
use super::postgres::Server;

/// Requests beyond this many are forgotten, oldest first.
const REQUESTS_MAX: usize = 1000;

/// One request that the simulator got on its Platform or data API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRecord {
    /// Since the simulator started.
    pub at: Duration,
    /// `GET`, `PATCH`…
    pub method: String,
    /// The path without its query.
    pub path: String,
    /// The `If-None-Match` header.
    pub if_none_match: Option<String>,
    /// What was answered; `None` while there is no answer, and for ever after a reset or a hang.
    pub status: Option<u16>,
    /// The fault that this request suffered.
    pub faulted: Option<Fault>,
}

/// The newest requests, and how many there were in all.
#[derive(Default)]
pub(super) struct RequestLog {
    records: VecDeque<RequestRecord>,
    first: usize,
    pub(super) faulted: usize,
}

impl RequestLog {
    /// Notes an arrival; the number finds it again.
    pub(super) fn arrived(&mut self, record: RequestRecord) -> usize {
        if record.faulted.is_some() {
            self.faulted += 1;
        }
        if self.records.len() == REQUESTS_MAX {
            self.records.pop_front();
            self.first += 1;
        }
        self.records.push_back(record);
        self.first + self.records.len() - 1
    }

    pub(super) fn answered(&mut self, number: usize, status: u16) {
        let index = number.checked_sub(self.first);
        if let Some(record) = index.and_then(|index| self.records.get_mut(index)) {
            record.status = Some(status);
        }
    }

    pub(super) fn total(&self) -> usize {
        self.first + self.records.len()
    }

    pub(super) fn records(&self) -> Vec<RequestRecord> {
        self.records.iter().cloned().collect()
    }
}

/// Everything that can change while the simulator runs.
pub(super) struct State {
    pub(super) app: App,
    pub(super) tokens: Tokens,
    pub(super) budget: Budget,
    pub(super) faults: Faults,
    pub(super) log: RequestLog,
    pub(super) pace: Pace,
    pub(super) webhooks: Vec<Value>,
}

/// The state, and what never changes beside it.
pub(super) struct Shared {
    state: Mutex<State>,
    started: Instant,
    pub(super) postgres: Option<Server>,
}

impl Shared {
    pub(super) fn new(app: App, token: &str, postgres: Option<Server>) -> Self {
        let state = State {
            app,
            tokens: Tokens::only(token),
            budget: Budget::full(),
            faults: Faults::default(),
            log: RequestLog::default(),
            pace: Pace {
                promotion_gap: Duration::from_millis(300),
                ..Pace::default()
            },
            webhooks: Vec::new(),
        };
        Self {
            state: Mutex::new(state),
            started: Instant::now(),
            postgres,
        }
    }

    /// The state; never held over an `await`.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the simulator started.
    pub(super) fn now(&self) -> Duration {
        self.started.elapsed()
    }
}
