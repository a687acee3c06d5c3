//! Writing to a stderr that may be broken or that nobody reads: never fails, never waits for long.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// A pipe that `poll` calls writable takes this much without blocking (`PIPE_BUF`).
const CHUNK: usize = 4096;
/// How long a reader may keep us waiting before a line is given up; the next lines do not wait at
/// all.
const PATIENCE_MS: u16 = 100;

/// Lines for stderr, and a count of those that nobody took.
///
/// The descriptor is shared with the child, so it cannot be made non-blocking: each write is asked
/// for first.
#[derive(Debug, Default)]
pub struct Stderr {
    stalled: AtomicBool,
    lost: AtomicU32,
}

impl Stderr {
    /// How many lines were lost since this was last asked.
    pub fn take_lost(&self) -> u32 {
        self.lost.swap(0, Ordering::Relaxed)
    }

    /// Writes one line, or loses it.
    pub fn put(&self, line: &[u8]) {
        for chunk in line.chunks(CHUNK) {
            if !self.put_chunk(chunk) {
                self.lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
        }
    }

    fn put_chunk(&self, mut chunk: &[u8]) -> bool {
        let mut stderr = io::stderr().lock();
        while !chunk.is_empty() {
            let patience = if self.stalled.load(Ordering::Relaxed) {
                0
            } else {
                PATIENCE_MS
            };
            let writable = is_writable(&stderr, patience);
            self.stalled.store(!writable, Ordering::Relaxed);
            if !writable {
                return false;
            }
            match stderr.write(chunk) {
                Ok(written) => chunk = &chunk[written..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn is_writable(stderr: &impl AsFd, patience_ms: u16) -> bool {
    let mut asked = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    // An error or a hang-up counts as writable too: the write then fails at once.
    poll(&mut asked, PollTimeout::from(patience_ms)).is_ok_and(|ready| ready > 0)
}
