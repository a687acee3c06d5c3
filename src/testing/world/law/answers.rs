//! What answers mean: Heroku's, and Postgres's.

use crate::supervisor::event::{FailureKind, FetchOutcome, LoginOutcome};
use crate::supervisor::id::{FetchId, LoginId};
use crate::supervisor::notice::Because;
use crate::supervisor::time::Time;
use crate::testing::world::values::Values;

use super::Law;
use super::end::Heard;
use super::fallback::Fallback;
use super::requests::Out;

impl Law {
    pub(super) fn login_checked(&mut self, now: Time, login: LoginId, outcome: &LoginOutcome) {
        self.inquiry.login(now, login, outcome);
        self.fallback_answered(now, login, outcome);
        if self.end.is_none() {
            self.adopts = self.ledger.login(now, login, outcome, self.guard());
        }
        self.watched_login(now, login, outcome);
    }

    /// A request was answered, if somebody waits for it.
    pub(super) fn answered(
        &mut self,
        now: Time,
        (fetch, left): (FetchId, Option<u32>),
        outcome: &FetchOutcome,
        said: Option<(Values, u32)>,
    ) {
        if let Some(out) = self.requests.answered(now, fetch, left) {
            self.fetched(now, out, outcome, said);
            self.reminds(now);
        }
    }

    fn fetched(
        &mut self,
        now: Time,
        out: Out,
        outcome: &FetchOutcome,
        said: Option<(Values, u32)>,
    ) {
        let said = match outcome {
            FetchOutcome::Snapshot { .. } => said,
            FetchOutcome::NotModified => self.requests.latest(),
            FetchOutcome::Failed(failure) => {
                self.requests.bad(now, failure);
                match failure.kind {
                    FailureKind::TokenRefused | FailureKind::AppNotFound => self.heroku_spoke(),
                    FailureKind::NoToken
                    | FailureKind::TokenCommandFailed
                    | FailureKind::Unavailable => {}
                }
                let starting = self.ledger.proven().is_none();
                if !(starting && failure.kind == FailureKind::NoToken) {
                    self.api.bad(now, failure);
                }
                if starting && let Some(why) = self.heard.failure(failure.kind) {
                    self.begin_end(now, why);
                }
                self.inquiry.answered(out.since);
                self.ledger.fails(out.since);
                return;
            }
        };
        let Some((values, tag)) = said else {
            return;
        };
        self.requests.good(now, values, tag);
        self.cache_hears(now, values, outcome);
        if self.is_desired(values) {
            self.is_herokus(now, Because::Confirmed);
        }
        self.api.good(now);
        self.unusable.answer(now);
        self.inquiry.answered(out.since);
        let first = self.ledger.proven().is_none();
        self.adopts = self.ledger.hear(now, out.since, values, self.guard());
        if self.ledger.proven().is_none() {
            self.heard = Heard::Unusable;
            self.heroku_spoke();
            self.requests.burst(now);
        } else if first {
            self.fallback = Fallback::None;
            self.requests.has_started(now);
            self.requests.found_change();
        } else if self.ledger.lacks(values, out.since) {
            self.requests.burst(now);
        }
    }

    /// Evidence of a dying credential.
    pub(super) fn dying(&mut self, now: Time) {
        if self.end.is_none() && !self.is_off() {
            self.requests.dying(now);
        }
    }
}
