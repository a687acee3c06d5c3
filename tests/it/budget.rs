//! Many supervisors on one account, in virtual time: the pace that they settle at, what is left for
//! people, and how long a change takes to reach all of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fmt::Write as _;
use std::sync::Arc;

use changeover::credential::{Following, RawValue, Secret};
use changeover::supervisor::Supervisor;
use changeover::supervisor::action::Action;
use changeover::supervisor::budget::ACCOUNT;
use changeover::supervisor::config::{CheckLogin, Config, Restart, Watching};
use changeover::supervisor::event::{
    ETag, Ended, Event, FetchFailure, FetchOutcome, Leftovers, LoginOutcome,
};
use changeover::supervisor::id::{FetchId, InstanceId, LoginId};
use changeover::supervisor::time::{Duration, Time};

use crate::scenarios::defaults;

/// Heroku's: what an account gains in a second.
const GAIN: f64 = 1.25;
const RESERVE: f64 = 900.0;
const HOUR: Duration = Duration::from_secs(3600);

/// The README's table, and the claim beside it.
#[test]
fn an_account_settles_above_its_reserve() {
    let mut table = String::new();
    for hosts in [1, 12, 75, 400, 1000] {
        let mut fleet = Fleet::start(hosts, CheckLogin::Never);
        fleet.run(HOUR * 6);
        fleet.forget();
        fleet.run(HOUR * 2);
        assert_eq!(fleet.refused, 0, "{hosts} hosts: 429");
        assert!(
            fleet.least >= RESERVE,
            "{hosts} hosts leave {}",
            fleet.least
        );
        let shares = fleet.hosts.iter().map(|host| host.asked);
        let (least, most) = (shares.clone().min().unwrap(), shares.max().unwrap());
        assert!(
            most - least <= 2 + most / 4,
            "{hosts} hosts: {least} to {most} requests"
        );
        let pace = 7200.0 * f64::from(hosts) / f64::from(fleet.asked());
        let left = percent(fleet.least);
        fleet.change();
        let took = fleet.until_all_know();
        writeln!(
            table,
            "| {hosts} | {} | {left} | {} | {} |",
            human(pace),
            human(took.as_secs_f64()),
            percent(fleet.least),
        )
        .unwrap();
    }
    let readme = include_str!("../../README.md");
    assert!(
        readme.contains(&table),
        "the README's table should be\n{table}"
    );
}

/// A rotation resets everybody's connections, and is shown 5 s later: all children fail at once.
#[test]
fn a_fleet_that_fails_at_once_leaves_the_reserve() {
    for hosts in [12, 75, 150, 400] {
        let mut fleet = Fleet::start(hosts, CheckLogin::Auto);
        fleet.run(HOUR * 3);
        fleet.forget();
        fleet.rotate_by_force();
        fleet.run(Duration::from_secs(5));
        fleet.show();
        let took = fleet.until_all_know();
        assert_eq!(fleet.refused, 0, "{hosts} hosts: 429");
        assert!(
            fleet.least >= RESERVE,
            "{hosts} hosts leave {}",
            fleet.least
        );
        let bound = if hosts <= 75 { 60 } else { 600 };
        assert!(
            took <= Duration::from_secs(bound),
            "{hosts} hosts: {took:?}"
        );
    }
}

/// One account, its hosts, and the clock that they share.
struct Fleet {
    now: Time,
    hosts: Vec<Host>,
    agenda: BinaryHeap<Reverse<(Time, u64, usize)>>,
    due: BTreeMap<u64, Due>,
    next: u64,
    account: f64,
    filled_at: Time,
    /// The fewest requests that were left.
    least: f64,
    /// Requests that met an empty account.
    refused: u32,
    shown: u32,
    newest: u32,
}

struct Host {
    core: Supervisor,
    config: Config,
    started: Time,
    child: Option<(InstanceId, u32)>,
    prepared: Option<u32>,
    asked: u32,
}

/// What a host gets to know.
enum Due {
    Wake,
    Answer(FetchId, FetchOutcome, u32),
    Login(LoginId, LoginOutcome),
    Ends(InstanceId),
    /// Its manager starts it again.
    Start,
}

