//! A long life of one supervisor: what it holds early, and what it holds at the end, after a
//! hundred thousand polls, two thousand restarts and a million orphans of its program's. It is the
//! program from its options to its child; only the interval is shorter than `--interval` may be, so
//! that ten weeks pass in some minutes.
//!
//! `cargo bench --bench soak -- [--polls N] [--restarts N] [--orphans N]`, as root. The URL changes
//! at even steps, which starts the child again; each tenth restart is asked for on the control
//! socket, and with each hundredth a request fails. At the end the child makes the orphans, of
//! which the supervisor is told by the kernel alone. It exits with 1 when more is held than may be
//! (the bounds stand below), or when the supervisor does not end as it is told. Memory is read from
//! `smaps_rollup`.
//!
//! # Under valgrind and AddressSanitizer
//!
//! `--under "PROGRAM ARGS"` puts a program before the supervisor; how much memory that takes is not
//! judged then. valgrind knows what is read before it is written, what is lost, and descriptors:
//!
//! ```sh
//! cargo bench --profile dev --bench soak -- \
//!   --polls 200 --restarts 20 --orphans 1000 --under 'valgrind --leak-check=full
//!   --track-fds=yes --error-exitcode=9 --errors-for-leak-kinds=definite'
//! ```
//!
//! AddressSanitizer, which looks for leaks at the end, is a part of the program instead. (With
//! nightly; a stable compiler has it, too, and obeys with `RUSTC_BOOTSTRAP=1`.)
//!
//! ```sh
//! RUSTFLAGS=-Zsanitizer=address cargo +nightly bench --profile dev --bench soak \
//!   --target x86_64-unknown-linux-gnu --target-dir target/asan -- \
//!   --polls 2000 --restarts 100 --orphans 10000 --under env
//! ```

#[expect(dead_code, reason = "shared with other benches")]
mod kit;
#[path = "kit/orphans.rs"]
mod orphans;

use std::env;
use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use changeover::admin::view::View;
use changeover::admin::{Request, Response, Word};
use changeover::cli::{self, Cli};
use changeover::commands::run::run;
use changeover::config::{Config, Log, Task};
use changeover::process::Inherited;
use changeover::runtime::telemetry;
use changeover::testing::heroku::{Fault, Injection, Options, Simulator};

use kit::Process;

/// What is held by then is compared with what is held at the end; a tenth of less polls.
const WARM: usize = 2000;
/// The account never runs low: polls would be stretched.
const ACCOUNT: u32 = 4500;
const LOOKS: u32 = 50;
const INTERVAL: Duration = Duration::from_millis(1);
const STEP: Duration = Duration::from_millis(5);
/// What has not come after so many steps never will: some minutes.
const STEPS_MAX: usize = 40_000;
/// So many orphans are made in one step, however slow the machine is.
const ORPHANS_A_STEP: usize = 2;
/// This program, as the supervisor that is measured.
const SUPERVISE: &str = "--supervise";
/// This program, as the child.
const CHILD: &str = "--child";
/// A URL that tells a child to make orphans ends with this and their number.
const ORPHANS: &str = "/orphans-";
/// The supervisor's code when its child was stopped by TERM.
const ENDED: i32 = 143;
/// More memory than at the first look, in KiB, is a leak: eight bytes for each of thirty thousand
/// events would be.
const DIRTY_KIB_MAX: f64 = 256.0;
/// The same of what is shared, too: pages of the program that were not needed before.
const PSS_KIB_MAX: f64 = 768.0;

fn main() -> Result<ExitCode> {
    let started_with = Inherited::record();
    let mut arguments = env::args_os();
    match arguments.nth(1) {
        Some(first) if first == SUPERVISE => return supervise(arguments, started_with),
        Some(first) if first == CHILD => return live(),
        Some(_) | None => {}
    }
    let life = Life {
        polls: option("--polls", 100_000)?,
        restarts: option("--restarts", 2000)?,
        orphans: option("--orphans", 1_000_000)?,
        under: text("--under"),
    };
    let leaks = life.measure()?;
    for leak in &leaks {
        eprintln!("soak: {leak}");
    }
    Ok(ExitCode::from(u8::from(!leaks.is_empty())))
}

