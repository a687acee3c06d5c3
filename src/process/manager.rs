//! systemd's notification protocol towards the service manager that started us: `NOTIFY_SOCKET` and
//! `WATCHDOG_USEC`, as `sd_notify(3)` and `sd_watchdog_enabled(3)` have them.
//!
//! By hand instead of with the crate `sd-notify`, for one reason: that blocks while the manager's
//! queue is full, and nothing here may hold the loop up. What cannot be sent at once is not sent,
//! and whoever says it is told.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::supervisor::action::Report;

/// Whether something was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was, or there is nobody to hear it.
    Yes,
    /// The manager has no room for it at the moment.
    NotYet,
}

/// Whoever started us and listens.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that the environment names; `None` when it names none.
    ///
    /// # Errors
    /// When it names one that cannot be spoken to.
    pub fn find(inherited: &BTreeMap<OsString, OsString>) -> io::Result<Option<Self>> {
        let value = |name: &str| inherited.get(OsStr::new(name)).map(OsString::as_os_str);
        let Some(name) = value("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        Ok(Some(Self {
            socket,
            address: address(name)?,
            watchdog: watchdog(
                value("WATCHDOG_USEC"),
                value("WATCHDOG_PID"),
                std::process::id(),
            ),
        }))
    }

    /// How often it must be told that we are alive: twice in the time that it allows.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it how far we are. This has to be said again until it is heard.
    #[must_use]
    pub fn report(&self, report: Report) -> Heard {
        match report {
            Report::StartTakes(by) => self.say(&format!("EXTEND_TIMEOUT_USEC={}", by.as_micros())),
            Report::Ready => self.say("READY=1"),
            Report::Stopping => self.say("STOPPING=1"),
        }
    }

    /// Tells it that we are alive.
    pub fn is_alive(&self) {
        let _ = self.say("WATCHDOG=1");
    }

    /// Gives it a line to show.
    pub fn status(&self, line: &str) {
        let _ = self.say(&format!("STATUS={line}"));
    }

    fn say(&self, words: &str) -> Heard {
        let sent = self.socket.send_to_addr(words.as_bytes(), &self.address);
        match sent.map_err(|error| error.kind()) {
            Err(io::ErrorKind::WouldBlock) => Heard::NotYet,
            Ok(_) | Err(_) => Heard::Yes,
        }
    }
}

fn address(name: &OsStr) -> io::Result<SocketAddr> {
    match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        [b'/', ..] => SocketAddr::from_pathname(name),
        _ => Err(io::ErrorKind::Unsupported.into()),
    }
}

fn watchdog(micros: Option<&OsStr>, pid: Option<&OsStr>, own: u32) -> Option<Duration> {
    let number = |text: &OsStr| text.to_str()?.parse::<u64>().ok();
    let is_ours = pid.is_none_or(|pid| number(pid) == Some(u64::from(own)));
    let micros = micros.and_then(number).filter(|micros| *micros > 1)?;
    is_ours.then(|| Duration::from_micros(micros / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<OsString, OsString> {
        let pair = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        variables.iter().map(pair).collect()
    }

    #[test]
    fn who_was_started_by_nobody_tells_nobody() {
        for nobody in [&[][..], &[("NOTIFY_SOCKET", "")]] {
            assert!(Manager::find(&environment(nobody)).unwrap().is_none());
        }
        let strange = environment(&[("NOTIFY_SOCKET", "vsock:2:1234")]);
        assert!(Manager::find(&strange).is_err());
    }

    #[test]
    fn it_hears_what_it_is_told_in_systemds_words() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("notify");
        let name = format!("changeover/manager/{}", std::process::id());
        let abstract_name = SocketAddr::from_abstract_name(&name).unwrap();
        for (listener, named) in [
            (
                UnixDatagram::bind(&path).unwrap(),
                path.display().to_string(),
            ),
            (
                UnixDatagram::bind_addr(&abstract_name).unwrap(),
                format!("@{name}"),
            ),
        ] {
            let manager = Manager::find(&environment(&[("NOTIFY_SOCKET", &named)]));
            let manager = manager.unwrap().unwrap();
            assert_eq!(
                manager.report(Report::StartTakes(Duration::from_millis(70))),
                Heard::Yes
            );
            assert_eq!(manager.report(Report::Ready), Heard::Yes);
            manager.status("pid 7 runs");
            manager.is_alive();
            assert_eq!(manager.report(Report::Stopping), Heard::Yes);
            for expected in [
                "EXTEND_TIMEOUT_USEC=70000",
                "READY=1",
                "STATUS=pid 7 runs",
                "WATCHDOG=1",
                "STOPPING=1",
            ] {
                let mut buffer = [0; 64];
                let bytes = listener.recv(&mut buffer).unwrap();
                assert_eq!(&buffer[..bytes], expected.as_bytes());
            }
        }
    }

    #[test]
    fn a_manager_that_does_not_listen_holds_nothing_up() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let named = path.display().to_string();
        let manager = Manager::find(&environment(&[("NOTIFY_SOCKET", &named)]));
        let manager = manager.unwrap().unwrap();
        for _ in 0..10_000 {
            manager.is_alive();
        }
        drop(listener);
        manager.is_alive();
    }

    #[test]
    fn the_watchdog_is_whose_pid_it_names() {
        let text = |text: &'static str| Some(OsStr::new(text));
        let second = Some(Duration::from_secs(1));
        for (micros, pid, expected) in [
            (text("2000000"), None, second),
            (text("2000000"), text("7"), second),
            (text("2000000"), text("8"), None),
            (text("0"), None, None),
            (text("soon"), None, None),
            (None, None, None),
        ] {
            assert_eq!(watchdog(micros, pid, 7), expected, "{micros:?} {pid:?}");
        }
    }
}
