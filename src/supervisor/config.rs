//! What the core needs to know of the user's wishes: validated elsewhere, plain values here.

use std::sync::Arc;

use crate::credential::{EnvironmentSpec, Values};

use super::action::Scope;
use super::readiness::Readiness;
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
    /// What there is to start on when Heroku gives no answer in that time, after a login that
    /// works.
    pub fallback: Fallback,
    /// What a confirmed change does to the child.
    pub on_change: OnChange,
    /// In which order a restart for a change stops and starts.
    pub order: Order,
    /// When a new instance counts as serving.
    pub ready: Readiness,
    /// How long it has until then.
    pub ready_timeout: Duration,
    /// Whether what was fetched is in a file, too.
    pub env_file: EnvFile,
    /// How a child is stopped.
    pub stop: StopSequence,
    /// Who gets the stop signal and forwarded signals.
    pub scope: Scope,
    /// What becomes of signals before anything else looks at them.
    pub signals: SignalMap,
    /// What happens to processes that a child leaves behind.
    pub leftovers: LeftoverPolicy,
    /// When the core may log in to Postgres.
    pub check_login: CheckLogin,
    /// How long a change waits for a login with the new credential that gets no answer.
    pub check_login_timeout: Duration,
    /// Whether a connection to the child's database is watched.
    pub connection: ConnectionWatch,
    /// What follows when a child ends by itself.
    pub crash: CrashPolicy,
    /// Whether a service manager wants to know how far we are.
    pub manager: ServiceManager,
}

/// Who started us, as far as it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceManager {
    /// Nobody who listens.
    None,
    /// One that listens to what is told by `Action::Report`.
    Listening,
}

/// `--interval`, `--no-watch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watching {
    /// Poll at this interval.
    Every(Duration),
    /// One good answer is enough.
    Once,
}

/// `--fallback`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing.
    None,
    /// What the supervisor was started with.
    Inherited(Arc<Values>),
    /// The last good values that it, or one before it, was given: what it is given is kept for
    /// another start.
    Cached {
        /// `--cache-max-age`: nothing older is started on.
        max_age: Duration,
    },
}

/// `--on-change`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnChange {
    /// Stop the child and start it with the new environment.
    Restart,
    /// Tell the child; it fetches for itself, or reads the env file again.
    Signal(Signal),
    /// Stop the child and exit 75: an outer manager starts anew.
    Exit,
}

/// `--order`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The old child ends before the new one starts.
    StopFirst,
    /// The new one starts beside the old, which ends when the new one is ready.
    StartFirst,
}

/// `--env-file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvFile {
    /// There is none: a running program keeps the values that it was started with.
    None,
    /// It is written with each preparation, and removed before the exit.
    Kept,
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

/// `--map-signal`: a rule for each signal that is not what it seems. No signal has two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignalMap(pub Vec<(Signal, Mapped)>);

/// What becomes of a signal with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapped {
    /// The child gets this one.
    To(Signal),
    /// Nobody gets anything.
    Swallowed,
}

/// `--sweep`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftoverPolicy {
    /// Everything that a child leaves behind is stopped before the next starts.
    Sweep,
    /// Leftovers are nobody's business.
    Leave,
}

/// `--check-login`: whether a credential is tried before a child is touched, and after one failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckLogin {
    /// It is, and the answers count once a login has worked from this host.
    Auto,
    /// It is, and the answers count.
    Always,
    /// Never.
    Never,
}

/// `--watch-connection`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionWatch {
    /// No connection is kept.
    Off,
    /// One is, and it may prove a failover.
    On(OnFailover),
}

/// `--on-failover`: another server is proven behind an unchanged URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailover {
    /// As for a change, without splay.
    Restart,
    /// It is only told.
    Ignore,
}

/// What follows when a child ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrashPolicy {
    /// `--restart`.
    pub restart: Restart,
    /// `--success-exit`: codes that count as 0. A signal's is 128 and its number.
    pub success: Vec<u8>,
    /// `--backoff`: pauses before the next start. Starts that fail in mid-life have the same.
    pub backoff: Backoff,
    /// `--max-restarts`; `None`: without end.
    pub limit: Option<RestartLimit>,
}

/// `--restart`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restart {
    /// The child's end is the supervisor's.
    Never,
    /// A child that failed is started again; a success is the end.
    OnFailure,
    /// Whatever the end.
    Always,
}

/// `--backoff MIN..MAX`: `min`, doubling with each failure in a row, up to `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub min: Duration,
    /// The longest.
    pub max: Duration,
}

/// `--max-restarts N/D`: so many restarts in any stretch of this length, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartLimit {
    /// How many.
    pub count: u32,
    /// Within which time.
    pub within: Duration,
}

impl Default for CrashPolicy {
    /// The child's end is the supervisor's; starts that fail in mid-life are tried again after 1 s
    /// to 60 s.
    fn default() -> Self {
        Self {
            restart: Restart::Never,
            success: Vec::new(),
            backoff: Backoff {
                min: Duration::from_secs(1),
                max: Duration::from_secs(60),
            },
            limit: None,
        }
    }
}

impl SignalMap {
    /// The rule for a signal, if there is one.
    #[must_use]
    pub fn rule(&self, signal: Signal) -> Option<Mapped> {
        let rule = self.0.iter().find(|(from, _)| *from == signal);
        rule.map(|(_, mapped)| *mapped)
    }
}

impl StopSequence {
    /// All the time that a child has before KILL.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.0.iter().map(|step| step.wait).sum()
    }
}
