//! A child that is starting up: its handlers may not be installed yet, and it is told of nothing.

use crate::supervisor::config::{Config, OnChange};
use crate::supervisor::id::InstanceId;
use crate::supervisor::readiness::{Readiness, Word};
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{EXTENSION_MAX, SLACK, STRETCH_MAX};

use super::Law;
use super::child::Child;

/// How long a child may be waited for, if it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Startup {
    /// It serves, or nobody asks whether it does.
    Over,
    Until(Time),
}

/// Whether a child serves, as far as it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    None,
    /// It says so.
    Claimed,
    /// The core has told people.
    Told,
}

impl Startup {
    pub(super) fn begin(config: &Config, now: Time) -> Self {
        match config.ready {
            Readiness::None => Self::Over,
            Readiness::Notify { .. }
            | Readiness::Descriptor(_)
            | Readiness::Tcp(_)
            | Readiness::Http(_)
            | Readiness::Delay(_) => Self::Until(now + time_to_be_ready(config)),
        }
    }
}

impl Child {
    /// It says that it serves, or that it needs more time; or nothing more can be heard of it.
    pub(super) fn starts_up(&mut self, now: Time, word: &Word) {
        if *word == Word::Ready && self.service == Service::None {
            self.service = Service::Claimed;
        }
        match (self.startup, word) {
            (_, Word::Ready | Word::Silent(_)) => self.startup = Startup::Over,
            (Startup::Until(until), Word::ExtendTimeout(by)) if now < until => {
                let later = (now + (*by).min(EXTENSION_MAX)).min(self.since + STRETCH_MAX);
                self.startup = Startup::Until(until.max(later));
            }
            (
                Startup::Over | Startup::Until(_),
                Word::Alive
                | Word::Trip
                | Word::Stopping
                | Word::Status(_)
                | Word::NotYet(_)
                | Word::ExtendTimeout(_),
            ) => {}
        }
    }

    /// The supervisor did not run for so long: one that was still waited for has its time anew.
    pub(super) fn starts_up_anew(&mut self, now: Time, late: Duration, anew: Startup) {
        if let (Startup::Until(until), Startup::Until(again)) = (self.startup, anew)
            && until + late >= now
        {
            self.startup = Startup::Until(until.max(again));
        }
    }

    /// Whether a signal may end it that it would follow later.
    pub(super) fn is_starting_up(&self, now: Time) -> bool {
        matches!(self.startup, Startup::Until(until) if now < until)
    }
}

impl Law {
    /// The core tells people that a child serves.
    pub(super) fn is_ready(&mut self, now: Time, instance: InstanceId) -> Result<(), String> {
        let time = time_to_be_ready(&self.config);
        let waits = matches!(self.config.ready, Readiness::Delay(_));
        let child = self.child_mut(instance).filter(|child| child.lives());
        let child = child.ok_or("one that does not live is called ready")?;
        let is_due = waits && child.since + time <= now;
        if child.service != Service::Claimed && !is_due {
            return Err(format!("{instance} is called ready, and is not"));
        }
        child.service = Service::Told;
        Ok(())
    }

    /// Whether a child lives, serves, and nobody told it to end.
    pub(super) fn serves_now(&self) -> bool {
        let is_asked = self.config.ready != Readiness::None;
        let serves = |child: &Child| !is_asked || child.service == Service::Told;
        self.healthy().is_some_and(serves)
    }

    /// Whether a change that the child is only told of waits for its readiness.
    pub(super) fn waits_to_tell(&self, child: &Child, now: Time) -> bool {
        let tells = matches!(self.config.on_change, OnChange::Signal(_));
        tells
            && child.asked_for.is_none()
            && child.lives()
            && matches!(child.startup, Startup::Until(until) if now < until + SLACK)
    }
}

/// "`--ready-timeout`", or the fixed time.
pub(super) fn time_to_be_ready(config: &Config) -> Duration {
    match config.ready {
        Readiness::Delay(delay) => delay,
        Readiness::None
        | Readiness::Notify { .. }
        | Readiness::Descriptor(_)
        | Readiness::Tcp(_)
        | Readiness::Http(_) => config.ready_timeout,
    }
}
