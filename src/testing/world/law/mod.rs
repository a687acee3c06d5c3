//! What must hold, whatever happens: the world's own account of a supervisor's life, kept from the
//! events that it was given and the actions that it took.
//!
//! After every step the account is compared with the step. A breach is a sentence; the world adds
//! the seed and the story.

mod account;
mod actions;
mod aftermath;
mod answers;
mod beside;
mod cache;
mod child;
mod connection;
mod crash;
mod end;
mod ends;
mod env_file;
mod fallback;
mod hold;
mod inquiry;
mod ledger;
mod lists;
mod notices;
mod progress;
mod readiness;
mod report;
mod requests;
mod signals;
mod spare;
mod trial;
mod unusable;
mod verbs;
mod watchdog;
mod webhooks;

use crate::supervisor::config::{Config, Fallback as Choice, LeftoverPolicy, Watching};
use crate::supervisor::event::{Event, SpawnError};
use crate::supervisor::id::InstanceId;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};

use super::bounds::{LOGIN_RETRY, SLACK};
use super::values::{Values, Watch};
use beside::Beside;
use cache::Cache;
use child::Child;
use connection::Connection;
use crash::Crashes;
use end::{End, Heard, Why, start_failed};
use env_file::File;
use fallback::{Borrowed, Fallback};
use inquiry::Inquiry;
use ledger::{Adopts, Guard, Ledger};
use notices::Api;
use report::Told;
use requests::Requests;
use signals::Job;
use spare::{PutOff, Spared};
use trial::Rules;
use unusable::Unusable;

/// One supervisor's account.
#[derive(Debug)]
pub(super) struct Law {
    config: Config,
    watch: Watch,
    ledger: Ledger,
    requests: Requests,
    api: Api,
    unusable: Unusable,
    heard: Heard,
    launch: Launch,
    /// The one that serves, or is to be replaced.
    child: Option<Child>,
    beside: Beside,
    /// When the child before this one ended.
    last_end: Option<Time>,
    inquiry: Inquiry,
    fallback: Fallback,
    /// What is run with, while Heroku has not said it.
    borrowed: Option<Borrowed>,
    cache: Cache,
    crashes: Crashes,
    connection: Connection,
    /// The job control signal by which it must stop itself in this very step.
    owed_stop: Option<Signal>,
    /// The answer to a command that this very step owes.
    owed_reply: Option<verbs::Owed>,
    /// A person holds changes back since then.
    held_since: Option<Time>,
    watched: Option<hold::Watched>,
    /// The child that ended in this step, while something was held back from it.
    overruled: Option<InstanceId>,
    /// When children were replaced for a failover, or will be.
    failovers: Vec<Time>,
    job: Job,
    end: Option<End>,
    over: Option<Time>,
    env_file: File,
    spared: Option<Spared>,
    put_off: Option<PutOff>,
    /// What the service manager knows.
    told: Told,
    /// The answer of this step proves a change: the core must say so.
    adopts: Adopts,
}

/// The child that does not live yet.
#[derive(Clone, Copy, Debug)]
enum Launch {
    None,
    Preparing(Planned),
    Prepared(Planned),
    Spawning(Planned),
    /// It could not be started.
    Failed {
        at: Time,
        failures: u32,
        revision: u32,
        /// The longest pause before the next try.
        longest: Duration,
    },
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    instance: InstanceId,
    values: Values,
    revision: u32,
    failures: u32,
    /// Another lives, and goes on living while this one is spawned.
    beside: bool,
}

impl Law {
    pub(super) fn new(config: Config, watch: Watch) -> Self {
        let fallback = match config.fallback {
            Choice::Inherited(_) | Choice::Cached { .. } => Fallback::Ready,
            Choice::None => Fallback::None,
        };
        let rules = Rules {
            policy: config.check_login,
            timeout: config.check_login_timeout,
            interval: match config.watching {
                Watching::Every(interval) => interval,
                Watching::Once => LOGIN_RETRY,
            },
        };
        Self {
            ledger: Ledger::new(watch, config.debounce, config.splay, rules),
            requests: Requests::new(config.watching),
            crashes: Crashes::new(config.crash.clone()),
            connection: Connection::new(),
            config,
            watch,
            api: Api::new(),
            unusable: Unusable::new(),
            heard: Heard::Nothing,
            launch: Launch::None,
            child: None,
            beside: Beside::None,
            last_end: None,
            inquiry: Inquiry::None,
            fallback,
            borrowed: None,
            cache: Cache::new(),
            owed_stop: None,
            owed_reply: None,
            held_since: None,
            watched: None,
            overruled: None,
            failovers: Vec::new(),
            job: Job::Runs,
            end: None,
            over: None,
            env_file: File::None,
            spared: None,
            put_off: None,
            told: Told::Starting(None),
            adopts: Adopts::No,
        }
    }

