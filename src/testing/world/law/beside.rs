//! `--order start-first`: the second instance's account. One that is not ready yet, or one that was
//! told to end; never both, and never a third.

use crate::supervisor::config::Order;
use crate::supervisor::event::{Ended, Event, Leftovers};
use crate::supervisor::id::InstanceId;
use crate::supervisor::readiness::{Readiness, Word};
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{ROLLBACK_MAX, SLACK};
use crate::testing::world::values::Values;

use super::child::Child;
use super::end::Why;
use super::readiness::time_to_be_ready;
use super::{Launch, Law, Planned};

/// The instance beside the one that serves.
#[derive(Debug)]
pub(super) enum Beside {
    None,
    Newcomer(Newcomer),
    /// It makes room, or was not wanted.
    Leaving(Child),
}

/// It lives, and is not ready yet.
#[derive(Debug)]
pub(super) struct Newcomer {
    child: Child,
    planned: Planned,
    wish: Wish,
}

/// What the world's people make of a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Wanted,
    /// It must be told to stop in this very step.
    Unwanted,
}

impl Beside {
    pub(super) fn child(&self) -> Option<&Child> {
        match self {
            Self::None => None,
            Self::Newcomer(Newcomer { child, .. }) | Self::Leaving(child) => Some(child),
        }
    }

    pub(super) fn child_mut(&mut self) -> Option<&mut Child> {
        match self {
            Self::None => None,
            Self::Newcomer(Newcomer { child, .. }) | Self::Leaving(child) => Some(child),
        }
    }

    pub(super) fn newcomer_mut(&mut self) -> Option<&mut Child> {
        match self {
            Self::Newcomer(Newcomer { child, .. }) => Some(child),
            Self::None | Self::Leaving(_) => None,
        }
    }

    pub(super) fn newcomer_planned(&self) -> Option<Planned> {
        match self {
            Self::Newcomer(Newcomer { planned, .. }) => Some(*planned),
            Self::None | Self::Leaving(_) => None,
        }
    }

    pub(super) fn leaving_mut(&mut self) -> Option<&mut Child> {
        match self {
            Self::Leaving(child) => Some(child),
            Self::None | Self::Newcomer(_) => None,
        }
    }

    /// Whether a newcomer is there, and with what.
    pub(super) fn newcomes_with(&self) -> Option<Values> {
        match self {
            Self::Newcomer(Newcomer { child, .. }) => Some(child.values),
            Self::None | Self::Leaving(_) => None,
        }
    }

    /// Whether it is still there.
    pub(super) fn is_there(&self) -> bool {
        self.child().is_some_and(|child| child.gone.is_none())
    }

    /// Whoever is there must be told to stop.
    pub(super) fn unwanted(&mut self) {
        if let Self::Newcomer(newcomer) = self {
            newcomer.wish = Wish::Unwanted;
        }
    }

    /// It stays until the end of the step, even if it is gone already.
    fn leave(&mut self, child: Child) {
        *self = Self::Leaving(child);
    }
}

impl Law {
    /// A child was spawned: in the other one's place, or beside it.
    pub(super) fn born(&mut self, now: Time, planned: Planned) -> Result<(), String> {
        let child = Child::new(planned, now, &self.config);
        if planned.beside {
            let spared = self.is_spared(now) || self.holds();
            if spared {
                self.puts_off(planned);
            }
            let wish = if self.end.is_some() || spared {
                Wish::Unwanted
            } else {
                Wish::Wanted
            };
            if self.beside.is_there() {
                return Err("three instances at once".to_owned());
            }
            self.beside = Beside::Newcomer(Newcomer {
                child,
                planned,
                wish,
            });
            return Ok(());
        }
        let before = self.child.replace(child).and_then(|before| before.ended);
        self.last_end = before.map(|end| end.at).or(self.last_end);
        Ok(())
    }

    /// Once the newcomer is ready it serves, if it still may; one that never will be is given up.
    pub(super) fn said(&mut self, now: Time, instance: InstanceId, word: &Word) {
        self.said_to_watchdog(now, instance, word);
        let Beside::Newcomer(Newcomer { child, wish, .. }) = &self.beside else {
            return;
        };
        if child.id != instance || *wish == Wish::Unwanted {
            return;
        }
        match word {
            Word::Ready => self.switch(),
            Word::Silent(_) => self.roll_back(now),
            Word::Stopping
            | Word::Status(_)
            | Word::NotYet(_)
            | Word::ExtendTimeout(_)
            | Word::Alive
            | Word::Trip => {}
        }
    }

