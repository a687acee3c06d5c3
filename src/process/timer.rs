//! A timer on the clock that also runs while the machine sleeps: after a suspend it is due at once.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use nix::time::clock_gettime;

/// Set anew for each wait.
#[derive(Debug)]
pub struct BootTimer(TimerFd);

impl BootTimer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        Ok(Self(TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?))
    }

    /// Due after this time, and not before, whatever was set earlier.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn set(&self, after: Duration) -> io::Result<()> {
        // Nothing at all would mean "never".
        let after = Expiration::OneShot(TimeSpec::from(after.max(Duration::from_nanos(1))));
        Ok(self.0.set(after, TimerSetTimeFlags::empty())?)
    }

    /// A descriptor of the same timer, readable when it is due; reading takes the news.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn news(&self) -> io::Result<OwnedFd> {
        self.0.as_fd().try_clone_to_owned()
    }
}

/// The time on that clock. (The monotonic one is std's own.)
#[must_use]
pub fn time_since_boot() -> Duration {
    let time = clock_gettime(nix::time::ClockId::CLOCK_BOOTTIME);
    time.map_or(Duration::ZERO, Duration::from)
}
