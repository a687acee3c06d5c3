//! What a signal to the supervisor does, in every phase.

use crate::exit_code::ExitCode;

use super::action::Action;
use super::config::Mapped;
use super::instance::Instance;
use super::launch::{Stage, Takeover};
use super::notice::Notice;
use super::phase::{ExitWith, Last, Phase};
use super::service::Service;
use super::signal::{Origin, Signal};
use super::tell::tell_later;
use super::transition::{end, put_off, shut_down};
use super::turn::Turn;

/// Whether we stopped ourselves, as a part of a shell's job, and no CONT came since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Job {
    Running,
    /// By a signal that the child had from elsewhere, if there was one.
    Stopped,
    /// By a signal that we passed on to the child.
    StoppedWithChild,
}

impl Service {
    /// `--map-signal` comes first: a signal with a rule is passed on as what the rule says, and is
    /// no order for us. What the terminal raised reached the child already, as it was, and has no
    /// rule.
    pub(super) fn on_signal(&mut self, turn: &mut Turn<'_>, signal: Signal, origin: Origin) {
        let rule = match origin {
            Origin::Process | Origin::OwnTree => turn.config.signals.rule(signal),
            Origin::Terminal => None,
        };
        match rule {
            Some(Mapped::To(new)) => self.hand_on(turn, new, origin),
            Some(Mapped::Swallowed) => {}
            None => self.obey(turn, signal, origin),
        }
    }

    fn obey(&mut self, turn: &mut Turn<'_>, signal: Signal, origin: Origin) {
        match signal {
            Signal::TERM => self.terminate(turn),
            Signal::INT | Signal::QUIT => self.interrupt(turn, signal, origin),
            // The terminal hung up: it reached the child already, and nobody is there to want more.
            Signal::HUP if origin == Origin::Terminal => self.interrupt(turn, signal, origin),
            Signal::TSTP | Signal::TTIN | Signal::TTOU => self.suspend(turn, signal, origin),
            Signal::CONT => self.go_on(turn, origin),
            other => self.hand_on(turn, other, origin),
        }
    }

    /// TERM is a stop, whatever is going on. While stopping, another one changes nothing.
    fn terminate(&mut self, turn: &mut Turn<'_>) {
        if !self.phase.is_ending() {
            turn.announce(Notice::StopRequested {
                signal: Signal::TERM,
            });
        }
        self.stop(turn);
    }

    /// What TERM does, and the verb.
    pub(super) fn stop(&mut self, turn: &mut Turn<'_>) {
        self.stand_down(turn);
        let phase = self.take();
        self.phase = self.wind_down(turn, phase, Signal::TERM);
        self.advance(turn);
    }

