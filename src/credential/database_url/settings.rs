//! Where a postgres URL leads, part by part: what libpq's `PQconninfoParse` makes of it.

use std::ops::Range;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use crate::credential::Secret;

use super::{DatabaseUrl, decoded, split_host};

/// Where a URL leads, as libpq reads it: percent escapes undone, and a query parameter (`host=`,
/// `port=`, `user=`, `password=`, `dbname=`) in the place of the part that it names. `None` is what
/// the URL does not say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Host names, addresses without brackets, or directories of sockets, separated by commas.
    pub host: Option<String>,
    /// As many ports, separated by commas; an empty one stands for libpq's own.
    pub port: Option<String>,
    /// The role.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<Secret>,
    /// The database's name.
    pub database: Option<String>,
}

impl DatabaseUrl {
    /// What libpq makes of the URL.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let part = |range: &Option<Range<usize>>| Some(self.part(range.clone()?));
        // An empty parameter takes the part's place too, and says nothing.
        let either = |name, part: Option<&str>| {
            let text = self.parameter(name).or(part)?;
            (!text.is_empty()).then(|| decoded(text))
        };
        let (hosts, ports): (Vec<_>, Vec<_>) = self.hosts().split(',').map(host_and_port).unzip();
        let (hosts, ports) = (hosts.join(","), ports.join(","));
        // Of several hosts that none has a port, libpq takes its own for each.
        let ports = Some(ports.as_str()).filter(|ports| ports.contains(|c| c != ','));
        Settings {
            host: either("host", Some(&hosts)).or_else(|| either("hostaddr", None)),
            port: either("port", ports),
            user: either("user", part(&self.user)),
            password: either("password", part(&self.password)).map(Secret::new),
            database: either("dbname", part(&Some(self.path.clone()))),
        }
    }

    /// The password's own bytes, which need not be UTF-8.
    #[must_use]
    pub fn password_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let part = self.password.clone().map(|range| self.part(range));
        let text = self.parameter("password").or(part)?;
        (!text.is_empty()).then(|| Zeroizing::new(percent_decode_str(text).collect()))
    }
}

/// The same of a host that was found to be good; what is not written is empty.
fn host_and_port(host: &str) -> (&str, &str) {
    let (name, port) = split_host(host).unwrap_or((host, None));
    (name, port.unwrap_or_default())
}
