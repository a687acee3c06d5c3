//! The states of what runs. Variants hold only what is true then.

use std::sync::Arc;

use crate::exit_code::ExitCode;

use super::change::Protect;
use super::hold::Sentry;
use super::inquiry::Inquiry;
use super::instance::Instance;
use super::launch::{Attempt, Launch, Takeover};
use super::notice::Child;
use super::start::Start;
use super::status::ServicePhase;
use super::tell::News;
use super::time::Time;
use super::vigil::Vigil;

/// What runs, and why.
#[derive(Debug)]
pub(super) enum Phase {
    /// No child was started yet: the first good answer is awaited.
    Waiting(Start),
    /// No child lives; the next is being prepared or spawned.
    Starting { next: Launch },
    /// The child lives, and nothing else is planned.
    Running { instance: Instance },
    /// The child lives untouched while its successor is prepared.
    Preparing { old: Instance, next: Launch },
    /// The child lives untouched; its successor could not be started, or a person interrupted the
    /// child: the change is tried again at `until`.
    Postponed {
        old: Instance,
        attempt: Attempt,
        until: Time,
    },
    /// The child lives untouched, and a person holds back what is to be done about it.
    Held {
        old: Instance,
        attempt: Attempt,
        sentry: Sentry,
    },
    /// The child lives, and is told of a change as soon as it is ready, or was awaited long enough.
    Telling { child: Instance, news: News },
    /// The child lives untouched; its successor is being spawned beside it.
    Joining { old: Instance, next: Launch },
    /// The child lives untouched; its successor lives too, and is not ready yet.
    Overlapping {
        old: Instance,
        new: Instance,
        takeover: Takeover,
    },
    /// The old child is ending; the next starts when its tree is empty.
    Replacing { old: Instance, next: Launch },
    /// The child failed; its credential is asked about.
    Asking { failed: Instance, inquiry: Inquiry },
    /// The child failed because its credential died; the successor is awaited.
    AwaitingCredential { failed: Instance, vigil: Vigil },
    /// The child ended by itself; the next is started at `until`, or on a new revision.
    Pausing { ended: Instance, until: Time },
    /// No child lives; a start failed and is tried again at `until`.
    BackingOff { attempt: Attempt, until: Time },
    /// The last child is ending; nothing is started any more.
    ShuttingDown(Last),
    /// Everything is over.
    Done,
}

/// What a shutdown still waits for.
#[derive(Debug)]
pub(super) enum Last {
    /// A spawn is out; its child is stopped as soon as it is known. Should none come, the exit code
    /// is `unborn`.
    Spawning { next: Launch, unborn: ExitCode },
    /// A spawn is out, beside a child that is ending.
    Joining {
        ending: Instance,
        next: Launch,
        exit: ExitWith,
    },
    /// A child, or what it left behind.
    Ending { ending: Instance, exit: ExitWith },
    /// Only what was leaving before: no child of this exit.
    Leaving { exit: ExitCode },
}

/// The exit code at the end of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitWith {
    /// The last child's own.
    ChildsCode,
    /// This one, whatever the child's is.
    Fixed(ExitCode),
}

/// The process that a phase is about and its newcomer, borrowed as the phase is.
macro_rules! instances {
    ($phase:expr) => {
        match $phase {
            Phase::Running { instance }
            | Phase::Preparing { old: instance, .. }
            | Phase::Postponed { old: instance, .. }
            | Phase::Held { old: instance, .. }
            | Phase::Telling {
                child: instance, ..
            }
            | Phase::Joining { old: instance, .. }
            | Phase::Replacing { old: instance, .. }
            | Phase::Asking {
                failed: instance, ..
            }
            | Phase::AwaitingCredential {
                failed: instance, ..
            }
            | Phase::Pausing {
                ended: instance, ..
            }
            | Phase::ShuttingDown(
                Last::Ending {
                    ending: instance, ..
                }
                | Last::Joining {
                    ending: instance, ..
                },
            ) => (Some(instance), None),
            Phase::Overlapping { old, new, .. } => (Some(old), Some(new)),
            Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(Last::Spawning { .. } | Last::Leaving { .. })
            | Phase::Done => (None, None),
        }
    };
}

impl Phase {
    pub(super) fn name(&self) -> ServicePhase {
        match self {
            Self::Waiting(_) => ServicePhase::Waiting,
            Self::Starting { .. } => ServicePhase::Starting,
            Self::Running { .. } => ServicePhase::Running,
            Self::Preparing { .. } => ServicePhase::Preparing,
            Self::Postponed { .. } => ServicePhase::Postponed,
            Self::Held { .. } => ServicePhase::Held,
            Self::Telling { .. } => ServicePhase::Telling,
            Self::Joining { .. } => ServicePhase::Joining,
            Self::Overlapping { .. } => ServicePhase::Overlapping,
            Self::Replacing { .. } => ServicePhase::Replacing,
            Self::Asking { .. } => ServicePhase::Asking,
            Self::AwaitingCredential { .. } => ServicePhase::AwaitingCredential,
            Self::Pausing { .. } => ServicePhase::Pausing,
            Self::BackingOff { .. } => ServicePhase::BackingOff,
            Self::ShuttingDown(_) => ServicePhase::ShuttingDown,
            Self::Done => ServicePhase::Done,
        }
    }

