//! What an instance left behind: which processes in `/proc` belong to it, and signalling all of
//! them.
//!
//! As a subreaper we are the parent of every orphan below us, so whatever belongs to an instance
//! descends from us. Which instance it belongs to is told by the nearest ancestor (or itself) that
//! carries a mark in its environment; where no environment can be read or all were cleared, by the
//! times at which it and its ancestors started.
//!
//! Where `/proc` is missing, the leader's process group is all that is known (`group.rs`).
//!
//! A scan costs about a millisecond: only when `collect` says that children are left.
//!
//! Tried and lost: a cgroup of its own for each instance, with `cgroup.kill`. Writing a process
//! into `cgroup.procs` waits for the kernel's grace period: 17 µs in a busy loop, but 10 ms (18 ms
//! at the worst tenth) after 100 ms of quiet, which is ten times a whole start.
//! Starting the process inside (`clone3`, `CLONE_INTO_CGROUP`) costs 12 to
//! 36 µs of a start's 450 to 700, 2 to 5 %, where 3 % is too much; and libc has no `clone3` that
//! takes a stack, so `spawn.rs` would hold assembly for each architecture, and the present way
//! beside it for kernels and seccomp filters that refuse the new one. All that for what marks,
//! descent and times tell already, but for a process that hides from all three.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process;

use nix::unistd::getppid;

use crate::supervisor::event::Member;
use crate::supervisor::signal::Signal;

use super::group;
use super::procfs::{Ancestry, Process, StartTime, follow, pids, read_mark, sees_us};
use super::spawn::{pidfd_open, pidfd_signal};

/// Looks this often for processes that were forked while others were signalled. No more: those that
/// ended must be reaped in between, or the dead slow down the search for the living.
const SCANS_MAX: usize = 16;

/// Names this supervisor in its children's environments, where another one's children may live too.
/// An instance's mark is this, a dot and the instance.
#[must_use]
pub fn supervisor_mark() -> String {
    let pid = process::id();
    let start = StartTime::of(pid).unwrap_or_default();
    format!("{pid}.{}", start.ticks())
}

/// All processes of one instance.
#[derive(Clone, Debug)]
pub struct Tree {
    mark: String,
    leader: u32,
    start: StartTime,
    /// The leaders of other instances that lived beside this one.
    others: Vec<(u32, StartTime)>,
    sight: Sight,
}

