//! One request at a time: with which token, until when, and what a bad answer means.
//!
//! How often a token's program is run again after a refusal is decided here, and not by the core:
//! it is a part of one request, whose id and time the core knows, and an event and an action more
//! would only carry the token's origin there and back.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{
    ACCEPT, AUTHORIZATION, DATE, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Response, StatusCode};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use url::Url;

use crate::credential::{Attachment, Following, Secret, Selection, Snapshot, phrase};

use super::command::HelperEnds;
use super::error::{Diagnosis, FetchError, Refused, SetupError};
use super::model::{self, Body, Complaint};
use super::token::{NoToken, Origin, Token, TokenOptions, TokenSource};
use super::transport::{self, Timeouts};
use super::{ApiUrl, Variables};

pub(super) const ANSWER_BYTES_MAX: usize = 1024 * 1024;
const COMPLAINT_BYTES_MAX: usize = 16 * 1024;
const WARNINGS_MAX: usize = 16;
/// After a refused token its program is run again this often at most.
const COMMAND_PAUSE: Duration = Duration::from_secs(60);
pub(super) const CONFIG_VARS: &str = "config-vars";
pub(super) const ATTACHMENTS: &str = "addon-attachments";
const VERSION_3: &str = "application/vnd.heroku+json; version=3";

/// What is asked, where, and on whose behalf.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// Where the API is.
    pub api_url: ApiUrl,
    /// `--ca-file`: trusted beside the bundled roots.
    pub ca_file: Option<PathBuf>,
    /// Where the token is.
    pub token: TokenOptions,
    /// The app's name or id.
    pub app: String,
    /// Which config vars are kept of an answer.
    pub selection: Selection,
    /// The environment: tokens, proxies, `SSL_CERT_FILE`.
    pub variables: Arc<Variables>,
    /// When a request is given up.
    pub timeouts: Timeouts,
}

/// Asks for the config vars of one app.
pub struct Client {
    http: reqwest::Client,
    timeouts: Timeouts,
    pub(super) api_url: ApiUrl,
    pub(super) app: String,
    pub(super) selection: Selection,
    source: TokenSource,
    token: Mutex<Held>,
    pub(super) following: Mutex<Following>,
}

/// The token in use, and what has been told about it.
#[derive(Default)]
struct Held {
    token: Option<Token>,
    warned_about: Vec<String>,
    warning: Option<String>,
    /// Runs while the program that prints the token must not be run again.
    pause: Option<JoinHandle<()>>,
}

/// A good answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 200.
    Snapshot {
        /// The config vars, judged and reduced to the selection.
        snapshot: Snapshot,
        /// The server's name for this answer.
        etag: Option<String>,
        /// What the headers tell.
        diagnosis: Diagnosis,
    },
    /// 304: what the tag that was sent along stands for is still the answer.
    NotModified {
        /// What the headers tell.
        diagnosis: Diagnosis,
    },
}

