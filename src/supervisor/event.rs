//! Everything that can happen to the supervisor.

use std::sync::Arc;

use crate::credential::{LastGood, Snapshot};

use super::command::Verb;
use super::id::{CacheId, ConnectionId, FetchId, InstanceId, LoginId, ReplyId};
use super::readiness::Word;
use super::signal::{Origin, Signal};
use super::time::Duration;

/// One thing that happened, as a shell saw it. Answers carry the id of what they answer.
#[derive(Clone, Debug)]
pub enum Event {
    /// A request for the config vars ended.
    Fetched {
        /// Which request.
        fetch: FetchId,
        /// What came of it.
        outcome: FetchOutcome,
        /// How many requests the account has left, if the answer said so.
        left: Option<u32>,
    },
    /// An attempt to log in ended.
    LoginChecked {
        /// Which attempt.
        login: LoginId,
        /// What came of it.
        outcome: LoginOutcome,
    },
    /// Something is to be told of the watched connection.
    Connection {
        /// Which connection.
        connection: ConnectionId,
        /// What it is.
        news: ConnectionNews,
    },
    /// The env file, if there is one, is written, the program was found, and all that its start
    /// needs is in memory.
    Prepared {
        /// Which instance.
        instance: InstanceId,
    },
    /// The process runs the program.
    Spawned {
        /// Which instance.
        instance: InstanceId,
        /// Its process id.
        pid: u32,
    },
    /// The preparation or the start failed; there is no process.
    SpawnFailed {
        /// Which instance.
        instance: InstanceId,
        /// Why.
        error: SpawnError,
    },
    /// The instance told something of itself, or its readiness was found out (`Word::Ready`).
    Said {
        /// Which instance.
        instance: InstanceId,
        /// What.
        word: Word,
    },
    /// The instance's leader ended and was reaped.
    Exited {
        /// Which instance.
        instance: InstanceId,
        /// How.
        ended: Ended,
        /// Whether the leader left processes behind.
        leftovers: Leftovers,
    },
    /// The last process that the instance left behind is gone.
    TreeEmpty {
        /// Which instance.
        instance: InstanceId,
    },
    /// Who of the instance's tree is alive.
    TreeListed {
        /// Which instance.
        instance: InstanceId,
        /// Those that were found.
        alive: Alive,
    },
    /// The leader was stopped by a signal (not ended).
    Stopped {
        /// Which instance.
        instance: InstanceId,
    },
    /// The leader goes on.
    Continued {
        /// Which instance.
        instance: InstanceId,
    },
    /// A look into the cache ended.
    CacheRead {
        /// Which look.
        read: CacheId,
        /// What came of it.
        outcome: CacheOutcome,
    },
    /// A write to the cache ended.
    CacheWritten {
        /// Which write.
        write: CacheId,
        /// Whether it is there; else why not, in one sentence.
        result: Result<(), String>,
    },
    /// A signal reached the supervisor.
    Signal {
        /// Which.
        signal: Signal,
        /// From whom.
        origin: Origin,
    },
    /// The machine slept, or we were stopped: what was known may be old.
    Resumed,
    /// Heroku told, with a good signature, that something of the app changed: that says when to
    /// look, never what is there.
    Webhook,
    /// Something is asked of us; answered by `Action::Reply` in the same step.
    Command {
        /// Names the command.
        reply: ReplyId,
        /// What is asked for.
        verb: Verb,
    },
    /// The deadline came, and everything that happened by then was told.
    Wake,
}

/// What came of a request for the config vars.
#[derive(Clone, Debug)]
pub enum FetchOutcome {
    /// A good answer, judged and reduced to what is watched.
    Snapshot {
        /// The watched values.
        snapshot: Arc<Snapshot>,
        /// The tag under which the server knows this answer.
        etag: Option<ETag>,
    },
    /// 304: still the answer of the tag that was sent along.
    NotModified,
    /// No usable answer.
    Failed(FetchFailure),
}

/// A server's name for one answer, sent back with `If-None-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(pub Arc<str>);

/// Why there is no usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchFailure {
    /// What it means for the next step.
    pub kind: FailureKind,
    /// One phrase for people: `503 (HTML)`, `connection refused`. Never a secret, at most 256
    /// bytes.
    pub detail: String,
    /// How long the server asked us to stay away.
    pub retry_after: Option<Duration>,
    /// What mends a token that was refused.
    pub remedy: Option<Remedy>,
}

