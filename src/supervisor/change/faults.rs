//! Tells of watched variables that have no usable value, and of those that have one again.

use std::collections::BTreeMap;

use crate::credential::{Fault, Snapshot};
use crate::supervisor::notice::{Child, Notice, ValueNotice};
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::{Change, Protect};

/// A variable that stays unusable is told about again after this long.
const HEARTBEAT: Duration = Duration::from_secs(900);

/// A watched variable without a usable value.
#[derive(Debug)]
pub(super) struct Unusable {
    pub(super) fault: Fault,
    since: Time,
    answers: u32,
    told_at: Time,
}

impl Change {
    /// The watched variables that have no usable value right now.
    pub(in crate::supervisor) fn faults(&self) -> Vec<(String, Fault)> {
        let faults = self.faults.iter();
        faults
            .map(|(name, unusable)| (name.clone(), unusable.fault))
            .collect()
    }

    /// One line when a variable becomes unusable (or unusable in another way), one every quarter of
    /// an hour, and one when it is good again.
    pub(super) fn note_faults(
        &mut self,
        turn: &mut Turn<'_>,
        snapshot: &Snapshot,
        protect: &Protect,
    ) {
        let running = match protect {
            Protect::Child { child, .. } => Some(*child),
            Protect::Nothing => None,
        };
        let mut before = std::mem::take(&mut self.faults);
        for (name, fault) in self.unusable(snapshot) {
            let unusable = match before.remove(&name) {
                Some(known) => known.again(turn, &name, fault, running),
                None => Unusable::new(turn, &name, fault, running),
            };
            self.faults.insert(name, unusable);
        }
        for (name, Unusable { since, answers, .. }) in before {
            let lasted = turn.now.since(since);
            turn.announce(Notice::Value(ValueNotice::Good {
                name,
                lasted,
                answers,
            }));
        }
    }

    /// What an answer has no usable value for: what it lacks, and what it holds in vain.
    fn unusable(&self, snapshot: &Snapshot) -> BTreeMap<String, Fault> {
        let known = self.desired.as_ref().map(|desired| desired.values.keys());
        let vanished = known
            .into_iter()
            .flatten()
            .filter(|name| !snapshot.watched.contains_key(*name))
            .map(|name| (name.clone(), Fault::Missing));
        let bad = snapshot.watched.iter().filter_map(|(name, value)| {
            let fault = value.as_ref().err()?;
            Some((name.clone(), *fault))
        });
        vanished.chain(bad).collect()
    }
}

impl Unusable {
    fn new(turn: &mut Turn<'_>, name: &str, fault: Fault, running: Option<Child>) -> Self {
        turn.announce(Notice::Value(ValueNotice::Bad {
            name: name.to_owned(),
            fault,
            running,
        }));
        Self {
            fault,
            since: turn.now,
            answers: 1,
            told_at: turn.now,
        }
    }

    /// One more answer without a usable value.
    fn again(self, turn: &mut Turn<'_>, name: &str, fault: Fault, running: Option<Child>) -> Self {
        let answers = self.answers.saturating_add(1);
        let name = name.to_owned();
        let told_at = if fault != self.fault {
            turn.announce(Notice::Value(ValueNotice::Bad {
                name,
                fault,
                running,
            }));
            turn.now
        } else if turn.now.since(self.told_at) >= HEARTBEAT {
            turn.announce(Notice::Value(ValueNotice::StillBad {
                name,
                fault,
                lasted: turn.now.since(self.since),
                answers,
                running,
            }));
            turn.now
        } else {
            self.told_at
        };
        Self {
            fault,
            answers,
            told_at,
            ..self
        }
    }
}
