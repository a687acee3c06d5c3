//! From the old child's end to the new one's first instruction: ours against a bare start, in turn
//! in the same run.
//!
//! `cargo bench --bench dead_time -- [--rounds N] [--idle-ms N] [--ballast-mib N]`. Both moments
//! are read by the child itself, which is this program again. Every row starts the same program
//! after the same idleness (the child takes it between its TERM and its end): a start after a
//! second of quiet is slower than a warm one, whoever makes it. `bare` waits and calls
//! `posix_spawn`; `spawn` is our reaper and our start; `run` is the whole of `changeover run`,
//! provoked by a rotation.

#[path = "kit/bare.rs"]
mod bare;

use std::env;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use changeover::credential::environment::SslPolicy;
use changeover::credential::{Environment, EnvironmentSpec, Reserved, Selection, Values};
use changeover::process::{
    self, Change, Group, Inherited, Prepared, Program, prepare, signal_process,
};
use changeover::runtime::signals::{ChildChanges, Signals};
use changeover::supervisor::signal::Signal;
use changeover::testing::heroku::{Options, Simulator};
use nix::fcntl::OFlag;
use nix::sys::signal::{SigSet, Signal as Number};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{dup, dup2_stdout, pipe2};

use bare::Bare;

fn main() -> Result<()> {
    let mut words = env::args().skip(1);
    if words.next().as_deref() == Some("child") {
        return child(Duration::from_millis(
            words.next().context("how long")?.parse()?,
        ));
    }
    let option = |name: &str, default: u64| -> Result<u64> {
        let at = env::args().position(|arg| arg == name);
        at.map_or(Ok(default), |at| {
            Ok(env::args().nth(at + 1).context("a number")?.parse()?)
        })
    };
    let (rounds, idle) = (
        option("--rounds", 15)?,
        Duration::from_millis(option("--idle-ms", 1000)?),
    );
    let ballast = vec![1u8; usize::try_from(option("--ballast-mib", 0)? << 20)?];

    let mut stdout = File::from(dup(io::stdout())?);
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    dup2_stdout(&write)?;
    let mut bench = Bench {
        stamps: BufReader::new(File::from(read)),
    };
    let idle_ms = idle.as_millis().to_string();
    let mut rows: [(&str, Box<dyn Row>, Vec<f64>); 3] = [
        ("bare", Box::new(bare(&idle_ms)?), Vec::new()),
        ("spawn", Box::new(Spawn::new(&idle_ms)?), Vec::new()),
        ("run", Box::new(Run::new(&idle_ms)?), Vec::new()),
    ];
    for _ in 0..rounds {
        for (_, row, measured) in &mut rows {
            measured.push(bench.dead_time(row.as_mut())?);
        }
    }
    writeln!(
        stdout,
        "rounds: {rounds}\nidle_ms: {}\nballast_mib: {}",
        idle.as_millis(),
        ballast.len() >> 20
    )?;
    let bare = median(&mut rows[0].2);
    writeln!(stdout, "bare_median_us: {bare:.1}")?;
    for (name, _, measured) in rows.iter_mut().skip(1) {
        let median = median(measured);
        writeln!(stdout, "{name}_median_us: {median:.1}")?;
        writeln!(stdout, "{name}_extra_us: {:.1}", median - bare)?;
        writeln!(stdout, "{name}_ratio: {:.3}", median / bare)?;
    }
    Ok(())
}

fn median(measured: &mut [f64]) -> f64 {
    measured.sort_by(f64::total_cmp);
    measured
        .get(measured.len() / 2)
        .copied()
        .unwrap_or(f64::NAN)
}

/// The child: says when it began, waits for TERM, does nothing for a while, says when it ended.
fn child(idle: Duration) -> Result<()> {
    let began = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let mut term = SigSet::empty();
    term.add(Number::SIGTERM);
    term.thread_block()?;
    writeln!(io::stdout(), "{}", Duration::from(began).as_nanos())?;
    term.wait()?;
    sleep(idle);
    let ended = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    writeln!(io::stdout(), "{}", Duration::from(ended).as_nanos())?;
    Ok(())
}

/// One way of replacing a child that ends.
trait Row {
    /// Starts the first child.
    fn start(&mut self) -> Result<()>;
    /// Makes it end (it takes its time), and has the next started at once.
    fn replace(&mut self) -> Result<()>;
    /// Ends the second child, and waits for that.
    fn finish(&mut self) -> Result<()>;
}

struct Bench {
    stamps: BufReader<File>,
}

impl Bench {
    /// One replacement, in microseconds.
    fn dead_time(&mut self, row: &mut dyn Row) -> Result<f64> {
        row.start()?;
        self.stamp()?;
        row.replace()?;
        let (ended, began) = (self.stamp()?, self.stamp()?);
        ensure!(began > ended, "the new one began before the old one ended");
        row.finish()?;
        Ok((began - ended) as f64 / 1000.0)
    }

