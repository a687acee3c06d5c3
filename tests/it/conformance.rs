//! The README's table of signals, row by row, with real processes: without a terminal, on one, and
//! as PID 1.

use std::collections::BTreeSet;

use changeover::process::signal_process;
use changeover::supervisor::signal::Signal;

use crate::support::supervised::{Supervise, Supervised, simulator};
use crate::support::terminal::{CTRL_BACKSLASH, CTRL_C, CTRL_Z, Terminal};
use crate::support::world::{Process, UNSHARE, can_unshare, children_of, eventually};

/// What the program gets when a process sends a signal to the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gets {
    /// It, once.
    It,
    /// Its stop signal.
    Stop,
    Nothing,
    /// KILL, from the kernel.
    Death,
}

/// The first cell of a row, its signals, and what the program gets.
const TABLE: [(&str, &[i32], Gets); 11] = [
    ("`TERM`", &[15], Gets::Stop),
    ("`INT`, `QUIT`", &[2, 3], Gets::It),
    ("`HUP`", &[1], Gets::It),
    ("`TSTP`, `TTIN`, `TTOU`", &[20, 21, 22], Gets::It),
    ("`CONT`", &[18], Gets::It),
    (
        "`USR1`, `USR2`, `PIPE`, `ALRM`, `STKFLT`, `URG`, `XCPU`, `XFSZ`, `VTALRM`, `PROF`, `WINCH`, `IO`, `PWR`",
        &[10, 12, 13, 14, 16, 23, 24, 25, 26, 27, 28, 29, 30],
        Gets::It,
    ),
    (
        "`ILL`, `TRAP`, `ABRT`, `BUS`, `FPE`, `SEGV`, `SYS`",
        &[4, 5, 6, 7, 8, 11, 31],
        Gets::It,
    ),
    (
        "`RTMIN` to `RTMAX`",
        &[
            34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55,
            56, 57, 58, 59, 60, 61, 62, 63, 64,
        ],
        Gets::It,
    ),
    ("`CHLD`", &[17], Gets::Nothing),
    ("`KILL`", &[9], Gets::Death),
    ("`STOP`", &[19], Gets::Nothing),
];

/// Says each signal that comes, but ends on TERM.
const LISTENER: &str = r#"
number=1
while [ $number -le 64 ]; do
  case $number in
    9|19|32|33) ;;
    15) trap 'echo "got 15."; exit 7' 15 ;;
    *) trap "echo got $number." $number ;;
  esac
  number=$((number + 1))
done
sleep 1000 &
echo "child pid=$$ of=$PPID ."
while :; do wait; done"#;

fn send(process: &Process, number: i32) {
    signal_process(process.pid, Signal(number)).unwrap();
}

#[test]
fn the_readme_has_a_row_for_every_signal() {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once("\n## Signals\n").unwrap();
    let (_, table) = section.split_once("|---|").unwrap();
    let rows = table
        .lines()
        .skip(1)
        .take_while(|line| line.starts_with('|'));
    let cells: Vec<_> = rows
        .map(|row| row.split('|').nth(1).unwrap().trim())
        .collect();
    assert_eq!(cells, TABLE.map(|(cell, _, _)| cell));
    let mut missing: BTreeSet<i32> = (1..=31).chain(Signal::REAL_TIME).collect();
    for (cell, numbers, _) in TABLE {
        for number in numbers {
            assert!(missing.remove(number), "{number} stands twice");
            let name = format!("`{}`", Signal(*number));
            assert!(cell.contains(&name) || *number > 31, "{cell} lacks {name}");
        }
    }
    assert_eq!(missing, BTreeSet::new());
}

/// What a child says, and where.
trait Speaks {
    fn sees(&mut self, part: &str) -> String;
    fn count(&self, part: &str) -> usize;
}

impl Speaks for Supervised {
    fn sees(&mut self, part: &str) -> String {
        self.line(part)
    }

    fn count(&self, part: &str) -> usize {
        let lines = self.lines();
        lines.iter().filter(|line| line.contains(part)).count()
    }
}

impl Speaks for Terminal {
    fn sees(&mut self, part: &str) -> String {
        self.sees(part)
    }

    fn count(&self, part: &str) -> usize {
        self.count(part)
    }
}

fn gets(number: i32) -> Gets {
    let row = TABLE
        .iter()
        .find(|(_, numbers, _)| numbers.contains(&number));
    row.unwrap().2
}

/// Sends every signal of the table to a supervisor whose child is the listener.
fn every_row(supervisor: &Process, child: &Process, run: &mut impl Speaks) {
    let all = TABLE.iter().flat_map(|(_, numbers, _)| *numbers).copied();
    for number in all.clone() {
        match gets(number) {
            Gets::It => {
                send(supervisor, number);
                run.sees(&format!("got {number}."));
            }
            Gets::Nothing => send(supervisor, number),
            // They come last.
            Gets::Stop | Gets::Death => {}
        }
    }
    eventually("STOP stops it alone", || {
        supervisor.state().as_deref() == Some("T")
    });
    assert_eq!(child.state().as_deref(), Some("S"));
    send(supervisor, 18);
    run.sees("got 18.");
    // Whatever else came is there before this.
    send(supervisor, 12);
    run.sees("got 12.");
    for number in all {
        let expected = match (gets(number), number) {
            (_, 12 | 18) => 2,
            (Gets::It, _) => 1,
            (Gets::Nothing | Gets::Stop | Gets::Death, _) => 0,
        };
        assert_eq!(run.count(&format!("got {number}.")), expected, "{number}");
    }
    send(supervisor, 15);
    run.sees("got 15.");
}

