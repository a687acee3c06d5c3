//! `--token-command` beside a child: its end is known, it is nobody's leftover, and it outlives
//! nobody.

use std::fs;

use changeover::testing::heroku::Fault;

use crate::support::supervised::{QUICK, Supervise, simulator};
use crate::support::world::{Process, eventually};

/// Prints the token once; after that it says who it is, and hangs.
const ONCE: &str = r#"
if [ ! -e "$HOME/asked" ]; then touch "$HOME/asked"; echo HRKU-simulator; exit; fi
echo $$ >"$HOME/helper"
exec sleep 1000"#;

#[test]
fn what_a_failed_one_printed_is_no_token() {
    let simulator = simulator();
    let command = "sh -c 'echo HRKU-half; exit 3'";
    let supervise = Supervise::on(&simulator).env("CHANGEOVER_TOKEN_COMMAND", command);
    let mut run = supervise
        .options("--start-timeout 1s")
        .script("echo started");
    assert_eq!(run.exit_code(), 75, "{}", run.told());
    assert!(run.told().contains("exited with code 3"), "{}", run.told());
    assert_eq!(simulator.request_count(), 0, "{}", run.told());
}

#[test]
fn what_it_says_beside_the_token_is_nobodys_business() {
    let simulator = simulator();
    let command = "sh -c 'echo CANARY >&2; echo HRKU-simulator'";
    let supervise = Supervise::on(&simulator).env("CHANGEOVER_TOKEN_COMMAND", command);
    let mut run = supervise.options("-v").script("echo started");
    run.line("started");
    assert_eq!(run.exit_code(), 0, "{}", run.told());
    assert!(!run.told().contains("CANARY"), "{}", run.told());
}

/// Not by a shell, which lets through again what is blocked.
#[test]
fn no_signal_is_blocked_for_it() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator);
    let blocked = supervise.home().join("blocked");
    let awk = format!(
        r#"/SigBlk/ {{ print $2 > "{}"; print "HRKU-simulator" }}"#,
        blocked.display()
    );
    let command = format!("awk '{awk}' /proc/self/status");
    let supervise = supervise.env("CHANGEOVER_TOKEN_COMMAND", &command);
    let mut run = supervise.script("echo started");
    run.line("started");
    assert_eq!(run.exit_code(), 0, "{}", run.told());
    let blocked = fs::read_to_string(blocked).unwrap();
    assert_eq!(blocked.trim(), "0000000000000000");
}

#[test]
fn it_has_ten_seconds() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).env("CHANGEOVER_TOKEN_COMMAND", "sleep 1000");
    let mut run = supervise
        .options("--start-timeout 60s")
        .script("echo started");
    let line = run.log("did not end within 10s");
    assert!(line.contains("--token-command sleep"), "{line}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(simulator.request_count(), 0, "{}", run.told());
}

#[test]
fn one_that_hangs_is_no_leftover_of_a_child_and_ends_with_the_supervisor() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator);
    let script = supervise.home().join("token.sh");
    fs::write(&script, ONCE).unwrap();
    let command = format!("sh {}", script.display());
    let supervise = supervise
        .options(QUICK)
        .env("CHANGEOVER_TOKEN_COMMAND", &command);
    let helper = supervise.home().join("helper");
    let mut run = supervise.script("echo ready; while [ ! -e \"$HOME/go\" ]; do sleep 0.05; done");
    run.line("ready");
    simulator.fault(Fault::Unauthorized);
    let mut pid = String::new();
    eventually("the token is asked for again", || {
        pid = fs::read_to_string(&helper).unwrap_or_default();
        pid.ends_with('\n')
    });
    let helper = Process::of(pid.trim().parse().unwrap());
    assert!(helper.lives());
    fs::write(run.home().join("go"), "").unwrap();
    assert_eq!(run.exit_code(), 0, "{}", run.told());
    assert!(
        !run.told().contains("left processes behind"),
        "{}",
        run.told()
    );
    eventually("the helper has ended", || !helper.lives());
}
