//! `--fallback`: what there is to start on when Heroku gives no answer, and what is told of it.
//!
//! The supervisors of a world were started with the first version of everything.

use crate::supervisor::config::{CheckLogin, Fallback as Choice};
use crate::supervisor::event::{Age, CacheOutcome, LoginOutcome};
use crate::supervisor::id::{CacheId, LoginId};
use crate::supervisor::notice::{Because, FallbackNotice};
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{CACHE_READ, HEARTBEAT, LOGIN_ROUND};
use crate::testing::world::values::{OTHER, Values};

use super::Law;
use super::ledger::Adopts;

/// How far a start without Heroku has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fallback {
    /// There is none, or it is not needed any more.
    None,
    /// There is one, should no answer come.
    Ready,
    /// The start timeout is over: a look into the cache is due in this very step.
    LookOwed,
    /// That is being done since then.
    Looking(CacheId, Time),
    /// Its login is due in this very step.
    Owed(On),
    /// Its login is out since then.
    Out(On, LoginId, Time),
    /// The login worked: the start is due in this very step.
    Works(On),
}

/// What would be started on: the watched values, and the rest where that is exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct On {
    values: Values,
    other: Option<u32>,
    /// How old they are, from the cache.
    age: Option<Duration>,
}

/// What is run with that Heroku did not say.
#[derive(Debug)]
pub(super) struct Borrowed {
    since: Time,
    told: Time,
    /// The rest, where that is exported.
    pub(super) other: Option<u32>,
    due: Due,
}

/// The one line that a step owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Lasts(Duration),
    Over(Duration, Because),
}

impl Law {
    /// The start timeout is over. Yields whether that is the end.
    pub(super) fn start_times_out(&mut self) -> bool {
        match self.fallback {
            Fallback::Ready => {
                self.fallback = match self.config.fallback {
                    Choice::Cached { .. } => Fallback::LookOwed,
                    Choice::Inherited(_) | Choice::None => {
                        let requires = self.watch.requires();
                        self.tries(On {
                            values: requires.map(|is_required| is_required.then_some(1)),
                            other: None,
                            age: None,
                        })
                    }
                };
                false
            }
            Fallback::None => true,
            Fallback::LookOwed
            | Fallback::Looking(..)
            | Fallback::Owed(_)
            | Fallback::Out(..)
            | Fallback::Works(_) => false,
        }
    }

    fn tries(&self, on: On) -> Fallback {
        match (self.config.check_login, on.values[0]) {
            (CheckLogin::Never, _) | (_, None) => Fallback::Works(on),
            (CheckLogin::Auto | CheckLogin::Always, Some(_)) => Fallback::Owed(on),
        }
    }

    /// Heroku has said something: it is not away.
    pub(super) fn heroku_spoke(&mut self) {
        if self.fallback == Fallback::Ready {
            self.fallback = Fallback::None;
        }
    }

    pub(super) fn looks_into_cache(&mut self, now: Time, read: CacheId) -> Result<(), String> {
        if self.fallback != Fallback::LookOwed {
            return Err("a look into the cache that nobody needs".to_owned());
        }
        self.fallback = Fallback::Looking(read, now);
        Ok(())
    }

    /// Whether the core waits for the end of this look.
    pub(in crate::testing::world) fn awaits_look(&self, look: CacheId) -> bool {
        matches!(self.fallback, Fallback::Looking(open, _) if open == look) && self.end.is_none()
    }

    /// The cache was looked into.
    pub(super) fn cache_read(&mut self, now: Time, id: CacheId, outcome: &CacheOutcome) {
        let (Fallback::Looking(read, _), None) = (self.fallback, &self.end) else {
            return;
        };
        if read != id {
            return;
        }
        let max = match self.config.fallback {
            Choice::Cached { max_age } => max_age,
            Choice::None | Choice::Inherited(_) => Duration::ZERO,
        };
        match outcome {
            CacheOutcome::Good {
                good,
                age: Age::Past(age),
            } if *age <= max => {
                let other = good.others.get(OTHER);
                self.fallback = self.tries(On {
                    values: self.watch.of_values(&good.watched),
                    other: other.and_then(|other| other.expose().parse().ok()),
                    age: Some(*age),
                });
            }
            CacheOutcome::Good { .. } | CacheOutcome::Unusable { .. } => self.no_fallback(now),
            CacheOutcome::OtherToken => {
                self.cache.is_lost();
                self.no_fallback(now);
            }
        }
    }

    /// Yields whether the login is that of the fallback.
    pub(super) fn fallback_logs_in(&mut self, now: Time, login: LoginId, version: u32) -> bool {
        match self.fallback {
            Fallback::Owed(on) if on.values[0] == Some(version) => {
                self.fallback = Fallback::Out(on, login, now);
                true
            }
            Fallback::None
            | Fallback::Ready
            | Fallback::LookOwed
            | Fallback::Looking(..)
            | Fallback::Owed(_)
            | Fallback::Out(..)
            | Fallback::Works(_) => false,
        }
    }

