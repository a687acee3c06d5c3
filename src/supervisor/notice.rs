//! Facts worth telling people, without their wording: that is `runtime/telemetry/wording.rs`'s.

use crate::credential::{Fault, Kind};

use super::command::{Answer, Verb};
use super::config::EnvFile;
use super::event::{Alive, Ended, FetchFailure, LoginOutcome, SpawnError};
use super::id::Revision;
use super::signal::Signal;
use super::time::Duration;

mod connection;
mod fallback;
mod hold;
mod occasion;
mod value;

pub use connection::{ConnectionFact, ConnectionNotice, Failover};
pub use fallback::{Because, FallbackNotice, Unusable};
pub use hold::HoldNotice;
pub use occasion::Occasion;
pub use value::ValueNotice;

/// The process that a fact is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// Its process id.
    pub pid: u32,
    /// What it runs with.
    pub revision: Revision,
}

/// The random delay of a change (`--splay`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Splay {
    /// So long.
    Begins(Duration),
    /// The credential that the child runs on works no more, so what was left of it is not waited
    /// for.
    CutShort(Duration),
}

/// What is known of a new credential when its change is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It let us in.
    LoggedIn {
        /// How long that took.
        took: Duration,
    },
    /// No login says anything about it.
    Unproven {
        /// What came of it.
        outcome: LoginOutcome,
    },
    /// There was nothing to try, or no time for it.
    NotTried,
}

/// A change that waits for its credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldChange {
    /// The variable whose credential it is.
    pub name: String,
    /// What came of the login.
    pub outcome: LoginOutcome,
    /// What runs.
    pub running: Revision,
    /// When it is tried again, from now.
    pub retry_in: Duration,
}

