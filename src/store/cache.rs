//! `--cache`: the last good values, encrypted, for a start while Heroku does not answer.
//!
//! The cipher is `ring`'s, which rustls brings along anyway: it adds nothing to the binary.

mod sealed;

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use thiserror::Error;
use zeroize::Zeroizing;

use crate::credential::{LastGood, Secret, phrase};

use super::place::{Displaced, Place};
use sealed::{BYTES_MAX, Flaw, MAGIC, Unsealable};

pub use sealed::Bound;

/// A file that outlives the supervisor.
#[derive(Clone, Debug)]
pub struct Cache {
    path: PathBuf,
    bound: Bound,
}

/// The file could not be written; the one before it, if there is one, is as it was.
#[derive(Debug, Error)]
#[error("the cache {} cannot be written: {why}", phrase(&.path.display().to_string()))]
pub struct Unsaved {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, Error)]
enum Why {
    #[error(transparent)]
    Displaced(#[from] Displaced),
    #[error(transparent)]
    Unsealable(#[from] Unsealable),
    #[error("{0}")]
    System(#[from] io::Error),
}

/// Why nothing can be had from the file.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// It was encrypted with another secret, or its head is damaged.
    #[error("it was encrypted with another key or token than the present one")]
    OtherSecret,
    /// There is none.
    #[error("there is none yet: one is written after the first good answer of Heroku")]
    Missing,
    /// Another version of changeover wrote it.
    #[error("another version of changeover wrote it; the next good answer of Heroku replaces it")]
    OtherVersion,
    /// It is not about what is asked for.
    #[error(
        "it is of another app, other variables or another --api-url; give each its own --cache, as the next good \
         answer of Heroku replaces it"
    )]
    OtherSource,
    /// It is not as it was written.
    #[error("it is damaged, or was tampered with; the next good answer of Heroku replaces it")]
    Damaged,
    /// Its place is not one of ours.
    #[error("{0}")]
    Displaced(String),
    /// The system refuses.
    #[error("{0}; see to it that changeover can read it")]
    System(#[from] io::Error),
}

impl Cache {
    /// The file at an absolute path; nothing is read or written yet.
    #[must_use]
    pub fn new(path: PathBuf, bound: Bound) -> Self {
        Self { path, bound }
    }

    /// Whether it can be written, as far as that can be seen.
    ///
    /// # Errors
    /// When its directory is not to be trusted, or something else is in its place.
    pub fn check(&self) -> Result<(), Unsaved> {
        let place = self.place().map(drop);
        place.map_err(|why| self.unsaved(why.into()))
    }

    /// Puts what Heroku said `at` some time into the place of what was there before, in one moment.
    /// Unlike the env file it must outlive a power cut, so the disk is waited for: that may take a
    /// while.
    ///
    /// # Errors
    /// When that cannot be done safely, or the system refuses; then nothing has changed.
    pub fn write(&self, secret: &Secret, good: &LastGood, at: SystemTime) -> Result<(), Unsaved> {
        let written = self.written(secret, good, at);
        written.map_err(|why| self.unsaved(why))
    }

    /// What was written, and when Heroku said so.
    ///
    /// # Errors
    /// When there is nothing that this secret opens, and that is about the same.
    pub fn read(&self, secret: &Secret) -> Result<(LastGood, SystemTime), Unreadable> {
        let place = self.place();
        let Place { directory, name } = place.map_err(|why| match why {
            Displaced::System(error) => Unreadable::System(error),
            why @ (Displaced::Untrusted(_) | Displaced::NoFile | Displaced::NotOurs) => {
                Unreadable::Displaced(why.to_string())
            }
        })?;
        let found = directory.look(&name)?.map_or(0, |found| found.st_size);
        let length = match usize::try_from(found) {
            Ok(0) => return Err(Unreadable::Missing),
            Ok(length) if length <= BYTES_MAX => length,
            Ok(_) | Err(_) => return Err(Unreadable::Damaged),
        };
        // Its values are decrypted in place.
        let mut bytes = Zeroizing::new(vec![0; length]);
        directory.read(&name)?.read_exact(&mut bytes)?;
        let (good, at) = sealed::open(secret, &self.bound, &mut bytes)?;
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(at));
        Ok((good, at.ok_or(Unreadable::Damaged)?))
    }

    /// Removes it; without one there is nothing to do.
    ///
    /// # Errors
    /// When it is not changeover's, or the system refuses.
    pub fn remove(&self) -> io::Result<()> {
        let place = self.place().map_err(io::Error::other)?;
        place.directory.remove(&place.name)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn written(&self, secret: &Secret, good: &LastGood, at: SystemTime) -> Result<(), Why> {
        let place = self.place()?;
        let at = at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let sealed = sealed::seal(secret, &self.bound, good, at)?;
        // Another supervisor may write to the same path.
        let new = format!(".changeover-new-{}", std::process::id());
        place.replace(&new, |mut file| {
            file.write_all(&sealed)?;
            Ok(file.sync_all()?)
        })
    }

    fn place(&self) -> Result<Place, Displaced> {
        Place::find(&self.path, None, MAGIC)
    }

    fn unsaved(&self, why: Why) -> Unsaved {
        let path = self.path.clone();
        Unsaved { path, why }
    }
}

impl From<Flaw> for Unreadable {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::OtherSecret => Self::OtherSecret,
            Flaw::OtherVersion => Self::OtherVersion,
            Flaw::OtherSource => Self::OtherSource,
            // What is not ours is refused before it is read.
            Flaw::NotOurs | Flaw::Damaged => Self::Damaged,
        }
    }
}

#[cfg(test)]
mod tests;
