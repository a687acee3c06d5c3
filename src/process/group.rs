//! What wait(2) alone tells of an instance's processes, where `/proc` is missing or shows another
//! namespace's: whether its leader, or an orphan in the leader's group, is our child.

use nix::errno::Errno;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use crate::supervisor::signal::Signal;

use super::spawn::{signal_group, signal_process};

/// Whether a process of that leader's group, or the leader, is our child.
pub(super) fn has_children(leader: u32) -> bool {
    is_in_group(leader) || is_unreaped(leader)
}

/// Sends a signal to the group while a member is known to be ours, and to the leader while it is;
/// returns to how many of the two. A signal other than KILL is followed by CONT.
pub(super) fn signal_all(leader: u32, signal: Signal) -> usize {
    let then = (signal != Signal::KILL).then_some(Signal::CONT);
    let signals = || [signal].into_iter().chain(then);
    let group = is_in_group(leader) && signals().all(|one| signal_group(leader, one).is_ok());
    let leads = is_unreaped(leader) && signals().all(|one| signal_process(leader, one).is_ok());
    usize::from(group) + usize::from(leads)
}

fn is_in_group(leader: u32) -> bool {
    is_child(Id::PGid(Pid::from_raw(leader.cast_signed())))
}

/// The leader itself, in its own group or in ours.
fn is_unreaped(leader: u32) -> bool {
    is_child(Id::Pid(Pid::from_raw(leader.cast_signed())))
}

/// Whether there is one to wait for; nobody is waited for here.
fn is_child(whom: Id) -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(whom, look) != Err(Errno::ECHILD)
}
