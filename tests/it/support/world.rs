//! What tests see of the system around them: processes by number and start time, and waiting for
//! something to be so.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::skip::skipped;

/// Looks this often, with a pause of `PAUSE`: a minute, on a machine that has time for us.
const TRIES: u32 = 6_000;
const PAUSE: Duration = Duration::from_millis(10);

/// Waits until something is so; fails when it never is.
pub(crate) fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if so() {
            return;
        }
        std::thread::park_timeout(PAUSE);
    }
    panic!("never: {what}");
}

/// Becomes PID 1 of a namespace of its own.
pub(crate) const UNSHARE: [&str; 7] = [
    "unshare",
    "--user",
    "--map-root-user",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
];

/// Whether this machine lets us; says so if not.
pub(crate) fn can_unshare() -> bool {
    let tried = Command::new(UNSHARE[0])
        .args(&UNSHARE[1..])
        .arg("true")
        .output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        skipped("this machine allows no PID namespaces");
    }
    can
}

/// One process, never a later one with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    start: String,
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn of(pid: u32) -> Self {
        let (_, start) = stat(pid).unwrap_or_else(|| panic!("there is no process {pid}"));
        Self { pid, start }
    }

    /// The process that a marker names: `what=PID`, up to the next space.
    pub(crate) fn named(line: &str, what: &str) -> Self {
        let rest = line.split(&format!("{what}=")).nth(1);
        let number = rest.and_then(|rest| rest.split(' ').next());
        let pid = number.and_then(|number| number.parse().ok());
        Self::of(pid.unwrap_or_else(|| panic!("no {what}=PID in {line:?}")))
    }

    /// Whether it runs, or waits, or is stopped: all but a zombie.
    pub(crate) fn lives(&self) -> bool {
        self.state()
            .is_some_and(|state| state != "Z" && state != "X")
    }

    /// Its state's letter; `None` when it is gone for good.
    pub(crate) fn state(&self) -> Option<String> {
        let (state, start) = stat(self.pid)?;
        (start == self.start).then_some(state)
    }
}

/// The state and the start time of a process.
fn stat(pid: u32) -> Option<(String, String)> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = line.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.to_owned(), fields.nth(18)?.to_owned()))
}

/// Every process number that there is.
pub(crate) fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.collect()
}

/// The zombies that wait for this process to reap them.
pub(crate) fn zombies_of(parent: u32) -> Vec<u32> {
    of_parent(parent, |state| state == "Z")
}

/// The processes whose parent this one is.
pub(crate) fn children_of(parent: u32) -> Vec<u32> {
    of_parent(parent, |_| true)
}

fn of_parent(parent: u32, wanted: impl Fn(&str) -> bool) -> Vec<u32> {
    let is_one = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = line.rsplit_once(") ").map(|(_, rest)| rest.to_owned());
        let fields = fields.unwrap_or_default();
        let mut fields = fields.split(' ');
        let state = fields.next().unwrap_or_default().to_owned();
        wanted(&state) && fields.next() == Some(&parent.to_string())
    };
    pids().into_iter().filter(is_one).collect()
}

/// The processes with this variable in their environment.
pub(crate) fn processes_with(variable: &str) -> Vec<u32> {
    let has_it = |pid: &u32| {
        let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environ
            .split(|byte| *byte == 0)
            .any(|one| one == variable.as_bytes())
    };
    pids().into_iter().filter(has_it).collect()
}

/// Kills all processes with this variable in their environment, and those that they start
/// meanwhile.
pub(crate) fn kill_everything(variable: &str) {
    for _ in 0..100 {
        let found = processes_with(variable);
        if found.is_empty() {
            return;
        }
        for pid in found {
            // It may be gone by now.
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
        }
        std::thread::park_timeout(PAUSE);
    }
}
