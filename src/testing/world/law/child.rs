//! What may be done to a child, and what must be: signals, the stop sequence, the sweep.

use crate::supervisor::command::Force;
use crate::supervisor::config::{Config, LeftoverPolicy};
use crate::supervisor::event::{Ended, Leftovers};
use crate::supervisor::id::InstanceId;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::Time;
use crate::testing::world::bounds::{SLACK, SWEEP, UNKILLABLE};
use crate::testing::world::values::Values;

use super::Planned;
use super::lists::Lists;
use super::readiness::{Service, Startup};
use super::watchdog::Watchdog;

/// The newest instance, as the supervisor's events and actions tell of it.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) id: InstanceId,
    pub(super) values: Values,
    pub(super) revision: u32,
    /// When another server was proven behind its unchanged URL.
    pub(super) failed_over: Option<Time>,
    /// Its replacement waits until then, on that revision.
    pub(super) failover_waits: Option<(Time, u32)>,
    /// Somebody asked for another in its place.
    pub(super) asked_for: Option<Force>,
    pub(super) since: Time,
    /// Its time to be ready began then.
    pub(super) asked: Time,
    /// A person's INT or QUIT reached it, before anybody told it to stop.
    pub(super) interrupted: Option<Time>,
    pub(super) stop: Option<Steps>,
    pub(super) ended: Option<End>,
    /// Nothing of it is left, or nothing that could be ended.
    pub(super) gone: Option<Time>,
    pub(super) motion: Motion,
    /// INTs that came while it was stopping, or what it left.
    pub(super) interrupts: u32,
    pub(super) killed: Option<Time>,
    swept: Option<Time>,
    pub(super) owed: Owed,
    /// A stranger's signal that it must get in this very step.
    forward: Option<Signal>,
    pub(super) startup: Startup,
    pub(super) service: Service,
    pub(super) watchdog: Watchdog,
    pub(super) lists: Option<Lists>,
}

/// How far the stop sequence has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    pub(super) since: Time,
    last: Time,
    taken: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    pub(super) at: Time,
    pub(super) how: Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Motion {
    Runs,
    Suspended,
}

/// What the supervisor must do in this very step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    Nothing,
    /// CONT, after a stop signal to a suspended leader.
    Cont,
    /// TERM to all that is left.
    Sweep,
    /// KILL, after a second INT.
    Kill,
    /// The first stop signal: another child has taken its place, or it is not wanted.
    Stop,
    /// ABRT: it asks to be treated as hung.
    Abort,
}

impl Child {
    pub(super) fn new(planned: Planned, since: Time, config: &Config) -> Self {
        Self {
            id: planned.instance,
            values: planned.values,
            revision: planned.revision,
            failed_over: None,
            failover_waits: None,
            asked_for: None,
            since,
            asked: since,
            startup: Startup::begin(config, since),
            service: Service::None,
            interrupted: None,
            stop: None,
            ended: None,
            gone: None,
            motion: Motion::Runs,
            interrupts: 0,
            killed: None,
            swept: None,
            owed: Owed::Nothing,
            forward: None,
            watchdog: Watchdog::Asleep,
            lists: None,
        }
    }

    /// Whether it has these values, and the server that they have led to since, and nobody asked
    /// for another.
    pub(super) fn suits(&self, values: Values) -> bool {
        self.values == values && self.failed_over.is_none() && self.asked_for.is_none()
    }

