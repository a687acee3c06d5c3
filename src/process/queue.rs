//! Signals that are blocked and read from a descriptor instead of being handled.
//!
//! For a fault signal (SEGV and its like) this is better than a handler that `signal_hook_registry`
//! installs with `register_unchecked`: one that a *process* sends waits here to be read, and one
//! that the *kernel* raises, because we did something wrong, still kills us at once and as what it
//! is: a blocked fault cannot wait, so the kernel does not ask for a handler. A handler would have
//! to tell the two apart by itself, in a process that is broken, or return into the fault without
//! end.
//!
//! For a job control signal (TSTP, TTIN, TTOU, CONT): we can do something before it stops us, and
//! the last one counts: the kernel drops a CONT that waits when a stop comes, and the reverse.
//!
//! For TERM, and for one that is only the child's (USR1, WINCH and others): it is there in one
//! step, where a handler interrupts the wait for it, and writes into a pipe that has to be read.
//!
//! For a real-time signal: each one that was sent is read, in its order; a handler's pipe merges
//! them. `abort` unblocks ABRT by itself.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::{SigSet, raise};
use nix::unistd::read;

use super::spawn::{is_pending, signal_queue};
use crate::supervisor::signal::Signal;

/// What the kernel writes for one signal: `struct signalfd_siginfo`.
const RECORD_BYTES: usize = 128;

/// A signal that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Queued {
    /// Which.
    pub signal: Signal,
    /// The process that sent it, 0 when that is outside our process namespace; `None`: the kernel
    /// raised it.
    pub sender: Option<u32>,
}

/// Opens a descriptor from which these signals are read. They are blocked on this thread and all
/// that it starts: call it before any other thread exists. The descriptor does not block.
///
/// # Errors
/// When the system refuses.
pub fn queue(signals: &[Signal]) -> io::Result<OwnedFd> {
    signal_queue(signals)
}

/// Stops this process as a queued signal would have, until somebody sends CONT; PID 1 and an
/// orphaned process group do not stop, nor anybody whom a CONT has overtaken. To be called on the
/// only thread that lives for long.
pub fn stop_self(signal: Signal) {
    // The kernel would drop it for the stop.
    if is_pending(Signal::CONT) {
        return;
    }
    let Ok(signal) = nix::sys::signal::Signal::try_from(signal.0) else {
        return;
    };
    let this = SigSet::from(signal);
    // It is blocked: raised, it waits; let through for a moment, it stops us, and the queue reads
    // the next one. None of the three fails for a signal that exists.
    let _ = raise(signal);
    let _ = this.thread_unblock();
    let _ = this.thread_block();
}

/// The signals that have come on the descriptor by now, eight of them at most.
#[must_use]
pub fn read_queue(descriptor: impl AsFd) -> Vec<Queued> {
    let mut bytes = [0; 8 * RECORD_BYTES];
    // Nothing has come, or the descriptor fails, as it will for whoever waits for it.
    let length = read(descriptor, &mut bytes).unwrap_or(0);
    queued(bytes.get(..length).unwrap_or_default()).collect()
}

/// The signals in what was read from the descriptor.
pub fn queued(bytes: &[u8]) -> impl Iterator<Item = Queued> + '_ {
    bytes.chunks_exact(RECORD_BYTES).filter_map(|record| {
        let word = |at: usize| Some(u32::from_ne_bytes(record.get(at..at + 4)?.try_into().ok()?));
        let (number, code, pid) = (word(0)?, word(8)?.cast_signed(), word(12)?);
        Some(Queued {
            signal: Signal(number.cast_signed()),
            // Above 0 are the kernel's own reasons: a fault, a key of the terminal.
            sender: (code <= 0).then_some(pid),
        })
    })
}
