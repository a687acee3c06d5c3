//! From the old child's end to the new one's first instruction: ours against a bare start, in turn in the same run.
//!
//! `cargo bench --bench dead_time -- [--rounds N] [--idle-ms N] [--ballast-mib N]`. Both moments are read by the child
//! itself, which is this program again. Every row starts the same program with the same environment after the same
//! idleness: a start after a second of quiet is slower than a warm one, whoever makes it.

use std::env;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use changeover::credential::environment::SslPolicy;
use changeover::credential::{Environment, EnvironmentSpec, Selection, Values};
use changeover::process::{
    self, Change, Group, Inherited, Prepared, Program, prepare, signal_process,
};
use changeover::runtime::signals::{ChildChanges, Signals};
use changeover::supervisor::signal::Signal;
use nix::fcntl::OFlag;
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::wait::waitpid;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, dup, dup2_stdout, pipe2};

fn main() -> Result<()> {
    if env::args().nth(1).as_deref() == Some("child") {
        return child();
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
        idle,
        stamps: BufReader::new(File::from(read)),
    };
    let mut rows: [(&str, Box<dyn Row>, Vec<f64>); 2] = [
        ("bare", Box::new(Bare::new()?), Vec::new()),
        ("spawn", Box::new(Spawn::new()?), Vec::new()),
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

/// The child: says when it began, waits for TERM, says when it ended.
fn child() -> Result<()> {
    let began = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    let mut term = SigSet::empty();
    term.add(Number::SIGTERM);
    term.thread_block()?;
    writeln!(io::stdout(), "{}", Duration::from(began).as_nanos())?;
    term.wait()?;
    let ended = clock_gettime(ClockId::CLOCK_MONOTONIC)?;
    writeln!(io::stdout(), "{}", Duration::from(ended).as_nanos())?;
    Ok(())
}

/// One way of replacing a child that ends.
trait Row {
    /// Starts the first child; its process id.
    fn start(&mut self) -> Result<u32>;
    /// Waits until it has ended and starts the next at once.
    fn replace(&mut self) -> Result<u32>;
    /// Waits until that one has ended.
    fn finish(&mut self) -> Result<()>;
}

struct Bench {
    idle: Duration,
    stamps: BufReader<File>,
}

impl Bench {
    /// One replacement, in microseconds.
    fn dead_time(&mut self, row: &mut dyn Row) -> Result<f64> {
        let old = row.start()?;
        self.stamp()?;
        let idle = self.idle;
        let stopper = thread::spawn(move || {
            sleep(idle);
            signal_process(old, Signal::TERM)
        });
        let new = row.replace()?;
        let (ended, began) = (self.stamp()?, self.stamp()?);
        ensure!(began > ended, "the new one began before the old one ended");
        ensure!(
            stopper.join().is_ok_and(|sent| sent.is_ok()),
            "TERM was not sent"
        );
        signal_process(new, Signal::KILL)?;
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

/// The floor: a blocking wait, then `posix_spawn` (vfork and exec, nothing else).
struct Bare {
    path: CString,
    environment: Vec<CString>,
    child: Pid,
}

impl Bare {
    fn new() -> Result<Self> {
        let path = CString::new(env::current_exe()?.as_os_str().as_bytes())?;
        let environment = environment();
        let joined = environment
            .iter()
            .map(|(name, value)| CString::new([name.as_bytes(), value.as_bytes()].join(&b'=')));
        let environment = joined.collect::<Result<_, _>>()?;
        Ok(Self {
            path,
            environment,
            child: Pid::from_raw(0),
        })
    }
}

impl Row for Bare {
    fn start(&mut self) -> Result<u32> {
        let actions = PosixSpawnFileActions::init()?;
        let attributes = PosixSpawnAttr::init()?;
        let args = [self.path.as_c_str(), c"child"];
        self.child = posix_spawn(&*self.path, &actions, &attributes, &args, &self.environment)?;
        Ok(self.child.as_raw().unsigned_abs())
    }

    fn replace(&mut self) -> Result<u32> {
        self.finish()?;
        self.start()
    }

    fn finish(&mut self) -> Result<()> {
        waitpid(self.child, None)?;
        Ok(())
    }
}

/// Our parts as the supervisor puts them together: news of a child on the event loop, the reaper, a prepared start.
struct Spawn {
    runtime: tokio::runtime::Runtime,
    prepared: Prepared,
    children: ChildChanges,
    _signals: Signals,
    child: u32,
}

impl Spawn {
    fn new() -> Result<Self> {
        let inherited = Inherited::record();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let (signals, children) = (Signals::install(&inherited)?, ChildChanges::install()?);
        drop(entered);
        let command = env::current_exe()?.into();
        let args = vec!["child".into()];
        let group = Group::Own;
        let program = Program {
            command,
            args,
            identity: None,
            directory: None,
            group,
            inherited,
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

impl Row for Spawn {
    fn start(&mut self) -> Result<u32> {
        let child = process::spawn(&mut self.prepared)
            .ok()
            .context("not started")?;
        self.child = child.pid;
        Ok(child.pid)
    }

    fn replace(&mut self) -> Result<u32> {
        self.finish()?;
        self.start()
    }

    fn finish(&mut self) -> Result<()> {
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

fn environment() -> Environment {
    let spec = EnvironmentSpec {
        base: env::vars_os().collect(),
        clear: false,
        keep: Vec::new(),
        unset: Vec::new(),
        selection: Selection {
            watched: Vec::new(),
            all_vars: false,
        },
        sslmode: SslPolicy::Keep,
        scheme: None,
    };
    spec.build(Some("bench.0.i1"), &Values::new(), &Values::new())
}
