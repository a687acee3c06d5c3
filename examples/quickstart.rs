//! The main job in half a minute, without an account: `cargo run --example quickstart`.
//!
//! A simulated Heroku runs inside this process. A supervisor runs a small program with the
//! simulator's `DATABASE_URL` and lives through a rotation, an outage, a promotion and a dead
//! token.
//!
//! Cargo builds no binary for an example, so this file plays all parts: without an argument it is
//! the demonstration; with `changeover …` it is the supervisor, exactly as `src/main.rs`; with
//! `child` it is the program.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use changeover::testing::heroku::{Fault, Options, Simulator};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

/// Longer than any wait below should take; what is waited for is always a line, never a time.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long this machine idles before each bare start, as it does before a restart (`--debounce`).
const IDLENESS: Duration = Duration::from_secs(1);
const BARE_STARTS: usize = 5;

fn main() -> ExitCode {
    let first_instruction = monotonic();
    let part = std::env::args_os().nth(1);
    match part.as_deref().and_then(OsStr::to_str) {
        Some("changeover") => supervisor(),
        Some("child") => program(first_instruction),
        Some(_) => {
            eprintln!("usage: cargo run --example quickstart");
            ExitCode::from(2)
        }
        None => match demonstration() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("✗ {error:#}");
                ExitCode::FAILURE
            }
        },
    }
}

// -------- the supervisor ------------------------------------------------------------------

/// `src/main.rs`, but that it ends with the demonstration.
fn supervisor() -> ExitCode {
    let started_with = changeover::process::Inherited::record();
    let _ = prctl::set_pdeathsig(Signal::SIGTERM);
    let inherited = std::env::vars_os().collect();
    changeover::commands::main(std::env::args_os().skip(1), &inherited, started_with).into()
}

// -------- the program ---------------------------------------------------------------------

/// Says who it is and which password it has, and ends when it is asked to.
fn program(first_instruction: u64) -> ExitCode {
    let Ok(mut signals) = Signals::new([SIGTERM]) else {
        return ExitCode::FAILURE;
    };
    let pid = std::process::id();
    let url = std::env::var("DATABASE_URL").unwrap_or_default();
    say(&format!(
        "program up: pid={pid} password=…{} first_instruction={first_instruction}",
        password_end(&url)
    ));
    signals.forever().next();
    say(&format!(
        "program down: pid={pid} last_instruction={}",
        monotonic()
    ));
    ExitCode::SUCCESS
}

fn say(line: &str) {
    let mut stdout = std::io::stdout();
    // Without a reader there is nobody to tell.
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// The last four characters of a URL's password: enough to tell two apart.
fn password_end(url: &str) -> &str {
    let login = url.rsplit_once('@').map_or("", |(login, _)| login);
    login.len().checked_sub(4).map_or("", |at| &login[at..])
}

/// Nanoseconds on the clock that all processes share.
fn monotonic() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from);
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

// --------------------------------------------------------------------------------------------- the
// demonstration

fn demonstration() -> Result<()> {
    // Whatever outlives its parent becomes our child, so that the last step can see it.
    prctl::set_child_subreaper(true)?;
    println!("A simulated Heroku, changeover, and a program that prints its pid. Half a minute.\n");
    let directory = tempfile::tempdir()?;
    let token = directory.path().join("token");
    write_token(&token, "HRKU-first")?;
    let heroku = Simulator::start(Options {
        token: "HRKU-first".to_owned(),
        ..Options::default()
    })?;
    let mut supervised = Supervised::start(&heroku, &token)?;

    let first = starts_with_the_fresh_url(&heroku, &mut supervised)?;
    let second = restarts_on_a_rotation(&heroku, &mut supervised, &first)?;
    let third = leaves_the_program_alone(&heroku, &mut supervised, &second)?;
    recovers_from_a_dead_token(&heroku, &mut supervised, &third, &token)?;
    leaves_nothing_behind(supervised)
}

fn starts_with_the_fresh_url(heroku: &Simulator, supervised: &mut Supervised) -> Result<Up> {
    let first = supervised.next_start(heroku)?;
    println!(
        "✓ started with the fresh DATABASE_URL: pid {}, password …{}\n",
        first.pid, first.password
    );
    Ok(first)
}

