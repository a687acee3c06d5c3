//! A variable that has no usable value for a moment, while its change is being considered.

use crate::credential::{Snapshot, Values};
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::{Turn, Want};

use super::Change;
use super::state::State;

/// A variable that is being considered may be missing for this long before the change is dropped.
const GAP_MAX: Duration = Duration::from_secs(60);

impl Change {
    /// Whether an answer differs from what is being considered only in that a variable has no
    /// usable value right now (the gap of a promotion): that neither confirms nor withdraws. Once
    /// anything else differs, or after a minute, the gap is no longer waited out.
    pub(super) fn saw_only_a_gap(
        &mut self,
        now: Time,
        snapshot: &Snapshot,
        values: &Values,
    ) -> bool {
        let (Some(candidate), Some(desired)) = (self.state.candidate_mut(), &self.desired) else {
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
        if seen != candidate.values || *values == candidate.values {
            candidate.gap_since = None;
            return false;
        }
        let since = *candidate.gap_since.get_or_insert(now);
        now.since(since) < GAP_MAX
    }

    pub(super) fn look_again(&mut self, turn: &mut Turn<'_>, started_at: Time) {
        if let State::Confirming { asked_at, .. } = &self.state
            && started_at >= *asked_at
        {
            turn.want(Want::LookOften);
        }
    }
}
