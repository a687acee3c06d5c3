//! A child that is asked for and does not live yet.

use std::sync::Arc;

use crate::credential::Values;

use super::action::Action;
use super::change::Desired;
use super::event::SpawnError;
use super::id::{InstanceId, Revision};
use super::instance::{End, Instance};
use super::notice::{Notice, StartedFor};
use super::phase::{Last, Phase};
use super::readiness::Readiness;
use super::service::Service;
use super::time::{Duration, Time};
use super::transition::{announce_retry, apply, end, not_prepared, proceed, refuse_start, retry};
use super::turn::Turn;

/// A start on its way: laid out first, spawned when the old child is gone.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) id: InstanceId,
    pub(super) stage: Stage,
    pub(super) why: Why,
    pub(super) revision: Revision,
    pub(super) values: Arc<Values>,
    seen_at: Time,
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its program is being looked for, its environment laid out.
    Preparing,
    /// It can be spawned at once.
    Prepared,
    /// The spawn is out.
    Spawning,
    /// It cannot be started right now.
    Failed,
}

/// Why a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The first of this supervisor: when it fails, so does everything.
    First,
    /// In the place of another: when it fails, it is tried again.
    Replacement(Attempt),
}

/// One try to put a new child into another's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) cause: Cause,
    /// How many tries failed before this one.
    pub(super) failures: u32,
    /// When the other child ended.
    pub(super) dead_since: Option<Time>,
    /// Until when it waits, or waited, for what comes of a person's INT or QUIT to the other child.
    pub(super) spared_until: Option<Time>,
    pub(super) left: Left,
}

/// Whether the other child has anything left that a person could hold a change back for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Left {
    /// As far as is known its credential works.
    #[default]
    Something,
    /// It does not.
    Nothing,
}

/// What a new child that lives beside the old, and is not ready yet, was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Takeover {
    pub(super) attempt: Attempt,
    /// When the change was first seen.
    pub(super) seen_at: Time,
}

/// Why another child's place is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cause {
    /// There is a new revision.
    #[default]
    Change,
    /// Another server answers behind its unchanged URL.
    Failover {
        /// Since then.
        seen_at: Time,
    },
    /// It ended by itself, and `--restart` wants another.
    OwnEnd,
    /// Somebody asked for it.
    Asked,
}