    /// INT and QUIT belong to the child, if there is one: it may end, or dump its threads, or go
    /// on. A successor that is being prepared can wait until it is known which.
    fn interrupt(&mut self, turn: &mut Turn<'_>, signal: Signal, origin: Origin) {
        let (main, _) = self.phase.instances_mut();
        for child in main.into_iter().chain(&mut self.leaving) {
            interrupt_child(turn, child, signal, origin);
        }
        self.phase = match self.take() {
            Phase::Preparing { old, next } => put_off(turn, old, next),
            Phase::Overlapping { old, new, takeover } => {
                self.put_takeover_off(turn, old, new, takeover)
            }
            // What is being spawned is stopped as soon as it lives.
            Phase::Joining { old, mut next } => {
                next.spare(turn, &old);
                Phase::Joining { old, next }
            }
            Phase::Postponed {
                old,
                mut attempt,
                until,
            } => {
                attempt.spare(turn, &old);
                Phase::Postponed {
                    old,
                    attempt,
                    until,
                }
            }
            Phase::Held {
                old,
                mut attempt,
                sentry,
            } => {
                attempt.spare(turn, &old);
                Phase::Held {
                    old,
                    attempt,
                    sentry,
                }
            }
            Phase::Telling { child, news } => tell_later(turn, child, news),
            Phase::Running { instance } => Phase::Running { instance },
            ends @ (Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::Replacing { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(_)
            | Phase::Done) => self.wind_down(turn, ends, signal),
        };
        self.advance(turn);
    }

    fn put_takeover_off(
        &mut self,
        turn: &mut Turn<'_>,
        old: Instance,
        new: Instance,
        mut takeover: Takeover,
    ) -> Phase {
        takeover.attempt.spare(turn, &old);
        let attempt = takeover.attempt;
        let Some(until) = attempt.spared(turn) else {
            return Phase::Overlapping { old, new, takeover };
        };
        self.dismiss(turn, new);
        Phase::Postponed {
            old,
            attempt,
            until,
        }
    }

    /// Job control means us as much as the child: a shell sees one job.
    fn suspend(&mut self, turn: &mut Turn<'_>, signal: Signal, origin: Origin) {
        let passed_on = origin == Origin::Process && self.live().next().is_some();
        self.share(turn, signal, origin);
        turn.act(Action::StopSelf { signal });
        self.job = if passed_on {
            Job::StoppedWithChild
        } else {
            Job::Stopped
        };
    }

    /// CONT is passed on, but not to a child that goes on already because the shell continued the
    /// whole job: should the next stop overtake it, it would undo that one for the child alone.
    fn go_on(&mut self, turn: &mut Turn<'_>, origin: Origin) {
        let all = match std::mem::replace(&mut self.job, Job::Running) {
            Job::Running | Job::StoppedWithChild => true,
            Job::Stopped => false,
        };
        match origin {
            Origin::Process => self
                .live()
                .filter(|child| all || child.is_suspended())
                .for_each(|child| child.forward(turn, Signal::CONT)),
            Origin::Terminal | Origin::OwnTree => {}
        }
    }

    /// Every other signal is the child's.
    fn hand_on(&mut self, turn: &mut Turn<'_>, signal: Signal, origin: Origin) {
        if origin == Origin::Process && self.live().next().is_none() {
            turn.announce(Notice::SignalDropped { signal });
        }
        self.share(turn, signal, origin);
    }

    /// The live children get it, unless they have it already.
    fn share(&mut self, turn: &mut Turn<'_>, signal: Signal, origin: Origin) {
        match origin {
            Origin::Process => self.live().for_each(|child| child.forward(turn, signal)),
            Origin::Terminal | Origin::OwnTree => {}
        }
    }

    /// The children that live, but one that is told to end and in nobody's way.
    fn live(&mut self) -> impl Iterator<Item = &mut Instance> {
        let (main, newcomer) = self.phase.instances_mut();
        let children = main.into_iter().chain(newcomer);
        children.filter(|child| child.lives())
    }

    /// Starts nothing more: stops what lives, and exits with its code; with nothing alive, with the
    /// signal's.
    fn wind_down(&mut self, turn: &mut Turn<'_>, phase: Phase, signal: Signal) -> Phase {
        let own_code = ExitCode::Signal(u8::try_from(signal.0).unwrap_or_default());
        match phase {
            Phase::Starting { next } if next.stage == Stage::Spawning => {
                let unborn = own_code;
                Phase::ShuttingDown(Last::Spawning { next, unborn })
            }
            Phase::Waiting(start) => {
                start.close(turn);
                Phase::ShuttingDown(Last::Leaving { exit: own_code })
            }
            Phase::Starting { .. } | Phase::BackingOff { .. } => {
                Phase::ShuttingDown(Last::Leaving { exit: own_code })
            }
            Phase::Joining { mut old, next } => {
                old.stop(turn);
                Phase::ShuttingDown(Last::Joining {
                    ending: old,
                    next,
                    exit: ExitWith::ChildsCode,
                })
            }
            Phase::Overlapping { old, new, .. } => {
                self.dismiss(turn, new);
                end(turn, old)
            }
            Phase::Running { instance: child }
            | Phase::Preparing { old: child, .. }
            | Phase::Postponed { old: child, .. }
            | Phase::Held { old: child, .. }
            | Phase::Telling { child, .. }
            | Phase::Replacing { old: child, .. } => {
                let exit = if child.lives() {
                    ExitWith::ChildsCode
                } else {
                    ExitWith::Fixed(own_code)
                };
                shut_down(turn, child, exit)
            }
            // It ended by itself, and nothing is decided yet: there was a child, with a code.
            Phase::Asking { failed, inquiry } => {
                inquiry.close(turn);
                end(turn, failed)
            }
            Phase::AwaitingCredential { failed, vigil } => {
                vigil.close(turn);
                shut_down(turn, failed, ExitWith::Fixed(own_code))
            }
            Phase::Pausing { ended, .. } => shut_down(turn, ended, ExitWith::Fixed(own_code)),
            Phase::ShuttingDown(last) => Phase::ShuttingDown(last.asked_for()),
            Phase::Done => Phase::Done,
        }
    }
}

fn interrupt_child(turn: &mut Turn<'_>, child: &mut Instance, signal: Signal, origin: Origin) {
    match origin {
        Origin::Process => child.forward(turn, signal),
        Origin::Terminal | Origin::OwnTree => {}
    }
    child.interrupted(turn, signal);
}
