//! The supervisor as it is shown: what `changeover status` and `/status` say, in JSON, version 1.
//!
//! Times are ages in seconds, counted back from the look; so they mean the same on every machine,
//! whatever its clock says. A field that is not known is `null`. New fields may come; none of
//! version 1 changes its meaning.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::credential::Kind;
use crate::supervisor::event::{FailureKind, FetchFailure};
use crate::supervisor::notice::StartedFor;
use crate::supervisor::overview::{ApiOverview, ChildOverview, Overview, ReadinessOverview};
use crate::supervisor::status::{ChangePhase, FallbackPhase, ServicePhase};
use crate::supervisor::time::{Duration, Time};

use super::protocol::VERSION;
use super::tally::Tally;

/// One look.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct View {
    /// [`VERSION`].
    pub v: u32,
    /// The Heroku app.
    pub app: String,
    /// The supervisor itself.
    pub changeover: Supervisor,
    /// What runs, and why: a phase's name, such as `running` or `awaiting_credential`.
    pub phase: String,
    /// Whether a program runs that counts as serving.
    pub serving: bool,
    /// The processes that were started and are not quite gone.
    pub children: Vec<Child>,
    /// What the newest one runs with, or the next one will.
    pub revision: Option<Revision>,
    /// How far a difference has come: `quiet`, or a phase's name.
    pub change: String,
    /// That difference.
    pub pending: Option<Pending>,
    /// For how long a person has held changes back: `hold`.
    pub held_s: Option<f64>,
    /// Whose word is run with: `heroku`, `inherited` or `cached`.
    pub source: String,
    /// Heroku, as far as it answers.
    pub heroku: Heroku,
    /// Whether a connection to the database is watched: a phase's name.
    pub connection: String,
    /// What was started again.
    pub restarts: Restarts,
}

/// The supervisor itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Supervisor {
    /// Its process id.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// How long it has run.
    pub age_s: f64,
}

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Child {
    /// Its process id.
    pub pid: u32,
    /// What it runs with.
    pub revision: u32,
    /// `starting`, `serving`, `late` or `ending`.
    pub state: String,
    /// How long ago it was started.
    pub age_s: f64,
}

/// A version of the watched values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Revision {
    /// Counted from 1 in each supervisor.
    pub number: u32,
    /// How long ago it was first seen.
    pub age_s: f64,
    /// In what it differs from the one before.
    pub changed: Vec<Changed>,
}

/// A difference that is no revision yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Pending {
    /// How long ago it was first seen.
    pub age_s: f64,
    /// What it is.
    pub changed: Vec<Changed>,
}

/// One variable that differs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changed {
    /// Its name.
    pub variable: String,
    /// How: `password`, `failover` …
    pub kind: String,
}

/// Heroku, as far as it answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Heroku {
    /// How old the newest good answer is: how stale everything else is.
    pub last_good_s: Option<f64>,
    /// When the next request is made.
    pub next_in_s: Option<f64>,
    /// The present time between two polls: longer than `--interval` when the account is low.
    pub pace_s: Option<f64>,
    /// The requests that the account has left in this hour.
    pub requests_left: Option<u32>,
    /// `accepted`, `refused`, `missing`, `command_failed`, or `untried`.
    pub token: String,
    /// It does not answer well.
    pub failing: Option<Failing>,
}

/// An API that does not answer well.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Failing {
    /// For how long.
    pub age_s: f64,
    /// How many requests in a row.
    pub requests: u32,
    /// How the last one failed.
    pub detail: String,
}

/// What was started again.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Restarts {
    /// For a new revision.
    pub change: u64,
    /// For another server behind an unchanged URL.
    pub failover: u64,
    /// Because the program ended by itself, or hung.
    pub own_end: u64,
    /// Because somebody asked for it.
    pub asked: u64,
    /// From the old one's end to the new one's start, of the last few: the newest is the last.
    pub dead_times_s: Vec<f64>,
}

