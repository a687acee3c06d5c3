//! What `/proc` says about one process: when it started, whose child it is, and its mark.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::process;

use zeroize::Zeroizing;

use crate::credential::environment::INSTANCE_MARK;

/// An ancestry is not followed further than this.
const ANCESTORS_MAX: usize = 4096;

/// No more of an environment is read; the kernel's limit for one string is far below.
const ENVIRON_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// A line of `/proc/PID/stat` fits into this: 52 numbers of at most 20 digits, and a name.
const STAT_BYTES: usize = 2048;

/// `event::Member` promises this: a few names fit into a line.
const NAME_BYTES_MAX: usize = 32;

/// The moment at which a process started, in the kernel's ticks since boot: with its id, a name
/// that is never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartTime(u64);

impl StartTime {
    /// When that process started; `None` when it is gone.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Process::read(pid).map(|process| process.start)
    }

    pub(super) fn ticks(self) -> u64 {
        self.0
    }

    #[cfg(test)]
    pub(super) fn from_ticks(ticks: u64) -> Self {
        Self(ticks)
    }
}

/// What the kernel calls a process, escaped, at most 32 bytes; `None` when it is gone.
#[must_use]
pub fn name_of(pid: u32) -> Option<String> {
    Process::read(pid).map(|process| process.name)
}

/// Where a process comes from.
pub(super) enum Ancestry {
    /// From us: it, its parent and so on, up to our child.
    Ours(Vec<Process>),
    /// From somebody else.
    Stranger,
    /// A process in between ended while we looked.
    Broken,
}

/// One line of `/proc/PID/stat`, as far as it matters here.
#[derive(Clone, Debug)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) start: StartTime,
    state: u8,
    threads: u32,
    pub(super) name: String,
}

impl Process {
    pub(super) fn read(pid: u32) -> Option<Self> {
        // The kernel hands it over as a whole, at once.
        let mut line = [0; STAT_BYTES];
        let mut file = File::open(format!("/proc/{pid}/stat")).ok()?;
        let length = file.read(&mut line).ok()?;
        Self::parse(pid, line.get(..length)?)
    }

    /// The name stands in parentheses and may hold anything, parentheses too.
    pub(super) fn parse(pid: u32, line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let mut name = line.get(open + 1..close)?.escape_ascii().to_string();
        name.truncate(NAME_BYTES_MAX);
        let rest = str::from_utf8(line.get(close + 1..)?).ok()?;
        // The 3rd, the 4th, the 20th and the 22nd of proc(5).
        let mut fields = rest.split_ascii_whitespace();
        let state = *fields.next()?.as_bytes().first()?;
        let parent = fields.next()?.parse().ok()?;
        let threads = fields.nth(15)?.parse().ok()?;
        let start = StartTime(fields.nth(1)?.parse().ok()?);
        Some(Self {
            pid,
            state,
            parent,
            threads,
            start,
            name,
        })
    }

    /// Ended and not yet reaped. A program whose first thread alone has ended looks the same but
    /// for its other threads.
    pub(super) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

/// Whether `/proc` is there, and numbers processes as we do: in a PID namespace that was left
/// without a `/proc` of its own it shows strangers under our children's numbers.
#[must_use]
pub fn sees_us() -> bool {
    let own = process::id().to_string();
    fs::read_link("/proc/self").is_ok_and(|named| named.as_os_str() == own.as_str())
}

/// In the order of their numbers.
pub(super) fn pids() -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Follows the parents up to us, as far as `read` knows them.
pub(super) fn follow(process: &Process, mut read: impl FnMut(u32) -> Option<Process>) -> Ancestry {
    let own = process::id();
    if process.pid == own {
        return Ancestry::Stranger;
    }
    let mut line = vec![process.clone()];
    loop {
        let parent = line[line.len() - 1].parent;
        if parent == own {
            return Ancestry::Ours(line);
        }
        if parent == 0 || line.len() == ANCESTORS_MAX {
            return Ancestry::Stranger;
        }
        match read(parent) {
            Some(process) => line.push(process),
            None => return Ancestry::Broken,
        }
    }
}

/// The mark in a process's environment; `None` where there is none or it cannot be read.
pub(super) fn read_mark(pid: u32) -> Option<String> {
    let mut environ = Zeroizing::new(Vec::new());
    let file = File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(ENVIRON_BYTES_MAX)
        .read_to_end(&mut environ)
        .ok()?;
    environ.split(|byte| *byte == 0).find_map(|variable| {
        let value = variable
            .strip_prefix(INSTANCE_MARK.as_bytes())?
            .strip_prefix(b"=")?;
        Some(str::from_utf8(value).ok()?.to_owned())
    })
}

/// Whether this process may become another user and group; `None` where that cannot be read.
pub(super) fn may_change_identity() -> Option<bool> {
    const CAP_SETGID: u64 = 1 << 6;
    const CAP_SETUID: u64 = 1 << 7;
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    let effective = u64::from_str_radix(line.trim(), 16).ok()?;
    Some(effective & CAP_SETGID != 0 && effective & CAP_SETUID != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_around_a_hostile_name() {
        let line = b"7 (a) b) S 10 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 42 1 1";
        let process = Process::parse(7, line).unwrap();
        assert_eq!(
            (process.parent, process.start, process.threads),
            (10, StartTime(42), 1)
        );
        assert_eq!(process.name, "a) b");
        assert!(Process::parse(1, b"1 (x) S").is_none());
        assert!(Process::parse(1, b")(").is_none());
    }
}
