//! A hundred thousand polls of one supervisor: what it holds after the first thousand, and what
//! after the last. It is the program from its options to its child; only the interval is shorter
//! than `--interval` may be, so that ten weeks pass in some minutes.
//!
//! `cargo bench --bench soak -- [--polls N] [--change-every N]`. Every ten thousand polls the URL
//! changes, which starts the child again, and a request fails. Memory is read from
//! `smaps_rollup`.

#[expect(dead_code, reason = "shared with other benches")]
mod kit;

use std::env;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use changeover::cli::{self, Cli};
use changeover::commands::run::run;
use changeover::config::{Config, Log, Task};
use changeover::process::Inherited;
use changeover::runtime::telemetry;
use changeover::testing::heroku::{Fault, Injection, Options, Simulator};

use kit::Process;

/// What is held by then is compared with what is held at the end.
const WARM: usize = 2000;
/// The account never runs low: polls would be stretched.
const ACCOUNT: u32 = 4500;
const LOOKS: u32 = 50;
const INTERVAL: Duration = Duration::from_millis(1);
/// This program, as the supervisor that is measured.
const SUPERVISE: &str = "--supervise";

fn main() -> Result<ExitCode> {
    let started_with = Inherited::record();
    let mut arguments = env::args_os();
    if arguments.nth(1).is_some_and(|first| first == SUPERVISE) {
        return supervise(arguments, started_with);
    }
    let polls = option("--polls", 100_000)?;
    measure(polls, option("--change-every", 10_000)?)?;
    Ok(ExitCode::SUCCESS)
}

fn option(name: &str, default: usize) -> Result<usize> {
    let at = env::args().position(|argument| argument == name);
    match at.and_then(|at| env::args().nth(at + 1)) {
        Some(number) => number
            .parse()
            .with_context(|| format!("{name} takes a number")),
        None => Ok(default),
    }
}

/// `changeover run` with these arguments, but for the interval.
fn supervise(
    arguments: impl Iterator<Item = std::ffi::OsString>,
    started_with: Inherited,
) -> Result<ExitCode> {
    let inherited = env::vars_os().collect();
    let cli = Cli::read(arguments)?;
    let cli::Command::Fetch(fetching) = cli.command else {
        bail!("not a command that fetches");
    };
    telemetry::install(Log::default(), &inherited);
    let config = Config::new(fetching, &inherited)?;
    let Task::Run(mut task) = config.task.clone() else {
        bail!("not run");
    };
    task.watch.interval = Some(INTERVAL);
    Ok(run(config, *task, &inherited, started_with)?.into())
}

/// What a supervisor holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    pss_kib: f64,
    dirty_kib: f64,
    descriptors: usize,
    threads: usize,
}

fn measure(polls: usize, change_every: usize) -> Result<()> {
    ensure!(polls > WARM, "--polls is more than {WARM}");
    // Pages of a file that was just written count as dirty until they are on the disk.
    File::open(env::current_exe()?)?.sync_all()?;
    let simulator = Simulator::start(Options {
        config: vec![("DATABASE_URL".to_owned(), url(0))],
        ..Options::default()
    })?;
    let mut supervisor = Supervisor::start(&simulator)?;
    let (mut first, mut changes) = (None, 0);
    while simulator.request_count() < polls {
        simulator.set_rate_limit_remaining(ACCOUNT);
        let count = simulator.request_count();
        if first.is_none() && count >= WARM {
            first = Some(supervisor.held()?);
        }
        if count / change_every > changes {
            changes += 1;
            simulator.fault(Injection::from(Fault::Unavailable).times(1));
            simulator.set_config("DATABASE_URL", Some(&url(changes)));
        }
        ensure!(supervisor.0.try_wait()?.is_none(), "it has ended");
        pause(Duration::from_millis(20));
    }
    // The last change is through, and the child it started runs.
    pause(Duration::from_secs(3));
    let (first, last) = (first.context("no first look")?, supervisor.held()?);
    println!("soak_polls: {}", simulator.request_count());
    println!("soak_restarts: {changes}");
    for (name, first, last) in [
        ("pss_kib", first.pss_kib, last.pss_kib),
        ("private_dirty_kib", first.dirty_kib, last.dirty_kib),
        (
            "descriptors",
            first.descriptors as f64,
            last.descriptors as f64,
        ),
        ("threads", first.threads as f64, last.threads as f64),
    ] {
        println!("soak_{name}_after_{WARM}: {first}");
        println!("soak_{name}_at_the_end: {last}");
    }
    Ok(())
}

fn url(number: usize) -> String {
    format!("postgres://u1:password-{number}@127.0.0.1:1/d1")
}

/// The supervisor that is measured, killed on drop.
struct Supervisor(Child);

impl Supervisor {
    fn start(simulator: &Simulator) -> Result<Self> {
        let options = ["changeover", "run", "-a", "myapp", "--check-login", "never"];
        let mut child = Command::new(env::current_exe()?)
            .arg(SUPERVISE)
            .args(options)
            .args(["--debounce", "0s", "--api-url", &simulator.url()])
            .args(["--", "/bin/sleep", "100000"])
            .env_clear()
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().context("stderr is piped")?;
        // Nobody sets a subscriber there, but should it say anything, somebody reads it.
        thread::spawn(move || {
            for line in BufReader::new(log).lines().map_while(Result::ok) {
                eprintln!("{line}");
            }
        });
        Ok(Self(child))
    }

    /// The least of some looks: a request that is out has a descriptor of its own.
    fn held(&self) -> Result<Held> {
        let process = Process(self.0.id());
        let mut held = Held::look(process)?;
        for _ in 0..LOOKS {
            pause(Duration::from_millis(1));
            let now = Held::look(process)?;
            held = Held {
                pss_kib: held.pss_kib.min(now.pss_kib),
                dirty_kib: held.dirty_kib.min(now.dirty_kib),
                descriptors: held.descriptors.min(now.descriptors),
                threads: held.threads.min(now.threads),
            };
        }
        Ok(held)
    }
}

impl Held {
    fn look(process: Process) -> Result<Self> {
        Ok(Self {
            pss_kib: process.memory_kib("Pss")?,
            dirty_kib: process.memory_kib("Private_Dirty")?,
            descriptors: process.count("fd")?,
            threads: process.count("task")?,
        })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "it waits for polls to be made")]
fn pause(time: Duration) {
    thread::sleep(time);
}
