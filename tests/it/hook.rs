//! `--hook`, and the fields of a JSON log: what a machine is told.

use std::fs;
use std::path::PathBuf;

use changeover::testing::heroku::{Fault, Simulator};
use serde_json::Value;

use crate::support;
use crate::support::supervised::{QUICK, Supervise, simulator, url};
use crate::support::world::eventually;

const CHILD: &str = r#"echo "up $DATABASE_URL"; exec sleep 1000"#;

/// A supervisor with a hook that is this script; `$HOME/told` is for its notes.
fn hooked(simulator: &Simulator, script: &str) -> (Supervise, PathBuf) {
    let supervise = Supervise::on(simulator).options(QUICK);
    let supervise = supervise.options("--check-login never");
    let hook = supervise.home().join("hook");
    support::write(&hook, 0o755, &format!("#!/bin/sh\n{script}\n"));
    let told = supervise.home().join("told");
    let option = format!("--hook {}", hook.display());
    (supervise.options(&option), told)
}

/// Not by a shell, which lets through again what is blocked.
#[test]
fn no_signal_is_blocked_for_a_hook() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options(QUICK);
    let (hook, told) = (supervise.home().join("hook"), supervise.home().join("told"));
    let script = r#"
        BEGIN {
            while ((getline line < "/proc/self/status") > 0)
                if (line ~ /SigBlk/) print line >> (ENVIRON["HOME"] "/told")
        }"#;
    support::write(&hook, 0o755, &format!("#!/usr/bin/awk -f\n{script}\n"));
    let option = format!("--check-login never --hook {}", hook.display());
    let mut run = supervise.options(&option).script(CHILD);
    run.line("up");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("password-2@");
    eventually("it was run", || {
        fs::read_to_string(&told).is_ok_and(|told| told.ends_with('\n'))
    });
    let told = fs::read_to_string(told).unwrap();
    assert_eq!(told.lines().next(), Some("SigBlk:\t0000000000000000"));
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

