//! What the answers prove: the world's own reading of "A change" and "Exactly: Debounce" in the
//! design, kept beside the core's to see whether they agree.
//!
//! *Proven* is: the first complete answer; any good answer while no child must be protected; else a
//! value that two answers named, the second asked for after the quiet time that the first began,
//! with no other value between them; else the sixth different value in a row.

mod logins;

use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{GAP_MAX, RENEWALS_MAX, SLACK};
use crate::testing::world::values::{Values, Watch, lives_elsewhere};

use super::trial::{Round, Rules, Ruling, Said, Trial, Whose};

/// The answers so far.
#[derive(Debug)]
pub(super) struct Ledger {
    watch: Watch,
    debounce: Duration,
    splay: Duration,
    rules: Rules,
    /// Whether a login has ever worked.
    worked: bool,
    proven: Option<Values>,
    revision: u32,
    open: Option<Open>,
}

/// A difference that is not proven, or not acted upon yet.
#[derive(Clone, Copy, Debug)]
struct Open {
    values: Values,
    first_seen: Time,
    quiet_until: Time,
    renewals: u32,
    /// Since when the answers say nothing of a variable of it.
    gap: Option<Time>,
    /// The confirming request is owed since then.
    asked: Option<Time>,
    stage: Stage,
    trial: Trial,
    held: Held,
}

/// What a difference was last held up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    No,
    /// The server said no to it.
    Refused,
    /// The new credential gets no answer since then.
    Silent(Time),
}

/// How far a difference is from being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has said it twice.
    Seen,
    /// The confirming request failed, and a login may do in its place.
    Tried,
    /// Two answers said it.
    Confirmed,
    /// The splay runs since then, and what runs is tried now and then.
    Splayed(Time),
}

/// Whether a live child, that nobody told to end, works with these values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guard {
    Up(Values),
    Down,
}

impl Ledger {
    pub(super) fn new(watch: Watch, debounce: Duration, splay: Duration, rules: Rules) -> Self {
        Self {
            watch,
            debounce,
            splay,
            rules,
            worked: false,
            proven: None,
            revision: 0,
            open: None,
        }
    }

    pub(super) fn proven(&self) -> Option<Values> {
        self.proven
    }

    /// The newest values that were seen, proven or not.
    pub(super) fn newest(&self) -> Option<Values> {
        self.open.map(|open| open.values).or(self.proven)
    }

    pub(super) fn revision(&self) -> u32 {
        self.revision
    }

