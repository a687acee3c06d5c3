//! The real program on a terminal, as a person finds it: keys, jobs, windows, and the terminal
//! given back.

use std::fs;
use std::process::Command;
use std::time::Duration;

use changeover::testing::heroku::Simulator;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::skip::skipped;
use crate::support::postgres::Postgres;
use crate::support::supervised::{QUICK, Supervise, simulator, url};
use crate::support::terminal::{CTRL_C, CTRL_Z, Terminal};
use crate::support::world::{Process, eventually};

/// Says which signals came, and what was typed.
const LISTENER: &str = r#"
for signal in INT WINCH USR1; do trap "echo heard-$signal" $signal; done
echo "child pid=$$ of=$PPID ."
while :; do if read -r line; then echo "read-$line"; fi; done"#;

/// Dies of whatever comes.
const PLAIN: &str = r#"echo "child pid=$$ of=$PPID ."; exec sleep 1000"#;

/// The child that has just said so, and its supervisor.
fn family(terminal: &mut Terminal) -> (Process, Process) {
    let line = terminal.sees("child pid=");
    (Process::named(&line, "pid"), Process::named(&line, "of"))
}

fn send(process: &Process, signal: Signal) {
    kill(Pid::from_raw(process.pid.cast_signed()), signal).unwrap();
}

fn are(state: &str, processes: &[&Process]) {
    eventually(&format!("{processes:?} are {state}"), || {
        let is = |process: &&Process| process.state().as_deref() == Some(state);
        processes.iter().all(is)
    });
}

#[test]
fn ctrl_c_reaches_the_child_once() {
    let simulator = simulator();
    let mut terminal = Supervise::on(&simulator).on_terminal(&["sh", "-c", LISTENER]);
    let (child, supervisor) = family(&mut terminal);
    terminal.press(CTRL_C);
    terminal.sees("heard-INT");
    // Whatever else came is there before this.
    send(&supervisor, Signal::SIGUSR1);
    terminal.sees("heard-USR1");
    assert_eq!(terminal.count("heard-INT"), 1, "{}", terminal.text());
    assert!(child.lives() && !terminal.text().contains("stopping"));
    terminal.resize(33);
    terminal.sees("heard-WINCH");
    send(&supervisor, Signal::SIGUSR1);
    terminal.sees("heard-USR1");
    assert_eq!(terminal.count("heard-WINCH"), 1, "{}", terminal.text());
}

#[test]
fn ctrl_c_ends_all_with_the_childs_code() {
    let simulator = simulator();
    for (script, code) in [
        (PLAIN.to_owned(), 130),
        (
            format!("trap \"exit 7\" INT\n{LISTENER}").replace("INT WINCH", "WINCH"),
            7,
        ),
    ] {
        let run = Supervise::on(&simulator).options("--restart always");
        let mut terminal = run.on_terminal(&["sh", "-c", &script]);
        family(&mut terminal);
        terminal.press(CTRL_C);
        assert_eq!(terminal.exit_code(), code, "{}", terminal.text());
        assert_eq!(terminal.count("child pid="), 1, "{}", terminal.text());
    }
}

/// A shell in which `$LISTENER` and `$PLAIN` are scripts.
fn shell(simulator: &Simulator) -> Terminal {
    let run = Supervise::on(simulator).env("LISTENER", LISTENER);
    run.env("PLAIN", PLAIN).in_shell()
}

#[test]
fn a_shell_stops_and_continues_it_as_any_job() {
    let simulator = simulator();
    let mut shell = shell(&simulator);
    shell.enter("$RUN sh -c \"$LISTENER\"");
    let (child, supervisor) = family(&mut shell);
    for round in 0..3 {
        shell.press(CTRL_Z);
        shell.sees("Stopped");
        shell.sees("shell> ");
        are("T", &[&child, &supervisor]);
        shell.enter("fg");
        shell.enter(&format!("line{round}"));
        shell.sees(&format!("read-line{round}"));
    }
}

