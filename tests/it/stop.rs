//! What a program gets to see of its stop and of a burst of signals, and what a stopped one cannot
//! prevent.

use nix::sys::signal::Signal;

use changeover::process::signal_process;
use changeover::supervisor::signal::Signal as Number;

use crate::support::supervised::{Supervise, Supervised, simulator};
use crate::support::world::{Process, eventually};

fn count(run: &Supervised, line: &str) -> usize {
    run.lines().iter().filter(|said| *said == line).count()
}

fn is(process: &Process, state: &str) {
    eventually(&format!("{process:?} is {state}"), || {
        process.state().as_deref() == Some(state)
    });
}

/// A platform signals every process, and more than once; some programs take a second TERM for
/// "at once".
#[test]
fn a_program_is_told_to_stop_once() {
    let simulator = simulator();
    let script = r#"
trap 'echo TERM' TERM; trap 'echo USR1' USR1; trap 'exit 7' USR2
sleep 1000 & echo ready
while :; do wait; done"#;
    let mut run = Supervise::on(&simulator).script(script);
    run.line("ready");
    run.signal(Signal::SIGTERM);
    run.line("TERM");
    for _ in 0..3 {
        run.signal(Signal::SIGTERM);
        // Whatever else came is there before this.
        run.signal(Signal::SIGUSR1);
        run.line("USR1");
    }
    run.signal(Signal::SIGUSR2);
    assert_eq!(run.exit_code(), 7, "{}", run.told());
    assert_eq!(count(&run, "TERM"), 1, "{}", run.told());
}

/// A master stops its workers in its own order, and some must outlive others.
#[test]
fn the_stop_signal_is_the_leaders_alone() {
    let simulator = simulator();
    let script = r#"
(trap 'echo "worker TERM"; exit 0' TERM; trap 'echo "worker works"' USR1
    sleep 1000 & echo worker; while :; do wait; done) &
worker=$!
trap 'echo "leader TERM"; kill -USR1 $worker' TERM
trap 'kill -TERM $worker; while kill -0 $worker 2>&-; do wait $worker; done; exit 7' USR2
echo leader
while :; do wait; done"#;
    for (scope, expected) in [
        ("process", &["leader TERM", "worker works"][..]),
        ("group", &["leader TERM", "worker TERM"]),
    ] {
        let run = Supervise::on(&simulator).options(&format!("--stop-scope {scope}"));
        let mut run = run.script(script);
        eventually("both are ready", || run.lines().len() == 2);
        run.signal(Signal::SIGTERM);
        eventually("both have what they get", || {
            let lines = run.lines();
            expected
                .iter()
                .all(|line| lines.iter().any(|said| said == line))
        });
        if scope == "process" {
            assert_eq!(count(&run, "worker TERM"), 0, "{}", run.told());
        }
        run.signal(Signal::SIGUSR2);
        assert_eq!(run.exit_code(), 7, "{}", run.told());
    }
}

/// The wait is for the last one to end; a leader's end alone is no reason to be patient, nor is a
/// fixed time.
#[test]
fn the_end_of_the_last_process_is_the_end() {
    let simulator = simulator();
    let script = r#"
trap 'exit 7' TERM
(trap 'echo leaving' TERM; sleep 1000 & echo member; while [ ! -e "$HOME/go" ]; do wait; sleep 0.01; done) &
sleep 1000 & echo leader
while :; do wait; done"#;
    let mut run = Supervise::on(&simulator).script(script);
    eventually("both are ready", || run.lines().len() == 2);
    run.signal(Signal::SIGTERM);
    run.line("leaving");
    std::fs::write(run.home().join("go"), "").unwrap();
    assert_eq!(run.exit_code(), 7, "{}", run.told());
    let killed = run.logs().iter().any(|line| line.contains("KILL"));
    assert!(!killed, "{}", run.told());
    assert_eq!(run.processes(), [run.pid()], "{}", run.told());
}

/// Without a terminal: nobody is told, nobody waits for it, and CONT passes through.
#[test]
fn a_program_that_stops_itself_goes_on_at_cont() {
    let simulator = simulator();
    let script = r#"trap 'exit 7' TERM; echo "pid=$$"; kill -STOP $$; echo back; kill -STOP $$; sleep 1000 & wait"#;
    let mut run = Supervise::on(&simulator).script(script);
    let child = Process::named(&run.line("pid="), "pid");
    is(&child, "T");
    is(&Process::of(run.pid()), "S");
    run.signal(Signal::SIGCONT);
    run.line("back");
    is(&child, "T");
    // A stopped program gets its stop signal, too.
    assert_eq!(run.terminate(), 7, "{}", run.told());
}

/// KILL reaches a program that stops itself whenever it is continued.
#[test]
fn a_program_that_stays_stopped_is_killed() {
    let simulator = simulator();
    let script = r#"
trap 'kill -STOP $$' TERM CONT
sleep 1000 & echo "pid=$$"
while :; do wait; done"#;
    let run = Supervise::on(&simulator).options("--stop-timeout 300ms");
    let mut run = run.script(script);
    let child = Process::named(&run.line("pid="), "pid");
    assert_eq!(run.terminate(), 137, "{}", run.told());
    run.log("was ended by KILL");
    assert!(!child.lives(), "{}", run.told());
    assert_eq!(run.processes(), [run.pid()], "{}", run.told());
}

/// Takes its signals from the queue, one by one, and says them; TERM is the last.
const TAKES_ALL: &str = "
import signal
wanted = [signal.SIGTERM, signal.SIGUSR1, *range(signal.SIGRTMIN, signal.SIGRTMAX + 1)]
signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
print('ready', flush=True)
while (taken := signal.sigwaitinfo(wanted).si_signo) != signal.SIGTERM:
    print('got', int(taken), flush=True)
";

/// Real-time signals queue: none is lost, and none overtakes another of its number. All of a burst
/// are waiting when the supervisor looks.
#[test]
fn no_signal_of_a_burst_is_lost() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator).program(&["python3", "-c", TAKES_ALL]);
    run.line("ready");
    let supervisor = Process::of(run.pid());
    run.signal(Signal::SIGSTOP);
    is(&supervisor, "T");
    let burst: Vec<i32> = [34, 35, 36, 50].into_iter().cycle().take(100).collect();
    for number in &burst {
        signal_process(run.pid(), Number(*number)).unwrap();
    }
    run.signal(Signal::SIGCONT);
    eventually("all have come", || run.lines().len() == 1 + burst.len());
    for number in [34, 35, 36, 50] {
        assert_eq!(count(&run, &format!("got {number}")), 25, "{}", run.told());
    }
    assert_eq!(run.terminate(), 0, "{}", run.told());
    assert_eq!(run.lines().len(), 1 + burst.len(), "{}", run.told());
}
