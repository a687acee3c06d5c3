//! WHAT runs: from the desired revision to instances, one at a time.
//!
//! **Invariant:** a child is stopped for a change, a person's wish, or nothing. No answer of the
//! API, good or bad, stops one by itself; that is why no method here takes a fetch's failure while
//! a child lives.

use crate::credential::Fault;

use super::change::Desired;
use super::crash::Crashes;
use super::event::{FetchFailure, LoginOutcome, SpawnError};
use super::id::{InstanceId, LoginId};
use super::inquiry::Finding;
use super::instance::{End, Instance};
use super::launch::{Cause, Instead, Launch, Stage, Why};
use super::notice::Notice;
use super::phase::{Last, Phase};
use super::start::Start;
use super::time::{Duration, Time};
use super::transition::{
    announce_retry, apply, finish, over, refuse_start, replace, restart, resume, succeed,
};
use super::turn::{Turn, Want};

/// The machine that owns every process.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) phase: Phase,
    pub(super) crashes: Crashes,
}

impl Service {
    pub(super) fn new(start_timeout: Duration) -> Self {
        Self {
            phase: Phase::Waiting(Start::new(Time::ZERO + start_timeout)),
            crashes: Crashes::default(),
        }
    }

    /// The desired revision is a new one.
    pub(super) fn on_desired(&mut self, turn: &mut Turn<'_>, desired: &Desired) {
        self.phase = match self.take() {
            Phase::Waiting(_) => Phase::Starting {
                next: Launch::new(turn, desired, Why::First),
            },
            Phase::Running { instance } => apply(turn, instance, desired, Instead::default()),
            Phase::Preparing { old, .. } | Phase::Postponed { old, .. } => {
                apply(turn, old, desired, Instead::default())
            }
            Phase::Starting { next } => match next.stage {
                Stage::Spawning => Phase::Starting { next },
                Stage::Preparing | Stage::Prepared | Stage::Failed => Phase::Starting {
                    next: Launch::new(turn, desired, next.why_on_change()),
                },
            },
            Phase::Replacing { old, next } => Phase::Replacing {
                old,
                next: Launch::new(turn, desired, next.why_on_change()),
            },
            Phase::Asking { failed, inquiry } => {
                inquiry.close(turn);
                succeed(turn, failed, desired)
            }
            Phase::AwaitingCredential { failed: ended, .. } | Phase::Pausing { ended, .. } => {
                succeed(turn, ended, desired)
            }
            Phase::BackingOff { again, .. } => {
                let cause = Cause::Change;
                Phase::Starting {
                    next: Launch::new(turn, desired, Why::Instead(Instead { cause, ..again })),
                }
            }
            phase @ (Phase::ShuttingDown { .. } | Phase::Done) => phase,
        };
    }

    /// No usable answer. Before the first child it may be the end; later it is never the child's
    /// business.
    pub(super) fn on_fetch_failed(
        &mut self,
        turn: &mut Turn<'_>,
        started_at: Time,
        failure: &FetchFailure,
    ) {
        if let Phase::Waiting(start) = &mut self.phase
            && let Some(code) = start.on_failure(turn, failure)
        {
            self.phase = over(turn, code);
        }
        self.on_answer(turn, started_at);
    }

    /// An answer came, and required variables are unusable in it: nothing can be started yet.
    pub(super) fn on_unusable(&mut self, turn: &mut Turn<'_>, faults: Vec<(String, Fault)>) {
        if let Phase::Waiting(start) = &mut self.phase {
            start.on_faults(faults);
            turn.want(Want::LookOften);
        }
    }

    pub(super) fn on_suspended(&mut self, id: InstanceId) {
        if let Some(instance) = self.instance_mut(id) {
            instance.on_suspended();
        }
    }

    pub(super) fn on_continued(&mut self, id: InstanceId) {
        if let Some(instance) = self.instance_mut(id) {
            instance.on_continued();
        }
    }

    /// A request that began at `started_at` was answered, and no new revision came of it.
    pub(super) fn on_answer(&mut self, turn: &mut Turn<'_>, started_at: Time) {
        if let Phase::Asking { inquiry, .. } = &mut self.phase {
            inquiry.on_answer(started_at);
            self.conclude(turn);
        }
    }

