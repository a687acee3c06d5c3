//! What a person's INT or QUIT to the child puts off, and for how long: "an instance that ends
//! within the stop timeout after one is not restarted", and "no change is lost".

use crate::supervisor::config::EnvFile;
use crate::supervisor::id::InstanceId;
use crate::supervisor::time::Time;
use crate::testing::world::bounds::SLACK;

use super::child::Child;
use super::env_file::File;
use super::{Launch, Law, Planned};

/// The first INT or QUIT since something was to be done about this child: until when it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spared {
    instance: InstanceId,
    until: Time,
}

/// A try that was put off: it has not failed, and those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PutOff {
    revision: u32,
    failures: u32,
}

impl Law {
    /// Called when an interrupt came, and when something is to be done: the first of the former
    /// counts, and no other.
    pub(super) fn spares(&mut self, now: Time) {
        let until = |child: &Child| child.interrupted.map(|at| at + self.config.stop.timeout());
        let Some(child) = self.serving().filter(|child| self.is_due(child)) else {
            return;
        };
        let instance = child.id;
        let recent = until(child).filter(|until| *until > now);
        if self.spared.is_none_or(|spared| spared.instance != instance) {
            self.spared = recent.map(|until| Spared { instance, until });
        }
    }

    /// Whether what is to be done about the child waits.
    pub(super) fn is_spared(&self, now: Time) -> bool {
        self.spared_until().is_some_and(|until| now < until)
    }

    /// The same, by a supervisor that is a little late.
    pub(super) fn is_spared_by_now(&self, now: Time) -> bool {
        self.spared_until().is_some_and(|until| now < until + SLACK)
    }

    /// Whether something was to be done about this child up to now, and was put off: the supervisor
    /// may be late by far.
    pub(super) fn was_spared(&self, child: &Child) -> bool {
        self.spared
            .is_some_and(|spared| spared.instance == child.id)
    }

    /// After every step: once nothing is to be done the next interrupt is the first.
    pub(super) fn spares_no_more(&mut self) {
        if !self.serving().is_some_and(|child| self.is_due(child)) {
            self.spared = None;
        }
    }

    /// A try is put off.
    pub(super) fn puts_off(&mut self, planned: Planned) {
        self.put_off = Some(PutOff {
            revision: planned.revision,
            failures: planned.failures,
        });
    }

    /// An interrupt puts off what is being prepared, and sends a newcomer away.
    pub(super) fn interrupts(&mut self) {
        if let Some(planned) = self.beside.newcomer_planned() {
            self.puts_off(planned);
        }
        self.beside.unwanted();
        match self.launch {
            Launch::Preparing(planned) | Launch::Prepared(planned) => {
                self.puts_off(planned);
                self.launch = Launch::None;
            }
            Launch::None | Launch::Spawning(_) | Launch::Failed { .. } => {}
        }
    }

    /// How many tries on this revision failed before the one that was put off.
    pub(super) fn failed_before(&mut self) -> u32 {
        let revision = self.ledger.revision();
        let put_off = self.put_off.take();
        put_off
            .filter(|put_off| put_off.revision == revision)
            .map_or(0, |put_off| put_off.failures)
    }

    fn spared_until(&self) -> Option<Time> {
        let serving = self.serving()?.id;
        let spared = self.spared.filter(|spared| spared.instance == serving);
        spared.map(|spared| spared.until)
    }

    /// Whether this child, or its env file, has not what is proven.
    fn is_due(&self, child: &Child) -> bool {
        let Some(proven) = self.ledger.proven() else {
            return false;
        };
        let kept = self.config.env_file == EnvFile::Kept;
        !child.suits(proven) || (kept && self.env_file != File::Holds(proven))
    }
}
