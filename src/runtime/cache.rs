//! The cache as the core knows it: with the key that opens it, and as old as the clock on the wall
//! says.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

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

/// What can be done with it.
#[derive(Clone, Debug)]
pub enum Errand {
    /// Look into it.
    Look(CacheId),
    /// Write what Heroku said so long ago.
    Keep(CacheId, Arc<LastGood>, Duration),
}

impl KeptCache {
    /// Does it, which may take as long as a disk does.
    #[must_use]
    pub fn run(&self, errand: Errand, token: Option<Secret>) -> Event {
        match errand {
            Errand::Look(read) => Event::CacheRead {
                read,
                outcome: self.read(token),
            },
            Errand::Keep(write, good, age) => Event::CacheWritten {
                write,
                result: self.write(token, &good, age),
            },
        }
    }

    /// Does it off the loop, because who waits for a disk looks after no child; yields what came of
    /// it when that is known at once: there was no thread for it. (The event loop's own threads are
    /// no place for it: a disk that hangs would keep name lookups waiting.)
    #[must_use]
    pub(super) fn send(
        self: &Arc<Self>,
        errand: Errand,
        token: Option<Secret>,
        answers: mpsc::Sender<Event>,
    ) -> Option<Event> {
        let (cache, ours) = (Arc::clone(self), errand.clone());
        let thread = thread::Builder::new().spawn(move || {
            // The receiver lives as long as the loop; after that nobody is left to tell.
            let _ = answers.blocking_send(cache.run(errand, token));
        });
        thread.err().map(|error| ours.fails(&error))
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

impl Errand {
    /// There is no thread to do it.
    fn fails(self, error: &io::Error) -> Event {
        let why = format!("the system has no thread for it ({error})");
        match self {
            Self::Look(read) => Event::CacheRead {
                read,
                outcome: CacheOutcome::Unusable { why },
            },
            Self::Keep(write, ..) => Event::CacheWritten {
                write,
                result: Err(format!("the cache cannot be written: {why}")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_thread_it_is_told_at_once() {
        let error = io::Error::from(io::ErrorKind::WouldBlock);
        let id = CacheId(7);
        let Event::CacheRead { read, outcome } = Errand::Look(id).fails(&error) else {
            panic!("the look is not answered");
        };
        assert_eq!(read, id);
        assert!(matches!(outcome, CacheOutcome::Unusable { why } if why.contains("no thread")));
        let keep = Errand::Keep(id, Arc::default(), Duration::ZERO);
        let Event::CacheWritten { write, result } = keep.fails(&error) else {
            panic!("the write is not answered");
        };
        assert_eq!(write, id);
        let why = result.unwrap_err();
        assert!(why.starts_with("the cache cannot be written: "), "{why}");
    }
}
