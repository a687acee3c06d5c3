//! Real process trees: what a restart, a stop or a kill leaves behind, and what passes through
//! untouched.

use std::io::{Read, Write};
use std::process::Stdio;

use changeover::process::signal_process;
use changeover::supervisor::signal::Signal as Number;
use nix::sys::signal::Signal;

use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::{Process, eventually, zombies_of};

/// A leader that ends on TERM and whose whole family does not: one deaf, one orphaned, one orphaned
/// in a session of its own, one without the environment, one deaf and stopped, and a zombie that
/// nobody waits for. All but the zombie and the leader say their own numbers.
const FAMILY: &str = r#"
trap 'exit 0' TERM
cat >"$HOME/deaf" <<'END'
trap '' TERM
echo "deaf pid=$$"
while :; do sleep 1000; done
END
sh "$HOME/deaf" &
(sh "$HOME/deaf" &)
(setsid sh "$HOME/deaf" &)
env -i PATH="$PATH" sh "$HOME/deaf" &
sh -c 'echo "stopped pid=$$"; kill -STOP $$; sleep 1000' &
sh -c 'sleep 0 & exec sleep 1000' &
echo "leader pid=$$ url=$DATABASE_URL"
while :; do wait; done"#;

/// The members that speak.
const MEMBERS: usize = 6;

/// Waits until all members of a family have spoken since line `from`.
fn family(run: &Supervised, from: usize) -> Vec<Process> {
    eventually("the family is complete", || {
        run.lines().len() >= from + MEMBERS
    });
    let lines = run.lines();
    let named = lines[from..].iter().map(|line| Process::named(line, "pid"));
    named.collect()
}

/// A family is gone before anything else speaks: every line up to here is its own.
fn gone(members: &[Process]) -> bool {
    members.iter().all(|member| !member.lives())
}

#[test]
fn nothing_of_a_family_outlives_a_restart_or_a_stop() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator).options(QUICK).script(FAMILY);
    let first = family(&run, 0);
    run.log("started on revision 1");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    // The sweep: TERM, which most are deaf to, and KILL.
    run.log("left processes behind");
    eventually("the next family speaks", || run.lines().len() > MEMBERS);
    assert!(gone(&first), "{first:?} {}", run.told());
    let second = family(&run, MEMBERS);
    let supervisor = run.pid();
    eventually("every zombie is reaped", || {
        zombies_of(supervisor).is_empty()
    });
    assert!(run.lines().iter().any(|line| line.contains(&url(2))));
    assert_eq!(run.terminate(), 0, "{}", run.told());
    assert!(gone(&second), "{second:?} {}", run.told());
    assert_eq!(run.lines().len(), 2 * MEMBERS, "{}", run.told());
}

#[test]
fn a_shell_that_ignores_its_child_when_it_is_stopped() {
    let simulator = simulator();
    let script = r#"sh -c 'echo "inner pid=$$ url=$DATABASE_URL"; sleep 1000; :' & wait"#;
    let mut run = Supervise::on(&simulator).options(QUICK).script(script);
    let inner = Process::named(&run.line("inner"), "pid");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let next = Process::named(&run.line(&url(2)), "pid");
    assert!(!inner.lives(), "{}", run.told());
    assert_eq!(run.terminate(), 143);
    assert!(!next.lives(), "{}", run.told());
}

#[test]
fn a_deaf_child_is_killed_after_the_stop_timeout() {
    let simulator = simulator();
    let script =
        r#"trap '' TERM; echo "deaf pid=$$ url=$DATABASE_URL"; while :; do sleep 1000; done"#;
    let run = Supervise::on(&simulator).options(QUICK);
    let mut run = run.options("--stop-timeout 300ms").script(script);
    let first = Process::named(&run.line("deaf"), "pid");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let second = Process::named(&run.line(&url(2)), "pid");
    assert!(!first.lives(), "{}", run.told());
    run.log("killing it and all its processes");
    assert_eq!(run.terminate(), 137, "{}", run.told());
    assert!(!second.lives(), "{}", run.told());
}

#[test]
fn an_end_that_takes_long_names_who_is_still_alive() {
    let simulator = simulator();
    let script = r#"trap '' TERM; trap 'echo heard' INT; (exec sleep 1000 &); sleep 1001 & echo "deaf pid=$$"; while :; do wait; done"#;
    let run = Supervise::on(&simulator).options("--stop-timeout 4s");
    let mut run = run.script(script);
    let deaf = Process::named(&run.line("deaf"), "pid");
    run.signal(Signal::SIGTERM);
    let line = run.log("still alive");
    let pid = deaf.pid;
    // After 1 s, and longer on a machine that is busy.
    for part in [
        &format!("pid {pid} is not gone after "),
        &format!("; still alive: sh (pid {pid}), sleep (pid "),
    ] {
        assert!(line.contains(part), "{line}");
    }
    assert_eq!(line.matches("sleep").count(), 2, "{line}");
    run.signal(Signal::SIGINT);
    run.line("heard");
    run.signal(Signal::SIGINT);
    run.log("second INT: killing now");
    assert_eq!(run.exit_code(), 137, "{}", run.told());
}

#[test]
fn a_daemon_is_told_to_stay_in_the_foreground() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator).script("setsid sleep 1000 & echo started");
    run.line("started");
    run.log("only a program in the foreground can be supervised");
    assert_eq!(run.exit_code(), 0, "{}", run.told());
    assert_eq!(run.processes(), [run.pid()], "{}", run.told());
}

