//! The real program as PID 1 of a namespace, as a container starts it; and where `/proc` is missing
//! or is not its own.

use std::process::{Command, id};

use changeover::process::signal_process;
use changeover::supervisor::signal::Signal as Number;

use crate::skip::skipped;
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::{Process, children_of, eventually, zombies_of};

/// As root, and as anybody.
const MEANS: [&[&str]; 2] = [
    &["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"],
    &[
        "unshare",
        "-Ur",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ],
];

/// `/proc` is an empty directory.
const NO_PROC: &[&str] = &[
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t tmpfs none /proc && exec \"$@\"",
    "sh",
];

/// `/proc` numbers processes as the namespace outside does.
const OTHERS_PROC: &[&str] = &["unshare", "--pid", "--fork", "--kill-child"];

fn can(means: &[&str]) -> bool {
    let tried = Command::new(means[0])
        .args(&means[1..])
        .arg("true")
        .output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        skipped(&format!("{means:?} is not to be had here"));
    }
    can
}

/// The supervisor, which is below what made the namespace.
fn supervisor(run: &Supervised) -> u32 {
    let below = children_of(run.pid());
    assert_eq!(below.len(), 1, "{}", run.told());
    below[0]
}

fn send(pid: u32, number: i32) {
    signal_process(pid, Number(number)).unwrap();
}

const HUP: i32 = 1;
const KILL: i32 = 9;
const TERM: i32 = 15;

