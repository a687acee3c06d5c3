//! Which events have met which phases: a world that never lets two things meet proves nothing about
//! their meeting.

use std::fmt;

use crate::supervisor::command::{Force, Verb};
use crate::supervisor::event::{
    CacheOutcome, ConnectionNews, Ended, Event, FetchOutcome, LoginOutcome,
};
use crate::supervisor::readiness::Word;
use crate::supervisor::signal::{Origin, Signal};
use crate::supervisor::status::{
    ChangePhase, ConnectionPhase, InstancePhase, ServicePhase, Status, WatchPhase,
};

use super::impossible::{self, Impossible};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// An event, as far as the core may answer it in another way.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];
        }
    };
}

kinds! {
    /// A good answer.
    Answer,
    /// 304.
    NotModified,
    /// No usable answer.
    FetchFailed,
    /// An answer that nobody waits for any more.
    StaleAnswer,
    /// The server let us in.
    LoginAccepted,
    /// It did not.
    LoginRefused,
    /// It could not be asked.
    LoginUnreachable,
    /// An answer to a login that nobody waits for any more.
    StaleLogin,
    /// It is told who answers behind the watched connection.
    Connected,
    /// The watched connection is lost, or cannot be made.
    Disconnected,
    /// News of a connection that is no longer watched.
    StaleConnection,
    /// The next child can be started.
    Prepared,
    /// The next child lives.
    Spawned,
    /// It cannot be started.
    SpawnFailed,
    /// The end of a preparation or a spawn that is no longer wanted.
    StaleStart,
    /// Anything about the second instance: the table `Beside` tells what.
    Beside,
    /// The child serves.
    Ready,
    /// It says anything else of itself.
    Word,
    /// The child ended with 0.
    EndedWell,
    /// The child ended otherwise.
    EndedBadly,
    /// Nothing is left of the tree.
    TreeEmpty,
    /// Who of it is still alive, while it is to end.
    Listed,
    /// News of a process that is no longer there, or no longer asked for.
    StaleEnd,
    /// The leader was stopped by a signal.
    Suspended,
    /// The leader goes on.
    Continued,
    /// The cache holds something.
    CacheFound,
    /// It holds nothing that is of use.
    CacheUseless,
    /// It was written.
    CacheWritten,
    /// It could not be.
    CacheUnwritten,
    /// What became of a look or a write that nobody waits for any more.
    StaleCache,
    /// TERM.
    Terminate,
    /// INT from a process.
    Interrupt,
    /// INT from the terminal or the child's tree.
    InterruptHeard,
    /// QUIT.
    Quit,
    /// The terminal hung up.
    HangUp,
    /// TSTP, TTIN or TTOU.
    JobControl,
    /// Any other signal, from a process.
    Signal,
    /// Any other signal, from the terminal or the child's tree.
    SignalHeard,
    /// The machine slept.
    Resumed,
    /// A webhook.
    Webhook,
    /// Somebody asks for a request.
    Refresh,
    /// Somebody asks for a restart.
    Restart,
    /// The same, whatever is in its way.
    ForcedRestart,
    /// Somebody asks for the end.
    Stop,
    /// Somebody holds changes back.
    Hold,
    /// No longer.
    Resume,
    /// The deadline, or nothing at all.
    Wake,
}

/// How often each kind of event met each phase of the core.
#[derive(Clone, Debug)]
pub struct Reach {
    service: Vec<[u64; KINDS]>,
    instance: Vec<[u64; KINDS]>,
    beside: Vec<[u64; KINDS]>,
    change: Vec<[u64; KINDS]>,
    watch: Vec<[u64; KINDS]>,
    connection: Vec<[u64; KINDS]>,
}

const KINDS: usize = Kind::ALL.len();

/// What matters to every process, whomever it is about.
const MATTERS_TO_ALL: [Kind; 17] = [
    Kind::JobControl,
    Kind::Terminate,
    Kind::Interrupt,
    Kind::InterruptHeard,
    Kind::Quit,
    Kind::HangUp,
    Kind::Signal,
    Kind::SignalHeard,
    Kind::Resumed,
    Kind::Webhook,
    Kind::Restart,
    Kind::ForcedRestart,
    Kind::Stop,
    Kind::Hold,
    Kind::Resume,
    Kind::Wake,
    Kind::StaleEnd,
];

/// Whether the core still waits for what an event answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fresh {
    Fresh,
    Stale,
}