/// One fact: one line in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A child runs.
    Started {
        /// Which.
        child: Child,
        /// Why.
        cause: StartedFor,
        /// From the old child's end to this one's start, when it replaces one.
        dead_time: Option<Duration>,
        /// From the first sight of the change to now, when a change is why.
        change: Option<Duration>,
    },
    /// A child runs beside another, which serves until this one is ready.
    StartedBeside {
        /// Which.
        child: Child,
        /// Why.
        cause: StartedFor,
        /// The one that serves.
        serving: Child,
        /// How long it has to become ready.
        timeout: Duration,
    },
    /// A child counts as serving from now on.
    Ready {
        /// Which.
        child: Child,
        /// How long that took since its start.
        after: Duration,
    },
    /// A child did not become ready in time, or cannot any more; it stays.
    NotReady {
        /// Which.
        child: Child,
        /// How so.
        unready: Unready,
    },
    /// A child with a watchdog cannot be heard any more: it is not watched any longer.
    Unheard {
        /// Which.
        child: Child,
        /// Why, in one phrase.
        why: String,
    },
    /// The new child is ready and has taken the old one's place.
    TookOver {
        /// Which.
        child: Child,
        /// From the first sight of the change to now, when a change is why.
        change: Option<Duration>,
    },
    /// The old child ended before the new one was ready: the new one takes its place.
    TookOverEarly {
        /// Which.
        child: Child,
    },
    /// The new child ended, or was not ready in time: the old one serves on.
    RolledBack {
        /// The new one.
        child: Child,
        /// The old one.
        serving: Child,
        /// How so; `None`: it ended.
        unready: Option<Unready>,
        /// When the change is tried again, from now.
        retry_in: Duration,
    },
    /// The new child is stopped before it was ready: it is not wanted any more.
    Superseded {
        /// Which.
        child: Child,
    },
    /// What the child says of itself: cleaned, at most 256 bytes.
    ChildStatus {
        /// Which.
        child: Child,
        /// Its words.
        text: String,
    },
    /// The child missed its watchdog.
    Hung {
        /// Which.
        child: Child,
        /// How long it has until KILL.
        timeout: Duration,
    },
    /// A child could not be started; or the env file could not be written, so that it could not be
    /// told of a change either.
    StartFailed {
        /// Why.
        error: SpawnError,
        /// When the next attempt is made; `None`: never.
        retry_in: Option<Duration>,
        /// The old child, which runs on.
        running: Option<Child>,
    },
    /// `--expand` takes variables from the child, or gives them other values than it would have.
    Replaced {
        /// Their names; at least one.
        names: Vec<String>,
    },
    /// A watched value differs; it is confirmed before anything happens.
    Settling {
        /// The variables that differ.
        changed: Vec<(String, Kind)>,
        /// The quiet time.
        debounce: Duration,
    },
    /// The difference went away before it was confirmed.
    ChangeWithdrawn,
    /// The same, after it was told that it is held up.
    HeldChangeWithdrawn,
    /// The same, because its variable has had no usable value for too long.
    HeldChangeGone,
    /// A change is confirmed and will be acted on.
    Changed {
        /// The variables that changed.
        changed: Vec<(String, Kind)>,
        /// The revision before.
        from: Revision,
        /// The revision from now on.
        to: Revision,
        /// Whether the new credential was tried.
        login: Proof,
    },
    /// A change is confirmed, and its credential does not work yet: what runs is left alone.
    ChangeHeld(HeldChange),
    /// A change is confirmed, and waits for the fleet's sake; or does so no longer.
    Splay {
        /// The variables that changed.
        changed: Vec<(String, Kind)>,
        /// The random delay.
        splay: Splay,
    },
    /// `--on-change signal:SIG`: the child is still starting up, and is signalled when it is ready.
    SignalWaits {
        /// Who will get it.
        child: Child,
        /// The signal.
        signal: Signal,
        /// How long it may take until then.
        timeout: Duration,
    },
    /// `--on-change signal:SIG`: the change was applied by a signal.
    ChangeSignalled {
        /// Who got it.
        child: Child,
        /// The signal.
        signal: Signal,
        /// Where it finds the new values.
        env_file: EnvFile,
    },
    /// A stop signal went out.
    Stopping {
        /// To whom.
        pid: u32,
        /// Which.
        signal: Signal,
        /// What it has until the next step.
        timeout: Duration,
    },
    /// The stop timeout is over: the whole tree was killed.
    Killing {
        /// The leader.
        pid: u32,
        /// How long it had.
        after: Duration,
    },
    /// A leader that ended left processes behind; they were told to stop.
    Sweeping {
        /// The leader that was.
        pid: u32,
    },
    /// A child that left processes in the background ended well, and at once: a daemon, which wants
    /// to be nobody's child. What it left was told to stop.
    WentToBackground {
        /// The leader that was.
        pid: u32,
        /// How long it lived.
        lived: Duration,
    },
    /// The end of a child, or of what it left, takes long.
    StillAlive {
        /// The leader.
        pid: u32,
        /// For how long so far.
        after: Duration,
        /// Who is alive.
        alive: Alive,
    },
    /// Processes remained even after a KILL (stuck in the kernel); they are left.
    SweepFailed {
        /// The leader that was.
        pid: u32,
    },
    /// A child ended.
    Ended {
        /// Which.
        child: Child,
        /// How.
        ended: Ended,
        /// How long it lived.
        lived: Duration,
        /// How long ago it was told to stop, if it was.
        stopping: Option<Duration>,
    },
    /// The child ended by itself, or for its watchdog, and is started again.
    Restarting {
        /// When the next is started, from now.
        pause: Duration,
        /// Who wants that.
        why: RestartedFor,
    },
    /// The child ended by itself once more than `--max-restarts` allows: that is the end.
    RestartLimit {
        /// How it ended.
        ended: Ended,
        /// How many restarts there were.
        count: u32,
        /// Within which time.
        within: Duration,
    },
    /// Neither a new credential nor a dead one explains the child's failure: its end is ours.
    NothingFound {
        /// How it ended.
        ended: Ended,
    },
    /// A child failed: its credential is asked about before anything is decided.
    Asking {
        /// Who.
        asked: Asked,
    },
    /// Heroku is not asked about that: little is left for the account, and it was asked just now.
    FetchSpared,
    /// The failed child's login was tried.
    LoginTried {
        /// The variable.
        name: String,
        /// What came of it.
        outcome: LoginOutcome,
    },
    /// The credential died before its successor was there.
    AwaitingCredential {
        /// How long it is waited for.
        timeout: Duration,
    },
    /// The credential that was refused lets us in: the program is started on it again.
    CredentialWorks,
    /// The successor of a dead credential did not come in time.
    CredentialNeverCame {
        /// How long it was waited for.
        timeout: Duration,
    },
    /// Config vars that would break the program are kept from it.
    KeptOut {
        /// Their names.
        names: Vec<String>,
    },
    /// The API began to fail.
    FetchFailing {
        /// How.
        failure: FetchFailure,
        /// The child that is not touched.
        running: Option<Child>,
    },
    /// The API still fails (said every 15 minutes).
    FetchStillFailing {
        /// How, the last time.
        failure: FetchFailure,
        /// For how long.
        lasted: Duration,
        /// How many requests.
        attempts: u32,
        /// The child that is not touched.
        running: Option<Child>,
    },
    /// The API answers again.
    FetchRecovered {
        /// How long it did not.
        lasted: Duration,
        /// How many requests failed.
        attempts: u32,
    },
    /// Something about the connection that is watched.
    Connection(ConnectionNotice),
    /// Something about the account that the API is asked for.
    Account(AccountNotice),
    /// Something about a watched variable without a usable value; the last good one stays.
    Value(ValueNotice),
    /// No child was ever started, and the supervisor gives up.
    StartGaveUp {
        /// Why.
        reason: GaveUp,
    },
    /// Something about a start without Heroku, or the cache that is kept for one.
    Fallback(FallbackNotice),
    /// A signal arrived that is meant for a child, while there was none.
    SignalDropped {
        /// Which.
        signal: Signal,
    },
    /// Something was asked for.
    Commanded {
        /// What.
        verb: Verb,
        /// What was answered.
        answer: Answer,
    },
    /// A person holds changes back, and something waits for that.
    Hold(HoldNotice),
    /// Too many failovers in a short time: the next restart waits.
    FailoverWaits {
        /// The child that is not touched.
        running: Child,
        /// For how long.
        wait: Duration,
    },
    /// A stop was asked for.
    StopRequested {
        /// By which signal.
        signal: Signal,
    },
    /// A second INT while stopping.
    KillRequested,
    /// `--on-change exit`.
    ExitForChange,
}

