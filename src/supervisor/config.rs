//! What the core needs to know of the user's wishes: validated elsewhere, plain values here.

use crate::credential::EnvironmentSpec;

use super::action::Scope;
use super::signal::Signal;
use super::time::Duration;

/// The core's configuration; it never changes in a life.
#[derive(Clone, Debug)]
pub struct Config {
    /// How the child's environment is built, and which config vars matter.
    pub environment: EnvironmentSpec,
    /// Unique to this supervisor: `CHANGEOVER_INSTANCE` is this and the instance's id. `None`:
    /// children are not marked.
    pub mark: Option<String>,
    /// Whether the API is asked again after the first good answer.
    pub watching: Watching,
    /// Quiet time after a difference was first seen.
    pub debounce: Duration,
    /// A random delay of up to this before a confirmed change is acted on.
    pub splay: Duration,
    /// For the first good answer, and for the successor of a dead credential.
    pub start_timeout: Duration,
    /// What a confirmed change does to the child.
    pub on_change: OnChange,
    /// How a child is stopped.
    pub stop: StopSequence,
    /// Who gets the stop signal and forwarded signals.
    pub scope: Scope,
    /// What happens to processes that a child leaves behind.
    pub leftovers: LeftoverPolicy,
    /// When the core may log in to Postgres.
    pub logins: Logins,
}

/// `--interval`, `--no-watch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// Poll at this interval.
    Every(Duration),
    /// One good answer is enough.
    Once,
}

/// `--on-change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// Stop the child and start it with the new environment.
    Restart,
    /// Tell the child; it fetches for itself.
    Signal(Signal),
    /// Stop the child and exit 75: an outer manager starts anew.
    Exit,
}

/// `--stop-sequence`: signals, each with the time until the next; at the end comes KILL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopSequence(pub Vec<StopStep>);

/// One signal of a stop sequence, and how long the leader has after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StopStep {
    /// Never KILL: that is what follows the last step.
    pub signal: Signal,
    /// Until the next step.
    pub wait: Duration,
}

/// `--sweep`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverPolicy {
    /// Everything that a child leaves behind is stopped before the next starts.
    Sweep,
    /// Leftovers are nobody's business.
    Leave,
}

/// `--check-login`, as far as it goes today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logins {
    /// When a child failed, its credential is tried.
    AfterFailure,
    /// Never.
    Never,
}

impl StopSequence {
    /// All the time that a child has before KILL.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.0.iter().map(|step| step.wait).sum()
    }
}