impl Kind {
    pub(super) fn of(event: &Event, fresh: Fresh) -> Self {
        match (event, fresh) {
            (Event::Fetched { .. }, Fresh::Stale) => Self::StaleAnswer,
            (Event::Fetched { outcome, .. }, Fresh::Fresh) => Self::of_answer(outcome),
            (Event::LoginChecked { .. }, Fresh::Stale) => Self::StaleLogin,
            (Event::LoginChecked { outcome, .. }, Fresh::Fresh) => Self::of_login(outcome),
            (Event::Connection { .. }, Fresh::Stale) => Self::StaleConnection,
            (Event::Connection { news, .. }, Fresh::Fresh) => Self::of_news(news),
            (
                Event::Prepared { .. } | Event::Spawned { .. } | Event::SpawnFailed { .. },
                Fresh::Stale,
            ) => Self::StaleStart,
            (Event::Prepared { .. }, Fresh::Fresh) => Self::Prepared,
            (Event::Spawned { .. }, Fresh::Fresh) => Self::Spawned,
            (Event::SpawnFailed { .. }, Fresh::Fresh) => Self::SpawnFailed,
            (
                Event::Exited { .. }
                | Event::Said { .. }
                | Event::TreeEmpty { .. }
                | Event::TreeListed { .. }
                | Event::Stopped { .. }
                | Event::Continued { .. },
                Fresh::Stale,
            ) => Self::StaleEnd,
            (Event::Said { word, .. }, Fresh::Fresh) => match word {
                Word::Ready => Self::Ready,
                Word::Alive
                | Word::Trip
                | Word::NotYet(_)
                | Word::Silent(_)
                | Word::ExtendTimeout(_)
                | Word::Status(_)
                | Word::Stopping => Self::Word,
            },
            (Event::Exited { ended, .. }, Fresh::Fresh) if *ended == Ended::Code(0) => {
                Self::EndedWell
            }
            (Event::Exited { .. }, Fresh::Fresh) => Self::EndedBadly,
            (Event::TreeEmpty { .. }, Fresh::Fresh) => Self::TreeEmpty,
            (Event::TreeListed { .. }, Fresh::Fresh) => Self::Listed,
            (Event::Stopped { .. }, Fresh::Fresh) => Self::Suspended,
            (Event::Continued { .. }, Fresh::Fresh) => Self::Continued,
            (Event::CacheRead { .. } | Event::CacheWritten { .. }, Fresh::Stale) => {
                Self::StaleCache
            }
            (Event::CacheRead { outcome, .. }, Fresh::Fresh) => match outcome {
                CacheOutcome::Good { .. } => Self::CacheFound,
                CacheOutcome::OtherToken | CacheOutcome::Unusable { .. } => Self::CacheUseless,
            },
            (Event::CacheWritten { result: Ok(()), .. }, Fresh::Fresh) => Self::CacheWritten,
            (Event::CacheWritten { result: Err(_), .. }, Fresh::Fresh) => Self::CacheUnwritten,
            (Event::Signal { signal, origin }, _) => Self::of_signal(*signal, *origin),
            (Event::Resumed, _) => Self::Resumed,
            (Event::Webhook, _) => Self::Webhook,
            (Event::Command { verb, .. }, _) => Self::of_verb(*verb),
            (Event::Wake, _) => Self::Wake,
        }
    }

    fn of_verb(verb: Verb) -> Self {
        match verb {
            Verb::Refresh => Self::Refresh,
            Verb::Restart { force: Force::No } => Self::Restart,
            Verb::Restart { force: Force::Yes } => Self::ForcedRestart,
            Verb::Stop => Self::Stop,
            Verb::Hold => Self::Hold,
            Verb::Resume => Self::Resume,
        }
    }

    fn of_news(news: &ConnectionNews) -> Self {
        match news {
            ConnectionNews::Server(_) => Self::Connected,
            ConnectionNews::Lost { .. } => Self::Disconnected,
        }
    }

    fn of_answer(outcome: &FetchOutcome) -> Self {
        match outcome {
            FetchOutcome::Snapshot { .. } => Self::Answer,
            FetchOutcome::NotModified => Self::NotModified,
            FetchOutcome::Failed(_) => Self::FetchFailed,
        }
    }

    fn of_login(outcome: &LoginOutcome) -> Self {
        match outcome {
            LoginOutcome::Accepted => Self::LoginAccepted,
            LoginOutcome::Refused { .. } => Self::LoginRefused,
            LoginOutcome::Unreachable { .. } => Self::LoginUnreachable,
        }
    }

    fn of_signal(signal: Signal, origin: Origin) -> Self {
        match (signal, origin) {
            (Signal::TERM, _) => Self::Terminate,
            (Signal::INT, Origin::Process) => Self::Interrupt,
            (Signal::INT, Origin::Terminal | Origin::OwnTree) => Self::InterruptHeard,
            (Signal::QUIT, _) => Self::Quit,
            (Signal::HUP, Origin::Terminal) => Self::HangUp,
            (Signal::TSTP | Signal::TTIN | Signal::TTOU, _) => Self::JobControl,
            (_, Origin::Process) => Self::Signal,
            (_, Origin::Terminal | Origin::OwnTree) => Self::SignalHeard,
        }
    }
}

