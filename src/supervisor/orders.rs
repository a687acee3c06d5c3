//! What a signal to the supervisor does, in every phase.

use crate::exit_code::ExitCode;

use super::config::Mapped;
use super::instance::Instance;
use super::launch::{Instead, Stage};
use super::notice::Notice;
use super::phase::{ExitWith, Last, Phase};
use super::service::Service;
use super::signal::{Origin, Signal};
use super::transition::{end, shut_down};
use super::turn::Turn;

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
            other => self.hand_on(turn, other, origin),
        }
    }

    /// TERM is a stop, whatever is going on. While stopping, another one changes nothing.
    fn terminate(&mut self, turn: &mut Turn<'_>) {
        let phase = self.take();
        if !matches!(phase, Phase::ShuttingDown(_) | Phase::Done) {
            turn.announce(Notice::StopRequested {
                signal: Signal::TERM,
            });
        }
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
            Phase::Preparing { old, .. } => postpone(turn, old),
            Phase::Overlapping { old, new, .. } => {
                self.dismiss(turn, new);
                postpone(turn, old)
            }
            // What is being spawned is stopped as soon as it lives.
            lives @ (Phase::Running { .. } | Phase::Postponed { .. } | Phase::Joining { .. }) => {
                lives
            }
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

    /// Every other signal is the child's, unless it has it already.
    fn hand_on(&mut self, turn: &mut Turn<'_>, signal: Signal, origin: Origin) {
        match origin {
            Origin::Terminal | Origin::OwnTree => {}
            Origin::Process => {
                let (main, newcomer) = self.phase.instances_mut();
                let children = main.into_iter().chain(newcomer);
                let mut live = children.filter(|child| child.lives()).peekable();
                if live.peek().is_none() {
                    turn.announce(Notice::SignalDropped { signal });
                }
                for child in live {
                    child.forward(turn, signal);
                }
            }
        }
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
            Phase::Waiting(_) | Phase::Starting { .. } | Phase::BackingOff { .. } => {
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
            | Phase::Replacing { old: child, .. } => {
                let exit = if child.lives() {
                    ExitWith::ChildsCode
                } else {
                    ExitWith::Fixed(own_code)
                };
                shut_down(turn, child, exit)
            }
            Phase::Asking { failed, inquiry } => {
                inquiry.close(turn);
                shut_down(turn, failed, ExitWith::Fixed(own_code))
            }
            Phase::AwaitingCredential { failed: ended, .. } | Phase::Pausing { ended, .. } => {
                shut_down(turn, ended, ExitWith::Fixed(own_code))
            }
            Phase::ShuttingDown(last) => Phase::ShuttingDown(last.asked_for()),
            Phase::Done => Phase::Done,
        }
    }
}

/// A change waits until a person's interrupt is history.
fn postpone(turn: &Turn<'_>, old: Instance) -> Phase {
    Phase::Postponed {
        until: old.interrupted_until(turn).unwrap_or(turn.now),
        again: Instead::default(),
        old,
    }
}

fn interrupt_child(turn: &mut Turn<'_>, child: &mut Instance, signal: Signal, origin: Origin) {
    match origin {
        Origin::Process => child.forward(turn, signal),
        Origin::Terminal | Origin::OwnTree => {}
    }
    child.interrupted(turn, signal);
}