fn text(name: &str) -> Option<String> {
    let at = env::args().position(|argument| argument == name);
    at.and_then(|at| env::args().nth(at + 1))
}

fn option(name: &str, default: usize) -> Result<usize> {
    let number = text(name).map(|number| number.parse());
    let number = number.transpose();
    Ok(number
        .with_context(|| format!("{name} takes a number"))?
        .unwrap_or(default))
}

/// `changeover run` with these arguments, but for the interval.
fn supervise(
    arguments: impl Iterator<Item = OsString>,
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

/// Makes as many orphans as the URL says, says so, and waits for its end.
fn live() -> Result<ExitCode> {
    let url = env::var("DATABASE_URL")?;
    if let Some((_, count)) = url.split_once(ORPHANS) {
        let count = count.parse()?;
        orphans::make(count)?;
        println!("{count}");
    }
    loop {
        thread::park();
    }
}

/// How long a life is.
struct Life {
    polls: usize,
    restarts: usize,
    orphans: usize,
    under: Option<String>,
}

impl Life {
    /// What is wrong at its end.
    fn measure(&self) -> Result<Vec<String>> {
        // Pages of a file that was just written count as dirty until they are on the disk.
        File::open(env::current_exe()?)?.sync_all()?;
        let simulator = Simulator::start(Options {
            config: vec![("DATABASE_URL".to_owned(), url(0))],
            ..Options::default()
        })?;
        let mut supervisor = Supervisor::start(&simulator, self.under.as_deref())?;
        let first = self.poll_and_restart(&simulator, &mut supervisor)?;
        let middle = supervisor.held()?;
        let polls = simulator.request_count();
        self.orphan(&simulator, &mut supervisor)?;
        let last = supervisor.held()?;
        let view = supervisor.view()?;
        println!("soak_polls: {polls}");
        println!("soak_restarts_for_a_change: {}", view.restarts.change);
        println!("soak_restarts_asked_for: {}", view.restarts.asked);
        println!("soak_orphans: {}", self.orphans);
        let warm = self.warm();
        first.tell(&format!("after_{warm}_polls"));
        middle.tell("after_all_polls");
        last.tell("at_the_end");
        let mut wrong = last.beyond(&first, self.under.is_none());
        wrong.extend(supervisor.end()?);
        Ok(wrong)
    }

    fn warm(&self) -> usize {
        WARM.min(self.polls / 10)
    }

    /// What is held early.
    fn poll_and_restart(&self, simulator: &Simulator, supervisor: &mut Supervisor) -> Result<Held> {
        let (mut first, mut restarts, mut waited) = (None, 0, 0);
        loop {
            simulator.set_rate_limit_remaining(ACCOUNT);
            let polls = simulator.request_count();
            if first.is_none() && polls >= self.warm() {
                first = Some(supervisor.held()?);
            }
            let is_due = restarts < self.restarts && polls * self.restarts >= restarts * self.polls;
            if is_due && supervisor.has_restarted(restarts)? {
                (restarts, waited) = (restarts + 1, 0);
                let number = restarts;
                match number % 10 {
                    0 => supervisor.restart()?,
                    _ => simulator.set_config("DATABASE_URL", Some(&url(number))),
                }
                if number.is_multiple_of(100) {
                    simulator.fault(Injection::from(Fault::Unavailable).times(1));
                }
            }
            let is_over = polls >= self.polls && restarts == self.restarts;
            match first {
                Some(first) if is_over && supervisor.has_restarted(restarts)? => return Ok(first),
                Some(_) | None => {}
            }
            supervisor.lives()?;
            waited += usize::from(is_due || is_over);
            ensure!(waited < STEPS_MAX, "restart {restarts} does not come");
            pause(STEP);
        }
    }

    fn orphan(&self, simulator: &Simulator, supervisor: &mut Supervisor) -> Result<()> {
        let process = Process(supervisor.process.id());
        let before = process.reaped_faults()?;
        let url = format!("{}{ORPHANS}{}", url(0), self.orphans);
        simulator.set_config("DATABASE_URL", Some(&url));
        let mut left = STEPS_MAX + self.orphans / ORPHANS_A_STEP;
        loop {
            simulator.set_rate_limit_remaining(ACCOUNT);
            match supervisor.said.try_recv() {
                Ok(count) => {
                    ensure!(count == self.orphans.to_string(), "{count} orphans");
                    break;
                }
                Err(TryRecvError::Empty) => {
                    left -= 1;
                    ensure!(left > 0, "orphans are not reaped");
                    pause(STEP);
                }
                Err(TryRecvError::Disconnected) => bail!("the supervisor has ended"),
            }
        }
        // The last ones are being reaped.
        pause(Duration::from_secs(1));
        let faults = usize::try_from(process.reaped_faults()? - before)?;
        ensure!(faults >= self.orphans, "the supervisor has not reaped them");
        Ok(())
    }
}

fn url(number: usize) -> String {
    format!("postgres://u1:password-{number}@127.0.0.1:1/d1")
}

/// What a supervisor holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    pss_kib: f64,
    dirty_kib: f64,
    descriptors: usize,
    threads: usize,
    processes: usize,
    zombies: usize,
}

