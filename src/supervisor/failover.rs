//! `--on-failover restart`: another server is proven behind an unchanged URL. The child is replaced
//! as for a change, on the same revision, and without splay: it talks to nobody.
//!
//! A name that leads here and there would have it replaced again and again: [`COUNT`] times in
//! [`WINDOW`], and what is proven after that waits. A newcomer that is not ready yet is left alone:
//! its connections are younger than the news, or as good as.

use std::collections::VecDeque;

use super::change::Desired;
use super::instance::{Fate, Instance};
use super::launch::{Attempt, Cause};
use super::notice::Notice;
use super::phase::Phase;
use super::service::Service;
use super::time::{Duration, Time};
use super::transition::apply;
use super::turn::Turn;

/// So many restarts for failovers follow each other within [`WINDOW`].
const COUNT: usize = 3;
const WINDOW: Duration = Duration::from_secs(600);

/// When children were replaced for a failover, or will be.
#[derive(Debug, Default)]
pub(super) struct Failovers {
    recent: VecDeque<Time>,
}

impl Failovers {
    /// When the next may be replaced.
    fn admit(&mut self, now: Time) -> Time {
        let oldest = self.recent.iter().rev().nth(COUNT - 1);
        let at = oldest.map_or(now, |oldest| (*oldest + WINDOW).max(now));
        self.recent.push_back(at);
        if self.recent.len() > COUNT {
            self.recent.pop_front();
        }
        at
    }
}

impl Service {
    /// The database of the child has failed over; only one that lives untouched is watched.
    pub(super) fn on_failover(&mut self, turn: &mut Turn<'_>, desired: &Desired) {
        if let (Some(child), _) = self.phase.instances_mut() {
            child.fail_over(turn.now);
        }
        // Elsewhere its successor, or what it is told, is on its way already.
        if let Phase::Running { .. } = &self.phase
            && let Phase::Running { instance: old } = self.take()
        {
            let (until, attempt) = (self.failovers.admit(turn.now), Attempt::default());
            self.phase = if until > turn.now {
                turn.announce(Notice::FailoverWaits {
                    running: old.child(),
                    wait: until.since(turn.now),
                });
                Phase::Postponed {
                    old,
                    attempt,
                    until,
                }
            } else {
                apply(turn, old, desired, attempt)
            };
        }
        self.advance(turn);
    }
}

/// Why a child is to be replaced: a failover or a wish, if that is all that has happened to it.
pub(super) fn cause(old: &Instance, desired: &Desired, otherwise: Cause) -> Cause {
    match old.fate() {
        _ if *old.values != *desired.values => otherwise,
        Fate::Stays => otherwise,
        Fate::Failover { since } => Cause::Failover { seen_at: since },
        Fate::Asked { .. } => Cause::Asked,
    }
}
