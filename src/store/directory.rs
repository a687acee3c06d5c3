//! Whether a secret can be laid into a directory: nobody but root, us, and whom the secret is for
//! may be able to put another file in its place.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::unistd::Uid;

const ROOT: u32 = 0;
const STICKY: u32 = 0o1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Why a directory cannot be used.
#[derive(Debug)]
pub(super) enum Untrusted {
    /// It cannot be looked at.
    Unreachable(io::Error),
    /// Whom it belongs to can rename and remove what is in it.
    ForeignOwner { at: PathBuf, uid: u32 },
    /// So can everybody who may write to it.
    WritableByOthers { at: PathBuf, mode: u32 },
}

/// The directory's real path. It belongs to us, to root, or to `reader`, who will get what is
/// written there anyway. All that leads there belongs to us or root: whoever owns a directory above
/// can put another directory, or a link to one, in its place. None of them can be written by its
/// group or by others, unless it is sticky, as `/tmp` is: there only a file's owner can rename or
/// remove it.
///
/// # Errors
/// When it is not so, or nobody knows.
pub(super) fn trusted(directory: &Path, reader: Option<u32>) -> Result<PathBuf, Untrusted> {
    let real = directory.canonicalize().map_err(Untrusted::Unreachable)?;
    check(&real, reader)?;
    // As it was named and as it is: a link on the way is as good as what it leads to.
    let above = directory.ancestors().chain(real.ancestors().skip(1));
    for at in above.filter(|at| **at != *real) {
        check(at, None)?;
    }
    Ok(real)
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
