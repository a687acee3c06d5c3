//! What a login that failed says: nothing about the credential, or no.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use tokio_postgres::Error;

use crate::credential::phrase;

/// How `tokio-postgres` says it, and how `std` begins a failed lookup.
const NO_TLS: &str = "server does not support TLS";
const LOOKUP: &str = "failed to lookup address information: ";

/// The resolver's texts, of glibc and of musl: `std` does not pass its codes on. Nobody sets a
/// locale here, so they are English.
const UNKNOWN_NAME: [&str; 5] = [
    "Name or service not known",
    "No address associated with hostname",
    "Address family for hostname not supported",
    "Name does not resolve",
    "Name has no usable address",
];
const NO_RESOLVER: [&str; 4] = [
    "Temporary failure in name resolution",
    "Non-recoverable failure in name resolution",
    "Try again",
    "Non-recoverable error",
];

/// Why a login says nothing about its credential. `Display` is one phrase without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No login was tried: the URL cannot be used for one, or `sslrootcert` cannot be read.
    NotTried(String),
    /// No name server has heard of the host.
    NameNotFound,
    /// The name servers do not answer.
    ResolverSilent,
    /// Nobody listens there.
    ConnectionRefused,
    /// The time was over: packets that are lost, or a server that hangs.
    NoAnswer(Duration),
    /// The server does not encrypt, and the mode insists on it.
    NoTls,
    /// The server's certificate is not trusted.
    Certificate(Distrust),
    /// Client and server do not agree on TLS otherwise.
    Handshake(String),
    /// 53300: the server has no connection left for this role, or for anybody.
    Full(String),
    /// 57P01 to 57P03: the server is starting up, or shutting down.
    NotServing {
        /// The SQLSTATE.
        code: String,
        /// What the server is doing, in its own words and language.
        message: String,
    },
    /// Anything else that the server says.
    ServerError {
        /// The SQLSTATE.
        code: String,
        /// The server's own words.
        message: String,
    },
    /// Anything else that the network or TLS says.
    Other(String),
}

/// Why a certificate is not trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Distrust {
    /// No authority that we trust has signed it.
    UnknownIssuer,
    /// It is another host's.
    WrongName,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYetValid,
    /// Anything else.
    Other(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotTried(why) | Self::Other(why) => f.write_str(&phrase(why)),
            Self::NameNotFound => f.write_str("DNS does not know the host's name"),
            Self::ResolverSilent => f.write_str("DNS does not answer"),
            Self::ConnectionRefused => f.write_str("connection refused"),
            Self::NoAnswer(after) => write!(f, "no answer within {} s", after.as_secs_f32()),
            Self::NoTls => f.write_str("TLS: the server has none"),
            Self::Handshake(why) => write!(f, "TLS: {}", phrase(why)),
            Self::Certificate(why) => write!(f, "TLS: the server's certificate {why}"),
            Self::Full(message) => {
                write!(f, "53300: no connection slot left ({})", phrase(message))
            }
            Self::NotServing { code, message } => {
                let (code, message) = (phrase(code), phrase(message));
                write!(f, "{code}: the server takes no logins now ({message})")
            }
            Self::ServerError { code, message } => {
                write!(f, "{}: {}", phrase(code), phrase(message))
            }
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIssuer => f.write_str("is signed by nobody whom we trust"),
            Self::WrongName => f.write_str("is for another host"),
            Self::Expired => f.write_str("has expired"),
            Self::NotYetValid => f.write_str("is not valid yet"),
            Self::Other(why) => write!(f, "is not trusted ({})", phrase(why)),
        }
    }
}

impl Obstacle {
    /// What a server's error means that is no refusal.
    pub(super) fn of_server(code: &str, message: &str) -> Self {
        let (code, message) = (code.to_owned(), message.to_owned());
        match code.as_str() {
            "53300" => Self::Full(message),
            "57P01" | "57P02" | "57P03" => Self::NotServing { code, message },
            _ => Self::ServerError { code, message },
        }
    }

