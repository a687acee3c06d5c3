//! What somebody asks for: each command is answered once, in the same step, and rightly; and what
//! is accepted is done.

use crate::supervisor::command::{Answer, Effect, Force, Refusal, Verb};
use crate::supervisor::config::OnChange;
use crate::supervisor::id::ReplyId;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};

use super::child::Child;
use super::ledger::Adopts;
use super::{Inquiry, Launch, Law, Planned};

/// The answer that this step owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owed {
    reply: ReplyId,
    what: Expected,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Refused(Refusal),
    /// Heroku is asked, by then.
    Fetch(Duration),
    Restart,
    Exactly(Effect),
}

impl Law {
    /// A command came.
    pub(super) fn command(&mut self, now: Time, reply: ReplyId, verb: Verb) {
        let what = match self.refuses(verb) {
            Some(refusal) => Expected::Refused(refusal),
            None => self.accepts(now, verb),
        };
        self.owed_reply = Some(Owed { reply, what });
    }

    fn refuses(&self, verb: Verb) -> Option<Refusal> {
        match verb {
            Verb::Stop => None,
            Verb::Refresh | Verb::Restart { .. } | Verb::Hold | Verb::Resume
                if self.end.is_some() =>
            {
                Some(Refusal::Ending)
            }
            Verb::Hold | Verb::Resume => None,
            Verb::Refresh => self.is_off().then_some(Refusal::NotWatching),
            Verb::Restart { .. } if self.ledger.proven().is_none() => Some(Refusal::NotStarted),
            Verb::Restart { force: Force::Yes } => None,
            Verb::Restart { force: Force::No } if self.held_since.is_some() => Some(Refusal::Held),
            Verb::Restart { force: Force::No } => {
                self.ledger.is_refused().then_some(Refusal::LoginRefused)
            }
        }
    }

    fn accepts(&mut self, now: Time, verb: Verb) -> Expected {
        match verb {
            Verb::Refresh => Expected::Fetch(self.requests.refresh(now)),
            Verb::Stop => {
                self.terminates(now, Signal::TERM);
                Expected::Exactly(Effect::Stop)
            }
            Verb::Hold => Expected::Exactly(match self.held_since {
                Some(since) => Effect::HeldAlready {
                    lasted: now.since(since),
                },
                None => {
                    self.begins_to_hold(now);
                    Effect::Hold
                }
            }),
            Verb::Resume => Expected::Exactly(match self.held_since.take() {
                Some(_) => Effect::Resume,
                None => Effect::NotHeld,
            }),
            Verb::Restart { force } => {
                if force == Force::Yes && self.adopts == Adopts::No {
                    self.adopts = self.ledger.force();
                }
                self.wants_another(now, force);
                Expected::Restart
            }
        }
    }

    /// Whatever was waited for, the next child's start begins in this very step.
    fn wants_another(&mut self, now: Time, force: Force) {
        let is_told = |child: &Child| child.is_told() || child.asked_for.is_some();
        let signals = matches!(self.config.on_change, OnChange::Signal(_));
        let only_told = signals && !self.child.as_ref().is_some_and(is_told);
        if let Some(child) = &mut self.child {
            child.asked_for = Some(child.asked_for.unwrap_or(Force::No).max(force));
        }
        self.spares(now);
        self.put_off = None;
        match self.launch {
            // It was for the env file alone.
            Launch::Preparing(planned) if self.is_spared(now) => {
                self.puts_off(planned);
                self.launch = Launch::None;
            }
            // The child was only to be told of it, and is not yet: it is prepared anew.
            Launch::Prepared(planned) if only_told => {
                self.launch = Launch::Prepared(Planned {
                    failures: 0,
                    ..planned
                });
            }
            Launch::Failed { .. } => self.launch = Launch::None,
            Launch::None | Launch::Preparing(_) | Launch::Prepared(_) | Launch::Spawning(_) => {}
        }
        self.inquiry = Inquiry::None;
        self.crashes.drop_pause();
    }

    pub(super) fn replies(
        &mut self,
        now: Time,
        reply: ReplyId,
        answer: Answer,
    ) -> Result<(), String> {
        let owed = self.owed_reply.take();
        let Some(Owed { what, .. }) = owed.filter(|owed| owed.reply == reply) else {
            return Err(format!("{reply} is answered, and nobody asked"));
        };
        if let Answer::Accepted(Effect::Fetch { after }) = answer {
            self.requests.promises(now, after);
        }
        let right = match (what, answer) {
            (Expected::Refused(why), Answer::Refused(refusal)) => why == refusal,
            (Expected::Fetch(latest), Answer::Accepted(Effect::Fetch { after })) => after <= latest,
            (
                Expected::Restart,
                Answer::Accepted(Effect::Restart | Effect::Start | Effect::UnderWay),
            ) => true,
            (Expected::Exactly(owed), Answer::Accepted(effect)) => owed == effect,
            (
                Expected::Refused(_)
                | Expected::Fetch(_)
                | Expected::Restart
                | Expected::Exactly(_),
                Answer::Accepted(_) | Answer::Refused(_),
            ) => false,
        };
        if right {
            Ok(())
        } else {
            Err(format!("{reply} is answered with {answer:?}, not {what:?}"))
        }
    }

    pub(super) fn check_reply(&self) -> Result<(), String> {
        match self.owed_reply {
            Some(owed) => Err(format!("{} was not answered", owed.reply)),
            None => Ok(()),
        }
    }
}
