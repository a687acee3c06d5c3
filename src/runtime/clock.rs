//! The only reader of clocks: monotonic time for the core, whether the machine slept, and the time
//! of day.

use std::io;
use std::time::{Duration, Instant, SystemTime};

use tokio::net::unix::pipe::Receiver;

use crate::process::{BootTimer, time_since_boot};
use crate::supervisor::time::Time;

/// So long a thread for name lookups waits for another: for ever, so that it does not wake up while
/// nothing happens.
pub const LOOKUP_THREAD: Duration = Duration::from_secs(1 << 32);

/// The boot clock is ahead of the core's by this much more than before: the machine slept, or we
/// were stopped.
const SLEPT: Duration = Duration::from_secs(2);

/// The core's clock: it begins at `Time::ZERO` and stands still while the machine sleeps, and while
/// the supervisor is stopped with its child (Ctrl-Z): neither has had that time. Waiting does not
/// when the machine sleeps: a deadline that passed in a suspend is due when it wakes.
#[derive(Debug)]
pub struct Clock {
    origin: Instant,
    /// How far the boot clock is ahead.
    ahead: Duration,
    timer: BootTimer,
    due: Receiver,
}

impl Clock {
    /// Begins now, in a runtime.
    ///
    /// # Errors
    /// When the system refuses a timer.
    pub fn start() -> io::Result<Self> {
        let timer = BootTimer::new()?;
        Ok(Self {
            origin: now(),
            ahead: time_since_boot(),
            // No pipe, but read like one.
            due: Receiver::from_owned_fd_unchecked(timer.news()?)?,
            timer,
        })
    }

    /// The core's time.
    #[must_use]
    pub fn now(&self) -> Time {
        Time::from_start(now().duration_since(self.origin))
    }

    /// Waits until a moment; for ever without one. A cancelled wait leaves nothing behind.
    ///
    /// # Errors
    /// When the timer fails, which it does not.
    pub async fn until(&self, moment: Option<Time>) -> io::Result<()> {
        let Some(moment) = moment else {
            return std::future::pending().await;
        };
        self.timer.set(moment.since(self.now()))?;
        loop {
            self.due.readable().await?;
            match self.due.try_read(&mut [0; 8]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return done.map(drop),
            }
        }
    }

    /// Does something that stops this process. That much time has not passed.
    pub fn stand_still(&mut self, stop: impl FnOnce()) {
        let before = now();
        stop();
        self.origin += now().duration_since(before);
    }

    /// Whether the machine slept, or this process was stopped, since this was asked last.
    pub fn slept(&mut self) -> bool {
        let ahead = time_since_boot().saturating_sub(now().duration_since(self.origin));
        let slept = ahead > self.ahead + SLEPT;
        self.ahead = ahead;
        slept
    }
}

/// What the clock on the wall shows: for what outlives the machine's uptime.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads a clock"
)]
#[must_use]
pub fn wall() -> SystemTime {
    SystemTime::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads a clock"
)]
fn now() -> Instant {
    Instant::now()
}
