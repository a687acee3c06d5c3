//! LOGS IN to Postgres. `tokio-postgres` lives only here.
//!
//! **Invariant:** a credential is called refused only when the server knows it and says no. A
//! network, a full server or a certificate says nothing about a credential.

mod login;
mod obstacle;
mod settings;
mod tls;

#[cfg(feature = "testing")]
pub use login::is_usable;
pub use login::{Login, login};
pub use obstacle::{Distrust, Obstacle};