fn restarts_on_a_rotation(heroku: &Simulator, supervised: &mut Supervised, old: &Up) -> Result<Up> {
    heroku.rotate("default")?;
    let new = supervised.next_start(heroku)?;
    ensure!(new.pid != old.pid, "the program was not restarted");
    ensure!(
        new.password != old.password,
        "the program has its old password"
    );
    let ended = supervised
        .last_end
        .context("the old program did not end well")?;
    let dead_time = new.first_instruction.saturating_sub(ended);
    let bare = supervised.median_bare_start(heroku)?;
    println!(
        "✓ rotation: pid {} → {}, password …{} → …{}; nothing ran for {}, a bare fork + exec takes {}\n",
        old.pid,
        new.pid,
        old.password,
        new.password,
        milliseconds(dead_time),
        milliseconds(bare),
    );
    Ok(new)
}

fn leaves_the_program_alone(
    heroku: &Simulator,
    supervised: &mut Supervised,
    old: &Up,
) -> Result<Up> {
    heroku.fault(Fault::Unavailable);
    supervised.wait_for_log("Heroku API not answering: 503")?;
    heroku.fault(Fault::EmptyString);
    supervised.wait_for_log("is empty")?;
    heroku.clear_faults();
    supervised.wait_for_log("usable again")?;
    heroku.set_promotion_gap(Duration::from_secs(4));
    heroku.promote("HEROKU_POSTGRESQL_COBALT")?;
    supervised.wait_for_log("is missing")?;
    ensure!(
        supervised.starts == 2 && old.is_alive(),
        "an outage or a bad value touched the program"
    );
    let new = supervised.next_start(heroku)?;
    ensure!(
        supervised.starts == 3,
        "the promotion restarted the program more than once"
    );
    println!(
        "✓ 503, an empty and a missing DATABASE_URL: still pid {}; the promotion itself: pid {}\n",
        old.pid, new.pid
    );
    Ok(new)
}

fn recovers_from_a_dead_token(
    heroku: &Simulator,
    supervised: &mut Supervised,
    old: &Up,
    token: &Path,
) -> Result<()> {
    heroku.set_token("HRKU-second");
    supervised.wait_for_log("Heroku refused the token")?;
    heroku.rotate("default")?;
    write_token(token, "HRKU-second")?;
    supervised.wait_for_log("answers again")?;
    ensure!(
        supervised.starts == 3 && old.is_alive(),
        "the dead token touched the program"
    );
    let new = supervised.next_start(heroku)?;
    println!(
        "✓ token revoked, then replaced in its file: the supervisor recovered and caught the rotation it could not \
         see: pid {} → {}\n",
        old.pid, new.pid
    );
    Ok(())
}

fn leaves_nothing_behind(mut supervised: Supervised) -> Result<()> {
    let status = supervised.stop()?;
    ensure!(status.success(), "the supervisor ended with {status}");
    let left = waitpid(None::<Pid>, Some(WaitPidFlag::WNOHANG));
    ensure!(
        left == Err(Errno::ECHILD),
        "a process is left behind: {left:?}"
    );
    println!(
        "✓ TERM: the program was stopped, the supervisor ended with its code, no process left"
    );
    Ok(())
}

// -------- what it stands on ---------------------------------------------------------------

/// What the program said when it came up.
struct Up {
    pid: i32,
    password: String,
    first_instruction: u64,
}

impl Up {
    fn read(line: &str) -> Option<Self> {
        Some(Self {
            pid: field(line, "pid=")?.parse().ok()?,
            password: field(line, "password=…")?.to_owned(),
            first_instruction: field(line, "first_instruction=")?.parse().ok()?,
        })
    }

    fn is_alive(&self) -> bool {
        kill(Pid::from_raw(self.pid), None).is_ok()
    }
}

enum Line {
    /// From the supervisor's standard error.
    Log(String),
    /// From the program, whose standard output is the supervisor's.
    Program(String),
}

/// A supervisor that runs the program. Dropping it stops both.
struct Supervised {
    process: Child,
    executable: PathBuf,
    lines: Receiver<Line>,
    /// How often the program came up.
    starts: usize,
    /// When the program last ended.
    last_end: Option<u64>,
}

impl Supervised {
    fn start(heroku: &Simulator, token: &Path) -> Result<Self> {
        let executable = std::env::current_exe()?;
        let mut process = Command::new(&executable)
            .args(["changeover", "run", "--app", "myapp", "--interval", "1s"])
            .args(["--api-url", &heroku.url()])
            // Its databases are made up, too: there is none to log in to.
            .args(["--check-login", "never"])
            .arg("--token-file")
            .arg(token)
            .arg("--")
            .arg(&executable)
            .arg("child")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("the supervisor could not be started")?;
        let (sender, lines) = mpsc::channel();
        forward(process.stderr.take(), sender.clone(), Line::Log);
        forward(process.stdout.take(), sender, Line::Program);
        Ok(Self {
            process,
            executable,
            lines,
            starts: 0,
            last_end: None,
        })
    }