impl Client {
    /// Prepares everything but the token, which is looked for when it is first needed.
    ///
    /// # Errors
    /// When the configuration cannot work; see [`SetupError`].
    pub fn new(options: ClientOptions) -> Result<Self, SetupError> {
        let ClientOptions {
            api_url,
            ca_file,
            token,
            app,
            selection,
            variables,
            timeouts,
        } = options;
        if app.is_empty()
            || !app
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(SetupError::App { name: phrase(&app) });
        }
        Ok(Self {
            http: transport::client(&api_url, ca_file.as_deref(), &variables, timeouts)?,
            timeouts,
            following: Mutex::new(Following::new(&selection.databases)),
            app,
            selection,
            source: TokenSource::new(&token, variables, &api_url)?,
            token: Mutex::default(),
            api_url,
        })
    }

    /// Asks for the config vars; with `unless`, for an answer other than the one of that tag. With
    /// databases to follow, the app's attachments are asked for where [`Following`] needs them, and
    /// the config vars once more when an add-on's moved. A request ends within 10 s, and so does
    /// each look for the token. When the token is refused, its source is read again (a program that
    /// prints it once a minute at most): another token there is tried at once, so that all in all
    /// it may take 40 s, and more with attachments.
    ///
    /// # Errors
    /// When there is no good answer; see [`FetchError`].
    pub async fn config_vars(&self, unless: Option<&str>) -> Result<Answer, FetchError> {
        let token = self.token().await?;
        let outcome = self.answer(&token, unless).await;
        match self.newer(&token, &outcome).await {
            Some(newer) => self.answer(&newer, unless).await,
            None => outcome,
        }
    }

    /// Asks for all attachments of the app.
    ///
    /// # Errors
    /// When there is no good answer; see [`FetchError`].
    pub async fn attachments(&self) -> Result<Vec<Attachment>, FetchError> {
        let token = self.token().await?;
        let outcome = self.ask_attachments(&token).await;
        match self.newer(&token, &outcome).await {
            Some(newer) => self.ask_attachments(&newer).await,
            None => outcome,
        }
    }

    /// What there is to say about the file that the token is in, or about databases that are not
    /// attached: each once, `None` afterwards.
    pub fn take_warning(&self) -> Option<String> {
        self.held().warning.take()
    }

    pub(super) fn warn(&self, warning: String) {
        let mut held = self.held();
        if !held.warned_about.contains(&warning) && held.warned_about.len() < WARNINGS_MAX {
            held.warned_about.push(warning.clone());
            held.warning = Some(warning);
        }
    }

    /// The token that the last request was made with, if there was one.
    #[must_use]
    pub fn token_in_use(&self) -> Option<Secret> {
        self.held().token.as_ref().map(|token| token.secret.clone())
    }

    /// Where the API is.
    #[must_use]
    pub fn api_url(&self) -> &ApiUrl {
        &self.api_url
    }

    /// Where the one reaper of the process tells how helper programs ended.
    #[must_use]
    pub fn helpers(&self) -> HelperEnds {
        self.source.helpers()
    }

    pub(super) async fn token(&self) -> Result<Token, FetchError> {
        let held = self.held().token.clone();
        if let Some(token) = held {
            return Ok(token);
        }
        let token = self.source.read().await;
        let token = token.map_err(|error| match error {
            NoToken::Nowhere(why) => FetchError::NoToken(why),
            NoToken::CommandFailed(why) => FetchError::TokenCommandFailed(why),
        })?;
        self.hold(&token);
        Ok(token)
    }

    /// Another token than the one that was refused, when its source has one by now.
    async fn newer<T>(&self, refused: &Token, outcome: &Result<T, FetchError>) -> Option<Token> {
        let Err(FetchError::TokenRefused { .. }) = outcome else {
            return None;
        };
        if !self.may_ask_again(&refused.origin) {
            return None;
        }
        let newer = self.source.read().await.ok()?;
        if newer.secret == refused.secret {
            return None;
        }
        self.hold(&newer);
        Some(newer)
    }

    /// A file is read at no cost. A program may cost somebody a password, or a vault a request.
    fn may_ask_again(&self, origin: &Origin) -> bool {
        let Origin::Command(_) = origin else {
            return true;
        };
        let mut held = self.held();
        let may = held.pause.as_ref().is_none_or(JoinHandle::is_finished);
        if may {
            held.pause = Some(tokio::spawn(sleep(COMMAND_PAUSE)));
        }
        may
    }

    fn hold(&self, token: &Token) {
        self.held().token = Some(token.clone());
        if let Some(warning) = &token.warning {
            self.warn(warning.clone());
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request for a list of the app's. The answer's status is 200; 206 for a list, 304 when a
    /// tag was sent along.
    pub(super) async fn get(
        &self,
        token: &Token,
        list: &str,
        headers: HeaderMap,
    ) -> Result<Response, FetchError> {
        let address = self.api_url.of_app(&self.app, list);
        self.send(token, address, list, headers).await
    }

    /// One request; `what` names what is asked for.
    pub(super) async fn send(
        &self,
        token: &Token,
        address: Url,
        what: &str,
        mut headers: HeaderMap,
    ) -> Result<Response, FetchError> {
        let conditional = headers.contains_key(IF_NONE_MATCH);
        headers.insert(ACCEPT, HeaderValue::from_static(VERSION_3));
        headers.insert(AUTHORIZATION, bearer(token)?);
        let answer = self.http.get(address).headers(headers).send().await;
        let answer =
            answer.map_err(|error| FetchError::unavailable(self.timeouts.describe(&error)))?;
        match answer.status() {
            StatusCode::OK => Ok(answer),
            StatusCode::PARTIAL_CONTENT if what == ATTACHMENTS => Ok(answer),
            StatusCode::NOT_MODIFIED if conditional => Ok(answer),
            StatusCode::NOT_MODIFIED => {
                Err(FetchError::unavailable("304 to a request without a tag"))
            }
            status if status.is_redirection() => Err(Self::redirected(&answer)),
            _ => Err(self.bad(answer, token, what).await),
        }
    }

    /// The whole body, or the error that says why not. An answer that is dropped here closes its
    /// connection.
    pub(super) async fn body(
        &self,
        answer: &mut Response,
        bytes_max: usize,
    ) -> Result<Body, FetchError> {
        let mut body = Body::default();
        loop {
            match answer.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(piece)) if body.push(&piece, bytes_max) => {}
                Ok(Some(_)) => {
                    let limit = bytes_max / 1024;
                    return Err(FetchError::unavailable(format!(
                        "an answer of more than {limit} KiB"
                    )));
                }
                Err(error) if error.is_timeout() => {
                    return Err(FetchError::unavailable(self.timeouts.describe(&error)));
                }
                Err(_) => return Err(FetchError::unavailable("the answer broke off")),
            }
        }
    }

    fn redirected(answer: &Response) -> FetchError {
        let status = answer.status().as_u16();
        let target = header(answer.headers(), LOCATION);
        let target = target.and_then(|target| answer.url().join(target).ok());
        let host = target
            .as_ref()
            .and_then(Url::host_str)
            .unwrap_or("an unknown host");
        FetchError::unavailable(phrase(&format!(
            "{status} redirect to {host}, not followed"
        )))
    }

    async fn bad(&self, mut answer: Response, token: &Token, what: &str) -> FetchError {
        let status = answer.status().as_u16();
        let diagnosis = Diagnosis::of(answer.headers());
        let spent = (status == 429).then_some(0);
        let left = diagnosis.ratelimit_remaining.or(spent);
        let date = header(answer.headers(), DATE);
        let retry_after =
            header(answer.headers(), RETRY_AFTER).and_then(|value| model::retry_after(value, date));
        // A body that does not come to its end changes nothing about the status.
        let body = self
            .body(&mut answer, COMPLAINT_BYTES_MAX)
            .await
            .unwrap_or_default();
        let complaint = Complaint::read(body.bytes(), &token.secret);
        let message = match what {
            CONFIG_VARS => complaint.told(status),
            _ => phrase(&format!("{} for {what}", complaint.told(status))),
        };
        match (status, complaint.id.as_deref()) {
            (401 | 403, id) => FetchError::TokenRefused {
                status,
                origin: token.origin.clone(),
                fault: match id {
                    Some("suspended") => Refused::Account,
                    Some(_) | None => Refused::Token,
                },
                message: explained(status, message, id, &diagnosis),
                diagnosis,
            },
            (404, _) if [CONFIG_VARS, ATTACHMENTS].contains(&what) => FetchError::AppNotFound {
                app: self.app.clone(),
                origin: token.origin.to_string(),
                message,
            },
            (402, _) => FetchError::Unavailable {
                detail: phrase(&format!("the account has a payment problem: {message}")),
                retry_after,
                left,
            },
            _ => FetchError::Unavailable {
                detail: message,
                retry_after,
                left,
            },
        }
    }
}

