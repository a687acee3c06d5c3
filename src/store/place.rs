//! Where a file of ours is, or is to be: nothing that is somebody else's is lost there, and what is
//! written is whole.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use nix::sys::stat::{FileStat, SFlag};
use thiserror::Error;

use super::directory::{Directory, Untrusted};

/// A directory that can be trusted, and a name in it.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) directory: Directory,
    pub(super) name: OsString,
}

/// Why a file cannot be there.
#[derive(Debug, Error)]
pub(super) enum Displaced {
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error(
        "what is there is no regular file, and links are not followed; remove it, or name another path"
    )]
    NoFile,
    #[error(
        "the file that is there is not changeover's, and would be lost; move it away, or name another path"
    )]
    NotOurs,
    #[error("{0}")]
    System(#[from] io::Error),
}

impl Place {
    /// Where an absolute path leads, if the file may be there. By its first bytes, `head`, a file
    /// that may be replaced is told from one that is somebody's own. `reader` gets what is written,
    /// and may own the directory.
    pub(super) fn find(path: &Path, reader: Option<u32>, head: &[u8]) -> Result<Self, Displaced> {
        let name = path.file_name().ok_or(Displaced::NoFile)?.to_owned();
        let directory = path.parent().ok_or(Displaced::NoFile)?;
        let directory = Directory::trusted(directory, reader)?;
        match directory.look(&name)? {
            Some(found) if !is_regular(&found) => Err(Displaced::NoFile),
            Some(found) if found.st_size > 0 && !begins(&directory, &name, head)? => {
                Err(Displaced::NotOurs)
            }
            Some(_) | None => Ok(Self { directory, name }),
        }
    }

    /// Puts what `fill` writes into the place of what was there before, in one moment. Until then
    /// it has the same name and `suffix`, and what has that now is gone.
    pub(super) fn replace<T, E: From<io::Error>>(
        &self,
        suffix: &str,
        fill: impl FnOnce(File) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut new = self.name.clone();
        new.push(suffix);
        self.directory.remove(&new)?;
        let file = self.directory.create(&new)?;
        let finished = fill(file).and_then(|filled| {
            self.directory.rename(&new, &self.name)?;
            Ok(filled)
        });
        if finished.is_err() {
            // It holds secrets. What keeps it is told as the reason for all.
            let _ = self.directory.remove(&new);
        }
        finished
    }
}

fn is_regular(found: &FileStat) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG
}

fn begins(directory: &Directory, name: &OsStr, head: &[u8]) -> io::Result<bool> {
    let mut found = Vec::with_capacity(head.len());
    let file = directory.read(name)?;
    file.take(head.len() as u64).read_to_end(&mut found)?;
    Ok(found == head)
}
