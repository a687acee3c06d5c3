//! WHAT the child should run with: from a first difference to a desired revision.
//!
//! **Invariant:** only a value that differs is a change. Not an ETag, not a release, not a missing,
//! empty or malformed value: each variable keeps its last good value until a good one differs from
//! it.

mod faults;
mod first;
mod gap;
mod login_check;
mod pending;
mod proof;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::credential::{Kind, Snapshot, Values};

use faults::Unusable;
pub(super) use login_check::Trust;
use proof::ask_old;
pub(super) use proof::retry_pause;
use state::{Candidate, Confirmed, State};

use super::event::LoginOutcome;
use super::id::{LoginId, Revision};
use super::logins::Standing;
use super::notice::{Because, Child, Notice, Proof};
use super::source::Source;
use super::status::ChangePhase;
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// Another different value begins the quiet time again, this often; then the newest value is taken
/// as it is.
const RENEWALS_MAX: u32 = 5;

/// Yields the desired revision.
#[derive(Debug)]
pub(super) struct Change {
    desired: Option<Desired>,
    state: State,
    faults: BTreeMap<String, Unusable>,
    trust: Trust,
    pub(super) source: Source,
}

/// What the child should run with.
#[derive(Clone, Debug)]
pub(super) struct Desired {
    pub(super) revision: Revision,
    /// The watched values: what revisions are compared by.
    pub(super) values: Arc<Values>,
    /// The newest values of everything else (`--all-vars`); they make no revision.
    pub(super) others: Arc<Values>,
    /// In what it differs from the one before, by name and kind; the first in nothing.
    pub(super) changed: Vec<(String, Kind)>,
    /// When this revision's difference was first seen.
    pub(super) seen_at: Time,
}

/// Whether a healthy child must be protected from values that are not proven yet.
#[derive(Clone, Debug)]
pub(super) enum Protect {
    /// A child lives on these values: be careful.
    Child { child: Child, values: Arc<Values> },
    /// Nothing is left to protect: act now.
    Nothing,
}

/// Whether the desired revision is a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Unchanged,
    Adopted,
}

impl Change {
    pub(super) fn new() -> Self {
        Self {
            desired: None,
            state: State::Quiet,
            faults: BTreeMap::new(),
            trust: Trust::Unproven,
            source: Source::Heroku,
        }
    }

    pub(super) fn name(&self) -> ChangePhase {
        match self.state {
            State::Quiet => ChangePhase::Quiet,
            State::Settling { .. } => ChangePhase::Settling,
            State::Confirming { .. } => ChangePhase::Confirming,
            State::CheckingLogin { .. } => ChangePhase::CheckingLogin,
            State::Deferred { .. } | State::Splaying { .. } => ChangePhase::Deferred,
        }
    }

    /// What the child should run with; `None` until every required variable was good once.
    pub(super) fn desired(&self) -> Option<&Desired> {
        self.desired.as_ref()
    }

    /// The newest values that were seen: what is desired, or what is being considered.
    pub(super) fn newest(&self) -> Option<&Values> {
        let considered = self.state.candidate().map(|candidate| &candidate.values);
        considered.or(self.desired.as_ref().map(|desired| &*desired.values))
    }

    /// A good answer of a request that began at `started_at`.
    pub(super) fn on_snapshot(
        &mut self,
        turn: &mut Turn<'_>,
        snapshot: &Snapshot,
        started_at: Time,
        protect: Protect,
    ) -> Verdict {
        self.note_faults(turn, snapshot, &protect);
        let values = self.merged(snapshot);
        let changed = self.difference(&values);
        let Some(desired) = &mut self.desired else {
            return self.adopt_first(turn, snapshot, values);
        };
        if *desired.others != snapshot.others {
            desired.others = Arc::new(snapshot.others.clone());
        }
        if snapshot.says(&turn.config.environment.selection, &desired.values) {
            self.source.is_heroku(turn, Because::Confirmed);
        }
        let is_guarded = match protect {
            Protect::Child { .. } => true,
            Protect::Nothing => false,
        };
        if is_guarded && self.saw_only_a_gap(turn.now, snapshot, &values) {
            self.look_again(turn, started_at);
            return Verdict::Unchanged;
        }
        if changed.is_empty() {
            self.withdraw(turn);
            return Verdict::Unchanged;
        }
        let candidate = Candidate::new(values, changed, turn.now);
        match protect {
            Protect::Child { values, .. } => self.consider(turn, candidate, started_at, &values),
            Protect::Nothing => self.take_at_once(turn, candidate),
        }
    }

