//! One host in virtual time: the real core, and around it a Heroku and a database whose story a
//! test tells, a child that does as it is told, and a manager that starts what ends.
//!
//! The world (`changeover::testing::world`) lives lives of all kinds at random; here a test says
//! what happens when, and is told exactly what came of it.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};
use std::sync::Arc;

use changeover::credential::{Fault, Following, RawValue, Secret};
use changeover::supervisor::Supervisor;
use changeover::supervisor::action::Action;
use changeover::supervisor::config::Config;
use changeover::supervisor::event::{
    ETag, Ended, Event, FailureKind, FetchFailure, FetchOutcome, Leftovers, LoginOutcome,
};
use changeover::supervisor::id::{FetchId, InstanceId, LoginId};
use changeover::supervisor::notice::Notice;
use changeover::supervisor::signal::Signal;
use changeover::supervisor::time::{Duration, Time};
use changeover::testing::seen::Seen;
use changeover::testing::world::Dice;

mod law;

use law::Law;

/// The manager starts a supervisor that ended again after this.
pub(crate) const MANAGER: Duration = Duration::from_secs(10);
/// What an answer takes, and what a login does.
const ANSWER: Duration = Duration::from_millis(200);
const LOGIN: Duration = Duration::from_millis(50);
/// "a request has 10 s in all"
const REQUEST: Duration = Duration::from_secs(10);
/// A program whose credential is refused fails so soon.
const FAILS: Duration = Duration::from_secs(1);
/// So much of the story is told when a law is broken.
const STORY_LINES_MAX: usize = 60;
const ACCOUNT_LEFT: u32 = 4400;

/// What requests meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// The truth.
    Fine,
    /// All of them a fault.
    Fault(Seen),
    /// One in two an old answer; `relabelled`: under the newest tag.
    Replica {
        /// The tag is the newest one's.
        relabelled: bool,
    },
}

/// See the module.
pub(crate) struct Stage {
    name: String,
    pub(crate) now: Time,
    config: Config,
    host: Option<Host>,
    agenda: BinaryHeap<Reverse<(Time, u64)>>,
    due: BTreeMap<u64, Due>,
    next: u64,
    pub(crate) dice: Dice,
    weather: Weather,
    /// The newest version, what is shown, and what a replica that lags behind still shows.
    newest: u32,
    shown: u32,
    old: u32,
    /// Older versions are refused by the database.
    accepts_from: u32,
    /// How long a child takes to stop.
    pub(crate) drain: Duration,
    /// When requests were made.
    pub(crate) requests: Vec<Time>,
    /// What was told, and when.
    pub(crate) notices: Vec<(Time, Notice)>,
    /// Children, by the time of their start.
    pub(crate) starts: Vec<(Time, u32)>,
    story: VecDeque<(Time, Told)>,
}

/// A line of the story, if it has to be told.
enum Told {
    Stage(String),
    Event(Event),
    Action(Action),
}

/// A supervisor, and what it has started.
struct Host {
    core: Supervisor,
    law: Law,
    /// When its clock began; later by each time that it slept.
    started: Time,
    out: Option<FetchId>,
    prepared: Option<u32>,
    child: Option<Child>,
}

/// A child that lives.
#[derive(Clone, Copy)]
struct Child {
    instance: InstanceId,
    version: u32,
}

/// What is going to happen.
enum Due {
    Wake,
    Answer(FetchId, FetchOutcome, Option<u32>),
    Login(LoginId, LoginOutcome),
    Ends(InstanceId, Ended),
    /// The manager's doing.
    Start,
}

impl Stage {
    /// Everything is well, and nothing has happened; `name` is what a failure is called.
    pub(crate) fn new(name: &str, config: Config, seed: u64) -> Self {
        let mut stage = Self {
            name: name.to_owned(),
            now: Time::ZERO,
            config,
            host: None,
            agenda: BinaryHeap::new(),
            due: BTreeMap::new(),
            next: 0,
            dice: Dice::new(seed),
            weather: Weather::Fine,
            newest: 1,
            shown: 1,
            old: 1,
            accepts_from: 1,
            drain: Duration::from_secs(1),
            requests: Vec::new(),
            notices: Vec::new(),
            starts: Vec::new(),
            story: VecDeque::new(),
        };
        stage.plan(Duration::ZERO, Due::Start);
        stage
    }

    /// What requests meet from now on.
    pub(crate) fn weather(&mut self, weather: Weather) {
        self.tell(format!("{weather:?}"));
        self.weather = weather;
    }