    /// Shows the next line, if one comes in time, and notes what it says.
    fn next_line(&mut self, patience: Duration) -> Result<Option<Line>> {
        let line = match self.lines.recv_timeout(patience) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the supervisor has ended"),
        };
        let (Line::Log(text) | Line::Program(text)) = &line;
        show(text);
        if let Line::Program(text) = &line {
            self.starts += usize::from(text.starts_with("program up: "));
            let ended = field(text, "last_instruction=").and_then(|at| at.parse().ok());
            self.last_end = ended.or(self.last_end);
        }
        Ok(Some(line))
    }

    /// Waits until the supervisor logs a line with this text.
    fn wait_for_log(&mut self, marker: &str) -> Result<()> {
        loop {
            match self.next_line(PATIENCE)? {
                Some(Line::Log(line)) if line.contains(marker) => return Ok(()),
                Some(_) => {}
                None => bail!("the supervisor said nothing like “{marker}” within {PATIENCE:?}"),
            }
        }
    }

    /// Waits until the program comes up; it must have the newest password.
    fn next_start(&mut self, heroku: &Simulator) -> Result<Up> {
        let up = loop {
            match self.next_line(PATIENCE)? {
                Some(Line::Program(line)) => {
                    if let Some(up) = Up::read(&line) {
                        break up;
                    }
                }
                Some(Line::Log(_)) => {}
                None => bail!("the program was not started within {PATIENCE:?}"),
            }
        };
        let newest = heroku.config_var("DATABASE_URL").unwrap_or_default();
        ensure!(
            up.password == password_end(&newest),
            "pid {} has an old password",
            up.pid
        );
        Ok(up)
    }

    /// How long the program needs from fork to its first instruction, without any supervisor.
    fn median_bare_start(&mut self, heroku: &Simulator) -> Result<u64> {
        let mut times = Vec::new();
        let url = heroku.config_var("DATABASE_URL").unwrap_or_default();
        for _ in 0..BARE_STARTS {
            while self.next_line(IDLENESS)?.is_some() {}
            times.push(bare_start(&self.executable, &url)?);
        }
        times.sort_unstable();
        Ok(times[times.len() / 2])
    }

    /// TERM, and the lines until the end.
    fn stop(&mut self) -> Result<ExitStatus> {
        kill(self.pid(), Signal::SIGTERM)?;
        while self.next_line(PATIENCE).is_ok_and(|line| line.is_some()) {}
        Ok(self.process.wait()?)
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.process.id().cast_signed())
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            let _ = kill(self.pid(), Signal::SIGTERM);
            while self.next_line(PATIENCE).is_ok_and(|line| line.is_some()) {}
            // KILL takes the program with it: it has a parent-death signal.
            let _ = self.process.kill();
            let _ = self.process.wait();
        }
    }
}

fn bare_start(executable: &Path, url: &str) -> Result<u64> {
    let before = monotonic();
    let mut child = Command::new(executable)
        .arg("child")
        .env_clear()
        .env("DATABASE_URL", url)
        .env("PGSSLMODE", "require")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let stdout = child.stdout.take().context("no standard output")?;
    let read = BufReader::new(stdout).read_line(&mut line);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGTERM)?;
    child.wait()?;
    read?;
    let up = Up::read(line.trim_end()).context("the program said nothing")?;
    Ok(up.first_instruction.saturating_sub(before))
}

/// Sends each line of a pipe on, until it ends.
fn forward(
    pipe: Option<impl Read + Send + 'static>,
    sender: Sender<Line>,
    kind: fn(String) -> Line,
) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(kind(line)).is_err() {
                return;
            }
        }
    });
}

/// What follows `name` in a line of words.
fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    line.split(' ').find_map(|word| word.strip_prefix(name))
}

/// Replaces the token's file in one step; mode 0600.
fn write_token(path: &Path, token: &str) -> Result<()> {
    let directory = path.parent().context("a file lies in a directory")?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(token.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// Indented, and dim on a terminal.
fn show(line: &str) {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        println!("    \x1b[2m{line}\x1b[0m");
    } else {
        println!("    {line}");
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with two digits")]
fn milliseconds(nanoseconds: u64) -> String {
    format!("{:.2} ms", nanoseconds as f64 / 1e6)
}
