//! THE GUIDES, for users: one page for each place where changeover is used, what happens when, and
//! how to come here from something else. (The README has all options; the architecture is the
//! crate's own page.)
//!
//! There is no code here: the pages are text, and the commands in them are run by
//! `tests/it/readme.rs`.

#[doc = include_str!("systemd.md")]
pub mod systemd {}

#[doc = include_str!("containers.md")]
pub mod containers {}

#[doc = include_str!("procfile.md")]
pub mod procfile {}

#[doc = include_str!("what_happens_when.md")]
pub mod what_happens_when {}

#[doc = include_str!("migration.md")]
pub mod migration {}
