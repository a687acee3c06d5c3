//! Reads a small secret file, and says who else can: what others can write is refused, what they
//! can read is told.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::credential::Secret;

/// A file on a dead network mount must not hold up the supervisor for longer.
const TIME_MAX: Duration = Duration::from_secs(5);
const WRITABLE_BY_OTHERS: u32 = 0o022;
const READABLE_BY_OTHERS: u32 = 0o044;

/// What a file holds.
pub(super) struct Contents {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// One sentence, when others can read the file.
    pub(super) warning: Option<String>,
}

/// Why a file cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// There is none.
    Missing,
    /// There is one, and this is wrong with it.
    Unusable(String),
}

/// Reads at most `bytes_max` bytes of a regular file.
pub(super) async fn read(path: &Path, bytes_max: usize) -> Result<Contents, Unreadable> {
    let path = PathBuf::from(path);
    let read = spawn_blocking(move || read_now(&path, bytes_max));
    match timeout(TIME_MAX, read).await {
        Ok(Ok(contents)) => contents,
        Ok(Err(_)) => Err(unusable("could not be read")),
        Err(_) => Err(unusable(format!(
            "could not be read within {} s",
            TIME_MAX.as_secs()
        ))),
    }
}

/// The same, for a caller that may be held up.
pub(super) fn read_now(path: &Path, bytes_max: usize) -> Result<Contents, Unreadable> {
    // Asked before it is opened: opening a pipe without a writer would never return.
    if !path.metadata().map_err(|error| refused(&error))?.is_file() {
        return Err(unusable("is not a regular file"));
    }
    let file = File::open(path).map_err(|error| refused(&error))?;
    let metadata = file.metadata().map_err(|error| refused(&error))?;
    if metadata.mode() & WRITABLE_BY_OTHERS != 0 {
        return Err(unusable(format!(
            "can be written by others (mode {:04o}), who could put in one of their own: chmod go-w it",
            metadata.mode() & 0o7777
        )));
    }
    // One allocation of the full length: growing would leave copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    let limit = u64::try_from(bytes_max)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    read_into(file.take(limit), &mut bytes).map_err(|error| refused(&error))?;
    if bytes.len() > bytes_max {
        return Err(unusable(format!("is longer than {} KiB", bytes_max / 1024)));
    }
    let warning = readable_by_others(path, &metadata).then(|| {
        format!(
            "{} can be read by every user of this machine or its group (mode {:04o}): chmod go-r it",
            path.display(),
            metadata.mode() & 0o7777
        )
    });
    Ok(Contents { bytes, warning })
}

/// The secret in a file, without the white space around it, for a caller that may be held up; and
/// one sentence, when others can read it.
///
/// # Errors
/// One phrase: what is wrong with the file.
pub fn secret(path: &Path, bytes_max: usize) -> Result<(Secret, Option<String>), String> {
    let contents = read_now(path, bytes_max).map_err(|unreadable| match unreadable {
        Unreadable::Missing => "does not exist".to_owned(),
        Unreadable::Unusable(why) => why,
    })?;
    match str::from_utf8(contents.bytes.trim_ascii()) {
        Ok(text) => Ok((Secret::from(text), contents.warning)),
        Err(_) => Err("is not UTF-8".to_owned()),
    }
}

/// `read_to_end` without its last probe, which may grow the buffer.
fn read_into(mut file: impl Read, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut piece = Zeroizing::new([0; 1024]);
    loop {
        match file.read(piece.as_mut_slice()) {
            Ok(0) => return Ok(()),
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Container runtimes and systemd lay secrets out readable, in memory, where only the container's
/// own users are.
fn readable_by_others(path: &Path, metadata: &Metadata) -> bool {
    metadata.mode() & READABLE_BY_OTHERS != 0
        && !path.starts_with("/run/secrets")
        && !is_in_memory(&mountinfo(), metadata.dev())
}

fn mountinfo() -> String {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

/// Whether a device number is that of a tmpfs or ramfs. A line of mountinfo: `36 35 0:42 / /tmp rw
/// shared:1 - tmpfs …`.
fn is_in_memory(mountinfo: &str, device: u64) -> bool {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    let number = format!("{major}:{minor}");
    mountinfo.lines().any(|line| {
        let Some((mount, filesystem)) = line.split_once(" - ") else {
            return false;
        };
        let kind = filesystem.split(' ').next();
        mount.split(' ').nth(2) == Some(&number) && matches!(kind, Some("tmpfs" | "ramfs"))
    })
}

fn refused(error: &io::Error) -> Unreadable {
    let kind = error.kind();
    if matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
        return Unreadable::Missing;
    }
    unusable(format!("cannot be read: {kind}"))
}

fn unusable(why: impl Into<String>) -> Unreadable {
    Unreadable::Unusable(why.into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    async fn read_with(mode: u32, text: &str) -> Result<(String, bool), Unreadable> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let contents = read(&path, 4096).await?;
        let text = String::from_utf8(contents.bytes.to_vec()).unwrap();
        Ok((text, contents.warning.is_some()))
    }

    #[tokio::test]
    async fn who_else_can_read_or_write_it() {
        let memory = is_in_memory(&mountinfo(), std::env::temp_dir().metadata().unwrap().dev());
        for (mode, readable) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true)] {
            let expected = Ok(("T\n".to_owned(), readable && !memory));
            assert_eq!(read_with(mode, "T\n").await, expected, "{mode:o}");
        }
        for mode in [0o620, 0o602, 0o666] {
            let Err(Unreadable::Unusable(why)) = read_with(mode, "T").await else {
                panic!("{mode:o} was read");
            };
            assert!(why.contains("written by others"), "{why}");
        }
    }

    #[tokio::test]
    async fn what_is_no_small_file() {
        let missing = read(Path::new("/nonexistent/x"), 4096).await.err();
        assert_eq!(missing, Some(Unreadable::Missing));
        for (path, expected) in [
            ("/dev/null", "is not a regular file"),
            ("/", "is not a regular file"),
        ] {
            let error = read(Path::new(path), 4096).await.err();
            assert_eq!(error, Some(unusable(expected)), "{path}");
        }
        let long = read_with(0o600, &"x".repeat(4097)).await;
        assert_eq!(long, Err(unusable("is longer than 4 KiB")));
        assert!(read_with(0o600, &"x".repeat(4096)).await.is_ok());
    }

    #[test]
    fn what_is_in_memory() {
        let mountinfo = "22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw\n\
                         23 22 0:42 / /run rw shared:1 - tmpfs tmpfs rw\n";
        assert!(is_in_memory(mountinfo, 42));
        assert!(!is_in_memory(mountinfo, 254 << 8 | 1));
        assert!(!is_in_memory(mountinfo, 7));
    }
}