#[test]
fn a_job_in_the_background_that_reads_the_terminal_is_stopped() {
    let simulator = simulator();
    let mut shell = shell(&simulator);
    shell.enter("$RUN sh -c \"$LISTENER\" &");
    let (child, supervisor) = family(&mut shell);
    are("T", &[&child, &supervisor]);
    shell.enter("fg");
    shell.enter("again");
    shell.sees("read-again");
}

/// Everything that a process stops by itself, sent by another process: to the supervisor alone.
#[test]
fn a_process_stops_and_continues_it_with_its_child() {
    let simulator = simulator();
    let mut shell = shell(&simulator);
    shell.enter("$RUN sh -c \"$PLAIN\" &");
    let (child, supervisor) = family(&mut shell);
    for signal in [Signal::SIGTSTP, Signal::SIGTTIN, Signal::SIGTTOU] {
        send(&supervisor, signal);
        are("T", &[&child, &supervisor]);
        send(&supervisor, Signal::SIGCONT);
        are("S", &[&child, &supervisor]);
    }
    send(&supervisor, Signal::SIGTERM);
    shell.enter("wait $!; echo code=$?");
    shell.sees("code=143");
}

/// An editor stops its whole group by itself.
#[test]
fn a_child_that_stops_its_group_stops_the_job() {
    let simulator = simulator();
    let mut shell = shell(&simulator);
    shell.enter("$RUN sh -c 'echo child pid=$$ of=$PPID .; kill -TSTP 0; echo back-$((1 + 1))'");
    shell.sees("pid=$$");
    let (child, supervisor) = family(&mut shell);
    shell.sees("Stopped");
    are("T", &[&child, &supervisor]);
    shell.enter("fg; echo code=$?");
    shell.sees("back-2");
    shell.sees("code=0");
}

/// The shell's job is the supervisor, and that one goes on: of its program's stop a shell learns
/// nothing. The keys work, and what continues the job continues its program.
#[test]
fn a_child_that_stops_itself_alone_is_stopped_alone() {
    let simulator = simulator();
    let mut shell = shell(&simulator);
    let script = "echo child pid=$$ of=$PPID .; kill -STOP $$; echo back-$((1 + 1))";
    shell.enter(&format!("$RUN sh -c '{script}'"));
    shell.sees("pid=$$");
    let (child, supervisor) = family(&mut shell);
    are("T", &[&child]);
    are("S", &[&supervisor]);
    assert_eq!(shell.foreground(), supervisor.pid);
    shell.press(CTRL_Z);
    shell.sees("Stopped");
    are("T", &[&child, &supervisor]);
    shell.enter("fg; echo code=$?");
    shell.sees("back-2");
    shell.sees("code=0");
    assert_eq!(shell.count("Stopped"), 1, "{}", shell.text());
}

/// It keeps the foreground while it is stopped, so that no key helps: CONT from elsewhere does.
#[test]
fn a_shell_that_suspends_itself_goes_on_at_cont() {
    let simulator = simulator();
    let mut shell = shell(&simulator);
    shell.enter("$RUN bash --norc --noprofile --noediting -i");
    shell.enter("echo child pid=$$ of=$PPID .");
    shell.sees("pid=$$");
    let (child, supervisor) = family(&mut shell);
    shell.enter("suspend");
    are("T", &[&child]);
    are("S", &[&supervisor]);
    send(&supervisor, Signal::SIGCONT);
    shell.enter("echo again-$((1 + 1)); exit 5");
    shell.sees("again-2");
    shell.enter("echo code=$?");
    shell.sees("code=5");
}

/// Ctrl-C alone is the program's; while it is being stopped, the second one is KILL.
#[test]
fn a_second_ctrl_c_while_stopping_kills() {
    let simulator = simulator();
    let deaf = format!("trap 'echo heard-TERM' TERM\n{LISTENER}");
    let run = Supervise::on(&simulator).options("--stop-timeout 1h");
    let mut terminal = run.on_terminal(&["sh", "-c", &deaf]);
    let (_, supervisor) = family(&mut terminal);
    for _ in 0..2 {
        terminal.press(CTRL_C);
        terminal.sees("heard-INT");
    }
    send(&supervisor, Signal::SIGTERM);
    terminal.sees("heard-TERM");
    terminal.press(CTRL_C);
    terminal.sees("heard-INT");
    // By the second answer the supervisor, too, has heard the INT: two at once would be one.
    for _ in 0..2 {
        send(&supervisor, Signal::SIGUSR1);
        terminal.sees("heard-USR1");
    }
    terminal.press(CTRL_C);
    assert_eq!(terminal.exit_code(), 137, "{}", terminal.text());
}

