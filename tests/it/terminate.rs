//! TERM, INT and KILL at every moment of a life: the right code, no new child, nothing left.

use std::fs;
use std::time::Duration;

use changeover::testing::heroku::{Fault, RotationOrder, Simulator};
use nix::sys::signal::Signal;

use crate::child;
use crate::support::postgres::Postgres;
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::{Process, eventually};

const HOUR: Duration = Duration::from_secs(3600);

/// Ends with 7 on TERM.
const POLITE: &str = r#"
trap 'exit 7' TERM
sleep 1000 &
echo "ready pid=$$ url=$DATABASE_URL"
while :; do wait; done"#;

/// Ends with 9 after TERM, when the file `end` is there.
const SLOW: &str = r#"
trap 'echo stopping; while [ ! -e "$HOME/end" ]; do sleep 0.05; done; exit 9' TERM
sleep 1000 &
echo "ready pid=$$ url=$DATABASE_URL"
while :; do wait; done"#;

/// Ends at once on TERM, and leaves a deaf process behind.
const LEAVING: &str = r#"
trap 'exit 7' TERM
sh -c 'trap "" TERM; echo "deaf pid=$$"; while :; do sleep 1000; done' &
while :; do wait; done"#;

fn supervise(simulator: &Simulator) -> Supervise {
    Supervise::on(simulator).options(QUICK)
}

/// A child that has just said so; its process.
fn child(run: &mut Supervised) -> Process {
    Process::named(&run.line("pid="), "pid")
}

fn change(simulator: &Simulator) {
    simulator.set_config("DATABASE_URL", Some(&url(2)));
}

/// Nothing but the first child ever spoke, and it is gone.
fn only(run: &Supervised, child: &Process) {
    assert!(!child.lives(), "{}", run.told());
    let children = run.lines().into_iter().filter(|line| line.contains("pid="));
    assert_eq!(children.count(), 1, "{}", run.told());
}

#[test]
fn while_the_first_fetch_hangs() {
    for (signal, code) in [
        (Signal::SIGTERM, 143),
        (Signal::SIGINT, 130),
        (Signal::SIGQUIT, 131),
    ] {
        let simulator = simulator();
        simulator.fault(Fault::Hang);
        let mut run = supervise(&simulator).script(POLITE);
        eventually("the fetch hangs", || simulator.faulted_count() == 1);
        run.signal(signal);
        assert_eq!(run.exit_code(), code, "{}", run.told());
        assert!(run.lines().is_empty(), "{}", run.told());
    }
}

#[test]
fn while_the_first_child_starts() {
    for _ in 0..10 {
        let simulator = simulator();
        let script = r#"echo "ready pid=$$"; exec sleep 1000"#;
        let mut run = supervise(&simulator).script(script);
        // The answer is on its way: the signal meets the fetch, the start, or the child's first
        // steps.
        eventually("the answer is given", || {
            let requests = simulator.requests();
            requests.iter().any(|one| one.status == Some(200))
        });
        assert_eq!(run.terminate(), 143, "{}", run.told());
    }
}

#[test]
fn while_a_change_settles() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("-v --interval 1s --debounce 1h");
    let mut run = run.script(POLITE);
    let child = child(&mut run);
    change(&simulator);
    run.log("differs");
    assert_eq!(run.terminate(), 7, "{}", run.told());
    only(&run, &child);
}

#[test]
fn while_a_change_is_being_confirmed() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("-v --interval 1s --debounce 1s");
    let mut run = run.script(POLITE);
    let child = child(&mut run);
    change(&simulator);
    run.log("differs");
    let faulted = simulator.faulted_count();
    simulator.fault(Fault::Hang);
    eventually("the confirming fetch hangs", || {
        simulator.faulted_count() > faulted
    });
    assert_eq!(run.terminate(), 7, "{}", run.told());
    only(&run, &child);
}

#[test]
fn while_the_old_child_stops() {
    let simulator = simulator();
    let mut run = supervise(&simulator).script(SLOW);
    let child = child(&mut run);
    change(&simulator);
    run.line("stopping");
    // Platforms send it more than once.
    run.signal(Signal::SIGTERM);
    run.log("TERM received");
    run.signal(Signal::SIGTERM);
    fs::write(run.home().join("end"), "").unwrap();
    assert_eq!(run.exit_code(), 9, "{}", run.told());
    only(&run, &child);
}

#[test]
fn between_two_children() {
    let simulator = simulator();
    let mut run = supervise(&simulator).script(LEAVING);
    let deaf = child(&mut run);
    change(&simulator);
    run.log("left processes behind");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    only(&run, &deaf);
}

#[test]
fn while_the_successor_cannot_be_started() {
    let simulator = simulator();
    let supervise = supervise(&simulator);
    let program = supervise.home().join("program");
    crate::support::write(&program, 0o755, &format!("#!/bin/sh\n{POLITE}"));
    let mut run = supervise.program(&[program.to_str().unwrap()]);
    let child = child(&mut run);
    fs::remove_file(&program).unwrap();
    change(&simulator);
    run.log("was not found");
    assert!(child.lives(), "{}", run.told());
    assert_eq!(run.terminate(), 7, "{}", run.told());
    only(&run, &child);
}

