//! The cache in the world: a file that outlives a supervisor, if it can be read at all.

use std::sync::Arc;

use crate::credential::LastGood;
use crate::supervisor::event::{Age, CacheOutcome};
use crate::supervisor::id::CacheId;
use crate::supervisor::time::{Duration, Time};

use super::agenda::Happening;
use super::values::Values;
use super::{Disk, Season, World};

/// What is in the file.
#[derive(Debug)]
pub(super) struct Stored {
    good: Arc<LastGood>,
    at: Time,
    /// Which token it was encrypted with.
    token: u32,
}

impl World<'_> {
    pub(super) fn read_cache(&mut self, read: CacheId) {
        let outcome = self.look_into_cache();
        let after = self.disk_takes();
        let happening = Happening::CacheRead { read, outcome };
        self.agenda.plan(self.now + after, happening);
    }

    pub(super) fn write_cache(&mut self, write: CacheId, good: &Arc<LastGood>, age: Duration) {
        let fails = self.season == Season::Storm && self.dice.one_in(8);
        let result = if self.disk == Disk::Full || fails {
            Err("the cache cannot be written: ENOSPC".to_owned())
        } else {
            // Never before the world began.
            let at = self.now.since(Time::from_start(age));
            self.cache = Some(Stored {
                good: Arc::clone(good),
                at: Time::from_start(at),
                token: self.token,
            });
            Ok(())
        };
        let after = self.disk_takes();
        let happening = Happening::CacheWritten { write, result };
        self.agenda.plan(self.now + after, happening);
    }

    /// What the cache holds.
    pub(super) fn cached(&self) -> Option<Values> {
        let cache = self.cache.as_ref()?;
        Some(self.settings.watch.of_values(&cache.good.watched))
    }

    fn look_into_cache(&mut self) -> CacheOutcome {
        let storm = self.season == Season::Storm;
        let whim = if storm { self.dice.below(12) } else { 11 };
        let unusable = |why: &str| CacheOutcome::Unusable {
            why: why.to_owned(),
        };
        let Some(cache) = &self.cache else {
            return unusable("there is none");
        };
        if cache.token != self.token {
            return CacheOutcome::OtherToken;
        }
        let past = self.now.since(cache.at);
        let age = match whim {
            0 => return unusable("EIO"),
            1 => Age::Future(Duration::from_secs(1 + past.as_secs())),
            2 => Age::Past(past + Duration::from_secs(90_000)),
            _ => Age::Past(past),
        };
        let good = Arc::clone(&cache.good);
        CacheOutcome::Good { good, age }
    }

    fn disk_takes(&mut self) -> Duration {
        match self.dice.below(8) {
            0 => self.dice.ms(100, 20_000),
            1 | 2 => self.dice.ms(1, 500),
            _ => Duration::ZERO,
        }
    }
}
