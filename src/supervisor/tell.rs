//! `--on-change signal:SIG`: the child is told of a change, and follows it by itself.
//!
//! One that is starting up is told when it is ready: a signal whose handler is not installed yet
//! ends most programs, or is lost.

use std::sync::Arc;

use crate::credential::Values;

use super::id::Revision;
use super::instance::{Instance, Startup};
use super::launch::Attempt;
use super::notice::Notice;
use super::phase::Phase;
use super::signal::Signal;
use super::turn::Turn;

/// What a child is to be told.
#[derive(Debug)]
pub(super) struct News {
    pub(super) signal: Signal,
    pub(super) revision: Revision,
    pub(super) values: Arc<Values>,
    pub(super) attempt: Attempt,
}

/// Tells the child, if it serves; else as soon as it does, or its time for that is over.
pub(super) fn tell(turn: &mut Turn<'_>, child: Instance, news: News) -> Phase {
    if let Some(Startup::Awaited { until, .. }) = child.startup() {
        turn.announce(Notice::SignalWaits {
            child: child.child(),
            signal: news.signal,
            timeout: until.since(turn.now),
        });
    }
    deliver(turn, child, news)
}

/// The child may serve by now.
pub(super) fn deliver(turn: &mut Turn<'_>, mut child: Instance, news: News) -> Phase {
    match child.startup() {
        Some(Startup::Unasked | Startup::Ready { .. } | Startup::Overdue(_)) => {}
        Some(Startup::Awaited { .. }) | None => return Phase::Telling { child, news },
    }
    child.forward(turn, news.signal);
    child.told_of(news.revision, news.values);
    turn.announce(Notice::ChangeSignalled {
        child: child.child(),
        signal: news.signal,
        env_file: turn.config.env_file,
    });
    Phase::Running { instance: child }
}

/// A person's INT or QUIT reached the child: it waits for what comes of that, too.
pub(super) fn tell_later(turn: &Turn<'_>, child: Instance, mut news: News) -> Phase {
    news.attempt.spare(turn, &child);
    match news.attempt.spared(turn) {
        Some(until) => Phase::Postponed {
            old: child,
            attempt: news.attempt,
            until,
        },
        None => Phase::Telling { child, news },
    }
}
