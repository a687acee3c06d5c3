//! How far a difference has come.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::credential::{Kind, Values};
use crate::supervisor::logins::Logins;
use crate::supervisor::lookout::Lookout;
use crate::supervisor::notice::{Notice, Proof};
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::Desired;
use super::login_check::Check;

/// What goes on is told again this often.
const HEARTBEAT: Duration = Duration::from_secs(900);

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
    /// Confirmed; a login with the new credential does not work yet, and is tried again then.
    Deferred { candidate: Candidate, until: Time },
    /// Proven, and waiting for its place in the fleet, unless what runs loses its credential.
    Splaying {
        candidate: Candidate,
        proof: Proof,
        lookout: Lookout,
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

/// Values that may become the next revision.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) values: Values,
    /// In what they differ from the desired ones, told beside everything that was known before
    /// them: a later answer knows the other databases' newest values, and could no longer tell.
    pub(super) changed: Vec<(String, Kind)>,
    pub(super) seen_at: Time,
    pub(super) renewals: u32,
    /// Since when the answers lack one of its variables, if the last one did.
    pub(super) gap_since: Option<Time>,
    pub(super) held: Held,
    pub(super) told: Told,
}

/// How the last login with a candidate went, as far as it holds the change up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Held {
    No,
    /// The server said no to the new values of these variables.
    Refused(BTreeSet<String>),
    Unreachable {
        since: Time,
    },
}

/// When it was last said that a change is held up, for either reason, or waits for its splay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    refused: Option<Time>,
    unreachable: Option<Time>,
    splayed: Option<Time>,
}

impl State {
    /// What is being considered.
    pub(super) fn candidate(&self) -> Option<&Candidate> {
        match self {
            Self::Quiet => None,
            Self::Settling { candidate, .. }
            | Self::Confirming { candidate, .. }
            | Self::CheckingLogin { candidate, .. }
            | Self::Deferred { candidate, .. }
            | Self::Splaying { candidate, .. } => Some(candidate),
        }
    }

    /// The same, to be changed.
    pub(super) fn candidate_mut(&mut self) -> Option<&mut Candidate> {
        match self {
            Self::Quiet => None,
            Self::Settling { candidate, .. }
            | Self::Confirming { candidate, .. }
            | Self::CheckingLogin { candidate, .. }
            | Self::Deferred { candidate, .. }
            | Self::Splaying { candidate, .. } => Some(candidate),
        }
    }
}

impl Desired {
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>, to: &Candidate, login: Proof) {
        let from = self.revision;
        self.revision = from.next();
        self.values = Arc::new(to.values.clone());
        self.seen_at = to.seen_at;
        self.changed.clone_from(&to.changed);
        turn.announce(Notice::Changed {
            changed: to.changed.clone(),
            from,
            to: self.revision,
            login,
        });
    }
}

impl Candidate {
    pub(super) fn new(values: Values, changed: Vec<(String, Kind)>, seen_at: Time) -> Self {
        Self {
            values,
            changed,
            seen_at,
            renewals: 0,
            gap_since: None,
            held: Held::No,
            told: Told::default(),
        }
    }

    /// Whether the server said no to it the last time that it was asked.
    pub(super) fn is_refused(&self) -> bool {
        match self.held {
            Held::Refused(_) => true,
            Held::No | Held::Unreachable { .. } => false,
        }
    }

    /// The server said no to the new value of this variable.
    pub(super) fn refuse(&mut self, name: String) {
        match &mut self.held {
            Held::Refused(names) => {
                names.insert(name);
            }
            Held::No | Held::Unreachable { .. } => {
                self.held = Held::Refused(BTreeSet::from([name]));
            }
        }
    }

    /// Takes over from the one before what is still true: how a value was held up that is still the
    /// same, and what was told of that.
    pub(super) fn inherit(&mut self, known: &Self) {
        let is_same = |name: &String| self.values.get(name) == known.values.get(name);
        match &known.held {
            Held::No => {}
            Held::Refused(names) => {
                let names: BTreeSet<_> = names.iter().filter(|name| is_same(name)).collect();
                if !names.is_empty() {
                    self.held = Held::Refused(names.into_iter().cloned().collect());
                    self.told = known.told;
                }
            }
            Held::Unreachable { since } => {
                if known.changed.iter().all(|(name, _)| is_same(name)) {
                    self.held = Held::Unreachable { since: *since };
                    self.told = known.told;
                }
            }
        }
        self.told.splayed = known.told.splayed;
    }

    /// What may be taken of it without a proof: all but what was refused.
    pub(super) fn free(&self, desired: &Values) -> Self {
        let none = BTreeSet::new();
        let refused = match &self.held {
            Held::Refused(names) => names,
            Held::No | Held::Unreachable { .. } => &none,
        };
        let mut values = self.values.clone();
        for name in refused {
            match desired.get(name) {
                Some(value) => values.insert(name.clone(), value.clone()),
                None => values.remove(name),
            };
        }
        let free = |(name, _): &&(String, Kind)| !refused.contains(name);
        let changed = self.changed.iter().filter(free).cloned().collect();
        Self::new(values, changed, self.seen_at)
    }

    /// It is said that it waits for its splay. Of whatever it becomes it must be told, too.
    pub(super) fn tell_splay(&mut self, now: Time) {
        self.told.splayed = Some(now);
    }

    /// Whether it was ever said that it is held up, or waits.
    pub(super) fn was_told(&self) -> bool {
        let Told {
            refused,
            unreachable,
            splayed,
        } = self.told;
        refused.or(unreachable).or(splayed).is_some()
    }

    /// Whether it must be said why the change is held up: when that begins, and as a heartbeat.
    pub(super) fn must_tell(&mut self, now: Time) -> bool {
        let last = match self.held {
            Held::No => return false,
            Held::Refused(_) => &mut self.told.refused,
            Held::Unreachable { .. } => &mut self.told.unreachable,
        };
        let is_due = last.is_none_or(|at| now.since(at) >= HEARTBEAT);
        if is_due {
            *last = Some(now);
        }
        is_due
    }
}
