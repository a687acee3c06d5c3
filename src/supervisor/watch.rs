//! WHEN to fetch: the interval, backoff after failures, evidence that brings a fetch forward, and
//! bursts. (Which fetches a webhook asks for: `series.rs`.)

mod overview;

use std::sync::Arc;

use crate::credential::Snapshot;

mod burst;
mod refresh;

use super::action::Action;
use super::api::Api;
use super::budget::Budget;
use super::change::Desired;
use super::config::Watching;
use super::crash::backoff;
use super::event::{ETag, FailureKind, FetchFailure, FetchOutcome};
use super::id::FetchId;
use super::notice::Child;
use super::overview::TokenOverview;
use super::series::{Due, Series};
use super::status::WatchPhase;
use super::time::{Duration, Time};
use super::turn::Turn;

use burst::{Begun, Burst};
pub(super) use refresh::Asked;

/// A request that began before the evidence is given this long before it is dropped for a new one.
const STALE_AFTER: Duration = Duration::from_secs(2);
/// One poll in so many is unconditional: a false 304 must not hide a rotation for ever.
const UNCONDITIONAL_EVERY: u32 = 10;
/// Failed fetches back off from 1 s, doubling, to this.
const BACKOFF_MAX: Duration = Duration::from_secs(300);
/// The longest `Retry-After` that is obeyed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(300);
/// A burst that the account cannot afford is one request, so much later that a fleet that lost its
/// connections at once does not ask at once.
const SPREAD: Duration = Duration::from_secs(2);
/// A request that began no longer ago than this may have been too early.
const RECENT: Duration = Duration::from_secs(5);

/// Decides when to fetch, and tells when the API begins and ceases to fail.
#[derive(Debug)]
pub(super) struct Watch {
    state: State,
    latest: Option<Latest>,
    conditional_polls: u32,
    /// When the last request began.
    asked_at: Option<Time>,
    burst: Burst,
    series: Series,
    /// When a request is made that only a full answer ends, and that had to keep its distance.
    owed_at: Option<Time>,
    api: Api,
    token: TokenOverview,
    budget: Budget,
    first: First,
}

/// Whether a child could be started by now. Until then nobody is served, and the wait has its own
/// limit: the account is not spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum First {
    Awaited,
    Had,
}

/// A request, or the time of the next one.
#[derive(Debug)]
enum State {
    /// Nothing more will be asked.
    Off,
    /// The next request is due at `at`; nothing makes it earlier than `not_before` (`Retry-After`).
    Waiting {
        at: Time,
        not_before: Time,
        next: Purpose,
    },
    /// A request is out.
    Fetching {
        fetch: FetchId,
        started_at: Time,
        purpose: Purpose,
    },
    /// A request is out that began before the newest evidence: another follows at once.
    Superseded { fetch: FetchId, started_at: Time },
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// A look, as ever.
    Poll,
    /// Evidence that no request has answered yet: only a full answer will do.
    Evidence,
}

/// The last good answer: what a 304 means.
#[derive(Debug)]
struct Latest {
    snapshot: Arc<Snapshot>,
    etag: Option<ETag>,
    /// When it was given, or said to be still the same.
    at: Time,
}

/// A request's end, as the rest of the core sees it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) started_at: Time,
    pub(super) result: Result<Arc<Snapshot>, FetchFailure>,
}

impl Watch {
    pub(super) fn new() -> Self {
        let state = State::Waiting {
            at: Time::ZERO,
            not_before: Time::ZERO,
            next: Purpose::Poll,
        };
        Self {
            state,
            latest: None,
            conditional_polls: 0,
            asked_at: None,
            burst: Burst::Ready,
            series: Series::None,
            owed_at: None,
            api: Api::Answering,
            token: TokenOverview::Untried,
            budget: Budget::Unknown,
            first: First::Awaited,
        }
    }

    pub(super) fn name(&self) -> WatchPhase {
        match self.state {
            State::Off => WatchPhase::Off,
            State::Waiting { .. } => WatchPhase::Waiting,
            State::Fetching { .. } => WatchPhase::Fetching,
            State::Superseded { .. } => WatchPhase::Superseded,
        }
    }

    /// The last good answer, and when it came; it may be of no use where it matters.
    pub(super) fn latest(&self) -> Option<(&Snapshot, Time)> {
        let latest = self.latest.as_ref();
        latest.map(|latest| (&*latest.snapshot, latest.at))
    }

