//! The cache as the core knows it: with the key that opens it, and as old as the clock on the wall
//! says.

use std::time::Duration;

use crate::credential::{LastGood, Secret, phrase};
use crate::store::{Cache, Unreadable};
use crate::supervisor::event::{Age, CacheOutcome, Event};
use crate::supervisor::id::CacheId;

use super::clock;

/// The file of `--cache`, and what opens it.
#[derive(Debug)]
pub struct KeptCache {
    /// The file.
    pub file: Cache,
    /// What it is encrypted with.
    pub key: Key,
}

/// What the cache is encrypted with.
#[derive(Debug)]
pub enum Key {
    /// The API token: the one that the last answer was given to.
    Token,
    /// What `--cache-key-file` holds.
    File(Secret),
}

impl KeptCache {
    /// Looks into it. It may take as long as a disk does.
    #[must_use]
    pub fn look(&self, read: CacheId, token: Option<Secret>) -> Event {
        let outcome = self.read(token);
        Event::CacheRead { read, outcome }
    }

    /// Writes what Heroku said so long ago. It may take as long as a disk does.
    #[must_use]
    pub fn keep(
        &self,
        write: CacheId,
        token: Option<Secret>,
        good: &LastGood,
        age: Duration,
    ) -> Event {
        let result = self.write(token, good, age);
        Event::CacheWritten { write, result }
    }

    fn read(&self, token: Option<Secret>) -> CacheOutcome {
        let Some(secret) = self.secret(token) else {
            let why = "there is no token to open it with".to_owned();
            return CacheOutcome::Unusable { why };
        };
        match (self.file.read(&secret), &self.key) {
            (Ok((good, at)), _) => CacheOutcome::Good {
                good: good.into(),
                age: match clock::wall().duration_since(at) {
                    Ok(past) => Age::Past(past),
                    Err(ahead) => Age::Future(ahead.duration()),
                },
            },
            (Err(Unreadable::OtherSecret), Key::Token) => CacheOutcome::OtherToken,
            (Err(error), _) => CacheOutcome::Unusable {
                why: error.to_string(),
            },
        }
    }

    fn write(&self, token: Option<Secret>, good: &LastGood, age: Duration) -> Result<(), String> {
        let secret = self.secret(token);
        let secret =
            secret.ok_or("the cache cannot be written: there is no token to seal it with")?;
        let now = clock::wall();
        let at = now.checked_sub(age).unwrap_or(now);
        let written = self.file.write(&secret, good, at);
        written.map_err(|error| error.to_string())
    }

    /// Removes it.
    ///
    /// # Errors
    /// One sentence for people: why it is still there.
    pub fn remove(&self) -> Result<(), String> {
        self.file.remove().map_err(|error| {
            let path = phrase(&self.file.path().display().to_string());
            format!(
                "the cache {path} could not be removed ({error}), and nobody can read it: remove it"
            )
        })
    }

    fn secret(&self, token: Option<Secret>) -> Option<Secret> {
        match &self.key {
            Key::Token => token,
            Key::File(secret) => Some(secret.clone()),
        }
    }
}
