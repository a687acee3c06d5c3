//! Every trouble at every moment, in virtual time: no child is touched without a proven change, a
//! change arrives in time once the trouble is over, Heroku is not stormed, and people are told once
//! when it begins, now and then while it lasts, and once when it ends (`support/stage/law.rs`).
//!
//! Each trouble comes alone here, and a test says when; in random sequences, and at any moment, it
//! comes in the world (`tests/simulation.rs`). What the core sees of a fault is
//! `changeover::testing::seen`, where a new fault makes the compiler point; the real client is held
//! against that by `client/faults.rs`, and the real program meets each fault in `faults.rs`.
//!
//! `MATRIX=1 cargo test --test it fault_matrix -- --nocapture` prints the table: how long after the
//! trouble a change arrived, at worst, and the most requests of any minute.

use std::fmt::Write as _;

use changeover::supervisor::config::{CheckLogin, Config, Restart, Watching};
use changeover::supervisor::event::FailureKind;
use changeover::supervisor::notice::Notice;
use changeover::supervisor::time::Duration;
use changeover::testing::heroku::Fault;
use changeover::testing::seen::{Seen, seen};

use crate::scenarios::defaults;
use crate::support::stage::{Stage, Weather};

const INTERVAL: Duration = Duration::from_secs(60);

/// Whatever happens, Heroku gets no more requests within a minute: a poll, a burst of seven (at 0,
/// 1, 3, 7, 15, 31 and 60 s), and a fetch that confirms what it found. Failed fetches come after 1,
/// 2, 4, 8, 16 and 32 s, which is fewer.
const REQUESTS_A_MINUTE_MAX: usize = 9;
/// A manager that starts a refused supervisor again after ten seconds: two requests, a second
/// apart, each time.
const WITH_A_MANAGER_MAX: usize = 12;

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// One of the simulator's faults.
    Fault(Fault),
    /// A replica lags behind.
    Replica,
    /// The same, under the newest tag.
    RelabelledReplica,
    /// No name is found.
    NoName,
    /// Nobody listens any more: the proxy has died.
    ProxyDied,
    /// Connections are made, and nothing comes back.
    HalfOpen,
    /// The right JSON, called HTML.
    WrongContentType,
    /// The token expires, and a new one is written to its file when the trouble ends.
    TokenExpired,
    /// The token's file is gone, and comes back.
    TokenGone,
    /// The program that prints the token fails.
    TokenCommandFails,
    /// The machine sleeps meanwhile.
    Sleep,
    /// The wall clock jumps. The core has none, and a date in `Retry-After` is read against the
    /// answer's own.
    ClockJumps,
}

/// When it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// Before the first answer.
    Start,
    /// While a child runs, before a change.
    Run,
    /// Once a change is seen, before it is confirmed.
    Debounce,
    /// While the old child stops; another change follows.
    Restart,
    /// While no child lives: its credential is dead, and the next one is not shown yet.
    Awaiting,
}

const MOMENTS: [Moment; 5] = [
    Moment::Start,
    Moment::Run,
    Moment::Debounce,
    Moment::Restart,
    Moment::Awaiting,
];

impl Trouble {
    /// All of them.
    pub(crate) fn all() -> Vec<Self> {
        let faults = Fault::ALL.into_iter().map(Self::Fault);
        let others = [
            Self::Replica,
            Self::RelabelledReplica,
            Self::NoName,
            Self::ProxyDied,
            Self::HalfOpen,
            Self::WrongContentType,
            Self::TokenExpired,
            Self::TokenGone,
            Self::TokenCommandFails,
            Self::Sleep,
            Self::ClockJumps,
        ];
        faults.chain(others).collect()
    }

    fn name(self) -> String {
        match self {
            Self::Fault(fault) => fault.name().to_owned(),
            Self::Replica
            | Self::RelabelledReplica
            | Self::NoName
            | Self::ProxyDied
            | Self::HalfOpen
            | Self::WrongContentType
            | Self::TokenExpired
            | Self::TokenGone
            | Self::TokenCommandFails
            | Self::Sleep
            | Self::ClockJumps => format!("{self:?}"),
        }
    }

    /// What it is to requests.
    pub(crate) fn weather(self) -> Weather {
        let failure = |kind| Weather::Fault(Seen::Failure(kind));
        match self {
            Self::Fault(fault) => Weather::Fault(seen(fault)),
            Self::Replica => Weather::Replica { relabelled: false },
            Self::RelabelledReplica => Weather::Replica { relabelled: true },
            Self::NoName | Self::ProxyDied => failure(FailureKind::Unavailable),
            Self::HalfOpen => Weather::Fault(Seen::Silence),
            Self::TokenExpired => failure(FailureKind::TokenRefused),
            Self::TokenGone => failure(FailureKind::NoToken),
            Self::TokenCommandFails => failure(FailureKind::TokenCommandFailed),
            Self::WrongContentType | Self::Sleep | Self::ClockJumps => Weather::Fine,
        }
    }
}

/// One cell of the matrix.
struct Cell {
    trouble: Trouble,
    moment: Moment,
    lasts: Duration,
    check_login: CheckLogin,
}

/// What it came to.
struct Result {
    /// From the end of the trouble until the newest value's child ran.
    took: Duration,
    requests_a_minute: usize,
}

impl Cell {
    fn config(&self) -> Config {
        let mut config = defaults();
        config.watching = Watching::Every(INTERVAL);
        config.check_login = self.check_login;
        config.crash.restart = Restart::OnFailure;
        config
    }