impl Service {
    /// The next child's start lies ready in memory: now the old one may be touched.
    pub(super) fn on_prepared(&mut self, turn: &mut Turn<'_>, instance: InstanceId) {
        if !self.launches(instance, &[Stage::Preparing]) {
            return;
        }
        self.phase = match self.take() {
            Phase::Starting { mut next } => {
                next.spawn(turn);
                Phase::Starting { next }
            }
            Phase::Preparing { old, next } => proceed(turn, old, next),
            Phase::Replacing { old, mut next } => {
                next.stage = Stage::Prepared;
                Phase::Replacing { old, next }
            }
            phase @ (Phase::Waiting(_)
            | Phase::Running { .. }
            | Phase::Postponed { .. }
            | Phase::Held { .. }
            | Phase::Telling { .. }
            | Phase::Joining { .. }
            | Phase::Overlapping { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(_)
            | Phase::Done) => phase,
        };
        self.advance(turn);
    }

    pub(super) fn on_spawned(
        &mut self,
        turn: &mut Turn<'_>,
        instance: InstanceId,
        pid: u32,
        desired: Option<&Desired>,
    ) {
        if !self.launches(instance, &[Stage::Spawning]) {
            return;
        }
        self.phase = match self.take() {
            Phase::Starting { next } => {
                let running = next.into_instance(turn, pid);
                match desired {
                    Some(desired) => apply(turn, running, desired, Attempt::default()),
                    None => Phase::Running { instance: running },
                }
            }
            Phase::Joining { old, next } => self.join(turn, old, next, pid, desired),
            Phase::ShuttingDown(Last::Spawning { next, .. }) => {
                let last = next.into_instance(turn, pid);
                end(turn, last)
            }
            Phase::ShuttingDown(Last::Joining { ending, next, exit }) => {
                let new = next.born(turn, pid);
                self.dismiss(turn, new);
                Phase::ShuttingDown(Last::Ending { ending, exit })
            }
            phase @ (Phase::Waiting(_)
            | Phase::Running { .. }
            | Phase::Preparing { .. }
            | Phase::Postponed { .. }
            | Phase::Held { .. }
            | Phase::Telling { .. }
            | Phase::Overlapping { .. }
            | Phase::ShuttingDown(Last::Ending { .. } | Last::Leaving { .. })
            | Phase::Replacing { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::Done) => phase,
        };
        self.advance(turn);
    }

    pub(super) fn on_spawn_failed(
        &mut self,
        turn: &mut Turn<'_>,
        instance: InstanceId,
        error: SpawnError,
    ) {
        if !self.launches(instance, &[Stage::Preparing, Stage::Spawning]) {
            return;
        }
        self.phase = match self.take() {
            Phase::Starting { next } => match next.attempt().map(Attempt::next) {
                None => refuse_start(turn, error),
                Some(attempt) => {
                    let until = announce_retry(turn, attempt, error, None);
                    Phase::BackingOff { attempt, until }
                }
            },
            Phase::Preparing { old, next } => not_prepared(turn, old, next, error),
            Phase::Joining { old, next } => retry(turn, old, &next, error),
            Phase::Replacing { old, mut next } => {
                let attempt = next.attempt().unwrap_or_default().next();
                announce_retry(turn, attempt, error, None);
                next.stage = Stage::Failed;
                Phase::Replacing { old, next }
            }
            Phase::ShuttingDown(Last::Spawning { unborn: exit, .. }) => {
                turn.announce(Notice::StartFailed {
                    error,
                    retry_in: None,
                    running: None,
                });
                Phase::ShuttingDown(Last::Leaving { exit })
            }
            Phase::ShuttingDown(Last::Joining { ending, exit, .. }) => {
                turn.announce(Notice::StartFailed {
                    error,
                    retry_in: None,
                    running: None,
                });
                Phase::ShuttingDown(Last::Ending { ending, exit })
            }
            phase @ (Phase::Waiting(_)
            | Phase::Running { .. }
            | Phase::Postponed { .. }
            | Phase::Held { .. }
            | Phase::Telling { .. }
            | Phase::Overlapping { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(Last::Ending { .. } | Last::Leaving { .. })
            | Phase::Done) => phase,
        };
        self.advance(turn);
    }

    /// The one place where the end of a start that is not awaited is dropped.
    fn launches(&self, instance: InstanceId, stages: &[Stage]) -> bool {
        let launch = self.phase.launching();
        launch.is_some_and(|next| next.id == instance && stages.contains(&next.stage))
    }
}

impl Launch {
    /// Asks for the preparation of a child on the desired revision.
    pub(super) fn new(turn: &mut Turn<'_>, desired: &Desired, why: Why) -> Self {
        let id = turn.ids.instance();
        let mark = turn.config.mark.as_ref().map(|mark| id.mark(mark));
        let spec = &turn.config.environment;
        if why == Why::First {
            let names = spec.replaced(&desired.values, &desired.others);
            if !names.is_empty() {
                turn.announce(Notice::Replaced { names });
            }
        }
        let environment = Arc::new(spec.build(mark.as_deref(), &desired.values, &desired.others));
        turn.act(Action::Prepare {
            instance: id,
            environment,
        });
        Self {
            id,
            stage: Stage::Preparing,
            why,
            revision: desired.revision,
            values: Arc::clone(&desired.values),
            seen_at: match why {
                Why::Replacement(Attempt {
                    cause: Cause::Failover { seen_at },
                    ..
                }) => seen_at,
                Why::Replacement(_) | Why::First => desired.seen_at,
            },
        }
    }

    pub(super) fn spawn(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Spawning;
        turn.act(Action::Spawn { instance: self.id });
    }

    /// The try that this is. A first start is `None`: there is no other try.
    pub(super) fn attempt(&self) -> Option<Attempt> {
        match self.why {
            Why::First => None,
            Why::Replacement(attempt) => Some(attempt),
        }
    }

    /// Why it is started, now that there is a newer revision to start it on.
    pub(super) fn why_on_change(&self) -> Why {
        match self.why {
            Why::First => Why::First,
            Why::Replacement(attempt) => Why::Replacement(Attempt {
                cause: Cause::Change,
                ..attempt
            }),
        }
    }

    /// The old child ended then: the dead time counts from there.
    pub(super) fn follow(&mut self, end: End) {
        if let Why::Replacement(attempt) = &mut self.why {
            attempt.dead_since = Some(end.at);
        }
    }

    /// Whether it is started on what is desired.
    pub(super) fn is_for(&self, desired: &Desired) -> bool {
        *self.values == *desired.values
    }

    /// What it is started for, should it have to wait for its readiness.
    pub(super) fn takeover(&self) -> Takeover {
        Takeover {
            attempt: self.attempt().unwrap_or_default(),
            seen_at: self.seen_at,
        }
    }

    /// A person's INT or QUIT reached the other child.
    pub(super) fn spare(&mut self, turn: &Turn<'_>, old: &Instance) {
        if let Why::Replacement(attempt) = &mut self.why {
            attempt.spare(turn, old);
        }
    }

    /// Why it is started, for people.
    pub(super) fn cause(&self) -> StartedFor {
        match self.why {
            Why::First => StartedFor::First,
            Why::Replacement(attempt) => match attempt.cause {
                Cause::Change => StartedFor::Change,
                Cause::Failover { .. } => StartedFor::Failover,
                Cause::OwnEnd => StartedFor::OwnEnd,
                Cause::Asked => StartedFor::Asked,
            },
        }
    }

    /// The process lives.
    pub(super) fn into_instance(self, turn: &mut Turn<'_>, pid: u32) -> Instance {
        let (why, cause, takeover) = (self.why, self.cause(), self.takeover());
        let instance = self.born(turn, pid);
        let (dead_since, change) = match why {
            Why::First => (None, None),
            Why::Replacement(attempt) => (attempt.dead_since, takeover.change(turn.now)),
        };
        let dead_time = dead_since.map(|since| turn.now.since(since));
        turn.announce(Notice::Started {
            child: instance.child(),
            cause,
            dead_time,
            change,
        });
        instance
    }

    /// The same, and nobody is told yet.
    pub(super) fn born(self, turn: &mut Turn<'_>, pid: u32) -> Instance {
        let Self {
            id,
            revision,
            values,
            ..
        } = self;
        match turn.config.ready {
            Readiness::None | Readiness::Delay(_) => {}
            Readiness::Notify { .. }
            | Readiness::Descriptor(_)
            | Readiness::Tcp(_)
            | Readiness::Http(_) => turn.act(Action::ProbeReadiness { instance: id }),
        }
        Instance::new(id, revision, values, pid, turn.config, turn.now)
    }
}

impl Takeover {
    /// How long ago the change was first seen, when one is why.
    pub(super) fn change(&self, now: Time) -> Option<Duration> {
        match self.attempt.cause {
            Cause::Change | Cause::Failover { .. } => Some(now.since(self.seen_at)),
            Cause::OwnEnd | Cause::Asked => None,
        }
    }
}

impl Attempt {
    /// What begins the next try, this one having failed.
    pub(super) fn next(self) -> Self {
        Self {
            failures: self.failures + 1,
            ..self
        }
    }

    /// The same, as if none had failed: somebody wants it now.
    pub(super) fn afresh(self) -> Self {
        Self {
            failures: 0,
            ..self
        }
    }

    /// The same for a newer revision. The other child has been waited for all the same.
    pub(super) fn anew(self) -> Self {
        Self {
            spared_until: self.spared_until,
            ..Self::default()
        }
    }

    /// Waits for what comes of a person's INT or QUIT to the other child, if one is recent: for the
    /// first since there is something to be done. More of them (a thread dump every few seconds)
    /// never make it wait longer, or the change would be lost.
    pub(super) fn spare(&mut self, turn: &Turn<'_>, old: &Instance) {
        if self.spared_until.is_none() {
            let recent = old.interrupted_until(turn);
            self.spared_until = recent.filter(|until| *until > turn.now);
        }
    }

    /// Until when it still waits.
    pub(super) fn spared(&self, turn: &Turn<'_>) -> Option<Time> {
        self.spared_until.filter(|until| *until > turn.now)
    }
}
