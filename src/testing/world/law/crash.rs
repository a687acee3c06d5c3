//! `--restart`: which ends are followed by a start, when, and when that is enough.

use crate::supervisor::config::{CrashPolicy, Restart};
use crate::supervisor::event::Ended;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::SLACK;

use super::child::Child;

/// The account of a supervisor's restarts.
#[derive(Debug)]
pub(super) struct Crashes {
    policy: CrashPolicy,
    /// Every restart since the supervisor began.
    all: Vec<Time>,
    /// Those since the last good run.
    row: u32,
    pause: Pause,
}

/// What must be said, or waited for, after a child's own end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pause {
    None,
    /// Everything is asked: what the policy says is due in this very step.
    Due,
    /// The next child comes then, and not before.
    Until(Time),
}

impl Crashes {
    pub(super) fn new(policy: CrashPolicy) -> Self {
        Self {
            policy,
            all: Vec::new(),
            row: 0,
            pause: Pause::None,
        }
    }

    /// "child's codes that count as 0".
    pub(super) fn is_success(&self, how: Ended) -> bool {
        let code = match how {
            Ended::Code(code) => i32::from(code),
            Ended::Signal(signal) => 128 + signal.0,
        };
        code == 0
            || self
                .policy
                .success
                .iter()
                .any(|known| i32::from(*known) == code)
    }

    /// Whether another child follows such an end.
    pub(super) fn follows(&self, how: Ended) -> bool {
        match self.policy.restart {
            Restart::Never => false,
            Restart::OnFailure => !self.is_success(how),
            Restart::Always => true,
        }
    }

    /// Nothing is left to ask about an end that another child follows.
    pub(super) fn is_due(&mut self) {
        self.pause = Pause::Due;
    }

    /// It was the credential's fault, and that works now: the next child comes at once.
    pub(super) fn is_excused(&mut self, now: Time) {
        self.pause = Pause::Until(now);
    }

    /// Something else decides: a change, or the end.
    pub(super) fn drop_pause(&mut self) {
        self.pause = Pause::None;
    }

    /// Whether the next child may not come yet.
    pub(super) fn waits(&self, now: Time) -> bool {
        matches!(self.pause, Pause::Until(until) if now <= until + SLACK)
    }

    /// "a restart never waits for the API longer than its backoff or 5 s": the pause counts from
    /// the end.
    pub(super) fn restarts(
        &mut self,
        now: Time,
        child: &Child,
        pause: Duration,
    ) -> Result<(), String> {
        let hung = child.aborted().is_some();
        let Some(end) = child.ended.filter(|end| hung || self.follows(end.how)) else {
            return Err("a restart that --restart forbids".to_owned());
        };
        if self.pause != Pause::Due {
            return Err("a restart before everything was asked".to_owned());
        }
        if self.is_full(now) {
            return Err("more restarts than --max-restarts allows".to_owned());
        }
        let longest = self.policy.backoff.max;
        let good = end.at.since(child.since) >= longest;
        self.row = if good { 1 } else { self.row + 1 };
        let mut owed = self.policy.backoff.min;
        for _ in 1..self.row.min(40) {
            owed = (owed * 2).min(longest);
        }
        let due = (end.at + owed).max(now);
        if pause != due.since(now) {
            return Err(format!("a pause of {pause:?}, not up to {due}"));
        }
        self.all.push(now);
        self.pause = Pause::Until(due);
        Ok(())
    }

    /// `--max-restarts` was met.
    pub(super) fn gives_up(&self, now: Time, followed: bool) -> Result<(), String> {
        if self.pause == Pause::Due && followed && self.is_full(now) {
            Ok(())
        } else {
            Err("--max-restarts was not met".to_owned())
        }
    }

    /// The next child is prepared on the revision of the one that ended by itself.
    pub(super) fn prepares(&mut self, now: Time) -> Result<(), String> {
        match std::mem::replace(&mut self.pause, Pause::None) {
            Pause::Until(until) if now >= until => Ok(()),
            pause @ (Pause::None | Pause::Due | Pause::Until(_)) => {
                Err(format!("a child that ended is started again: {pause:?}"))
            }
        }
    }

    fn is_full(&self, now: Time) -> bool {
        self.policy.limit.is_some_and(|limit| {
            let recent = self.all.iter().filter(|at| now.since(**at) < limit.within);
            recent.count() >= usize::try_from(limit.count).unwrap_or(usize::MAX)
        })
    }
}
