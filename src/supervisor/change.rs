//! WHAT the child should run with: from a first difference to a desired revision.
//!
//! **Invariant:** only a value that differs is a change. Not an ETag, not a release, not a missing,
//! empty or malformed value: each variable keeps its last good value until a good one differs from
//! it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::credential::{Fault, Kind, Snapshot, Values};

use super::id::Revision;
use super::notice::{Child, Notice};
use super::status::ChangePhase;
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// Another different value begins the quiet time again, this often; then the newest value is taken
/// as it is.
const RENEWALS_MAX: u32 = 5;
/// A variable that is being considered may be missing for this long before the change is dropped.
const GAP_MAX: Duration = Duration::from_secs(60);

/// Yields the desired revision.
#[derive(Debug)]
pub(super) struct Change {
    desired: Option<Desired>,
    state: State,
    faults: BTreeMap<String, Fault>,
}

/// What the child should run with.
#[derive(Clone, Debug)]
pub(super) struct Desired {
    pub(super) revision: Revision,
    /// The watched values: what revisions are compared by.
    pub(super) values: Arc<Values>,
    /// The newest values of everything else (`--all-vars`); they make no revision.
    pub(super) others: Arc<Values>,
    /// When this revision's difference was first seen.
    pub(super) seen_at: Time,
}

#[derive(Debug)]
enum State {
    /// The last good answer was what is desired.
    Quiet,
    /// A difference was seen; the quiet time runs.
    Settling { candidate: Candidate, until: Time },
    /// The quiet time is over; a fetch started after `asked_at` must say the same.
    Confirming {
        candidate: Candidate,
        asked_at: Time,
    },
    /// Confirmed; the splay runs.
    Deferred { candidate: Candidate, until: Time },
}

/// Values that may become the next revision.
#[derive(Clone, Debug)]
struct Candidate {
    values: Values,
    seen_at: Time,
    renewals: u32,
}