    /// "After `--debounce` the snapshot is fetched again": once for each quiet time.
    pub(super) fn confirmation_due(&mut self, now: Time) -> bool {
        match &mut self.open {
            Some(open) if open.asked.is_none() && open.stage == Stage::Seen => {
                let due = now >= open.quiet_until;
                if due {
                    open.asked = Some(now);
                    open.trial = Trial::None;
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
            let confirming = asked && open.stage == Stage::Seen;
            confirming && (0..said.len()).any(|at| said[at].is_none() && open.values[at].is_some())
        };
        self.open.is_some_and(lacks)
    }

    /// No answer to a request that began at `asked`: "a confirming fetch that fails is replaced by
    /// a successful login".
    pub(super) fn fails(&mut self, asked: Time) {
        let Some(mut open) = self.open else { return };
        let was_to_confirm = open.asked.is_some_and(|at| asked >= at);
        if open.stage == Stage::Seen
            && was_to_confirm
            && let Some(version) = self.tries_new(&open)
        {
            open.stage = Stage::Tried;
            open.trial = owed(Whose::New, version, Said::Nothing);
            self.open = Some(open);
        }
    }

    /// A good answer to a request that began at `asked`. Yields whether the core must adopt now.
    pub(super) fn hear(&mut self, now: Time, asked: Time, said: Values, guard: Guard) -> Adopts {
        let Some(proven) = self.proven else {
            return self.hear_first(said);
        };
        let seen = over(proven, said);
        if guard == Guard::Down {
            return match self.open {
                _ if seen == proven => {
                    self.open = None;
                    Adopts::No
                }
                Some(open) if open.values == seen => match (self.drop_guard(), open.stage) {
                    // Refused, and then another variable changed: its quiet time runs.
                    (Adopts::No, Stage::Seen) if open.asked.is_none() => Adopts::No,
                    (Adopts::No, Stage::Seen) => self.confirm(now, open),
                    (adopts, _) => adopts,
                },
                Some(open) if inherited(&open, proven, seen) == Held::Refused => {
                    self.open = Some(Open {
                        values: seen,
                        renewals: 0,
                        gap: None,
                        ..open
                    });
                    self.drop_guard()
                }
                Some(_) | None => self.adopt(seen),
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
            None => self.begin(now, seen, now, 0, guard),
            Some(mut open) if open.values == seen => match open.stage {
                Stage::Seen if asked >= open.quiet_until => return self.confirm(now, open),
                Stage::Tried if asked >= open.quiet_until => {
                    open.stage = Stage::Confirmed;
                    self.open = Some(open);
                }
                Stage::Seen | Stage::Tried | Stage::Confirmed | Stage::Splayed(_) => {}
            },
            Some(open) if open.renewals < RENEWALS_MAX => {
                self.begin(now, seen, open.first_seen, open.renewals + 1, guard);
                self.inherit(&open, proven);
            }
            Some(open) => {
                self.begin(now, seen, open.first_seen, open.renewals + 1, guard);
                self.inherit(&open, proven);
                if let Some(open) = self.open {
                    return self.confirm(now, open);
                }
            }
        }
        Adopts::No
    }

    /// Nothing is left to protect: what is open is proven enough, unless the server said no to it.
    pub(super) fn drop_guard(&mut self) -> Adopts {
        let (Some(open), Some(proven)) = (self.open, self.proven) else {
            return Adopts::No;
        };
        if open.held != Held::Refused {
            return self.adopt(open.values);
        }
        let mut free = open.values;
        free[0] = proven[0];
        if free == proven {
            return Adopts::No;
        }
        let adopts = self.adopt(free);
        self.open = Some(open);
        adopts
    }

    /// Somebody wants what is open, as it is.
    pub(super) fn force(&mut self) -> Adopts {
        match self.open {
            Some(open) => self.adopt(open.values),
            None => Adopts::No,
        }
    }

    /// Whether an answer that is not a yes counts by now.
    pub(super) fn logins_count(&self) -> bool {
        self.rules.counts(self.worked)
    }

    /// How soon a login is tried again.
    pub(super) fn retry(&self) -> Duration {
        self.rules.retry()
    }

    /// Whether the server said no to what is open.
    pub(super) fn is_refused(&self) -> bool {
        self.open.is_some_and(|open| open.held == Held::Refused)
    }

    /// "Login checks never worked on this host: they decide nothing." They did.
    pub(super) fn logins_work(&mut self) {
        self.worked = true;
    }

    /// Heroku gave no answer, and there was something else to start on.
    pub(super) fn falls_back(&mut self, values: Values) {
        self.adopt(values);
    }

    /// The core acts upon the difference before an answer made it.
    pub(super) fn splay_ends(&mut self) -> Result<(), String> {
        match self.open {
            Some(Open {
                values,
                stage: Stage::Splayed(_),
                ..
            }) => {
                self.adopt(values);
                Ok(())
            }
            Some(_) | None => Err("a change is acted on that nothing has proven".to_owned()),
        }
    }

    /// A splay that is over by far, and a login that is not made.
    pub(super) fn check(&self, now: Time, guard: Guard) -> Result<(), String> {
        let Some(open) = self.open else {
            return Ok(());
        };
        match open.stage {
            Stage::Splayed(at) if now > at + self.splay + SLACK => {
                Err(format!("a change that was proven at {at} is not acted on"))
            }
            Stage::Splayed(_) if self.tries_old(&open, guard).is_none() => Ok(()),
            Stage::Seen | Stage::Tried | Stage::Confirmed | Stage::Splayed(_) => {
                open.trial.check(now)
            }
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
    fn is_gap(&mut self, now: Time, proven: Values, said: Values, seen: Values) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        let mut filled = seen;
        for at in 0..said.len() {
            if said[at].is_none() && proven[at].is_some() {
                filled[at] = open.values[at];
            }
        }
        if filled != open.values || seen == open.values {
            open.gap = None;
            return false;
        }
        now.since(*open.gap.get_or_insert(now)) < GAP_MAX
    }

    fn begin(&mut self, now: Time, values: Values, first_seen: Time, renewals: u32, guard: Guard) {
        let mut open = Open {
            values,
            first_seen,
            quiet_until: now + self.debounce,
            renewals,
            gap: None,
            asked: None,
            stage: Stage::Seen,
            trial: Trial::None,
            held: Held::No,
        };
        if self.debounce > Duration::ZERO && renewals <= RENEWALS_MAX {
            open.trial = match self.tries_old(&open, guard) {
                Some(version) => owed(Whose::Old, version, Said::Nothing),
                None => Trial::None,
            };
        }
        self.open = Some(open);
    }

    fn inherit(&mut self, before: &Open, proven: Values) {
        if let Some(open) = &mut self.open {
            open.held = inherited(before, proven, open.values);
        }
    }

    /// Two answers said it: now its login, if it has one.
    fn confirm(&mut self, now: Time, mut open: Open) -> Adopts {
        open.stage = Stage::Confirmed;
        match self.tries_new(&open) {
            Some(version) => {
                open.trial = owed(Whose::New, version, Said::Nothing);
                self.open = Some(open);
                Adopts::No
            }
            None => self.go(now, open),
        }
    }

    fn rule(&mut self, now: Time, mut open: Open, new: Said, old: Said) -> Adopts {
        let silent = match open.held {
            Held::Silent(since) => since,
            Held::No | Held::Refused => now,
        };
        let counts = self.rules.counts(self.worked);
        let retry = now + self.rules.retry();
        open.stage = Stage::Confirmed;
        match self.rules.rule(new, old, counts, now.since(silent)) {
            Ruling::GoNow => return self.adopt(open.values),
            Ruling::Go => return self.go(now, open),
            Ruling::Keep => {
                open.held = Held::Refused;
                open.trial = Trial::Held(retry);
            }
            Ruling::Wait => {
                open.held = Held::Silent(silent);
                open.trial = Trial::Held(retry.min(silent + self.rules.timeout));
            }
        }
        self.open = Some(open);
        Adopts::No
    }

    fn go(&mut self, now: Time, mut open: Open) -> Adopts {
        if !self.is_splayed(&open) {
            return self.adopt(open.values);
        }
        let retry = Trial::Held(now + self.rules.retry());
        (open.stage, open.trial) = (Stage::Splayed(now), retry);
        open.held = Held::No;
        self.open = Some(open);
        Adopts::No
    }

    /// After a failover what runs talks to nobody: it is not protected by a delay.
    fn is_splayed(&self, open: &Open) -> bool {
        let proven = self.proven.unwrap_or_default();
        self.splay > Duration::ZERO && !lives_elsewhere(proven[0], open.values[0])
    }

    fn adopt(&mut self, values: Values) -> Adopts {
        self.proven = Some(values);
        self.revision += 1;
        self.open = None;
        Adopts::Now
    }
}

/// What still holds of how a difference was held up, now that another is seen.
fn inherited(before: &Open, proven: Values, seen: Values) -> Held {
    let is_same = |at: usize| seen[at] == before.values[at] || before.values[at] == proven[at];
    match before.held {
        Held::Refused if seen[0] == before.values[0] => Held::Refused,
        Held::Silent(since) if (0..seen.len()).all(is_same) => Held::Silent(since),
        Held::No | Held::Refused | Held::Silent(_) => Held::No,
    }
}

fn owed(whose: Whose, version: u32, new: Said) -> Trial {
    Trial::Owed(Round {
        whose,
        version,
        new,
    })
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
