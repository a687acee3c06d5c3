//! `--watchdog`: a child that is not heard of in time is aborted, and started again.

use crate::supervisor::config::Config;
use crate::supervisor::event::Ended;
use crate::supervisor::id::InstanceId;
use crate::supervisor::readiness::{Readiness, Word};
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{OVERSLEPT, SLACK};
use crate::testing::world::values::Values;

use super::Law;
use super::child::{Child, Motion, Owed};
use super::readiness::Startup;

/// What is known of a child that promised to be heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watchdog {
    /// It is not ready, or made no promise.
    Asleep,
    /// It was heard of then.
    Heard(Time),
    /// It cannot be heard of.
    Released,
    /// ABRT went out then.
    Aborted(Time),
    /// The same, and its successor can be started: its end is a part of a restart.
    Doomed(Time),
}

impl Child {
    /// When ABRT went out.
    pub(super) fn aborted(&self) -> Option<Time> {
        match self.watchdog {
            Watchdog::Aborted(at) | Watchdog::Doomed(at) => Some(at),
            Watchdog::Asleep | Watchdog::Heard(_) | Watchdog::Released => None,
        }
    }

    /// Whether its end, when it comes, was asked for by a stop. One that hung has failed.
    pub(super) fn is_dismissed(&self) -> bool {
        match self.watchdog {
            Watchdog::Aborted(_) => false,
            Watchdog::Asleep | Watchdog::Heard(_) | Watchdog::Released | Watchdog::Doomed(_) => {
                self.is_told()
            }
        }
    }

    /// "then KILL": it has the stop timeout after ABRT.
    pub(super) fn abort_due(&self, config: &Config) -> Option<Time> {
        self.aborted().map(|at| at + config.stop.timeout())
    }

    /// ABRT: only to one that was not heard of for so long, or asked for it.
    pub(super) fn aborts(&mut self, now: Time, config: &Config) -> Result<(), String> {
        let (Watchdog::Heard(at), Some(promise)) = (self.watchdog, promise(config)) else {
            return Err("ABRT to a child that promised nothing".to_owned());
        };
        let asked = self.owed == Owed::Abort;
        if self.is_told() || (self.motion == Motion::Suspended && !asked) {
            return Err("ABRT to a child that cannot be heard of".to_owned());
        }
        if !asked && now < at + promise {
            return Err("ABRT to a child that was heard of".to_owned());
        }
        self.owed = match self.motion {
            Motion::Runs => Owed::Nothing,
            Motion::Suspended => Owed::Cont,
        };
        (self.interrupted, self.interrupts) = (None, 0);
        self.watchdog = Watchdog::Aborted(now);
        Ok(())
    }

    pub(super) fn check_watchdog(&self, now: Time, config: &Config) -> Result<(), String> {
        match (self.watchdog, promise(config)) {
            (Watchdog::Heard(at), Some(promise))
                if self.lives() && !self.is_told() && self.motion == Motion::Runs =>
            {
                if now > at + promise + SLACK {
                    return Err(format!("{} hangs, and nothing is done", self.id));
                }
            }
            (
                Watchdog::Asleep | Watchdog::Released | Watchdog::Aborted(_) | Watchdog::Doomed(_),
                _,
            )
            | (Watchdog::Heard(_), _) => {}
        }
        Ok(())
    }

    /// While it was stopped it could not be heard of.
    pub(super) fn heard(&mut self, now: Time) {
        if let Watchdog::Heard(at) = &mut self.watchdog {
            *at = now;
        }
    }
}

impl Law {
    /// What a child says matters to its watchdog.
    pub(super) fn said_to_watchdog(&mut self, now: Time, instance: InstanceId, word: &Word) {
        let promised = promise(&self.config).is_some();
        let Some(child) = self.child_mut(instance) else {
            return;
        };
        child.starts_up(now, word);
        let promised = promised && child.lives() && !child.is_told();
        match (word, child.watchdog) {
            (Word::Ready, Watchdog::Asleep) if promised => child.watchdog = Watchdog::Heard(now),
            (Word::Alive, _) => child.heard(now),
            (Word::Trip, Watchdog::Heard(_)) if promised => child.owed = Owed::Abort,
            (Word::Silent(_), Watchdog::Asleep | Watchdog::Heard(_)) => {
                child.watchdog = Watchdog::Released;
            }
            (
                Word::Ready
                | Word::Silent(_)
                | Word::NotYet(_)
                | Word::Trip
                | Word::Stopping
                | Word::Status(_)
                | Word::ExtendTimeout(_),
                _,
            ) => {}
        }
    }

    /// The supervisor woke so late: what a child has to tell by a certain time begins anew.
    pub(in crate::testing::world) fn overslept(&mut self, now: Time, late: Duration) {
        if late < OVERSLEPT {
            return;
        }
        if let Some(end) = &mut self.end {
            end.overslept(late);
        }
        let anew = Startup::begin(&self.config, now);
        for child in self.child.iter_mut().chain(self.beside.child_mut()) {
            child.heard(now);
            child.asked = now;
            child.starts_up_anew(now, late, anew);
        }
    }

    /// The leader goes on.
    pub(super) fn continued(&mut self, now: Time, instance: InstanceId) {
        self.suspended(instance, false);
        if let Some(child) = self.child_mut(instance) {
            child.heard(now);
        }
    }

    /// Not even KILL ended it. One that hung and served has failed.
    pub(super) fn gives_up(&mut self, now: Time, instance: InstanceId) -> Result<(), String> {
        let serves = self.child.as_ref().is_some_and(|main| main.id == instance);
        let goes_on = self.end.is_none();
        let Some(child) = self.child_mut(instance) else {
            return Err("a tree is given up, and there was none".to_owned());
        };
        let fails = serves && goes_on && child.lives() && !child.is_dismissed();
        child.given_up(now)?;
        let values = child.values;
        if fails && !self.succeeded(now, false) {
            self.failed(now, values, Ended::Signal(Signal::KILL));
        }
        Ok(())
    }

    /// "Readiness lost never restarts by itself, except a missed watchdog": whatever `--restart`
    /// says.
    pub(super) fn is_followed(&self, how: Ended) -> bool {
        let hung = self
            .child
            .as_ref()
            .is_some_and(|child| child.aborted().is_some());
        hung || self.crashes.follows(how)
    }

    /// A successor is prepared with these: the end of one that hangs is a part of that.
    pub(super) fn dooms(&mut self, successor: Values) {
        if let Some(child) = self.child.as_mut().filter(|child| child.lives())
            && let Watchdog::Aborted(at) = child.watchdog
            && !child.suits(successor)
        {
            child.watchdog = Watchdog::Doomed(at);
        }
    }
}

fn promise(config: &Config) -> Option<Duration> {
    match config.ready {
        Readiness::Notify { watchdog } => watchdog,
        Readiness::None
        | Readiness::Descriptor(_)
        | Readiness::Tcp(_)
        | Readiness::Http(_)
        | Readiness::Delay(_) => None,
    }
}