/// What a person does about a token that was refused: that depends on where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Writes a new one to the same file, which is read again.
    File,
    /// Makes the command print a new one; it is run again.
    Command,
    /// Starts us again with a new one in the environment.
    Environment,
    /// Writes a new one to where systemd takes the credential from, and starts the unit again.
    Credential,
    /// Logs in with the Heroku CLI; what that keeps is read again.
    CliLogin,
    /// Settles it with Heroku: the account or the app is suspended.
    Account,
}

/// What a failed request means for the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No source has a token, and waiting will not bring one.
    NoToken,
    /// The program that prints the token failed; it may not the next time.
    TokenCommandFailed,
    /// 401 or 403: the token is not, or no longer, good for this app.
    TokenRefused,
    /// 404: no such app, or none that this token may see.
    AppNotFound,
    /// Everything that time may heal: no connection, 429, 5xx, garbage.
    Unavailable,
}

/// What came of a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginOutcome {
    /// The server let us in.
    Accepted,
    /// The server, or a pooler, knows the credential to be bad.
    Refused {
        /// The SQLSTATE.
        code: String,
    },
    /// No answer that says anything about the credential.
    Unreachable {
        /// One phrase for people.
        detail: String,
    },
}

/// What came of a look into the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// Values of this app, for these variables.
    Good {
        /// They.
        good: Arc<LastGood>,
        /// How old they are.
        age: Age,
    },
    /// It was encrypted with another token than the present one, so nobody will ever read it.
    OtherToken,
    /// It is of no use otherwise.
    Unusable {
        /// One phrase for people: why, and what to do.
        why: String,
    },
}

/// How long ago the clock on the wall showed a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// So long.
    Past(Duration),
    /// It has yet to: one of the two clocks is wrong.
    Future(Duration),
}

/// What is heard of a watched connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionNews {
    /// It is there, and this is who answers; told again when that is no longer the same.
    Server(Server),
    /// It could not be made, or is gone, or leads elsewhere than its name does by now.
    Lost {
        /// One phrase for people.
        why: String,
    },
}

/// The server behind a connection, as far as it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its `system_identifier`: the same on a primary and all its standbys.
    pub system: Option<i64>,
    /// A primary's timeline: each promotion makes it higher.
    pub timeline: Option<u32>,
    /// Whether it takes writes.
    pub access: Access,
}

/// Whether a server takes writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It does, as far as is known.
    ReadWrite,
    /// It is in recovery, or `default_transaction_read_only` is on.
    ReadOnly,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(u8),
    /// By this signal.
    Signal(Signal),
}

/// Whether a leader that ended left processes behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// Its tree is empty.
    None,
    /// Some of its tree still lives; `TreeEmpty` follows.
    Some,
}

/// The processes of a tree that are alive: the first few, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alive {
    /// At most `Alive::NAMED_MAX` of them, in the order of their numbers.
    pub named: Vec<Member>,
    /// All of them.
    pub count: usize,
}

/// A process that belongs to an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its process id.
    pub pid: u32,
    /// What the kernel calls it, escaped, at most 32 bytes.
    pub name: String,
}

/// Why there is no process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpawnError {
    /// The env file could not be written. Nothing else was tried.
    Unwritable {
        /// One sentence, fit for a log: what is in the way, and what to do.
        detail: String,
    },
    /// No such program.
    NotFound,
    /// There is one, and it cannot be executed.
    NotExecutable {
        /// What the system said.
        detail: String,
    },
    /// The system refused for another reason (no memory, too many processes).
    Failed {
        /// What the system said.
        detail: String,
    },
}

impl Alive {
    /// So many are named; a line of a log holds no more.
    pub const NAMED_MAX: usize = 5;
}

impl FetchFailure {
    /// A failure that time may heal.
    #[must_use]
    pub fn unavailable(detail: &str) -> Self {
        Self {
            kind: FailureKind::Unavailable,
            detail: detail.to_owned(),
            retry_after: None,
            remedy: None,
        }
    }
}

impl Ended {
    /// The code that a shell would report.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(Signal(number)) => u8::try_from(128 + number).unwrap_or(u8::MAX),
        }
    }
}