/// What can be seen of processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sight {
    Procfs,
    /// `/proc` is not there, or not ours.
    None,
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
            others: Vec::new(),
            sight: if sees_us() {
                Sight::Procfs
            } else {
                Sight::None
            },
        }
    }

    /// Another instance of the same supervisor lives beside this one. What descends from either
    /// leader is not the other's, though nothing in its environment may say so: a program may have
    /// written its title over that, or may not let us read it.
    pub fn beside(&mut self, other: &mut Self) {
        self.others.push((other.leader, other.start));
        other.others.push((self.leader, self.start));
    }

    /// Whether no member lives, as far as can be seen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match self.sight {
            Sight::Procfs => self.members().is_empty(),
            Sight::None => !group::has_children(self.leader),
        }
    }

    /// The members that live, where they can be seen. A zombie is none; but where members die too
    /// quickly for us to be sure of the living, those that died in the last look stand for the
    /// children that they may have left.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        if self.sight == Sight::None {
            return Vec::new();
        }
        let mut dead = BTreeSet::new();
        let mut found = BTreeMap::new();
        for _ in 0..SCANS_MAX {
            found.clear();
            let died = self.scan(&mut dead, |process| {
                found.insert(process.pid, process.name.clone());
            });
            if died.is_empty() {
                break;
            }
            found.extend(died.into_iter().map(|process| (process.pid, process.name)));
        }
        found
            .into_iter()
            .map(|(pid, name)| Member { pid, name })
            .collect()
    }

    /// Whether one process is a member, without a scan.
    #[must_use]
    pub fn contains(&self, pid: u32) -> bool {
        if is_above_us(pid) {
            return false;
        }
        if self.sight == Sight::None {
            return pid == self.leader && group::has_children(pid);
        }
        // Who started before the leader is none, and makes nobody one: most often that is the first
        // that is looked at.
        let read = |pid| Process::read(pid).filter(|process| process.start >= self.start);
        match read(pid).map(|process| follow(&process, read)) {
            Some(Ancestry::Ours(line)) => self.owns(&line, &mut read_mark, self.next()),
            Some(Ancestry::Stranger | Ancestry::Broken) | None => false,
        }
    }

    /// Sends a signal to every member, also to those that are forked meanwhile. A signal other than
    /// KILL is followed by CONT, or a stopped process would never see it.
    pub fn signal_all(&self, signal: Signal) -> Swept {
        if self.sight == Sight::None {
            return Swept {
                signalled: group::signal_all(self.leader, signal),
                settled: true,
            };
        }
        let (mut seen, mut dead) = (BTreeSet::new(), BTreeSet::new());
        let mut signalled = 0;
        for _ in 0..SCANS_MAX {
            let before = seen.len();
            let died = self.scan(&mut dead, |process| {
                if seen.insert((process.pid, process.start)) && deliver(process, signal).is_ok() {
                    signalled += 1;
                }
            });
            if seen.len() == before && died.is_empty() {
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

    /// Shows each member once, as soon as it is found and the newest first: a process that forks
    /// and ends again and again is met only by whoever is quick. Returns which orphans have died
    /// since the earlier scans, which `dead` remembers: each may have left a child that is younger
    /// than the list of processes.
    fn scan(&self, dead: &mut BTreeSet<u32>, mut member: impl FnMut(&Process)) -> Vec<Process> {
        let mut processes = BTreeMap::new();
        let mut read = |pid| {
            processes
                .entry(pid)
                .or_insert_with(|| Process::read(pid))
                .clone()
        };
        let mut marks = BTreeMap::new();
        let mut mark_of = |pid| marks.entry(pid).or_insert_with(|| read_mark(pid)).clone();
        let (mut died, mut unmarked) = (Vec::new(), Vec::new());
        let mut next = self.next();
        for pid in pids().into_iter().rev() {
            // Nobody but us reaps an orphan, and not now: the number still is the same dead
            // process's.
            if dead.contains(&pid) {
                continue;
            }
            let Some(process) = read(pid) else { continue };
            if process.is_zombie() {
                let recent = process.parent == process::id() && process.start >= self.start;
                if recent && dead.insert(pid) {
                    died.push(process);
                }
                continue;
            }
            let mut ancestry = follow(&process, &mut read);
            if matches!(ancestry, Ancestry::Broken) {
                // A parent ended after the child was read; by now the child has another.
                ancestry =
                    Process::read(pid).map_or(ancestry, |process| follow(&process, Process::read));
            }
            let Ancestry::Ours(line) = ancestry else {
                continue;
            };
            let process = &line[0];
            if mark_of(pid).is_some_and(|mark| self.is_sibling(&mark)) && process.start > self.start
            {
                next = Some(next.map_or(process.start, |next| next.min(process.start)));
            }
            match self.attribute(&line, &mut mark_of) {
                Attribution::Ours => member(process),
                Attribution::ByTime => unmarked.push(line),
                Attribution::Foreign => {}
            }
        }
        // What nobody marked and the next instance may have started is not ours to end.
        for line in unmarked {
            if self.is_recent(&line, next) {
                member(&line[0]);
            }
        }
        died
    }

    fn attribute(
        &self,
        line: &[Process],
        mark_of: &mut impl FnMut(u32) -> Option<String>,
    ) -> Attribution {
        if line.first().is_none_or(Process::is_zombie) {
            return Attribution::Foreign;
        }
        for ancestor in line {
            let named = (ancestor.pid, ancestor.start);
            if named == (self.leader, self.start) {
                return Attribution::Ours;
            }
            if self.others.contains(&named) {
                return Attribution::Foreign;
            }
            match mark_of(ancestor.pid) {
                Some(mark) if mark == self.mark => return Attribution::Ours,
                Some(mark) if self.is_sibling(&mark) => return Attribution::Foreign,
                // Unmarked, or by another supervisor below us, or by one above us before our child
                // had its own.
                Some(_) | None => {}
            }
        }
        Attribution::ByTime
    }

    /// When the next instance started, as far as we were told.
    fn next(&self) -> Option<StartTime> {
        let starts = self.others.iter().map(|(_, start)| *start);
        starts.filter(|start| *start >= self.start).min()
    }

    /// `line`: a process and its ancestors up to our child. `next`: when the next instance started.
    fn is_recent(&self, line: &[Process], next: Option<StartTime>) -> bool {
        line.iter().all(|ancestor| ancestor.start >= self.start)
            && next.is_none_or(|next| line[0].start < next)
    }

    fn owns(
        &self,
        line: &[Process],
        mark_of: &mut impl FnMut(u32) -> Option<String>,
        next: Option<StartTime>,
    ) -> bool {
        match self.attribute(line, mark_of) {
            Attribution::Ours => true,
            Attribution::ByTime => self.is_recent(line, next),
            Attribution::Foreign => false,
        }
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

/// Whether a process surely descends from nobody of ours: the first one, and whoever started us, or
/// adopted us since. Most signals come from these; and where nothing has run for a while, a look
/// into `/proc` is half of what handing one on takes.
fn is_above_us(pid: u32) -> bool {
    pid == 1 || pid == getppid().as_raw().unsigned_abs()
}

/// Whose a process is.
enum Attribution {
    Ours,
    /// No mark says: whoever was running when it started.
    ByTime,
    /// Another instance's, or a zombie.
    Foreign,
}

/// Signals this process, never a later one with its number: the descriptor holds the process, then
/// its start is read once more.
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
        Tree::new(OURS.into(), 20, StartTime::from_ticks(700))
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
        tree().owns(&processes, &mut mark_of, next.map(StartTime::from_ticks))
    }

    #[test]
    fn a_number_that_belongs_to_somebody_else_by_now_is_not_signalled() {
        let successor = process(std::process::id(), 1);
        let refused = deliver(&successor, Signal::KILL).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn another_leader_is_foreign_even_when_its_mark_cannot_be_read() {
        let mut tree = tree();
        for (leader, start) in [(30, 800), (10, 600)] {
            let start = StartTime::from_ticks(start);
            tree.beside(&mut Tree::new("10.500.i9".into(), leader, start));
        }
        let mut unmarked = |_: u32| None;
        let mut owns = |line: &[Process]| tree.owns(line, &mut unmarked, tree.next());
        assert!(!owns(&[process(30, 800)]), "the leader itself");
        assert!(!owns(&[process(31, 810), process(30, 800)]), "its child");
        assert!(!owns(&[process(32, 820)]), "may be its orphan");
        assert!(owns(&[process(21, 790)]), "older than the next instance");
        assert!(
            owns(&[process(30, 750)]),
            "the same number, another process"
        );
        assert!(owns(&[process(33, 900), process(20, 700)]), "below ours");
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