impl Held {
    fn look(process: Process) -> Result<Self> {
        let children = process.children()?;
        Ok(Self {
            pss_kib: process.memory_kib("Pss")?,
            dirty_kib: process.memory_kib("Private_Dirty")?,
            descriptors: process.count("fd")?,
            threads: process.count("task")?,
            processes: children.len(),
            zombies: children.iter().filter(|child| child.is_zombie()).count(),
        })
    }

    /// The least of each.
    fn least(self, other: Self) -> Self {
        Self {
            pss_kib: self.pss_kib.min(other.pss_kib),
            dirty_kib: self.dirty_kib.min(other.dirty_kib),
            descriptors: self.descriptors.min(other.descriptors),
            threads: self.threads.min(other.threads),
            processes: self.processes.min(other.processes),
            zombies: self.zombies.min(other.zombies),
        }
    }

    fn tell(&self, when: &str) {
        println!("soak_pss_kib_{when}: {}", self.pss_kib);
        println!("soak_private_dirty_kib_{when}: {}", self.dirty_kib);
        println!("soak_descriptors_{when}: {}", self.descriptors);
        println!("soak_threads_{when}: {}", self.threads);
        println!("soak_children_{when}: {}", self.processes);
        println!("soak_zombies_{when}: {}", self.zombies);
    }

    /// What is more than it may be, after `first`.
    fn beyond(&self, first: &Self, memory_counts: bool) -> Vec<String> {
        let mut beyond = Vec::new();
        let mut hold = |holds: bool, what: String| {
            if !holds {
                beyond.push(what);
            }
        };
        let dirty = self.dirty_kib - first.dirty_kib;
        let pss = self.pss_kib - first.pss_kib;
        hold(
            !memory_counts || dirty <= DIRTY_KIB_MAX,
            format!("{dirty} KiB more of dirty memory: {DIRTY_KIB_MAX} may be"),
        );
        hold(
            !memory_counts || pss <= PSS_KIB_MAX,
            format!("{pss} KiB more of memory: {PSS_KIB_MAX} may be"),
        );
        for (what, last, most) in [
            ("descriptors", self.descriptors, first.descriptors),
            ("threads", self.threads, first.threads),
            ("children", self.processes, 1),
            ("zombies", self.zombies, 0),
        ] {
            hold(last <= most, format!("{last} {what}: {most} may be"));
        }
        beyond
    }
}

