//! The faults that the simulated API can be told to have, by name.

use std::fmt;
use std::str::FromStr;

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
    pub(super) fn is_in_the_map(self) -> bool {
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
