//! When a new instance counts as serving, and what a child can say of itself.

use core::fmt;

use super::time::Duration;

/// How an instance tells that it serves: `--ready`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// It does not: what runs counts as serving.
    #[default]
    None,
    /// By systemd's protocol: `READY=1` through `NOTIFY_SOCKET`.
    Notify {
        /// `--watchdog`: it says `WATCHDOG=1` at least this often; `None`: nobody waits for that.
        watchdog: Option<Duration>,
    },
    /// By a newline that it writes to this descriptor, 3 or above, which it finds open.
    Descriptor(i32),
    /// By accepting a connection there.
    Tcp(Endpoint),
    /// By answering a GET of this page with 2xx.
    Http(Page),
    /// By having lived for this long.
    Delay(Duration),
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name, an IPv4 address, or an IPv6 address without brackets; looked up for each connection.
    pub host: String,
    /// The port, never 0.
    pub port: u16,
}

/// What to ask for, without TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Where to connect to.
    pub endpoint: Endpoint,
    /// The path and the query, from its slash on, in printable ASCII.
    pub path: String,
}

/// One thing that a child said of itself, or that the way to it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// `READY=1`: it serves.
    Ready,
    /// `STOPPING=1`: it has begun to end.
    Stopping,
    /// `STATUS=`: one phrase for people, cleaned, at most 256 bytes.
    Status(String),
    /// `EXTEND_TIMEOUT_USEC=`: whatever it is at, it needs this long from now on. (It is given
    /// 10 min at once, and no more than 1 h since it was started, or told to stop.)
    ExtendTimeout(Duration),
    /// `WATCHDOG=1`: it is alive.
    Alive,
    /// `WATCHDOG=trigger`: treat it as if it had missed its watchdog.
    Trip,
    /// It was asked whether it serves, and does not yet: why, in one phrase.
    NotYet(String),
    /// Nothing more can be heard of it, why in one phrase: it is ready by now, or never.
    Silent(String),
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.endpoint, self.path)
    }
}

impl fmt::Display for Readiness {
    /// As `--ready` takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Notify { .. } => write!(f, "notify"),
            Self::Descriptor(number) => write!(f, "fd:{number}"),
            Self::Tcp(endpoint) => write!(f, "tcp:{endpoint}"),
            Self::Http(page) => write!(f, "{page}"),
            Self::Delay(duration) => write!(f, "delay:{duration:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        let endpoint = Endpoint {
            host: "::1".to_owned(),
            port: 80,
        };
        assert_eq!(endpoint.to_string(), "[::1]:80");
        let page = Page {
            endpoint,
            path: "/up?a=1".to_owned(),
        };
        assert_eq!(Readiness::Http(page).to_string(), "http://[::1]:80/up?a=1");
        let delay = Readiness::Delay(Duration::from_millis(1500));
        assert_eq!(delay.to_string(), "delay:1.5s");
    }
}
