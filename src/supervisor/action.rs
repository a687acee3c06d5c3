//! Everything that the supervisor can ask of its shells.

use std::sync::Arc;

use crate::credential::{Environment, LastGood, Secret, SslMode};
use crate::exit_code::ExitCode;

use super::command::Answer;
use super::event::ETag;
use super::id::{CacheId, ConnectionId, FetchId, InstanceId, LoginId, ReplyId};
use super::notice::Notice;
use super::signal::Signal;
use super::time::Duration;

/// One thing to do. The shells do exactly this, in this order, and decide nothing.
#[derive(Clone, Debug)]
pub enum Action {
    /// Request the config vars; answered by `Fetched`.
    Fetch {
        /// Names the request.
        fetch: FetchId,
        /// Send `If-None-Match` with this tag; `None`: unconditional.
        unless: Option<ETag>,
    },
    /// Drop a request; it is never answered.
    CancelFetch {
        /// Which request.
        fetch: FetchId,
    },
    /// Log in once and close; answered by `LoginChecked`.
    CheckLogin {
        /// Names the attempt.
        login: LoginId,
        /// A postgres URL.
        url: Secret,
        /// How the child's client would encrypt, as far as anything says.
        sslmode: Option<SslMode>,
    },
    /// Drop an attempt; it is never answered.
    CancelLogin {
        /// Which attempt.
        login: LoginId,
    },
    /// Log in, stay, and look now and then who answers; what is found is told by `Connection`,
    /// until it says `Lost`.
    WatchConnection {
        /// Names the connection.
        connection: ConnectionId,
        /// A postgres URL.
        url: Secret,
        /// How the child's client would encrypt, as far as anything says.
        sslmode: Option<SslMode>,
    },
    /// Close a connection, or stop making it; nothing more is said of it.
    UnwatchConnection {
        /// Which connection.
        connection: ConnectionId,
    },
    /// Write what was fetched to the env file, if there is one; then find the program and lay out
    /// its start in memory. Answered by `Prepared` or `SpawnFailed`: unless that is `Unwritable`,
    /// the file is written. Only the newest preparation counts, and only as long as
    /// `Supervisor::preparation` names it.
    Prepare {
        /// Names the instance.
        instance: InstanceId,
        /// All that the child will find in its environment.
        environment: Arc<Environment>,
    },
    /// Start what was prepared; answered by `Spawned` or `SpawnFailed`.
    Spawn {
        /// Which instance.
        instance: InstanceId,
    },
    /// Find out whether the instance serves, by the means that `--ready` names, and pass on what
    /// it says of itself; answered by `Said`, as often as it has something to say, until it ends.
    ProbeReadiness {
        /// Which instance.
        instance: InstanceId,
    },
    /// Send a signal to a live instance.
    Signal {
        /// Which instance.
        instance: InstanceId,
        /// Which signal.
        signal: Signal,
        /// To whom.
        scope: Scope,
    },
    /// Send a signal to every process of the instance's tree that is left, the leader too; a signal
    /// other than KILL is followed by CONT.
    Sweep {
        /// Which instance.
        instance: InstanceId,
        /// TERM or KILL.
        signal: Signal,
    },
    /// KILL did not help: do no more to what is left of an instance. What is heard of it later is
    /// dropped.
    GiveUp {
        /// Which instance.
        instance: InstanceId,
    },
    /// Stop, with all that waits, as this signal stops a process (TSTP, TTIN or TTOU), until CONT;
    /// the core's time stands still meanwhile. PID 1 and an orphaned process group never stop.
    StopSelf {
        /// Which signal.
        signal: Signal,
    },
    /// Find out who of an instance's tree is alive; answered by `TreeListed`.
    ListTree {
        /// Which instance.
        instance: InstanceId,
    },
    /// Remove the env file: what was fetched must not outlive us.
    RemoveEnvFile,
    /// Tell the service manager.
    Report(Report),
    /// Answer a command. There is one answer to each.
    Reply {
        /// Which command.
        reply: ReplyId,
        /// What follows.
        answer: Answer,
    },
    /// Look into the cache; answered by `CacheRead`.
    ReadCache {
        /// Names the look.
        read: CacheId,
    },
    /// Put what Heroku said into the cache; answered by `CacheWritten`.
    WriteCache {
        /// Names the write.
        write: CacheId,
        /// What it said.
        good: Arc<LastGood>,
        /// How long ago.
        age: Duration,
    },
    /// Remove the cache: nobody has the key to it any more.
    RemoveCache,
    /// Tell people.
    Announce(Notice),
    /// End the program. The last action of a life.
    Exit(ExitCode),
}

/// What a service manager should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// The start may take this much longer, from now on.
    StartTakes(Duration),
    /// The child serves: the start is over.
    Ready,
    /// Everything ends.
    Stopping,
}

/// Who gets a stop signal and every forwarded signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The leader alone: its own way of stopping workers is respected.
    Process,
    /// The leader's process group.
    Group,
}
