//! WHAT is watched: secrets, snapshots of an app's config vars, postgres URLs, and the environment
//! built from them.
//!
//! **Invariant:** pure. No clock, no I/O, no randomness: the same input gives the same output,
//! always.

pub mod attachment;
pub mod change;
pub mod database_url;
pub mod dotenv;
pub mod environment;
pub mod expand;
pub mod names;
pub mod phrase;
pub mod secret;
pub mod snapshot;

pub use attachment::{Attachment, Followed, Following, RawValues};
pub use change::Kind;
pub use database_url::{DatabaseUrl, SslMode};
pub use environment::{Environment, EnvironmentSpec};
pub use expand::{Derived, Family, expand};
pub use phrase::phrase;
pub use secret::Secret;
pub use snapshot::{Fault, LastGood, RawValue, Reserved, Selection, Snapshot, Values};
