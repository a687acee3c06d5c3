//! The real program with real children, seen from outside: their lines, its log, its end. Nothing
//! outlives a test.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio, id};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use changeover::testing::heroku::{Options, Simulator};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::world::{eventually, kill_everything, processes_with};

/// Nothing takes this long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Polls and acts as quickly as may be.
pub(crate) const QUICK: &str = "--interval 1s --debounce 100ms";

/// Marks every process of one test in its environment.
pub(super) const MARK: &str = "TEST_MARK";

/// A postgres URL of which only the password differs from the others'. Nobody listens there.
pub(crate) fn url(number: u32) -> String {
    format!("postgres://u1:password-{number}@127.0.0.1:1/d1")
}

/// A simulator whose `DATABASE_URL` is `url(1)`.
pub(crate) fn simulator() -> Simulator {
    Simulator::start(Options {
        config: vec![("DATABASE_URL".to_owned(), url(1))],
        ..Options::default()
    })
    .unwrap()
}

/// How `changeover run` is about to be started.
pub(crate) struct Supervise {
    pub(super) home: TempDir,
    pub(super) mark: String,
    under: Vec<OsString>,
    options: Vec<OsString>,
    environment: Vec<(String, String)>,
    stdin: Stdio,
}

impl Supervise {
    /// With the app and the token of this simulator, and an otherwise empty environment.
    pub(crate) fn on(simulator: &Simulator) -> Self {
        Self::at(&simulator.url())
    }

    /// The same, with whatever answers there.
    pub(crate) fn at(api: &str) -> Self {
        Self::nowhere().options(&format!("-a myapp --api-url {api}"))
    }

    /// Without an app and an API.
    pub(crate) fn nowhere() -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let token = Options::default().token;
        Self {
            home: tempfile::tempdir().unwrap(),
            mark: format!("{}.{number}", id()),
            under: Vec::new(),
            options: Vec::new(),
            environment: vec![("HEROKU_API_KEY".to_owned(), token)],
            stdin: Stdio::piped(),
        }
    }

    /// Started by another program, which becomes `changeover`.
    pub(crate) fn under(mut self, command: &[&str]) -> Self {
        self.under.extend(command.iter().map(OsString::from));
        self
    }

    /// More options, apart by spaces.
    pub(crate) fn options(mut self, options: &str) -> Self {
        self.options.extend(options.split(' ').map(OsString::from));
        self
    }

    /// These options and no others.
    pub(crate) fn only_options(mut self, options: &[&str]) -> Self {
        self.options = options.iter().map(OsString::from).collect();
        self
    }

    /// One more variable of the supervisor's environment; the last of a name counts.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Something else than a pipe for its standard input.
    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.stdin = stdin.into();
        self
    }

    /// The test's own directory, which is `$HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// Starts it with a shell's script as the child.
    pub(crate) fn script(self, script: &str) -> Supervised {
        self.program(&["sh", "-c", script])
    }

    /// Starts it.
    pub(crate) fn program(self, program: &[&str]) -> Supervised {
        let mut command = self.command(program);
        command
            .stdin(self.stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        Supervised {
            out: Lines::of(process.stdout.take().unwrap()),
            log: Lines::of(process.stderr.take().unwrap()),
            process,
            mark: self.mark,
            home: self.home,
        }
    }

    /// What would be started, for a test that wants it otherwise and looks after it by itself.
    pub(crate) fn command(&self, program: &[&str]) -> Command {
        // No terminal, whoever runs the tests.
        let mut command = self.session(&[]);
        command.args(self.words(program));
        command
    }

    /// `changeover run`, its options, and the program.
    pub(super) fn words(&self, program: &[&str]) -> Vec<OsString> {
        let start = [env!("CARGO_BIN_EXE_changeover"), "run"].map(OsString::from);
        let end = ["--"].iter().chain(program).map(OsString::from);
        let options = self.options.iter().cloned();
        start.into_iter().chain(options).chain(end).collect()
    }

    /// Begins a session for what is appended to it: nothing ignored, as whatever runs the tests may
    /// do, and no longer than a test process that is killed and drops nothing.
    pub(super) fn session(&self, options: &[&str]) -> Command {
        let mut command = Command::new("setsid");
        command
            .args(options)
            .args(["env", "--default-signal"])
            .args(["setpriv", "--pdeathsig", "TERM"])
            .args(&self.under)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env(MARK, &self.mark)
            .envs(self.environment.iter().cloned());
        command
    }
}

