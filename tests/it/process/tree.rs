//! Reaping and sweeping: what an instance leaves behind is found and ended, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::zombie_processes,
    reason = "the one reaper waits for everybody"
)]

use std::process::Command;

use changeover::process::supervisor_mark;
use changeover::process::{
    Change, Child, Group, Program, StartTime, Tree, become_subreaper, signal_process,
};
use changeover::supervisor::event::Ended;
use changeover::supervisor::id::InstanceId;
use changeover::supervisor::signal::Signal;

use super::kit::{Markers, Reaper, alone, executable, shell, start};

const KILLED: Ended = Ended::Signal(Signal::KILL);
const TERMED: Ended = Ended::Signal(Signal::TERM);

/// One of each kind of process that outlives a leader. `exec` keeps the shell's id, so `$$` names
/// what stays.
const LEFTOVERS: &str = r#"
say='echo "$1 $$" > "$2"; shift 2; exec "$@"'
sh -c "$say" sh polite "$1" sleep infinity &
sh -c "trap '' TERM; $say" sh deaf "$1" sleep infinity &
(sh -c "$say" sh orphan "$1" sleep infinity &)
setsid sh -c "$say" sh session "$1" sleep infinity &
env -i sh -c "$say" sh cleared "$1" sleep infinity &
sh -c "$say" sh stopped "$1" sh -c 'kill -STOP $$; exec sleep infinity' &
echo "leader $$" > "$1"
read never < "$2"
"#;

/// An instance with its tree.
fn instance(number: u32, program: &Program) -> (Child, Tree) {
    let mark = format!("{}.{}", supervisor_mark(), InstanceId(number));
    let child = start(program, Some(&mark));
    let tree = Tree::new(mark, child.pid, StartTime::of(child.pid).unwrap());
    (child, tree)
}

fn pids(tree: &Tree) -> Vec<u32> {
    tree.members().iter().map(|member| member.pid).collect()
}

alone!(every_kind_of_leftover_is_swept, {
    become_subreaper().unwrap();
    let mut reaper = Reaper::new();
    let stranger = Command::new("sleep").arg("infinity").spawn().unwrap();
    // Started in the same tick of the kernel's clock a stranger could not be told apart.
    while StartTime::of(stranger.id()) == StartTime::of(start(&shell(":", &[]), None).pid) {}
    let (mut markers, gate) = (Markers::new(), Markers::new());
    let (child, tree) = instance(1, &shell(LEFTOVERS, &[&markers.path, &gate.path]));
    let left = markers.pids(7);
    let mut all: Vec<u32> = left.values().copied().collect();
    all.sort_unstable();
    let found = pids(&tree);
    assert!(
        all.iter().all(|pid| found.contains(pid)),
        "{left:?} {:?}",
        tree.members()
    );
    assert!(tree.contains(left["cleared"]) && tree.contains(child.pid));
    assert!(
        !tree.contains(stranger.id()) && !tree.contains(1) && !tree.contains(std::process::id())
    );

    signal_process(child.pid, Signal::KILL).unwrap();
    assert_eq!(reaper.end_of(child.pid), KILLED);
    let swept = tree.signal_all(Signal::TERM);
    assert!(swept.settled && swept.signalled == 6, "{swept:?}");
    for name in ["polite", "orphan", "session", "cleared", "stopped"] {
        assert_eq!(reaper.end_of(left[name]), TERMED, "{name}");
    }
    assert_eq!(pids(&tree), [left["deaf"]]);
    assert_eq!(tree.members()[0].name, "sleep");
    assert_eq!(tree.signal_all(Signal::KILL).signalled, 1);
    assert_eq!(reaper.end_of(left["deaf"]), KILLED);
    assert_eq!(pids(&tree), Vec::<u32>::new());
    assert!(
        !reaper.ended.contains_key(&stranger.id()),
        "what was there before is left alone"
    );
    signal_process(stranger.id(), Signal::KILL).unwrap();
    reaper.empty();
});

