//! The program that every peer runs: it says when it began, what it was sent, and when it ended.
//!
//! `child STAMPS IDLE_MS [serve | session | exit CODE | die SIGNAL]`. What it says is appended to
//! the file STAMPS, a line each: `began PID TIME VALUE`, `serves PID TIME`, `signal PID TIME
//! NUMBER`, `ended PID TIME`; TIME in nanoseconds of the monotonic clock, VALUE is its
//! `DATABASE_URL`. A file and not a pipe: nobody is woken by it while something is measured. TERM
//! and INT end it, IDLE_MS later; other signals are only told of. `session` has a child of its own,
//! in a session of its own.
//!
//! `benches/peers/run` compiles this file by itself, static and without the standard library's
//! start, so that what a start costs is the peer's doing.
#![no_main]

use std::env;
use std::ffi::{c_char, c_int, c_long};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::thread::sleep;
use std::time::Duration;

const CLOCK_MONOTONIC: c_int = 1;
const SIG_BLOCK: c_int = 0;
const INT: c_int = 2;
const TERM: c_int = 15;
/// HUP, INT, QUIT, USR1, USR2, TERM.
const TOLD: [c_int; 6] = [1, INT, 3, 10, 12, TERM];

#[repr(C)]
struct TimeSpec {
    seconds: c_long,
    nanoseconds: c_long,
}

#[repr(C)]
struct SignalSet([c_long; 128 / size_of::<c_long>()]);

unsafe extern "C" {
    fn clock_gettime(clock: c_int, time: *mut TimeSpec) -> c_int;
    fn sigemptyset(set: *mut SignalSet) -> c_int;
    fn sigaddset(set: *mut SignalSet, signal: c_int) -> c_int;
    fn sigprocmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
    fn sigwait(set: *const SignalSet, signal: *mut c_int) -> c_int;
    safe fn fork() -> c_int;
    safe fn setsid() -> c_int;
    safe fn getpid() -> c_int;
    safe fn kill(pid: c_int, signal: c_int) -> c_int;
    safe fn _exit(code: c_int) -> !;
}

#[unsafe(no_mangle)]
extern "C" fn main(_: c_int, _: *const *const c_char) -> c_int {
    let began = now();
    // A script's first line hands over all of its words in one.
    let words = env::args().skip(1).collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = words.split(' ').collect();
    let [stamps, idle_ms, kind @ ..] = words.as_slice() else {
        eprintln!("child STAMPS IDLE_MS [serve | session | exit CODE | die SIGNAL]");
        return 2;
    };
    let Ok(stamps) = OpenOptions::new().append(true).create(true).open(stamps) else {
        eprintln!("child: {stamps} cannot be written");
        return 2;
    };
    let value = env::var("DATABASE_URL").unwrap_or_default();
    say(&stamps, "began", began, &value);
    let number = |at: usize| kind.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
    match kind.first() {
        Some(&"exit") => _exit(number(1)),
        Some(&"die") => {
            kill(getpid(), number(1));
        }
        Some(&"session") if fork() == 0 => {
            setsid();
            say(&stamps, "began", now(), &value);
        }
        _ => {}
    }
    serve(&stamps, Duration::from_millis(idle_ms.parse().unwrap_or(0)))
}

fn serve(stamps: &File, idle: Duration) -> ! {
    let mut set = SignalSet([0; 128 / size_of::<c_long>()]);
    // SAFETY: the set is as large as the C library's, and lives longer than the calls.
    unsafe {
        sigemptyset(&raw mut set);
        for signal in TOLD {
            sigaddset(&raw mut set, signal);
        }
        sigprocmask(SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
    // Who sends a signal waits for this.
    say(stamps, "serves", now(), "");
    loop {
        let mut signal = 0;
        // SAFETY: both live longer than the call.
        unsafe { sigwait(&raw const set, &raw mut signal) };
        say(stamps, "signal", now(), &signal.to_string());
        if matches!(signal, TERM | INT) {
            sleep(idle);
            say(stamps, "ended", now(), "");
            _exit(0);
        }
    }
}

fn say(mut stamps: &File, what: &str, time: u64, more: &str) {
    let line = format!("{what} {} {time} {more}\n", getpid());
    let _ = stamps.write_all(line.as_bytes());
}

fn now() -> u64 {
    let mut time = TimeSpec {
        seconds: 0,
        nanoseconds: 0,
    };
    // SAFETY: the kernel fills it, and it lives longer than the call.
    unsafe { clock_gettime(CLOCK_MONOTONIC, &raw mut time) };
    time.seconds as u64 * 1_000_000_000 + time.nanoseconds as u64
}