    pub(super) fn on_login(&mut self, turn: &mut Turn<'_>, login: LoginId, outcome: LoginOutcome) {
        if let Phase::Asking { inquiry, .. } = &mut self.phase {
            inquiry.on_login(turn, login, outcome);
            self.conclude(turn);
        }
    }

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
            Phase::Preparing { mut old, mut next } => {
                next.stage = Stage::Prepared;
                old.stop(turn);
                Phase::Replacing { old, next }
            }
            Phase::Replacing { old, mut next } => {
                next.stage = Stage::Prepared;
                Phase::Replacing { old, next }
            }
            phase @ (Phase::Waiting(_)
            | Phase::Running { .. }
            | Phase::Postponed { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown { .. }
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
                    Some(desired) => apply(turn, running, desired, Instead::default()),
                    None => Phase::Running { instance: running },
                }
            }
            Phase::ShuttingDown {
                last: Last::Spawning { next, .. },
                exit,
            } => {
                let mut last = next.into_instance(turn, pid);
                last.stop(turn);
                Phase::ShuttingDown {
                    last: Last::Ending(last),
                    exit,
                }
            }
            phase @ (Phase::Waiting(_)
            | Phase::Running { .. }
            | Phase::Preparing { .. }
            | Phase::Postponed { .. }
            | Phase::Replacing { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown { .. }
            | Phase::Done) => phase,
        };
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
            Phase::Starting { next } => match next.again() {
                None => refuse_start(turn, error),
                Some(again) => {
                    let until = announce_retry(turn, again, error, None);
                    Phase::BackingOff { again, until }
                }
            },
            Phase::Preparing { old, next } => {
                let again = next.again().unwrap_or_default();
                let until = announce_retry(turn, again, error, Some(old.child()));
                Phase::Postponed { old, again, until }
            }
            Phase::Replacing { old, mut next } => {
                announce_retry(turn, next.again().unwrap_or_default(), error, None);
                next.stage = Stage::Failed;
                Phase::Replacing { old, next }
            }
            Phase::ShuttingDown {
                last: Last::Spawning { unborn, .. },
                ..
            } => {
                turn.announce(Notice::StartFailed {
                    error,
                    retry_in: None,
                    running: None,
                });
                over(turn, unborn)
            }
            phase @ (Phase::Waiting(_)
            | Phase::Running { .. }
            | Phase::Postponed { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown { .. }
            | Phase::Done) => phase,
        };
        self.advance(turn);
    }

    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>, desired: Option<&Desired>) {
        if let Some(instance) = self.phase.instance_mut() {
            instance.on_deadline(turn);
        }
        let now = turn.now;
        self.phase = match (self.take(), desired) {
            (Phase::Postponed { old, again, until }, Some(desired)) if until <= now => {
                apply(turn, old, desired, again)
            }
            (Phase::BackingOff { again, until }, Some(desired)) if until <= now => {
                Phase::Starting {
                    next: Launch::new(turn, desired, Why::Instead(again)),
                }
            }
            (Phase::AwaitingCredential { failed, until }, _) if until <= now => {
                turn.announce(Notice::CredentialNeverCame {
                    timeout: turn.config.start_timeout,
                });
                restart(turn, &mut self.crashes, failed)
            }
            (Phase::Pausing { ended, until }, Some(desired)) if until <= now => {
                resume(turn, ended, desired)
            }
            (Phase::Waiting(start), _) => match start.expired(turn) {
                None => Phase::Waiting(start),
                Some(code) => over(turn, code),
            },
            (phase, _) => phase,
        };
        self.conclude(turn);
        self.advance(turn);
    }

    /// Leaves an inquiry that has come to something.
    fn conclude(&mut self, turn: &mut Turn<'_>) {
        let Phase::Asking { inquiry, .. } = &self.phase else {
            return;
        };
        let finding = inquiry.finding(turn.now);
        if finding == Finding::Open {
            return;
        }
        let Phase::Asking { failed, inquiry } = self.take() else {
            return;
        };
        inquiry.close(turn);
        self.phase = match finding {
            Finding::CredentialDead => {
                let timeout = turn.config.start_timeout;
                turn.announce(Notice::AwaitingCredential { timeout });
                turn.want(Want::FetchOften);
                Phase::AwaitingCredential {
                    failed,
                    until: turn.now + timeout,
                }
            }
            Finding::Open | Finding::NothingFound => {
                if let Some(End { ended, .. }) = failed.ending()
                    && !turn.config.crash.restarts(ended)
                {
                    turn.announce(Notice::NothingFound { ended });
                }
                restart(turn, &mut self.crashes, failed)
            }
        };
        self.advance(turn);
    }

    /// Moves on when what a phase waits for is there.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>) {
        self.phase = match self.take() {
            Phase::Replacing { old, next } => match old.gone() {
                Some(end) => replace(turn, old, next, end),
                None => Phase::Replacing { old, next },
            },
            Phase::ShuttingDown {
                last: Last::Ending(instance),
                exit,
            } => match instance.gone() {
                Some(end) => finish(turn, exit, end),
                None => Phase::ShuttingDown {
                    last: Last::Ending(instance),
                    exit,
                },
            },
            phase @ (Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::Preparing { .. }
            | Phase::Postponed { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown { .. }
            | Phase::Done) => phase,
        };
    }

    /// Every change of phase takes the old one out; `Done` stands in for the length of a call.
    pub(super) fn take(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Done)
    }

    /// The one place where the end of a start that is not awaited is dropped.
    fn launches(&self, instance: InstanceId, stages: &[Stage]) -> bool {
        let launch = self.phase.launching();
        launch.is_some_and(|next| next.id == instance && stages.contains(&next.stage))
    }

    /// The one place where events about an instance that is no longer ours are dropped.
    pub(super) fn instance_mut(&mut self, id: InstanceId) -> Option<&mut Instance> {
        self.phase
            .instance_mut()
            .filter(|instance| instance.id == id)
    }
}