#[test]
fn while_a_credential_is_awaited() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let simulator = server.simulator();
        simulator.set_rotation(RotationOrder::ConnectionsFirst, HOUR);
        let command = child::client();
        let mut run = supervise(&simulator).program(&command.each_ref().map(String::as_str));
        run.line("connected");
        simulator.rotate("default").unwrap();
        run.log("the credential died before its successor was there");
        run.signal(signal);
        assert_eq!(run.exit_code(), code, "{}", run.told());
        let connected = run
            .lines()
            .into_iter()
            .filter(|line| line.contains("connected user"));
        assert_eq!(connected.count(), 1, "{}", run.told());
    }
}

#[test]
fn a_credential_that_never_comes_ends_with_the_childs_code() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    simulator.set_rotation(RotationOrder::ConnectionsFirst, HOUR);
    let command = child::client();
    let run = supervise(&simulator).options("--start-timeout 2s");
    let mut run = run.program(&command.each_ref().map(String::as_str));
    run.line("connected");
    simulator.rotate("default").unwrap();
    assert_eq!(run.exit_code(), 1, "{}", run.told());
    run.log("no new credential came within 2 s");
}

#[test]
fn while_it_pauses_before_a_restart() {
    let simulator = simulator();
    let options = "--restart always --backoff 1h..1h --check-login never";
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)] {
        let run = supervise(&simulator).options(options);
        let mut run = run.script("echo start; exit 3");
        run.log("starting it again in");
        run.signal(signal);
        assert_eq!(run.exit_code(), code, "{}", run.told());
        assert_eq!(run.lines(), ["start"], "{}", run.told());
    }
}

/// What is told to stop is not started again, however it ends.
#[test]
fn whatever_the_restart_policy_says() {
    let simulator = simulator();
    let options = "--restart always --backoff 100ms..100ms --check-login never";
    let mut run = supervise(&simulator).options(options).script(POLITE);
    let child = child(&mut run);
    assert_eq!(run.terminate(), 7, "{}", run.told());
    only(&run, &child);
}

#[test]
fn while_a_change_waits_for_its_splay() {
    let simulator = simulator();
    let script = format!("trap 'echo heard' USR1\n{POLITE}");
    let run = supervise(&simulator).options("--splay 8000h");
    let mut run = run.script(&script);
    let child = child(&mut run);
    change(&simulator);
    run.log("acting in");
    // Nothing waits with the change.
    run.signal(Signal::SIGUSR1);
    run.line("heard");
    assert_eq!(run.terminate(), 7, "{}", run.told());
    only(&run, &child);
}

#[test]
fn while_the_new_program_is_not_ready_yet() {
    let simulator = simulator();
    // Only the first one is ever ready.
    let script = r#"
trap 'echo "stopping url=$DATABASE_URL"; exit 7' TERM
sleep 1000 &
case $DATABASE_URL in *password-1@*) echo >&3 ;; esac
echo "pid=$$ url=$DATABASE_URL"
while :; do wait; done"#;
    let run = supervise(&simulator).options("--order start-first --ready fd:3");
    let mut run = run.script(script);
    let old = child(&mut run);
    run.log("is ready after");
    change(&simulator);
    let new = child(&mut run);
    assert!(old.lives(), "{}", run.told());
    assert_eq!(run.terminate(), 7, "{}", run.told());
    assert!(!old.lives() && !new.lives(), "{}", run.told());
    // Each had the time to end by itself.
    let mut last = run.lines().split_off(2);
    last.sort();
    let expected = [1, 2].map(|number| format!("stopping url={}", url(number)));
    assert_eq!(last, expected, "{}", run.told());
}

#[test]
fn a_second_interrupt_while_stopping_kills() {
    let simulator = simulator();
    let run = supervise(&simulator).options("--stop-timeout 1h");
    let mut run = run.script(
        r#"
trap 'echo interrupted' INT
trap 'echo stopping; while :; do sleep 0.05; done' TERM
sleep 1000 &
echo "ready pid=$$"
while :; do wait; done"#,
    );
    let child = child(&mut run);
    run.signal(Signal::SIGTERM);
    run.line("stopping");
    run.signal(Signal::SIGINT);
    run.line("interrupted");
    assert!(child.lives(), "{}", run.told());
    run.signal(Signal::SIGINT);
    assert_eq!(run.exit_code(), 137, "{}", run.told());
    only(&run, &child);
}

#[test]
fn a_killed_supervisor_takes_its_child_along() {
    let simulator = simulator();
    let mut run = supervise(&simulator).script(POLITE);
    let child = child(&mut run);
    run.signal(Signal::SIGKILL);
    assert_eq!(run.status().code(), None);
    eventually("the child ends too", || !child.lives());
}
