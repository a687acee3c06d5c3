//! Facts about the connection that is watched.

use crate::supervisor::config::OnFailover;
use crate::supervisor::time::Duration;

use super::Child;

/// One fact, of one database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionNotice {
    /// The variable whose database it is.
    pub name: String,
    /// The child whose database it is.
    pub running: Child,
    /// What there is to tell.
    pub fact: ConnectionFact,
}

/// What there is to tell of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionFact {
    /// It is gone: evidence.
    Lost {
        /// How, in one phrase.
        why: String,
    },
    /// It could not be made: no evidence, and nothing is watched so far.
    NotMade {
        /// Why, in one phrase.
        why: String,
    },
    /// It is there again.
    Back {
        /// How long it was not.
        lasted: Duration,
    },
    /// The server that took writes takes none any more: evidence.
    ReadOnly,
    /// Another server is proven behind the unchanged URL.
    FailedOver {
        /// What proves it.
        how: Failover,
        /// What follows.
        on_failover: OnFailover,
    },
}

/// What proves that another server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// It is another cluster.
    System,
    /// It is a standby that was promoted.
    Timeline {
        /// The server's before.
        from: u32,
        /// This one's.
        to: u32,
    },
}