impl View {
    /// A look at `now`.
    #[must_use]
    pub fn new(app: &str, now: Time, overview: &Overview, tally: &Tally) -> Self {
        let ago = |time: Time| seconds(now.since(time));
        let status = overview.status;
        let children: Vec<Child> = overview
            .children
            .iter()
            .map(|child| Child::new(now, child))
            .collect();
        let serves = |child: &ChildOverview| child.readiness == ReadinessOverview::Serving;
        Self {
            v: VERSION,
            app: app.to_owned(),
            changeover: Supervisor {
                pid: std::process::id(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                age_s: ago(Time::ZERO),
            },
            phase: word(&status.service),
            serving: overview.children.iter().any(serves),
            children,
            revision: overview.revision.as_ref().map(|revision| Revision {
                number: revision.revision.0,
                age_s: ago(revision.seen_at),
                changed: changed(&revision.changed),
            }),
            change: match (status.change, status.service) {
                (ChangePhase::Quiet, ServicePhase::Held) => "held".to_owned(),
                (change, _) => word(&change),
            },
            pending: overview.pending.as_ref().map(|pending| Pending {
                age_s: ago(pending.seen_at),
                changed: changed(&pending.changed),
            }),
            held_s: overview.held_since.map(ago),
            source: match status.fallback {
                FallbackPhase::None => "heroku".to_owned(),
                on @ (FallbackPhase::Inherited | FallbackPhase::Cached) => word(&on),
            },
            heroku: Heroku::new(now, &overview.api),
            connection: word(&status.connection),
            restarts: Restarts::new(tally),
        }
    }
}

impl Child {
    fn new(now: Time, child: &ChildOverview) -> Self {
        Self {
            pid: child.child.pid,
            revision: child.child.revision.0,
            state: word(&child.readiness),
            age_s: seconds(now.since(child.started)),
        }
    }
}

impl Heroku {
    fn new(now: Time, api: &ApiOverview) -> Self {
        let failing = api.failing.as_ref();
        Self {
            last_good_s: api.good_at.map(|at| seconds(now.since(at))),
            next_in_s: api.next.map(|at| seconds(at.since(now))),
            pace_s: api.pace.map(seconds),
            requests_left: api.left,
            token: word(&api.token),
            failing: failing.map(|failing| Failing {
                age_s: seconds(now.since(failing.since)),
                requests: failing.attempts,
                detail: detail(&failing.failure),
            }),
        }
    }
}

/// Of an answer of Heroku's own the core keeps only what is not said by its kind.
fn detail(failure: &FetchFailure) -> String {
    let detail = &failure.detail;
    match failure.kind {
        FailureKind::TokenRefused => format!("Heroku refused {detail}"),
        FailureKind::AppNotFound => format!("Heroku shows {detail}"),
        FailureKind::NoToken | FailureKind::TokenCommandFailed | FailureKind::Unavailable => {
            detail.clone()
        }
    }
}

impl Restarts {
    fn new(tally: &Tally) -> Self {
        Self {
            change: tally.starts(StartedFor::Change),
            failover: tally.starts(StartedFor::Failover),
            own_end: tally.starts(StartedFor::OwnEnd),
            asked: tally.starts(StartedFor::Asked),
            dead_times_s: tally.dead_times().map(seconds).collect(),
        }
    }
}

fn changed(changed: &[(String, Kind)]) -> Vec<Changed> {
    let one = |(variable, kind): &(String, Kind)| Changed {
        variable: variable.clone(),
        kind: kind.to_string(),
    };
    changed.iter().map(one).collect()
}

/// To the microsecond: more would be noise.
fn seconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e6
}

/// `AwaitingCredential` as JSON has it: `awaiting_credential`.
pub fn word(phase: &impl fmt::Debug) -> String {
    let mut word = String::new();
    for letter in format!("{phase:?}").chars() {
        if letter.is_ascii_uppercase() && !word.is_empty() {
            word.push('_');
        }
        word.push(letter.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::status::ConnectionPhase;

    #[test]
    fn names_are_written_as_json_has_them() {
        assert_eq!(
            word(&ServicePhase::AwaitingCredential),
            "awaiting_credential"
        );
        assert_eq!(word(&ConnectionPhase::Off), "off");
    }

    #[test]
    fn what_another_version_does_not_show_or_shows_besides_is_no_error() {
        let older: View = serde_json::from_str("{}").unwrap();
        assert_eq!(older, View::default());
        let text = r#"{"v":1,"app":"acme","children":[{"pid":7,"new":[]}],"newer":{}}"#;
        let newer: View = serde_json::from_str(text).unwrap();
        assert_eq!((newer.app.as_str(), newer.children[0].pid), ("acme", 7));
    }

    #[test]
    fn times_are_rounded() {
        assert_eq!(seconds(Duration::from_nanos(1_234_567)), 0.001_235);
    }
}
