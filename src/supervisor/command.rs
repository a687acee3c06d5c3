//! What a person, or the program itself, asks of a supervisor that runs, and what it answers: at
//! once, and about what it does, not about what becomes of it.
//!
//! - `refresh`: one request to Heroku, a few seconds after the last one; with little left for the
//!   account, a minute after it.
//! - `restart`: a stop and a start on the newest revision, in the usual order, whatever
//!   `--on-change` says. A start that is under way already will do. Where no child lives, one is
//!   started now. A difference that is not proven yet is no reason to wait; it is taken along as
//!   soon as nothing is left to protect from it.
//! - `restart --force`: the same, on the newest values that were seen, without debounce, login and
//!   splay.
//! - `stop`: what TERM does.
//! - `hold`, `resume`: see `hold.rs`. Neither is wrong to ask for twice.
//!
//! A restart that is asked for does not count among those of `--max-restarts`. A child that a
//! person has interrupted is spared as for a change: it may be ending.

use super::time::Duration;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Look for a change.
    Refresh,
    /// Stop the program, and start it again.
    Restart {
        /// Whether nothing but the wish counts.
        force: Force,
    },
    /// Stop for good.
    Stop,
    /// Hold changes back.
    Hold,
    /// Hold them back no longer.
    Resume,
}

/// `restart --force`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Force {
    /// It was not said.
    No,
    /// It was.
    Yes,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is done, or begun.
    Accepted(Effect),
    /// Nothing is done.
    Refused(Refusal),
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Heroku is asked.
    Fetch {
        /// In so long.
        after: Duration,
    },
    /// The program that runs is stopped and started, or the other way round.
    Restart,
    /// None runs; one is started now.
    Start,
    /// A start, or a replacement, is under way already, and will do.
    UnderWay,
    /// All is stopped.
    Stop,
    /// Changes are held back from now on.
    Hold,
    /// They are already.
    HeldAlready {
        /// For so long.
        lasted: Duration,
    },
    /// They are no longer, and what waited is done.
    Resume,
    /// They were not.
    NotHeld,
}

/// Why nothing is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The supervisor is stopping.
    Ending,
    /// `--no-watch`: Heroku is not asked any more.
    NotWatching,
    /// There is nothing to start on: Heroku has given no usable answer yet.
    NotStarted,
    /// A person holds changes back.
    Held,
    /// Postgres refuses the credential of a change that waits.
    LoginRefused,
}
