//! How a supervisor's life ends: when nothing more may be started, by when it must be over, and
//! with which code.

use crate::exit_code::ExitCode;
use crate::supervisor::event::{Ended, FailureKind, SpawnError};
use crate::supervisor::id::InstanceId;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::{SLACK, SWEEP, UNKILLABLE};

use super::child::Child;

/// The end that has begun: nothing is started any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) since: Time,
    pub(super) why: Why,
    /// For so long the supervisor did not run meanwhile.
    asleep: Duration,
}

/// Why a life ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// A person asked for it, while a child lived.
    Asked,
    /// A person asked for it, while one was being spawned.
    AskedWhileSpawning { unborn: InstanceId, signal: Signal },
    /// A person asked for it, and there was no child.
    AskedWithoutChild(Signal),
    /// The child ended, and that was final.
    ChildsOwn,
    /// It ended once more than `--max-restarts` allows.
    TooMany,
    /// `--on-change exit`.
    Change,
    /// The first start failed.
    StartFailed(ExitCode),
    /// Before the first child: waiting for an answer is no use.
    NoStart(ExitCode),
}

impl End {
    pub(super) fn new(since: Time, why: Why) -> Self {
        let asleep = Duration::ZERO;
        Self { since, why, asleep }
    }

    /// The supervisor did not run for so long.
    pub(super) fn overslept(&mut self, late: Duration) {
        self.asleep += late;
    }

    /// The end must be over by then. "TERM: stop (stop sequence, sweep)".
    pub(super) fn check(&self, now: Time, grace: Duration, stuck: bool) -> Result<(), String> {
        let more = if stuck { UNKILLABLE } else { Duration::ZERO };
        let due = self.since + grace + SWEEP + more + self.asleep + SLACK;
        if now > due {
            return Err(format!("the end that began at {} is not over", self.since));
        }
        Ok(())
    }

    /// Whether this is the code of such an end. `child` is how the last one ended. "exit with the
    /// child's code, or 143 when there was none": one that was spawned and never lived is none.
    pub(super) fn allows(
        &self,
        code: ExitCode,
        child: Option<&Child>,
        is_success: impl Fn(Ended) -> bool,
    ) -> bool {
        let its_code = |how: Ended| {
            let own = if is_success(how) { 0 } else { how.code() };
            ExitCode::Child(own)
        };
        let ended = |child: &Child| child.ended.map(|end| its_code(end.how));
        let childs = child.and_then(ended);
        match &self.why {
            Why::Asked => Some(code) == childs,
            Why::AskedWhileSpawning { unborn, signal } => {
                let born = child.filter(|child| child.id == *unborn).and_then(ended);
                code == born.unwrap_or(by_signal(*signal))
            }
            Why::AskedWithoutChild(signal) => code == by_signal(*signal),
            Why::ChildsOwn => Some(code) == childs,
            Why::TooMany if childs == Some(ExitCode::Child(0)) => code == ExitCode::RestartLimit,
            Why::TooMany => Some(code) == childs,
            Why::Change => code == ExitCode::Changed,
            Why::StartFailed(own) | Why::NoStart(own) => code == *own,
        }
    }
}

/// Before the first child: what the answers were like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Nothing,
    Failure(FailureKind),
    Unusable,
}

impl Heard {
    /// One more failure; whether it makes waiting pointless: "no token, token refused or app not
    /// found twice".
    pub(super) fn failure(&mut self, kind: FailureKind) -> Option<Why> {
        let before = std::mem::replace(self, Self::Failure(kind));
        let hopeless = match kind {
            FailureKind::NoToken => true,
            FailureKind::TokenRefused | FailureKind::AppNotFound => before == Self::Failure(kind),
            FailureKind::TokenCommandFailed | FailureKind::Unavailable => false,
        };
        hopeless.then_some(Why::NoStart(ExitCode::Config))
    }

    /// The start timeout is over.
    pub(super) fn timeout(self) -> Why {
        Why::NoStart(match self {
            Self::Nothing | Self::Failure(_) => ExitCode::NoAnswer,
            Self::Unusable => ExitCode::Config,
        })
    }
}

/// "126 not executable; 127 not found", 78 for an env file, 125 otherwise.
pub(super) fn start_failed(error: &SpawnError) -> Why {
    Why::StartFailed(match error {
        SpawnError::Unwritable { .. } => ExitCode::Config,
        SpawnError::NotFound => ExitCode::NotFound,
        SpawnError::NotExecutable { .. } => ExitCode::NotExecutable,
        SpawnError::Failed { .. } => ExitCode::Internal,
    })
}

fn by_signal(signal: Signal) -> ExitCode {
    ExitCode::Signal(u8::try_from(signal.0).unwrap_or_default())
}