    /// "every change arrives within the stretched interval × 1.1 + debounce + login timeout + 300
    /// s" of the trouble's end. The account has enough: nothing is stretched. An old answer under
    /// the newest tag is a lie that only an unconditional request finds out: every tenth poll.
    fn bound(&self) -> Duration {
        let config = self.config();
        let rest = config.debounce + config.check_login_timeout + Duration::from_secs(300);
        let polls = if self.trouble == Trouble::RelabelledReplica {
            10
        } else {
            1
        };
        INTERVAL * 11 / 10 * polls + rest
    }

    fn play(&self) -> Result {
        let Self {
            trouble,
            moment,
            lasts,
            check_login,
        } = self;
        let name = format!(
            "{} at {moment:?} for {lasts:?}, {check_login:?}",
            trouble.name()
        );
        let mut stage = Stage::new(&name, self.config(), lasts.as_secs());
        self.until_it_begins(&mut stage);
        self.trouble(&mut stage);
        let end = stage.now;
        stage.run_to(self.bound(), "on the newest value", Stage::has_arrived);
        let took = stage.now.since(end);
        // It stays so, and nothing else follows.
        let starts = stage.starts.len();
        stage.run(Duration::from_secs(3600));
        assert!(stage.has_arrived(), "{name}: it did not last");
        assert_eq!(stage.starts.len(), starts, "{name}: started again");
        let requests_a_minute = stage.requests_a_minute();
        let requests_max = match moment {
            Moment::Start => WITH_A_MANAGER_MAX,
            Moment::Run | Moment::Debounce | Moment::Restart | Moment::Awaiting => {
                REQUESTS_A_MINUTE_MAX
            }
        };
        assert!(
            requests_a_minute <= requests_max,
            "{name}: {requests_a_minute} requests within a minute"
        );
        self.few_lines(&stage, &name);
        Result {
            took,
            requests_a_minute,
        }
    }

    fn until_it_begins(&self, stage: &mut Stage) {
        let soon = Duration::from_secs(120);
        match self.moment {
            Moment::Start => return,
            Moment::Run | Moment::Debounce | Moment::Restart | Moment::Awaiting => {
                stage.run(soon * 15)
            }
        }
        match self.moment {
            Moment::Start | Moment::Run => {}
            Moment::Debounce => {
                stage.rotate();
                stage.run_to(soon, "seen", |stage| {
                    let last = stage.notices.last();
                    matches!(last, Some((_, Notice::Settling { .. })))
                });
            }
            Moment::Restart => {
                stage.drain = Duration::from_secs(20);
                stage.rotate();
                stage.run_to(soon, "stopping", |stage| {
                    let last = stage.notices.last();
                    matches!(last, Some((_, Notice::Stopping { .. })))
                });
            }
            Moment::Awaiting => {
                stage.reset();
                stage.run_to(soon, "without a child", |stage| stage.version().is_none());
            }
        }
    }

    /// It begins, a change comes meanwhile (but where one is under way already), and it ends.
    fn trouble(&self, stage: &mut Stage) {
        let first = Duration::from_secs(5);
        let change = |stage: &mut Stage| match self.moment {
            Moment::Debounce => {}
            Moment::Awaiting => stage.show(),
            Moment::Start | Moment::Run | Moment::Restart => stage.rotate(),
        };
        if self.trouble == Trouble::Sleep {
            change(stage);
            return stage.sleep(self.lasts);
        }
        stage.weather(self.trouble.weather());
        stage.run(first);
        change(stage);
        stage.run(self.lasts - first);
        stage.weather(Weather::Fine);
    }

    /// One line for each quarter of an hour, and a few for what happened: never one for each
    /// request.
    fn few_lines(&self, stage: &Stage, name: &str) {
        let is_about_api = |(_, notice): &&(_, Notice)| {
            matches!(
                notice,
                Notice::FetchFailing { .. }
                    | Notice::FetchStillFailing { .. }
                    | Notice::FetchRecovered { .. }
                    | Notice::Value(_)
            )
        };
        let lines = stage.notices.iter().filter(is_about_api).count();
        let quarters = self.lasts.as_secs() / 900;
        // Each supervisor that a manager starts again begins anew.
        let lives = match self.moment {
            Moment::Start => self.lasts.as_secs() / 11 + 2,
            Moment::Run | Moment::Debounce | Moment::Restart | Moment::Awaiting => 1,
        };
        let lines_max = usize::try_from(quarters + 2 * lives + 2).unwrap();
        assert!(lines <= lines_max, "{name}: {lines} lines");
    }
}

#[test]
fn every_trouble_at_every_moment() {
    let mut table = String::new();
    for trouble in Trouble::all() {
        write!(table, "{:22}", trouble.name()).unwrap();
        for moment in MOMENTS {
            let (took, requests) = worst(trouble, moment);
            write!(table, "{:>8.0} s {requests:>2}/min", took.as_secs_f64()).unwrap();
        }
        writeln!(table).unwrap();
    }
    if std::env::var_os("MATRIX").is_some() {
        let names = MOMENTS.map(|moment| format!("{:>17}", format!("{moment:?}")));
        println!("{:22}{}\n{table}", "", names.concat());
    }
}

fn worst(trouble: Trouble, moment: Moment) -> (Duration, usize) {
    let mut worst = (Duration::ZERO, 0);
    for seconds in [20, 1200, 3 * 3600] {
        for check_login in [CheckLogin::Auto, CheckLogin::Never] {
            let cell = Cell {
                trouble,
                moment,
                lasts: Duration::from_secs(seconds),
                check_login,
            };
            let result = cell.play();
            worst.0 = worst.0.max(result.took);
            worst.1 = worst.1.max(result.requests_a_minute);
        }
    }
    worst
}