/// A running `changeover run`. Dropping it ends everything that was ever started below it.
pub(crate) struct Supervised {
    process: Child,
    out: Lines,
    log: Lines,
    mark: String,
    home: TempDir,
}

impl Supervised {
    /// Waits for the next line of a child that contains this. Lines before it are passed over.
    pub(crate) fn line(&mut self, part: &str) -> String {
        let found = self.out.next(part);
        self.or_fail(found, "no child said", part)
    }

    /// Waits for the next line of the log that contains this.
    pub(crate) fn log(&mut self, part: &str) -> String {
        let found = self.log.next(part);
        self.or_fail(found, "the log has no", part)
    }

    /// What children have said so far.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.out.all()
    }

    /// The log so far.
    pub(crate) fn logs(&self) -> Vec<String> {
        self.log.all()
    }

    /// The supervisor's own process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The supervisor, and everything below it.
    pub(crate) fn processes(&self) -> Vec<u32> {
        let mut all = processes_with(&format!("{MARK}={}", self.mark));
        // It may be hidden from all but root.
        all.push(self.pid());
        all
    }

    /// The test's own directory, which is `$HOME`.
    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().to_owned()
    }

    /// Sends the supervisor a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid().cast_signed()), signal).unwrap();
    }

    /// Waits for the supervisor's end; its code.
    pub(crate) fn exit_code(&mut self) -> i32 {
        let status = self.status();
        let told = || {
            format!(
                "the supervisor itself ended by a signal: {status}\n{}",
                self.told()
            )
        };
        status.code().unwrap_or_else(|| panic!("{}", told()))
    }

    /// Sends TERM and waits for the end; its code.
    pub(crate) fn terminate(&mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.exit_code()
    }

    /// Waits for the supervisor's end, and reads all that was said.
    pub(crate) fn status(&mut self) -> ExitStatus {
        let mut status = None;
        let Self { process, .. } = self;
        eventually("the supervisor ends", || {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        // Whoever outlives it may hold its streams open.
        if processes_with(&format!("{MARK}={}", self.mark)).is_empty() {
            eventually("all is read", || self.out.ended() && self.log.ended());
        }
        status.unwrap()
    }

    /// Everything that was said, for people who read a failure.
    pub(crate) fn told(&self) -> String {
        let (out, log) = (self.lines().join("\n"), self.logs().join("\n"));
        format!("--- children:\n{out}\n--- log:\n{log}\n---")
    }

    fn or_fail(&self, found: Option<String>, what: &str, part: &str) -> String {
        found.unwrap_or_else(|| panic!("{what} {part:?}\n{}", self.told()))
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
        kill_everything(&format!("{MARK}={}", self.mark));
    }
}

/// A stream's lines, read as they come.
struct Lines {
    read: Arc<(Mutex<Heard>, Condvar)>,
    cursor: usize,
}

#[derive(Default)]
struct Heard {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let read: Arc<(Mutex<Heard>, Condvar)> = Arc::default();
        let ours = Arc::clone(&read);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                read.0.lock().unwrap().lines.push(line);
                read.1.notify_all();
            }
            read.0.lock().unwrap().ended = true;
            read.1.notify_all();
        });
        Self {
            read: ours,
            cursor: 0,
        }
    }

    fn all(&self) -> Vec<String> {
        self.read.0.lock().unwrap().lines.clone()
    }

    fn ended(&self) -> bool {
        self.read.0.lock().unwrap().ended
    }

    fn next(&mut self, part: &str) -> Option<String> {
        let from = self.cursor;
        let find =
            |read: &Heard| (from..read.lines.len()).find(|at| read.lines[*at].contains(part));
        let read = self.read.0.lock().unwrap();
        let waiting = |read: &mut Heard| find(read).is_none() && !read.ended;
        let (read, _) = self
            .read
            .1
            .wait_timeout_while(read, PATIENCE, waiting)
            .unwrap();
        let at = find(&read)?;
        self.cursor = at + 1;
        Some(read.lines[at].clone())
    }
}