    /// A difference, and nothing to protect from it.
    fn take_at_once(&mut self, turn: &mut Turn<'_>, candidate: Candidate) -> Verdict {
        if self.knows(&candidate) {
            // Said twice by now, and refused: it is tried on.
            return match (self.act_now(turn), &self.state) {
                (Verdict::Unchanged, State::Confirming { .. }) => match self.take(turn) {
                    Some(known) => self.check(turn, known),
                    None => Verdict::Unchanged,
                },
                (verdict, _) => verdict,
            };
        }
        let mut candidate = candidate;
        if let Some(known) = self.state.candidate() {
            candidate.inherit(known);
            candidate.seen_at = known.seen_at;
        }
        match self.state.candidate_mut() {
            // What was refused is tried on where it is.
            Some(known) => {
                *known = candidate;
                self.act_now(turn)
            }
            None => self.adopt(turn, &candidate, Proof::NotTried),
        }
    }

    /// A request that began at `started_at` failed. If it was to confirm a change, a login may.
    pub(super) fn on_fetch_failed(&mut self, turn: &mut Turn<'_>, started_at: Time) {
        let State::Confirming { asked_at, .. } = &self.state else {
            return;
        };
        let asked_at = *asked_at;
        if started_at < asked_at {
            return;
        }
        if let Some(candidate) = self.take(turn) {
            let confirmed = Confirmed::NotYet { asked_at };
            match self.log_in(turn, &candidate) {
                Some(check) => {
                    self.state = State::CheckingLogin {
                        candidate,
                        confirmed,
                        check,
                    }
                }
                None => {
                    self.state = State::Confirming {
                        candidate,
                        asked_at,
                    }
                }
            }
        }
    }

    pub(super) fn trust(&self) -> Trust {
        self.trust
    }

    /// The database lets us in, as the connection shows that is watched: logins can be trusted.
    pub(super) fn trust_logins(&mut self) {
        self.trust = Trust::Proven;
    }

    /// Somebody's login was answered: any that works shows that logins can be trusted.
    pub(super) fn on_login(
        &mut self,
        turn: &mut Turn<'_>,
        login: LoginId,
        outcome: &LoginOutcome,
        protect: &Protect,
    ) -> Verdict {
        if *outcome == LoginOutcome::Accepted {
            self.trust = Trust::Proven;
        }
        match &mut self.state {
            State::Settling {
                old: Some(old),
                until,
                ..
            } => {
                let is_theirs = old.on_login(login, outcome).is_some();
                let is_dead = old.standing() == Some(Standing::Refused);
                // What runs has nothing left that the quiet time could protect.
                if is_theirs && is_dead && self.trust.counts(turn) {
                    *until = turn.now;
                }
                Verdict::Unchanged
            }
            State::CheckingLogin { check, .. } => {
                check.on_login(login, outcome);
                self.judge(turn, protect)
            }
            State::Splaying { lookout, .. } => match lookout.on_login(turn, login, outcome) {
                Some(old) => self.end_splay_early(turn, old),
                None => Verdict::Unchanged,
            },
            State::Quiet
            | State::Settling { old: None, .. }
            | State::Confirming { .. }
            | State::Deferred { .. } => Verdict::Unchanged,
        }
    }

