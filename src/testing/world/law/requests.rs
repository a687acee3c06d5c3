//! How often, when and how Heroku may be asked.

use std::collections::VecDeque;

use crate::supervisor::config::Watching;
use crate::supervisor::event::FetchFailure;
use crate::supervisor::id::FetchId;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{
    BACKOFF_MAX, BURST, BURST_PAUSE, CONDITIONAL_MAX, JITTER, PATIENCE_MAX, RECENT, RETRIES_MINUTE,
    RETRY_AFTER_MAX, SCARCE_PAUSE, SLACK, SPREAD, STALE_AFTER,
};
use crate::testing::world::values::Values;

use super::account::Account;
use super::webhooks::Webhooks;

/// Longer than any life.
const NEVER: Duration = Duration::from_secs(1_000_000);
const MINUTE: Duration = Duration::from_secs(60);

/// The requests of one supervisor.
#[derive(Debug)]
pub(super) struct Requests {
    interval: Duration,
    pub(super) account: Account,
    start: Start,
    out: Option<Out>,
    asked: Option<Time>,
    ended: Option<Time>,
    failures: u32,
    not_before: Time,
    /// The oldest evidence that no request answers yet.
    evidence: Option<Evidence>,
    /// When a request was last owed to confirm a change, and for nothing else.
    confirms: Option<Time>,
    conditional: u32,
    latest: Option<(Values, u32)>,
    polls: VecDeque<Time>,
    burst: Option<Burst>,
    pub(super) webhooks: Webhooks,
    /// Somebody was told, while none was out, that the next comes by then.
    promised: Option<Time>,
}

/// Whether there were values to start on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Waits,
    Over(Time),
}

#[derive(Clone, Copy, Debug)]
struct Evidence {
    since: Time,
    /// How long its request may be put off.
    spread: Duration,
    /// How soon it may be made, unless another is due.
    earliest: Time,
}

/// A request that is out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Out {
    pub(super) fetch: FetchId,
    pub(super) since: Time,
    asks: Asks,
}

/// How much a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asks {
    Everything,
    News,
}

#[derive(Clone, Copy, Debug)]
struct Burst {
    since: Time,
    found: Found,
    requests: u32,
    answers: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    Change,
    /// It was cut short: the account has too little left.
    Cut,
}

impl Requests {
    pub(super) fn new(watching: Watching) -> Self {
        let interval = match watching {
            Watching::Every(interval) => interval,
            Watching::Once => MINUTE,
        };
        let paced = match watching {
            Watching::Every(interval) => Some(interval),
            Watching::Once => None,
        };
        Self {
            interval,
            account: Account::new(paced),
            start: Start::Waits,
            out: None,
            asked: None,
            ended: None,
            failures: 0,
            not_before: Time::ZERO,
            evidence: None,
            confirms: None,
            conditional: 0,
            latest: None,
            polls: VecDeque::new(),
            burst: None,
            webhooks: Webhooks::None,
            promised: None,
        }
    }

    /// The request that this answers, if somebody waits for it; `left`: to the account.
    pub(super) fn answered(&mut self, now: Time, fetch: FetchId, left: Option<u32>) -> Option<Out> {
        let out = self.out.take_if(|out| out.fetch == fetch)?;
        self.ended = Some(now);
        self.account.hears(left);
        let affords = self.affords_bursts();
        if let Some(burst) = &mut self.burst {
            burst.answers += 1;
            if burst.found == Found::Nothing && !affords {
                burst.found = Found::Cut;
            }
        }
        Some(out)
    }

    pub(super) fn good(&mut self, now: Time, said: Values, tag: u32) {
        (self.failures, self.not_before) = (0, now);
        self.latest = Some((said, tag));
    }

    pub(super) fn bad(&mut self, now: Time, failure: &FetchFailure) {
        self.failures += 1;
        self.not_before = now + failure.retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    }

    /// What a 304 means.
    pub(super) fn latest(&self) -> Option<(Values, u32)> {
        self.latest
    }

    /// Something that only a request from now on answers.
    pub(super) fn evidence_now(&mut self, now: Time) {
        if !self.asks_everything_now(now) {
            self.evidence(now, Duration::ZERO, now);
        }
    }

    /// Whether the request that is out was made in this very moment, and answers all of it.
    fn asks_everything_now(&self, now: Time) -> bool {
        let answers = |out: Out| out.since == now && out.asks == Asks::Everything;
        self.out.is_some_and(answers)
    }

    /// Evidence of a dying credential: a burst, or one request that a fleet does not make at once.
    pub(super) fn dying(&mut self, now: Time) {
        if self.affords_bursts() {
            self.burst(now);
            self.evidence_now(now);
        } else {
            let pause = self.account.pace(RECENT).min(PATIENCE_MAX);
            let recent = self.asked.filter(|asked| now <= *asked + RECENT);
            let when = recent.map_or(now, |asked| (asked + pause).max(now));
            self.evidence(now, when.since(now) + SPREAD, when);
        }
    }

