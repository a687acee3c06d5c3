//! Who is still alive: asked while an end takes long, rarely enough, and told only then.

use crate::supervisor::config::Config;
use crate::supervisor::event::Alive;
use crate::supervisor::id::InstanceId;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{LOOK_SLOW, LOOK_SOON, SLACK};

use super::Law;
use super::actions::of_pid;
use super::child::Child;

/// The questions about one stretch of an end: a stop, a sweep, a KILL.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lists {
    began: Time,
    due: Time,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Quiet,
    /// The answer is awaited.
    Out,
    /// It is here, and must be told in this very step.
    Owed,
}

impl Law {
    /// Whether the core waits for this list.
    pub(in crate::testing::world) fn awaits_list(&self, instance: InstanceId) -> bool {
        self.child(instance).is_some_and(|child| {
            child.lists(&self.config).map(|lists| lists.state) == Some(State::Out)
        })
    }

    pub(super) fn listed(&mut self, now: Time, instance: InstanceId, alive: &Alive) {
        if !self.awaits_list(instance) {
            return;
        }
        let config = self.config.clone();
        if let Some(child) = self.child_mut(instance)
            && let Some(mut lists) = child.lists(&config)
        {
            lists.due = now + now.since(lists.began);
            lists.state = if alive.count > 0 {
                State::Owed
            } else {
                State::Quiet
            };
            child.lists = Some(lists);
        }
    }

    /// The core asks.
    pub(super) fn asks_list(&mut self, now: Time, instance: InstanceId) -> Result<(), String> {
        let config = self.config.clone();
        let Some(child) = self.child_mut(instance) else {
            return Err(format!("{instance} is listed, which is not there"));
        };
        let Some(mut lists) = child.lists(&config) else {
            return Err(format!("{instance} is listed, and nobody told it to end"));
        };
        if lists.state != State::Quiet || now < lists.due {
            return Err(format!("{instance} is listed again too soon"));
        }
        lists.state = State::Out;
        child.lists = Some(lists);
        Ok(())
    }

    /// The core tells.
    pub(super) fn tells_list(
        &mut self,
        now: Time,
        pid: u32,
        after: Duration,
    ) -> Result<(), String> {
        let config = self.config.clone();
        if let Some(child) = self.child_mut(of_pid(pid))
            && let Some(mut lists) = child.lists(&config)
            && lists.state == State::Owed
            && after == now.since(lists.began)
        {
            lists.state = State::Quiet;
            child.lists = Some(lists);
            return Ok(());
        }
        Err("it is told who is alive, and nobody has just said so".to_owned())
    }
}

impl Child {
    /// The questions about the stretch of now; each stretch has its own.
    fn lists(&self, config: &Config) -> Option<Lists> {
        let began = self.stretch()?;
        let fresh = Lists {
            began,
            due: began + self.patience(config),
            state: State::Quiet,
        };
        Some(
            self.lists
                .filter(|lists| lists.began == began)
                .unwrap_or(fresh),
        )
    }

    /// "a list after 5 s, or a quarter of the stop timeout, and 1 s at least"
    fn patience(&self, config: &Config) -> Duration {
        if self.lives() && !self.is_killed() {
            (config.stop.timeout() / 4).clamp(LOOK_SOON, LOOK_SLOW)
        } else {
            LOOK_SOON
        }
    }

    /// Nobody waits in the dark.
    pub(super) fn check_lists(&self, now: Time, config: &Config) -> Result<(), String> {
        match self.lists(config) {
            Some(Lists {
                state: State::Owed, ..
            }) => Err("it is known who is still alive, and not told".to_owned()),
            Some(Lists {
                state: State::Quiet,
                due,
                ..
            }) if now > due + SLACK => Err(format!("a list was due at {due}")),
            Some(_) | None => Ok(()),
        }
    }
}
