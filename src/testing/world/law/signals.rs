//! What a signal to the supervisor must do.

use crate::supervisor::config::Mapped;
use crate::supervisor::id::InstanceId;
use crate::supervisor::signal::{Origin, Signal};
use crate::supervisor::time::Time;

use super::child::Child;
use super::end::Why;
use super::{Launch, Law, Planned};

/// The last job control signal to the supervisor, unless CONT came since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Runs,
    /// The child had it from elsewhere, or there was none.
    Had,
    /// It was passed on.
    Passed,
}

impl Law {
    /// A signal with a rule is the child's as what the rule says, and means nothing else.
    pub(super) fn signal(&mut self, now: Time, signal: Signal, origin: Origin) {
        let rule = self.config.signals.rule(signal);
        let Some(mapped) = rule.filter(|_| origin != Origin::Terminal) else {
            return self.ordered(now, signal, origin);
        };
        if let Mapped::To(new) = mapped
            && origin == Origin::Process
        {
            self.must_reach(new);
        }
    }

    /// Those who serve, or will: not one that is leaving.
    fn must_reach(&mut self, signal: Signal) {
        let all = self.child.iter_mut().chain(self.beside.newcomer_mut());
        for child in all.filter(|child| child.lives()) {
            child.must_get(signal);
        }
    }

    /// What the job was before this signal.
    fn job(&mut self, signal: Signal, passes_on: bool) -> Job {
        if is_job_control(signal) {
            self.owed_stop = Some(signal);
            self.job = if passes_on { Job::Passed } else { Job::Had };
        }
        if signal == Signal::CONT {
            return std::mem::replace(&mut self.job, Job::Runs);
        }
        self.job
    }

    fn ordered(&mut self, now: Time, signal: Signal, origin: Origin) {
        let child = self.child.as_ref().filter(|child| child.gone.is_none());
        let lives = child.as_ref().is_some_and(|child| child.lives());
        let untold = child
            .as_ref()
            .is_some_and(|child| child.lives() && !child.is_dismissed())
            && self.end.is_none();
        let hangs_up = signal == Signal::HUP && origin == Origin::Terminal;
        let interrupts = hangs_up || signal == Signal::INT || signal == Signal::QUIT;
        let job = self.job(signal, lives && origin == Origin::Process);
        let passes = origin == Origin::Process && signal != Signal::TERM;
        if interrupts {
            let main = self.child.iter_mut().filter(|child| child.gone.is_none());
            for child in main.chain(self.beside.leaving_mut()) {
                if passes && child.lives() {
                    child.must_get(signal);
                }
                child.interrupt(now, signal);
            }
            self.spares(now);
            if untold && self.is_spared(now) {
                self.interrupts();
            }
        } else if passes && signal == Signal::CONT && job == Job::Had {
            // The shell continued all of a job that the terminal had stopped; and what KILL reached
            // needs no CONT.
            let all = self.child.iter_mut().chain(self.beside.newcomer_mut());
            let needs_it = |child: &Child| child.is_suspended() && !child.is_killed();
            for child in all.filter(|child| child.lives() && needs_it(child)) {
                child.must_get(signal);
            }
        } else if passes {
            self.must_reach(signal);
        }
        if signal == Signal::TERM || (interrupts && !untold) {
            self.terminates(now, signal);
        }
    }

    /// A person wants the end.
    pub(super) fn terminates(&mut self, now: Time, signal: Signal) {
        let lives = self.child.as_ref().is_some_and(Child::lives);
        let why = match self.launch {
            _ if lives => Why::Asked,
            Launch::Spawning(Planned { instance, .. }) => Why::AskedWhileSpawning {
                unborn: instance,
                signal,
            },
            Launch::None | Launch::Preparing(_) | Launch::Prepared(_) | Launch::Failed { .. } => {
                if self.inquiry.is_asking() {
                    Why::ChildsOwn
                } else {
                    Why::AskedWithoutChild(signal)
                }
            }
        };
        self.begin_end(now, why);
    }

    pub(super) fn suspended(&mut self, instance: InstanceId, suspended: bool) {
        if let Some(child) = self.child_mut(instance) {
            child.suspended(suspended);
        }
    }

    /// The shell stops what it sees as one job: each time, and at no other.
    pub(super) fn stops(&mut self, signal: Signal) -> Result<(), String> {
        if self.owed_stop.take() == Some(signal) {
            Ok(())
        } else {
            Err(format!("it stops itself by {signal}, which nobody sent"))
        }
    }

    pub(super) fn check_stop(&self) -> Result<(), String> {
        match self.owed_stop {
            Some(signal) => Err(format!("{signal} came, and it did not stop itself")),
            None => Ok(()),
        }
    }
}

fn is_job_control(signal: Signal) -> bool {
    [Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal)
}
