//! `--on-failover restart`: another server is proven behind an unchanged URL. The child is replaced
//! as for a change, on the same revision, and without splay: it talks to nobody.

use super::change::Desired;
use super::instance::{Fate, Instance};
use super::launch::{Attempt, Cause};
use super::phase::Phase;
use super::service::Service;
use super::transition::apply;
use super::turn::Turn;

impl Service {
    /// The database of the child has failed over; only one that lives untouched is watched.
    pub(super) fn on_failover(&mut self, turn: &mut Turn<'_>, desired: &Desired) {
        if let (Some(child), _) = self.phase.instances_mut() {
            child.fail_over(turn.now);
        }
        // Elsewhere its successor, or what it is told, is on its way already.
        if let Phase::Running { .. } = &self.phase
            && let Phase::Running { instance } = self.take()
        {
            self.phase = apply(turn, instance, desired, Attempt::default());
        }
        self.advance(turn);
    }
}

/// Why a child is to be replaced: a failover or a wish, if that is all that has happened to it.
pub(super) fn cause(old: &Instance, desired: &Desired, otherwise: Cause) -> Cause {
    match old.fate() {
        _ if *old.values != *desired.values => otherwise,
        Fate::Stays => otherwise,
        Fate::Failover { since } => Cause::Failover { seen_at: since },
        Fate::Asked { .. } => Cause::Asked,
    }
}