    /// The one that served makes room.
    fn switch(&mut self) {
        let Beside::Newcomer(Newcomer { child, .. }) =
            std::mem::replace(&mut self.beside, Beside::None)
        else {
            return;
        };
        if let Some(mut before) = self.child.replace(child) {
            before.must_stop();
            self.beside.leave(before);
        }
    }

    /// The second instance ended; `false`: it is another one.
    pub(super) fn exited_beside(
        &mut self,
        now: Time,
        instance: InstanceId,
        how: Ended,
        left: Leftovers,
    ) -> bool {
        let policy = self.config.leftovers;
        let Some(child) = self
            .beside
            .child_mut()
            .filter(|child| child.id == instance && child.lives())
        else {
            return false;
        };
        child.exited(now, how, left, policy);
        match &self.beside {
            Beside::Newcomer(_) => self.roll_back(now),
            Beside::Leaving(_) | Beside::None => {}
        }
        true
    }

    /// The one that serves ended, beside a newcomer or while one is being spawned: `true`, unless
    /// a person wanted it.
    pub(super) fn succeeded(&mut self, now: Time, interrupted: bool) -> bool {
        let spawning = match &mut self.launch {
            Launch::Spawning(planned) if planned.beside => Some(planned),
            Launch::Spawning(_)
            | Launch::None
            | Launch::Preparing(_)
            | Launch::Prepared(_)
            | Launch::Failed { .. } => None,
        };
        let newcomer = matches!(self.beside, Beside::Newcomer(_));
        if spawning.is_none() && !newcomer {
            return false;
        }
        if interrupted {
            self.begin_end(now, Why::ChildsOwn);
        } else if let Some(planned) = spawning {
            planned.beside = false;
            self.last_end = Some(now);
            self.adopts = self.ledger.drop_guard();
            if let Some(before) = self.child.take() {
                self.beside.leave(before);
            }
        } else {
            self.switch();
        }
        true
    }

    /// "If the new one dies or misses its deadline: stop and sweep it, keep the old if it lives,
    /// try again after a backoff that grows to 15 minutes".
    fn roll_back(&mut self, now: Time) {
        let Beside::Newcomer(Newcomer {
            mut child, planned, ..
        }) = std::mem::replace(&mut self.beside, Beside::None)
        else {
            return;
        };
        self.launch = Launch::Failed {
            at: now,
            failures: planned.failures + 1,
            revision: planned.revision,
            longest: self.config.crash.backoff.max.max(ROLLBACK_MAX),
        };
        child.must_stop();
        self.beside.leave(child);
    }

    /// The core says that the newcomer is given up for now.
    pub(super) fn rolls_back(&mut self, now: Time, retry_in: Duration) -> Result<(), String> {
        if let Beside::Newcomer(Newcomer { child, .. }) = &self.beside {
            if now < child.asked + time_to_be_ready(&self.config) {
                return Err("the new child is given up before its time".to_owned());
            }
            self.roll_back(now);
        }
        let Launch::Failed {
            at,
            failures,
            longest,
            ..
        } = self.launch
        else {
            return Err("a child is given up that was not there".to_owned());
        };
        let owed = self.config.crash.backoff.min * (1 << (failures - 1).min(20));
        if at == now && retry_in == owed.min(longest) {
            Ok(())
        } else {
            Err(format!("a rollback for {retry_in:?}, not {owed:?}"))
        }
    }

    /// A signal to the second instance.
    pub(super) fn signals_beside(&mut self, now: Time, signal: Signal) -> Result<(), String> {
        let (proven, is_ending) = (self.ledger.proven(), self.end.is_some());
        let Some(child) = self.beside.child_mut() else {
            return Err(format!("{signal} to nobody"));
        };
        if child.takes(signal) {
            return Ok(());
        }
        if let Beside::Newcomer(Newcomer {
            child: newcomer,
            wish,
            ..
        }) = &self.beside
        {
            let superseded = proven != Some(newcomer.values);
            if *wish == Wish::Wanted && !superseded && !is_ending {
                return Err(format!("{signal} to a new child that is wanted"));
            }
            let Beside::Newcomer(Newcomer { child, .. }) =
                std::mem::replace(&mut self.beside, Beside::None)
            else {
                return Ok(());
            };
            self.beside.leave(child);
        }
        let Some(child) = self.beside.leaving_mut() else {
            return Err(format!("{signal} to nobody"));
        };
        if signal == Signal::KILL {
            child.kill(now, &self.config)
        } else {
            child.stop_step(now, signal, &self.config)
        }
    }