    /// Nothing is left to protect: what is being considered is taken now, but for values that the
    /// server has said no to. They are tried on until they work; a child had better start on what
    /// worked.
    pub(super) fn act_now(&mut self, turn: &mut Turn<'_>) -> Verdict {
        let (Some(candidate), Some(desired)) = (self.state.candidate_mut(), &mut self.desired)
        else {
            return Verdict::Unchanged;
        };
        if !candidate.is_refused() {
            return self.force(turn);
        }
        let free = candidate.free(&desired.values);
        if free.values == *desired.values {
            return Verdict::Unchanged;
        }
        candidate.changed.retain(|of| !free.changed.contains(of));
        desired.advance(turn, &free, Proof::NotTried);
        self.source.is_heroku(turn, Because::Changed);
        Verdict::Adopted
    }

    /// Somebody wants it: what is being considered is taken as it is.
    pub(super) fn force(&mut self, turn: &mut Turn<'_>) -> Verdict {
        match self.take(turn) {
            Some(candidate) => self.adopt(turn, &candidate, Proof::NotTried),
            None => Verdict::Unchanged,
        }
    }

    /// Whether the server said no to what is being considered.
    pub(super) fn is_refused(&self) -> bool {
        self.state.candidate().is_some_and(Candidate::is_refused)
    }