/// Whether a healthy child must be protected from values that are not proven yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protect {
    /// A child lives on the desired revision: be careful.
    Child(Child),
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
        }
    }

    pub(super) fn name(&self) -> ChangePhase {
        match self.state {
            State::Quiet => ChangePhase::Quiet,
            State::Settling { .. } => ChangePhase::Settling,
            State::Confirming { .. } => ChangePhase::Confirming,
            State::Deferred { .. } => ChangePhase::Deferred,
        }
    }

    /// What the child should run with; `None` until every required variable was good once.
    pub(super) fn desired(&self) -> Option<&Desired> {
        self.desired.as_ref()
    }

    /// The watched variables that have no usable value right now.
    pub(super) fn faults(&self) -> Vec<(String, Fault)> {
        self.faults
            .iter()
            .map(|(name, fault)| (name.clone(), *fault))
            .collect()
    }

    /// A good answer of a request that began at `started_at`.
    pub(super) fn on_snapshot(
        &mut self,
        turn: &mut Turn<'_>,
        snapshot: &Snapshot,
        started_at: Time,
        protect: Protect,
    ) -> Verdict {
        self.note_faults(turn, snapshot, protect);
        let values = self.merged(snapshot);
        let Some(desired) = &mut self.desired else {
            return self.adopt_first(turn, snapshot, values);
        };
        if *desired.others != snapshot.others {
            desired.others = Arc::new(snapshot.others.clone());
        }
        if matches!(protect, Protect::Child(_)) && self.saw_only_a_gap(turn.now, snapshot, &values)
        {
            self.look_again(turn, started_at);
            return Verdict::Unchanged;
        }
        if self.is_desired(&values) {
            self.withdraw(turn);
            return Verdict::Unchanged;
        }
        match protect {
            Protect::Child(_) => self.consider(turn, values, started_at),
            Protect::Nothing => {
                let seen_at = self
                    .candidate()
                    .map_or(turn.now, |candidate| candidate.seen_at);
                self.adopt(
                    turn,
                    Candidate {
                        values,
                        seen_at,
                        renewals: 0,
                    },
                )
            }
        }
    }

    /// Nothing is left to protect: what is being considered is taken now.
    pub(super) fn act_now(&mut self, turn: &mut Turn<'_>) -> Verdict {
        match self.candidate().cloned() {
            Some(candidate) => self.adopt(turn, candidate),
            None => Verdict::Unchanged,
        }
    }

    /// Nothing will be started any more: what is being considered is nobody's business.
    pub(super) fn forget(&mut self) {
        self.state = State::Quiet;
    }

    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>) -> Verdict {
        if self.deadline().is_none_or(|deadline| deadline > turn.now) {
            return Verdict::Unchanged;
        }
        match std::mem::replace(&mut self.state, State::Quiet) {
            State::Settling { candidate, .. } => {
                turn.want(Want::Fetch);
                self.state = State::Confirming {
                    candidate,
                    asked_at: turn.now,
                };
                Verdict::Unchanged
            }
            State::Deferred { candidate, .. } => self.adopt(turn, candidate),
            state @ (State::Quiet | State::Confirming { .. }) => {
                self.state = state;
                Verdict::Unchanged
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self.state {
            State::Settling { until, .. } | State::Deferred { until, .. } => Some(until),
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

    fn is_desired(&self, values: &Values) -> bool {
        self.desired
            .as_ref()
            .is_some_and(|desired| *desired.values == *values)
    }

    /// Whether an answer differs from what is being considered only in that a variable has no
    /// usable value right now (the gap of a promotion): that neither confirms nor withdraws. Once
    /// anything else differs, or after a minute, the gap is no longer waited out.
    fn saw_only_a_gap(&self, now: Time, snapshot: &Snapshot, values: &Values) -> bool {
        let (Some(candidate), Some(desired)) = (self.candidate(), &self.desired) else {
            return false;
        };
        let is_gap = |name: &String| !matches!(snapshot.watched.get(name), Some(Ok(_)));
        let mut seen = values.clone();
        for (name, value) in &candidate.values {
            // What only a pattern watches, and is gone again, was never promised.
            if is_gap(name) && desired.values.contains_key(name) {
                seen.insert(name.clone(), value.clone());
            }
        }
        let waited = now.since(candidate.seen_at);
        seen == candidate.values && *values != candidate.values && waited < GAP_MAX
    }

    fn look_again(&mut self, turn: &mut Turn<'_>, started_at: Time) {
        if let State::Confirming { asked_at, .. } = &self.state
            && started_at >= *asked_at
        {
            turn.want(Want::LookOften);
        }
    }

    fn adopt_first(&mut self, turn: &Turn<'_>, snapshot: &Snapshot, values: Values) -> Verdict {
        let selection = &turn.config.environment.selection;
        let complete = selection.required().all(|name| values.contains_key(name));
        if !complete || values.is_empty() {
            return Verdict::Unchanged;
        }
        self.desired = Some(Desired {
            revision: Revision(1),
            values: Arc::new(values),
            others: Arc::new(snapshot.others.clone()),
            seen_at: turn.now,
        });
        Verdict::Adopted
    }

    /// A difference, while a child must be protected from it.
    fn consider(&mut self, turn: &mut Turn<'_>, values: Values, started_at: Time) -> Verdict {
        match std::mem::replace(&mut self.state, State::Quiet) {
            State::Quiet => {
                let candidate = Candidate {
                    values,
                    seen_at: turn.now,
                    renewals: 0,
                };
                self.settle(turn, candidate)
            }
            State::Confirming {
                candidate,
                asked_at,
            } if candidate.values == values => {
                if started_at >= asked_at {
                    self.confirm(turn, candidate)
                } else {
                    self.state = State::Confirming {
                        candidate,
                        asked_at,
                    };
                    Verdict::Unchanged
                }
            }
            State::Settling { candidate, until } if candidate.values == values => {
                self.state = State::Settling { candidate, until };
                Verdict::Unchanged
            }
            State::Deferred { candidate, until } if candidate.values == values => {
                self.state = State::Deferred { candidate, until };
                Verdict::Unchanged
            }
            State::Settling { candidate, .. }
            | State::Confirming { candidate, .. }
            | State::Deferred { candidate, .. } => self.renew(turn, &candidate, values),
        }
    }

    /// Another different value while one was being considered.
    fn renew(&mut self, turn: &mut Turn<'_>, candidate: &Candidate, values: Values) -> Verdict {
        let renewals = candidate.renewals + 1;
        let candidate = Candidate {
            values,
            seen_at: candidate.seen_at,
            renewals,
        };
        if renewals > RENEWALS_MAX {
            self.confirm(turn, candidate)
        } else {
            self.settle(turn, candidate)
        }
    }

    fn settle(&mut self, turn: &mut Turn<'_>, candidate: Candidate) -> Verdict {
        let debounce = turn.config.debounce;
        let changed = self.difference(&candidate.values);
        turn.announce(Notice::Settling { changed, debounce });
        self.state = State::Settling {
            candidate,
            until: turn.now + debounce,
        };
        Verdict::Unchanged
    }

    fn confirm(&mut self, turn: &mut Turn<'_>, candidate: Candidate) -> Verdict {
        if turn.config.splay == Duration::ZERO {
            return self.adopt(turn, candidate);
        }
        let splay = turn.rng.up_to(turn.config.splay);
        let changed = self.difference(&candidate.values);
        turn.announce(Notice::Deferred { changed, splay });
        self.state = State::Deferred {
            candidate,
            until: turn.now + splay,
        };
        Verdict::Unchanged
    }

    fn adopt(&mut self, turn: &mut Turn<'_>, candidate: Candidate) -> Verdict {
        let changed = self.difference(&candidate.values);
        self.state = State::Quiet;
        let Some(desired) = &mut self.desired else {
            return Verdict::Unchanged;
        };
        let from = desired.revision;
        desired.revision = from.next();
        desired.values = Arc::new(candidate.values);
        desired.seen_at = candidate.seen_at;
        turn.announce(Notice::Changed {
            changed,
            from,
            to: desired.revision,
        });
        Verdict::Adopted
    }

    fn withdraw(&mut self, turn: &mut Turn<'_>) {
        if !matches!(self.state, State::Quiet) {
            turn.announce(Notice::ChangeWithdrawn);
            self.state = State::Quiet;
        }
    }

    fn candidate(&self) -> Option<&Candidate> {
        match &self.state {
            State::Quiet => None,
            State::Settling { candidate, .. }
            | State::Confirming { candidate, .. }
            | State::Deferred { candidate, .. } => Some(candidate),
        }
    }

    fn difference(&self, values: &Values) -> Vec<(String, Kind)> {
        let old = self.desired.as_ref().map(|desired| &desired.values);
        values
            .iter()
            .map(|(name, new)| (name, old.and_then(|old| old.get(name)), new))
            .filter(|(_, old, new)| *old != Some(*new))
            .map(|(name, old, new)| (name.clone(), Kind::between(old, new)))
            .collect()
    }

    /// One line when a variable becomes unusable (or unusable in another way), one when it is good
    /// again.
    fn note_faults(&mut self, turn: &mut Turn<'_>, snapshot: &Snapshot, protect: Protect) {
        let running = match protect {
            Protect::Child(child) => Some(child),
            Protect::Nothing => None,
        };
        let known = self.desired.as_ref().map(|desired| desired.values.keys());
        let vanished = known
            .into_iter()
            .flatten()
            .filter(|name| !snapshot.watched.contains_key(*name));
        let mut faults: BTreeMap<String, Fault> = vanished
            .map(|name| (name.clone(), Fault::Missing))
            .collect();
        for (name, value) in &snapshot.watched {
            if let Err(fault) = value {
                faults.insert(name.clone(), *fault);
            }
        }
        for (name, fault) in &faults {
            if self.faults.get(name) != Some(fault) {
                turn.announce(Notice::BadValue {
                    name: name.clone(),
                    fault: *fault,
                    running,
                });
            }
        }
        for name in self
            .faults
            .keys()
            .filter(|name| !faults.contains_key(*name))
        {
            turn.announce(Notice::GoodValue { name: name.clone() });
        }
        self.faults = faults;
    }
}
