//! From a confirmed difference to one that may be acted on: its login, and its place in the fleet.

use crate::credential::{Secret, Values};
use crate::supervisor::config::{CheckLogin, Watching};
use crate::supervisor::logins::{Bad, Logins, Standing};
use crate::supervisor::lookout::Lookout;
use crate::supervisor::notice::{HeldChange, Notice, Proof, Splay};
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::login_check::{Check, Decision, Round, Tried, decide};
use super::state::{Candidate, Confirmed, Held, State};
use super::{Change, Protect, Verdict};

/// A login that did not work is tried again after the poll interval, or this.
const RETRY_MAX: Duration = Duration::from_secs(30);

impl Change {
    /// A confirmed change: now its login.
    pub(super) fn check(&mut self, turn: &mut Turn<'_>, candidate: Candidate) -> Verdict {
        match self.log_in(turn, &candidate) {
            None => self.splay(turn, candidate, Proof::NotTried),
            Some(check) => {
                self.state = State::CheckingLogin {
                    candidate,
                    confirmed: Confirmed::ByFetch,
                    check,
                };
                Verdict::Unchanged
            }
        }
    }

    /// Goes on when the logins that are out have come to something.
    pub(super) fn judge(&mut self, turn: &mut Turn<'_>, protect: &Protect) -> Verdict {
        let (mut candidate, confirmed, check) =
            match std::mem::replace(&mut self.state, State::Quiet) {
                State::CheckingLogin {
                    candidate,
                    confirmed,
                    check,
                } => (candidate, confirmed, check),
                state @ (State::Quiet
                | State::Settling { .. }
                | State::Confirming { .. }
                | State::Deferred { .. }
                | State::Splaying { .. }) => {
                    self.state = state;
                    return Verdict::Unchanged;
                }
            };
        match (check.round(turn), confirmed) {
            (Round::Open(check), _) => {
                self.state = State::CheckingLogin {
                    candidate,
                    confirmed,
                    check,
                };
                Verdict::Unchanged
            }
            (Round::New(Tried::Accepted { took }), _) if !may_be_splayed(turn, &candidate) => {
                self.adopt(turn, &candidate, Proof::LoggedIn { took })
            }
            (
                Round::New(new @ (Tried::Refused(_) | Tried::Unreachable(_))),
                Confirmed::NotYet { asked_at },
            ) => {
                match new {
                    Tried::Refused(bad) if self.trust.counts(turn) => candidate.refuse(bad.name),
                    Tried::Refused(_) | Tried::Accepted { .. } | Tried::Unreachable(_) => {
                        candidate.held = Held::No;
                    }
                }
                self.state = State::Confirming {
                    candidate,
                    asked_at,
                };
                Verdict::Unchanged
            }
            (Round::New(new), _) => self.doubt(turn, candidate, confirmed, new, protect),
            (Round::Old { new, old }, _) => self.decide(turn, candidate, new, old),
        }
    }

    /// The new credential's answer alone does not decide: what runs is asked, too.
    fn doubt(
        &mut self,
        turn: &mut Turn<'_>,
        mut candidate: Candidate,
        confirmed: Confirmed,
        new: Tried,
        protect: &Protect,
    ) -> Verdict {
        match &new {
            Tried::Refused(bad) if self.trust.counts(turn) => candidate.refuse(bad.name.clone()),
            Tried::Refused(_) | Tried::Accepted { .. } | Tried::Unreachable(_) => {}
        }
        let old = match protect {
            Protect::Child { values, .. } => ask_old(turn, &candidate, values),
            Protect::Nothing => None,
        };
        let Some(logins) = old else {
            return self.decide(turn, candidate, new, Standing::Unreachable);
        };
        self.state = State::CheckingLogin {
            candidate,
            confirmed,
            check: Check::of_old(turn, logins, new),
        };
        Verdict::Unchanged
    }

    fn decide(
        &mut self,
        turn: &mut Turn<'_>,
        mut candidate: Candidate,
        new: Tried,
        old: Standing,
    ) -> Verdict {
        let since = match candidate.held {
            Held::Unreachable { since } => since,
            Held::No | Held::Refused(_) => turn.now,
        };
        let (counts, timeout) = (self.trust.counts(turn), turn.config.check_login_timeout);
        let waited = turn.now.since(since);
        let pause = retry_pause(turn);
        let (bad, until) = match decide(new, old, counts, waited, timeout) {
            // Nothing is protected by a delay when what runs has lost its credential.
            Decision::Go(proof) if counts && old == Standing::Refused => {
                return self.adopt(turn, &candidate, proof);
            }
            Decision::Go(proof) => return self.splay(turn, candidate, proof),
            Decision::Keep(bad) => {
                candidate.refuse(bad.name.clone());
                (bad, turn.now + pause)
            }
            Decision::Wait(bad) => {
                let until = (turn.now + pause).min(since + timeout);
                candidate.held = Held::Unreachable { since };
                (bad, until)
            }
        };
        if candidate.must_tell(turn.now) {
            self.tell_held(turn, bad, until);
        }
        self.state = State::Deferred { candidate, until };
        Verdict::Unchanged
    }

