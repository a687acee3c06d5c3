//! The faults that the simulated API can be told to have, and which requests they hit.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::http::Method;

/// One way for the API to misbehave. Each has a stable name ([`Fault::name`]), the same in Rust, on
/// the command line and over HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// 401 `unauthorized`: the token is refused.
    Unauthorized,
    /// 403 `forbidden`: the token may not read this app.
    Forbidden,
    /// 404 `not_found`: there is no such app.
    NotFound,
    /// 429 `rate_limit`, without `Retry-After` unless one is given.
    RateLimited,
    /// 429 `rate_limit` with `Retry-After` in seconds.
    RetryAfterSeconds,
    /// 429 `rate_limit` with `Retry-After` as an HTTP date.
    RetryAfterDate,
    /// 500 with a JSON body.
    ServerError,
    /// 503 as the router's HTML page.
    Unavailable,
    /// 200 with text that is not JSON.
    Garbage,
    /// 200 with no body at all.
    EmptyBody,
    /// 200 with the empty map `{}`.
    EmptyMap,
    /// The variable is not in the map.
    MissingKey,
    /// The variable is `null`.
    Null,
    /// The variable is `""`.
    EmptyString,
    /// The variable is a number.
    Number,
    /// The variable begins like a postgres URL and is none.
    MalformedUrl,
    /// 16 MiB of valid JSON, streamed without a length.
    HugeBody,
    /// The true answer, one byte at a time.
    SlowBody,
    /// Half of the true answer, then a connection reset.
    TruncatedBody,
    /// The true answer, but late.
    Late,
    /// A connection reset instead of an answer.
    Reset,
    /// No answer, for ever.
    Hang,
    /// 302 to another host.
    Redirect,
    /// 304 to a conditional request although the value changed. Unconditional requests are answered
    /// truly.
    FalseNotModified,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 24] = [
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::RateLimited,
        Self::RetryAfterSeconds,
        Self::RetryAfterDate,
        Self::ServerError,
        Self::Unavailable,
        Self::Garbage,
        Self::EmptyBody,
        Self::EmptyMap,
        Self::MissingKey,
        Self::Null,
        Self::EmptyString,
        Self::Number,
        Self::MalformedUrl,
        Self::HugeBody,
        Self::SlowBody,
        Self::TruncatedBody,
        Self::Late,
        Self::Reset,
        Self::Hang,
        Self::Redirect,
        Self::FalseNotModified,
    ];

    /// The name that never changes.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unauthorized => "401",
            Self::Forbidden => "403",
            Self::NotFound => "404",
            Self::RateLimited => "429",
            Self::RetryAfterSeconds => "429_retry_after",
            Self::RetryAfterDate => "429_retry_after_date",
            Self::ServerError => "500",
            Self::Unavailable => "503_html",
            Self::Garbage => "garbage",
            Self::EmptyBody => "empty_body",
            Self::EmptyMap => "empty_map",
            Self::MissingKey => "missing_key",
            Self::Null => "null",
            Self::EmptyString => "empty_string",
            Self::Number => "number",
            Self::MalformedUrl => "malformed_url",
            Self::HugeBody => "huge_body",
            Self::SlowBody => "slow_body",
            Self::TruncatedBody => "truncated_body",
            Self::Late => "late",
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::Redirect => "redirect",
            Self::FalseNotModified => "false_304",
        }
    }

    /// Whether the fault is in a config var, so that it makes no sense in any other answer.
    fn is_in_the_map(self) -> bool {
        matches!(
            self,
            Self::EmptyMap
                | Self::MissingKey
                | Self::Null
                | Self::EmptyString
                | Self::Number
                | Self::MalformedUrl
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|fault| fault.name() == name)
            .ok_or_else(|| {
                let names: Vec<_> = Self::ALL.iter().map(|fault| fault.name()).collect();
                format!(
                    "no fault is called {name:?}; there are: {}",
                    names.join(", ")
                )
            })
    }
}

