//! FETCHES: the Heroku Platform API. `reqwest` lives only here.
//!
//! One request at a time: for the app's config vars, and for its attachments where a database is
//! followed. When to ask, and what an answer means for the child, is decided elsewhere; here it is
//! only found out, within 10 seconds and 1 MiB a request. The app's webhooks come in here, too.
//!
//! **Invariant:** the API token goes to the configured origin and nowhere else: no redirect is
//! followed, plain http leads to a loopback address only, and no proxy stands before a loopback
//! address. (Where that origin is Heroku's own, `check` asks Heroku's data API, too: the Heroku CLI
//! sends it the same token.)
//!
//! **Invariant:** the process's environment is handed in as [`Variables`]; nothing here reads it by
//! itself.

mod addon;
mod api_url;
mod client;
mod command;
mod error;
#[cfg(feature = "testing")]
pub(crate) mod for_laws;
mod model;
mod netrc;
mod questions;
mod token;
mod token_file;
mod transport;
pub mod webhook;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

pub use addon::Backup;
pub use api_url::{ApiUrl, HOST_VARIABLE};
pub use client::{Answer, Client, ClientOptions};
pub use command::{HelperEnds, Prepare};
pub use error::{Diagnosis, FetchError, Refused, SetupError};
pub use token::{NoToken, Origin, Token, TokenOptions, TokenSource};
pub use token_file::secret;
pub use transport::Timeouts;

/// The environment that the program was started with.
pub type Variables = BTreeMap<OsString, OsString>;

/// A variable that is set to something: an empty one counts as not set, as it does for the Heroku
/// CLI.
fn variable<'a>(variables: &'a Variables, name: &str) -> Option<&'a OsStr> {
    variables
        .get(OsStr::new(name))
        .map(OsString::as_os_str)
        .filter(|value| !value.is_empty())
}
