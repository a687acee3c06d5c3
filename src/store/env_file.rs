//! `--env-file`: the fetched variables for programs that read them anew, in one file that is always
//! whole.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use thiserror::Error;

use crate::credential::dotenv::{self, Obstacle};
use crate::credential::{Environment, phrase};

use super::directory::{self, Untrusted};

/// The first line: by it a file that may be replaced is told from one that is somebody's own.
const HEAD: &str =
    "# Written by changeover, which replaces it on a change and removes it at its end.\n";

/// A file that holds what was fetched, from the first write to the end of this value.
#[derive(Debug)]
pub struct EnvFile {
    path: PathBuf,
    owner: Option<Owner>,
    written: Option<Inode>,
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
    #[error("its directory cannot be used ({0}); create it, or name another")]
    NoDirectory(io::Error),
    #[error(
        "{at} belongs to uid {uid}, who could put another file in its place; chown it to root, or name another \
         directory"
    )]
    ForeignDirectory { at: String, uid: u32 },
    #[error(
        "{at} can be written by others (mode {mode:04o}), who could put another file in its place; chmod go-w it, or \
         name another directory"
    )]
    OpenDirectory { at: String, mode: u32 },
    #[error(
        "what is there is no regular file, and links are not followed; remove it, or name another path"
    )]
    NoFile,
    #[error(
        "the file that is there is not changeover's, and would be lost; move it away, or name another path"
    )]
    NotOurs,
    #[error(
        "the name of {name} is not made of letters, digits and underscores; rename it with --var NAME=AS"
    )]
    Name { name: String },
    #[error("{name} cannot be in it, because {why}; change it at Heroku, or do without --env-file")]
    Value { name: String, why: &'static str },
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

    /// Puts what was fetched into the place of what was there before, in one moment. It survives a
    /// power cut whole, or not at all.
    ///
    /// # Errors
    /// When that cannot be done safely, or the system refuses; then nothing has changed.
    pub fn replace(&mut self, environment: &Environment) -> Result<(), Unwritable> {
        let inode = self.write(environment);
        self.written = Some(inode.map_err(|why| self.unwritable(why))?);
        Ok(())
    }

    /// Removes it, if it is still the one that was written. What cannot be removed is told.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove(&mut self) -> io::Result<()> {
        let Some(written) = self.written.take() else {
            return Ok(());
        };
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if Inode::of(&metadata) == written => fs::remove_file(&self.path),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&self, environment: &Environment) -> Result<Inode, Why> {
        let text = dotenv::render(HEAD, environment.fetched()).map_err(|(name, obstacle)| {
            let name = phrase(name);
            match obstacle {
                Obstacle::Name => Why::Name { name },
                Obstacle::Value(why) => Why::Value { name, why },
            }
        })?;
        let place = self.place()?;
        // One name, so that a crash leaves one file at most, and the next write takes it away.
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".changeover-new");
        let new = place.with_file_name(name);
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.custom_flags(OFlag::O_NOFOLLOW.bits()).open(&new)?;
        let finished = self
            .fill(file, text.expose().as_bytes())
            .and_then(|inode| fs::rename(&new, &place).map(|()| inode));
        if finished.is_err() {
            // It holds secrets. What keeps it is told as the reason for all.
            let _ = fs::remove_file(&new);
        }
        Ok(finished?)
    }

    /// The directory is not synced: a rename that a power cut undoes is done again by the next
    /// start.
    fn fill(&self, mut file: File, text: &[u8]) -> io::Result<Inode> {
        file.write_all(text)?;
        let metadata = file.metadata()?;
        if let Some(Owner { uid, gid }) = self.owner
            && (metadata.uid(), metadata.gid()) != (uid, gid)
        {
            fchown(&file, Some(uid), Some(gid))?;
        }
        file.sync_all()?;
        Ok(Inode::of(&metadata))
    }

    /// Where the file is without links on the way, if it may be there.
    fn place(&self) -> Result<PathBuf, Why> {
        let name = self.path.file_name().ok_or(Why::NoFile)?;
        let directory = self.path.parent().ok_or(Why::NoFile)?;
        let directory = directory::trusted(directory, self.owner.map(|owner| owner.uid))?;
        let place = directory.join(name);
        match fs::symlink_metadata(&place) {
            Ok(metadata) if !metadata.is_file() => Err(Why::NoFile),
            Ok(metadata) if metadata.len() > 0 && !is_ours(&place)? => Err(Why::NotOurs),
            Ok(_) => Ok(place),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(place),
            Err(error) => Err(error.into()),
        }
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

impl Inode {
    fn of(metadata: &Metadata) -> Self {
        Self(metadata.dev(), metadata.ino())
    }
}

impl From<Untrusted> for Why {
    fn from(untrusted: Untrusted) -> Self {
        let shown = |at: PathBuf| phrase(&at.display().to_string());
        match untrusted {
            Untrusted::Unreachable(error) => Self::NoDirectory(error),
            Untrusted::ForeignOwner { at, uid } => Self::ForeignDirectory { at: shown(at), uid },
            Untrusted::WritableByOthers { at, mode } => Self::OpenDirectory {
                at: shown(at),
                mode,
            },
        }
    }
}

/// Whether a file begins as ours do. Should a pipe have taken its place, that is not waited for.
fn is_ours(path: &Path) -> io::Result<bool> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let mut head = Vec::with_capacity(HEAD.len());
    file.take(HEAD.len() as u64).read_to_end(&mut head)?;
    Ok(head == HEAD.as_bytes())
}

#[cfg(test)]
mod tests;
