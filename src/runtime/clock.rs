//! The only reader of clocks: monotonic time for the core, and whether the machine slept.

use std::time::Duration;

use tokio::time::Instant;

use crate::process::time_since_boot;
use crate::supervisor::time::Time;

/// A name lookup's thread ends this long after its answer, so that none of them wakes up while
/// nothing happens.
pub const LOOKUP_THREAD: Duration = Duration::from_millis(10);

/// The boot clock is ahead of the monotonic one by this much more than before: the machine slept.
const SLEPT: Duration = Duration::from_secs(2);

/// The core's clock: it begins at `Time::ZERO` and stands still while the machine sleeps.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    /// How far the boot clock is ahead.
    ahead: Duration,
}

impl Clock {
    /// Begins now.
    #[must_use]
    pub fn start() -> Self {
        let origin = now();
        Self {
            origin,
            ahead: time_since_boot(),
        }
    }

    /// The core's time.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_start(now().duration_since(self.origin))
    }

    /// Waits until a moment; for ever without one.
    pub async fn until(&self, moment: Option<Time>) {
        match moment {
            Some(moment) => tokio::time::sleep_until(self.origin + moment.since(Time::ZERO)).await,
            None => std::future::pending().await,
        }
    }

    /// Whether the machine slept since this was asked last.
    pub fn slept(&mut self) -> bool {
        let ahead = time_since_boot().saturating_sub(now().duration_since(self.origin));
        let slept = ahead > self.ahead + SLEPT;
        self.ahead = ahead;
        slept
    }
}

fn now() -> Instant {
    Instant::now()
}
