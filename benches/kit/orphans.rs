//! Processes that nobody waits for but the supervisor: each one's parent ends without asking how it
//! ended.

use std::os::unix::process::parent_id;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::libc;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

use super::kit::Process;

/// So many have one parent.
const BATCH: usize = 10;
/// No more are left to reap before others are made: the machine has so many process ids.
const UNREAPED_MAX: usize = 2000;

/// Makes so many, below whoever started this process, which must have one thread alone.
pub(crate) fn make(count: usize) -> Result<()> {
    let supervisor = Process(parent_id());
    let mut left = count;
    while left > 0 {
        let batch = left.min(BATCH);
        parent_of(batch)?;
        left -= batch;
        // A look costs as much as some batches.
        while (left / BATCH).is_multiple_of(50) && supervisor.children()?.len() > UNREAPED_MAX {
            pause();
        }
    }
    Ok(())
}

/// A parent that ends at once.
fn parent_of(count: usize) -> Result<()> {
    let Some(parent) = child()? else {
        let all = (0..count).try_for_each(|_| match child() {
            Ok(Some(_)) => Ok(()),
            Ok(None) => end(0),
            Err(_) => Err(()),
        });
        end(i32::from(all.is_err()))
    };
    let status = waitpid(parent, None)?;
    let has_made_all = status == WaitStatus::Exited(parent, 0);
    ensure!(has_made_all, "no more processes: {status:?}");
    Ok(())
}

/// `None` in the child.
#[expect(unsafe_code, reason = "a process that forks is what is measured")]
fn child() -> Result<Option<nix::unistd::Pid>> {
    // SAFETY: This process has one thread, so nothing that another one held is held for ever in
    // the child, which may do whatever its parent may.
    match unsafe { fork() }.context("fork")? {
        ForkResult::Parent { child } => Ok(Some(child)),
        ForkResult::Child => Ok(None),
    }
}

/// Without whatever a program does at its end, which is its first parent's to do.
#[expect(unsafe_code, reason = "std has no such end")]
fn end(code: i32) -> ! {
    // SAFETY: It ends the process, and touches nothing.
    unsafe { libc::_exit(code) }
}

#[expect(
    clippy::disallowed_methods,
    reason = "it waits for others to be reaped"
)]
fn pause() {
    thread::sleep(Duration::from_millis(1));
}
