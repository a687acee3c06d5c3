//! What follows when a child ends by itself: `--restart`, its backoff, and the guard against a
//! child that never stays.

use std::collections::VecDeque;

use super::config::{CrashPolicy, Restart};
use super::event::Ended;
use super::instance::{End, EndedBy};
use super::time::{Duration, Time};

/// The restarts that count against the policy's limits.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    /// How many restarts followed each other without a good run in between.
    in_row: u32,
    /// When the restarts within the guard's window were decided, oldest first; never more than the
    /// guard allows.
    recent: VecDeque<Time>,
}

/// What `--restart` says about an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It is the supervisor's end, too.
    End,
    /// Start the next this long after the end.
    Restart { pause: Duration },
    /// The child never stays: no more restarts.
    TooMany { count: u32, within: Duration },
}

impl Crashes {
    /// A child ended by itself after `lived`. A run longer than the longest backoff was a good one,
    /// and the pauses begin anew.
    pub(super) fn decide(
        &mut self,
        policy: &CrashPolicy,
        now: Time,
        end: End,
        lived: Duration,
    ) -> Decision {
        if !policy.restarts(end) {
            return Decision::End;
        }
        if let Some(limit) = policy.limit {
            let (count, within) = (limit.count, limit.within);
            self.recent.retain(|at| now.since(*at) < within);
            if self.recent.len() >= usize::try_from(count).unwrap_or(usize::MAX) {
                return Decision::TooMany { count, within };
            }
            self.recent.push_back(now);
        }
        if lived >= policy.backoff.max {
            self.in_row = 0;
        }
        self.in_row = self.in_row.saturating_add(1);
        Decision::Restart {
            pause: backoff(self.in_row, policy.backoff.min, policy.backoff.max),
        }
    }
}

impl CrashPolicy {
    /// Whether an end counts as a success: 0, or what `--success-exit` names.
    pub(super) fn is_success(&self, ended: Ended) -> bool {
        ended == Ended::Code(0) || self.success.contains(&ended.code())
    }

    /// Whether a child that ended like this did what it was there for.
    pub(super) fn is_good(&self, end: End) -> bool {
        end.by != EndedBy::Watchdog && self.is_success(end.ended)
    }

    /// Whether a child that ended like this is started again. Who asks for a watchdog asks for the
    /// restart that follows from it.
    pub(super) fn restarts(&self, end: End) -> bool {
        match (end.by, self.restart) {
            (EndedBy::Watchdog, _) => true,
            (EndedBy::Itself | EndedBy::Stop, Restart::Never) => false,
            (EndedBy::Itself | EndedBy::Stop, Restart::OnFailure) => !self.is_success(end.ended),
            (EndedBy::Itself | EndedBy::Stop, Restart::Always) => true,
        }
    }
}

/// The pause after the nth failure in a row (from 1): `first`, doubling, never above `max`.
pub(super) fn backoff(failures: u32, first: Duration, max: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(30);
    first.saturating_mul(1 << doublings).min(max)
}

#[cfg(test)]
mod tests {
    use super::super::config::{Backoff, RestartLimit};
    use super::*;

    const FAILED: End = by_itself(Ended::Code(1));

    const fn by_itself(ended: Ended) -> End {
        End {
            ended,
            at: Time::ZERO,
            by: EndedBy::Itself,
        }
    }

    fn at(seconds: u64) -> Time {
        Time::from_start(Duration::from_secs(seconds))
    }

    fn policy(restart: Restart) -> CrashPolicy {
        CrashPolicy {
            restart,
            success: vec![143],
            backoff: Backoff {
                min: Duration::from_secs(1),
                max: Duration::from_secs(8),
            },
            limit: None,
        }
    }

    fn pause(seconds: u64) -> Decision {
        Decision::Restart {
            pause: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn doubles_up_to_the_limit() {
        let secs = |failures| {
            backoff(failures, Duration::from_secs(1), Duration::from_secs(300)).as_secs()
        };
        assert_eq!(
            [1, 2, 3, 9, 10, 11, u32::MAX].map(secs),
            [1, 2, 4, 256, 300, 300, 300]
        );
    }

    #[test]
    fn the_policy_decides_which_ends_are_followed_by_a_start() {
        use Restart::{Always, Never, OnFailure};
        let ends = [
            Ended::Code(0),
            Ended::Code(143),
            Ended::Signal(super::super::signal::Signal::TERM),
            Ended::Code(1),
        ];
        let restarts = |restart| ends.map(|ended| policy(restart).restarts(by_itself(ended)));
        assert_eq!(restarts(Never), [false; 4]);
        assert_eq!(restarts(OnFailure), [false, false, false, true]);
        assert_eq!(restarts(Always), [true; 4]);
    }

    #[test]
    fn a_missed_watchdog_is_a_failure_that_is_always_followed_by_a_start() {
        let by = EndedBy::Watchdog;
        let hung = End {
            by,
            ..by_itself(Ended::Code(0))
        };
        let policy = policy(Restart::Never);
        assert_eq!((policy.is_good(hung), policy.restarts(hung)), (false, true));
    }

    #[test]
    fn pauses_grow_until_a_good_run() {
        let (policy, mut crashes) = (policy(Restart::OnFailure), Crashes::default());
        let mut after = |lived| crashes.decide(&policy, at(0), FAILED, Duration::from_secs(lived));
        assert_eq!([0, 0, 7, 0, 0].map(&mut after), [1, 2, 4, 8, 8].map(pause));
        assert_eq!([8, 0].map(&mut after), [1, 2].map(pause));
    }

    #[test]
    fn the_guard_counts_restarts_within_its_window() {
        let mut policy = policy(Restart::Always);
        let (count, within) = (2, Duration::from_secs(60));
        policy.limit = Some(RestartLimit { count, within });
        let mut crashes = Crashes::default();
        let mut when =
            |seconds| crashes.decide(&policy, at(seconds), FAILED, Duration::from_secs(9));
        let too_many = Decision::TooMany { count, within };
        assert_eq!([0, 30].map(&mut when), [pause(1), pause(1)]);
        assert_eq!(when(59), too_many);
        assert_eq!([60, 89].map(&mut when), [pause(1), too_many]);
    }
}