#[test]
fn without_a_terminal() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator).script(LISTENER);
    let line = run.line("child pid=");
    let (child, supervisor) = (Process::named(&line, "pid"), Process::of(run.pid()));
    every_row(&supervisor, &child, &mut run);
    assert_eq!(run.exit_code(), 7, "{}", run.told());
}

#[test]
fn on_a_terminal() {
    let simulator = simulator();
    let mut terminal = Supervise::on(&simulator).on_terminal(&["sh", "-c", LISTENER]);
    let line = terminal.sees("child pid=");
    let (child, supervisor) = (Process::named(&line, "pid"), Process::named(&line, "of"));
    every_row(&supervisor, &child, &mut terminal);
    assert_eq!(terminal.exit_code(), 7, "{}", terminal.text());
}

#[test]
fn as_pid_1() {
    if !can_unshare() {
        return;
    }
    let simulator = simulator();
    let orphan = "(sh -c 'exit 3' &)";
    let run = Supervise::on(&simulator).under(&UNSHARE);
    let mut run = run.script(&format!("{orphan}\n{LISTENER}"));
    // Its own numbers are those of its namespace.
    assert!(run.line("child pid=").contains("of=1 "));
    let supervisor = Process::of(children_of(run.pid())[0]);
    eventually("every orphan is reaped", || {
        children_of(supervisor.pid).len() == 1
    });
    let child = Process::of(children_of(supervisor.pid)[0]);
    every_row(&supervisor, &child, &mut run);
    assert_eq!(run.exit_code(), 7, "{}", run.told());
    assert!(!child.lives());
}

#[test]
fn what_the_terminal_raises_is_not_sent_again() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).env("LISTENER", LISTENER);
    let mut shell = run.in_shell();
    shell.enter("$RUN sh -c \"$LISTENER\"");
    let line = shell.sees("child pid=");
    let supervisor = Process::named(&line, "of");
    shell.press(CTRL_C);
    shell.sees("got 2.");
    shell.press(CTRL_BACKSLASH);
    shell.sees("got 3.");
    shell.resize(33);
    shell.sees("got 28.");
    shell.press(CTRL_Z);
    // The shell says so, and the program too, in any order.
    shell.sees("Stopped");
    eventually("both have it", || shell.count("got 20.") == 1);
    shell.enter("fg");
    shell.sees("got 18.");
    // The shell ends: so does the session, and the terminal is gone for those who are left.
    send(&Process::of(shell.leader()), 9);
    shell.sees("got 1.");
    send(&supervisor, 12);
    shell.sees("got 12.");
    for number in [2, 3, 28, 20, 1] {
        let count = shell.count(&format!("got {number}."));
        assert_eq!(count, 1, "{number}: {}", shell.text());
    }
}

/// The program dies of what it does not catch, and changeover's code tells of what.
#[test]
fn a_death_by_a_signal_is_128_and_its_number() {
    let simulator = simulator();
    for number in [
        1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16, 24, 25, 26, 27, 29, 30, 31, 34, 64,
    ] {
        let run = Supervise::on(&simulator).options("--check-login never --no-watch");
        let mut run = run.script(r#"ulimit -c 0; echo "child pid=$$ ."; exec sleep 1000"#);
        run.line("child pid=");
        send(&Process::of(run.pid()), number);
        assert_eq!(run.exit_code(), 128 + number, "{}", run.told());
    }
}

#[test]
fn a_killed_supervisor_takes_the_program_along() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator).script(LISTENER);
    let child = Process::named(&run.line("child pid="), "pid");
    send(&Process::of(run.pid()), 9);
    eventually("the program is gone", || !child.lives());
}

#[test]
fn a_group_gets_what_its_leader_gets_if_asked_to() {
    let simulator = simulator();
    let script = r#"
sh -c 'trap "echo member got it" USR1; echo member; while :; do wait; sleep 1000 & done' &
trap 'echo leader got it' USR1
sleep 1000 &
echo "leader"
while :; do wait; done"#;
    for (scope, members) in [("process", 0), ("group", 1)] {
        let run = Supervise::on(&simulator).options(&format!("--stop-scope {scope}"));
        let mut run = run.script(script);
        eventually("both are ready", || {
            run.count("member") + run.count("leader") == 2
        });
        run.signal(nix::sys::signal::Signal::SIGUSR1);
        run.line("leader got it");
        eventually("all have it", || run.count("member got it") == members);
    }
}

/// On a terminal the group of the program is the supervisor's, too.
#[test]
fn what_the_programs_own_tree_sends_is_not_sent_back() {
    let simulator = simulator();
    let script = r#"
trap 'echo got 10.' USR1
trap 'echo got 12.; kill 0' USR2
trap 'trap - TERM; echo got 15.; kill 0' TERM
kill -USR1 0
echo "child pid=$$ of=$PPID ."
while :; do sleep 1000 & wait; done"#;
    let mut terminal = Supervise::on(&simulator).on_terminal(&["sh", "-c", script]);
    let line = terminal.sees("child pid=");
    let supervisor = Process::named(&line, "of");
    send(&supervisor, 12);
    terminal.sees("got 12.");
    // Its TERM to the whole group is a stop, as anybody's.
    terminal.sees("got 15.");
    assert_eq!(terminal.exit_code(), 143, "{}", terminal.text());
    for number in [10, 12, 15] {
        let count = terminal.count(&format!("got {number}."));
        assert_eq!(count, 1, "{number}: {}", terminal.text());
    }
}

/// A program that was stopped sees nothing until it goes on.
#[test]
fn a_stopped_program_is_continued_for_its_stop() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator).script(LISTENER);
    let child = Process::named(&run.line("child pid="), "pid");
    send(&child, 19);
    eventually("it is stopped", || child.state().as_deref() == Some("T"));
    assert_eq!(run.terminate(), 7, "{}", run.told());
    assert_eq!(run.count("got 15."), 1);
}