    /// A new version is shown; the old one works on.
    pub(crate) fn rotate(&mut self) {
        self.newest += 1;
        self.show();
    }

    /// A new version exists, the old one is refused, and the child finds out; nothing is shown yet.
    pub(crate) fn reset(&mut self) {
        self.newest += 1;
        self.accepts_from = self.newest;
        self.tell(format!("only p{} works", self.newest));
        if let Some(child) = self.child() {
            self.plan(FAILS, Due::Ends(child.instance, Ended::Code(1)));
        }
    }

    /// The newest version is shown.
    pub(crate) fn show(&mut self) {
        (self.old, self.shown) = (self.shown, self.newest);
        self.tell(format!("p{} is shown", self.shown));
    }

    /// The machine sleeps: the core's time stands still, and what is out is lost.
    pub(crate) fn sleep(&mut self, long: Duration) {
        self.tell(format!("the machine sleeps for {long:?}"));
        self.now = self.now + long;
        let ids: Vec<u64> = self.due.keys().copied().collect();
        for id in ids {
            match self.due.get_mut(&id) {
                Some(Due::Answer(_, outcome, left)) => {
                    let broken = FetchFailure::unavailable("connection reset");
                    (*outcome, *left) = (FetchOutcome::Failed(broken), None);
                }
                Some(Due::Wake) | Some(Due::Login(..)) | Some(Due::Ends(..)) | Some(Due::Start)
                | None => {}
            }
        }
        if let Some(host) = &mut self.host {
            host.started = host.started + long;
            self.step(Event::Resumed);
        }
    }

    /// Lets time pass.
    pub(crate) fn run(&mut self, long: Duration) {
        let until = self.now + long;
        self.run_until(until, |_| false);
    }

    /// Lets time pass until something is so; it must be within this time.
    pub(crate) fn run_to(&mut self, within: Duration, what: &str, so: impl Fn(&Self) -> bool) {
        let until = self.now + within;
        self.run_until(until, &so);
        assert!(so(self), "{}", self.broken(&format!("not {what} in time")));
    }

    fn run_until(&mut self, until: Time, so: impl Fn(&Self) -> bool) {
        let is_due = |stage: &Self| {
            let next = stage.agenda.peek();
            next.is_some_and(|Reverse((at, _))| *at <= until)
        };
        while !so(self) && is_due(self) {
            self.turn();
        }
        if !so(self) {
            self.now = until;
        }
    }

    /// Whether a child runs with the newest version, and none is about to end.
    pub(crate) fn has_arrived(&self) -> bool {
        self.child()
            .is_some_and(|child| child.version == self.newest)
    }

    /// The version that the child runs with.
    pub(crate) fn version(&self) -> Option<u32> {
        self.child().map(|child| child.version)
    }

    /// The most requests of any minute.
    pub(crate) fn requests_a_minute(&self) -> usize {
        let minute = Duration::from_secs(60);
        let within = |from: usize| {
            let begin = self.requests[from];
            let of = self.requests[from..].iter();
            of.take_while(|at| at.since(begin) < minute).count()
        };
        (0..self.requests.len()).map(within).max().unwrap_or(0)
    }

    /// How much there is to know about the supervisor's state.
    pub(crate) fn state_size(&self) -> usize {
        let core = self.host.as_ref().map(|host| format!("{:?}", host.core));
        core.map_or(0, |text| text.len())
    }

    fn child(&self) -> Option<Child> {
        self.host.as_ref()?.child
    }

    fn plan(&mut self, after: Duration, due: Due) {
        self.next += 1;
        self.agenda.push(Reverse((self.now + after, self.next)));
        self.due.insert(self.next, due);
    }

    fn turn(&mut self) {
        let Some(Reverse((at, id))) = self.agenda.pop() else {
            panic!("{}", self.broken("nothing will ever happen again"));
        };
        // What was planned before a sleep comes late.
        self.now = self.now.max(at);
        let Some(due) = self.due.remove(&id) else {
            return;
        };
        let event = match due {
            Due::Start => return self.start(),
            Due::Wake => {
                let deadline = self.host.as_ref().and_then(|host| host.core.deadline());
                let is_due = deadline.is_some_and(|deadline| deadline <= self.core_time());
                if !is_due {
                    return;
                }
                Event::Wake
            }
            Due::Answer(fetch, outcome, left) => {
                let Some(host) = &mut self.host else { return };
                if host.out.take_if(|out| *out == fetch).is_none() {
                    return;
                }
                Event::Fetched {
                    fetch,
                    outcome,
                    left,
                }
            }
            Due::Login(login, outcome) => Event::LoginChecked { login, outcome },
            Due::Ends(instance, ended) => {
                let Some(host) = &mut self.host else { return };
                let is_it = |child: &mut Child| child.instance == instance;
                if host.child.take_if(is_it).is_none() {
                    return;
                }
                Event::Exited {
                    instance,
                    ended,
                    leftovers: Leftovers::None,
                }
            }
        };
        self.step(event);
    }

