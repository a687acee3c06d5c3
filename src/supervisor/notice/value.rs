//! Facts about a watched variable that has no usable value.

use crate::credential::Fault;
use crate::supervisor::time::Duration;

use super::Child;

/// What there is to tell of the variable. Meanwhile the last good value stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueNotice {
    /// It has no usable value, or none in another way than before.
    Bad {
        /// Which.
        name: String,
        /// What is wrong with it.
        fault: Fault,
        /// The child that is not touched.
        running: Option<Child>,
    },
    /// It still has none (said every 15 minutes).
    StillBad {
        /// Which.
        name: String,
        /// What is wrong with it.
        fault: Fault,
        /// For how long.
        lasted: Duration,
        /// In how many answers.
        answers: u32,
        /// The child that is not touched.
        running: Option<Child>,
    },
    /// It is usable again.
    Good {
        /// Which.
        name: String,
        /// How long it was not.
        lasted: Duration,
        /// In how many answers.
        answers: u32,
    },
}
