//! What can go wrong, in words for the user and in kinds for the core.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::credential::phrase;

use super::token::Origin;

/// A configuration that no waiting mends; found before the first request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SetupError {
    /// `--api-url` or `HEROKU_HOST`.
    #[error("{setting}={value} {fault}")]
    ApiUrl {
        /// The option or variable that holds the value.
        setting: &'static str,
        /// The value, without credentials.
        value: String,
        /// What is wrong, and what to do.
        fault: UrlFault,
    },
    /// `--ca-file` or `SSL_CERT_FILE`.
    #[error(
        "{setting}: {path} {why}, so the API's certificate cannot be verified as asked: name a PEM file of \
         certificates, or leave the setting out", path = .path.display()
    )]
    CaFile {
        /// The option or variable that names the file.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// `HTTPS_PROXY` or `ALL_PROXY`.
    #[error(
        "{variable} does not hold a proxy's URL, so the API cannot be reached as asked: write \
         http://HOST:PORT, or name the API's host in NO_PROXY"
    )]
    Proxy {
        /// The variable.
        variable: &'static str,
    },
    /// `--app`.
    #[error(
        "`{name}` is not the name of a Heroku app (letters, digits and dashes): give it with --app \
         (CHANGEOVER_APP or HEROKU_APP)"
    )]
    App {
        /// What was given.
        name: String,
    },
    /// `--token-command`.
    #[error(
        "--token-command (CHANGEOVER_TOKEN_COMMAND) {why}, so there is no way to get a token: it is split into words \
         as a shell would, but run without one"
    )]
    TokenCommand {
        /// What is wrong with it.
        why: &'static str,
    },
    /// `--webhook-secret-file`.
    #[error("{0}")]
    WebhookSecret(String),
    /// The HTTP client could not be made.
    #[error("the HTTPS client could not be set up: {0}")]
    Transport(String),
}

/// Why a URL cannot be the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum UrlFault {
    /// It does not parse, or has parts that a base URL has not.
    #[error("is not a URL that requests can go to: write https://HOST, without a query")]
    NotAUrl,
    /// It has a user or a password.
    #[error("holds a user or a password, which the API does not use: remove them")]
    HoldsCredentials,
    /// http, and not to this machine.
    #[error(
        "would send the API token unencrypted: write https://, plain http is for a loopback address only"
    )]
    PlainHttp,
    /// `HEROKU_HOST` alone, leading elsewhere.
    #[error(
        "is neither one of Heroku's domains nor a loopback address, so no API token is sent there: unset it, \
         or name the URL with --api-url (CHANGEOVER_API_URL)"
    )]
    NotHerokus,
    /// `HEROKU_HOST=localhost`: `https://api.localhost` is not what is meant.
    #[error("is a loopback address without a scheme: write http:// or https:// before it")]
    LoopbackWithoutScheme,
}

/// Why there is no usable answer. None of the texts holds a secret; what the API said is cut at 256
/// bytes.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FetchError {
    /// No source has a token, and waiting will not bring one.
    #[error("{0}")]
    NoToken(String),
    /// The program that prints the token failed; it may not the next time.
    #[error("{0}")]
    TokenCommandFailed(String),
    /// 401 or 403, and no other token where this one came from.
    #[error("Heroku refused the token from {origin} ({message})")]
    TokenRefused {
        /// 401 or 403.
        status: u16,
        /// Where the token came from.
        origin: Origin,
        /// What is not good enough.
        fault: Refused,
        /// The status, and what it does not say by itself.
        message: String,
        /// The scopes, when the API named them.
        diagnosis: Diagnosis,
    },
    /// 404: no such app, or none that this token may see.
    #[error("no app {app}, or none that the token from {origin} may see ({message})")]
    AppNotFound {
        /// The app that was asked for.
        app: String,
        /// Where the token came from.
        origin: String,
        /// Status, error id and what the API said.
        message: String,
    },
    /// Everything that time may heal: no connection, 429, 5xx, garbage.
    #[error("{detail}")]
    Unavailable {
        /// One phrase: `503 (HTML)`, `connection refused`.
        detail: String,
        /// How long the server asked us to stay away; not yet limited.
        retry_after: Option<Duration>,
        /// Requests that the account has left, if that is known: none after a 429.
        left: Option<u32>,
    },
}

/// What the API does not accept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token.
    Token,
    /// The account or the app is suspended, whatever the token.
    Account,
}

/// What an answer's headers tell about the token and the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// `RateLimit-Remaining`: requests that the account has left.
    pub ratelimit_remaining: Option<u32>,
    /// `Oauth-Scope`: what the token may do.
    pub oauth_scope: Option<String>,
    /// `Oauth-Scope-Accepted`: any of these would do for this request.
    pub oauth_scope_accepted: Option<String>,
}

impl SetupError {
    pub(super) fn api_url(setting: &'static str, value: &str, fault: UrlFault) -> Self {
        let value = match value.rsplit_once('@') {
            Some((_, host)) => phrase(&format!("***@{host}")),
            None => phrase(value),
        };
        Self::ApiUrl {
            setting,
            value,
            fault,
        }
    }
}

impl FetchError {
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::Unavailable {
            detail: detail.into(),
            retry_after: None,
            left: None,
        }
    }
}
