//! Tells of watched variables that have no usable value, and of those that have one again.

use std::collections::BTreeMap;

use crate::credential::{Fault, Snapshot};
use crate::supervisor::notice::Notice;
use crate::supervisor::turn::Turn;

use super::{Change, Protect};

impl Change {
    /// One line when a variable becomes unusable (or unusable in another way), one when it is good
    /// again.
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
