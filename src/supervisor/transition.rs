//! The ways from one phase of the service to the next.

use std::sync::Arc;

use crate::exit_code::ExitCode;

use super::change::Desired;
use super::config::{Backoff, OnChange, Watching};
use super::crash::{Crashes, Decision, backoff};
use super::event::SpawnError;
use super::inquiry::Inquiry;
use super::instance::{End, Instance};
use super::launch::{Cause, Instead, Launch, Stage, Why};
use super::notice::{Child, Notice};
use super::phase::{ExitWith, Last, Phase};
use super::time::{Duration, Time};
use super::turn::{Turn, Want};

/// A new revision, while a child lives and nobody told it to stop. One that a person interrupted
/// may be ending: it is left alone until the interrupt is history.
pub(super) fn apply(
    turn: &mut Turn<'_>,
    mut old: Instance,
    desired: &Desired,
    again: Instead,
) -> Phase {
    if *old.values == *desired.values {
        old.revision = desired.revision;
        return Phase::Running { instance: old };
    }
    if let Some(until) = old
        .interrupted_until(turn)
        .filter(|until| *until > turn.now)
    {
        return Phase::Postponed { old, again, until };
    }
    match turn.config.on_change {
        OnChange::Restart => Phase::Preparing {
            old,
            next: Launch::new(turn, desired, Why::Instead(again)),
        },
        OnChange::Signal(signal) => {
            old.forward(turn, signal);
            old.revision = desired.revision;
            old.values = Arc::clone(&desired.values);
            turn.announce(Notice::ChangeSignalled {
                child: old.child(),
                signal,
            });
            Phase::Running { instance: old }
        }
        OnChange::Exit => {
            turn.announce(Notice::ExitForChange);
            shut_down(turn, old, ExitWith::Fixed(ExitCode::Changed))
        }
    }
}

/// A new revision, after the child failed on the last one: start on it, whatever `--restart` says.
pub(super) fn succeed(turn: &mut Turn<'_>, failed: Instance, desired: &Desired) -> Phase {
    match turn.config.on_change {
        OnChange::Restart | OnChange::Signal(_) => {
            let why = Why::Instead(Instead::default());
            Phase::Replacing {
                old: failed,
                next: Launch::new(turn, desired, why),
            }
        }
        OnChange::Exit => {
            turn.announce(Notice::ExitForChange);
            shut_down(turn, failed, ExitWith::Fixed(ExitCode::Changed))
        }
    }
}

/// The child failed by itself.
pub(super) fn ask(
    turn: &mut Turn<'_>,
    crashes: &mut Crashes,
    failed: Instance,
    desired: Option<&Desired>,
) -> Phase {
    if let Some(desired) = desired
        && *desired.values != *failed.values
    {
        return succeed(turn, failed, desired);
    }
    if turn.config.watching == Watching::Once {
        return restart(turn, crashes, failed);
    }
    turn.announce(Notice::Asking);
    let inquiry = Inquiry::open(turn, &failed.values);
    Phase::Asking { failed, inquiry }
}

/// The child ended by itself, and its credential is not known to be why: `--restart` decides. The
/// pause counts from the end, so what was asked in between costs nothing more.
pub(super) fn restart(turn: &mut Turn<'_>, crashes: &mut Crashes, ended: Instance) -> Phase {
    let (Some(how), lived) = (ended.ending(), ended.lived(turn.now)) else {
        return end(turn, ended);
    };
    match crashes.decide(&turn.config.crash, turn.now, how, lived) {
        Decision::End => end(turn, ended),
        Decision::Restart { pause } => {
            let until = turn.now.max(how.at + pause);
            let pause = until.since(turn.now);
            turn.announce(Notice::Restarting { pause });
            Phase::Pausing { ended, until }
        }
        Decision::TooMany { count, within } => {
            turn.announce(Notice::RestartLimit {
                ended: how.ended,
                count,
                within,
            });
            let exit = if turn.config.crash.is_success(how.ended) {
                ExitWith::Fixed(ExitCode::RestartLimit)
            } else {
                ExitWith::ChildsCode
            };
            shut_down(turn, ended, exit)
        }
    }
}

/// The pause is over: the next child, on what is desired now.
pub(super) fn resume(turn: &mut Turn<'_>, ended: Instance, desired: &Desired) -> Phase {
    let instead = Instead {
        cause: Cause::OwnEnd,
        ..Instead::default()
    };
    Phase::Replacing {
        old: ended,
        next: Launch::new(turn, desired, Why::Instead(instead)),
    }
}

/// The old child is gone; the next one's turn.
pub(super) fn replace(turn: &mut Turn<'_>, old: Instance, mut next: Launch, end: End) -> Phase {
    match next.stage {
        Stage::Prepared => {
            next.follow(end);
            next.spawn(turn);
            Phase::Starting { next }
        }
        Stage::Failed => {
            next.follow(end);
            let again = next.again().unwrap_or_default();
            let until = turn.now + respawn_pause(turn, again);
            Phase::BackingOff { again, until }
        }
        Stage::Preparing | Stage::Spawning => Phase::Replacing { old, next },
    }
}

/// The child's end is the supervisor's.
pub(super) fn end(turn: &mut Turn<'_>, last: Instance) -> Phase {
    shut_down(turn, last, ExitWith::ChildsCode)
}

/// Stops what lives, waits for what is left, starts nothing more.
pub(super) fn shut_down(turn: &mut Turn<'_>, mut ending: Instance, exit: ExitWith) -> Phase {
    ending.stop(turn);
    Phase::ShuttingDown(Last::Ending { ending, exit })
}

/// Nothing lives: exit.
pub(super) fn over(turn: &mut Turn<'_>, code: ExitCode) -> Phase {
    turn.want(Want::Exit(code));
    Phase::Done
}

pub(super) fn finish(turn: &mut Turn<'_>, exit: ExitWith, end: End) -> Phase {
    let code = match exit {
        ExitWith::Fixed(code) => code,
        ExitWith::ChildsCode if turn.config.crash.is_success(end.ended) => ExitCode::Child(0),
        ExitWith::ChildsCode => ExitCode::Child(end.ended.code()),
    };
    over(turn, code)
}

pub(super) fn refuse_start(turn: &mut Turn<'_>, error: SpawnError) -> Phase {
    let code = match &error {
        SpawnError::NotFound => ExitCode::NotFound,
        SpawnError::NotExecutable { .. } => ExitCode::NotExecutable,
        SpawnError::Failed { .. } => ExitCode::Internal,
    };
    turn.announce(Notice::StartFailed {
        error,
        retry_in: None,
        running: None,
    });
    over(turn, code)
}

/// Tells that a start failed, and yields when it is tried again.
pub(super) fn announce_retry(
    turn: &mut Turn<'_>,
    again: Instead,
    error: SpawnError,
    running: Option<Child>,
) -> Time {
    let pause = respawn_pause(turn, again);
    turn.announce(Notice::StartFailed {
        error,
        retry_in: Some(pause),
        running,
    });
    turn.now + pause
}

pub(super) fn respawn_pause(turn: &Turn<'_>, again: Instead) -> Duration {
    let Backoff { min, max } = turn.config.crash.backoff;
    backoff(again.failures, min, max)
}