    fn evidence(&mut self, now: Time, spread: Duration, earliest: Time) {
        let new = Evidence {
            since: now,
            spread,
            earliest,
        };
        let evidence = self.evidence.get_or_insert(new);
        let earliest = earliest.min(evidence.earliest);
        if now + spread < evidence.since + evidence.spread {
            *evidence = new;
        }
        evidence.earliest = earliest;
    }

    /// A child has failed. Yields whether Heroku is not asked: where the account has little left,
    /// and it was within a minute.
    pub(super) fn failed_end(&mut self, now: Time) -> bool {
        let when = self.asked.map_or(now, |asked| asked + SCARCE_PAUSE);
        if self.affords_bursts() || when <= now {
            self.evidence_now(now);
            return false;
        }
        self.evidence(now, when.since(now), when);
        true
    }

    /// Somebody asks for a request: "a few seconds after the last one, and with little left for the
    /// account a minute after it". Yields how long that may take.
    pub(super) fn refresh(&mut self, now: Time) -> Duration {
        let pause = match self.affords_bursts() {
            true => RECENT,
            false => SCARCE_PAUSE,
        };
        let when = self.asked.map_or(now, |asked| (asked + pause).max(now));
        if !self.asks_everything_now(now) {
            self.evidence(now, when.since(now), when);
        }
        when.max(self.not_before).since(now)
    }

    /// What was answered to that is kept, and no request that is due anyway comes sooner.
    pub(super) fn promises(&mut self, now: Time, after: Duration) {
        if self.asks_everything_now(now) {
            return;
        }
        if let Some(evidence) = &mut self.evidence {
            evidence.earliest = evidence.earliest.min(now + after);
            if now + after < evidence.since + evidence.spread {
                (evidence.since, evidence.spread) = (now, after);
            }
        }
        self.promised = self.out.is_none().then_some(now + after);
    }

    /// A reason for a burst; it begins unless one is under way, or the last found nothing.
    pub(super) fn burst(&mut self, now: Time) {
        if !self.affords_bursts() {
            return;
        }
        let spent = |burst: &Burst| match burst.found {
            Found::Change => false,
            Found::Nothing | Found::Cut => now.since(burst.since) < BURST_PAUSE,
        };
        if !self.burst.as_ref().is_some_and(spent) {
            self.promised = None;
            self.burst = Some(Burst {
                since: now,
                found: Found::Nothing,
                requests: 0,
                answers: 0,
            });
        }
    }

    /// A change is to be confirmed by a request.
    pub(super) fn confirm(&mut self, now: Time, is_off: bool) {
        if self.evidence.is_none() {
            self.confirms = Some(now);
        }
        if !is_off {
            self.evidence_now(now);
        }
    }

    /// One that is made in the step in which its confirmation falls due needs none, and may have
    /// one.
    pub(super) fn is_made(&mut self, now: Time) {
        if self.confirms == Some(now) {
            self.excuses(now);
        }
    }

    /// What was found in this very step needs no request, and may have one.
    fn excuses(&mut self, now: Time) {
        if let Some(evidence) = self.evidence.as_mut().filter(|it| it.since == now) {
            evidence.spread = NEVER;
        }
    }

    /// The burst is over, and the next request may come sooner than its next one would have.
    pub(super) fn found_change(&mut self) {
        self.promised = None;
        if let Some(burst) = &mut self.burst {
            burst.found = Found::Change;
        }
    }

    pub(super) fn asks(
        &mut self,
        now: Time,
        fetch: FetchId,
        tag: Option<u32>,
    ) -> Result<(), String> {
        if self.out.is_some() {
            return Err("two requests at once".to_owned());
        }
        if now < self.not_before {
            return Err(format!(
                "a request before {}, the end of Retry-After",
                self.not_before
            ));
        }
        self.conditions(now, tag)?;
        let due = |evidence: &Evidence| now >= evidence.earliest;
        let promised = self.promised.take();
        if !self.evidence.as_ref().is_some_and(due) {
            if let Some(at) = promised.filter(|at| now < *at) {
                return Err(format!(
                    "a poll that was due before {at}, which was promised"
                ));
            }
            self.routine(now)?;
        }
        // What is not due yet is answered, too, by a request that asks for everything.
        self.evidence.take_if(|_| tag.is_none());
        let asks = if tag.is_some() {
            Asks::News
        } else {
            Asks::Everything
        };
        self.asked = Some(now);
        self.out = Some(Out {
            fetch,
            since: now,
            asks,
        });
        Ok(())
    }

    pub(super) fn cancels(&mut self, fetch: FetchId) -> Result<(), String> {
        match self.out.take_if(|out| out.fetch == fetch) {
            Some(_) => Ok(()),
            None => Err(format!("{fetch} is dropped, and is not out")),
        }
    }