    /// No more requests; one in flight is dropped.
    pub(super) fn switch_off(&mut self, turn: &mut Turn<'_>) {
        if let State::Fetching { fetch, .. } | State::Superseded { fetch, .. } = self.state {
            turn.act(Action::CancelFetch { fetch });
        }
        self.state = State::Off;
        self.series.forget();
        self.owed_at = None;
    }

    /// Evidence: only a fetch that starts from now on answers it. It is unconditional, and as soon
    /// as may be: when nothing forbids it, before this turn ends.
    pub(super) fn ask(&mut self, turn: &Turn<'_>) {
        match self.state {
            State::Off => {}
            State::Waiting { not_before, .. } => {
                self.state = State::Waiting {
                    at: not_before,
                    not_before,
                    next: Purpose::Evidence,
                };
            }
            _ if self.asks_everything_now(turn) => {}
            State::Fetching {
                fetch, started_at, ..
            }
            | State::Superseded { fetch, started_at } => {
                self.state = State::Superseded { fetch, started_at };
            }
        }
    }

    /// A webhook: something of the app changed, and may not be there to be seen yet.
    pub(super) fn on_webhook(&mut self, turn: &Turn<'_>) {
        match self.state {
            State::Off => {}
            State::Waiting { .. } | State::Fetching { .. } | State::Superseded { .. } => {
                let due = self.series.on_webhook(turn.now);
                self.ask_for_series(turn, due);
            }
        }
    }

    fn ask_for_series(&mut self, turn: &Turn<'_>, due: Due) {
        match due {
            Due::First => self.ask(turn),
            Due::Again if self.affords_bursts() => self.ask(turn),
            Due::Again | Due::Nothing => {}
        }
    }

    /// Evidence of a dying credential: its successor may come late, so the fetch is followed by a
    /// burst.
    pub(super) fn ask_often(&mut self, turn: &mut Turn<'_>) {
        if self.affords_bursts() {
            self.begin_burst(turn);
            self.ask(turn);
        } else {
            self.ask_once(turn);
        }
    }

    /// The last answer was unusable where it matters: a burst from here, without another fetch
    /// right now.
    pub(super) fn look_often(&mut self, turn: &mut Turn<'_>) {
        let begun = self.begin_burst(turn);
        if let (Begun::Now, Some(not_before)) = (begun, self.next_poll()) {
            self.poll_later(turn, not_before);
        }
    }

    /// There are values to start on.
    pub(super) fn has_started(&mut self) {
        self.first = First::Had;
    }

    fn affords_bursts(&self) -> bool {
        self.first == First::Awaited || self.budget.affords_bursts()
    }

    /// A change was found: a burst is over, and the next need not wait for its turn.
    pub(super) fn found_change(&mut self, turn: &mut Turn<'_>) {
        let before = std::mem::replace(&mut self.burst, Burst::Ready);
        if let (Burst::Running { .. }, Some(not_before)) = (before, self.next_poll()) {
            self.poll_later(turn, not_before);
        }
    }

    /// What the end of a request tells of the account.
    pub(super) fn on_budget(&mut self, turn: &mut Turn<'_>, fetch: FetchId, left: Option<u32>) {
        let is_awaited = match self.state {
            State::Fetching { fetch: current, .. } | State::Superseded { fetch: current, .. } => {
                current == fetch
            }
            State::Off | State::Waiting { .. } => false,
        };
        if !is_awaited {
            return;
        }
        if let (Some(left), Watching::Every(interval)) = (left, turn.config.watching) {
            self.budget.hear(turn, left, interval);
        }
        if let (Burst::Running { since, .. }, false) = (&self.burst, self.affords_bursts()) {
            self.burst = Burst::Spent { since: *since };
        }
    }