/// The same token may be fine, and the account not; or the token may be fine for something else.
fn explained(status: u16, message: String, id: Option<&str>, diagnosis: &Diagnosis) -> String {
    let explanation = match (id, &diagnosis.oauth_scope, &diagnosis.oauth_scope_accepted) {
        // All that it says is what the status means.
        (Some("unauthorized"), _, _) if status == 401 => return status.to_string(),
        (Some("suspended"), _, _) => "the account or the app is suspended".to_owned(),
        (Some("two_factor"), _, _) => {
            "the account asks for a second factor, which a token of `heroku authorizations:create` needs not".to_owned()
        }
        (_, Some(has), Some(needs)) => format!("the token's scope is {has}, any of {needs} is needed"),
        _ => return message,
    };
    phrase(&format!("{explanation}: {message}"))
}

fn bearer(token: &Token) -> Result<HeaderValue, FetchError> {
    let value = zeroize::Zeroizing::new(format!("Bearer {}", token.secret.expose()));
    let mut value = HeaderValue::from_str(&value).map_err(|_| {
        FetchError::NoToken(format!("the token from {} cannot be sent", token.origin))
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(super) fn header(headers: &HeaderMap, name: impl Into<HeaderName>) -> Option<&str> {
    headers.get(name.into())?.to_str().ok()
}

impl Diagnosis {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| header(headers, HeaderName::from_static(name));
        Self {
            ratelimit_remaining: text("ratelimit-remaining")
                .and_then(|text| text.trim().parse().ok()),
            oauth_scope: text("oauth-scope").map(phrase),
            oauth_scope_accepted: text("oauth-scope-accepted").map(phrase),
        }
    }
}
