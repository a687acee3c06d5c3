//! A postgres URL: found apart, never rewritten beyond what was asked, shown only without its
//! password.
//!
//! The `url` crate refuses shapes that libpq accepts (several hosts) and re-encodes what it does
//! accept, so the parts are byte ranges of the original text instead. Source of the grammar:
//! PostgreSQL manual, 34.1.1.2.

mod settings;

use std::fmt;
use std::ops::Range;

use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::Secret;

pub use settings::Settings;

/// A parsed `postgres://` or `postgresql://` URL. `Debug` and [`DatabaseUrl::redacted`] hide the
/// password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl {
    text: Secret,
    scheme: Range<usize>,
    user: Option<Range<usize>>,
    password: Option<Range<usize>>,
    hosts: Range<usize>,
    path: Range<usize>,
    query: Option<Range<usize>>,
}

/// What is wrong with a postgres URL; the text never quotes the URL itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Neither `postgres://` nor `postgresql://`.
    #[error("it does not begin with postgres:// or postgresql://")]
    Scheme,
    /// Nothing stands where the host should, and no `host=` replaces it.
    #[error("it names no host")]
    Host,
    /// A port that is not a number from 1 to 65535.
    #[error("its port is not a number from 1 to 65535")]
    Port,
    /// A blank or a control character, which every client refuses.
    #[error("it holds a blank or a control character")]
    Blank,
    /// A `%` that is not followed by two hexadecimal digits, or that hides a NUL.
    #[error("a % in it is not followed by two hexadecimal digits")]
    Escape,
}

/// How a client encrypts, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslMode {
    /// Never.
    Disable,
    /// Only when the server insists.
    Allow,
    /// When the server can.
    Prefer,
    /// Always, without verifying the certificate (Heroku's are self-signed).
    Require,
    /// Always, and the certificate's authority is verified.
    VerifyCa,
    /// Always, and the authority and the host name are verified.
    VerifyFull,
}

impl SslMode {
    /// The mode by libpq's name; `None` when libpq knows no such mode.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "disable" => Self::Disable,
            "allow" => Self::Allow,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }

    /// libpq's name of the mode.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl DatabaseUrl {
    /// Whether the text claims to be a postgres URL (it may still be malformed).
    #[must_use]
    pub fn is_postgres(text: &str) -> bool {
        scheme_end(text).is_some()
    }

    /// Finds the parts of a postgres URL.
    ///
    /// # Errors
    /// When no client could use it; see [`Malformed`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let scheme_end = scheme_end(text).ok_or(Malformed::Scheme)?;
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Malformed::Blank);
        }
        check_escapes(text)?;
        let start = scheme_end + "://".len();
        let end = find(text, start, text.len(), &['/', '?']);
        let hosts = match text[start..end].rfind('@') {
            Some(at) => start + at + 1..end,
            None => start..end,
        };
        let (user, password) = userinfo(text, start, hosts.start);
        let path_end = find(text, end, text.len(), &['?']);
        let path = (end + usize::from(path_end > end)).min(path_end)..path_end;
        let query = (path_end < text.len()).then(|| path_end + 1..text.len());
        let text = Secret::from(text);
        let url = Self {
            text,
            scheme: 0..scheme_end,
            user,
            password,
            hosts,
            path,
            query,
        };
        url.check_hosts()?;
        Ok(url)
    }

    /// The URL byte for byte as it came.
    #[must_use]
    pub fn text(&self) -> &Secret {
        &self.text
    }

    /// The user as written (percent-encoded); empty names count as none.
    #[must_use]
    pub fn user(&self) -> Option<&str> {
        self.user.clone().map(|range| self.part(range))
    }

    /// `host[:port]`, or several of them separated by commas, as written.
    #[must_use]
    pub fn hosts(&self) -> &str {
        self.part(self.hosts.clone())
    }

    /// The database name as written (percent-encoded), empty when the URL has none.
    #[must_use]
    pub fn database(&self) -> &str {
        self.part(self.path.clone())
    }

    /// The last value of a query parameter, as written.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let query = self.part(self.query.clone()?);
        query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .filter(|(key, _)| decoded(key) == name)
            .map(|(_, value)| value)
            .next_back()
    }

    /// What follows the `?`, as written.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.clone().map(|range| self.part(range))
    }

    /// The encryption that the URL itself names. A mode that libpq does not know is `None`, as if
    /// not named.
    #[must_use]
    pub fn sslmode(&self) -> Option<SslMode> {
        self.parameter("sslmode").and_then(SslMode::from_name)
    }

    /// The same URL, with `sslmode=` appended when it names none (as Heroku's page asks), and every
    /// other byte kept.
    #[must_use]
    pub fn with_sslmode(&self, mode: SslMode) -> Secret {
        if self.parameter("sslmode").is_some() {
            return self.text.clone();
        }
        let text = self.text.expose();
        let joint = match &self.query {
            None if self.path.start == self.hosts.end => "/?",
            None => "?",
            Some(query) if query.is_empty() => "",
            Some(_) => "&",
        };
        Secret::new(format!("{text}{joint}sslmode={}", mode.name()))
    }

    /// The same URL under another scheme (`postgresql`, `postgresql+asyncpg`), every other byte
    /// kept.
    #[must_use]
    pub fn with_scheme(text: &Secret, scheme: &str) -> Secret {
        match scheme_end(text.expose()) {
            Some(end) => Secret::new(format!("{scheme}{}", &text.expose()[end..])),
            None => text.clone(),
        }
    }

    /// `postgres://user:***@host:port/db`, for people. The query is left out: it may hold a
    /// password too. An `@` behind the hosts may end a password with a `/` or `?` in it, which has
    /// ended them too early: then nothing is shown.
    #[must_use]
    pub fn redacted(&self) -> String {
        let scheme = self.part(self.scheme.clone());
        if self
            .part(self.hosts.end..self.text.expose().len())
            .contains('@')
        {
            return format!("{scheme}://***");
        }
        let login = match (self.user(), &self.password) {
            (Some(user), Some(_)) => format!("{user}:***@"),
            (Some(user), None) => format!("{user}@"),
            (None, Some(_)) => ":***@".to_owned(),
            (None, None) => String::new(),
        };
        format!("{scheme}://{login}{}/{}", self.hosts(), self.database())
    }

    /// Whether user and password are the same bytes.
    #[must_use]
    pub(super) fn same_login(&self, other: &Self) -> bool {
        let password = |url: &Self| url.password.clone().map(|range| url.part(range).to_owned());
        self.user() == other.user() && password(self) == password(other)
    }

    fn part(&self, range: Range<usize>) -> &str {
        &self.text.expose()[range]
    }

    fn check_hosts(&self) -> Result<(), Malformed> {
        if self.hosts().is_empty() {
            let elsewhere = self.parameter("host").or(self.parameter("hostaddr"));
            return elsewhere.map(|_| ()).ok_or(Malformed::Host);
        }
        self.hosts().split(',').try_for_each(check_host)
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.redacted())
    }
}