/// The program of a stopped job has no time to end.
#[test]
fn a_stop_timeout_stands_still_while_the_job_is_stopped() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--stop-timeout 5s");
    let slow = r#"
trap 'echo asked-to-stop; read -r go; exit 9' TERM
sleep 1000 &
echo "child pid=$$ of=$PPID ."
wait; wait"#;
    let mut shell = run.env("SLOW", slow).in_shell();
    shell.enter("$RUN sh -c \"$SLOW\"; echo code=$?");
    let (child, supervisor) = family(&mut shell);
    send(&supervisor, Signal::SIGTERM);
    shell.sees("asked-to-stop");
    shell.press(CTRL_Z);
    shell.sees("Stopped");
    are("T", &[&child, &supervisor]);
    // There is no other sign of time that has passed.
    std::thread::park_timeout(Duration::from_millis(5500));
    shell.enter("fg; echo code=$?");
    shell.enter("go");
    shell.sees("code=9");
    assert!(!shell.text().contains("KILL"), "{}", shell.text());
}

/// In an interactive shell, which leads a group of its own in the foreground: raw mode, no echo.
const WILD: &str = r#"
echo "child pid=$$ of=$PPID ."
stty raw -echo
echo "wild-$((1 + 1))"
sleep 1000"#;

#[test]
fn the_terminal_is_given_back_after_a_kill() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--check-login never --restart always");
    let run = run.options("--backoff 1h..1h");
    let mut terminal = run.on_terminal(&["bash", "--norc", "--noprofile", "-ic", WILD]);
    let (child, supervisor) = family(&mut terminal);
    assert_eq!(terminal.leader(), supervisor.pid);
    terminal.sees("wild-2");
    assert_ne!(terminal.settings(), terminal.initial);
    assert_eq!(terminal.foreground(), child.pid);
    send(&child, Signal::SIGKILL);
    terminal.sees("starting it again");
    assert_eq!(terminal.settings(), terminal.initial);
    assert_eq!(terminal.foreground(), supervisor.pid);
    send(&supervisor, Signal::SIGTERM);
    assert_eq!(terminal.exit_code(), 143, "{}", terminal.text());
}

#[test]
fn after_a_rotation_the_new_child_works_at_the_terminal() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options(QUICK);
    let run = run.options("--stop-signal KILL").env("WILD", WILD);
    let reader = r#"
case $DATABASE_URL in *password-1*) exec bash --norc --noprofile -ic "$WILD" ;; esac
echo "child pid=$$ of=$PPID ."
read -r line
echo "read-$line"
exit 3"#;
    let mut terminal = run.on_terminal(&["sh", "-c", reader]);
    terminal.sees("wild-2");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    terminal.sees("started on revision 2");
    terminal.enter("hello");
    terminal.sees("read-hello");
    assert_eq!(terminal.exit_code(), 3, "{}", terminal.text());
}

/// What is pressed, and what is seen then.
type Talk<'a> = &'a [(&'a str, &'a str)];

