//! The ways from one phase of the service to the next.

use std::sync::Arc;

use crate::exit_code::ExitCode;

use super::change::Desired;
use super::config::{Backoff, EnvFile, OnChange, Order, Watching};
use super::crash::{Crashes, Decision, backoff};
use super::event::SpawnError;
use super::failover::cause;
use super::hold::{hold_back, is_held};
use super::inquiry::Inquiry;
use super::instance::{End, EndedBy, Fate, Instance};
use super::launch::{Attempt, Cause, Launch, Stage, Why};
use super::notice::{Child, Notice, RestartedFor};
use super::phase::{ExitWith, Last, Phase};
use super::tell::{News, tell};
use super::time::{Duration, Time};
use super::turn::{Turn, Want};
use super::vigil::Vigil;

/// A new revision, while a child lives and nobody told it to stop. One that a person interrupted
/// may be ending: it is left alone until that is known. One that missed its watchdog ends anyway,
/// and the next starts on the new revision.
pub(super) fn apply(
    turn: &mut Turn<'_>,
    mut old: Instance,
    desired: &Desired,
    mut attempt: Attempt,
) -> Phase {
    if old.suits(&desired.values) {
        old.revision = desired.revision;
        return Phase::Running { instance: old };
    }
    attempt.cause = cause(&old, desired, attempt.cause);
    attempt.spare(turn, &old);
    if let Some(until) = attempt.spared(turn) {
        return Phase::Postponed {
            old,
            attempt,
            until,
        };
    }
    if is_held(turn, &old, &attempt) {
        return hold_back(turn, old, desired, attempt);
    }
    act(turn, old, desired, attempt)
}

/// The same, now.
pub(super) fn act(
    turn: &mut Turn<'_>,
    old: Instance,
    desired: &Desired,
    attempt: Attempt,
) -> Phase {
    if !old.is_untouched() {
        return follow(turn, old, desired, attempt);
    }
    match (reaction(turn, &old), turn.config.env_file) {
        (OnChange::Restart, _) | (OnChange::Signal(_), EnvFile::Kept) => {
            prepare(turn, old, desired, attempt)
        }
        (OnChange::Signal(signal), EnvFile::None) => {
            let news = News {
                signal,
                revision: desired.revision,
                values: Arc::clone(&desired.values),
                attempt,
            };
            tell(turn, old, news)
        }
        (OnChange::Exit, _) => exit_for_change(turn, old),
    }
}

/// The same, after something else was prepared: the env file may hold that, though the child never
/// learned of it.
pub(super) fn apply_again(
    turn: &mut Turn<'_>,
    mut old: Instance,
    desired: &Desired,
    attempt: Attempt,
) -> Phase {
    if turn.config.env_file == EnvFile::Kept && old.suits(&desired.values) {
        old.revision = desired.revision;
        return prepare(turn, old, desired, attempt);
    }
    apply(turn, old, desired, attempt)
}

/// The change waits, if it has not waited for an interrupt before.
pub(super) fn put_off(turn: &Turn<'_>, old: Instance, mut next: Launch) -> Phase {
    next.spare(turn, &old);
    let Some(attempt) = next.attempt() else {
        return Phase::Preparing { old, next };
    };
    match attempt.spared(turn) {
        Some(until) => Phase::Postponed {
            old,
            attempt,
            until,
        },
        None => Phase::Preparing { old, next },
    }
}

/// What is done about a child that does not suit: a restart, if somebody asked for one.
fn reaction(turn: &Turn<'_>, old: &Instance) -> OnChange {
    match old.fate() {
        Fate::Asked { .. } => OnChange::Restart,
        Fate::Stays | Fate::Failover { .. } => turn.config.on_change,
    }
}

fn prepare(turn: &mut Turn<'_>, old: Instance, desired: &Desired, attempt: Attempt) -> Phase {
    let next = Launch::new(turn, desired, Why::Replacement(attempt));
    Phase::Preparing { old, next }
}

/// All is prepared for what the child is to run with next: now it may be touched, if it does not
/// run with that already.
pub(super) fn proceed(turn: &mut Turn<'_>, mut old: Instance, mut next: Launch) -> Phase {
    if old.suits(&next.values) {
        return Phase::Running { instance: old };
    }
    if !old.is_untouched() {
        next.stage = Stage::Prepared;
        return Phase::Replacing { old, next };
    }
    match reaction(turn, &old) {
        OnChange::Restart => {
            next.stage = Stage::Prepared;
            match turn.config.order {
                Order::StopFirst => {
                    old.stop(turn);
                    Phase::Replacing { old, next }
                }
                Order::StartFirst => Phase::Preparing { old, next },
            }
        }
        OnChange::Signal(signal) => {
            let news = News {
                signal,
                attempt: next.attempt().unwrap_or_default(),
                revision: next.revision,
                values: next.values,
            };
            tell(turn, old, news)
        }
        OnChange::Exit => exit_for_change(turn, old),
    }
}

