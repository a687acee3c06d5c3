//! The OPERATING SYSTEM: processes, signals, terminals. `libc` lives only here, `nix` here and in
//! `store`.
//!
//! **Invariant:** nothing here decides. A program is prepared, started, signalled, reaped and
//! looked up in `/proc` when the executor says so.
//!
//! **Invariant:** `unsafe` is in `spawn.rs` alone, together with the few system calls that `nix`
//! cannot express.
//!
//! **Invariant:** whatever is started here is reaped by `reaper.rs` and by nothing else.
//! `std::process` and `tokio::process` are absent on purpose: one `waitid` for everybody would take
//! their statuses away.

use std::io;

use nix::sys::prctl;

#[cfg(feature = "testing")]
pub(crate) mod for_laws;
mod group;
pub mod identity;
pub mod listeners;
pub mod manager;
pub mod notify;
mod procfs;
pub mod program;
pub mod queue;
pub mod ready_pipe;
pub mod reaper;
pub mod spawn;
pub mod stderr;
pub mod terminal;
pub mod timer;
pub mod tree;

pub use identity::{Account, Identity, lookup_account};
pub use listeners::{ListenError, Listeners};
pub use manager::{Heard, Manager};
pub use notify::{NotifySocket, is_passing};
pub use procfs::{StartTime, name_of, sees_us};
pub use program::{DESCRIPTOR_MAX, Group, Prepared, Program, prepare};
pub use queue::{Queued, queue, queued, read_queue, stop_self};
pub use ready_pipe::{ReadyPipe, Said};
pub use reaper::{Change, Children, child_signal, collect};
pub use spawn::{Child, Inherited, exec, signal_group, signal_process, spawn, unblock};
pub use stderr::Stderr;
pub use terminal::{Terminal, has_controlling_terminal, leads_session};
pub use timer::{BootTimer, time_since_boot};
pub use tree::{Swept, Tree, supervisor_mark};

/// Keeps the supervisor's memory, which holds secrets, from core files and from other processes of
/// the same user. The child is as dumpable as it would be without us, and its core limit is not
/// touched.
///
/// # Errors
/// When the system refuses.
pub fn harden() -> io::Result<()> {
    Ok(prctl::set_dumpable(false)?)
}

/// Who we are: the effective user's number.
#[must_use]
pub fn user() -> u32 {
    nix::unistd::geteuid().as_raw()
}

/// From now on every orphan below us becomes our child instead of PID 1's.
///
/// # Errors
/// When the system refuses.
pub fn become_subreaper() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}
