//! When the last good values are put into the cache.
//!
//! What is kept is what a good answer says, once that is what is desired: a change is kept when it
//! is proven, a fallback never. A value that stays is kept anew every hour, because a cache says of
//! itself how old it is.

use std::sync::Arc;

use crate::credential::{LastGood, Snapshot};

use super::action::Action;
use super::change::Desired;
use super::config::Fallback;
use super::id::CacheId;
use super::notice::{FallbackNotice, Notice};
use super::time::{Duration, Time};
use super::turn::Turn;

/// What stays the same is written again after this long.
const AGAIN: Duration = Duration::from_secs(3600);
/// The same, when the last write failed.
const RETRY: Duration = Duration::from_secs(60);

/// The machine that keeps the cache.
#[derive(Debug)]
pub(super) struct Keeper {
    newest: Option<Kept>,
    write: Write,
    disk: Disk,
}

/// What the newest write is of.
#[derive(Debug)]
struct Kept {
    good: Arc<LastGood>,
    said_at: Time,
}

/// Whether a write is out. There is never more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Write {
    None,
    Out(CacheId),
}

/// How the last write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Sound,
    Failing,
}

impl Keeper {
    pub(super) const fn new() -> Self {
        Self {
            newest: None,
            write: Write::None,
            disk: Disk::Sound,
        }
    }

    /// Keeps what the last good answer says, if it is to be kept. It came at `said_at`.
    pub(super) fn settle(
        &mut self,
        turn: &mut Turn<'_>,
        latest: Option<(&Snapshot, Time)>,
        desired: Option<&Desired>,
    ) {
        let is_kept = match turn.config.fallback {
            Fallback::Cached { .. } => true,
            Fallback::None | Fallback::Inherited(_) => false,
        };
        let (Some((snapshot, said_at)), Some(desired), true, Write::None) =
            (latest, desired, is_kept, self.write)
        else {
            return;
        };
        let selection = &turn.config.environment.selection;
        if !snapshot.says(selection, &desired.values) {
            return;
        }
        let good = snapshot.good();
        if self.is_due(&good, said_at) {
            let (write, good) = (turn.ids.cache(), Arc::new(good));
            self.write = Write::Out(write);
            self.newest = Some(Kept {
                good: Arc::clone(&good),
                said_at,
            });
            let age = turn.now.since(said_at);
            turn.act(Action::WriteCache { write, good, age });
        }
    }

    /// A write ended. What fails is told when it begins to, and when it no longer does.
    pub(super) fn on_written(
        &mut self,
        turn: &mut Turn<'_>,
        write: CacheId,
        result: Result<(), String>,
    ) {
        if self.write != Write::Out(write) {
            return;
        }
        self.write = Write::None;
        let (disk, notice) = match (self.disk, result) {
            (Disk::Sound, Ok(())) => return,
            (Disk::Failing, Err(_)) => return,
            (Disk::Sound, Err(why)) => (Disk::Failing, FallbackNotice::CacheUnwritable { why }),
            (Disk::Failing, Ok(())) => (Disk::Sound, FallbackNotice::CacheWritten),
        };
        self.disk = disk;
        turn.announce(Notice::Fallback(notice));
    }

    fn is_due(&self, good: &LastGood, said_at: Time) -> bool {
        let Some(newest) = &self.newest else {
            return true;
        };
        let pause = match self.disk {
            Disk::Sound => AGAIN,
            Disk::Failing => RETRY,
        };
        *newest.good != *good || said_at.since(newest.said_at) >= pause
    }
}
