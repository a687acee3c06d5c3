//! What an instance left behind: which processes in `/proc` belong to it, and signalling all of them.
//!
//! As a subreaper we are the parent of every orphan below us, so whatever belongs to an instance descends from us. Which
//! instance it belongs to is told by the nearest ancestor (or itself) that carries a mark in its environment; where no
//! environment can be read or all were cleared, by the times at which it and its ancestors started.
//!
//! A scan costs about a millisecond: only when `collect` says that children are left.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::process;

use zeroize::Zeroizing;

use crate::credential::environment::INSTANCE_MARK;
use crate::supervisor::signal::Signal;

use super::spawn::{pidfd_open, pidfd_signal};

/// Looks this often for processes that were forked while others were signalled.
const SCANS_MAX: usize = 100;

/// An ancestry is not followed further than this.
const ANCESTORS_MAX: usize = 4096;

/// No more of an environment is read; the kernel's limit for one string is far below.
const ENVIRON_BYTES_MAX: u64 = 4 * 1024 * 1024;

const NAME_BYTES_MAX: usize = 64;

/// The moment at which a process started, in the kernel's ticks since boot: with its id, a name that is never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct StartTime(u64);

impl StartTime {
    /// When that process started; `None` when it is gone.
    #[must_use]
    pub fn of(pid: u32) -> Option<Self> {
        Process::read(pid).map(|process| process.start)
    }
}

/// Names this supervisor in its children's environments, where another one's children may live too. An instance's mark is
/// this, a dot and the instance.
#[must_use]
pub fn supervisor_mark() -> String {
    let pid = process::id();
    let start = StartTime::of(pid).map_or(0, |start| start.0);
    format!("{pid}.{start}")
}

/// All processes of one instance.
#[derive(Clone, Debug)]
pub struct Tree {
    mark: String,
    leader: u32,
    start: StartTime,
}

/// A process that belongs to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its process id.
    pub pid: u32,
    /// What the kernel calls it, escaped, at most 64 bytes.
    pub name: String,
}

/// What `signal_all` did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swept {
    /// So many processes got the signal.
    pub signalled: usize,
    /// Whether the last look showed no new member; else they fork more quickly than we look.
    pub settled: bool,
}

impl Tree {
    /// The tree below a leader that was started with this mark in its environment.
    #[must_use]
    pub fn new(mark: String, leader: u32, start: StartTime) -> Self {
        Self {
            mark,
            leader,
            start,
        }
    }

    /// The members that live. A zombie is none.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let found = self.scan();
        found
            .into_iter()
            .map(|process| Member {
                pid: process.pid,
                name: process.name,
            })
            .collect()
    }

    /// Whether one process is a member, without a scan.
    #[must_use]
    pub fn contains(&self, pid: u32) -> bool {
        self.owns(&ancestry(pid, Process::read), &mut read_mark, None)
    }

    /// Sends a signal to every member, also to those that are forked meanwhile. A signal other than KILL is followed by
    /// CONT, or a stopped process would never see it.
    pub fn signal_all(&self, signal: Signal) -> Swept {
        let mut seen = BTreeSet::new();
        let mut signalled = 0;
        for _ in 0..SCANS_MAX {
            let before = seen.len();
            for process in self.scan() {
                if seen.insert((process.pid, process.start)) && deliver(&process, signal).is_ok() {
                    signalled += 1;
                }
            }
            if seen.len() == before {
                return Swept {
                    signalled,
                    settled: true,
                };
            }
        }
        Swept {
            signalled,
            settled: false,
        }
    }

    fn scan(&self) -> Vec<Process> {
        let all = snapshot();
        let mut marks = BTreeMap::new();
        let mut mark_of = |pid: u32| marks.entry(pid).or_insert_with(|| read_mark(pid)).clone();
        let ancestries: Vec<Vec<Process>> = all
            .values()
            .map(|process| ancestry(process.pid, |pid| all.get(&pid).cloned()))
            .filter(|line| !line.is_empty())
            .collect();
        // What nobody marked and the next instance may have started is not ours to end.
        let next = ancestries
            .iter()
            .map(|line| &line[0])
            .filter(|process| process.start > self.start)
            .filter(|process| mark_of(process.pid).is_some_and(|mark| self.is_sibling(&mark)))
            .map(|process| process.start)
            .min();
        ancestries
            .into_iter()
            .filter(|line| self.owns(line, &mut mark_of, next))
            .filter_map(|line| line.into_iter().next())
            .collect()
    }

    /// `line`: a process and its ancestors up to our child. `next`: when the next instance started.
    fn owns(
        &self,
        line: &[Process],
        mark_of: &mut impl FnMut(u32) -> Option<String>,
        next: Option<StartTime>,
    ) -> bool {
        let Some(process) = line.first().filter(|process| !process.is_zombie()) else {
            return false;
        };
        for ancestor in line {
            if (ancestor.pid, ancestor.start) == (self.leader, self.start) {
                return true;
            }
            match mark_of(ancestor.pid) {
                Some(mark) if mark == self.mark => return true,
                Some(mark) if self.is_sibling(&mark) => return false,
                // Unmarked, or by another supervisor below us, or by one above us before our child had its own.
                Some(_) | None => {}
            }
        }
        line.iter().all(|ancestor| ancestor.start >= self.start)
            && next.is_none_or(|next| process.start < next)
    }

    /// Whether a mark is another instance's of this same supervisor.
    fn is_sibling(&self, mark: &str) -> bool {
        let supervisor = |mark: &str| {
            mark.rsplit_once('.')
                .map(|(supervisor, _)| supervisor.to_owned())
        };
        mark != self.mark
            && supervisor(mark).is_some_and(|found| supervisor(&self.mark) == Some(found))
    }
}

