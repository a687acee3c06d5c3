//! A fault with its details, and which requests it hits.

use std::collections::VecDeque;
use std::time::Duration;

use axum::http::Method;

use super::fault::Fault;

const ATTACHMENTS: &str = "addon-attachments";
const ADDONS: &str = "addons";
const SCHEDULES: &str = "transfer-schedules";

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
    pub(super) list: &'static str,
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
            list: "config-vars",
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

    /// What a fault may hit.
    pub(super) const LISTS: [&str; 4] = ["config-vars", ATTACHMENTS, ADDONS, SCHEDULES];

    /// Hits GETs of something else than the config vars: `addon-attachments`, `addons` (one of
    /// them, by its id), or the data API's `transfer-schedules`.
    #[must_use]
    pub fn on(mut self, list: &'static str) -> Self {
        self.list = list;
        self
    }

    fn hits(&self, method: &Method, path: &str, conditional: bool) -> bool {
        let last = path.rsplit('/').next();
        let is_addon = self.list == ADDONS && path.starts_with("/addons/");
        let is_it = method == Method::GET && (last == Some(self.list) || is_addon);
        let in_scope = is_it || (self.everywhere && !self.fault.is_in_the_map());
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