#[test]
fn without_a_sweep_what_a_child_leaves_lives_on() {
    let simulator = simulator();
    let script = r#"sh -c 'echo "inner pid=$$ url=$DATABASE_URL"; exec sleep 1000' & wait"#;
    let run = Supervise::on(&simulator).options(QUICK);
    let mut run = run.options("--sweep none").script(script);
    let first = Process::named(&run.line("inner"), "pid");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let second = Process::named(&run.line(&url(2)), "pid");
    assert!(first.lives(), "{}", run.told());
    assert_eq!(run.terminate(), 143);
    assert!(first.lives() && second.lives(), "{}", run.told());
}

#[test]
fn what_goes_in_and_out_is_the_childs_byte_for_byte() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options("-q");
    let mut command = supervise.command(&["sh", "-c", r"cat; printf 'its \377 own' >&2"]);
    let mut run = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let bytes: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let mut stdin = run.stdin.take().unwrap();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let mut received = Vec::new();
    run.stdout
        .take()
        .unwrap()
        .read_to_end(&mut received)
        .unwrap();
    writer.join().unwrap();
    assert!(received == bytes, "{} bytes came", received.len());
    let output = run.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"its \xff own", "and nothing of ours");
}

#[test]
fn the_childs_own_code_is_the_supervisors() {
    let simulator = simulator();
    for (script, code) in [
        ("exit 0", 0),
        ("exit 1", 1),
        ("exit 255", 255),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
    ] {
        let run = Supervise::on(&simulator).options("--check-login never");
        let mut run = run.script(script);
        assert_eq!(run.exit_code(), code, "{script}: {}", run.told());
    }
}

/// Says each signal that it gets, and ends on USR2.
const LISTENER: &str = r#"
for signal in HUP INT QUIT USR1 ALRM WINCH; do trap "echo got $signal" $signal; done
for number in 4 5 6 7 8 11 13 31 34 35 50 64; do trap "echo got $number." $number; done
trap 'exit 5' USR2
sleep 1000 &
echo "ready pid=$$"
while :; do wait; done"#;

/// Faults, PIPE and real-time signals.
const QUEUED: [i32; 12] = [4, 5, 6, 7, 8, 11, 13, 31, 34, 35, 50, 64];

#[test]
fn signals_are_handed_on() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--check-login never");
    let mut run = run.script(LISTENER);
    run.line("ready");
    for (signal, name) in [
        (Signal::SIGHUP, "HUP"),
        (Signal::SIGINT, "INT"),
        (Signal::SIGQUIT, "QUIT"),
        (Signal::SIGUSR1, "USR1"),
        (Signal::SIGALRM, "ALRM"),
        (Signal::SIGWINCH, "WINCH"),
    ] {
        run.signal(signal);
        run.line(&format!("got {name}"));
    }
    for number in QUEUED {
        signal_process(run.pid(), Number(number)).unwrap();
        run.line(&format!("got {number}."));
    }
    run.signal(Signal::SIGUSR2);
    assert_eq!(run.exit_code(), 5, "{}", run.told());
}

#[test]
fn a_mapped_signal_is_passed_on_as_another_and_is_no_stop() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--check-login never --restart always");
    let run = run.options("--map-signal TERM:QUIT --map-signal INT:none,USR1:RTMIN+1");
    let mut run = run
        .env("CHANGEOVER_MAP_SIGNAL", "USR1:none")
        .script(LISTENER);
    let child = Process::named(&run.line("ready"), "pid");
    run.signal(Signal::SIGTERM);
    assert_eq!(run.line("got"), "got QUIT");
    run.signal(Signal::SIGINT);
    run.signal(Signal::SIGUSR1);
    assert_eq!(run.line("got"), "got 35.");
    assert!(child.lives(), "{}", run.told());
    let logs = run.logs().join("\n");
    assert!(!logs.contains("stopping"), "{logs}");
}

#[test]
fn each_signal_is_told_and_who_sent_it() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("-v --check-login never --map-signal USR1:USR2");
    let mut run =
        run.script("trap 'echo two' USR2; echo up; while :; do sleep 1000 & wait $!; done");
    run.line("up");
    run.signal(Signal::SIGUSR1);
    run.line("two");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    let us = format!("from pid {} (", std::process::id());
    let logs = run.logs();
    let at = |part: &str| {
        let found = logs.iter().position(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("{part}: {}", run.told()))
    };
    assert!(logs[at("USR1 received")].contains(&us), "{logs:?}");
    // In the order in which it happened, among the other lines.
    let order = [
        "USR1 received",
        "USR2 sent to pid",
        "TERM received from pid",
    ];
    let more = [
        "TERM received: stopping",
        "TERM sent to pid",
        "was ended by TERM",
    ];
    let places: Vec<usize> = order.into_iter().chain(more).map(at).collect();
    assert!(places.is_sorted(), "{places:?} {logs:?}");
}

#[test]
fn what_nohup_ignores_stays_ignored() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options("--check-login never");
    let nohup = ["sh", "-c", "trap '' HUP; exec \"$@\"", "sh"];
    let mut run = supervise.under(&nohup).script(LISTENER);
    let child = Process::named(&run.line("ready"), "pid");
    for pid in [run.pid(), child.pid] {
        assert!(ignores_hup(pid), "{pid}");
    }
    run.signal(Signal::SIGHUP);
    run.signal(Signal::SIGUSR1);
    assert_eq!(run.line("got"), "got USR1");
    run.signal(Signal::SIGUSR2);
    assert_eq!(run.exit_code(), 5, "{}", run.told());
}

fn ignores_hup(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:\t"));
    u64::from_str_radix(mask.unwrap(), 16).unwrap() & 1 == 1
}