fn notes(told: &PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(told).unwrap_or_default();
    let whole = text.lines().filter(|line| line.ends_with('}'));
    whole
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_hook_is_told_of_changes_restarts_failures_and_recoveries() {
    let simulator = simulator();
    let script = r#"[ -z "$HEROKU_API_KEY$DATABASE_URL$NOTIFY_SOCKET" ] && [ "$#" = 1 ] && cat >> "$HOME/told""#;
    let (supervise, told) = hooked(&simulator, script);
    let supervise = supervise.env("NOTIFY_SOCKET", "/nonexistent/notify");
    let mut run = supervise.script(CHILD);
    run.line("up");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("password-2@");
    simulator.fault(Fault::Unavailable);
    run.log("not answering");
    simulator.clear_faults();
    run.log("answers again");
    eventually("all is told", || notes(&told).len() == 4);
    let notes = notes(&told);
    let seen: Vec<_> = notes
        .iter()
        .map(|note| {
            (
                note["occasion"].as_str().unwrap(),
                note["event"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("change", "changed"),
            ("restart", "started"),
            ("failure", "heroku_failing"),
            ("recovery", "heroku_recovered"),
        ]
    );
    assert!(
        notes
            .iter()
            .all(|note| note["v"] == 1 && note["app"] == "myapp")
    );
    assert_eq!(notes[0]["variables"]["DATABASE_URL"], "password");
    assert_eq!(notes[0]["revision"], 2);
    assert_eq!(notes[1]["cause"], "change");
    assert!(notes[1]["dead_time_ms"].is_number());
    assert!(notes[1]["pid"].is_u64());
    assert!(notes[2]["message"].as_str().unwrap().contains("503"));
    let told = fs::read_to_string(&told).unwrap();
    assert!(!told.contains("password-"), "{told}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_hook_that_fails_or_hangs_is_told_and_holds_nothing_up() {
    let simulator = simulator();
    let script = r#"[ "$1" = change ] && exit 7; exec sleep 1000"#;
    let (supervise, _) = hooked(&simulator, script);
    let mut run = supervise.script(CHILD);
    run.line("up");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("password-2@");
    run.log("failed: it exited with code 7");
    // It hangs in its second call by now.
    simulator.set_config("DATABASE_URL", Some(&url(3)));
    run.line("password-3@");
    run.log("did not end within 10 s and was killed");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn nothing_of_a_hook_is_left_behind() {
    let simulator = simulator();
    let script = r#"sleep 1000 & echo $! >> "$HOME/told"; wait"#;
    let (supervise, told) = hooked(&simulator, script);
    let mut run = supervise.script(CHILD);
    run.line("up");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("password-2@");
    let sleepers = || -> Vec<i32> {
        let text = fs::read_to_string(&told).unwrap_or_default();
        text.lines().map(|line| line.parse().unwrap()).collect()
    };
    // One that is dead and not reaped yet has no command line.
    let is_gone = |pid: i32| {
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|it| it.is_empty())
            || fs::metadata(format!("/proc/{pid}")).is_err()
    };
    run.log("did not end within 10 s and was killed");
    eventually("what the first one started is gone", || {
        is_gone(sleepers()[0])
    });
    // It was called for the restart, too.
    eventually("the second one runs", || sleepers().len() == 2);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    eventually("what the second one started is gone", || {
        is_gone(sleepers()[1])
    });
}

#[test]
fn facts_that_its_pipe_does_not_hold_hold_nothing_up() {
    let simulator = simulator();
    let (supervise, _) = hooked(
        &simulator,
        r#"[ "$1" = change ] || exit 0; exec sleep 1000"#,
    );
    let mut run = supervise.options("--var *").script(CHILD);
    run.line("up");
    simulator.fault(Fault::Unavailable);
    let name = "A_VARIABLE_OF_WHICH_THE_NAME_IS_LONG".repeat(30);
    for number in 0..200 {
        simulator.set_config(&format!("{name}_{number}"), Some("1"));
    }
    run.log("not answering");
    simulator.clear_faults();
    run.line("up");
    run.log("did not end within 10 s and was killed");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_machine_is_told_of_a_hook_that_fails() {
    let simulator = simulator();
    let (supervise, _) = hooked(&simulator, "exit 7");
    let mut run = supervise.options("--log-format json").script(CHILD);
    run.line("up");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let line: Value = serde_json::from_str(&run.log("hook_failed")).unwrap();
    assert_eq!(line["event"], "hook_failed");
    assert_eq!(line["occasion"], "change");
    assert_eq!(line["level"], "WARN");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_hook_that_is_no_program_is_refused_at_the_start() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options("--hook /nonexistent");
    let mut run = supervise.script("exit 3");
    run.log("which is no program that can be run");
    assert_eq!(run.exit_code(), 78, "{}", run.told());
}

#[test]
fn a_json_log_has_fields_for_what_its_words_say() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options(QUICK);
    let supervise = supervise.options("--check-login never --log-format json");
    let mut run = supervise.script("echo up; sleep 0.2; exit 5");
    assert_eq!(run.exit_code(), 5, "{}", run.told());
    let lines: Vec<Value> = run
        .logs()
        .iter()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let of = |event: &str| {
        let found = lines.iter().find(|line| line["event"] == event);
        found.unwrap_or_else(|| panic!("{event}: {lines:#?}"))
    };
    assert_eq!(of("started")["cause"], "first");
    assert_eq!(of("started")["revision"], 1);
    assert_eq!(of("ended")["exit_code"], 5);
    assert_eq!(of("ended")["pid"], of("started")["pid"]);
    assert!(of("ended")["lived_ms"].as_f64() >= Some(200.0));
}

/// Every name of a fact stands in the README's table, and no other.
#[test]
fn the_table_of_events_is_complete() {
    let readme = include_str!("../../README.md");
    let section = readme.split("### What machines read").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let source = include_str!("../../src/runtime/telemetry/facts.rs");
    let mut names: Vec<&str> = source
        .lines()
        .filter_map(|line| line.split_once("=> \"")?.1.split('"').next())
        .collect();
    names.sort_unstable();
    names.dedup();
    let documented = |name: &&&str| section.contains(&format!("`{name}`"));
    let missing: Vec<_> = names.iter().filter(|name| !documented(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(names.len() > 40, "{names:?}");
}