    /// Whether nothing will be started any more.
    pub(super) fn is_ending(&self) -> bool {
        match self {
            Self::ShuttingDown(_) | Self::Done => true,
            Self::Waiting(_)
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Preparing { .. }
            | Self::Postponed { .. }
            | Self::Held { .. }
            | Self::Telling { .. }
            | Self::Joining { .. }
            | Self::Overlapping { .. }
            | Self::Replacing { .. }
            | Self::Asking { .. }
            | Self::AwaitingCredential { .. }
            | Self::Pausing { .. }
            | Self::BackingOff { .. } => false,
        }
    }

    /// Whether a healthy child must be protected from unproven values.
    pub(super) fn protect(&self) -> Protect {
        match self.untouched() {
            Some(child) => Protect::Child {
                child: child.child(),
                values: Arc::clone(&child.values),
            },
            None => Protect::Nothing,
        }
    }

    /// The child that serves, and that nobody has told to end.
    pub(super) fn untouched(&self) -> Option<&Instance> {
        match self {
            Self::Running { instance: child }
            | Self::Preparing { old: child, .. }
            | Self::Postponed { old: child, .. }
            | Self::Held { old: child, .. }
            | Self::Telling { child, .. }
            | Self::Joining { old: child, .. }
            | Self::Overlapping { old: child, .. }
                if child.is_untouched() =>
            {
                Some(child)
            }
            Self::Running { .. }
            | Self::Preparing { .. }
            | Self::Postponed { .. }
            | Self::Held { .. }
            | Self::Telling { .. }
            | Self::Joining { .. }
            | Self::Overlapping { .. }
            | Self::Waiting(_)
            | Self::Starting { .. }
            | Self::Replacing { .. }
            | Self::Asking { .. }
            | Self::AwaitingCredential { .. }
            | Self::Pausing { .. }
            | Self::BackingOff { .. }
            | Self::ShuttingDown(_)
            | Self::Done => None,
        }
    }

    /// The child that runs right now, if one does.
    pub(super) fn running(&self) -> Option<Child> {
        self.instance()
            .filter(|instance| instance.lives())
            .map(Instance::child)
    }

    /// Its own, without those of its processes.
    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Self::Waiting(start) => start.deadline(),
            Self::Asking { inquiry, .. } => Some(inquiry.deadline()),
            Self::AwaitingCredential { vigil, .. } => Some(vigil.deadline()),
            Self::Held { sentry, .. } => Some(sentry.deadline()),
            Self::Postponed { until, .. }
            | Self::Pausing { until, .. }
            | Self::BackingOff { until, .. } => Some(*until),
            Self::Starting { .. }
            | Self::Running { .. }
            | Self::Preparing { .. }
            | Self::Telling { .. }
            | Self::Joining { .. }
            | Self::Overlapping { .. }
            | Self::Replacing { .. }
            | Self::ShuttingDown(_)
            | Self::Done => None,
        }
    }

    /// The process of this phase, alive or not quite gone.
    pub(super) fn instance(&self) -> Option<&Instance> {
        instances!(self).0
    }

    /// The process of this phase and its newcomer, to be changed.
    pub(super) fn instances_mut(&mut self) -> (Option<&mut Instance>, Option<&mut Instance>) {
        instances!(self)
    }

    /// The child that is asked for and does not live yet.
    pub(super) fn launching(&self) -> Option<&Launch> {
        match self {
            Self::Starting { next }
            | Self::Preparing { next, .. }
            | Self::Joining { next, .. }
            | Self::Replacing { next, .. }
            | Self::ShuttingDown(Last::Spawning { next, .. } | Last::Joining { next, .. }) => {
                Some(next)
            }
            Self::Waiting(_)
            | Self::Running { .. }
            | Self::Postponed { .. }
            | Self::Held { .. }
            | Self::Telling { .. }
            | Self::Overlapping { .. }
            | Self::Asking { .. }
            | Self::AwaitingCredential { .. }
            | Self::Pausing { .. }
            | Self::BackingOff { .. }
            | Self::ShuttingDown(Last::Ending { .. } | Last::Leaving { .. })
            | Self::Done => None,
        }
    }

    /// The child that is to take the other one's place, and is not ready yet.
    pub(super) fn newcomer(&self) -> Option<&Instance> {
        instances!(self).1
    }
}

impl Last {
    /// A stop that a person asks for is no longer one that asks for a new start.
    pub(super) fn asked_for(mut self) -> Self {
        if let Self::Ending { exit, .. } | Self::Joining { exit, .. } = &mut self
            && *exit == ExitWith::Fixed(ExitCode::Changed)
        {
            *exit = ExitWith::ChildsCode;
        }
        self
    }
}
