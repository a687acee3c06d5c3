//! A difference on its way, for whoever looks.

use crate::supervisor::overview::Pending;

use super::Change;

impl Change {
    pub(in crate::supervisor) fn pending(&self) -> Option<Pending> {
        self.state.candidate().map(|candidate| Pending {
            changed: candidate.changed.clone(),
            seen_at: candidate.seen_at,
        })
    }
}
