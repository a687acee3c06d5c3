//! Many processes and many restarts: nothing is lost among them, nothing is left, and nothing
//! grows.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::skip::skipped;
use crate::support::supervised::{Supervise, simulator};
use crate::support::world::{Process, children_of, eventually, zombies_of};

/// What a supervisor holds while nothing happens.
#[derive(Debug)]
struct Footprint {
    descriptors: usize,
    threads: usize,
    children: usize,
    resident_kib: u64,
}

impl Footprint {
    fn of(pid: u32) -> Self {
        let count = |what: &str| fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let resident = resident.unwrap().trim().trim_end_matches(" kB");
        Self {
            descriptors: count("fd"),
            threads: count("task"),
            children: children_of(pid).len(),
            resident_kib: resident.parse().unwrap(),
        }
    }
}

fn can(program: &str) -> bool {
    let can = Command::new(program).arg("-v").output().is_ok();
    if !can {
        skipped(&format!("{program} is not installed"));
    }
    can
}

/// Ten thousand that have ended and nobody has reaped become ours at the same moment.
const ORPHANS: &str = r#"perl -e 'for (1..10000) { my $pid = fork // die "no more\n"; exit 0 if !$pid }' || echo failed"#;

#[test]
fn ten_thousand_orphans_are_reaped() {
    if !can("perl") {
        return;
    }
    let simulator = simulator();
    let script = format!("{ORPHANS}; echo orphaned; sleep 1000 & wait");
    let mut run = Supervise::on(&simulator).script(&script);
    assert_eq!(run.line(""), "orphaned");
    let pid = run.pid();
    eventually("every orphan is reaped", || zombies_of(pid).is_empty());
    assert_eq!(children_of(pid).len(), 1, "the child, and nothing else");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_child_that_ends_with_ten_thousand_others_has_its_own_code() {
    if !can("perl") {
        return;
    }
    let simulator = simulator();
    let orphans = ORPHANS.replace(" }' ||", " } exit 7' ||");
    let run = Supervise::on(&simulator).options("--check-login never");
    // The leader itself is the parent of them all.
    let script = format!("exec {}", orphans.split(" ||").next().unwrap());
    let mut run = run.script(&script);
    assert_eq!(run.exit_code(), 7, "{}", run.told());
    assert_eq!(run.processes(), [run.pid()], "{}", run.told());
}

#[test]
fn a_tree_of_five_hundred_is_swept() {
    let simulator = simulator();
    // Half of them are deaf to TERM.
    let script = r#"
grow() { i=0; while [ $i -lt 25 ]; do sleep 1000 & i=$((i+1)); done; }
branch() { grow; (trap '' TERM; grow; wait) & wait; }
b=0; while [ $b -lt 10 ]; do branch & b=$((b+1)); done
echo grown
wait"#;
    let mut run = Supervise::on(&simulator).script(script);
    run.line("grown");
    eventually("the tree is complete", || run.processes().len() > 520);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(run.processes(), [run.pid()], "{}", run.told());
}

/// Ends at once and leaves something to sweep; now and then it rests, until USR1.
const TURN: &str = r#"
turn=$(($(cat "$HOME/turns" 2>/dev/null) + 1))
echo $turn >"$HOME/turns"
sleep 1000 &
if [ $((turn % 50)) -eq 10 ]; then
  trap 'exit 0' USR1
  echo "rest turn=$turn pid=$$"
  while :; do wait; done
fi"#;

/// What the allocator may keep.
const GROWTH_KIB: u64 = 1024;

#[test]
fn two_hundred_restarts_leave_no_trace() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--restart always --backoff 100ms..100ms");
    let mut run = run.script(TURN);
    let pid = run.pid();
    let mut footprints = Vec::new();
    for turn in [10, 60, 110, 160, 210] {
        let child = Process::named(&run.line(&format!("rest turn={turn} ")), "pid");
        eventually("all else is swept", || children_of(pid) == [child.pid]);
        footprints.push(Footprint::of(pid));
        run.signal(Signal::SIGUSR1);
    }
    let [first, .., last] = &footprints[..] else {
        unreachable!("five rests");
    };
    let told = format!("{footprints:?}");
    assert_eq!(last.descriptors, first.descriptors, "{told}");
    assert_eq!(last.threads, first.threads, "{told}");
    assert_eq!(last.children, 1, "{told}");
    assert!(
        last.resident_kib <= first.resident_kib + GROWTH_KIB,
        "{told}"
    );
    println!("{told}");
    run.terminate();
    assert_eq!(run.processes(), [run.pid()], "{}", run.told());
}
