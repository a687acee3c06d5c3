//! `--env-file`: the fetched variables for programs that read them anew, in one file that is always
//! whole.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::credential::dotenv::{self, Obstacle};
use crate::credential::{Environment, phrase};

use super::directory::Directory;
use super::place::{Displaced, Place};

/// The first line.
const HEAD: &str =
    "# Written by changeover, which replaces it on a change and removes it at its end.\n";
/// One name, so that a crash leaves one file at most, and the next write takes it away.
const NEW: &str = ".changeover-new";

/// A file that holds what was fetched, from the first write to the end of this value.
#[derive(Debug)]
pub struct EnvFile {
    path: PathBuf,
    owner: Option<Owner>,
    written: Option<Written>,
}

/// What was written, whatever the path leads to by now.
#[derive(Debug)]
struct Written {
    place: Place,
    inode: Inode,
}

/// Whom the file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The user; nobody else can read it, but root.
    pub uid: u32,
    /// Its group, which cannot.
    pub gid: u32,
}

/// Device and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Inode(u64, u64);

/// The file could not be written; the one before it, if there is one, is as it was.
#[derive(Debug, Error)]
#[error("the env file {} cannot be written: {why}", phrase(&.path.display().to_string()))]
pub struct Unwritable {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, Error)]
enum Why {
    #[error(transparent)]
    Displaced(#[from] Displaced),
    #[error(
        "the name of {name} is not made of letters, digits and underscores; rename it with --var NAME=AS"
    )]
    Name { name: String },
    #[error("{name} cannot be in it, because {why}; change it at Heroku, or do without --env-file")]
    Value { name: String, why: &'static str },
    #[error(
        "its path leads to another directory than before, and the file in the old one cannot be removed ({0}); \
         remove it there"
    )]
    Elsewhere(io::Error),
    #[error("{0}")]
    System(#[from] io::Error),
}

impl EnvFile {
    /// The file at an absolute path; nothing is written yet. Without an owner it is ours.
    #[must_use]
    pub fn new(path: PathBuf, owner: Option<Owner>) -> Self {
        let written = None;
        Self {
            path,
            owner,
            written,
        }
    }

    /// Whether it can be written, as far as that can be seen.
    ///
    /// # Errors
    /// When its directory is not to be trusted, or something else is in its place.
    pub fn check(&self) -> Result<(), Unwritable> {
        self.place().map(drop).map_err(|why| self.unwritable(why))
    }

    /// Puts what was fetched into the place of what was there before, in one moment. When the path
    /// leads elsewhere by now, what was written before is removed from where it is.
    ///
    /// The disk is not waited for: a file that a power cut loses or spoils is written anew before
    /// the next start, and until then nobody runs who would read it.
    ///
    /// # Errors
    /// When that cannot be done safely, or the system refuses; then nothing has changed.
    pub fn replace(&mut self, environment: &Environment) -> Result<(), Unwritable> {
        let written = self.write(environment);
        self.written = Some(written.map_err(|why| self.unwritable(why))?);
        Ok(())
    }

    /// Removes it, if it is still the one that was written. What cannot be removed is told.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&mut self) -> io::Result<()> {
        let written = self.written.take();
        written.map_or(Ok(()), |written| written.remove())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self, environment: &Environment) -> Result<Written, Why> {
        let text = dotenv::render(HEAD, environment.fetched()).map_err(|(name, obstacle)| {
            let name = phrase(name);
            match obstacle {
                Obstacle::Name => Why::Name { name },
                Obstacle::Value(why) => Why::Value { name, why },
            }
        })?;
        let place = self.place()?;
        let inode = place.replace(NEW, |file| {
            let inode = self.fill(file, text.expose().as_bytes())?;
            self.move_away(&place.directory).map(|()| inode)
        })?;
        Ok(Written { place, inode })
    }

    /// Nothing stays elsewhere once the file is in this directory.
    fn move_away(&self, directory: &Directory) -> Result<(), Why> {
        let Some(before) = &self.written else {
            return Ok(());
        };
        if before.place.directory.is(directory)? {
            return Ok(());
        }
        before.remove().map_err(Why::Elsewhere)
    }

    fn fill(&self, mut file: File, text: &[u8]) -> io::Result<Inode> {
        file.write_all(text)?;
        let metadata = file.metadata()?;
        if let Some(Owner { uid, gid }) = self.owner
            && (metadata.uid(), metadata.gid()) != (uid, gid)
        {
            fchown(&file, Some(uid), Some(gid))?;
        }
        Ok(Inode(metadata.dev(), metadata.ino()))
    }

    fn place(&self) -> Result<Place, Why> {
        let reader = self.owner.map(|owner| owner.uid);
        Ok(Place::find(&self.path, reader, HEAD.as_bytes())?)
    }

    fn unwritable(&self, why: Why) -> Unwritable {
        let path = self.path.clone();
        Unwritable { path, why }
    }
}

impl Drop for EnvFile {
    /// For ends that nobody planned: a secret is not left behind if it can be helped.
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.remove();
    }
}

impl Written {
    /// What another has put in its place stays.
    fn remove(&self) -> io::Result<()> {
        let Place { directory, name } = &self.place;
        let found = directory.look(name)?;
        if found.is_some_and(|found| Inode(found.st_dev, found.st_ino) == self.inode) {
            directory.remove(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