    /// The end of a request; `None` when nobody waits for it any more.
    pub(super) fn on_fetched(
        &mut self,
        turn: &mut Turn<'_>,
        fetch: FetchId,
        outcome: FetchOutcome,
        running: Option<Child>,
        desired: Option<&Desired>,
    ) -> Option<Answer> {
        let (started_at, again) = match self.state {
            State::Fetching {
                fetch: current,
                started_at,
                ..
            } if current == fetch => (started_at, false),
            State::Superseded {
                fetch: current,
                started_at,
            } if current == fetch => (started_at, true),
            State::Off
            | State::Waiting { .. }
            | State::Fetching { .. }
            | State::Superseded { .. } => return None,
        };
        let result = self.read(turn.now, outcome);
        let not_before = match &result {
            Ok(_) => turn.now,
            Err(failure) => turn.now + failure.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX),
        };
        self.token = self.token.after(&result);
        match &result {
            Ok(_) => self.api.answered(turn),
            // Without a token at the start it is over: the end of the start tells of it.
            Err(failure) if failure.kind == FailureKind::NoToken && desired.is_none() => {}
            Err(failure) => self.api.failed(turn, failure, running),
        }
        if again {
            self.state = State::Waiting {
                at: not_before,
                not_before,
                next: Purpose::Evidence,
            };
        } else {
            self.poll_later(turn, not_before);
        }
        Some(Answer { started_at, result })
    }

    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>) {
        let due = self.series.on_deadline(turn.now);
        self.ask_for_series(turn, due);
        if self.owed_at.take_if(|at| *at <= turn.now).is_some() {
            self.ask(turn);
        }
        if self.own_deadline().is_none_or(|at| at > turn.now) {
            return;
        }
        match self.state {
            State::Waiting { next, .. } => self.look(turn, next),
            State::Superseded { fetch, .. } => {
                turn.act(Action::CancelFetch { fetch });
                self.fetch(turn, None);
            }
            State::Off | State::Fetching { .. } => {}
        }
    }

    fn look(&mut self, turn: &mut Turn<'_>, next: Purpose) {
        let tag = self.latest.as_ref().and_then(|latest| latest.etag.clone());
        let calm = matches!(self.burst, Burst::Ready | Burst::Spent { .. });
        let routine = next == Purpose::Poll && calm && self.api.failures() == 0;
        let unless = tag.filter(|_| routine && self.conditional_polls + 1 < UNCONDITIONAL_EVERY);
        self.fetch(turn, unless);
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let all = [self.own_deadline(), self.series.deadline(), self.owed_at];
        all.into_iter().flatten().min()
    }

    fn own_deadline(&self) -> Option<Time> {
        match self.state {
            State::Waiting { at, .. } => Some(at),
            State::Superseded { started_at, .. } => Some(started_at + STALE_AFTER),
            State::Off | State::Fetching { .. } => None,
        }
    }

    fn fetch(&mut self, turn: &mut Turn<'_>, unless: Option<ETag>) {
        self.conditional_polls = if unless.is_some() {
            self.conditional_polls + 1
        } else {
            0
        };
        if unless.is_none() {
            self.owed_at = None;
        }
        let fetch = turn.ids.fetch();
        self.asked_at = Some(turn.now);
        self.state = State::Fetching {
            fetch,
            started_at: turn.now,
            purpose: if unless.is_some() {
                Purpose::Poll
            } else {
                Purpose::Evidence
            },
        };
        turn.act(Action::Fetch { fetch, unless });
    }

    fn read(&mut self, now: Time, outcome: FetchOutcome) -> Result<Arc<Snapshot>, FetchFailure> {
        match outcome {
            FetchOutcome::Snapshot { snapshot, etag } => {
                self.latest = Some(Latest {
                    snapshot: snapshot.clone(),
                    etag,
                    at: now,
                });
                Ok(snapshot)
            }
            FetchOutcome::NotModified => match &mut self.latest {
                Some(latest) => {
                    latest.at = now;
                    Ok(latest.snapshot.clone())
                }
                None => Err(FetchFailure::unavailable("304 without a question")),
            },
            FetchOutcome::Failed(failure) => Err(failure),
        }
    }

    /// When the next request may be made at the earliest, if it is but a look: one that answers
    /// evidence is not put off.
    fn next_poll(&self) -> Option<Time> {
        match self.state {
            State::Waiting {
                next: Purpose::Poll,
                not_before,
                ..
            } => Some(not_before),
            State::Waiting {
                next: Purpose::Evidence,
                ..
            }
            | State::Off
            | State::Fetching { .. }
            | State::Superseded { .. } => None,
        }
    }

    fn poll_later(&mut self, turn: &mut Turn<'_>, not_before: Time) {
        self.state = State::Waiting {
            at: self.next_at(turn).max(not_before),
            not_before,
            next: Purpose::Poll,
        };
    }

    /// How soon a failed request is made again: later where the account is as good as used up.
    fn retry_pause(&self, failures: u32) -> Duration {
        let pause = backoff(failures, Duration::from_secs(1), BACKOFF_MAX);
        if self.affords_bursts() {
            pause
        } else {
            BACKOFF_MAX
        }
    }

    fn next_at(&mut self, turn: &mut Turn<'_>) -> Time {
        if let Some(at) = self.burst.next(turn) {
            return at;
        }
        let pause = match (self.api.failures(), turn.config.watching) {
            (0, Watching::Every(interval)) => self.budget.pause(interval),
            (0, Watching::Once) => Duration::from_secs(60),
            (failures, _) => self.retry_pause(failures),
        };
        turn.now + turn.rng.jittered(pause)
    }
}
