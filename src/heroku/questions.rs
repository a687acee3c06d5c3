//! What Heroku is asked: the app's config vars, its attachments, and one after the other where a
//! database is followed.

use std::sync::{MutexGuard, PoisonError};

use reqwest::StatusCode;
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, IF_NONE_MATCH, RANGE};

use crate::credential::attachment::{Look, listed};
use crate::credential::{Attachment, Following, RawValues, phrase};

use super::client::{ANSWER_BYTES_MAX, ATTACHMENTS, Answer, CONFIG_VARS, Client, header};
use super::error::{Diagnosis, FetchError};
use super::model::{self, Body};
use super::token::Token;

/// A list of attachments has 200 to a page.
const PAGES_MAX: usize = 20;
/// How often the attachments may move between two answers of one fetch.
const LOOKS_MAX: usize = 3;
const ETAG_BYTES_MAX: usize = 256;
const NEXT_RANGE: HeaderName = HeaderName::from_static("next-range");

/// An answer of the config-vars endpoint.
enum ConfigVars {
    NotModified(Diagnosis),
    Page(Page),
}

struct Page {
    values: RawValues,
    etag: Option<String>,
    diagnosis: Diagnosis,
}

impl Client {
    pub(super) async fn answer(
        &self,
        token: &Token,
        unless: Option<&str>,
    ) -> Result<Answer, FetchError> {
        let mut following = self.following().clone();
        let mut unless = unless;
        for _ in 0..LOOKS_MAX {
            let page = match self.ask_config_vars(token, unless).await? {
                ConfigVars::NotModified(diagnosis) => {
                    return Ok(Answer::NotModified { diagnosis });
                }
                ConfigVars::Page(page) => page,
            };
            let full = unless.is_none();
            let settled = if following.must_look(&page.values, full) {
                let attachments = self.ask_attachments(token).await?;
                let look = following.look(&attachments, &page.values);
                self.tell_of_strangers(&following, &attachments);
                look == Look::Settled
            } else {
                following.note(full);
                true
            };
            if settled {
                let snapshot = self.selection.snapshot(page.values, &following);
                *self.following() = following;
                return Ok(Answer::Snapshot {
                    snapshot,
                    etag: page.etag,
                    diagnosis: page.diagnosis,
                });
            }
            unless = None;
        }
        Err(FetchError::unavailable(
            "the app's add-ons are being attached and detached",
        ))
    }

    /// A name that never meant anything is likely misspelt: what there is helps who reads it.
    fn tell_of_strangers(&self, following: &Following, attachments: &[Attachment]) {
        for name in following.never_found() {
            self.warn(format!(
                "--database (CHANGEOVER_DATABASE): {name} is neither an add-on nor an attachment of {app}, which has {}: \
                 name one of these, or attach it with `heroku addons:attach {name} -a {app}`",
                phrase(&listed(attachments)),
                app = self.app,
            ));
        }
    }

    fn following(&self) -> MutexGuard<'_, Following> {
        self.following
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask_config_vars(
        &self,
        token: &Token,
        unless: Option<&str>,
    ) -> Result<ConfigVars, FetchError> {
        let mut headers = HeaderMap::new();
        if let Some(tag) = unless.and_then(|tag| HeaderValue::from_str(tag).ok()) {
            headers.insert(IF_NONE_MATCH, tag);
        }
        let mut answer = self.get(token, CONFIG_VARS, headers).await?;
        let diagnosis = Diagnosis::of(answer.headers());
        if answer.status() == StatusCode::NOT_MODIFIED {
            return Ok(ConfigVars::NotModified(diagnosis));
        }
        let body = self.body(&mut answer, ANSWER_BYTES_MAX).await?;
        let Some(values) = model::config_vars(body.bytes()) else {
            return Err(FetchError::unavailable(what_came(&body, "a JSON object")));
        };
        let etag = header(answer.headers(), ETAG).filter(|tag| tag.len() <= ETAG_BYTES_MAX);
        Ok(ConfigVars::Page(Page {
            values,
            etag: etag.map(str::to_owned),
            diagnosis,
        }))
    }

    /// All pages. No tag is ever sent along: Heroku's tags of lists outlive what they stand for.
    pub(super) async fn ask_attachments(
        &self,
        token: &Token,
    ) -> Result<Vec<Attachment>, FetchError> {
        let mut all = Vec::new();
        let mut headers = HeaderMap::new();
        for _ in 0..PAGES_MAX {
            let mut answer = self.get(token, ATTACHMENTS, headers.clone()).await?;
            let next = answer.headers().get(NEXT_RANGE).cloned();
            let body = self.body(&mut answer, ANSWER_BYTES_MAX).await?;
            let Some(page) = model::attachments(body.bytes()) else {
                let what = what_came(&body, "a list of attachments");
                return Err(FetchError::unavailable(what));
            };
            all.extend(page);
            match next {
                Some(range) if answer.status() == StatusCode::PARTIAL_CONTENT => {
                    headers.insert(RANGE, range);
                }
                Some(_) | None => return Ok(all),
            }
        }
        Err(FetchError::unavailable("more attachments than any app has"))
    }
}

/// What was sent with 200 in place of what was asked for.
pub(super) fn what_came(body: &Body, wanted: &str) -> String {
    match body.bytes().trim_ascii_start() {
        [] => "200 (empty)".to_owned(),
        [b'<', ..] => "200 (HTML)".to_owned(),
        _ => format!("200, but not {wanted}"),
    }
}
