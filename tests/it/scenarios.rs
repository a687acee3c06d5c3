//! Golden scenarios: each `tests/scenarios/*.txt` tells a story, and what the core does in it,
//! event by event.
//!
//! A line `@+SECONDS EVENT` moves the clock (doing everything that falls due on the way) and hands
//! the event in; `@fetch` stands for "0.1 s after the next request went out". `@late+SECONDS EVENT`
//! moves the clock of a supervisor that does not run meanwhile: it then finds the event, and wakes.
//! ` of PID` at the end of an event names its child, else the newest is meant. The indented lines
//! are what the core did.
//! `UPDATE=1` writes them anew: read the diff.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::Arc;

use changeover::credential::environment::SslPolicy;
use changeover::credential::snapshot::Watched;
use changeover::credential::{
    EnvironmentSpec, Following, Kind, LastGood, RawValue, Reserved, Secret, Selection, Values,
};
use changeover::supervisor::Supervisor;
use changeover::supervisor::action::{Action, Scope};
use changeover::supervisor::command::{Force, Verb};
use changeover::supervisor::config::{
    CheckLogin, Config, ConnectionWatch, CrashPolicy, EnvFile, Fallback, LeftoverPolicy, Mapped,
    OnChange, OnFailover, Order, Restart, RestartLimit, ServiceManager, SignalMap, StopSequence,
    StopStep, Watching,
};
use changeover::supervisor::event::{
    Access, Age, Alive, CacheOutcome, ConnectionNews, ETag, Ended, Event, FailureKind,
    FetchFailure, FetchOutcome, Leftovers, LoginOutcome, Member, Remedy, Server, SpawnError,
};
use changeover::supervisor::id::{CacheId, ConnectionId, FetchId, InstanceId, LoginId, ReplyId};
use changeover::supervisor::notice::Occasion;
use changeover::supervisor::overview::{
    ApiOverview, ChildOverview, FailingOverview, Overview, Pending, RevisionOverview,
};
use changeover::supervisor::readiness::{Readiness, Word};
use changeover::supervisor::signal::{Origin, Signal};
use changeover::supervisor::time::{Duration, Time};
use changeover::testing::world::describe;