    /// What a healthy life looks like: one child, on these values, and nothing else planned.
    pub(super) fn settled_on(&self) -> Option<Values> {
        let child = self
            .child
            .as_ref()
            .filter(|child| child.lives() && !child.is_told() && child.suits(child.values))?;
        let alone = self.beside.newcomes_with().is_none();
        (self.end.is_none()
            && self.held_since.is_none()
            && alone
            && matches!(self.launch, Launch::None))
        .then_some(child.values)
    }

    /// What the newest child is known to work with.
    pub(super) fn works_with(&self) -> Option<Values> {
        self.child.as_ref().map(|child| child.values)
    }

    /// Whether the core waits for the end of this preparation, or of this spawn.
    pub(super) fn awaits(&self, event: &Event) -> bool {
        match (event, self.launch) {
            (Event::Prepared { instance }, Launch::Preparing(planned))
            | (Event::Spawned { instance, .. }, Launch::Spawning(planned))
            | (
                Event::SpawnFailed { instance, .. },
                Launch::Preparing(planned) | Launch::Spawning(planned),
            ) => planned.instance == *instance,
            (
                Event::Prepared { .. }
                | Event::Spawned { .. }
                | Event::SpawnFailed { .. }
                | Event::Fetched { .. }
                | Event::LoginChecked { .. }
                | Event::Connection { .. }
                | Event::Said { .. }
                | Event::Exited { .. }
                | Event::TreeEmpty { .. }
                | Event::TreeListed { .. }
                | Event::Stopped { .. }
                | Event::Continued { .. }
                | Event::CacheRead { .. }
                | Event::CacheWritten { .. }
                | Event::Signal { .. }
                | Event::Command { .. }
                | Event::Resumed
                | Event::Webhook
                | Event::Wake,
                _,
            ) => false,
        }
    }

    /// What an event means, before the core answers it. `said`: the watched values and the tag of a
    /// good answer.
    pub(super) fn hear(
        &mut self,
        now: Time,
        event: &Event,
        said: Option<(Values, u32)>,
    ) -> Result<(), String> {
        match event {
            Event::Fetched {
                fetch,
                outcome,
                left,
            } => self.answered(now, (*fetch, *left), outcome, said),
            Event::LoginChecked { login, outcome } => self.login_checked(now, *login, outcome),
            Event::Connection { connection, news } => {
                self.connection_news(now, *connection, news);
            }
            Event::Prepared { instance } => {
                if let Launch::Preparing(planned) = self.launch
                    && planned.instance == *instance
                {
                    self.prepared(planned);
                }
            }
            Event::Spawned { instance, .. } => self.spawned(now, *instance)?,
            Event::SpawnFailed { instance, error } => {
                if let Some(why) = self
                    .start_failed(now, *instance, error)
                    .then(|| start_failed(error))
                {
                    self.begin_end(now, why);
                }
            }
            Event::Exited {
                instance,
                ended,
                leftovers,
            } => {
                self.exited(now, *instance, *ended, *leftovers);
            }
            Event::TreeEmpty { instance } => {
                let child = self.child_mut(*instance);
                if let Some(child) = child.filter(|child| child.ended.is_some()) {
                    child.gone.get_or_insert(now);
                }
            }
            Event::TreeListed { instance, alive } => self.listed(now, *instance, alive),
            Event::Said { instance, word } => self.said(now, *instance, word),
            Event::Stopped { instance } => self.suspended(*instance, true),
            Event::Continued { instance } => self.continued(now, *instance),
            Event::CacheRead { read, outcome } => self.cache_read(now, *read, outcome),
            Event::CacheWritten { write, result } => self.cache.written(*write, result),
            Event::Signal { signal, origin } => self.signal(now, *signal, *origin),
            Event::Resumed => self.evidence(now),
            Event::Webhook => self.webhook(now),
            Event::Command { reply, verb } => self.command(now, *reply, *verb),
            Event::Wake => {}
        }
        self.fall_due(now);
        Ok(())
    }

    /// What comes with time alone.
    fn fall_due(&mut self, now: Time) {
        if self.config.start_timeout <= now.since(Time::ZERO)
            && self.ledger.proven().is_none()
            && self.end.is_none()
            && self.start_times_out()
        {
            self.begin_end(now, self.heard.timeout());
        }
        self.fallback_times_out(now);
        self.watched_login_times_out(now);
        if self.end.is_none() && self.adopts == Adopts::No {
            self.adopts = self.ledger.times_out(now, self.guard());
        }
        if self.end.is_none() && self.ledger.confirmation_due(now) {
            self.requests.confirm(now, self.is_off());
        }
        let timeout = self.config.start_timeout;
        let looks = self.inquiry.looks_once_more(now, timeout) && self.adopts == Adopts::No;
        if looks && !self.requests.affords_bursts() {
            self.dying(now);
        }
        if self.end.is_none() && !self.is_off() {
            self.requests.webhooks_due(now);
        }
    }