/// The child lives on, and its successor could not be started. That is no matter where none is
/// wanted; an env file that is not written always is.
pub(super) fn not_prepared(
    turn: &mut Turn<'_>,
    old: Instance,
    next: Launch,
    error: SpawnError,
) -> Phase {
    let is_written = !matches!(error, SpawnError::Unwritable { .. });
    let lives_on = reaction(turn, &old) != OnChange::Restart && old.is_untouched();
    let needs_no_successor = lives_on || old.suits(&next.values);
    if is_written && needs_no_successor {
        return proceed(turn, old, next);
    }
    retry(turn, old, &next, error)
}

/// The child lives on, and its successor is tried again later.
pub(super) fn retry(
    turn: &mut Turn<'_>,
    old: Instance,
    failed: &Launch,
    error: SpawnError,
) -> Phase {
    let attempt = failed.attempt().unwrap_or_default().next();
    let until = announce_retry(turn, attempt, error, Some(old.child()));
    Phase::Postponed {
        old,
        attempt,
        until,
    }
}

fn exit_for_change(turn: &mut Turn<'_>, last: Instance) -> Phase {
    turn.announce(Notice::ExitForChange);
    shut_down(turn, last, ExitWith::Fixed(ExitCode::Changed))
}

/// A new revision, after the child failed on the last one: start on it, whatever `--restart` says.
/// The same when it had to be replaced for a failover.
pub(super) fn succeed(turn: &mut Turn<'_>, failed: Instance, desired: &Desired) -> Phase {
    let attempt = Attempt::default();
    let cause = cause(&failed, desired, attempt.cause);
    follow(turn, failed, desired, Attempt { cause, ..attempt })
}

/// The next one starts when this one is gone, which has ended, or is about to.
fn follow(turn: &mut Turn<'_>, old: Instance, desired: &Desired, attempt: Attempt) -> Phase {
    match reaction(turn, &old) {
        OnChange::Restart | OnChange::Signal(_) => {
            let next = Launch::new(turn, desired, Why::Replacement(attempt));
            Phase::Replacing { old, next }
        }
        OnChange::Exit => exit_for_change(turn, old),
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
        && !failed.suits(&desired.values)
    {
        return succeed(turn, failed, desired);
    }
    if turn.config.watching == Watching::Once {
        return restart(turn, crashes, failed);
    }
    let inquiry = Inquiry::open(turn, &failed.values);
    Phase::Asking { failed, inquiry }
}

/// The child failed because its credential died: its successor is looked for, and waited for.
pub(super) fn await_credential(turn: &mut Turn<'_>, failed: Instance) -> Phase {
    let timeout = turn.config.start_timeout;
    turn.announce(Notice::AwaitingCredential { timeout });
    turn.want(Want::FetchOften);
    let vigil = Vigil::begin(turn);
    Phase::AwaitingCredential { failed, vigil }
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
            let why = match how.by {
                EndedBy::Watchdog => RestartedFor::Watchdog,
                EndedBy::Itself | EndedBy::Stop => RestartedFor::Policy,
            };
            turn.announce(Notice::Restarting { pause, why });
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
    let attempt = Attempt {
        cause: cause(&ended, desired, Cause::OwnEnd),
        ..Attempt::default()
    };
    Phase::Replacing {
        old: ended,
        next: Launch::new(turn, desired, Why::Replacement(attempt)),
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
            let attempt = next.attempt().unwrap_or_default().next();
            let until = turn.now + respawn_pause(turn, attempt);
            Phase::BackingOff { attempt, until }
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
        SpawnError::Unwritable { .. } => ExitCode::Config,
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

/// Tells that a start failed, and yields when the next attempt is made.
pub(super) fn announce_retry(
    turn: &mut Turn<'_>,
    next: Attempt,
    error: SpawnError,
    running: Option<Child>,
) -> Time {
    let pause = respawn_pause(turn, next);
    turn.announce(Notice::StartFailed {
        error,
        retry_in: Some(pause),
        running,
    });
    turn.now + pause
}

pub(super) fn respawn_pause(turn: &Turn<'_>, next: Attempt) -> Duration {
    let Backoff { min, max } = turn.config.crash.backoff;
    backoff(next.failures, min, max)
}
