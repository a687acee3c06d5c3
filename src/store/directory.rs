//! A directory that a secret can be laid into: nobody but root, us, and whom the secret is for may
//! be able to put another file in its place.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat, renameat};
use nix::sys::stat::{FileStat, Mode, fstat, fstatat};
use nix::unistd::{Uid, UnlinkatFlags, unlinkat};
use thiserror::Error;

use crate::credential::phrase;

const ROOT: u32 = 0;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a directory cannot be used.
#[derive(Debug, Error)]
pub(super) enum Untrusted {
    /// There is none.
    #[error("its directory does not exist; create it, or name another")]
    Missing,
    /// It cannot be looked at.
    #[error("its directory cannot be used ({0}); mend that, or name another")]
    Unreachable(io::Error),
    /// Whom it belongs to can rename and remove what is in it.
    #[error(
        "{} belongs to uid {uid}, who could put another file in its place; chown it to root, or name another \
         directory",
        shown(.at)
    )]
    ForeignOwner { at: PathBuf, uid: u32 },
    /// So can everybody who may write to it.
    #[error(
        "{} can be written by others (mode {mode:04o}), who could put another file in its place; chmod go-w it, or \
         name another directory",
        shown(.at)
    )]
    WritableByOthers { at: PathBuf, mode: u32 },
}

/// A directory, wherever it is moved to and whatever else comes to be where it was.
#[derive(Debug)]
pub(super) struct Directory(OwnedFd);

impl Directory {
    /// The one at a path. It belongs to us, to root, or to `reader`, who will get what is written
    /// there anyway. All that leads there belongs to us or root: whoever owns a directory above can
    /// put another directory, or a link to one, in its place. None of them can be written by its
    /// group or by others, unless it is sticky, as `/tmp` is: there only a file's owner can rename
    /// or remove it.
    ///
    /// # Errors
    /// When it is not so, or nobody knows.
    pub(super) fn trusted(path: &Path, reader: Option<u32>) -> Result<Self, Untrusted> {
        let real = path.canonicalize().map_err(unreachable)?;
        check(&real, reader)?;
        // As it was named and as it is: a link on the way is as good as what it leads to.
        let above = path.ancestors().chain(real.ancestors().skip(1));
        for at in above.filter(|at| **at != *real) {
            check(at, None)?;
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let opened = open(&real, flags, Mode::empty()).map_err(io::Error::from);
        opened.map(Self).map_err(Untrusted::Unreachable)
    }

    /// Whether both are one.
    pub(super) fn is(&self, other: &Self) -> io::Result<bool> {
        let (this, other) = (fstat(&self.0)?, fstat(&other.0)?);
        Ok((this.st_dev, this.st_ino) == (other.st_dev, other.st_ino))
    }

    /// What is there under a name; links are not followed.
    pub(super) fn look(&self, name: &OsStr) -> io::Result<Option<FileStat>> {
        match fstatat(&self.0, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => Ok(Some(found)),
            Err(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A file that is there. Should a link or a pipe have taken its place, neither is followed or
    /// waited for.
    pub(super) fn read(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, Mode::empty())?.into())
    }

    /// A file that was not there, for us alone to read and write.
    pub(super) fn create(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        Ok(openat(&self.0, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?.into())
    }

    /// Puts a file into the place of whatever has the other name, in one moment.
    pub(super) fn rename(&self, from: &OsStr, to: &OsStr) -> io::Result<()> {
        Ok(renameat(&self.0, from, &self.0, to)?)
    }

    /// Removes a file; without one there is nothing to do.
    pub(super) fn remove(&self, name: &OsStr) -> io::Result<()> {
        match unlinkat(&self.0, name, UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn check(at: &Path, reader: Option<u32>) -> Result<(), Untrusted> {
    let metadata = fs::symlink_metadata(at).map_err(Untrusted::Unreachable)?;
    let (uid, mode, at) = (metadata.uid(), metadata.mode(), at.to_owned());
    let ours = Uid::effective().as_raw();
    if uid != ROOT && uid != ours && Some(uid) != reader {
        return Err(Untrusted::ForeignOwner { at, uid });
    }
    // A link has no mode of its own.
    if mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0 && !metadata.is_symlink() {
        let mode = mode & 0o7777;
        return Err(Untrusted::WritableByOthers { at, mode });
    }
    Ok(())
}

fn unreachable(error: io::Error) -> Untrusted {
    if error.kind() == io::ErrorKind::NotFound {
        Untrusted::Missing
    } else {
        Untrusted::Unreachable(error)
    }
}

fn shown(path: &Path) -> String {
    phrase(&path.display().to_string())
}