    /// What must be true once the core has answered. `stuck`: KILL does not help the child at once.
    pub(super) fn check(
        &mut self,
        now: Time,
        deadline: Option<Time>,
        stuck: bool,
    ) -> Result<(), String> {
        if self.adopts == Adopts::Now {
            return Err("a proven change was not taken".to_owned());
        }
        self.api.check()?;
        self.unusable.check()?;
        self.requests.account.check()?;
        self.check_stop()?;
        self.check_reply()?;
        if self.over.is_some() {
            return Ok(());
        }
        self.check_cache()?;
        if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
            return Err(format!(
                "the deadline {deadline} is not in the future: it spins"
            ));
        }
        if let Some(child) = &self.child {
            child.check(now, &self.config)?;
        }
        self.check_beside(now)?;
        self.check_connection(now)?;
        self.check_reports(now)?;
        if let Some(end) = &self.end {
            self.requests.check_silence()?;
            return end.check(now, self.config.stop.timeout(), stuck);
        }
        self.spares_no_more();
        self.ledger.check(now, self.guard())?;
        self.check_fallback()?;
        self.check_hold(now)?;
        self.forgets_watch();
        if !self.is_off() {
            self.requests.check(now)?;
        }
        self.inquiry.check(now, self.config.start_timeout)?;
        self.check_progress(now)
    }

    fn spawned(&mut self, now: Time, instance: InstanceId) -> Result<(), String> {
        match self.launch {
            Launch::Spawning(planned) if planned.instance == instance => {
                (self.launch, self.put_off) = (Launch::None, None);
                self.born(now, planned)
            }
            Launch::Spawning(_)
            | Launch::None
            | Launch::Preparing(_)
            | Launch::Prepared(_)
            | Launch::Failed { .. } => Ok(()),
        }
    }

    /// A start that failed; whether that is the end. A child that is only told of changes needs no
    /// program, and neither does one that has these values already.
    fn start_failed(&mut self, now: Time, instance: InstanceId, error: &SpawnError) -> bool {
        let (Launch::Preparing(planned) | Launch::Spawning(planned)) = self.launch else {
            return false;
        };
        if planned.instance != instance {
            return false;
        }
        if self.needs_no_start(planned, error) {
            self.prepared(planned);
            return false;
        }
        self.launch = Launch::Failed {
            at: now,
            failures: planned.failures + 1,
            // One that was asked for before the newest counts all the same.
            revision: self.ledger.revision(),
            longest: self.config.crash.backoff.max,
        };
        self.child.is_none() && self.last_end.is_none()
    }

    /// Nothing more is started. A person's wish wins over `--on-change exit`.
    fn begin_end(&mut self, now: Time, why: Why) {
        match &mut self.end {
            Some(end) if end.why == Why::Change => {
                if let Why::Asked | Why::AskedWithoutChild(_) = why {
                    end.why = Why::ChildsOwn;
                }
            }
            Some(_) => {}
            None => self.end = Some(End::new(now, why)),
        }
        self.inquiry = Inquiry::None;
        self.crashes.drop_pause();
        self.adopts = Adopts::No;
        self.beside.unwanted();
        if !matches!(self.launch, Launch::Spawning(_)) {
            self.launch = Launch::None;
        }
    }

    fn webhook(&mut self, now: Time) {
        if self.end.is_none() && !self.is_off() {
            self.requests.webhook(now);
        }
    }

    fn evidence(&mut self, now: Time) {
        if self.end.is_none() && !self.is_off() {
            self.requests.evidence_now(now);
        }
    }

    /// Whether Heroku is not asked any more.
    fn is_off(&self) -> bool {
        self.config.watching == Watching::Once && self.ledger.proven().is_some()
    }

    /// Whether the newest child needs no successor but for its own end.
    pub(super) fn suits_proven(&self) -> bool {
        let proven = self.ledger.proven().zip(self.child.as_ref());
        proven.is_some_and(|(proven, child)| child.suits(proven))
    }

    fn guard(&self) -> Guard {
        match &self.child {
            Some(child) if child.lives() && !child.is_told() => Guard::Up(child.values),
            Some(_) | None => Guard::Down,
        }
    }

    fn is_interrupted(&self, child: &Child, now: Time) -> bool {
        let grace = self.config.stop.timeout();
        child.interrupted.is_some_and(|at| now < at + grace + SLACK)
    }

    fn sweeps(&self) -> bool {
        self.config.leftovers == LeftoverPolicy::Sweep
    }
}
