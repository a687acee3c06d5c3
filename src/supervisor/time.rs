//! A moment on the core's own clock: handed in by the shell, never read here.

use core::fmt;
use core::ops::Add;

pub use core::time::Duration;

/// Time since the supervisor began, on a monotonic clock that stands still while the machine
/// sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(Duration);

impl Time {
    /// The supervisor's first moment.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// A moment that long after the first.
    #[must_use]
    pub const fn from_start(since: Duration) -> Self {
        Self(since)
    }

    /// The moment before this one.
    #[must_use]
    pub fn just_before(self) -> Self {
        Self(self.0.saturating_sub(Duration::from_nanos(1)))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}s", self.0.as_secs_f64())
    }
}