    pub(super) fn fallback_answered(&mut self, now: Time, login: LoginId, outcome: &LoginOutcome) {
        match self.fallback {
            Fallback::Out(on, open, _) if open == login && self.end.is_none() => match outcome {
                LoginOutcome::Accepted => self.fallback = Fallback::Works(on),
                LoginOutcome::Refused { .. } | LoginOutcome::Unreachable { .. } => {
                    self.no_fallback(now);
                }
            },
            Fallback::None
            | Fallback::Ready
            | Fallback::LookOwed
            | Fallback::Looking(..)
            | Fallback::Owed(_)
            | Fallback::Out(..)
            | Fallback::Works(_) => {}
        }
    }

    /// A login that was made long ago has got no answer, or a look that was.
    pub(super) fn fallback_times_out(&mut self, now: Time) {
        let due = match self.fallback {
            Fallback::Looking(_, since) => since + CACHE_READ,
            Fallback::Out(.., since) => since + LOGIN_ROUND,
            Fallback::None
            | Fallback::Ready
            | Fallback::LookOwed
            | Fallback::Owed(_)
            | Fallback::Works(_) => return,
        };
        if now >= due && self.end.is_none() {
            self.no_fallback(now);
        }
    }

    /// A fact about it is told.
    pub(super) fn tells_fallback(
        &mut self,
        now: Time,
        notice: &FallbackNotice,
    ) -> Result<(), String> {
        match notice {
            FallbackNotice::OnInherited { .. } => self.falls_back(now, None),
            FallbackNotice::OnCached { age, .. } => self.falls_back(now, Some(*age)),
            FallbackNotice::Lasts { lasted, .. } => self.tells_borrowed(Due::Lasts(*lasted)),
            FallbackNotice::Over { lasted, because } => {
                self.tells_borrowed(Due::Over(*lasted, *because))
            }
            FallbackNotice::CacheUnwritable { .. } | FallbackNotice::CacheWritten => {
                self.cache.tells(notice)
            }
            // The end that follows is watched.
            FallbackNotice::CacheUnusable { .. } => Ok(()),
        }
    }

    /// The core starts on it.
    fn falls_back(&mut self, now: Time, age: Option<Duration>) -> Result<(), String> {
        let Fallback::Works(on) = self.fallback else {
            return Err("a start on a fallback that is not known to work".to_owned());
        };
        if self.ledger.proven().is_some() || on.age != age {
            return Err("a start on another fallback, or on one that nobody needs".to_owned());
        }
        self.fallback = Fallback::None;
        self.ledger.falls_back(on.values);
        self.requests.has_started(now);
        self.borrowed = Some(Borrowed {
            since: now,
            told: now,
            other: on.other,
            due: Due::Nothing,
        });
        Ok(())
    }

    /// What is run with is Heroku's own word from now on.
    pub(super) fn is_herokus(&mut self, now: Time, because: Because) {
        if let Some(borrowed) = &mut self.borrowed {
            borrowed.due = Due::Over(now.since(borrowed.since), because);
        }
    }

    /// A request ended: a time to say it again.
    pub(super) fn reminds(&mut self, now: Time) {
        if let Some(borrowed) = &mut self.borrowed
            && borrowed.due == Due::Nothing
            && self.adopts == Adopts::No
            && now.since(borrowed.told) >= HEARTBEAT
        {
            borrowed.told = now;
            borrowed.due = Due::Lasts(now.since(borrowed.since));
        }
    }

    fn tells_borrowed(&mut self, told: Due) -> Result<(), String> {
        let Some(borrowed) = self.borrowed.as_mut().filter(|it| it.due == told) else {
            return Err(format!("{told:?}, which is not so: {:?}", self.borrowed));
        };
        borrowed.due = Due::Nothing;
        if let Due::Over(..) = told {
            self.borrowed = None;
        }
        Ok(())
    }

    pub(super) fn check_fallback(&self) -> Result<(), String> {
        if let Some(borrowed) = self.borrowed.as_ref().filter(|it| it.due != Due::Nothing) {
            return Err(format!("{:?} is not told", borrowed.due));
        }
        match self.fallback {
            Fallback::LookOwed => Err("the cache is not looked into".to_owned()),
            Fallback::Owed(_) => Err("the fallback is not tried".to_owned()),
            Fallback::Works(_) => Err("the fallback works, and nothing is started".to_owned()),
            Fallback::None | Fallback::Ready | Fallback::Looking(..) | Fallback::Out(..) => Ok(()),
        }
    }

    fn no_fallback(&mut self, now: Time) {
        self.fallback = Fallback::None;
        self.begin_end(now, self.heard.timeout());
    }
}
