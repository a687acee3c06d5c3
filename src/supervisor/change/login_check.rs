//! Does the new credential let us in? Asked before a child that lives is touched.
//!
//! The new one is asked first. Where its answer alone does not decide, the old one is asked too:
//!
//! | new \ old | accepted | refused | unreachable |
//! |---|---|---|---|
//! | accepted | go | go | go |
//! | refused | keep, try again | keep, try again | keep, try again |
//! | unreachable | go after the timeout | go | go after the timeout |
//!
//! That table is about a child that lives. One that failed meanwhile starts on the old credential
//! as long as the new one is refused, and on the new one otherwise.
//!
//! Where no login has ever worked, answers are about the way to the server and not about a
//! credential: they decide nothing (unless `--check-login always`).

use crate::supervisor::config::CheckLogin;
use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::LoginId;
use crate::supervisor::logins::{Bad, Logins, Standing};
use crate::supervisor::notice::Proof;
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

/// The longest that one round of logins is waited for.
const ROUND_MAX: Duration = Duration::from_secs(10);

/// The open question about one candidate.
#[derive(Debug)]
pub(super) struct Check {
    asked_at: Time,
    logins: Logins,
    about: About,
}

/// Whose logins are out.
#[derive(Debug)]
enum About {
    New,
    Old { new: Tried },
}

/// What came of the new credential's login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Tried {
    Accepted { took: Duration },
    Refused(Bad),
    Unreachable(Bad),
}

/// Whether a login has ever worked from this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Trust {
    Unproven,
    Proven,
}

/// What a round of logins came to.
#[derive(Debug)]
pub(super) enum Round {
    Open(Check),
    New(Tried),
    Old { new: Tried, old: Standing },
}

/// What follows for a confirmed change.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// The change is made.
    Go(Proof),
    /// Not before the new credential works.
    Keep(Bad),
    /// Not before it answers, or the time for that is over.
    Wait(Bad),
}

impl Check {
    pub(super) fn of_new(turn: &Turn<'_>, logins: Logins) -> Self {
        Self {
            asked_at: turn.now,
            logins,
            about: About::New,
        }
    }

    pub(super) fn of_old(turn: &Turn<'_>, logins: Logins, new: Tried) -> Self {
        Self {
            asked_at: turn.now,
            logins,
            about: About::Old { new },
        }
    }

    pub(super) fn on_login(&mut self, login: LoginId, outcome: &LoginOutcome) {
        self.logins.on_login(login, outcome);
    }

    pub(super) fn deadline(&self) -> Time {
        self.asked_at + ROUND_MAX
    }

    pub(super) fn close(self, turn: &mut Turn<'_>) {
        self.logins.close(turn);
    }

    /// What the round has come to; a round that takes too long has got no answer.
    pub(super) fn round(self, turn: &mut Turn<'_>) -> Round {
        let standing = match self.logins.standing() {
            None if turn.now < self.deadline() => return Round::Open(self),
            None => Standing::Unreachable,
            Some(standing) => standing,
        };
        let took = turn.now.since(self.asked_at);
        let worst = self.logins.close(turn);
        match (self.about, standing, worst) {
            (About::Old { new }, old, _) => Round::Old { new, old },
            (About::New, Standing::Refused, Some(bad)) => Round::New(Tried::Refused(bad)),
            (About::New, Standing::Unreachable, Some(bad)) => Round::New(Tried::Unreachable(bad)),
            (About::New, _, _) => Round::New(Tried::Accepted { took }),
        }
    }
}

impl Trust {
    /// Whether answers other than a yes count.
    pub(in crate::supervisor) fn counts(self, turn: &Turn<'_>) -> bool {
        match turn.config.check_login {
            CheckLogin::Never => false,
            CheckLogin::Always => true,
            CheckLogin::Auto => self == Self::Proven,
        }
    }
}

/// The table above. `waited`: since the new credential first got no answer.
pub(super) fn decide(
    new: Tried,
    old: Standing,
    counts: bool,
    waited: Duration,
    timeout: Duration,
) -> Decision {
    match (new, old) {
        (Tried::Accepted { took }, _) => Decision::Go(Proof::LoggedIn { took }),
        (Tried::Refused(bad) | Tried::Unreachable(bad), _) if !counts => go_all_the_same(bad),
        (Tried::Refused(bad), _) => Decision::Keep(bad),
        (Tried::Unreachable(bad), Standing::Refused) => go_all_the_same(bad),
        (Tried::Unreachable(bad), Standing::Accepted | Standing::Unreachable) => {
            if waited >= timeout {
                go_all_the_same(bad)
            } else {
                Decision::Wait(bad)
            }
        }
    }
}

fn go_all_the_same(bad: Bad) -> Decision {
    let outcome = bad.outcome;
    Decision::Go(Proof::Unproven { outcome })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table() {
        let bad = |outcome| Bad {
            name: "DATABASE_URL".to_owned(),
            outcome,
        };
        let refused = || {
            let code = "28P01".to_owned();
            Tried::Refused(bad(LoginOutcome::Refused { code }))
        };
        let unreachable = || {
            let detail = "timed out".to_owned();
            Tried::Unreachable(bad(LoginOutcome::Unreachable { detail }))
        };
        let took = Duration::from_millis(38);
        let accepted = || Tried::Accepted { took };
        let timeout = Duration::from_secs(30);
        let early = Duration::from_millis(29_999);
        let decided = |new: Tried, old, counts, waited| {
            let decision = decide(new, old, counts, waited, timeout);
            match decision {
                Decision::Go(Proof::LoggedIn { .. }) => "go, logged in",
                Decision::Go(Proof::Unproven { .. }) => "go",
                Decision::Go(Proof::NotTried) => "go, not tried",
                Decision::Keep(_) => "keep",
                Decision::Wait(_) => "wait",
            }
        };
        let all = [Standing::Accepted, Standing::Refused, Standing::Unreachable];
        for old in all {
            for counts in [true, false] {
                assert_eq!(decided(accepted(), old, counts, early), "go, logged in");
            }
            assert_eq!(decided(refused(), old, true, timeout), "keep");
            assert_eq!(decided(refused(), old, false, early), "go");
            assert_eq!(decided(unreachable(), old, false, early), "go");
            assert_eq!(decided(unreachable(), old, true, timeout), "go");
        }
        assert_eq!(decided(unreachable(), all[0], true, early), "wait");
        assert_eq!(decided(unreachable(), all[1], true, early), "go");
        assert_eq!(decided(unreachable(), all[2], true, early), "wait");
    }
}