/// The supervisor that is measured, killed on drop.
struct Supervisor {
    process: Child,
    control: PathBuf,
    /// What its children say.
    said: Receiver<String>,
    _directory: tempfile::TempDir,
}

impl Supervisor {
    fn start(simulator: &Simulator, under: Option<&str>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let control = directory.path().join("control");
        let own = env::current_exe()?;
        let mut words = under.unwrap_or_default().split_whitespace();
        let mut command = match words.next() {
            Some(program) => Command::new(program),
            None => Command::new(&own),
        };
        if under.is_some() {
            command.args(words).arg(&own);
        }
        let options = ["changeover", "run", "-a", "myapp", "--check-login", "never"];
        let mut process = command
            .arg(SUPERVISE)
            .args(options)
            .args([
                "--debounce",
                "0s",
                "--api-url",
                &simulator.url(),
                "--control",
            ])
            .arg(&control)
            .arg("--")
            .arg(&own)
            .arg(CHILD)
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| name == "PATH"))
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = process.stderr.take().context("stderr is piped")?;
        // Its log is too long for anybody; what a checker says is not.
        let is_logged = |line: &String| line.starts_with("20");
        thread::spawn(move || {
            let told = lines(log).filter(|line| !is_logged(line));
            told.for_each(|line| eprintln!("{line}"));
        });
        let words = process.stdout.take().context("stdout is piped")?;
        let (sender, said) = mpsc::channel();
        thread::spawn(move || lines(words).try_for_each(|line| sender.send(line)));
        Ok(Self {
            process,
            control,
            said,
            _directory: directory,
        })
    }

    fn lives(&mut self) -> Result<()> {
        ensure!(self.process.try_wait()?.is_none(), "it has ended");
        Ok(())
    }

    /// The least of some looks: a request that is out has a descriptor of its own.
    fn held(&self) -> Result<Held> {
        let process = Process(self.process.id());
        let mut held = Held::look(process)?;
        for _ in 0..LOOKS {
            pause(Duration::from_millis(1));
            held = held.least(Held::look(process)?);
        }
        Ok(held)
    }

    /// Whether so many restarts have been made, and the newest child runs.
    fn has_restarted(&self, times: usize) -> Result<bool> {
        let Ok(view) = self.view() else {
            // Its socket is not there yet.
            return Ok(false);
        };
        let restarts = &view.restarts;
        let others = restarts.failover + restarts.own_end;
        ensure!(others == 0, "{others} restarts that nobody asked for");
        let made = usize::try_from(restarts.change + restarts.asked)?;
        Ok(made >= times && view.phase == "running")
    }

    fn view(&self) -> Result<View> {
        let status = self.ask(Word::Status)?.status;
        status.map(|view| *view).context("no status")
    }

    fn restart(&self) -> Result<()> {
        self.ask(Word::Restart).map(drop)
    }

    fn ask(&self, verb: Word) -> Result<Response> {
        let mut stream = UnixStream::connect(&self.control)?;
        let mut line = serde_json::to_vec(&Request::new(verb))?;
        line.push(b'\n');
        stream.write_all(&line)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let response = Response::read(&answer)?;
        ensure!(response.ok, "{verb:?}: {:?}", response.error);
        Ok(response)
    }

    /// What is wrong about its end: a checker before it, or in it, has a code of its own.
    fn end(mut self) -> Result<Option<String>> {
        self.ask(Word::Stop)?;
        for _ in 0..STEPS_MAX {
            if let Some(status) = self.process.try_wait()? {
                let is_right = status.code() == Some(ENDED);
                return Ok((!is_right).then(|| format!("the supervisor ended with {status}")));
            }
            pause(STEP);
        }
        Ok(Some("the supervisor does not end".to_owned()))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn lines(read: impl Read) -> impl Iterator<Item = String> {
    BufReader::new(read).lines().map_while(Result::ok)
}

#[expect(clippy::disallowed_methods, reason = "it waits for polls to be made")]
fn pause(time: Duration) {
    thread::sleep(time);
}
