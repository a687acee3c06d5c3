//! What is going to happen, and when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::supervisor::command::Verb;
use crate::supervisor::event::{CacheOutcome, Ended, Event, LoginOutcome};
use crate::supervisor::id::{CacheId, ConnectionId, FetchId, InstanceId, LoginId};
use crate::supervisor::readiness::Word;
use crate::supervisor::signal::{Origin, Signal};
use crate::supervisor::time::Time;

use super::Disk;
use super::connection::Found;
use super::heroku::{Reply, Scene};

/// Something that the world will do.
#[derive(Debug)]
pub(super) enum Happening {
    /// Heroku's answer, or its absence, reaches the supervisor.
    Answer { fetch: FetchId, reply: Reply },
    /// Postgres's answer reaches the supervisor.
    LoginAnswer {
        login: LoginId,
        outcome: LoginOutcome,
    },
    /// Something is found out about the connection that is watched.
    Connection {
        connection: ConnectionId,
        what: Found,
    },
    /// A preparation ends; `disk` is what its write met.
    Prepared { instance: InstanceId, disk: Disk },
    /// A spawn ends.
    Spawned { instance: InstanceId },
    /// A child says something of itself, if it still can.
    Says { instance: InstanceId, word: Word },
    /// A leader dies, if it still lives. `by` is who wanted that.
    Dies {
        instance: InstanceId,
        how: Ended,
        by: By,
    },
    /// The reaper finds it.
    Reaped { instance: InstanceId },
    /// Who of a tree is alive reaches the supervisor.
    Listed { instance: InstanceId },
    /// What a leader left dies.
    LeftoversDie { instance: InstanceId },
    /// A look into the cache ends.
    CacheRead {
        read: CacheId,
        outcome: CacheOutcome,
    },
    /// A write to it ends.
    CacheWritten {
        write: CacheId,
        result: Result<(), String>,
    },
    /// A signal reaches the supervisor.
    Signal { signal: Signal, origin: Origin },
    /// Somebody asks for something.
    Asked(Verb),
    /// An event comes that is stale, or comes twice.
    Again(Event),
    /// The story of a rotation goes on.
    Truth(Scene),
    /// Somebody stops the child with a signal, or lets it go on.
    Toggle,
    /// The program can be started again.
    ProgramIsThere,
    /// Files can be written again.
    DiskIsSound,
    /// Something goes wrong somewhere.
    Mischief,
    /// An outer manager starts the supervisor (again).
    Start,
}

/// Why a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// It was going to anyway.
    Fate,
    /// Somebody signalled it, or its database left it.
    Others,
}

impl Happening {
    /// Whether it is one of those that stop when the faults do.
    pub(super) fn is_fault(&self) -> bool {
        match self {
            Self::Mischief
            | Self::Toggle
            | Self::Truth(_)
            | Self::Again(_)
            | Self::Asked(_)
            | Self::ProgramIsThere
            | Self::DiskIsSound
            | Self::Signal { .. } => true,
            Self::Connection { what, .. } => *what == Found::Gone,
            Self::Dies { by, .. } => *by != By::Others,
            Self::Says { .. }
            | Self::Answer { .. }
            | Self::LoginAnswer { .. }
            | Self::Prepared { .. }
            | Self::Spawned { .. }
            | Self::Reaped { .. }
            | Self::Listed { .. }
            | Self::LeftoversDie { .. }
            | Self::CacheRead { .. }
            | Self::CacheWritten { .. }
            | Self::Start => false,
        }
    }
}

/// A queue by time; what was planned first comes first.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    entries: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

#[derive(Debug)]
struct Entry {
    at: Time,
    order: u64,
    what: Happening,
}

impl Agenda {
    pub(super) fn plan(&mut self, at: Time, what: Happening) {
        self.order += 1;
        let order = self.order;
        self.entries.push(Reverse(Entry { at, order, what }));
    }

    pub(super) fn next_at(&self) -> Option<Time> {
        self.entries.peek().map(|Reverse(entry)| entry.at)
    }

    pub(super) fn next(&mut self) -> Option<Happening> {
        self.entries.pop().map(|Reverse(entry)| entry.what)
    }

    /// What is chosen happens now.
    pub(super) fn hasten(&mut self, now: Time, chosen: impl Fn(&Happening) -> bool) {
        let entries = std::mem::take(&mut self.entries).into_iter();
        self.entries = entries
            .map(|Reverse(entry)| {
                let at = if chosen(&entry.what) { now } else { entry.at };
                Reverse(Entry { at, ..entry })
            })
            .collect();
    }

    /// Forgets what does not pass.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&Happening) -> bool) {
        self.entries.retain(|Reverse(entry)| keep(&entry.what));
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Entry {}