    fn start(&mut self) {
        self.tell("a supervisor starts".to_owned());
        let seed = self.dice.below(u64::MAX);
        self.host = Some(Host {
            core: Supervisor::new(self.config.clone(), seed),
            law: Law::new(),
            started: self.now,
            out: None,
            prepared: None,
            child: None,
        });
        self.step(Event::Wake);
    }

    /// The supervisor's own time.
    fn core_time(&self) -> Time {
        let started = self.host.as_ref().map_or(self.now, |host| host.started);
        Time::from_start(self.now.since(started))
    }

    fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.core_time();
            let Some(host) = &mut self.host else { return };
            host.law.hear(now, &event);
            let told = Told::Event(event.clone());
            let is_wake = matches!(event, Event::Wake);
            let at = if is_wake { now } else { host.core.moment(now) };
            let actions = host.core.step(at, event);
            self.keep(told);
            for action in actions {
                self.keep(Told::Action(action.clone()));
                self.hold(|law| law.act(now, &action));
                events.extend(self.obey(action));
            }
            self.hold(Law::check);
        }
        self.plan_wake();
    }

    fn hold(&mut self, against: impl FnOnce(&mut Law) -> Result<(), String>) {
        let Some(host) = &mut self.host else { return };
        if let Err(what) = against(&mut host.law) {
            panic!("{}", self.broken(&what));
        }
    }

    fn plan_wake(&mut self) {
        let now = self.core_time();
        let deadline = self.host.as_ref().and_then(|host| host.core.deadline());
        if let Some(deadline) = deadline {
            self.plan(deadline.since(now), Due::Wake);
        }
    }

    fn obey(&mut self, action: Action) -> Option<Event> {
        match action {
            Action::Fetch { fetch, unless } => self.ask(fetch, unless.as_ref()),
            Action::CancelFetch { .. } => self.host.as_mut()?.out = None,
            Action::CheckLogin { login, url, .. } => {
                let outcome = if version(url.expose()) < self.accepts_from {
                    let code = "28P01".to_owned();
                    LoginOutcome::Refused { code }
                } else {
                    LoginOutcome::Accepted
                };
                self.plan(LOGIN, Due::Login(login, outcome));
            }
            Action::Prepare {
                instance,
                environment,
            } => {
                let url = environment.get("DATABASE_URL").and_then(|url| url.to_str());
                self.host.as_mut()?.prepared = url.map(version);
                return Some(Event::Prepared { instance });
            }
            Action::Spawn { instance } => return self.spawn(instance),
            Action::Signal {
                instance, signal, ..
            } if signal == Signal::TERM => {
                self.plan(self.drain, Due::Ends(instance, Ended::Code(0)));
            }
            Action::Exit(_) => {
                self.host = None;
                self.plan(MANAGER, Due::Start);
            }
            Action::Announce(notice) => self.notices.push((self.now, notice)),
            Action::WatchConnection { .. }
            | Action::UnwatchConnection { .. }
            | Action::CancelLogin { .. }
            | Action::ProbeReadiness { .. }
            | Action::StopSelf { .. }
            | Action::Signal { .. }
            | Action::Sweep { .. }
            | Action::GiveUp { .. }
            | Action::ListTree { .. }
            | Action::RemoveEnvFile
            | Action::ReadCache { .. }
            | Action::WriteCache { .. }
            | Action::RemoveCache
            | Action::Reply { .. }
            | Action::Report(_) => {}
        }
        None
    }

    fn spawn(&mut self, instance: InstanceId) -> Option<Event> {
        let host = self.host.as_mut()?;
        let version = host.prepared.take()?;
        host.child = Some(Child { instance, version });
        self.starts.push((self.now, version));
        if version < self.accepts_from {
            self.plan(FAILS, Due::Ends(instance, Ended::Code(1)));
        }
        let pid = 100;
        Some(Event::Spawned { instance, pid })
    }

    fn ask(&mut self, fetch: FetchId, unless: Option<&ETag>) {
        self.requests.push(self.now);
        if let Some(host) = &mut self.host {
            host.out = Some(fetch);
        }
        let tag = unless.map(|tag| &*tag.0);
        let (after, outcome) = match self.weather {
            Weather::Fault(seen) => self.fault(seen, tag),
            Weather::Replica { relabelled } if self.dice.one_in(2) => {
                let tag = if relabelled { self.shown } else { self.old };
                (ANSWER, self.answer(Ok(self.old), tag))
            }
            Weather::Fine | Weather::Replica { .. } => (ANSWER, self.truth(tag)),
        };
        let left = match self.weather {
            Weather::Fault(Seen::Limited { .. }) => Some(0),
            Weather::Fault(Seen::Failure(_) | Seen::Silence) => None,
            Weather::Fault(_) | Weather::Fine | Weather::Replica { .. } => Some(ACCOUNT_LEFT),
        };
        self.plan(after, Due::Answer(fetch, outcome, left));
    }

    fn fault(&mut self, seen: Seen, tag: Option<&str>) -> (Duration, FetchOutcome) {
        match seen {
            Seen::Failure(kind) => (ANSWER, failed(kind, None)),
            Seen::Limited { stay_away } => {
                // A day, too: no more than 300 s of it are obeyed.
                let seconds = self.dice.pick(&[1, 60, 300, 86_400]);
                let stay_away = stay_away.then(|| Duration::from_secs(seconds));
                (ANSWER, failed(FailureKind::Unavailable, stay_away))
            }
            Seen::Silence => (REQUEST, failed(FailureKind::Unavailable, None)),
            Seen::Variable(fault) => (ANSWER, self.answer(Err(Some(fault)), u32::MAX)),
            Seen::NoVariables => (ANSWER, self.answer(Err(None), u32::MAX)),
            Seen::Late => (self.dice.ms(1000, 9900), self.truth(tag)),
            Seen::FalseNotModified if tag.is_some() => (ANSWER, FetchOutcome::NotModified),
            Seen::FalseNotModified => (ANSWER, self.truth(None)),
        }
    }

    fn truth(&self, tag: Option<&str>) -> FetchOutcome {
        if tag == Some(&self.shown.to_string()) {
            return FetchOutcome::NotModified;
        }
        self.answer(Ok(self.shown), self.shown)
    }

    /// A good answer: with this version, with a variable that has no usable value, or with none.
    fn answer(&self, value: Result<u32, Option<Fault>>, tag: u32) -> FetchOutcome {
        let text = |text: String| Some(RawValue::Text(Secret::new(text)));
        let raw = match value {
            Ok(version) => text(format!("postgres://app:p{version}@db:5432/app")),
            Err(None | Some(Fault::Missing)) => None,
            Err(Some(Fault::Null)) => Some(RawValue::Null),
            Err(Some(Fault::Empty)) => text(String::new()),
            Err(Some(Fault::NotText)) => Some(RawValue::NotText),
            Err(Some(Fault::HasNul)) => text("postgres://app:p\0@db/app".to_owned()),
            Err(Some(Fault::NotAUrl)) => text("postgres:/oops".to_owned()),
        };
        let named = raw.map(|raw| ("DATABASE_URL".to_owned(), raw));
        let values = named.into_iter().collect::<BTreeMap<_, _>>();
        let selection = &self.config.environment.selection;
        FetchOutcome::Snapshot {
            snapshot: Arc::new(selection.snapshot(values, &Following::default())),
            etag: Some(ETag(tag.to_string().into())),
        }
    }

    fn tell(&mut self, line: String) {
        self.keep(Told::Stage(line));
    }

    fn keep(&mut self, told: Told) {
        if self.story.len() == STORY_LINES_MAX {
            self.story.pop_front();
        }
        self.story.push_back((self.now, told));
    }

    fn broken(&self, what: &str) -> String {
        let lines = self.story.iter().map(|(at, told)| match told {
            Told::Stage(line) => format!("{at} -- {line}"),
            Told::Event(event) => format!("{at} {event:?}"),
            Told::Action(action) => format!("{at}     {action:?}"),
        });
        let story: Vec<String> = lines.collect();
        format!(
            "{}: {what}, at {}\n{}",
            self.name,
            self.now,
            story.join("\n")
        )
    }
}

fn failed(kind: FailureKind, retry_after: Option<Duration>) -> FetchOutcome {
    FetchOutcome::Failed(FetchFailure {
        kind,
        retry_after,
        ..FetchFailure::unavailable("a fault")
    })
}

/// The version that a URL stands for.
pub(crate) fn version(url: &str) -> u32 {
    let password = url.split([':', '@']).nth(2).unwrap();
    password.trim_start_matches('p').parse().unwrap()
}