impl Default for Reach {
    fn default() -> Self {
        Self::new()
    }
}

impl Reach {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            service: vec![[0; KINDS]; ServicePhase::ALL.len()],
            instance: vec![[0; KINDS]; InstancePhase::ALL.len()],
            beside: vec![[0; KINDS]; InstancePhase::ALL.len()],
            change: vec![[0; KINDS]; ChangePhase::ALL.len()],
            watch: vec![[0; KINDS]; WatchPhase::ALL.len()],
            connection: vec![[0; KINDS]; ConnectionPhase::ALL.len()],
        }
    }

    /// `beside`: the event tells of the second instance.
    pub(super) fn count(&mut self, status: Status, told: Kind, beside: bool) {
        let kind = if beside { Kind::Beside } else { told };
        self.service[status.service as usize][kind as usize] += 1;
        if let Some(instance) = status.instance {
            self.instance[instance as usize][kind as usize] += 1;
        }
        if let Some(second) = status.beside
            && (beside || MATTERS_TO_ALL.contains(&told))
        {
            self.beside[second as usize][told as usize] += 1;
        }
        self.change[status.change as usize][kind as usize] += 1;
        self.watch[status.watch as usize][kind as usize] += 1;
        self.connection[status.connection as usize][kind as usize] += 1;
    }

    /// Adds what other lives have reached.
    pub fn add(&mut self, other: &Self) {
        let tables = [
            (&mut self.service, &other.service),
            (&mut self.instance, &other.instance),
            (&mut self.beside, &other.beside),
            (&mut self.change, &other.change),
            (&mut self.watch, &other.watch),
            (&mut self.connection, &other.connection),
        ];
        for (own, more) in tables {
            for (own, more) in own.iter_mut().flatten().zip(more.iter().flatten()) {
                *own += more;
            }
        }
    }

    /// Pairs that met and cannot: `impossible.rs` is wrong, or the core is.
    #[must_use]
    pub fn breaches(&self) -> Vec<String> {
        let pairs = self
            .pairs()
            .filter(|(phase, kind, count)| *count > 0 && is_impossible(phase, *kind));
        pairs
            .map(|(phase, kind, _)| format!("{phase} met {kind:?}"))
            .collect()
    }

    /// Pairs that can meet and never did.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let pairs = self.pairs().filter(|(phase, kind, count)| {
            *count == 0 && !is_impossible(phase, *kind) && !is_rare(phase, *kind)
        });
        pairs
            .map(|(phase, kind, _)| format!("{phase} never met {kind:?}"))
            .collect()
    }

    /// The possible pair that met least often.
    #[must_use]
    pub fn rarest(&self) -> Option<(String, Kind, u64)> {
        let possible = self
            .pairs()
            .filter(|(phase, kind, _)| !is_impossible(phase, *kind) && !is_rare(phase, *kind));
        possible.min_by_key(|(_, _, count)| *count)
    }

    /// Every pair, by the names of both, and how often they met.
    pub fn pairs(&self) -> impl Iterator<Item = (String, Kind, u64)> {
        let named = rows("Service", &self.service, ServicePhase::ALL)
            .chain(rows("Instance", &self.instance, InstancePhase::ALL))
            .chain(rows("Beside", &self.beside, InstancePhase::ALL))
            .chain(rows("Change", &self.change, ChangePhase::ALL))
            .chain(rows("Watch", &self.watch, WatchPhase::ALL))
            .chain(rows("Connection", &self.connection, ConnectionPhase::ALL));
        named.flat_map(|(phase, row)| {
            let kinds = Kind::ALL.iter().zip(row);
            kinds.map(move |(kind, count)| (phase.clone(), *kind, count))
        })
    }
}

fn is_impossible(phase: &str, kind: Kind) -> bool {
    is_among(impossible::ALL, phase, kind)
}

fn is_rare(phase: &str, kind: Kind) -> bool {
    is_among(impossible::RARE, phase, kind)
}

fn is_among(entries: &[Impossible], phase: &str, kind: Kind) -> bool {
    entries.iter().any(|entry| {
        entry.phases.contains(&phase) && entry.kinds.iter().any(|kinds| kinds.contains(&kind))
    })
}

fn rows<P: fmt::Debug>(
    room: &str,
    table: &[[u64; KINDS]],
    phases: &'static [P],
) -> impl Iterator<Item = (String, [u64; KINDS])> {
    phases
        .iter()
        .zip(table)
        .map(move |(phase, row)| (format!("{room}::{phase:?}"), *row))
}