#[test]
fn every_story_ends_as_written() {
    let update = std::env::var_os("UPDATE").is_some();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    assert!(paths.len() >= 12, "the scenarios are gone");
    let mut wrong = Vec::new();
    for path in paths {
        let script = std::fs::read_to_string(&path).unwrap();
        let played = play(&script);
        if update {
            std::fs::write(&path, played).unwrap();
        } else if played != script {
            wrong.push(format!(
                "{}:\n{}",
                path.display(),
                difference(&script, &played)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE=1 writes what happens now",
        wrong.join("\n")
    );
}

#[test]
fn the_core_shows_the_kind_of_its_last_change() {
    let mut stage = Stage::new("");
    stage.play("+0 wake");
    stage.play("fetch answer p1");
    assert_eq!(last_change(&stage.core), []);
    for (answer, kind) in [("p2", Kind::Password), ("p2@other", Kind::Failover)] {
        stage.play(&format!("fetch answer {answer}"));
        stage.play(&format!("fetch answer {answer}"));
        let told = ("DATABASE_URL".to_owned(), kind);
        assert_eq!(last_change(&stage.core), [told], "{answer}");
    }
}

#[test]
fn some_notices_are_occasions_for_a_hook() {
    let mut stage = Stage::new("restart=on-failure");
    for (line, expected) in [
        ("+0 wake", &[] as &[&str]),
        ("fetch answer p1", &[]),
        ("fetch fail 503", &["failure"]),
        ("fetch answer p2", &["recovery"]),
        ("fetch answer p2", &["change"]),
        ("+1 exit TERM", &["restart"]),
        ("+1 exit 1", &["failure"]),
        ("fetch answer p2", &[]),
        ("+10 signal TERM", &["restart"]),
        ("+1 exit 0", &[]),
    ] {
        stage.play(line);
        assert_eq!(std::mem::take(&mut stage.occasions), expected, "{line}");
    }
}

fn last_change(core: &Supervisor) -> Vec<(String, Kind)> {
    core.overview().revision.unwrap().changed
}

fn difference(expected: &str, actual: &str) -> String {
    let (expected, actual): (Vec<_>, Vec<_>) =
        (expected.lines().collect(), actual.lines().collect());
    let same = expected
        .iter()
        .zip(&actual)
        .take_while(|(left, right)| left == right)
        .count();
    let show = |lines: &[&str]| {
        lines
            .iter()
            .skip(same.saturating_sub(3))
            .take(9)
            .copied()
            .collect::<Vec<_>>()
            .join("\n")
    };
    format!(
        "expected:\n{}\nhappened:\n{}",
        show(&expected),
        show(&actual)
    )
}

fn play(script: &str) -> String {
    let mut stage: Option<Stage> = None;
    let mut text = String::new();
    for line in script.lines().filter(|line| !line.starts_with("    ")) {
        text += &format!("{line}\n");
        if let Some(settings) = line.strip_prefix("setup") {
            stage = Some(Stage::new(settings));
        } else if let Some(event) = line.strip_prefix('@') {
            let stage = stage.get_or_insert_with(|| Stage::new(""));
            stage.play(event);
            text.push_str(&std::mem::take(&mut stage.log));
        }
    }
    text
}

/// What becomes of preparations and spawns.
#[derive(Clone, Debug)]
enum Starts {
    AtOnce,
    Fail(SpawnError),
    /// `prepared`, `spawned` and `start-fails` say what.
    WhenTold,
}

/// The core, and a world that answers preparations and spawns at once.
struct Stage {
    core: Supervisor,
    selection: Selection,
    now: Time,
    log: String,
    /// What hooks would be run for.
    occasions: Vec<&'static str>,
    fetch: Option<FetchId>,
    logins: VecDeque<LoginId>,
    connection: Option<ConnectionId>,
    looked: Option<CacheId>,
    written: Option<CacheId>,
    live: Option<InstanceId>,
    starts: Starts,
    /// The instance whose start is waited for.
    awaited: Option<InstanceId>,
    over: bool,
}

impl Stage {
    fn new(settings: &str) -> Self {
        let config = config(settings);
        Self {
            selection: config.environment.selection.clone(),
            core: Supervisor::new(config, 1),
            now: Time::ZERO,
            log: String::new(),
            occasions: Vec::new(),
            fetch: None,
            logins: VecDeque::new(),
            connection: None,
            looked: None,
            written: None,
            live: None,
            starts: Starts::AtOnce,
            awaited: None,
            over: false,
        }
    }

    fn play(&mut self, line: &str) {
        let (time, event) = line.split_once(' ').expect("@TIME EVENT");
        if let Some(late) = time.strip_prefix("late+") {
            let event = self.event(event);
            let now = self.now + seconds(late);
            self.now = self.core.moment(now);
            self.step(event);
            self.now = now;
            self.step(Event::Wake);
            return;
        }
        if time == "fetch" {
            while self.fetch.is_none() {
                let next = self.core.deadline().expect("a request is still to come");
                self.advance_to(next);
            }
            self.advance_to(self.now + Duration::from_millis(100));
        } else if time == "login" {
            while self.logins.is_empty() {
                let next = self.core.deadline().expect("a login is still to come");
                self.advance_to(next);
            }
            self.advance_to(self.now + Duration::from_millis(50));
        } else {
            self.advance_to(self.now + seconds(time.strip_prefix('+').expect("@+SECONDS")));
        }
        if let Some(how) = event.strip_prefix("starts-") {
            self.starts = match how.strip_prefix("fail ") {
                None => Starts::WhenTold,
                Some("no-more") => Starts::AtOnce,
                Some(error) => Starts::Fail(spawn_error(error)),
            };
            return;
        }
        if event == "look" {
            self.log += &seen(&self.core.overview());
            return;
        }
        let event = self.event(event);
        self.step(event);
    }

    fn advance_to(&mut self, until: Time) {
        while let Some(deadline) = self
            .core
            .deadline()
            .filter(|deadline| *deadline <= until && !self.over)
        {
            self.now = self.now.max(deadline);
            self.step(Event::Wake);
        }
        self.now = until;
    }

    fn step(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.core.step(self.now, event) {
                self.write(&action);
                events.extend(self.obey(&action));
            }
            let late = self
                .core
                .deadline()
                .filter(|deadline| *deadline <= self.now && events.is_empty());
            assert!(
                late.is_none() || self.over,
                "deadline {late:?} is not after {}",
                self.now
            );
        }
    }

    fn obey(&mut self, action: &Action) -> Option<Event> {
        match *action {
            Action::Fetch { fetch, .. } => self.fetch = Some(fetch),
            Action::CancelFetch { .. } => self.fetch = None,
            Action::CheckLogin { login, .. } => self.logins.push_back(login),
            Action::CancelLogin { login } => self.logins.retain(|open| *open != login),
            Action::WatchConnection { connection, .. } => self.connection = Some(connection),
            Action::UnwatchConnection { .. } => self.connection = None,
            Action::Prepare { instance, .. } => {
                self.awaited = Some(instance);
                return match self.starts.clone() {
                    Starts::AtOnce => Some(Event::Prepared { instance }),
                    Starts::Fail(error) => Some(Event::SpawnFailed { instance, error }),
                    Starts::WhenTold => None,
                };
            }
            Action::Spawn { instance } => {
                self.awaited = Some(instance);
                return match self.starts {
                    Starts::AtOnce | Starts::Fail(_) => Some(self.spawned(instance)),
                    Starts::WhenTold => None,
                };
            }
            Action::ReadCache { read } => self.looked = Some(read),
            Action::WriteCache { write, .. } => self.written = Some(write),
            Action::Exit(_) => self.over = true,
            Action::ProbeReadiness { .. }
            | Action::Signal { .. }
            | Action::StopSelf { .. }
            | Action::Sweep { .. }
            | Action::GiveUp { .. }
            | Action::ListTree { .. }
            | Action::RemoveEnvFile
            | Action::Report(_)
            | Action::Reply { .. }
            | Action::RemoveCache
            | Action::Announce(_) => {}
        }
        None
    }

    fn write(&mut self, action: &Action) {
        let what = describe(action);
        if let Action::Announce(notice) = action {
            let occasion = notice.occasion().map(Occasion::name);
            self.occasions.extend(occasion);
        }
        self.log += &format!("    {:>8} {what}\n", self.now.to_string());
    }

    fn event(&mut self, text: &str) -> Event {
        let (text, pid) = text.split_once(" of ").unwrap_or((text, ""));
        let named = pid.parse().map(|pid: u32| InstanceId(pid - 100));
        let child = || named.ok().or(self.live).expect("a child lives");
        let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
        if let Some(word) = word(verb, rest) {
            let instance = child();
            return Event::Said { instance, word };
        }
        if let Some(event) = bare(verb) {
            return event;
        }
        match verb {
            "answer" | "fail" => self.fetched(verb, rest),
            "cache" | "kept" | "not-kept" => self.of_cache(verb, rest),
            "login" => Event::LoginChecked {
                login: self.logins.pop_front().expect("a login is open"),
                outcome: login(rest),
            },
            "connection" => Event::Connection {
                connection: self.connection.expect("a connection is watched"),
                news: connection(rest),
            },
            "exit" => {
                let instance = child();
                let (how, leftovers) = match rest.strip_suffix(" leaving some") {
                    Some(how) => (how, Leftovers::Some),
                    None => (rest, Leftovers::None),
                };
                let ended = how
                    .parse()
                    .map_or_else(|_| Ended::Signal(signal(how)), Ended::Code);
                Event::Exited {
                    instance,
                    ended,
                    leftovers,
                }
            }
            "listed" => Event::TreeListed {
                instance: child(),
                alive: alive(rest),
            },
            "tree-empty" => Event::TreeEmpty { instance: child() },
            "prepared" | "spawned" | "start-fails" => self.of_start(verb, rest),
            "suspended" => Event::Stopped { instance: child() },
            "continued" => Event::Continued { instance: child() },
            "signal" => signal_event(rest),
            "command" => Event::Command {
                reply: ReplyId(1),
                verb: command(rest),
            },
            other => panic!("no such event: {other}"),
        }
    }

    fn of_start(&mut self, verb: &str, rest: &str) -> Event {
        let instance = self.awaited.expect("a start is awaited");
        match verb {
            "prepared" => Event::Prepared { instance },
            "spawned" => self.spawned(instance),
            _ => Event::SpawnFailed {
                instance,
                error: spawn_error(rest),
            },
        }
    }

    fn of_cache(&self, verb: &str, rest: &str) -> Event {
        if verb == "cache" {
            let read = self.looked.expect("the cache was looked into");
            let outcome = cached(rest);
            return Event::CacheRead { read, outcome };
        }
        let write = self.written.expect("the cache was written");
        let result = match verb {
            "kept" => Ok(()),
            _ => Err("the cache cannot be written: the disk is full".to_owned()),
        };
        Event::CacheWritten { write, result }
    }

    fn spawned(&mut self, instance: InstanceId) -> Event {
        self.live = Some(instance);
        let pid = 100 + instance.0;
        Event::Spawned { instance, pid }
    }

    /// ` left N` at the end is what the account has left.
    fn fetched(&mut self, verb: &str, rest: &str) -> Event {
        let (said, left) = rest.split_once(" left ").unwrap_or((rest, ""));
        let outcome = match verb {
            "answer" => answer(said, &self.selection),
            _ => FetchOutcome::Failed(failure(said)),
        };
        let fetch = self.fetch.take().expect("a fetch is open");
        Event::Fetched {
            fetch,
            outcome,
            left: left.parse().ok(),
        }
    }
}

/// What a child says of itself.
fn word(verb: &str, rest: &str) -> Option<Word> {
    match verb {
        "ready" => Some(Word::Ready),
        "alive" => Some(Word::Alive),
        "trips" => Some(Word::Trip),
        "not-yet" => Some(Word::NotYet(rest.to_owned())),
        "is-silent" => Some(Word::Silent(rest.to_owned())),
        "needs" => Some(Word::ExtendTimeout(seconds(rest))),
        "says" => Some(Word::Status(rest.to_owned())),
        _ => None,
    }
}

/// `PID NAME, PID NAME`, and `more N` for those that are not named.
fn alive(text: &str) -> Alive {
    let (names, more) = text.split_once(" more ").unwrap_or((text, "0"));
    let member = |text: &str| {
        let (pid, name) = text.split_once(' ').expect("PID NAME");
        Member {
            pid: pid.parse().expect("a number"),
            name: name.to_owned(),
        }
    };
    let named: Vec<Member> = names.split(", ").map(member).collect();
    let count = named.len() + more.parse::<usize>().expect("a number");
    Alive { named, count }
}

/// An event of which there is nothing more to say.
fn bare(verb: &str) -> Option<Event> {
    match verb {
        "wake" => Some(Event::Wake),
        "resumed" => Some(Event::Resumed),
        "webhook" => Some(Event::Webhook),
        _ => None,
    }
}

fn command(text: &str) -> Verb {
    match text {
        "refresh" => Verb::Refresh,
        "restart" => Verb::Restart { force: Force::No },
        "restart force" => Verb::Restart { force: Force::Yes },
        "stop" => Verb::Stop,
        "hold" => Verb::Hold,
        "resume" => Verb::Resume,
        other => panic!("no such command: {other}"),
    }
}

fn signal_event(text: &str) -> Event {
    let (name, origin) = text.split_once(" from ").unwrap_or((text, "a process"));
    let origin = match origin {
        "a process" => Origin::Process,
        "the terminal" => Origin::Terminal,
        "its tree" => Origin::OwnTree,
        other => panic!("who is {other}?"),
    };
    Event::Signal {
        signal: signal(name),
        origin,
    }
}

fn spawn_error(text: &str) -> SpawnError {
    match text {
        "not-found" => SpawnError::NotFound,
        "unwritable" => SpawnError::Unwritable {
            detail: "the env file cannot be written: the disk is full".to_owned(),
        },
        detail => SpawnError::Failed {
            detail: detail.to_owned(),
        },
    }
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(
        text.trim_end_matches('s')
            .parse()
            .unwrap_or_else(|_| panic!("{text}?")),
    )
}

fn signal(name: &str) -> Signal {
    Signal::from_name(name).unwrap_or_else(|| panic!("{name}?"))
}

/// `p1` stands for a postgres URL with that password.
fn answer(text: &str, selection: &Selection) -> FetchOutcome {
    if text == "304" {
        return FetchOutcome::NotModified;
    }
    let mut values = BTreeMap::new();
    for pair in text.split_whitespace() {
        let (name, value) = pair.split_once('=').unwrap_or(("DATABASE_URL", pair));
        let raw = match value {
            "missing" => continue,
            "null" => RawValue::Null,
            "number" => RawValue::NotText,
            "empty" => RawValue::Text(Secret::from("")),
            "malformed" => RawValue::Text(Secret::from("postgres:/oops")),
            word => {
                let (word, host) = word.split_once('@').unwrap_or((word, "db"));
                RawValue::Text(Secret::new(format!(
                    "postgres://app:{word}@{host}:5432/app"
                )))
            }
        };
        values.insert(name.to_owned(), raw);
    }
    let etag = Some(ETag(text.into()));
    FetchOutcome::Snapshot {
        snapshot: Arc::new(selection.snapshot(values, &Following::default())),
        etag,
    }
}

/// `WORD, SECONDS old`, `WORD, SECONDS ahead`, `by another token`, or why it is of no use.
fn cached(text: &str) -> CacheOutcome {
    if text == "by another token" {
        return CacheOutcome::OtherToken;
    }
    let Some((word, age)) = text.split_once(", ") else {
        let why = text.to_owned();
        return CacheOutcome::Unusable { why };
    };
    let age = match age.split_once(' ').expect("SECONDS old") {
        (past, "old") => Age::Past(seconds(past)),
        (future, "ahead") => Age::Future(seconds(future)),
        (_, other) => panic!("{other}?"),
    };
    let good = LastGood {
        watched: inherited(word),
        others: Values::from([("RELEASE".to_owned(), Secret::from("v1"))]),
    };
    let good = Arc::new(good);
    CacheOutcome::Good { good, age }
}

/// What the supervisor was started with.
fn inherited(word: &str) -> Values {
    let outcome = answer(word, &selection());
    let FetchOutcome::Snapshot { snapshot, .. } = outcome else {
        panic!("{word}?");
    };
    let watched = snapshot.watched.iter();
    let good = watched.filter_map(|(name, value)| Some((name.clone(), value.clone().ok()?)));
    good.collect()
}

fn failure(text: &str) -> FetchFailure {
    let (detail, retry_after) = match text.split_once(" retry-after ") {
        Some((detail, seconds_text)) => (detail, Some(seconds(seconds_text))),
        None => (text, None),
    };
    let kind = match detail {
        "401" | "403" => FailureKind::TokenRefused,
        "404" => FailureKind::AppNotFound,
        "no-token" => FailureKind::NoToken,
        "token-command" => FailureKind::TokenCommandFailed,
        _ => FailureKind::Unavailable,
    };
    FetchFailure {
        kind,
        detail: detail.to_owned(),
        retry_after,
        remedy: (kind == FailureKind::TokenRefused).then_some(Remedy::File),
    }
}

fn login(text: &str) -> LoginOutcome {
    match text {
        "accepted" => LoginOutcome::Accepted,
        "unreachable" => LoginOutcome::Unreachable {
            detail: "connection refused".to_owned(),
        },
        code => LoginOutcome::Refused {
            code: code
                .strip_prefix("refused ")
                .expect("refused CODE")
                .to_owned(),
        },
    }
}

/// `lost WHY`, or who answers: `SYSTEM/TIMELINE`, each a number or `?`, and `read-only` after that.
fn connection(text: &str) -> ConnectionNews {
    if let Some(why) = text.strip_prefix("lost ") {
        let why = why.to_owned();
        return ConnectionNews::Lost { why };
    }
    let (server, access) = text.split_once(' ').unwrap_or((text, ""));
    let (system, timeline) = server.split_once('/').expect("SYSTEM/TIMELINE");
    ConnectionNews::Server(Server {
        system: system.parse().ok(),
        timeline: timeline.parse().ok(),
        access: match access {
            "" => Access::ReadWrite,
            "read-only" => Access::ReadOnly,
            other => panic!("{other}?"),
        },
    })
}

fn selection() -> Selection {
    watch(["DATABASE_URL"].into_iter())
}

fn watch<'a>(patterns: impl Iterator<Item = &'a str>) -> Selection {
    let watched = patterns.map(|pattern| Watched {
        pattern: pattern.to_owned(),
        export_as: None,
    });
    Selection {
        watched: watched.collect(),
        databases: Vec::new(),
        all_vars: false,
        reserved: Reserved::KeptOut,
    }
}

fn rule(text: &str) -> (Signal, Mapped) {
    let (from, to) = text.split_once(':').expect("FROM:TO");
    let mapped = match to {
        "none" => Mapped::Swallowed,
        to => Mapped::To(signal(to)),
    };
    (signal(from), mapped)
}

fn limit(text: &str) -> RestartLimit {
    let (count, within) = text.split_once('/').expect("N/D");
    RestartLimit {
        count: count.parse().expect("a number"),
        within: seconds(within),
    }
}

/// What `status` and the metrics are made of.
fn seen(overview: &Overview) -> String {
    let mut lines = Vec::new();
    for child in &overview.children {
        let ChildOverview {
            child,
            started,
            readiness,
        } = child;
        lines.push(format!("{child:?}: {readiness:?}, started at {started}"));
    }
    if let Some(revision) = &overview.revision {
        let RevisionOverview {
            revision,
            seen_at,
            changed,
        } = revision;
        lines.push(format!("{revision:?}: {changed:?}, seen at {seen_at}"));
    }
    if let Some(Pending { changed, seen_at }) = &overview.pending {
        lines.push(format!("on its way: {changed:?}, seen at {seen_at}"));
    }
    if let Some(since) = overview.held_since {
        lines.push(format!("held since {since}"));
    }
    let ApiOverview {
        good_at,
        next,
        pace,
        left,
        failing,
        token,
    } = &overview.api;
    let [good_at, next] = [good_at, next].map(|at| at.map(|at| at.to_string()));
    lines.push(format!(
        "Heroku: good answer {good_at:?}, next {next:?}, every {pace:?}, left {left:?}, token {token:?}"
    ));
    if let Some(FailingOverview { since, failure, .. }) = failing {
        lines.push(format!("failing since {since}: {}", failure.detail));
    }
    lines
        .iter()
        .map(|line| format!("           sees {line}\n"))
        .collect()
}

fn config(settings: &str) -> Config {
    let mut config = defaults();
    for setting in settings.split_whitespace() {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        set(&mut config, name, value);
    }
    config
}

/// What a user who says nothing gets, but for the logins.
pub(crate) fn defaults() -> Config {
    Config {
        environment: EnvironmentSpec {
            base: BTreeMap::new(),
            clear: false,
            keep: Vec::new(),
            unset: Vec::new(),
            given: BTreeMap::new(),
            sockets: Vec::new(),
            selection: selection(),
            sslmode: SslPolicy::Env,
            scheme: None,
            expand: Vec::new(),
        },
        mark: Some("m".to_owned()),
        watching: Watching::Every(Duration::from_secs(60)),
        debounce: Duration::from_secs(1),
        splay: Duration::ZERO,
        start_timeout: Duration::from_secs(60),
        fallback: Fallback::None,
        on_change: OnChange::Restart,
        order: Order::StopFirst,
        ready: Readiness::None,
        ready_timeout: Duration::from_secs(60),
        env_file: EnvFile::None,
        stop: StopSequence(vec![StopStep {
            signal: Signal::TERM,
            wait: Duration::from_secs(35),
        }]),
        scope: Scope::Process,
        signals: SignalMap::default(),
        leftovers: LeftoverPolicy::Sweep,
        check_login: CheckLogin::Never,
        check_login_timeout: Duration::from_secs(30),
        connection: ConnectionWatch::Off,
        crash: CrashPolicy::default(),
        manager: ServiceManager::None,
    }
}

fn set(config: &mut Config, name: &str, value: &str) {
    match name {
        "watch" => config.environment.selection = watch(value.split(',')),
        "debounce" => config.debounce = seconds(value),
        "manager" => config.manager = ServiceManager::Listening,
        "splay" => config.splay = seconds(value),
        "all-vars" => config.environment.selection.all_vars = true,
        "start-timeout" => config.start_timeout = seconds(value),
        "fallback" if value == "cache" => {
            let max_age = Duration::from_secs(86_400);
            config.fallback = Fallback::Cached { max_age };
        }
        "fallback" => config.fallback = Fallback::Inherited(Arc::new(inherited(value))),
        "interval" => config.watching = Watching::Every(seconds(value)),
        "no-watch" => config.watching = Watching::Once,
        "restart" if value == "always" => config.crash.restart = Restart::Always,
        "restart" => config.crash.restart = Restart::OnFailure,
        "success-exit" => config.crash.success.push(value.parse().expect("a code")),
        "backoff" => {
            let (min, max) = value.split_once("..").expect("MIN..MAX");
            (config.crash.backoff.min, config.crash.backoff.max) = (seconds(min), seconds(max));
        }
        "max-restarts" => config.crash.limit = Some(limit(value)),
        "map" => config.signals.0.push(rule(value)),
        "start-first" => config.order = Order::StartFirst,
        "ready" => {
            config.ready = match value.strip_prefix("delay:") {
                Some(delay) => Readiness::Delay(seconds(delay)),
                None => Readiness::Notify { watchdog: None },
            }
        }
        "watchdog" => {
            let watchdog = Some(seconds(value));
            config.ready = Readiness::Notify { watchdog };
        }
        "stop-timeout" => config.stop.0[0].wait = seconds(value),
        "ready-timeout" => config.ready_timeout = seconds(value),
        "connection" if value == "ignore" => {
            config.connection = ConnectionWatch::On(OnFailover::Ignore);
        }
        "connection" => config.connection = ConnectionWatch::On(OnFailover::Restart),
        "login" if value == "never" => config.check_login = CheckLogin::Never,
        "login" if value == "always" => config.check_login = CheckLogin::Always,
        "login" => config.check_login = CheckLogin::Auto,
        "login-timeout" => config.check_login_timeout = seconds(value),
        "no-sweep" => config.leftovers = LeftoverPolicy::Leave,
        "env-file" => config.env_file = EnvFile::Kept,
        "on-change" if value == "exit" => config.on_change = OnChange::Exit,
        "on-change" => config.on_change = OnChange::Signal(signal(value)),
        other => panic!("no such setting: {other}"),
    }
}
