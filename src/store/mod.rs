//! WRITES files: whole or not at all, and only where nobody else can put another in their place.
//!
//! **Invariant:** nothing here decides when. A file is written and removed when the executor says
//! so.

pub mod cache;
mod directory;
pub mod env_file;
mod place;

use std::path::Path;

pub use cache::{Bound, Cache, Unreadable, Unsaved};
pub use env_file::{EnvFile, Owner, Unwritable};

/// Whether nobody but root and us can put another file into the place of one that is there.
///
/// # Errors
/// When somebody else could, or nobody knows: why, and what to do.
pub fn check_directory(path: &Path) -> Result<(), String> {
    let trusted = directory::Directory::trusted(path, None);
    trusted.map(drop).map_err(|why| why.to_string())
}
