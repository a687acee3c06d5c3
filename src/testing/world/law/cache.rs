//! The cache: what is put into it is what Heroku says and what is desired, as soon as that is so.

use crate::credential::{self, LastGood};
use crate::supervisor::config::Fallback as Choice;
use crate::supervisor::event::FetchOutcome;
use crate::supervisor::id::CacheId;
use crate::supervisor::notice::FallbackNotice;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{CACHE_AGAIN, CACHE_RETRY};
use crate::testing::world::values::Values;

use super::Law;

/// The account of the file.
#[derive(Debug)]
pub(super) struct Cache {
    /// The last good answer.
    said: Option<Said>,
    /// What the newest write is of.
    newest: Option<Said>,
    out: Option<CacheId>,
    disk: Disk,
    owed: Owed,
}

/// A good answer, and the rest of it where that is exported.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    values: Values,
    others: credential::Values,
    at: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Sound,
    Failing,
}

/// What must be said or done in this very step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owed {
    Nothing,
    /// That it cannot be written.
    Complaint,
    /// That it can again.
    Relief,
    /// Its removal.
    Removal,
}

impl Cache {
    pub(super) fn new() -> Self {
        Self {
            said: None,
            newest: None,
            out: None,
            disk: Disk::Sound,
            owed: Owed::Nothing,
        }
    }

    /// Nobody has the key to it any more.
    pub(super) fn is_lost(&mut self) {
        self.owed = Owed::Removal;
    }

    pub(super) fn removes(&mut self) -> Result<(), String> {
        match std::mem::replace(&mut self.owed, Owed::Nothing) {
            Owed::Removal => Ok(()),
            Owed::Nothing | Owed::Complaint | Owed::Relief => {
                Err("a cache is removed that may be of use".to_owned())
            }
        }
    }

    /// A write ended.
    pub(super) fn written(&mut self, write: CacheId, result: &Result<(), String>) {
        if self.out != Some(write) {
            return;
        }
        self.out = None;
        (self.disk, self.owed) = match (self.disk, result) {
            (Disk::Sound, Ok(())) => (Disk::Sound, Owed::Nothing),
            (Disk::Sound, Err(_)) => (Disk::Failing, Owed::Complaint),
            (Disk::Failing, Ok(())) => (Disk::Sound, Owed::Relief),
            (Disk::Failing, Err(_)) => (Disk::Failing, Owed::Nothing),
        };
    }

    pub(super) fn tells(&mut self, notice: &FallbackNotice) -> Result<(), String> {
        let told = if let FallbackNotice::CacheUnwritable { .. } = notice {
            Owed::Complaint
        } else {
            Owed::Relief
        };
        if std::mem::replace(&mut self.owed, Owed::Nothing) == told {
            Ok(())
        } else {
            Err(format!("{told:?} of the cache, for no reason"))
        }
    }
}

impl Law {
    /// Whether the core waits for the end of this write.
    pub(in crate::testing::world) fn awaits_write(&self, write: CacheId) -> bool {
        self.cache.out == Some(write)
    }

    /// A good answer, whatever it says; 304: the last one again.
    pub(super) fn cache_hears(&mut self, now: Time, values: Values, outcome: &FetchOutcome) {
        match (outcome, &mut self.cache.said) {
            (FetchOutcome::Snapshot { snapshot, .. }, said) => {
                let others = snapshot.others.clone();
                *said = Some(Said {
                    values,
                    others,
                    at: now,
                });
            }
            (FetchOutcome::NotModified, Some(said)) => said.at = now,
            (FetchOutcome::NotModified, None) | (FetchOutcome::Failed(_), _) => {}
        }
    }

    /// Whether an answer says just what is desired, as far as it says anything.
    pub(super) fn is_desired(&self, said: Values) -> bool {
        let (required, proven) = (self.watch.requires(), self.ledger.proven());
        let suits = |at: usize| match said[at] {
            Some(_) => proven.is_some_and(|proven| proven[at] == said[at]),
            None => !required[at],
        };
        said != Values::default() && (0..said.len()).all(suits)
    }

    pub(super) fn writes_cache(
        &mut self,
        now: Time,
        write: CacheId,
        good: &LastGood,
        age: Duration,
    ) -> Result<(), String> {
        let Some(due) = self.cache_due() else {
            return Err("the cache is written, and nothing is to be kept".to_owned());
        };
        let written = Said {
            values: self.watch.of_values(&good.watched),
            others: good.others.clone(),
            at: due.at,
        };
        if written != due || age != now.since(due.at) {
            return Err(format!("{written:?} of {age:?} ago is kept, not {due:?}"));
        }
        (self.cache.out, self.cache.newest) = (Some(write), Some(due));
        Ok(())
    }

    /// Nothing that is to be kept is not.
    pub(super) fn check_cache(&self) -> Result<(), String> {
        if self.cache.owed != Owed::Nothing {
            return Err(format!("the cache's {:?} is owed", self.cache.owed));
        }
        match self.cache_due() {
            Some(due) => Err(format!("{due:?} is not kept in the cache")),
            None => Ok(()),
        }
    }

    fn cache_due(&self) -> Option<Said> {
        let (Choice::Cached { .. }, None) = (&self.config.fallback, self.cache.out) else {
            return None;
        };
        let said = self.cache.said.clone()?;
        if !self.is_desired(said.values) {
            return None;
        }
        let Some(newest) = &self.cache.newest else {
            return Some(said);
        };
        let pause = match self.cache.disk {
            Disk::Sound => CACHE_AGAIN,
            Disk::Failing => CACHE_RETRY,
        };
        let same = (newest.values, &newest.others) == (said.values, &said.others);
        (!same || said.at.since(newest.at) >= pause).then_some(said)
    }
}