impl Fleet {
    /// All of them within a minute.
    fn start(hosts: u32, check_login: CheckLogin) -> Self {
        let mut config = defaults();
        config.watching = Watching::Every(Duration::from_secs(60));
        config.check_login = check_login;
        config.crash.restart = Restart::OnFailure;
        let mut fleet = Self {
            now: Time::ZERO,
            hosts: Vec::new(),
            agenda: BinaryHeap::new(),
            due: BTreeMap::new(),
            next: 0,
            account: f64::from(ACCOUNT),
            filled_at: Time::ZERO,
            least: f64::from(ACCOUNT),
            refused: 0,
            shown: 1,
            newest: 1,
        };
        for at in 0..hosts {
            fleet.hosts.push(Host {
                core: Supervisor::new(config.clone(), u64::from(at)),
                config: config.clone(),
                started: Time::ZERO,
                child: None,
                prepared: None,
                asked: 0,
            });
            let after = Duration::from_millis(u64::from(at) * 60_000 / u64::from(hosts));
            fleet.plan(after, usize::try_from(at).unwrap(), Due::Start);
        }
        fleet
    }

    fn run(&mut self, long: Duration) {
        let until = self.now + long;
        while self
            .agenda
            .peek()
            .is_some_and(|Reverse((at, ..))| *at <= until)
        {
            self.turn();
        }
        self.now = until;
    }

    /// What was counted so far is not of interest.
    fn forget(&mut self) {
        self.fill();
        (self.least, self.refused) = (self.account, 0);
        for host in &mut self.hosts {
            host.asked = 0;
        }
    }

    fn asked(&self) -> u32 {
        self.hosts.iter().map(|host| host.asked).sum()
    }

    /// A new value, which the old one outlives.
    fn change(&mut self) {
        self.newest += 1;
        self.show();
    }

    /// The old value works no more, and children notice; the new one is not shown yet.
    fn rotate_by_force(&mut self) {
        self.newest += 1;
        for at in 0..self.hosts.len() {
            if let Some((instance, _)) = self.hosts[at].child {
                let soon = Duration::from_millis(u64::try_from(at).unwrap() % 300);
                self.plan(soon, at, Due::Ends(instance));
            }
        }
    }

    fn show(&mut self) {
        self.shown = self.newest;
    }

    /// How long it takes until every child runs with the newest value.
    fn until_all_know(&mut self) -> Duration {
        let since = self.now;
        let newest = self.newest;
        let knows = |host: &Host| host.child.is_some_and(|(_, version)| version == newest);
        while !self.hosts.iter().all(knows) {
            self.turn();
            assert!(
                self.now.since(since) < HOUR,
                "a change does not reach everybody"
            );
        }
        self.now.since(since)
    }

    fn plan(&mut self, after: Duration, host: usize, due: Due) {
        self.next += 1;
        self.agenda
            .push(Reverse((self.now + after, self.next, host)));
        self.due.insert(self.next, due);
    }

    fn turn(&mut self) {
        let Some(Reverse((at, id, host))) = self.agenda.pop() else {
            panic!("nothing will ever happen again");
        };
        self.now = at;
        let event = match self.due.remove(&id).unwrap() {
            Due::Wake => {
                let due = self.hosts[host].core.deadline();
                let now = self.of(host);
                if due.is_none_or(|due| due > now) {
                    return;
                }
                Event::Wake
            }
            Due::Answer(fetch, outcome, left) => Event::Fetched {
                fetch,
                outcome,
                left: Some(left),
            },
            Due::Login(login, outcome) => Event::LoginChecked { login, outcome },
            Due::Ends(instance) => {
                self.hosts[host].child = None;
                Event::Exited {
                    instance,
                    ended: Ended::Code(1),
                    leftovers: Leftovers::None,
                }
            }
            Due::Start => {
                let now = self.now;
                let host = &mut self.hosts[host];
                host.core = Supervisor::new(host.config.clone(), id);
                host.started = now;
                Event::Wake
            }
        };
        self.step(host, event);
    }

    /// A host's own time.
    fn of(&self, host: usize) -> Time {
        Time::from_start(self.now.since(self.hosts[host].started))
    }