    /// What stands between us and the server.
    pub(super) fn of_error(error: &Error) -> Self {
        let mut innermost: &(dyn StdError + 'static) = error;
        while let Some(inner) = innermost.source() {
            if let Some(obstacle) = Self::of_cause(inner) {
                return obstacle;
            }
            innermost = inner;
        }
        Self::of_text(&innermost.to_string())
    }

    /// What the system says when nobody is reached, or a name is not found.
    pub(super) fn of_io(error: &io::Error) -> Self {
        Self::of_lookup(&error.to_string())
            .or_else(|| Self::of_cause(error))
            .unwrap_or_else(|| Self::Other(error.to_string()))
    }

    /// What the system or TLS said.
    fn of_cause(mut error: &(dyn StdError + 'static)) -> Option<Self> {
        // An I/O error hides what it wraps from `source`.
        while let Some(inner) = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            error = inner;
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::of_tls(error));
        }
        let error = error.downcast_ref::<io::Error>()?;
        let kind = error.kind();
        Some(if kind == io::ErrorKind::ConnectionRefused {
            Self::ConnectionRefused
        } else {
            Self::Other(kind.to_string())
        })
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "somebody else's enum, which grows: what is new is told in its own words"
    )]
    fn of_tls(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(why) = error else {
            return Self::Handshake(error.to_string());
        };
        Self::Certificate(match why {
            CertificateError::UnknownIssuer => Distrust::UnknownIssuer,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Distrust::WrongName
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                Distrust::Expired
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Distrust::NotYetValid
            }
            other => Distrust::Other(other.to_string()),
        })
    }

    /// What has no type but its words.
    fn of_text(text: &str) -> Self {
        match Self::of_lookup(text) {
            Some(obstacle) => obstacle,
            None if text == NO_TLS => Self::NoTls,
            None => Self::Other(text.to_owned()),
        }
    }

    /// What the resolver says of a name.
    fn of_lookup(text: &str) -> Option<Self> {
        let why = text.strip_prefix(LOOKUP)?;
        if UNKNOWN_NAME.contains(&why) {
            return Some(Self::NameNotFound);
        }
        NO_RESOLVER.contains(&why).then_some(Self::ResolverSilent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_knows_and_a_resolver_that_does_not_answer() {
        for (why, expected) in [
            ("Name or service not known", Obstacle::NameNotFound),
            (
                "No address associated with hostname",
                Obstacle::NameNotFound,
            ),
            ("Name does not resolve", Obstacle::NameNotFound),
            (
                "Temporary failure in name resolution",
                Obstacle::ResolverSilent,
            ),
            ("Try again", Obstacle::ResolverSilent),
        ] {
            let text = format!("failed to lookup address information: {why}");
            assert_eq!(Obstacle::of_text(&text), expected);
        }
        let other = "failed to lookup address information: Memory allocation failure";
        assert_eq!(Obstacle::of_text(other), Obstacle::Other(other.to_owned()));
    }

    #[test]
    fn each_has_its_phrase() {
        let (code, message) = ("57P03".to_owned(), "the system is starting up".to_owned());
        let long = "x".repeat(10_000);
        for (obstacle, phrase) in [
            (
                Obstacle::of_server("53300", "sorry, too many clients already"),
                "53300: no connection slot left (sorry, too many clients already)",
            ),
            (
                Obstacle::NotServing { code, message },
                "57P03: the server takes no logins now (the system is starting up)",
            ),
            (
                Obstacle::of_server("XX000", "a\u{1b}[2J of postgres://u:SECRET@h/d"),
                "XX000: a\\u{1b}[2J of postgres://***@h/d",
            ),
            (
                Obstacle::Certificate(Distrust::Expired),
                "TLS: the server's certificate has expired",
            ),
            (
                Obstacle::NoAnswer(Duration::from_millis(2500)),
                "no answer within 2.5 s",
            ),
        ] {
            assert_eq!(obstacle.to_string(), phrase);
        }
        assert!(Obstacle::of_server("XX000", &long).to_string().len() < 300);
    }
}
