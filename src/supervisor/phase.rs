//! The states of what runs. Variants hold only what is true then.

use crate::exit_code::ExitCode;

use super::change::Protect;
use super::inquiry::Inquiry;
use super::instance::Instance;
use super::launch::{Instead, Launch};
use super::notice::Child;
use super::start::Start;
use super::status::ServicePhase;
use super::time::Time;

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
    /// The child lives untouched; its successor could not be prepared and is tried again at
    /// `until`.
    Postponed {
        old: Instance,
        again: Instead,
        until: Time,
    },
    /// The old child is ending; the next starts when its tree is empty.
    Replacing { old: Instance, next: Launch },
    /// The child failed; its credential is asked about.
    Asking { failed: Instance, inquiry: Inquiry },
    /// The child failed because its credential died; the successor is awaited until `until`.
    AwaitingCredential { failed: Instance, until: Time },
    /// The child ended by itself; the next is started at `until`, or on a new revision.
    Pausing { ended: Instance, until: Time },
    /// No child lives; a start failed and is tried again at `until`.
    BackingOff { again: Instead, until: Time },
    /// The last child is ending; nothing is started any more.
    ShuttingDown { last: Last, exit: ExitWith },
    /// Everything is over.
    Done,
}

/// What a shutdown still waits for.
#[derive(Debug)]
pub(super) enum Last {
    /// A spawn is out; its child is stopped as soon as it is known. Should none come, the exit code
    /// is `unborn`.
    Spawning { next: Launch, unborn: ExitCode },
    /// A child, or what it left behind.
    Ending(Instance),
}

/// The exit code at the end of a shutdown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExitWith {
    /// The last child's own.
    ChildsCode,
    /// This one, whatever the child's is.
    Fixed(ExitCode),
}

impl Phase {
    pub(super) fn name(&self) -> ServicePhase {
        match self {
            Self::Waiting(_) => ServicePhase::Waiting,
            Self::Starting { .. } => ServicePhase::Starting,
            Self::Running { .. } => ServicePhase::Running,
            Self::Preparing { .. } => ServicePhase::Preparing,
            Self::Postponed { .. } => ServicePhase::Postponed,
            Self::Replacing { .. } => ServicePhase::Replacing,
            Self::Asking { .. } => ServicePhase::Asking,
            Self::AwaitingCredential { .. } => ServicePhase::AwaitingCredential,
            Self::Pausing { .. } => ServicePhase::Pausing,
            Self::BackingOff { .. } => ServicePhase::BackingOff,
            Self::ShuttingDown { .. } => ServicePhase::ShuttingDown,
            Self::Done => ServicePhase::Done,
        }
    }

    /// Whether nothing will be started any more.
    pub(super) fn is_ending(&self) -> bool {
        match self {
            Self::ShuttingDown { .. } | Self::Done => true,
            Self::Waiting(_)
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Preparing { .. }
            | Self::Postponed { .. }
            | Self::Replacing { .. }
            | Self::Asking { .. }
            | Self::AwaitingCredential { .. }
            | Self::Pausing { .. }
            | Self::BackingOff { .. } => false,
        }
    }

    /// Whether a healthy child must be protected from unproven values.
    pub(super) fn protect(&self) -> Protect {
        match self {
            Self::Running { instance: child }
            | Self::Preparing { old: child, .. }
            | Self::Postponed { old: child, .. } => Protect::Child(child.child()),
            Self::Waiting(_)
            | Self::Starting { .. }
            | Self::Replacing { .. }
            | Self::Asking { .. }
            | Self::AwaitingCredential { .. }
            | Self::Pausing { .. }
            | Self::BackingOff { .. }
            | Self::ShuttingDown { .. }
            | Self::Done => Protect::Nothing,
        }
    }

    /// The child that runs right now, if one does.
    pub(super) fn running(&self) -> Option<Child> {
        self.instance()
            .filter(|instance| instance.lives())
            .map(Instance::child)
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let instance = self.instance().and_then(Instance::deadline);
        let own = match self {
            Self::Waiting(start) => Some(start.deadline()),
            Self::Asking { inquiry, .. } => Some(inquiry.deadline()),
            Self::Postponed { until, .. }
            | Self::AwaitingCredential { until, .. }
            | Self::Pausing { until, .. }
            | Self::BackingOff { until, .. } => Some(*until),
            Self::Starting { .. }
            | Self::Running { .. }
            | Self::Preparing { .. }
            | Self::Replacing { .. }
            | Self::ShuttingDown { .. }
            | Self::Done => None,
        };
        own.into_iter().chain(instance).min()
    }

    /// The process of this phase, alive or not quite gone.
    pub(super) fn instance(&self) -> Option<&Instance> {
        match self {
            Self::Running { instance }
            | Self::Preparing { old: instance, .. }
            | Self::Postponed { old: instance, .. }
            | Self::Replacing { old: instance, .. }
            | Self::Asking {
                failed: instance, ..
            }
            | Self::AwaitingCredential {
                failed: instance, ..
            }
            | Self::Pausing {
                ended: instance, ..
            }
            | Self::ShuttingDown {
                last: Last::Ending(instance),
                ..
            } => Some(instance),
            Self::Waiting(_)
            | Self::Starting { .. }
            | Self::BackingOff { .. }
            | Self::ShuttingDown {
                last: Last::Spawning { .. },
                ..
            }
            | Self::Done => None,
        }
    }

    /// The same, to be changed.
    pub(super) fn instance_mut(&mut self) -> Option<&mut Instance> {
        match self {
            Self::Running { instance }
            | Self::Preparing { old: instance, .. }
            | Self::Postponed { old: instance, .. }
            | Self::Replacing { old: instance, .. }
            | Self::Asking {
                failed: instance, ..
            }
            | Self::AwaitingCredential {
                failed: instance, ..
            }
            | Self::Pausing {
                ended: instance, ..
            }
            | Self::ShuttingDown {
                last: Last::Ending(instance),
                ..
            } => Some(instance),
            Self::Waiting(_)
            | Self::Starting { .. }
            | Self::BackingOff { .. }
            | Self::ShuttingDown {
                last: Last::Spawning { .. },
                ..
            }
            | Self::Done => None,
        }
    }

    /// The child that is asked for and does not live yet.
    pub(super) fn launching(&self) -> Option<&Launch> {
        match self {
            Self::Starting { next }
            | Self::Preparing { next, .. }
            | Self::Replacing { next, .. }
            | Self::ShuttingDown {
                last: Last::Spawning { next, .. },
                ..
            } => Some(next),
            Self::Waiting(_)
            | Self::Running { .. }
            | Self::Postponed { .. }
            | Self::Asking { .. }
            | Self::AwaitingCredential { .. }
            | Self::Pausing { .. }
            | Self::BackingOff { .. }
            | Self::ShuttingDown {
                last: Last::Ending(_),
                ..
            }
            | Self::Done => None,
        }
    }
}
