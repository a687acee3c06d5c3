//! What several tests lean on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub(crate) mod authority;
pub(crate) mod canary;
pub(crate) mod canned;
pub(crate) mod canned_postgres;
pub(crate) mod pieces;
pub(crate) mod postgres;
pub(crate) mod ran;
pub(crate) mod relay;
pub(crate) mod stage;
pub(crate) mod supervised;
pub(crate) mod terminal;
pub(crate) mod world;

/// Writes a file with this mode, whatever the umask is.
pub(crate) fn write(path: &Path, mode: u32, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
