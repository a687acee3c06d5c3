//! What is told while a person holds changes back.

use crate::supervisor::id::Revision;
use crate::supervisor::time::Duration;

use super::Child;

/// What is told while a person holds changes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldNotice {
    /// Something is to be done, and is not.
    Waits {
        /// The child that is not touched.
        running: Child,
        /// What it should run with; that is what it does run with, where only a restart waits.
        newest: Revision,
        /// How long it has waited.
        lasted: Duration,
    },
    /// Something is done all the same: the child's credential works no more.
    NothingToProtect {
        /// The child.
        running: Child,
    },
    /// Something is done all the same: the child has ended by itself, and another follows.
    Ended {
        /// The child.
        child: Child,
        /// What the next one is to run with.
        newest: Revision,
    },
}