/// Leaves orphans that end, and one in another session that is deaf to TERM: it speaks when the
/// supervisor is its parent.
const FAMILY: &str = r#"
trap 'echo got HUP' HUP
trap 'exit 9' TERM
for code in 1 2 3; do (sh -c "exit $code" &); done
(trap '' TERM; setsid sh -c '
    until [ "$(cut -d" " -f4 /proc/$$/stat)" = "$1" ]; do sleep 0.01; done
    echo "orphan of=$1 ."; exec sleep 1000' sh "$PPID" &)
echo "leader of=$PPID ."
while :; do sleep 1000 & wait; done"#;

#[test]
fn as_pid_1_it_forwards_reaps_and_leaves_nothing() {
    for means in MEANS.into_iter().filter(|means| can(means)) {
        let simulator = simulator();
        let mut run = Supervise::on(&simulator).under(means).script(FAMILY);
        run.line("leader of=1 ");
        eventually("the orphan has spoken", || run.lines().len() == 2);
        assert!(
            run.lines().contains(&"orphan of=1 .".to_owned()),
            "{}",
            run.told()
        );
        let pid = supervisor(&run);
        send(pid, HUP);
        run.line("got HUP");
        eventually("every orphan is reaped", || zombies_of(pid).is_empty());
        send(pid, TERM);
        assert_eq!(run.exit_code(), 9, "{}", run.told());
        run.log("left processes behind");
        assert_eq!(run.processes(), [run.pid()], "{}", run.told());
    }
}

#[test]
fn as_pid_1_its_code_is_the_childs() {
    for means in MEANS.into_iter().filter(|means| can(means)) {
        let simulator = simulator();
        for (script, code) in [
            ("exit 0", 0),
            ("exit 7", 7),
            ("kill -KILL $$", 137),
            ("kill -TERM $$", 143),
            ("kill -SEGV $$", 139),
        ] {
            let run = Supervise::on(&simulator).options("--check-login never");
            let mut run = run.under(means).script(script);
            assert_eq!(run.exit_code(), code, "{script}: {}", run.told());
        }
        let mut run = Supervise::on(&simulator)
            .under(means)
            .program(&["./nothing"]);
        assert_eq!(run.exit_code(), 127, "{}", run.told());
    }
}

#[test]
fn a_supervisor_below_pid_1_looks_after_its_own() {
    for means in MEANS.into_iter().filter(|means| can(means)) {
        let simulator = simulator();
        let url = simulator.url();
        let script = format!("echo \"inner of=$PPID .\"; {FAMILY}");
        let program = [
            env!("CARGO_BIN_EXE_changeover"),
            "run",
            "-a",
            "myapp",
            "--api-url",
            &url,
            "--",
            "sh",
            "-c",
            &script,
        ];
        let run = Supervise::on(&simulator).options("--keep HEROKU_API_KEY");
        let mut run = run.under(means).program(&program);
        let inner = run.line("inner of=");
        assert_ne!(inner, "inner of=1 .");
        eventually("all have spoken", || run.lines().len() == 3);
        // The second supervisor's orphan is its own, not PID 1's.
        let orphan = inner.replace("inner", "orphan");
        assert!(run.lines().contains(&orphan), "{}", run.told());
        send(supervisor(&run), TERM);
        assert_eq!(run.exit_code(), 9, "{}", run.told());
        let logs = run.logs().join("\n");
        assert_eq!(logs.matches("left processes behind").count(), 1, "{logs}");
        assert_eq!(run.processes(), [run.pid()], "{}", run.told());
    }
}

#[test]
fn killed_as_pid_1_it_takes_everything_along() {
    for means in MEANS.into_iter().filter(|means| can(means)) {
        let simulator = simulator();
        let mut run = Supervise::on(&simulator).under(means).script(FAMILY);
        eventually("all have spoken", || run.lines().len() == 2);
        send(supervisor(&run), KILL);
        run.status();
        eventually("nothing is left", || run.processes() == [run.pid()]);
    }
}

/// As `docker exec` does it.
#[test]
fn what_comes_in_from_outside_is_nobodys_leftover() {
    let means = MEANS[0];
    if !can(means) || !can(&["nsenter", "--target", &id().to_string(), "--pid"]) {
        return;
    }
    let simulator = simulator();
    let run = Supervise::on(&simulator).options(QUICK).under(means);
    let mut run = run.script("echo url=$DATABASE_URL; sleep 1001 & wait");
    run.line(&url(1));
    let target = supervisor(&run).to_string();
    let mut visitor = Command::new("nsenter")
        .args(["--target", &target, "--pid", "--mount", "sleep", "1000"])
        .spawn()
        .unwrap();
    // It waits for the one that is in there.
    eventually("the visitor is in", || {
        !children_of(visitor.id()).is_empty()
    });
    let inside = Process::of(children_of(visitor.id())[0]);
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line(&url(2));
    assert!(inside.lives(), "{}", run.told());
    send(supervisor(&run), TERM);
    run.exit_code();
    // The namespace ends with its PID 1.
    assert!(!visitor.wait().unwrap().success());
}

/// A deaf orphan in the leader's group; the leader is deaf as well.
const DEAF: &str = r#"
trap '' TERM
(sleep 1000 &)
echo "leader url=$DATABASE_URL"
while :; do sleep 1000; done"#;

const BLIND: &str = "/proc is missing, or shows another PID namespace";

/// How often the log says what cannot be done.
fn warnings(run: &Supervised) -> usize {
    run.logs()
        .iter()
        .filter(|line| line.contains(BLIND))
        .count()
}

#[test]
fn without_proc_it_supervises_its_childs_group() {
    for means in [NO_PROC, OTHERS_PROC] {
        if !can(means) {
            continue;
        }
        let simulator = simulator();
        let run = Supervise::on(&simulator)
            .options(QUICK)
            .options("--stop-timeout 300ms");
        let mut run = run.under(means).script(DEAF);
        run.line(&url(1));
        let first: Vec<Process> = sleepers(&run);
        assert!(!first.is_empty(), "{}", run.told());
        simulator.set_config("DATABASE_URL", Some(&url(2)));
        run.line(&url(2));
        // Two of each: the next leader may not have started its own yet.
        assert!(
            first.iter().all(|process| !process.lives()),
            "{}",
            run.told()
        );
        let pid = if means == OTHERS_PROC {
            supervisor(&run)
        } else {
            run.pid()
        };
        send(pid, TERM);
        assert_eq!(run.exit_code(), 137, "{}", run.told());
        assert_eq!(run.processes(), [run.pid()], "{}", run.told());
        assert_eq!(warnings(&run), 1, "{}", run.told());
    }
}

#[test]
fn without_proc_a_leader_that_ends_is_followed_by_a_sweep_of_its_group() {
    if !can(NO_PROC) {
        return;
    }
    let simulator = simulator();
    let script = "(trap '' TERM; sleep 1000 &); echo ready; sleep 1001 & wait";
    let mut run = Supervise::on(&simulator).under(NO_PROC).script(script);
    run.line("ready");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    run.log("left processes behind");
    assert_eq!(run.processes(), [run.pid()], "{}", run.told());
}

/// All of a child's processes that sleep.
fn sleepers(run: &Supervised) -> Vec<Process> {
    let is_one = |pid: &u32| {
        let name = std::fs::read_to_string(format!("/proc/{pid}/comm"));
        name.is_ok_and(|name| name == "sleep\n")
    };
    eventually("the orphan sleeps", || run.processes().iter().any(is_one));
    let found = run.processes().into_iter().filter(is_one);
    found.map(Process::of).collect()
}
