//! What the supervisor knows, for whoever looks at it from outside: names, numbers and kinds, never
//! a value.

use crate::credential::Kind;

use super::Supervisor;
use super::event::FetchFailure;
use super::hold::Hold;
use super::id::Revision;
use super::instance::Instance;
use super::notice::Child;
use super::phase::Phase;
use super::status::{InstancePhase, Status};
use super::time::{Duration, Time};

/// One look at the core, with its numbers. Times are the core's own.
#[derive(Clone, Debug)]
pub struct Overview {
    /// What it is doing.
    pub status: Status,
    /// The processes that were started and are not quite gone: the one that serves or is to be
    /// replaced, and one beside it.
    pub children: Vec<ChildOverview>,
    /// What the newest child runs with, or the next one will; `None` before the first good answer.
    pub revision: Option<RevisionOverview>,
    /// A difference on its way: not proven yet, or not with the program that serves.
    pub pending: Option<Pending>,
    /// Since when a person holds changes back.
    pub held_since: Option<Time>,
    /// Heroku, as far as it answers.
    pub api: ApiOverview,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildOverview {
    /// Which.
    pub child: Child,
    /// When it was started.
    pub started: Time,
    /// Whether it counts as serving.
    pub readiness: ReadinessOverview,
}

/// Whether a process counts as serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadinessOverview {
    /// It is waited for.
    Starting,
    /// It does, or nobody asks.
    Serving,
    /// It did not become ready in time.
    Late,
    /// It was told to end, or has ended.
    Ending,
}

/// A version of the watched values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionOverview {
    /// Its number.
    pub revision: Revision,
    /// When its difference from the one before was first seen.
    pub seen_at: Time,
    /// In what it differs: variables and kinds; the first one in nothing.
    pub changed: Vec<(String, Kind)>,
}

/// A difference on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Variables and kinds.
    pub changed: Vec<(String, Kind)>,
    /// When it was first seen.
    pub seen_at: Time,
}

/// How Heroku answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiOverview {
    /// When the newest good answer came.
    pub good_at: Option<Time>,
    /// When the next request is made, unless one is out or none is made any more.
    pub next: Option<Time>,
    /// The present pace of polls, stretched when the account is low; `None`: it is not watched.
    pub pace: Option<Duration>,
    /// How many requests the account has left in this hour, as the last answer had it.
    pub left: Option<u32>,
    /// It does not answer well.
    pub failing: Option<FailingOverview>,
    /// What it says of the token.
    pub token: TokenOverview,
}

/// What the last answer that says anything of the token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenOverview {
    /// There was none.
    Untried,
    /// Heroku takes it.
    Accepted,
    /// Heroku does not.
    Refused,
    /// There is none to ask with.
    Missing,
    /// The command that prints it failed.
    CommandFailed,
}

/// For how long it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailingOverview {
    /// Since then.
    pub since: Time,
    /// So many requests in a row.
    pub attempts: u32,
    /// The last one.
    pub failure: FetchFailure,
}

impl Supervisor {
    /// What it knows right now.
    #[must_use]
    pub fn overview(&self) -> Overview {
        let instances = self.service.phase.instance().into_iter();
        let instances = instances.chain(self.service.beside());
        // One that has ended and left nothing is history, even while its end is thought about.
        let instances = instances.filter(|instance| instance.name() != InstancePhase::Gone);
        let desired = self.change.desired();
        Overview {
            status: self.status(),
            children: instances.map(Instance::overview).collect(),
            revision: desired.map(|desired| RevisionOverview {
                revision: desired.revision,
                seen_at: desired.seen_at,
                changed: desired.changed.clone(),
            }),
            pending: self.change.pending().or_else(|| self.waiting()),
            held_since: match self.hold {
                Hold::Off => None,
                Hold::On { since } => Some(since),
            },
            api: self.watch.overview(&self.config),
        }
    }

    /// The newest revision, while the program that serves, or did, has not got it: it is held back,
    /// on its way, or its own program does not start.
    fn waiting(&self) -> Option<Pending> {
        let desired = self.change.desired()?;
        let behind = match &self.service.phase {
            Phase::Waiting(_) | Phase::Starting { .. } | Phase::BackingOff { .. } => false,
            Phase::ShuttingDown(_) | Phase::Done => false,
            Phase::Running { instance: old }
            | Phase::Preparing { old, .. }
            | Phase::Postponed { old, .. }
            | Phase::Held { old, .. }
            | Phase::Telling { child: old, .. }
            | Phase::Joining { old, .. }
            | Phase::Overlapping { old, .. }
            | Phase::Replacing { old, .. }
            | Phase::Asking { failed: old, .. }
            | Phase::AwaitingCredential { failed: old, .. }
            | Phase::Pausing { ended: old, .. } => old.revision != desired.revision,
        };
        behind.then(|| Pending {
            changed: desired.changed.clone(),
            seen_at: desired.seen_at,
        })
    }
}
