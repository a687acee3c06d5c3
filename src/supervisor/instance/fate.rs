//! Whether a child still has what it should: the values, the server that was behind them, and a
//! person's consent.

use std::sync::Arc;

use crate::credential::Values;
use crate::supervisor::command::Force;
use crate::supervisor::id::Revision;
use crate::supervisor::time::Time;

use super::Instance;

/// Why a child is to be replaced, whatever its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Fate {
    /// It is not to be.
    Stays,
    /// Another server was proven behind its unchanged URL.
    Failover { since: Time },
    /// Somebody asked for it.
    Asked { force: Force },
}

impl Instance {
    /// Whether it runs with these values, and with the server that they have led to since, and
    /// nobody asked for another.
    pub(in crate::supervisor) fn suits(&self, values: &Values) -> bool {
        *self.values == *values && self.fate == Fate::Stays
    }

    /// Another server answers behind its unchanged URL: its own connections lead nowhere.
    pub(in crate::supervisor) fn fail_over(&mut self, now: Time) {
        if self.fate == Fate::Stays {
            self.fate = Fate::Failover { since: now };
        }
    }

    /// Somebody asks for another in its place.
    pub(in crate::supervisor) fn ask_for_another(&mut self, force: Force) {
        let before = match self.fate {
            Fate::Asked { force } => force,
            Fate::Stays | Fate::Failover { .. } => Force::No,
        };
        let force = force.max(before);
        self.fate = Fate::Asked { force };
    }

    /// Whether somebody asked so that nothing else counts.
    pub(in crate::supervisor) fn is_forced(&self) -> bool {
        match self.fate {
            Fate::Asked { force: Force::Yes } => true,
            Fate::Asked { force: Force::No } | Fate::Stays | Fate::Failover { .. } => false,
        }
    }

    pub(in crate::supervisor) fn fate(&self) -> Fate {
        self.fate
    }

    /// It was told of these values, and connects anew by itself.
    pub(in crate::supervisor) fn told_of(&mut self, revision: Revision, values: Arc<Values>) {
        (self.revision, self.values) = (revision, values);
        self.fate = Fate::Stays;
    }
}
