//! A pseudo-terminal with a session on it: keys are pressed, and what appears is waited for.
//! Nothing outlives a test.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::unistd::tcgetpgrp;
use tempfile::TempDir;

use super::supervised::{MARK, Supervise};
use super::world::kill_everything;

/// Nothing takes this long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// The keys that a terminal turns into signals.
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_BACKSLASH: &str = "\x1c";
pub(crate) const CTRL_Z: &str = "\x1a";

/// A terminal, and who leads the session on it.
pub(crate) struct Terminal {
    leader: Child,
    keys: File,
    /// Kept open: a terminal that everybody has closed forgets its settings.
    end: File,
    /// How it was set before anybody ran on it.
    pub(crate) initial: String,
    seen: Arc<(Mutex<String>, Condvar)>,
    cursor: usize,
    mark: String,
    _home: TempDir,
}

impl Supervise {
    /// Starts it on a terminal of its own, as the leader of its session.
    pub(crate) fn on_terminal(self, program: &[&str]) -> Terminal {
        let mut command = self.session(&["--ctty"]);
        command.args(self.words(program));
        Terminal::open(command, self)
    }

    /// Starts an interactive shell on a terminal. There `$RUN` is the beginning of a command line:
    /// the supervised program is still to follow.
    pub(crate) fn in_shell(self) -> Terminal {
        let words = self.words(&[]);
        let words: Vec<&str> = words.iter().map(|word| word.to_str().unwrap()).collect();
        let mut command = self.session(&["--ctty"]);
        command
            .args(["bash", "--norc", "--noprofile", "--noediting", "-i"])
            .env("RUN", words.join(" "))
            .env("PS1", "shell> ");
        let mut terminal = Terminal::open(command, self);
        terminal.sees("shell> ");
        terminal
    }
}

impl Terminal {
    fn open(mut command: Command, supervise: Supervise) -> Self {
        let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname_r(&master).unwrap();
        let slave = File::options()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NOCTTY)
            .open(&path)
            .unwrap();
        let initial = stty(&slave, &["-g"]);
        let end = || Stdio::from(slave.try_clone().unwrap());
        command.stdin(end()).stdout(end()).stderr(end());
        let leader = command.env("TERM", "vt100").spawn().unwrap();
        let keys = File::from(master.as_fd().try_clone_to_owned().unwrap());
        let seen: Arc<(Mutex<String>, Condvar)> = Arc::default();
        watch(master.into(), Arc::clone(&seen));
        Self {
            leader,
            keys,
            end: slave,
            initial,
            seen,
            cursor: 0,
            mark: supervise.mark,
            _home: supervise.home,
        }
    }

    /// Presses keys. The terminal itself shows them, so what is waited for must look otherwise.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line.
    pub(crate) fn enter(&mut self, line: &str) {
        self.press(&format!("{line}\n"));
    }

    /// Waits until this appears, after what was waited for before; the text up to its line's end so
    /// far.
    pub(crate) fn sees(&mut self, part: &str) -> String {
        let (from, (seen, changed)) = (self.cursor, &*self.seen);
        let missing = |seen: &mut String| !seen[from..].contains(part);
        let guard = seen.lock().unwrap();
        let (seen, _) = changed
            .wait_timeout_while(guard, PATIENCE, missing)
            .unwrap();
        let Some(at) = seen[from..].find(part) else {
            panic!("the terminal has no {part:?} in\n{}", &seen[from..]);
        };
        let line = seen[from + at..].lines().next().unwrap_or_default();
        self.cursor = from + at + part.len();
        line.to_owned()
    }

    /// How often this has appeared.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.text().matches(part).count()
    }

    /// All that has appeared.
    pub(crate) fn text(&self) -> String {
        self.seen.0.lock().unwrap().clone()
    }

    /// The session leader's process id.
    pub(crate) fn leader(&self) -> u32 {
        self.leader.id()
    }

    /// The process group in the foreground.
    pub(crate) fn foreground(&self) -> u32 {
        tcgetpgrp(&self.keys).unwrap().as_raw().cast_unsigned()
    }

    /// How the terminal is set, as `stty` writes it.
    pub(crate) fn settings(&self) -> String {
        stty(&self.end, &["-g"])
    }

    /// Another window size.
    pub(crate) fn resize(&self, rows: u32) {
        stty(&self.end, &["rows", &rows.to_string()]);
    }

    /// Waits for the end of the session's leader; its code.
    pub(crate) fn exit_code(&mut self) -> i32 {
        let mut status = None;
        for _ in 0..6_000 {
            status = self.leader.try_wait().unwrap();
            if status.is_some() {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        let status = status.unwrap_or_else(|| panic!("no end: {:?}", self.text()));
        status
            .code()
            .unwrap_or_else(|| panic!("{status}\n{}", self.text()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.leader.kill();
        let _ = self.leader.wait();
        kill_everything(&format!("{MARK}={}", self.mark));
    }
}

/// Notes all that appears, until the last process has left the terminal.
fn watch(master: OwnedFd, seen: Arc<(Mutex<String>, Condvar)>) {
    let mut master = File::from(master);
    std::thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(length @ 1..) = master.read(&mut bytes) {
            let text = String::from_utf8_lossy(&bytes[..length]).replace('\r', "");
            seen.0.lock().unwrap().push_str(&text);
            seen.1.notify_all();
        }
    });
}

fn stty(terminal: &File, arguments: &[&str]) -> String {
    let mut stty = Command::new("stty");
    stty.args(arguments).stdin(terminal.try_clone().unwrap());
    String::from_utf8(stty.output().unwrap().stdout).unwrap()
}