    /// Whether its leader was not reaped, nor given up.
    pub(super) fn lives(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether the supervisor began to end it.
    pub(super) fn is_told(&self) -> bool {
        self.stop.is_some() || self.killed.is_some() || self.aborted().is_some()
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed.is_some()
    }

    /// When the present stretch of its end began: a stop, KILL, or the sweep of what it left.
    pub(super) fn stretch(&self) -> Option<Time> {
        if self.gone.is_some() {
            return None;
        }
        let ended = self.ended.map(|end| end.at);
        self.told_at()
            .into_iter()
            .chain(self.killed)
            .chain(ended)
            .max()
    }

    /// When the supervisor began to end it.
    pub(super) fn told_at(&self) -> Option<Time> {
        let stopped = self.stop.map(|stop| stop.since);
        stopped.or(self.aborted()).or(self.killed)
    }

    pub(super) fn is_suspended(&self) -> bool {
        self.motion == Motion::Suspended
    }

    pub(super) fn suspended(&mut self, suspended: bool) {
        self.motion = if suspended {
            Motion::Suspended
        } else {
            Motion::Runs
        };
    }

    /// An INT, QUIT or a terminal's hang-up came while it was there.
    pub(super) fn interrupt(&mut self, now: Time, signal: Signal) {
        if self.gone.is_some() {
            return;
        }
        if self.lives() && !self.is_told() {
            self.interrupted = Some(now);
        } else if signal == Signal::INT && self.killed.is_none() {
            self.interrupts += 1;
            if self.aborted().is_some() {
                self.interrupted.get_or_insert(now);
            }
            if self.interrupts == 2 {
                self.owed = Owed::Kill;
            }
        }
    }

    /// It must be told to stop in this very step.
    pub(super) fn must_stop(&mut self) {
        if self.lives() && !self.is_told() {
            self.owed = Owed::Stop;
        }
    }

    /// A signal of a stranger, that belongs to it.
    pub(super) fn must_get(&mut self, signal: Signal) {
        self.forward = Some(signal);
    }

    pub(super) fn exited(
        &mut self,
        now: Time,
        how: Ended,
        left: Leftovers,
        policy: LeftoverPolicy,
    ) {
        self.ended = Some(End { at: now, how });
        if self.interrupted.is_some() && !self.is_told() {
            self.interrupts = 1;
        }
        match (left, policy) {
            (Leftovers::None, _) | (_, LeftoverPolicy::Leave) => self.gone = Some(now),
            (Leftovers::Some, LeftoverPolicy::Sweep) if self.killed.is_some() => {}
            (Leftovers::Some, LeftoverPolicy::Sweep) => self.owed = Owed::Sweep,
        }
    }

    /// The supervisor gives up what KILL did not end.
    pub(super) fn given_up(&mut self, now: Time) -> Result<(), String> {
        match self.killed {
            Some(killed) if now >= killed + UNKILLABLE => {
                let how = Ended::Signal(Signal::KILL);
                self.ended.get_or_insert(End { at: now, how });
                self.gone = Some(now);
                Ok(())
            }
            Some(_) | None => Err("a tree is given up that was not killed 5 s ago".to_owned()),
        }
    }

    /// A signal that is no stop: forwarded, or CONT. `false`: it must be something else.
    pub(super) fn takes(&mut self, signal: Signal) -> bool {
        if self.forward == Some(signal) {
            self.forward = None;
            true
        } else if self.owed == Owed::Cont && signal == Signal::CONT {
            self.owed = Owed::Nothing;
            true
        } else {
            false
        }
    }

    /// The next signal of the stop sequence: no other, not earlier.
    pub(super) fn stop_step(
        &mut self,
        now: Time,
        signal: Signal,
        config: &Config,
    ) -> Result<(), String> {
        let steps = self.stop.unwrap_or(Steps {
            since: now,
            last: now,
            taken: 0,
        });
        let Some(step) = config.stop.0.get(steps.taken) else {
            return Err(format!("{signal} after the end of the stop sequence"));
        };
        if step.signal != signal {
            return Err(format!("{signal} is not the next of the stop sequence"));
        }
        let waited = match steps
            .taken
            .checked_sub(1)
            .and_then(|before| config.stop.0.get(before))
        {
            Some(before) => now >= steps.last + before.wait,
            None => true,
        };
        if !waited || self.killed.is_some() || self.aborted().is_some() {
            return Err(format!("{signal} comes too early, or too late"));
        }
        self.stop = Some(Steps {
            since: steps.since,
            last: now,
            taken: steps.taken + 1,
        });
        self.owed = match (self.motion, self.owed) {
            (Motion::Suspended, _) => Owed::Cont,
            (Motion::Runs, Owed::Stop) => Owed::Nothing,
            (Motion::Runs, owed) => owed,
        };
        Ok(())
    }

    /// KILL: after the grace, or a second INT.
    pub(super) fn kill(&mut self, now: Time, config: &Config) -> Result<(), String> {
        if self.killed.replace(now).is_some() || self.gone.is_some() {
            return Err("KILL to what was killed, or is gone".to_owned());
        }
        if self.owed == Owed::Kill || self.interrupts >= 2 {
            self.owed = Owed::Nothing;
            return Ok(());
        }
        let due = match self.ended {
            None => self.kill_due(config),
            Some(_) => self.swept.map(|swept| swept + SWEEP),
        };
        match due {
            Some(due) if now >= due => Ok(()),
            Some(due) => Err(format!("KILL before {due}, while it has time")),
            None => Err("KILL to what nobody told to end".to_owned()),
        }
    }

    /// TERM to what the leader left.
    pub(super) fn sweep(&mut self, now: Time) -> Result<(), String> {
        if self.owed != Owed::Sweep {
            return Err("a sweep that nothing asks for".to_owned());
        }
        (self.owed, self.swept) = (Owed::Nothing, Some(now));
        Ok(())
    }

    /// Nothing is owed at the end of a step, and nothing is late.
    pub(super) fn check(&self, now: Time, config: &Config) -> Result<(), String> {
        if self.gone.is_some() {
            return Ok(());
        }
        if let Some(signal) = self.forward {
            return Err(format!("{signal} was not forwarded to {}", self.id));
        }
        if self.owed != Owed::Nothing {
            return Err(format!(
                "{}: {:?} is owed and was not done",
                self.id, self.owed
            ));
        }
        self.check_lists(now, config)?;
        self.check_watchdog(now, config)?;
        let (what, due) = match (self.killed, self.ended) {
            (Some(killed), _) => ("giving it up", Some(killed + UNKILLABLE)),
            (None, Some(_)) => (
                "KILL to what it left",
                self.swept.map(|swept| swept + SWEEP),
            ),
            (None, None) => (
                "the next stop signal",
                self.stop
                    .and_then(|stop| stop.due(config))
                    .or(self.abort_due(config)),
            ),
        };
        match due {
            Some(due) if now > due + SLACK => Err(format!("{what} was due at {due}")),
            Some(_) | None => Ok(()),
        }
    }

    fn kill_due(&self, config: &Config) -> Option<Time> {
        if let Some(due) = self.abort_due(config) {
            return Some(due);
        }
        let steps = self.stop?;
        (steps.taken == config.stop.0.len()).then(|| steps.due(config))?
    }
}

impl Steps {
    /// When the next step, or KILL, follows.
    fn due(self, config: &Config) -> Option<Time> {
        let step = config.stop.0.get(self.taken.checked_sub(1)?)?;
        Some(self.last + step.wait)
    }
}