/// A fault with its details: how often, how late, on which variable. `Injection::from(fault)` lasts
/// until the faults are cleared and hits `GET /apps/…/config-vars` only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    pub(super) fault: Fault,
    pub(super) times: Option<u32>,
    pub(super) delay: Option<Duration>,
    pub(super) retry_after: Option<u64>,
    pub(super) key: String,
    pub(super) location: Option<String>,
    pub(super) everywhere: bool,
}

impl From<Fault> for Injection {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            times: None,
            delay: None,
            retry_after: None,
            key: "DATABASE_URL".to_owned(),
            location: None,
            everywhere: false,
        }
    }
}

impl Injection {
    /// Ends after so many faulted answers.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    /// How long before the answer; for [`Fault::SlowBody`] how long between two bytes.
    #[must_use]
    pub fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// The `Retry-After` of a 429, 500 or 503, in seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The config var that the fault is about; `DATABASE_URL` unless told.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// Where [`Fault::Redirect`] sends the client.
    #[must_use]
    pub fn location(mut self, url: &str) -> Self {
        self.location = Some(url.to_owned());
        self
    }

    /// Hits every call of the Platform and data APIs, not only `GET config-vars`.
    #[must_use]
    pub fn everywhere(mut self) -> Self {
        self.everywhere = true;
        self
    }

    fn hits(&self, method: &Method, path: &str, conditional: bool) -> bool {
        let config_vars =
            method == Method::GET && path.starts_with("/apps/") && path.ends_with("/config-vars");
        let in_scope = config_vars || (self.everywhere && !self.fault.is_in_the_map());
        in_scope && (conditional || self.fault != Fault::FalseNotModified)
    }
}

/// The faults to come, in order: the first one that has turns left is in force.
#[derive(Default)]
pub(super) struct Faults {
    queue: VecDeque<Injection>,
}

impl Faults {
    pub(super) fn replace(&mut self, injection: Injection) {
        self.queue.clear();
        self.queue.push_back(injection);
    }

    pub(super) fn then(&mut self, injection: Injection) {
        self.queue.push_back(injection);
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Injection> {
        self.queue.iter()
    }

    /// The fault that this request suffers, if any; uses up one of its turns.
    pub(super) fn take(
        &mut self,
        method: &Method,
        path: &str,
        conditional: bool,
    ) -> Option<Injection> {
        while self.queue.front()?.times == Some(0) {
            self.queue.pop_front();
        }
        let first = self.queue.front_mut()?;
        if !first.hits(method, path, conditional) {
            return None;
        }
        if let Some(left) = &mut first.times {
            *left -= 1;
        }
        let taken = first.clone();
        if taken.times == Some(0) {
            self.queue.pop_front();
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/apps/myapp/config-vars";

    #[test]
    fn every_fault_is_found_by_its_name() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse::<Fault>(), Ok(fault));
        }
        assert!("no such".parse::<Fault>().unwrap_err().contains("503_html"));
    }

    #[test]
    fn counted_faults_follow_one_another_and_end() {
        let mut faults = Faults::default();
        faults.replace(Injection::from(Fault::Unauthorized).times(1));
        faults.then(Injection::from(Fault::Null).times(1));
        let mut next = || {
            faults
                .take(&Method::GET, PATH, false)
                .map(|taken| taken.fault)
        };
        assert_eq!(next(), Some(Fault::Unauthorized));
        assert_eq!(next(), Some(Fault::Null));
        assert_eq!(next(), None);
    }

    #[test]
    fn a_fault_hits_config_vars_only_unless_it_is_everywhere() {
        let mut faults = Faults::default();
        faults.replace(Fault::ServerError.into());
        assert!(faults.take(&Method::GET, "/account", false).is_none());
        assert!(faults.take(&Method::PATCH, PATH, false).is_none());
        faults.replace(Injection::from(Fault::ServerError).everywhere());
        assert!(faults.take(&Method::GET, "/account", false).is_some());
    }

    #[test]
    fn a_false_304_spares_unconditional_requests() {
        let mut faults = Faults::default();
        faults.replace(Fault::FalseNotModified.into());
        assert!(faults.take(&Method::GET, PATH, false).is_none());
        assert!(faults.take(&Method::GET, PATH, true).is_some());
    }
}
