//! The file of a unix socket: one that nobody listens on makes room, and ours goes with us.

use std::fs;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open};
use nix::sys::socket::{AddressFamily, SockFlag, UnixAddr, connect};
use nix::sys::stat::Mode;
use nix::unistd::{Gid, Uid, fchownat};

use super::Identity;

/// Why a path cannot be had.
#[derive(Clone, Copy)]
pub(super) enum Occupied {
    /// Something else lies there.
    NoSocket,
    /// Somebody listens.
    Listening,
    /// Somebody was quicker.
    Appeared,
    /// There is a socket, but it says neither yes nor no.
    Unknown(Errno),
}

/// Makes room for a socket's file: one that nobody listens on is removed.
pub(super) fn remove_stale(path: &Path) -> Result<(), Occupied> {
    // Whatever is wrong with a path that cannot be looked at, binding tells.
    let Ok(there) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !there.file_type().is_socket() {
        return Err(Occupied::NoSocket);
    }
    match knock(path) {
        Err(Errno::ECONNREFUSED) => {}
        // EAGAIN: somebody does, and has no time.
        Ok(()) | Err(Errno::EAGAIN) => return Err(Occupied::Listening),
        Err(Errno::ENOENT) => return Ok(()),
        Err(other) => return Err(Occupied::Unknown(other)),
    }
    // Another supervisor may have been quicker.
    match fs::symlink_metadata(path) {
        Ok(now) if number(&now) == number(&there) => {
            fs::remove_file(path).map_err(|error| Occupied::Unknown(errno(&error)))
        }
        Ok(_) => Err(Occupied::Appeared),
        Err(_) => Ok(()),
    }
}

/// Connects, and hangs up.
fn knock(path: &Path) -> Result<(), Errno> {
    let socket = super::new_socket(AddressFamily::Unix, SockFlag::SOCK_NONBLOCK)?;
    connect(socket.as_raw_fd(), &UnixAddr::new(path)?)
}

/// The file of a socket of ours, removed on drop.
#[derive(Debug)]
pub(super) struct SocketFile {
    path: PathBuf,
    number: (u64, u64),
}

impl SocketFile {
    /// The file of the socket that was bound just now, which becomes `owner`'s.
    pub(super) fn of(path: &Path, owner: Option<&Identity>) -> Result<Self, Errno> {
        // What this opens is the file itself, whatever may stand in its place a moment later.
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = fs::File::from(open(path, flags, Mode::empty())?);
        let metadata = file.metadata().map_err(|error| errno(&error))?;
        if !metadata.file_type().is_socket() {
            return Err(Errno::EADDRINUSE);
        }
        let ours = Self {
            path: path.to_owned(),
            number: number(&metadata),
        };
        if let Some(Identity { uid, gid, .. }) = owner {
            let (uid, gid) = (Uid::from_raw(*uid), Gid::from_raw(*gid));
            fchownat(&file, "", Some(uid), Some(gid), AtFlags::AT_EMPTY_PATH)?;
        }
        Ok(ours)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let there = fs::symlink_metadata(&self.path);
        if there.is_ok_and(|there| number(&there) == self.number) {
            // Nothing depends on it: the next life replaces it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What tells a file from all others as long as somebody holds it.
fn number(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn errno(error: &io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}