/// Why a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StartedFor {
    /// It is this supervisor's first.
    First,
    /// There is a new revision.
    Change,
    /// Another server answers behind an unchanged URL.
    Failover,
    /// The one before ended by itself, or hung.
    OwnEnd,
    /// Somebody asked for it.
    Asked,
}

/// Who is asked about a failed child's credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Heroku, for a new one. Nobody is to log in with the old one, or nobody can.
    Heroku,
    /// Heroku, and Postgres about the old one.
    Both,
}

/// What asks for another child after one that ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartedFor {
    /// `--restart`.
    Policy,
    /// It missed its watchdog.
    Watchdog,
}

/// How a child that lives came not to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Its time is over.
    Late {
        /// How long it had.
        after: Duration,
        /// What was last known of it, in one phrase.
        why: String,
    },
    /// Nothing more will be heard of it.
    Never {
        /// Why, in one phrase.
        why: String,
    },
}

/// What is told of the account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountNotice {
    /// It has few requests left: polls are rarer than was asked for.
    Scarce {
        /// So many requests.
        left: u32,
        /// The time between two polls now.
        stretched: Duration,
    },
    /// It has enough again.
    Ample {
        /// So many requests.
        left: u32,
        /// The time between two polls, as it should be.
        interval: Duration,
    },
}

/// Why no child was ever started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GaveUp {
    /// No good answer within the start timeout.
    NoAnswer {
        /// The last failure, if one was seen at all.
        last: Option<FetchFailure>,
        /// The start timeout.
        timeout: Duration,
    },
    /// The token was refused, or the app not found, twice; or there is no token.
    Refused {
        /// What the server said.
        failure: FetchFailure,
    },
    /// Answers came, but these variables stayed unusable.
    Unusable {
        /// Which, and why.
        faults: Vec<(String, Fault)>,
        /// The start timeout.
        timeout: Duration,
    },
}
