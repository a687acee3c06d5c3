//! Backoff arithmetic.

use super::time::Duration;

/// The pause after the nth failure in a row (from 1): `first`, doubling, never above `max`.
pub(super) fn backoff(failures: u32, first: Duration, max: Duration) -> Duration {
    let doublings = failures.saturating_sub(1).min(30);
    first.saturating_mul(1 << doublings).min(max)
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
