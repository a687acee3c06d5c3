//! What only `check` asks, of one add-on: its plan, and when it is backed up.

use reqwest::header::HeaderMap;
use url::Url;

use super::client::{ANSWER_BYTES_MAX, Client};
use super::error::FetchError;
use super::model;
use super::questions::what_came;

const ADDON: &str = "the add-on";
const SCHEDULES: &str = "transfer-schedules";

/// A time of day at which a database is backed up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// 0 to 23.
    pub hour: String,
    /// `UTC`, or the name of another time zone.
    pub timezone: String,
}

impl Client {
    /// An add-on's plan, such as `heroku-postgresql:private-0`.
    ///
    /// # Errors
    /// When there is no good answer; see [`FetchError`].
    pub async fn plan(&self, addon: &str) -> Result<String, FetchError> {
        let address = self.api_url.of_addon(addon);
        self.ask_addon(address, ADDON, model::plan).await
    }

    /// When a database is backed up. The answer is that of an API without a contract, which the
    /// Heroku CLI uses: no answer says nothing.
    ///
    /// # Errors
    /// When there is no good answer; see [`FetchError`].
    pub async fn backups(&self, addon: &str) -> Result<Vec<Backup>, FetchError> {
        let Some(address) = self.api_url.of_database(addon, SCHEDULES) else {
            let why = "no data API is known beside this API's address";
            return Err(FetchError::unavailable(why));
        };
        self.ask_addon(address, SCHEDULES, model::backups).await
    }

    async fn ask_addon<T>(
        &self,
        address: Url,
        what: &str,
        read: impl Fn(&[u8]) -> Option<T>,
    ) -> Result<T, FetchError> {
        let token = self.token().await?;
        let mut answer = self.send(&token, address, what, HeaderMap::new()).await?;
        let body = self.body(&mut answer, ANSWER_BYTES_MAX).await?;
        read(body.bytes()).ok_or_else(|| FetchError::unavailable(what_came(&body, what)))
    }
}
