//! What a command does (`command.rs` tells people), in every phase.

use super::Machines;
use super::action::Action;
use super::change::{Desired, Verdict};
use super::command::{Answer, Effect, Force, Refusal, Verb};
use super::hold::Hold;
use super::id::ReplyId;
use super::launch::{Attempt, Launch, Stage, Why};
use super::notice::Notice;
use super::phase::Phase;
use super::service::Service;
use super::transition::{apply, apply_again, put_off, resume};
use super::turn::Turn;

impl Machines<'_> {
    /// The answer comes before what is done: an exit is the last action of a life.
    pub(super) fn on_command(&mut self, turn: &mut Turn<'_>, reply: ReplyId, verb: Verb) {
        let decided = self.decide(turn, verb);
        let answer = match decided {
            Ok(effect) => Answer::Accepted(effect),
            Err(refusal) => Answer::Refused(refusal),
        };
        turn.announce(Notice::Commanded { verb, answer });
        turn.act(Action::Reply { reply, answer });
        if decided.is_ok() {
            self.carry_out(turn, verb);
        }
    }

    fn decide(&self, turn: &Turn<'_>, verb: Verb) -> Result<Effect, Refusal> {
        match (verb, *turn.hold) {
            (Verb::Stop, _) => Ok(Effect::Stop),
            _ if self.service.phase.is_ending() => Err(Refusal::Ending),
            (Verb::Refresh, _) => {
                let after = self.watch.refresh_in(turn).ok_or(Refusal::NotWatching)?;
                Ok(Effect::Fetch { after })
            }
            (Verb::Hold, Hold::Off) => Ok(Effect::Hold),
            (Verb::Hold, Hold::On { since }) => {
                let lasted = turn.now.since(since);
                Ok(Effect::HeldAlready { lasted })
            }
            (Verb::Resume, Hold::Off) => Ok(Effect::NotHeld),
            (Verb::Resume, Hold::On { .. }) => Ok(Effect::Resume),
            (Verb::Restart { force }, _) => self.decide_restart(turn, force),
        }
    }

    fn decide_restart(&self, turn: &Turn<'_>, force: Force) -> Result<Effect, Refusal> {
        let effect = self.service.phase.on_restart()?;
        match (force, *turn.hold) {
            (Force::Yes, _) => Ok(effect),
            (Force::No, Hold::On { .. }) => Err(Refusal::Held),
            (Force::No, Hold::Off) if self.change.is_refused() => Err(Refusal::LoginRefused),
            (Force::No, Hold::Off) => Ok(effect),
        }
    }

    fn carry_out(&mut self, turn: &mut Turn<'_>, verb: Verb) {
        match verb {
            Verb::Refresh => self.watch.refresh(turn),
            Verb::Restart { force } => {
                self.service.ask_for_another(force);
                if force == Force::Yes && self.change.force(turn) == Verdict::Adopted {
                    self.adopted(turn);
                }
                if let Some(desired) = self.change.desired() {
                    self.service.restart(turn, desired);
                }
            }
            Verb::Stop => self.service.stop(turn),
            Verb::Hold => {
                if *turn.hold == Hold::Off {
                    *turn.hold = Hold::On { since: turn.now };
                    if let Some(desired) = self.change.desired() {
                        self.service.hold(turn, desired);
                    }
                }
            }
            Verb::Resume => {
                *turn.hold = Hold::Off;
                self.service.stand_down(turn);
            }
        }
    }
}

impl Phase {
    /// What a restart is in this phase.
    fn on_restart(&self) -> Result<Effect, Refusal> {
        match self {
            Self::Waiting(_) => Err(Refusal::NotStarted),
            Self::Running { .. }
            | Self::Preparing { .. }
            | Self::Postponed { .. }
            | Self::Held { .. }
            | Self::Telling { .. } => Ok(Effect::Restart),
            Self::Starting { next } | Self::Replacing { next, .. } => match next.stage {
                Stage::Preparing | Stage::Prepared | Stage::Spawning => Ok(Effect::UnderWay),
                Stage::Failed => Ok(Effect::Start),
            },
            Self::Joining { .. } | Self::Overlapping { .. } => Ok(Effect::UnderWay),
            Self::Asking { .. }
            | Self::AwaitingCredential { .. }
            | Self::Pausing { .. }
            | Self::BackingOff { .. } => Ok(Effect::Start),
            Self::ShuttingDown(_) | Self::Done => Err(Refusal::Ending),
        }
    }
}

impl Service {
    /// Whoever serves, or did last, is to be followed by another: also where that is under way, and
    /// might be called off.
    fn ask_for_another(&mut self, force: Force) {
        if let (Some(child), _) = self.phase.instances_mut() {
            child.ask_for_another(force);
        }
    }

    /// Whatever is waited for, the next child's start begins now.
    fn restart(&mut self, turn: &mut Turn<'_>, desired: &Desired) {
        self.stand_down(turn);
        self.phase = match self.take() {
            Phase::Running { instance } => apply(turn, instance, desired, Attempt::default()),
            Phase::Postponed { old, attempt, .. } => {
                apply_again(turn, old, desired, attempt.afresh())
            }
            Phase::Telling { child, news } => {
                apply_again(turn, child, desired, news.attempt.afresh())
            }
            Phase::Asking { failed, inquiry } => {
                inquiry.close(turn);
                resume(turn, failed, desired)
            }
            Phase::AwaitingCredential { failed, vigil } => {
                vigil.close(turn);
                resume(turn, failed, desired)
            }
            Phase::Pausing { ended, .. } => resume(turn, ended, desired),
            // What is prepared may have been for the env file alone, which spares nobody.
            Phase::Preparing { old, next } => put_off(turn, old, next),
            Phase::BackingOff { attempt, .. } => Phase::Starting {
                next: Launch::new(turn, desired, Why::Replacement(attempt.afresh())),
            },
            Phase::Replacing { old, next } if next.stage == Stage::Failed => {
                let attempt = next.attempt().unwrap_or_default().afresh();
                let next = Launch::new(turn, desired, Why::Replacement(attempt));
                Phase::Replacing { old, next }
            }
            phase @ (Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::Held { .. }
            | Phase::Joining { .. }
            | Phase::Overlapping { .. }
            | Phase::Replacing { .. }
            | Phase::ShuttingDown(_)
            | Phase::Done) => phase,
        };
        self.advance(turn);
    }
}