/// One line of `/proc/PID/stat`, as far as it matters here.
#[derive(Clone, Debug)]
struct Process {
    pid: u32,
    parent: u32,
    start: StartTime,
    state: u8,
    threads: u32,
    name: String,
}

impl Process {
    fn read(pid: u32) -> Option<Self> {
        Self::parse(pid, &fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name stands in parentheses and may hold anything, parentheses too.
    fn parse(pid: u32, line: &[u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'(')?;
        let close = line.iter().rposition(|byte| *byte == b')')?;
        let mut name = line.get(open + 1..close)?.escape_ascii().to_string();
        name.truncate(NAME_BYTES_MAX);
        let rest = str::from_utf8(line.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            state: *fields.first()?.as_bytes().first()?,
            parent: fields.get(1)?.parse().ok()?,
            threads: fields.get(17)?.parse().ok()?,
            start: StartTime(fields.get(19)?.parse().ok()?),
            name,
        })
    }

    /// Ended and not yet reaped. A program whose first thread alone has ended looks the same but for its other threads.
    fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X') && self.threads <= 1
    }
}

fn snapshot() -> BTreeMap<u32, Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, Process::read(pid)?)))
        .collect()
}

/// A process and its ancestors up to our child; empty when it does not descend from us.
fn ancestry(pid: u32, read: impl Fn(u32) -> Option<Process>) -> Vec<Process> {
    let own = process::id();
    let mut line = Vec::new();
    let mut next = pid;
    while next != own {
        match read(next) {
            Some(process) if line.len() < ANCESTORS_MAX && process.parent != 0 => {
                next = process.parent;
                line.push(process);
            }
            Some(_) | None => return Vec::new(),
        }
    }
    line
}

/// The mark in a process's environment; `None` where there is none or it cannot be read.
fn read_mark(pid: u32) -> Option<String> {
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

/// Signals this process, never a later one with its number: the descriptor holds the process, then its start is read
/// once more.
fn deliver(process: &Process, signal: Signal) -> io::Result<()> {
    const STOPS: [Signal; 4] = [Signal(19), Signal(20), Signal(21), Signal(22)];
    let pidfd = pidfd_open(process.pid)?;
    if StartTime::of(process.pid) != Some(process.start) {
        return Err(io::ErrorKind::NotFound.into());
    }
    pidfd_signal(&pidfd, signal)?;
    if signal != Signal::KILL && signal != Signal::CONT && !STOPS.contains(&signal) {
        pidfd_signal(&pidfd, Signal::CONT)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "10.500.i2";

    fn tree() -> Tree {
        Tree::new(OURS.into(), 20, StartTime(700))
    }

    fn process(pid: u32, start: u64) -> Process {
        let line = format!("{pid} (a) b) S 10 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start} 1 1");
        Process::parse(pid, line.as_bytes()).unwrap()
    }

    fn owns(line: &[(u32, u64, Option<&str>)], next: Option<u64>) -> bool {
        let mut mark_of = |pid| {
            let found = line.iter().find(|entry| entry.0 == pid)?;
            found.2.map(str::to_owned)
        };
        let processes: Vec<Process> = line.iter().map(|entry| process(entry.0, entry.1)).collect();
        tree().owns(&processes, &mut mark_of, next.map(StartTime))
    }

    #[test]
    fn a_stat_line_is_read_around_a_hostile_name() {
        let process = process(7, 42);
        assert_eq!(
            (process.parent, process.start, process.threads),
            (10, StartTime(42), 1)
        );
        assert_eq!(process.name, "a) b");
        assert!(Process::parse(1, b"1 (x) S").is_none());
        assert!(Process::parse(1, b")(").is_none());
    }

    #[test]
    fn the_nearest_mark_decides_and_else_the_time() {
        assert!(owns(&[(30, 800, Some(OURS))], None), "marked");
        assert!(
            owns(&[(30, 600, Some(OURS))], None),
            "marked, whatever the time"
        );
        assert!(
            owns(&[(30, 800, None), (20, 700, None)], None),
            "below the leader"
        );
        assert!(
            owns(&[(30, 800, None), (25, 800, Some(OURS))], None),
            "below a marked one"
        );
        assert!(
            owns(&[(30, 700, None)], None),
            "no mark, but not older than the instance"
        );
        assert!(!owns(&[(30, 699, None)], None), "older than the instance");
        assert!(
            !owns(&[(30, 800, None), (25, 100, None)], None),
            "below an older one"
        );
        assert!(
            !owns(&[(30, 800, Some("10.500.i3"))], None),
            "the next instance's"
        );
        assert!(
            !owns(&[(30, 800, None), (25, 790, Some("10.500.i3"))], None),
            "below it"
        );
        assert!(
            owns(&[(30, 800, Some("99.1.i3")), (20, 700, None)], None),
            "a supervisor below us"
        );
        assert!(
            !owns(&[(30, 800, None)], Some(800)),
            "may be the next instance's"
        );
        assert!(
            owns(&[(30, 799, None)], Some(800)),
            "before the next instance"
        );
        assert!(!owns(&[], None), "no descendant of ours");
    }
}
