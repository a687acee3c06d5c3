//! A program to be supervised, well-behaved or not: for trying changeover out, and for its tests.
//!
//! `child polite` ends on TERM · `child slow MS` takes that long to end · `child deaf` only heeds
//! KILL · `child forking` ends on TERM and leaves behind a deaf child, an orphan, a process in its
//! own session, one without an environment and a zombie. Each line on stdout is a marker: `ready
//! KIND pid=N` when it listens, `stopping KIND pid=N` when it heard.

use std::env;
use std::process::{Child, Command, exit, id};
use std::time::Duration;

use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{pause, setsid};

fn main() -> std::io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGTERM);
    // Blocked before the first marker: whoever has read it may send TERM at once.
    stop.thread_block()?;
    let kind = args.first().map_or("polite", String::as_str);
    match kind {
        "gone" => return Ok(()),
        "orphan" => {
            // Its parent, this process, ends at once.
            run("deaf", |_| {})?;
            return Ok(());
        }
        "session" => drop(setsid()?),
        "forking" => leave_behind()?,
        _ => {}
    }
    println!("ready {kind} pid={}", id());
    if kind == "deaf" || kind == "session" {
        loop {
            pause();
        }
    }
    stop.wait()?;
    println!("stopping {kind} pid={}", id());
    if kind == "slow" {
        linger(args.get(1).and_then(|ms| ms.parse().ok()).unwrap_or(1000));
    }
    exit(0);
}

fn leave_behind() -> std::io::Result<()> {
    run("deaf", |_| {})?;
    run("orphan", |_| {})?.wait()?;
    run("session", |_| {})?;
    run("deaf", |command| {
        command.env_clear();
    })?;
    // Never waited for.
    run("gone", |_| {})?;
    Ok(())
}

fn run(kind: &str, change: impl FnOnce(&mut Command)) -> std::io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    change(command.arg(kind));
    command.spawn()
}

#[expect(clippy::disallowed_methods, reason = "being slow is what it is for")]
fn linger(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}