    fn stamp(&mut self) -> Result<u64> {
        let mut line = String::new();
        self.stamps.read_line(&mut line)?;
        Ok(line.trim_end().parse()?)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "idleness is what is measured after"
)]
fn sleep(duration: Duration) {
    thread::sleep(duration);
}

impl Row for Bare {
    fn start(&mut self) -> Result<()> {
        Bare::start(self)
    }

    fn replace(&mut self) -> Result<()> {
        Bare::replace(self)
    }

    fn finish(&mut self) -> Result<()> {
        self.end(Number::SIGKILL)
    }
}

fn bare(idle_ms: &str) -> Result<Bare> {
    let environment = environment();
    let pairs = environment.iter();
    Bare::new(&env::current_exe()?, &["child", idle_ms], pairs)
}

/// Our parts as the supervisor puts them together: news of a child on the event loop, the reaper, a
/// prepared start.
struct Spawn {
    runtime: tokio::runtime::Runtime,
    prepared: Prepared,
    children: ChildChanges,
    _signals: Signals,
    child: u32,
}

impl Spawn {
    fn new(idle_ms: &str) -> Result<Self> {
        let inherited = Inherited::record();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let (signals, children) = (Signals::install(&inherited)?, ChildChanges::install()?);
        drop(entered);
        let command = env::current_exe()?.into();
        let args = vec!["child".into(), idle_ms.into()];
        let group = Group::Own;
        let program = Program {
            command,
            args,
            identity: None,
            directory: None,
            group,
            inherited,
            sockets: Vec::new(),
        };
        let prepared = prepare(&program, &environment())
            .ok()
            .context("not prepared")?;
        Ok(Self {
            runtime,
            prepared,
            children,
            _signals: signals,
            child: 0,
        })
    }
}

impl Spawn {
    fn wait(&mut self) -> Result<()> {
        let (children, child) = (&mut self.children, self.child);
        self.runtime.block_on(async {
            let mut changes = Vec::new();
            let ended =
                |(pid, change): &(u32, Change)| *pid == child && matches!(change, Change::Ended(_));
            while !changes.iter().any(ended) {
                children.next().await?;
                process::collect(&mut changes);
            }
            Ok(())
        })
    }
}

impl Row for Spawn {
    fn start(&mut self) -> Result<()> {
        let child = process::spawn(&mut self.prepared)
            .ok()
            .context("not started")?;
        self.child = child.pid;
        Ok(())
    }

    fn replace(&mut self) -> Result<()> {
        signal_process(self.child, Signal::TERM)?;
        self.wait()?;
        self.start()
    }

    fn finish(&mut self) -> Result<()> {
        signal_process(self.child, Signal::KILL)?;
        self.wait()
    }
}

/// The whole program, with a Heroku whose credential is rotated.
struct Run {
    simulator: Simulator,
    idle_ms: String,
    supervisor: Option<std::process::Child>,
}

impl Run {
    fn new(idle_ms: &str) -> Result<Self> {
        let simulator = Simulator::start(Options::default())?;
        let idle_ms = idle_ms.to_owned();
        Ok(Self {
            simulator,
            idle_ms,
            supervisor: None,
        })
    }
}

impl Row for Run {
    fn start(&mut self) -> Result<()> {
        // The next poll after the change is seen comes later than the old child's end: that second
        // is idle.
        let options = [
            "run",
            "-q",
            "-a",
            "myapp",
            "--interval",
            "2s",
            "--debounce",
            "0s",
        ];
        let supervisor = Command::new(env!("CARGO_BIN_EXE_changeover"))
            .args(options)
            .args(["--api-url", &self.simulator.url(), "--"])
            .arg(env::current_exe()?)
            .args(["child", &self.idle_ms])
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .spawn()?;
        self.supervisor = Some(supervisor);
        Ok(())
    }

    fn replace(&mut self) -> Result<()> {
        Ok(self.simulator.rotate("default")?)
    }

    fn finish(&mut self) -> Result<()> {
        let mut supervisor = self.supervisor.take().context("none runs")?;
        // Its child goes with it.
        supervisor.kill()?;
        supervisor.wait()?;
        Ok(())
    }
}

fn environment() -> Environment {
    let spec = EnvironmentSpec {
        base: env::vars_os().collect(),
        clear: false,
        keep: Vec::new(),
        unset: Vec::new(),
        given: std::collections::BTreeMap::new(),
        sockets: Vec::new(),
        selection: Selection {
            watched: Vec::new(),
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
        },
        sslmode: SslPolicy::Keep,
        scheme: None,
        expand: Vec::new(),
    };
    spec.build(Some("bench.0.i1"), &Values::new(), &Values::new())
}
