//! What the answers prove: the world's own reading of "A change" and "Exactly: Debounce" in the
//! design, kept beside the core's to see whether they agree.
//!
//! *Proven* is: the first complete answer; any good answer while no child must be protected; else a
//! value that two answers named, the second asked for after the quiet time that the first began,
//! with no other value between them; else the sixth different value in a row.

use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{GAP_MAX, RENEWALS_MAX, SLACK};
use crate::testing::world::values::{Values, Watch};

/// The answers so far.
#[derive(Debug)]
pub(super) struct Ledger {
    watch: Watch,
    debounce: Duration,
    splay: Duration,
    proven: Option<Values>,
    revision: u32,
    open: Option<Open>,
}

/// A difference that is not proven, or not acted upon yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    values: Values,
    first_seen: Time,
    quiet_from: Time,
    renewals: u32,
    /// The confirming request is owed since then.
    asked: Option<Time>,
    /// The splay runs since then.
    confirmed: Option<Time>,
}

/// Whether a live child, that nobody told to end, works with what is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    Up,
    Down,
}

impl Ledger {
    pub(super) fn new(watch: Watch, debounce: Duration, splay: Duration) -> Self {
        Self {
            watch,
            debounce,
            splay,
            proven: None,
            revision: 0,
            open: None,
        }
    }

    pub(super) fn proven(&self) -> Option<Values> {
        self.proven
    }

    pub(super) fn revision(&self) -> u32 {
        self.revision
    }

    /// "After `--debounce` the snapshot is fetched again": once for each quiet time.
    pub(super) fn confirmation_due(&mut self, now: Time) -> bool {
        let debounce = self.debounce;
        match &mut self.open {
            Some(open) if open.asked.is_none() && open.confirmed.is_none() => {
                let due = now >= open.quiet_from + debounce;
                if due {
                    open.asked = Some(now);
                }
                due
            }
            Some(_) | None => false,
        }
    }

    /// Whether the confirming answer says nothing of a variable that is open: it is looked for
    /// often.
    pub(super) fn lacks(&self, said: Values, since: Time) -> bool {
        let lacks = |open: Open| {
            let asked = open.asked.is_some_and(|asked| since >= asked);
            let confirming = asked && open.confirmed.is_none();
            confirming && (0..said.len()).any(|at| said[at].is_none() && open.values[at].is_some())
        };
        self.open.is_some_and(lacks)
    }

    /// A good answer to a request that began at `asked`. Yields whether the core must adopt now.
    pub(super) fn hear(&mut self, now: Time, asked: Time, said: Values, guard: Guard) -> Adopts {
        let Some(proven) = self.proven else {
            return self.hear_first(said);
        };
        let seen = over(proven, said);
        if guard == Guard::Down {
            self.open = None;
            return if seen == proven {
                Adopts::No
            } else {
                self.adopt(seen)
            };
        }
        if self.is_gap(now, proven, said, seen) {
            return Adopts::No;
        }
        if seen == proven {
            self.open = None;
            return Adopts::No;
        }
        match self.open {
            None => self.begin(now, seen, now, 0),
            Some(open) if open.values == seen => {
                let asked_after = asked >= open.quiet_from + self.debounce;
                if asked_after && open.confirmed.is_none() {
                    return self.confirm(now, open);
                }
            }
            Some(open) if open.renewals < RENEWALS_MAX => {
                self.begin(now, seen, open.first_seen, open.renewals + 1);
            }
            Some(open) => {
                self.begin(now, seen, open.first_seen, open.renewals + 1);
                if let Some(open) = self.open {
                    return self.confirm(now, open);
                }
            }
        }
        Adopts::No
    }

    /// Nothing is left to protect: what is open is proven enough.
    pub(super) fn drop_guard(&mut self) -> Adopts {
        match self.open {
            Some(open) => self.adopt(open.values),
            None => Adopts::No,
        }
    }

    /// The core acts upon the difference before an answer made it.
    pub(super) fn splay_ends(&mut self) -> Result<(), String> {
        match self.open {
            Some(Open {
                values,
                confirmed: Some(_),
                ..
            }) => {
                self.adopt(values);
                Ok(())
            }
            Some(_) | None => Err("a change is acted on that nothing has proven".to_owned()),
        }
    }

    /// A splay that is over by far.
    pub(super) fn check(&self, now: Time) -> Result<(), String> {
        match self.open {
            Some(Open {
                confirmed: Some(at),
                ..
            }) if now > at + self.splay + SLACK => {
                Err(format!("a change that was proven at {at} is not acted on"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn hear_first(&mut self, said: Values) -> Adopts {
        let required = self.watch.requires();
        let complete = (0..said.len()).all(|at| !required[at] || said[at].is_some());
        if complete && said.iter().any(Option::is_some) {
            self.adopt(said);
        }
        // The first one is no change.
        Adopts::No
    }

    /// Whether an answer differs from what is open only where it says nothing at all. What only a
    /// pattern watches promised nothing.
    fn is_gap(&self, now: Time, proven: Values, said: Values, seen: Values) -> bool {
        let Some(open) = self.open else {
            return false;
        };
        let mut filled = seen;
        for at in 0..said.len() {
            if said[at].is_none() && proven[at].is_some() {
                filled[at] = open.values[at];
            }
        }
        filled == open.values && seen != open.values && now.since(open.first_seen) < GAP_MAX
    }

    fn begin(&mut self, now: Time, values: Values, first_seen: Time, renewals: u32) {
        self.open = Some(Open {
            values,
            first_seen,
            quiet_from: now,
            renewals,
            asked: None,
            confirmed: None,
        });
    }

    fn confirm(&mut self, now: Time, open: Open) -> Adopts {
        if self.splay == Duration::ZERO {
            return self.adopt(open.values);
        }
        self.open = Some(Open {
            confirmed: Some(now),
            ..open
        });
        Adopts::No
    }

    fn adopt(&mut self, values: Values) -> Adopts {
        self.proven = Some(values);
        self.revision += 1;
        self.open = None;
        Adopts::Now
    }
}

/// Whether an answer proves something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Adopts {
    No,
    Now,
}

/// Each variable for itself: one that is good advances, one that is not stays.
fn over(proven: Values, said: Values) -> Values {
    let mut seen = proven;
    for at in 0..said.len() {
        seen[at] = said[at].or(proven[at]);
    }
    seen
}