    /// The one that serves is told to stop: after a fixed time the newcomer serves by itself.
    pub(super) fn may_switch(&mut self, now: Time) -> bool {
        let Beside::Newcomer(Newcomer {
            child,
            wish: Wish::Wanted,
            ..
        }) = &self.beside
        else {
            return false;
        };
        let passed = match self.config.ready {
            Readiness::Delay(delay) => now >= child.asked + delay,
            Readiness::None
            | Readiness::Notify { .. }
            | Readiness::Descriptor(_)
            | Readiness::Tcp(_)
            | Readiness::Http(_) => false,
        };
        if passed {
            self.switch();
        }
        passed
    }

    /// After every step.
    pub(super) fn check_beside(&mut self, now: Time) -> Result<(), String> {
        if let Some(child) = self.beside.child() {
            child.check(now, &self.config)?;
        }
        match &self.beside {
            Beside::None => {}
            Beside::Leaving(child) if child.gone.is_some() => self.beside = Beside::None,
            Beside::Leaving(child) if child.lives() && !child.is_told() => {
                return Err("a child that has to leave was not told".to_owned());
            }
            Beside::Leaving(_) => {}
            Beside::Newcomer(Newcomer { child, wish, .. }) => {
                let superseded = self.ledger.proven() != Some(child.values);
                if *wish == Wish::Unwanted || superseded {
                    return Err("a new child that nobody wants was not stopped".to_owned());
                }
                if now > child.asked + time_to_be_ready(&self.config) + SLACK {
                    return Err("a new child is waited for too long".to_owned());
                }
            }
        }
        Ok(())
    }

    /// Whether an event tells of the second instance.
    pub(in crate::testing::world) fn is_about_beside(&self, event: &Event) -> bool {
        match event {
            Event::Said { instance, .. }
            | Event::Exited { instance, .. }
            | Event::TreeEmpty { instance }
            | Event::TreeListed { instance, .. }
            | Event::Stopped { instance }
            | Event::Continued { instance } => self.is_beside(*instance),
            Event::Fetched { .. }
            | Event::LoginChecked { .. }
            | Event::Connection { .. }
            | Event::Prepared { .. }
            | Event::Spawned { .. }
            | Event::SpawnFailed { .. }
            | Event::CacheRead { .. }
            | Event::CacheWritten { .. }
            | Event::Signal { .. }
            | Event::Command { .. }
            | Event::Resumed
            | Event::Webhook
            | Event::Wake => false,
        }
    }

    /// The child that lives, and that nobody told to make room: it may be hanging.
    pub(super) fn serving(&self) -> Option<&Child> {
        let child = self.child.as_ref();
        child.filter(|child| child.lives() && !child.is_dismissed())
    }

    /// The child that lives, and that nobody told to end.
    pub(super) fn healthy(&self) -> Option<&Child> {
        let child = self.child.as_ref();
        child.filter(|child| child.lives() && !child.is_told())
    }

    /// One of the two.
    pub(super) fn child_mut(&mut self, instance: InstanceId) -> Option<&mut Child> {
        let all = self.child.iter_mut().chain(self.beside.child_mut());
        all.into_iter().find(|child| child.id == instance)
    }

    /// One of the two, to look at.
    pub(super) fn child(&self, instance: InstanceId) -> Option<&Child> {
        let mut all = self.child.iter().chain(self.beside.child());
        all.find(|child| child.id == instance)
    }

    /// Whether this is the second instance.
    pub(super) fn is_beside(&self, instance: InstanceId) -> bool {
        self.beside
            .child()
            .is_some_and(|child| child.id == instance)
    }

    /// Whether two instances may live at once.
    pub(super) fn starts_first(&self) -> bool {
        self.config.order == Order::StartFirst
    }
}
