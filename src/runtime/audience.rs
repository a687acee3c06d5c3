//! Who is told what happens: people, through the log; the service manager; and hooks.

use std::time::Duration;

use crate::credential::phrase::without_tokens;
use crate::process::Manager;
use crate::supervisor::action::Report;
use crate::supervisor::notice::Notice;
use crate::supervisor::time::Time;

use super::hooks::Hooks;
use super::telemetry::{self, Context};

/// The log and the service manager. Lines gather until there is time for them.
#[derive(Debug)]
pub(super) struct Audience {
    context: Context,
    news: Vec<News>,
    manager: Option<Manager>,
    hooks: Option<Hooks>,
    /// When the manager's watchdog is told next that the loop lives.
    alive_at: Option<Time>,
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

    /// Tells the manager at once.
    pub(super) fn report(&self, report: Report) {
        if let Some(manager) = &self.manager {
            manager.report(report);
        }
    }

    /// When the manager's watchdog must hear of us next.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.alive_at
    }

    /// The loop lives: the watchdog is told when it is due.
    pub(super) fn is_alive(&mut self, now: Time) {
        let watchdog: Option<Duration> = self.manager.as_ref().and_then(Manager::watchdog);
        if let (Some(manager), Some(every), Some(at)) = (&self.manager, watchdog, self.alive_at)
            && at <= now
        {
            manager.is_alive();
            self.alive_at = Some(now + every);
        }
    }
}
