//! What a signal to the supervisor must do.

use crate::supervisor::config::Mapped;
use crate::supervisor::id::InstanceId;
use crate::supervisor::signal::{Origin, Signal};
use crate::supervisor::time::Time;

use super::end::Why;
use super::{Launch, Law};

impl Law {
    /// A signal with a rule is the child's as what the rule says, and means nothing else.
    pub(super) fn signal(&mut self, now: Time, signal: Signal, origin: Origin) {
        let rule = self.config.signals.rule(signal);
        let Some(mapped) = rule.filter(|_| origin != Origin::Terminal) else {
            return self.ordered(now, signal, origin);
        };
        if let Mapped::To(new) = mapped
            && origin == Origin::Process
            && let Some(child) = self.child.as_mut().filter(|child| child.lives())
        {
            child.must_get(new);
        }
    }

    fn ordered(&mut self, now: Time, signal: Signal, origin: Origin) {
        let child = self.child.as_mut().filter(|child| child.gone.is_none());
        let lives = child.as_ref().is_some_and(|child| child.lives());
        let untold = child
            .as_ref()
            .is_some_and(|child| child.lives() && !child.is_told());
        let hangs_up = signal == Signal::HUP && origin == Origin::Terminal;
        let interrupts = hangs_up || signal == Signal::INT || signal == Signal::QUIT;
        if let Some(child) = child {
            if lives && origin == Origin::Process && signal != Signal::TERM {
                child.must_get(signal);
            }
            if interrupts {
                child.interrupt(now, signal);
            }
            if interrupts && untold && !matches!(self.launch, Launch::Failed { .. }) {
                self.launch = Launch::None;
            }
        }
        if signal == Signal::TERM || (interrupts && !untold) {
            let spawning = matches!(self.launch, Launch::Spawning(_));
            let why = match (lives, spawning) {
                (true, _) => Why::Asked,
                (false, true) => Why::AskedWhileSpawning(signal),
                (false, false) => Why::AskedWithoutChild(signal),
            };
            self.begin_end(now, why);
        }
    }

    pub(super) fn suspended(&mut self, instance: InstanceId, suspended: bool) {
        if let Some(child) = self.child_mut(instance) {
            child.suspended(suspended);
        }
    }
}