    /// Nothing waits too long.
    pub(super) fn check(&self, now: Time) -> Result<(), String> {
        if let Some(evidence) = self.evidence {
            let Evidence { since, spread, .. } = evidence;
            let latest = (since + spread + STALE_AFTER).max(self.not_before) + SLACK;
            if now > latest {
                return Err(format!("the evidence of {since} is not answered"));
            }
        }
        if let (Some(burst), Some(ended), None) = (&self.burst, self.ended, &self.out) {
            let latest = burst.latest(ended, self.interval).max(self.not_before) + SLACK;
            if burst.found == Found::Nothing && now < burst.since + BURST && now > latest {
                return Err(format!("the burst of {} pauses too long", burst.since));
            }
        }
        let pause = self.pace().max(BACKOFF_MAX) * JITTER.1 / 10;
        match (&self.out, self.ended) {
            (None, Some(ended)) if now > (ended + pause).max(self.not_before) + SLACK => {
                Err(format!("nothing was asked since {ended}"))
            }
            (Some(_) | None, _) => Ok(()),
        }
    }

    /// Nothing may be out when nothing will be started any more.
    pub(super) fn check_silence(&self) -> Result<(), String> {
        match self.out {
            Some(out) => Err(format!(
                "{} is still out after the end of watching",
                out.fetch
            )),
            None => Ok(()),
        }
    }

    /// There are values to start on. From now on the account is spared, and a webhook's later
    /// request that falls due in this very step may be left out.
    pub(super) fn has_started(&mut self, now: Time) {
        self.start = Start::Over(now);
        if self.later_falls_due(now) && !self.affords_bursts() {
            self.excuses(now);
        }
    }

    /// What was planned before the first values stays planned.
    fn was_planned(&self, ended: Time) -> bool {
        match self.start {
            Start::Waits => true,
            Start::Over(since) => ended < since,
        }
    }

    /// Before the first values the account is not spared.
    pub(super) fn affords_bursts(&self) -> bool {
        self.start == Start::Waits || self.account.affords_bursts()
    }

    fn pace(&self) -> Duration {
        self.account.pace(self.interval)
    }

    /// `If-None-Match` is for routine polls only, with the newest tag, and not for ever.
    fn conditions(&mut self, now: Time, tag: Option<u32>) -> Result<(), String> {
        if tag.is_none() {
            self.conditional = 0;
            return Ok(());
        }
        self.conditional += 1;
        if tag != self.latest.map(|(_, tag)| tag) {
            return Err("If-None-Match with a tag that is not the newest".to_owned());
        }
        let is_due = |evidence: Evidence| now >= evidence.since + evidence.spread;
        let owed = self.evidence.is_some_and(is_due);
        if owed || self.failures > 0 {
            return Err("If-None-Match where only a full answer helps".to_owned());
        }
        if self.conditional > CONDITIONAL_MAX {
            return Err("the tenth poll in a row with If-None-Match".to_owned());
        }
        Ok(())
    }

    /// A request without evidence keeps its distance.
    fn routine(&mut self, now: Time) -> Result<(), String> {
        let Some(ended) = self.ended else {
            return Ok(());
        };
        let earliest = self.routine_from(ended);
        if now < earliest {
            return Err(format!("a request that is not due before {earliest}"));
        }
        match self.burst_of(ended) {
            None => self.poll(now),
            Some(at) => {
                self.burst = Some(Burst {
                    requests: at.requests + 1,
                    ..at
                });
                Ok(())
            }
        }
    }

    /// The burst that goes on after a request that ended then.
    fn burst_of(&self, ended: Time) -> Option<Burst> {
        let goes_on = |burst: &Burst| burst.found == Found::Nothing && ended < burst.since + BURST;
        self.burst.filter(goes_on)
    }

    /// How soon the next one may be made without evidence.
    fn routine_from(&self, ended: Time) -> Time {
        match self.burst_of(ended) {
            Some(burst) => burst.next(ended, self.interval),
            None if self.failures > 0 => {
                let spares_nothing = self.affords_bursts() || self.was_planned(ended);
                let doubled = match spares_nothing {
                    true => Duration::from_secs(1 << (self.failures - 1).min(9)),
                    false => BACKOFF_MAX,
                };
                ended + doubled.min(BACKOFF_MAX) * JITTER.0 / 10
            }
            None => ended + self.pace() * JITTER.0 / 10,
        }
    }

    /// "requests in any window": polls and retries, those that no evidence and no burst explains.
    fn poll(&mut self, now: Time) -> Result<(), String> {
        self.polls.push_back(now);
        let is_old = |first: &Time| now.since(*first) > MINUTE;
        while self.polls.front().is_some_and(is_old) {
            self.polls.pop_front();
        }
        let shortest = (self.interval * JITTER.0 / 10).as_millis().max(1);
        let regular = usize::try_from(MINUTE.as_millis() / shortest).unwrap_or(usize::MAX);
        if self.polls.len() > regular + RETRIES_MINUTE {
            return Err(format!("{} polls in a minute", self.polls.len()));
        }
        Ok(())
    }
}

impl Burst {
    /// When its next request must be out, if none is.
    fn latest(&self, ended: Time, interval: Duration) -> Time {
        let pause = Duration::from_secs(1 << self.answers.min(6)).min(interval);
        (ended.max(self.since) + pause).min(self.since + BURST)
    }

    /// When its next request is due: after 1, 2, 4 … s, and at its end.
    fn next(&self, ended: Time, interval: Duration) -> Time {
        let pause = Duration::from_secs(1 << self.requests.min(6)).min(interval);
        (ended + pause).min(self.since + BURST)
    }
}