    fn step(&mut self, host: usize, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            let now = self.of(host);
            for action in self.hosts[host].core.step(now, event) {
                events.extend(self.obey(host, action));
            }
        }
        let now = self.of(host);
        if let Some(due) = self.hosts[host].core.deadline() {
            self.plan(due.since(now), host, Due::Wake);
        }
    }

    fn obey(&mut self, at: usize, action: Action) -> Option<Event> {
        match action {
            Action::Fetch { fetch, unless } => {
                let (outcome, left) = self.ask(at, unless.as_ref());
                let after = Duration::from_millis(200);
                self.plan(after, at, Due::Answer(fetch, outcome, left));
                None
            }
            Action::CheckLogin { login, url, .. } => {
                let code = "28P01".to_owned();
                let outcome = match version(url.expose()) == self.newest {
                    true => LoginOutcome::Accepted,
                    false => LoginOutcome::Refused { code },
                };
                self.plan(Duration::from_millis(50), at, Due::Login(login, outcome));
                None
            }
            Action::Prepare {
                instance,
                environment,
            } => {
                let url = environment.get("DATABASE_URL").and_then(|url| url.to_str());
                self.hosts[at].prepared = url.map(version);
                Some(Event::Prepared { instance })
            }
            Action::Spawn { instance } => {
                let version = self.hosts[at].prepared.unwrap();
                self.hosts[at].child = Some((instance, version));
                if version != self.newest {
                    self.plan(Duration::from_secs(1), at, Due::Ends(instance));
                }
                let pid = 100 + instance.0;
                Some(Event::Spawned { instance, pid })
            }
            Action::Signal { instance, .. } => {
                self.plan(Duration::ZERO, at, Due::Ends(instance));
                None
            }
            Action::Exit(_) => {
                self.plan(Duration::from_secs(1), at, Due::Start);
                None
            }
            Action::CancelFetch { .. }
            | Action::WatchConnection { .. }
            | Action::UnwatchConnection { .. }
            | Action::CancelLogin { .. }
            | Action::ProbeReadiness { .. }
            | Action::StopSelf { .. }
            | Action::Sweep { .. }
            | Action::GiveUp { .. }
            | Action::ListTree { .. }
            | Action::RemoveEnvFile
            | Action::Report(_)
            | Action::Reply { .. }
            | Action::ReadCache { .. }
            | Action::WriteCache { .. }
            | Action::RemoveCache
            | Action::Announce(_) => None,
        }
    }

    /// One request to the account.
    fn ask(&mut self, at: usize, unless: Option<&ETag>) -> (FetchOutcome, u32) {
        self.hosts[at].asked += 1;
        self.fill();
        if self.account < 1.0 {
            self.refused += 1;
            return (FetchOutcome::Failed(FetchFailure::unavailable("429")), 0);
        }
        self.account -= 1.0;
        self.least = self.least.min(self.account);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 4500"
        )]
        let left = self.account as u32;
        let tag = ETag(self.shown.to_string().into());
        if unless == Some(&tag) {
            return (FetchOutcome::NotModified, left);
        }
        let url = format!("postgres://app:p{}@db:5432/app", self.shown);
        let values =
            BTreeMap::from([("DATABASE_URL".to_owned(), RawValue::Text(Secret::new(url)))]);
        let selection = &self.hosts[at].config.environment.selection;
        let snapshot = Arc::new(selection.snapshot(values, &Following::default()));
        let etag = Some(tag);
        (FetchOutcome::Snapshot { snapshot, etag }, left)
    }

    fn fill(&mut self) {
        let since = self.now.since(self.filled_at).as_secs_f64();
        self.account = (self.account + since * GAIN).min(f64::from(ACCOUNT));
        self.filled_at = self.now;
    }
}

fn percent(left: f64) -> String {
    format!("{:.0} %", left / f64::from(ACCOUNT) * 100.0)
}

fn version(url: &str) -> u32 {
    let password = url.split([':', '@']).nth(2).unwrap();
    password.trim_start_matches('p').parse().unwrap()
}

fn human(seconds: f64) -> String {
    if seconds < 120.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{:.1} min", seconds / 60.0)
    }
}
