//! A child that is asked for and does not live yet.

use std::sync::Arc;

use crate::credential::Values;

use super::action::Action;
use super::change::Desired;
use super::id::{InstanceId, Revision};
use super::instance::{End, Instance};
use super::notice::Notice;
use super::readiness::Readiness;
use super::time::Time;
use super::turn::Turn;

/// A start on its way: laid out first, spawned when the old child is gone.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) id: InstanceId,
    pub(super) stage: Stage,
    pub(super) why: Why,
    pub(super) revision: Revision,
    pub(super) values: Arc<Values>,
    seen_at: Time,
}

/// How far a start has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Its program is being looked for, its environment laid out.
    Preparing,
    /// It can be spawned at once.
    Prepared,
    /// The spawn is out.
    Spawning,
    /// It cannot be started right now.
    Failed,
}

/// Why a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The first of this supervisor: when it fails, so does everything.
    First,
    /// In the place of another: when it fails, it is tried again.
    Instead(Instead),
}

/// A start in another child's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Instead {
    pub(super) cause: Cause,
    /// How many starts failed before this one.
    pub(super) failures: u32,
    /// When the other child ended.
    pub(super) dead_since: Option<Time>,
}

/// What a child that is not ready yet was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// What to begin the next try with, should this one fail.
    pub(super) again: Instead,
    /// When the change was first seen.
    pub(super) seen_at: Time,
}

/// Why another child's place is free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Cause {
    /// There is a new revision.
    #[default]
    Change,
    /// It ended by itself, and `--restart` wants another.
    OwnEnd,
}

impl Launch {
    /// Asks for the preparation of a child on the desired revision.
    pub(super) fn new(turn: &mut Turn<'_>, desired: &Desired, why: Why) -> Self {
        let id = turn.ids.instance();
        let mark = turn.config.mark.as_ref().map(|mark| id.mark(mark));
        let spec = &turn.config.environment;
        let environment = Arc::new(spec.build(mark.as_deref(), &desired.values, &desired.others));
        turn.act(Action::Prepare {
            instance: id,
            environment,
        });
        Self {
            id,
            stage: Stage::Preparing,
            why,
            revision: desired.revision,
            values: Arc::clone(&desired.values),
            seen_at: desired.seen_at,
        }
    }

    pub(super) fn spawn(&mut self, turn: &mut Turn<'_>) {
        self.stage = Stage::Spawning;
        turn.act(Action::Spawn { instance: self.id });
    }

    /// What to begin the next try with, should this one fail. A first start is `None`: there is no
    /// next try.
    pub(super) fn again(&self) -> Option<Instead> {
        match self.why {
            Why::First => None,
            Why::Instead(instead) => Some(Instead {
                failures: instead.failures + 1,
                ..instead
            }),
        }
    }

    /// Why it is started, now that there is a newer revision to start it on.
    pub(super) fn why_on_change(&self) -> Why {
        match self.why {
            Why::First => Why::First,
            Why::Instead(instead) => Why::Instead(Instead {
                cause: Cause::Change,
                ..instead
            }),
        }
    }

    /// The old child ended then: the dead time counts from there.
    pub(super) fn follow(&mut self, end: End) {
        if let Why::Instead(instead) = &mut self.why {
            instead.dead_since = Some(end.at);
        }
    }

    /// Whether it is started on what is desired.
    pub(super) fn is_for(&self, desired: &Desired) -> bool {
        *self.values == *desired.values
    }

    /// What it is started for, should it have to wait for its readiness.
    pub(super) fn plan(&self) -> Plan {
        Plan {
            again: self.again().unwrap_or_default(),
            seen_at: self.seen_at,
        }
    }

    /// The process lives.
    pub(super) fn into_instance(self, turn: &mut Turn<'_>, pid: u32) -> Instance {
        let (why, seen_at) = (self.why, self.seen_at);
        let instance = self.born(turn, pid);
        let (dead_since, change) = match why {
            Why::First => (None, None),
            Why::Instead(instead) => (
                instead.dead_since,
                match instead.cause {
                    Cause::Change => Some(turn.now.since(seen_at)),
                    Cause::OwnEnd => None,
                },
            ),
        };
        let dead_time = dead_since.map(|since| turn.now.since(since));
        turn.announce(Notice::Started {
            child: instance.child(),
            dead_time,
            change,
        });
        instance
    }

    /// The same, and nobody is told yet.
    pub(super) fn born(self, turn: &mut Turn<'_>, pid: u32) -> Instance {
        let Self {
            id,
            revision,
            values,
            ..
        } = self;
        match turn.config.ready {
            Readiness::None | Readiness::Delay(_) => {}
            Readiness::Notify { .. }
            | Readiness::Descriptor(_)
            | Readiness::Tcp(_)
            | Readiness::Http(_) => turn.act(Action::ProbeReadiness { instance: id }),
        }
        Instance::new(id, revision, values, pid, turn.config, turn.now)
    }
}
