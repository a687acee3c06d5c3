//! The one reaper of everything: collects each child's end, stop and continuation, ours or adopted.
//!
//! Statuses are taken as they come (never WNOWAIT: that shows the same zombie each time, and a
//! leader held back hides all later ones). The last answer also is the cheap proof that nothing is
//! left: no child, no tree.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal as Number};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::supervisor::event::Ended;
use crate::supervisor::signal::Signal;

use super::spawn::wait_any;

/// So many changes are handed out at once; the rest waits for the next call.
const CHANGES_MAX: usize = 1024;

/// What happened to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It ended and is reaped: its process id may belong to somebody else from now on.
    Ended(Ended),
    /// A signal stopped it.
    Stopped(Signal),
    /// It goes on after a stop.
    Continued,
}

/// What there is after a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Children {
    /// No child at all: every tree is empty.
    None,
    /// Children, and nothing new about them.
    Some,
    /// Perhaps more to collect: call again.
    More,
}

/// Collects what happened since the last call, oldest first for each process, without waiting.
pub fn collect(changes: &mut Vec<(u32, Change)>) -> Children {
    for _ in 0..CHANGES_MAX {
        match wait_any() {
            Ok(Some(change)) => changes.push(change),
            Err(Errno::ECHILD) => return Children::None,
            Ok(None) | Err(_) => return Children::Some,
        }
    }
    Children::More
}

/// Opens a descriptor that becomes readable when a child changed: empty it, then `collect`.
///
/// A descriptor and no handler: nothing is interrupted, and thousands of ends between two looks
/// cost one wake-up. Measured from one child's end to the next one's start it is as quick as a
/// pidfd on the event loop (and also tells of orphans), and 70 to 100 µs quicker than a handler
/// that writes to a pipe. For that SIGCHLD is blocked on this thread and all that it starts: call
/// it before any other thread exists, and before the first start of a child. The descriptor does
/// not block.
///
/// # Errors
/// When the system refuses.
pub fn child_signal() -> io::Result<OwnedFd> {
    let only = SigSet::from(Number::SIGCHLD);
    only.thread_block()?;
    let signal = SignalFd::with_flags(&only, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    signal.as_fd().try_clone_to_owned()
}