/// Programs that want a terminal for themselves.
#[test]
fn interactive_programs_work_as_the_child() {
    let simulator = simulator();
    let talks: [(&[&str], Talk); 3] = [
        (
            &["bash", "--norc", "--noprofile", "-i"],
            &[
                ("case $- in *m*) echo jobs-$((1 + 1)) ;; esac\n", "jobs-2"),
                ("sh -c 'echo at-$((1 + 1)); exec sleep 1000'\n", "at-2"),
                (CTRL_Z, "Stopped"),
                ("kill -KILL %1; disown %1; echo gone-$?\n", "gone-0"),
                ("exit 5\n", "exit"),
            ],
        ),
        (
            &["python3", "-i", "-c", "print('ready')"],
            &[
                ("", ">>> "),
                (
                    // No single sleep: one that begins right after the signal is not interrupted.
                    "import time\nfor i in range(9999): _ = i or print('at', 40 + 2); time.sleep(0.1)\n\n",
                    "at 42",
                ),
                (CTRL_C, "KeyboardInterrupt"),
                ("exit(5)\n", "exit(5)"),
            ],
        ),
        (
            &["vi", "-u", "NONE", "-i", "NONE", "-n"],
            &[
                ("", "~"),
                ("ihello\x1b", "hello"),
                (":set columns?\n", "columns="),
                (":cq! 5\n", ""),
            ],
        ),
    ];
    for (program, talk) in talks {
        if !is_installed(program[0]) {
            skipped(&format!("{} is not installed", program[0]));
            continue;
        }
        let run = Supervise::on(&simulator).options("--check-login never");
        let mut terminal = run.on_terminal(program);
        for (keys, answer) in talk {
            terminal.press(keys);
            terminal.sees(answer);
        }
        let told = format!("{program:?}: {}", terminal.text());
        assert_eq!(terminal.exit_code(), 5, "{told}");
        assert_eq!(terminal.settings(), terminal.initial, "{told}");
    }
}

#[test]
fn psql_works_as_the_child() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    if !is_installed("psql") {
        return skipped("psql is not installed");
    }
    let simulator = server.simulator();
    let run = Supervise::on(&simulator).options("--check-login never");
    let mut terminal =
        run.on_terminal(&["sh", "-c", "exec psql -X -P pager=off \"$DATABASE_URL\""]);
    terminal.sees("=>");
    terminal.enter("select 40 + 2 as answer;");
    terminal.sees("42");
    terminal.enter("do $$ begin raise notice 'at-%', 1 + 1; perform pg_sleep(1000); end $$;");
    terminal.sees("at-2");
    terminal.press(CTRL_C);
    terminal.sees("canceling statement");
    terminal.enter("\\q");
    assert_eq!(terminal.exit_code(), 0, "{}", terminal.text());
}

fn is_installed(program: &str) -> bool {
    let found = Command::new("which").arg(program).output();
    found.is_ok_and(|output| output.status.success())
}

#[test]
fn a_pager_behind_it_works_and_is_stopped_with_it() {
    if !is_installed("less") {
        return skipped("less is not installed");
    }
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--check-login never");
    let mut shell = run.env("LESS", "-X").in_shell();
    shell.enter("$RUN seq 1 100000 2>~/log | less; echo code=${PIPESTATUS[*]}");
    shell.sees("\n5\n");
    shell.press(CTRL_Z);
    shell.sees("Stopped");
    shell.enter("fg");
    shell.press("/^50000$\n");
    shell.sees("50003");
    shell.press("q");
    shell.sees("shell> ");
    shell.enter("grep -c 'ended by PIPE' ~/log; echo counted-$((1 + 1))");
    shell.sees("\n1\ncounted-2");
}

/// As with `ssh -t` or `script`: the kernel tells the session's leader of it, and nobody else.
#[test]
fn a_hang_up_that_only_the_supervisor_is_told_of_ends_all() {
    if Command::new("script").arg("--version").output().is_err() {
        return skipped("script is not installed");
    }
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--restart always");
    let mut shell = run.env("PLAIN", PLAIN).in_shell();
    shell.enter("printf %s \"$PLAIN\" > ~/plain");
    shell.enter("script -qc \"exec $RUN sh ~/plain\" /dev/null");
    let (child, supervisor) = family(&mut shell);
    let status = fs::read_to_string(format!("/proc/{}/status", supervisor.pid)).unwrap();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    let script = parent.unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(script), Signal::SIGKILL).unwrap();
    eventually("both end", || !child.lives() && !supervisor.lives());
}

#[test]
fn a_terminal_that_hangs_up_ends_all() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--restart always");
    let mut shell = run.env("PLAIN", PLAIN).in_shell();
    shell.enter("$RUN sh -c \"$PLAIN\"");
    let (child, supervisor) = family(&mut shell);
    send(&Process::of(shell.leader()), Signal::SIGKILL);
    eventually("both end", || !child.lives() && !supervisor.lives());
}
