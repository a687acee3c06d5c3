//! WRITES files: whole or not at all, and only where nobody else can put another in their place.
//!
//! **Invariant:** nothing here decides when. A file is written and removed when the executor says
//! so.

pub mod cache;
mod directory;
pub mod env_file;
mod place;

pub use cache::{Bound, Cache, Unreadable, Unsaved};
pub use env_file::{EnvFile, Owner, Unwritable};
