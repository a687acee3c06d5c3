//! Who is told what happens: people, through the log; the service manager; and hooks.

use std::time::Duration;

use crate::credential::phrase::without_tokens;
use crate::process::{Heard, Manager};
use crate::supervisor::action::Report;
use crate::supervisor::notice::Notice;
use crate::supervisor::time::Time;

use super::hooks::Hooks;
use super::telemetry::{self, Context};

/// What the manager had no room for is said again after this long.
const AGAIN: Duration = Duration::from_millis(100);

/// The log and the service manager. Lines gather until there is time for them.
#[derive(Debug)]
pub(super) struct Audience {
    context: Context,
    news: Vec<News>,
    manager: Option<Manager>,
    hooks: Option<Hooks>,
    /// When the manager's watchdog is told next that the loop lives.
    alive_at: Option<Time>,
    /// What the manager has had no room for yet, and when it is said again.
    unheard: Vec<Report>,
    again_at: Time,
}

/// What waits for its line in the log.
#[derive(Debug)]
enum News {
    /// A fact.
    Fact(Notice),
    /// What a shell has to say that is no fact of the core's.
    Warning(String),
    /// What only `-v` tells.
    Detail(String),
}

impl Audience {
    pub(super) fn new(context: Context, manager: Option<Manager>, hooks: Option<Hooks>) -> Self {
        let watchdog = manager.as_ref().and_then(Manager::watchdog);
        Self {
            context,
            news: Vec::new(),
            manager,
            hooks,
            alive_at: watchdog.map(|_| Time::ZERO),
            unheard: Vec::new(),
            again_at: Time::ZERO,
        }
    }

    /// Keeps a fact.
    pub(super) fn announce(&mut self, notice: Notice) {
        self.news.push(News::Fact(notice));
    }

    /// Keeps a line that only `-v` tells, in its place among the facts.
    pub(super) fn note(&mut self, line: impl FnOnce() -> String) {
        if tracing::enabled!(tracing::Level::DEBUG) {
            self.news.push(News::Detail(line()));
        }
    }

    /// Keeps a warning, in its place among the facts.
    pub(super) fn warn(&mut self, line: String) {
        self.news.push(News::Warning(line));
    }

    /// Writes the log lines that have gathered; the last fact is the manager's to show.
    pub(super) fn tell(&mut self) {
        let mut status = None;
        for news in self.news.drain(..) {
            match news {
                News::Fact(notice) => {
                    let line = telemetry::announce(&self.context, &notice);
                    if let (Some(hooks), Some(occasion)) = (&self.hooks, notice.occasion()) {
                        hooks.call(occasion, telemetry::told(&self.context, &notice));
                    }
                    status = line.or(status);
                }
                News::Warning(line) => tracing::warn!("{line}"),
                News::Detail(line) => tracing::debug!("{line}"),
            }
        }
        if let (Some(manager), Some(line)) = (&self.manager, status) {
            manager.status(&without_tokens(&line).unwrap_or(line));
        }
    }

    /// Nobody is told by a hook any more.
    pub(super) fn end_hooks(&mut self) {
        self.hooks = None;
    }

    /// Tells the manager at once, or as soon as it has room for it: one that never hears that the
    /// program serves ends it.
    pub(super) fn report(&mut self, report: Report) {
        if self.manager.is_none() {
            return;
        }
        // Of several times that the start may take, the newest counts.
        if let Report::StartTakes(_) = report {
            self.unheard
                .retain(|older| !matches!(older, Report::StartTakes(_)));
        }
        self.unheard.push(report);
        self.say_again();
    }

    fn say_again(&mut self) {
        if let Some(manager) = &self.manager {
            let heard = |report: &&Report| manager.report(**report) == Heard::Yes;
            let heard = self.unheard.iter().take_while(heard).count();
            self.unheard.drain(..heard);
        }
    }

    /// When the manager must hear of us next.
    pub(super) fn deadline(&self) -> Option<Time> {
        let again = (!self.unheard.is_empty()).then_some(self.again_at);
        self.alive_at.into_iter().chain(again).min()
    }

    /// The loop lives: the watchdog is told when it is due, and the manager what it has not heard.
    pub(super) fn is_alive(&mut self, now: Time) {
        if !self.unheard.is_empty() && self.again_at <= now {
            self.say_again();
            self.again_at = now + AGAIN;
        }
        let watchdog: Option<Duration> = self.manager.as_ref().and_then(Manager::watchdog);
        if let (Some(manager), Some(every), Some(at)) = (&self.manager, watchdog, self.alive_at)
            && at <= now
        {
            manager.is_alive();
            self.alive_at = Some(now + every);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::supervisor::status::FallbackPhase;

    #[test]
    fn a_manager_without_room_is_told_later_that_the_program_serves() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let others = UnixDatagram::unbound().unwrap();
        others.set_nonblocking(true).unwrap();
        while others.send_to(b"X=1", &path).is_ok() {}
        let environment = [("NOTIFY_SOCKET".into(), path.into_os_string())];
        let manager = Manager::find(&environment.into()).unwrap();
        let context = Context {
            app: "myapp".to_owned(),
            fallback: FallbackPhase::None,
        };
        let mut audience = Audience::new(context, manager, None);

        audience.report(Report::StartTakes(Duration::from_secs(1)));
        audience.report(Report::StartTakes(Duration::from_secs(2)));
        audience.report(Report::Ready);
        audience.is_alive(Time::ZERO);
        assert_eq!(audience.deadline(), Some(Time::ZERO + AGAIN));

        let mut buffer = [0; 64];
        let mut heard = || {
            let bytes = listener.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..bytes]).into_owned())
        };
        while heard().is_some_and(|message| message == "X=1") {}
        audience.is_alive(Time::ZERO);
        assert_eq!(heard(), None, "it is not due");
        audience.is_alive(Time::ZERO + AGAIN);
        assert_eq!(heard().as_deref(), Some("EXTEND_TIMEOUT_USEC=2000000"));
        assert_eq!(heard().as_deref(), Some("READY=1"));
        assert_eq!(audience.deadline(), None);
    }
}