fn scheme_end(text: &str) -> Option<usize> {
    ["postgres", "postgresql"]
        .iter()
        .find(|scheme| {
            text.strip_prefix(**scheme)
                .is_some_and(|rest| rest.starts_with("://"))
        })
        .map(|scheme| scheme.len())
}

fn find(text: &str, start: usize, end: usize, stops: &[char]) -> usize {
    text[start..end]
        .find(stops)
        .map_or(end, |offset| start + offset)
}

/// The user and the password between `start` and the hosts.
fn userinfo(
    text: &str,
    start: usize,
    hosts: usize,
) -> (Option<Range<usize>>, Option<Range<usize>>) {
    if hosts == start {
        return (None, None);
    }
    let end = hosts - 1;
    let colon = find(text, start, end, &[':']);
    let user = (colon > start).then_some(start..colon);
    let password = (colon < end).then(|| colon + 1..end);
    (user, password)
}

/// One of the hosts, and its port when one is written.
fn split_host(host: &str) -> Result<(&str, Option<&str>), Malformed> {
    let Some(inner) = host.strip_prefix('[') else {
        let split = host.split_once(':');
        return Ok(split.map_or((host, None), |(name, port)| (name, Some(port))));
    };
    let (address, rest) = inner.split_once(']').ok_or(Malformed::Host)?;
    match rest.strip_prefix(':') {
        None if !rest.is_empty() => Err(Malformed::Host),
        port => Ok((address, port)),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn check_host(host: &str) -> Result<(), Malformed> {
    let (name, port) = split_host(host)?;
    if name.is_empty() {
        return Err(Malformed::Host);
    }
    match port {
        None | Some("") => Ok(()),
        // (Rust's own parsers would also take a plus sign.)
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => match port.parse::<u16>() {
            Ok(number) if number > 0 => Ok(()),
            Ok(_) | Err(_) => Err(Malformed::Port),
        },
        Some(_) => Err(Malformed::Port),
    }
}

fn check_escapes(text: &str) -> Result<(), Malformed> {
    for (at, _) in text.match_indices('%') {
        let digits = text.get(at + 1..at + 3).ok_or(Malformed::Escape)?;
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || digits == "00" {
            return Err(Malformed::Escape);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> DatabaseUrl {
        DatabaseUrl::parse(text).unwrap()
    }

    #[test]
    fn herokus_shape() {
        let url = parse("postgres://u1:p1@ec2-1.compute-1.amazonaws.com:5432/d1");
        assert_eq!(url.user(), Some("u1"));
        assert_eq!(url.hosts(), "ec2-1.compute-1.amazonaws.com:5432");
        assert_eq!(url.database(), "d1");
        assert_eq!(url.sslmode(), None);
        assert_eq!(
            format!("{url:?}"),
            "postgres://u1:***@ec2-1.compute-1.amazonaws.com:5432/d1"
        );
    }

    #[test]
    fn who_logs_in_is_found_apart() {
        for (text, user, shown) in [
            ("postgres://h/d", None, "postgres://h/d"),
            ("postgres://@h/d", None, "postgres://h/d"),
            ("postgres://u@h/d", Some("u"), "postgres://u@h/d"),
            ("postgres://u:@h/d", Some("u"), "postgres://u:***@h/d"),
            ("postgres://:p@h/d", None, "postgres://:***@h/d"),
            ("postgres://u:p:q@h/d", Some("u"), "postgres://u:***@h/d"),
            (
                "postgres://user:p@h",
                Some("user"),
                "postgres://user:***@h/",
            ),
        ] {
            let url = parse(text);
            assert_eq!((url.user(), url.redacted().as_str()), (user, shown));
        }
        let password = |text: &str| {
            let url = parse(text);
            url.password.clone().map(|range| url.part(range).to_owned())
        };
        assert_eq!(password("postgres://u@h/d"), None);
        assert_eq!(password("postgres://u:p@h/d"), Some("p".to_owned()));
        assert_eq!(password("postgres://u:p:q@r@h/d"), Some("p:q@r".to_owned()));
    }

    #[test]
    fn every_mode_of_libpq_has_its_name() {
        for mode in [
            SslMode::Disable,
            SslMode::Allow,
            SslMode::Prefer,
            SslMode::Require,
            SslMode::VerifyCa,
            SslMode::VerifyFull,
        ] {
            assert_eq!(SslMode::from_name(mode.name()), Some(mode));
        }
        assert_eq!(SslMode::from_name("Require"), None);
    }

    #[test]
    fn shapes_that_libpq_accepts() {
        for text in [
            "postgresql://localhost",
            "postgres://h/",
            "postgres://u@h1:5432,h2:5433/d",
            "postgres://u:p@[::1]:5432/d",
            "postgres:///d?host=/var/run/postgresql",
            "postgres://u:p%40ss@h/d?sslmode=require&connect_timeout=10",
            "postgres://u:p@ss@h/d",
            "postgres://h?sslmode=disable",
        ] {
            assert!(DatabaseUrl::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_no_client_could_use() {
        for (text, expected) in [
            ("mysql://h/d", Malformed::Scheme),
            ("postgres:/h/d", Malformed::Scheme),
            ("postgres://", Malformed::Host),
            ("postgres:///d", Malformed::Host),
            ("postgres://u:p@/d", Malformed::Host),
            ("postgres://u:p@h:port/d", Malformed::Port),
            ("postgres://u:p@h:0/d", Malformed::Port),
            ("postgres://u:p@h:66666/d", Malformed::Port),
            ("postgres://u:p p@h/d", Malformed::Blank),
            ("postgres://u:p@h:+5432/d", Malformed::Port),
            ("postgres://u:p%4@h/d", Malformed::Escape),
            ("postgres://u:p%+5@h/d", Malformed::Escape),
            ("postgres://u:p%00@h/d", Malformed::Escape),
            ("postgres://u:p@[::1/d", Malformed::Host),
        ] {
            assert_eq!(DatabaseUrl::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn sslmode_is_appended_only_where_none_is_named() {
        for (text, expected) in [
            (
                "postgres://u:p@h:1/d",
                "postgres://u:p@h:1/d?sslmode=require",
            ),
            (
                "postgres://u:p@h:1/d?a=b",
                "postgres://u:p@h:1/d?a=b&sslmode=require",
            ),
            (
                "postgres://u:p@h:1/d?",
                "postgres://u:p@h:1/d?sslmode=require",
            ),
            ("postgres://u:p@h", "postgres://u:p@h/?sslmode=require"),
            ("postgres://h/", "postgres://h/?sslmode=require"),
            (
                "postgres://h/d?sslmode=disable",
                "postgres://h/d?sslmode=disable",
            ),
        ] {
            assert_eq!(
                parse(text).with_sslmode(SslMode::Require).expose(),
                expected
            );
        }
    }

    #[test]
    fn the_scheme_alone_is_replaced() {
        let text = Secret::from("postgres://u:p%2F@h/d?x=postgres://");
        assert_eq!(
            DatabaseUrl::with_scheme(&text, "postgresql+asyncpg").expose(),
            "postgresql+asyncpg://u:p%2F@h/d?x=postgres://"
        );
        let other = Secret::from("rediss://h");
        assert_eq!(DatabaseUrl::with_scheme(&other, "postgresql"), other);
    }

    #[test]
    fn redaction_keeps_no_password_wherever_it_stands() {
        for text in [
            "postgres://u:CANARY@h/d",
            "postgres://u:CANARY@CANARY@h/d",
            "postgres://:CANARY@h/d",
            "postgres://h/d?password=CANARY",
            "postgres://u:12/CANARY@h/d",
            "postgres://u:CANARY@12/CANARY@h/d",
            "postgres://CANARY:12?b@h/d",
        ] {
            assert!(!parse(text).redacted().contains("CANARY"), "{text}");
        }
    }
}