    fn tell_held(&self, turn: &mut Turn<'_>, bad: Bad, until: Time) {
        let Some(desired) = &self.desired else { return };
        let Bad { name, outcome } = bad;
        turn.announce(Notice::ChangeHeld(HeldChange {
            name,
            outcome,
            running: desired.revision,
            retry_in: until.since(turn.now),
        }));
    }

    /// The change may be made, and takes its place in the fleet.
    fn splay(&mut self, turn: &mut Turn<'_>, mut candidate: Candidate, proof: Proof) -> Verdict {
        if !may_be_splayed(turn, &candidate) {
            return self.adopt(turn, &candidate, proof);
        }
        candidate.held = Held::No;
        candidate.tell_splay(turn.now);
        let splay = turn.rng.up_to(turn.config.splay);
        let changed = candidate.changed.clone();
        turn.announce(Notice::Splay {
            changed,
            splay: Splay::Begins(splay),
        });
        let soon = turn.now + retry_pause(turn);
        self.state = State::Splaying {
            candidate,
            proof,
            lookout: Lookout::begin(turn, soon),
            until: turn.now + splay,
        };
        Verdict::Unchanged
    }

    /// The change's time has come, or that of a login with what runs.
    pub(super) fn look_out(&mut self, turn: &mut Turn<'_>, protect: &Protect) -> Verdict {
        let State::Splaying {
            candidate,
            lookout,
            until,
            ..
        } = &mut self.state
        else {
            return Verdict::Unchanged;
        };
        match protect {
            Protect::Child { values, .. } if *until > turn.now => {
                // One that gets no answer is no reason to hurry.
                lookout.on_deadline(turn, outdated(candidate, values));
                Verdict::Unchanged
            }
            Protect::Child { .. } | Protect::Nothing => self.end_splay(turn),
        }
    }

    /// A delay protects nothing when what runs has lost its credential.
    pub(super) fn end_splay_early(&mut self, turn: &mut Turn<'_>, old: Standing) -> Verdict {
        let is_dead = old == Standing::Refused && self.trust.counts(turn);
        // Late by far, it is over anyway.
        if is_dead
            && let State::Splaying {
                candidate, until, ..
            } = &self.state
            && *until > turn.now
        {
            turn.announce(Notice::Splay {
                changed: candidate.changed.clone(),
                splay: Splay::CutShort(until.since(turn.now)),
            });
            return self.end_splay(turn);
        }
        Verdict::Unchanged
    }

    fn end_splay(&mut self, turn: &mut Turn<'_>) -> Verdict {
        let State::Splaying { proof, .. } = &self.state else {
            return Verdict::Unchanged;
        };
        let proof = proof.clone();
        match self.take(turn) {
            Some(candidate) => self.adopt(turn, &candidate, proof),
            None => Verdict::Unchanged,
        }
    }

    /// Logs in with each postgres URL that differs; `None` when there is none, or nobody is to log
    /// in.
    pub(super) fn log_in(&self, turn: &mut Turn<'_>, candidate: &Candidate) -> Option<Check> {
        let new = candidate
            .changed
            .iter()
            .filter_map(|(name, _)| candidate.values.get_key_value(name));
        let logins = match turn.config.check_login {
            CheckLogin::Never => None,
            CheckLogin::Auto | CheckLogin::Always => Logins::ask(turn, new),
        };
        logins.map(|logins| Check::of_new(turn, logins))
    }
}

/// Logs in with what the same variables hold in the child that runs.
pub(super) fn ask_old(
    turn: &mut Turn<'_>,
    candidate: &Candidate,
    running: &Values,
) -> Option<Logins> {
    match turn.config.check_login {
        CheckLogin::Never => None,
        CheckLogin::Auto | CheckLogin::Always => Logins::ask(turn, outdated(candidate, running)),
    }
}

/// What the same variables hold in the child that runs.
fn outdated<'a>(
    candidate: &'a Candidate,
    running: &'a Values,
) -> impl Iterator<Item = (&'a String, &'a Secret)> {
    let changed = candidate.changed.iter();
    changed.filter_map(|(name, _)| running.get_key_value(name))
}

/// Whether a delay does no harm: after a failover what runs talks to nobody, after a promotion to
/// the wrong database.
fn may_be_splayed(turn: &Turn<'_>, candidate: &Candidate) -> bool {
    let mut kinds = candidate.changed.iter().map(|(_, kind)| kind);
    turn.config.splay > Duration::ZERO && !kinds.any(|kind| kind.is_urgent())
}

/// How soon a login is tried again.
pub(in crate::supervisor) fn retry_pause(turn: &Turn<'_>) -> Duration {
    match turn.config.watching {
        Watching::Every(interval) => interval.min(RETRY_MAX),
        Watching::Once => RETRY_MAX,
    }
}