    /// Nothing will be started any more: what is being considered is nobody's business.
    pub(super) fn forget(&mut self, turn: &mut Turn<'_>) {
        self.take(turn);
    }

    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>, protect: &Protect) -> Verdict {
        if self.deadline().is_none_or(|deadline| deadline > turn.now) {
            return Verdict::Unchanged;
        }
        match &self.state {
            State::Settling { .. } => {
                if let Some(candidate) = self.take(turn) {
                    turn.want(Want::Fetch);
                    let asked_at = turn.now;
                    self.state = State::Confirming {
                        candidate,
                        asked_at,
                    };
                }
                Verdict::Unchanged
            }
            State::CheckingLogin { .. } => self.judge(turn, protect),
            State::Deferred { .. } => match self.take(turn) {
                Some(candidate) => self.check(turn, candidate),
                None => Verdict::Unchanged,
            },
            State::Splaying { .. } => self.look_out(turn, protect),
            State::Quiet | State::Confirming { .. } => Verdict::Unchanged,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match &self.state {
            State::Settling { until, .. } | State::Deferred { until, .. } => Some(*until),
            State::CheckingLogin { check, .. } => Some(check.deadline()),
            State::Splaying { lookout, until, .. } => {
                let look = lookout.deadline();
                Some(look.map_or(*until, |at| at.min(*until)))
            }
            State::Quiet | State::Confirming { .. } => None,
        }
    }

    /// Each variable for itself: a good value advances, a bad one keeps the last good one, one that
    /// a pattern no longer matches stays.
    fn merged(&self, snapshot: &Snapshot) -> Values {
        let mut values = self
            .desired
            .as_ref()
            .map(|desired| (*desired.values).clone())
            .unwrap_or_default();
        for (name, value) in &snapshot.watched {
            if let Ok(value) = value {
                values.insert(name.clone(), value.clone());
            }
        }
        values
    }

    /// Whether just these values are being considered.
    fn knows(&self, candidate: &Candidate) -> bool {
        self.state
            .candidate()
            .is_some_and(|known| known.values == candidate.values)
    }

    /// A difference, while a child that runs on `old` must be protected from it.
    fn consider(
        &mut self,
        turn: &mut Turn<'_>,
        seen: Candidate,
        started_at: Time,
        old: &Values,
    ) -> Verdict {
        let is_known = self.knows(&seen);
        match &mut self.state {
            State::Quiet => self.settle(turn, seen, old),
            State::Confirming { asked_at, .. } if is_known => {
                if started_at < *asked_at {
                    return Verdict::Unchanged;
                }
                match self.take(turn) {
                    Some(candidate) => self.check(turn, candidate),
                    None => Verdict::Unchanged,
                }
            }
            State::CheckingLogin { confirmed, .. } if is_known => {
                if let Confirmed::NotYet { asked_at } = *confirmed
                    && started_at >= asked_at
                {
                    *confirmed = Confirmed::ByFetch;
                }
                Verdict::Unchanged
            }
            State::Settling { .. } | State::Deferred { .. } | State::Splaying { .. }
                if is_known =>
            {
                Verdict::Unchanged
            }
            State::Settling { .. }
            | State::Confirming { .. }
            | State::CheckingLogin { .. }
            | State::Deferred { .. }
            | State::Splaying { .. } => match self.take(turn) {
                Some(known) => self.renew(turn, &known, seen, old),
                None => Verdict::Unchanged,
            },
        }
    }

    /// Another different value while one was being considered.
    fn renew(
        &mut self,
        turn: &mut Turn<'_>,
        known: &Candidate,
        seen: Candidate,
        old: &Values,
    ) -> Verdict {
        let mut candidate = Candidate {
            renewals: known.renewals + 1,
            seen_at: known.seen_at,
            ..seen
        };
        candidate.inherit(known);
        if candidate.renewals > RENEWALS_MAX {
            self.check(turn, candidate)
        } else {
            self.settle(turn, candidate, old)
        }
    }

    fn settle(&mut self, turn: &mut Turn<'_>, candidate: Candidate, old: &Values) -> Verdict {
        let debounce = turn.config.debounce;
        let changed = candidate.changed.clone();
        turn.announce(Notice::Settling { changed, debounce });
        let old = match debounce {
            Duration::ZERO => None,
            _ => ask_old(turn, &candidate, old),
        };
        self.state = State::Settling {
            candidate,
            old,
            until: turn.now + debounce,
        };
        Verdict::Unchanged
    }

    fn adopt(&mut self, turn: &mut Turn<'_>, candidate: &Candidate, login: Proof) -> Verdict {
        self.state = State::Quiet;
        let Some(desired) = &mut self.desired else {
            return Verdict::Unchanged;
        };
        desired.advance(turn, candidate, login);
        self.source.is_heroku(turn, Because::Changed);
        Verdict::Adopted
    }

    fn withdraw(&mut self, turn: &mut Turn<'_>) {
        if let Some(candidate) = self.take(turn) {
            turn.announce(match (candidate.was_told(), candidate.gap_since) {
                (false, _) => Notice::ChangeWithdrawn,
                (true, None) => Notice::HeldChangeWithdrawn,
                (true, Some(_)) => Notice::HeldChangeGone,
            });
        }
    }

    /// Leaves what is being considered, and the logins that are out for it.
    fn take(&mut self, turn: &mut Turn<'_>) -> Option<Candidate> {
        match std::mem::replace(&mut self.state, State::Quiet) {
            State::Quiet => None,
            State::Settling { candidate, old, .. } => {
                if let Some(old) = old {
                    old.close(turn);
                }
                Some(candidate)
            }
            State::CheckingLogin {
                candidate, check, ..
            } => {
                check.close(turn);
                Some(candidate)
            }
            State::Splaying {
                candidate, lookout, ..
            } => {
                lookout.close(turn);
                Some(candidate)
            }
            State::Confirming { candidate, .. } | State::Deferred { candidate, .. } => {
                Some(candidate)
            }
        }
    }

    fn difference(&self, values: &Values) -> Vec<(String, Kind)> {
        let Some(desired) = &self.desired else {
            return Vec::new();
        };
        let (before, others) = (&*desired.values, &*desired.others);
        values
            .iter()
            .filter(|(name, new)| before.get(*name) != Some(*new))
            .map(|(name, new)| (name.clone(), Kind::of(name, new, before, others)))
            .collect()
    }
}