alone!(two_instances_are_told_apart, {
    become_subreaper().unwrap();
    let mut reaper = Reaper::new();
    let (mut markers, gate) = (Markers::new(), Markers::new());
    let (old, old_tree) = instance(1, &shell(LEFTOVERS, &[&markers.path, &gate.path]));
    let old_left = markers.pids(7);
    while StartTime::of(old_left["cleared"]) == StartTime::of(start(&shell(":", &[]), None).pid) {}
    let (new, new_tree) = instance(2, &shell(LEFTOVERS, &[&markers.path, &gate.path]));
    let new_left = markers.pids(7);
    assert!(
        old_left
            .values()
            .all(|pid| old_tree.contains(*pid) && !new_tree.contains(*pid))
    );
    assert!(
        new_left
            .values()
            .all(|pid| new_tree.contains(*pid) && !old_tree.contains(*pid))
    );

    assert!(old_tree.signal_all(Signal::KILL).settled);
    for pid in old_left.values() {
        assert_eq!(reaper.end_of(*pid), KILLED);
    }
    let alive = pids(&new_tree);
    assert!(alive.contains(&new.pid) && !alive.contains(&old.pid));
    assert!(
        new_left.values().all(|pid| alive.contains(pid)),
        "{new_left:?} {alive:?}"
    );
    assert!(new_tree.signal_all(Signal::KILL).settled);
    reaper.empty();
});

/// Three families in which each member starts the next one and ends.
const STORM: &str = "sh \"$0\" & exit\n";

alone!(a_fork_storm_ends, {
    become_subreaper().unwrap();
    let mut reaper = Reaper::new();
    let mut markers = Markers::new();
    let directory = tempfile::tempdir().unwrap();
    let storm = directory.path().join("storm");
    executable(&storm, STORM.as_bytes(), 0o755);
    let script =
        "sh \"$1\" & sh \"$1\" & sh \"$1\" & echo \"storm $$\" > \"$2\"; wait; wait; read never";
    let program = shell(script, &[storm.to_str().unwrap(), &markers.path]);
    let (child, tree) = instance(1, &program);
    markers.pids(1);
    // One call signals every member that it meets; the supervisor calls again while the tree is not
    // empty.
    let mut calls = 0;
    while !pids(&tree).is_empty() {
        tree.signal_all(Signal::KILL);
        calls += 1;
        assert!(calls < 100, "the storm outruns the sweep");
        reaper.until("anything", |_, _| true);
    }
    println!("calls: {calls}, processes: {}", reaper.ended.len());
    reaper.empty();
    assert!(reaper.ended.contains_key(&child.pid));
});

alone!(a_thousand_orphans_do_not_hide_the_leader, {
    become_subreaper().unwrap();
    let mut reaper = Reaper::new();
    let script = "i=0; while [ $i -lt 1000 ]; do (: &); i=$((i+1)); done; exit 7";
    let (child, _) = instance(1, &shell(script, &[]));
    assert_eq!(reaper.end_of(child.pid), Ended::Code(7));
    reaper.empty();
    assert_eq!(reaper.ended.len(), 1001, "each orphan once");
});

alone!(a_stop_and_a_continuation_are_seen, {
    let mut reaper = Reaper::new();
    let (child, tree) = instance(1, &shell("exec sleep infinity", &[]));
    let stop = Signal(19);
    signal_process(child.pid, stop).unwrap();
    let has = |change| move |reaper: &Reaper, _| reaper.changes.contains(&(child.pid, change));
    reaper.until("stop", has(Change::Stopped(stop)));
    signal_process(child.pid, Signal::CONT).unwrap();
    reaper.until("continuation", has(Change::Continued));
    signal_process(child.pid, stop).unwrap();
    // TERM alone would wait for ever.
    tree.signal_all(Signal::TERM);
    assert_eq!(reaper.end_of(child.pid), TERMED);
});

alone!(a_zombie_is_no_member, {
    become_subreaper().unwrap();
    let mut reaper = Reaper::new();
    let mut markers = Markers::new();
    // The zombie's parent becomes `sleep`, which never waits.
    let script = "sh -c 'echo \"zombie $$\" > \"$1\"' sh \"$1\" & exec sleep infinity";
    let program = Program {
        group: Group::Shared,
        ..shell(script, &[&markers.path])
    };
    let (child, tree) = instance(1, &program);
    let zombie = markers.pids(1)["zombie"];
    let stat = format!("/proc/{zombie}/stat");
    while !std::fs::read_to_string(&stat).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    assert_eq!(pids(&tree), [child.pid]);
    assert!(!tree.contains(zombie));
    tree.signal_all(Signal::KILL);
    reaper.empty();
    assert_eq!(reaper.ended.len(), 2);
});
