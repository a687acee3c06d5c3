//! LOGS IN to Postgres. `tokio-postgres` lives only here.
//!
//! **Invariant:** a credential is called refused only when the server knows it and says no. A
//! network, a full server or a certificate says nothing about a credential.

mod connection_watch;
mod inspection;
mod login;
mod obstacle;
mod route;
mod settings;
mod tls;

pub use connection_watch::{Server, WatchedConnection};
pub use inspection::{Encryption, Entry, Inspection, Mode, SelfReport, Slots, Verified, inspect};
#[cfg(feature = "testing")]
pub use login::is_usable;
pub use login::{Login, login};
pub use obstacle::{Distrust, Obstacle};
pub use route::{Host, Place, Reached};
