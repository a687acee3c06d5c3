//! How far a difference has come.

use crate::credential::Values;
use crate::supervisor::logins::Logins;
use crate::supervisor::notice::Proof;
use crate::supervisor::time::Time;

use super::login_check::Check;

#[derive(Debug)]
pub(super) enum State {
    /// The last good answer was what is desired.
    Quiet,
    /// A difference was seen; the quiet time runs, unless what runs has lost its credential: it is
    /// asked.
    Settling {
        candidate: Candidate,
        old: Option<Logins>,
        until: Time,
    },
    /// The quiet time is over; a fetch started after `asked_at` must say the same.
    Confirming {
        candidate: Candidate,
        asked_at: Time,
    },
    /// The new credential is logged in with.
    CheckingLogin {
        candidate: Candidate,
        confirmed: Confirmed,
        check: Check,
    },
    /// Confirmed, and put off.
    Deferred {
        candidate: Candidate,
        reason: Reason,
        until: Time,
    },
}

/// Whether a second fetch has said the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Confirmed {
    ByFetch,
    /// That fetch failed; a login that works will do.
    NotYet {
        asked_at: Time,
    },
}

/// What a confirmed change waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Its place in the fleet.
    Splay(Proof),
    /// A login with the new credential that works.
    Login,
}

/// Values that may become the next revision.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) values: Values,
    pub(super) seen_at: Time,
    pub(super) renewals: u32,
    pub(super) held: Held,
}

/// How the last login with a candidate went, as far as it holds the change up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    No,
    Refused,
    Unreachable { since: Time },
}

impl Candidate {
    pub(super) fn new(values: Values, seen_at: Time) -> Self {
        Self {
            values,
            seen_at,
            renewals: 0,
            held: Held::No,
        }
    }
}
