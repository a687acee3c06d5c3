//! Where what is run with comes from: Heroku, or, until it answers, a fallback.

use std::sync::Arc;

use crate::credential::LastGood;

use super::notice::{Because, FallbackNotice, Notice};
use super::status::FallbackPhase;
use super::time::{Duration, Time};
use super::turn::Turn;

/// A start without Heroku is told about again after this long.
const HEARTBEAT: Duration = Duration::from_secs(900);

/// What there is to start on without Heroku.
#[derive(Clone, Debug)]
pub(super) struct Fallen {
    pub(super) from: From,
    pub(super) good: Arc<LastGood>,
}

/// Where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Inherited,
    /// And how old it is.
    Cache(Duration),
}

/// Whose word is run with.
#[derive(Debug)]
pub(super) enum Source {
    Heroku,
    /// Nobody's, as yet.
    Fallback {
        on: FallbackPhase,
        since: Time,
        told_at: Time,
    },
}

impl Source {
    /// A start without Heroku.
    pub(super) fn fallback(turn: &mut Turn<'_>, fallen: &Fallen) -> Self {
        let names = fallen.good.watched.keys().cloned().collect();
        let (on, notice) = match fallen.from {
            From::Inherited => (
                FallbackPhase::Inherited,
                FallbackNotice::OnInherited { names },
            ),
            From::Cache(age) => (
                FallbackPhase::Cached,
                FallbackNotice::OnCached { names, age },
            ),
        };
        turn.announce(Notice::Fallback(notice));
        Self::Fallback {
            on,
            since: turn.now,
            told_at: turn.now,
        }
    }

    pub(super) fn name(&self) -> FallbackPhase {
        match self {
            Self::Heroku => FallbackPhase::None,
            Self::Fallback { on, .. } => *on,
        }
    }

    /// Heroku said what is run with from now on.
    pub(super) fn is_heroku(&mut self, turn: &mut Turn<'_>, because: Because) {
        if let Self::Fallback { since, .. } = *self {
            let lasted = turn.now.since(since);
            let notice = FallbackNotice::Over { lasted, because };
            turn.announce(Notice::Fallback(notice));
            *self = Self::Heroku;
        }
    }

    /// A request ended: a good time to say it again.
    pub(super) fn remind(&mut self, turn: &mut Turn<'_>) {
        if let Self::Fallback {
            on, since, told_at, ..
        } = self
            && turn.now.since(*told_at) >= HEARTBEAT
        {
            *told_at = turn.now;
            let lasted = turn.now.since(*since);
            let notice = FallbackNotice::Lasts { on: *on, lasted };
            turn.announce(Notice::Fallback(notice));
        }
    }
}
