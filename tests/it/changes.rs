//! What is a change, and what is none, with real processes; and that nothing happens in between.

use std::fs;
use std::time::Duration;

use changeover::testing::heroku::Simulator;
use nix::sys::signal::Signal;

use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::{Process, eventually};

const CHILD: &str = r#"echo "pid=$$ url=$DATABASE_URL other=${OTHER-none}"; sleep 1000 & wait"#;

/// Waits until Heroku has answered so often again.
fn more_answers(simulator: &Simulator, count: usize) {
    let until = simulator.request_count() + count;
    eventually("more answers", || simulator.request_count() >= until);
}

fn child(run: &mut Supervised) -> Process {
    Process::named(&run.line("pid="), "pid")
}

#[test]
fn another_variable_is_no_change_and_one_that_is_gone_is_not_there_again() {
    let simulator = simulator();
    simulator.set_config("OTHER", Some("1"));
    let run = Supervise::on(&simulator).options(QUICK);
    // The start's environment is none of a later one's.
    let mut run = run.options("--all-vars").script(CHILD);
    let first = child(&mut run);
    simulator.set_config("OTHER", Some("2"));
    more_answers(&simulator, 2);
    simulator.set_config("OTHER", None);
    more_answers(&simulator, 2);
    assert!(first.lives(), "{}", run.told());
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    child(&mut run);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    let said: Vec<String> = run.lines();
    let said: Vec<&str> = said
        .iter()
        .map(|line| line.split_once("url=").unwrap().1)
        .collect();
    let expected = [
        format!("{} other=1", url(1)),
        format!("{} other=none", url(2)),
    ];
    assert_eq!(said, expected, "{}", run.told());
}

/// The value in the supervisor's own environment is the oldest of all.
#[test]
fn an_inherited_value_never_comes_back() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options(QUICK);
    let run = run.env("DATABASE_URL", &url(99)).env("OTHER", "inherited");
    let mut run = run.script(CHILD);
    child(&mut run);
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    child(&mut run);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    let lines = run.lines();
    for (line, number) in lines.iter().zip(1..) {
        let expected = format!("url={} other=inherited", url(number));
        assert!(line.ends_with(&expected), "{}", run.told());
    }
}

/// How often the supervisor's one thread waited for something.
fn waits(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    line.unwrap().trim().parse().unwrap()
}

/// A supervisor that looks again and again, be it once a second, wakes up.
#[test]
fn nothing_wakes_while_nothing_happens() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator)
        .options("--no-watch")
        .script(r#"trap 'echo heard' USR1; sleep 1000 & echo "pid=$$"; while :; do wait; done"#);
    child(&mut run);
    run.log("started on");
    let pid = run.pid();
    let rested = (0..30).any(|_| {
        let before = waits(pid);
        // There is no sign of nothing but time.
        std::thread::park_timeout(Duration::from_secs(2));
        waits(pid) == before
    });
    assert!(rested, "it never rests for two seconds");
    let rest = waits(pid);
    run.signal(Signal::SIGUSR1);
    run.line("heard");
    eventually("a signal has woken it", || waits(pid) > rest);
}
