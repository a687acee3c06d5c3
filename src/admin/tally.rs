//! What has happened so far, in numbers: told by the loop, kept for `status` and `/metrics`.

use std::collections::VecDeque;
use std::fmt;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::supervisor::action::Action;
use crate::supervisor::event::{Event, FailureKind, FetchOutcome};
use crate::supervisor::id::FetchId;
use crate::supervisor::notice::{Notice, StartedFor};
use crate::supervisor::time::{Duration, Time};

/// So many dead times are remembered.
const DEAD_TIMES_MAX: usize = 5;
/// In seconds: a bare start, a busy machine, what a stop timeout leaves.
const DEAD_TIME_BUCKETS: [f64; 9] = [0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 60.0];
/// In seconds; a request has 10 s.
const FETCH_BUCKETS: [f64; 8] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Ok,
    NotModified,
    Unavailable,
    TokenRefused,
    NoToken,
    TokenCommandFailed,
    AppNotFound,
}

type Label = [(&'static str, &'static str); 1];

/// Counters, and a few last times.
pub struct Tally {
    pub(super) registry: Registry,
    starts: Family<Label, Counter>,
    failed_starts: Counter,
    dead_time: Histogram,
    dead_times: VecDeque<Duration>,
    fetches: Family<Label, Counter>,
    fetch_time: Histogram,
    asked: Option<(FetchId, Time)>,
    last: Option<(Class, Time)>,
}

impl Tally {
    /// Nothing has happened yet.
    #[must_use]
    pub fn new() -> Self {
        let tally = Self {
            registry: Registry::with_prefix("changeover"),
            starts: Family::default(),
            failed_starts: Counter::default(),
            dead_time: Histogram::new(DEAD_TIME_BUCKETS),
            dead_times: VecDeque::new(),
            fetches: Family::default(),
            fetch_time: Histogram::new(FETCH_BUCKETS),
            asked: None,
            last: None,
        };
        for cause in CAUSES {
            drop(tally.starts.get_or_create(&cause_label(cause)));
        }
        tally.registered()
    }

    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        let help = "Programs started, by cause";
        registry.register("starts", help, self.starts.clone());
        let help = "Starts that failed, or beside a program that had to go on";
        registry.register("failed_starts", help, self.failed_starts.clone());
        let help = "From the old program's end to the new one's start";
        let of = self.dead_time.clone();
        registry.register_with_unit("dead_time", help, Unit::Seconds, of);
        let help = "Requests to Heroku, by how they ended";
        registry.register("fetches", help, self.fetches.clone());
        let help = "Requests to Heroku, from first to last byte";
        let of = self.fetch_time.clone();
        registry.register_with_unit("fetch_duration", help, Unit::Seconds, of);
        self
    }

    /// Something came in.
    pub fn hear(&mut self, now: Time, event: &Event) {
        if let Event::Fetched { fetch, outcome, .. } = event {
            let class = Class::of(outcome);
            self.fetches.get_or_create(&[("class", class.name())]).inc();
            self.last = Some((class, now));
            if let Some((_, since)) = self.asked.take_if(|(asked, _)| asked == fetch) {
                self.fetch_time.observe(now.since(since).as_secs_f64());
            }
        }
    }

    /// Something is done about it.
    pub fn see(&mut self, now: Time, action: &Action) {
        if let Action::Fetch { fetch, .. } = action {
            self.asked = Some((*fetch, now));
        } else if let Action::Announce(notice) = action {
            self.read(notice);
        }
    }

    fn read(&mut self, notice: &Notice) {
        if let Notice::Started {
            cause, dead_time, ..
        } = notice
        {
            self.started(*cause, *dead_time);
        } else if let Notice::StartedBeside { cause, .. } = notice {
            self.started(*cause, None);
        } else if let Notice::StartFailed { .. } | Notice::RolledBack { .. } = notice {
            self.failed_starts.inc();
        }
    }

    /// How many programs were started for this.
    #[must_use]
    pub fn starts(&self, cause: StartedFor) -> u64 {
        self.starts.get_or_create(&cause_label(cause)).get()
    }

    /// The last dead times, the newest last.
    pub fn dead_times(&self) -> impl Iterator<Item = Duration> {
        self.dead_times.iter().copied()
    }

    /// How the last request ended, and when.
    pub(super) fn last_fetch(&self) -> Option<(Class, Time)> {
        self.last
    }

    fn started(&mut self, cause: StartedFor, dead_time: Option<Duration>) {
        self.starts.get_or_create(&cause_label(cause)).inc();
        if let Some(dead_time) = dead_time {
            self.dead_time.observe(dead_time.as_secs_f64());
            if self.dead_times.len() == DEAD_TIMES_MAX {
                self.dead_times.pop_front();
            }
            self.dead_times.push_back(dead_time);
        }
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tally").finish_non_exhaustive()
    }
}

const CAUSES: [StartedFor; 5] = [
    StartedFor::First,
    StartedFor::Change,
    StartedFor::Failover,
    StartedFor::OwnEnd,
    StartedFor::Asked,
];

fn cause_label(cause: StartedFor) -> Label {
    [("cause", cause.name())]
}

impl Class {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::NotModified => "not_modified",
            Self::Unavailable => "unavailable",
            Self::TokenRefused => "token_refused",
            Self::NoToken => "no_token",
            Self::TokenCommandFailed => "token_command_failed",
            Self::AppNotFound => "app_not_found",
        }
    }

    fn of(outcome: &FetchOutcome) -> Self {
        match outcome {
            FetchOutcome::Snapshot { .. } => Self::Ok,
            FetchOutcome::NotModified => Self::NotModified,
            FetchOutcome::Failed(failure) => match failure.kind {
                FailureKind::Unavailable => Self::Unavailable,
                FailureKind::TokenRefused => Self::TokenRefused,
                FailureKind::NoToken => Self::NoToken,
                FailureKind::TokenCommandFailed => Self::TokenCommandFailed,
                FailureKind::AppNotFound => Self::AppNotFound,
            },
        }
    }
}
