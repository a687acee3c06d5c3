//! Logins, and what the core says of a failed end, held against the account.

use crate::supervisor::config::CheckLogin;
use crate::supervisor::event::Ended;
use crate::supervisor::id::LoginId;
use crate::supervisor::notice::RestartedFor;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::values::version;

use super::Law;

impl Law {
    pub(super) fn logs_in(&mut self, now: Time, login: LoginId, url: &str) -> Result<(), String> {
        let version = version(url);
        if self.fallback_logs_in(now, login, version.unwrap_or_default()) {
            return Ok(());
        }
        if self.config.check_login == CheckLogin::Never {
            return Err("a login, with --check-login never".to_owned());
        }
        let ran_on = self.child.as_ref().and_then(|child| child.values[0]);
        if self.inquiry.is_open() && version == ran_on {
            return self.inquiry.logs_in(now, login);
        }
        let version = version.unwrap_or_default();
        let asked = self.ledger.logs_in(now, login, version, self.guard());
        asked.or_else(|why| self.watches_login(now, login, version).map_err(|_| why))
    }

    pub(super) fn never_comes(&mut self, now: Time, timeout: Duration) -> Result<(), String> {
        self.inquiry.gives_up(now, timeout)?;
        match self.child.as_ref().and_then(|child| child.ended) {
            Some(end) => self.unexplained(now, end.how),
            None => return Err("a successor of a child that lives".to_owned()),
        }
        Ok(())
    }

    /// An inquiry that is finished leaves the rest to `--restart`.
    pub(super) fn conclude(&mut self, now: Time, ended: Ended) -> Result<(), String> {
        if self.inquiry.is_open() {
            self.inquiry.finds_nothing(now)?;
            self.unexplained(now, ended);
        }
        Ok(())
    }

    pub(super) fn pauses(
        &mut self,
        now: Time,
        pause: Duration,
        why: RestartedFor,
    ) -> Result<(), String> {
        let hung = self.child.as_ref().is_some_and(|it| it.aborted().is_some());
        if hung != (why == RestartedFor::Watchdog) {
            return Err(format!("a restart for {why:?}, which is not why"));
        }
        let end = self.child.as_ref().and_then(|child| child.ended);
        let Some(end) = end.filter(|_| self.end.is_none()) else {
            return Err("a restart of nothing, or after the end began".to_owned());
        };
        self.finds_silence(now);
        self.conclude(now, end.how)?;
        match &self.child {
            Some(child) => self.crashes.restarts(now, child, pause),
            None => Ok(()),
        }
    }

    /// An inquiry that ends without an answer of Postgres's.
    fn finds_silence(&mut self, now: Time) {
        if self.inquiry.is_unreachable() {
            self.requests.burst(now);
            if self.inquiry.is_spared() {
                self.dying(now);
            }
        }
    }

    /// The credential that was refused works: the child is not to blame.
    pub(super) fn excuses(&mut self, now: Time) -> Result<(), String> {
        self.inquiry.works()?;
        self.crashes.is_excused(now);
        Ok(())
    }
}
