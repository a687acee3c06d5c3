//! What is told of a start without Heroku, and of the cache that is kept for one.

use crate::supervisor::status::FallbackPhase;
use crate::supervisor::time::Duration;

/// One fact about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FallbackNotice {
    /// Heroku gave no answer: the program starts on what changeover was started with.
    OnInherited {
        /// The variables.
        names: Vec<String>,
    },
    /// Heroku gave no answer: the program starts on what was in the cache.
    OnCached {
        /// The variables.
        names: Vec<String>,
        /// How old they are.
        age: Duration,
    },
    /// That is what it still runs on (said every 15 minutes).
    Lasts {
        /// On what.
        on: FallbackPhase,
        /// For how long.
        lasted: Duration,
    },
    /// What it runs on is from Heroku again.
    Over {
        /// How long it was not.
        lasted: Duration,
        /// How so.
        because: Because,
    },
    /// The cache is of no use.
    CacheUnusable {
        /// Why.
        why: Unusable,
    },
    /// The cache cannot be written.
    CacheUnwritable {
        /// Why, in one sentence.
        why: String,
    },
    /// It can again.
    CacheWritten,
}

/// How a time without Heroku's word ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// It said the same.
    Confirmed,
    /// It said something else, which is made a change.
    Changed,
}

/// Why the cache is of no use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It was encrypted with another token, and is removed.
    OtherToken,
    /// It is too old.
    TooOld {
        /// How old.
        age: Duration,
        /// How old it may be.
        max: Duration,
    },
    /// It is from the future.
    Future {
        /// By how much.
        ahead: Duration,
    },
    /// It could not be read in time.
    Late {
        /// How long that took.
        after: Duration,
    },
    /// Something else.
    Other {
        /// Why, in one phrase.
        why: String,
    },
}
