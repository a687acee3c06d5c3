//! WHAT runs: from the desired revision to instances: one at a time, or two, when the new one
//! starts beside the old.
//!
//! The phase is about the child that serves, or is to serve next. One more may be `leaving`: it was
//! told to end, and nothing but a third process, or the exit, waits for it.
//!
//! **Invariant:** a child is stopped for a change, a person's wish, or nothing. No answer of the
//! API, good or bad, stops one by itself; that is why no method here takes a fetch's failure while
//! a child lives.

use crate::credential::Fault;
use crate::exit_code::ExitCode;

use super::change::{Desired, Trust};
use super::crash::Crashes;
use super::event::{FetchFailure, LoginOutcome};
use super::failover::Failovers;
use super::id::{InstanceId, LoginId};
use super::instance::{Instance, Role};
use super::launch::{Attempt, Cause, Launch, Stage, Why};
use super::notice::Notice;
use super::orders::Job;
use super::phase::{Last, Phase};
use super::readiness::Word;
use super::start::Start;
use super::tell::deliver;
use super::time::{Duration, Time};
use super::transition::{apply, apply_again, finish, over, replace, restart, resume, succeed};
use super::turn::{Turn, Want};
use super::vigil::Outlook;

/// The machine that owns every process.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) phase: Phase,
    /// Told to end, and in nobody's way.
    pub(super) leaving: Option<Instance>,
    pub(super) crashes: Crashes,
    pub(super) failovers: Failovers,
    pub(super) job: Job,
}

impl Service {
    pub(super) fn new(start_timeout: Duration) -> Self {
        Self {
            phase: Phase::Waiting(Start::new(Time::ZERO + start_timeout)),
            leaving: None,
            job: Job::Running,
            crashes: Crashes::default(),
            failovers: Failovers::default(),
        }
    }

    /// The desired revision is a new one.
    pub(super) fn on_desired(&mut self, turn: &mut Turn<'_>, desired: &Desired) {
        self.stand_down(turn);
        self.phase = match self.take() {
            Phase::Waiting(start) => {
                start.close(turn);
                let next = Launch::new(turn, desired, Why::First);
                Phase::Starting { next }
            }
            Phase::Running { instance } => apply(turn, instance, desired, Attempt::default()),
            Phase::Preparing { old, next } => {
                let attempt = next.attempt().unwrap_or_default().anew();
                apply_again(turn, old, desired, attempt)
            }
            Phase::Postponed { old, attempt, .. } => {
                apply_again(turn, old, desired, attempt.anew())
            }
            Phase::Telling { child, news } => {
                apply_again(turn, child, desired, news.attempt.anew())
            }
            Phase::Starting { next } => match next.stage {
                Stage::Spawning => Phase::Starting { next },
                Stage::Preparing | Stage::Prepared | Stage::Failed => Phase::Starting {
                    next: Launch::new(turn, desired, next.why_on_change()),
                },
            },
            // What is being spawned is compared with what is desired as soon as it lives.
            phase @ Phase::Joining { .. } => phase,
            Phase::Overlapping { old, new, takeover } => {
                self.dismiss(turn, new);
                apply_again(turn, old, desired, takeover.attempt.anew())
            }
            Phase::Replacing { old, next } => Phase::Replacing {
                old,
                next: Launch::new(turn, desired, next.why_on_change()),
            },
            Phase::Asking { failed, inquiry } => {
                inquiry.close(turn);
                succeed(turn, failed, desired)
            }
            Phase::AwaitingCredential { failed, vigil } => {
                vigil.close(turn);
                succeed(turn, failed, desired)
            }
            Phase::Pausing { ended, .. } => succeed(turn, ended, desired),
            Phase::BackingOff { attempt, .. } => {
                let cause = Cause::Change;
                let why = Why::Replacement(Attempt { cause, ..attempt });
                Phase::Starting {
                    next: Launch::new(turn, desired, why),
                }
            }
            phase @ (Phase::Held { .. } | Phase::ShuttingDown(_) | Phase::Done) => phase,
        };
        self.advance(turn);
    }

    /// No usable answer. Before the first child it may be the end; later it is never the child's
    /// business.
    pub(super) fn on_fetch_failed(
        &mut self,
        turn: &mut Turn<'_>,
        started_at: Time,
        failure: &FetchFailure,
    ) {
        if let Phase::Waiting(start) = &mut self.phase
            && let Some(code) = start.on_failure(turn, failure)
        {
            self.not_started(turn, code);
        }
        self.on_answer(turn, started_at);
    }

    /// An answer came, and required variables are unusable in it: nothing can be started yet.
    pub(super) fn on_unusable(&mut self, turn: &mut Turn<'_>, faults: Vec<(String, Fault)>) {
        if let Phase::Waiting(start) = &mut self.phase {
            start.on_faults(faults);
            turn.want(Want::LookOften);
        }
    }

    /// Before the first child it is over.
    pub(super) fn not_started(&mut self, turn: &mut Turn<'_>, code: ExitCode) {
        if let Phase::Waiting(start) = self.take() {
            start.close(turn);
        }
        self.phase = over(turn, code);
    }

    pub(super) fn on_suspended(&mut self, id: InstanceId) {
        if let Some(instance) = self.instance_mut(id) {
            instance.on_suspended();
        }
    }

    pub(super) fn on_continued(&mut self, turn: &Turn<'_>, id: InstanceId) {
        if let Some(instance) = self.instance_mut(id) {
            instance.on_continued(turn);
        }
    }

    /// We did not run for a while, and nobody knows whether the children did.
    pub(super) fn on_overslept(&mut self, turn: &Turn<'_>) {
        for instance in self.instances_mut() {
            instance.on_overslept(turn);
        }
    }

    pub(super) fn on_word(&mut self, turn: &mut Turn<'_>, id: InstanceId, word: Word) {
        let newcomer = self.phase.newcomer().map(|new| new.id);
        if let Some(instance) = self.instance_mut(id) {
            instance.on_word(turn, word, Role::of(id, newcomer));
            self.advance(turn);
        }
    }

    /// A request that began at `started_at` was answered, and no new revision came of it.
    pub(super) fn on_answer(&mut self, turn: &mut Turn<'_>, started_at: Time) {
        if let Phase::Asking { inquiry, .. } = &mut self.phase {
            inquiry.on_answer(started_at);
            self.conclude(turn);
        }
    }

    pub(super) fn on_login(
        &mut self,
        turn: &mut Turn<'_>,
        login: LoginId,
        outcome: LoginOutcome,
        desired: Option<&Desired>,
        trust: Trust,
    ) {
        match &mut self.phase {
            Phase::Asking { inquiry, .. } => {
                inquiry.on_login(turn, login, outcome);
                self.conclude(turn);
            }
            Phase::AwaitingCredential { vigil, .. } => {
                let outlook = vigil.on_login(turn, login, &outcome);
                self.end_vigil(turn, outlook, desired);
            }
            Phase::Waiting(start) => {
                if let Some(code) = start.on_login(turn, login, &outcome) {
                    self.not_started(turn, code);
                }
            }
            Phase::Held { .. } => self.on_sentrys_login(turn, login, &outcome, desired, trust),
            Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::Telling { .. }
            | Phase::Preparing { .. }
            | Phase::Postponed { .. }
            | Phase::Joining { .. }
            | Phase::Overlapping { .. }
            | Phase::Replacing { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(_)
            | Phase::Done => {}
        }
    }

    /// Leaves the wait for a credential when it has come to something.
    fn end_vigil(&mut self, turn: &mut Turn<'_>, outlook: Outlook, desired: Option<&Desired>) {
        if outlook == Outlook::Open {
            return;
        }
        if let Phase::AwaitingCredential { .. } = &self.phase
            && let Phase::AwaitingCredential { failed, vigil } = self.take()
        {
            vigil.close(turn);
            self.phase = match (outlook, desired) {
                (Outlook::Works, Some(desired)) => {
                    turn.announce(Notice::CredentialWorks);
                    resume(turn, failed, desired)
                }
                (Outlook::Open | Outlook::Works | Outlook::Over, _) => {
                    turn.announce(Notice::CredentialNeverCame {
                        timeout: turn.config.start_timeout,
                    });
                    restart(turn, &mut self.crashes, failed)
                }
            };
        }
        self.advance(turn);
    }

    /// What is due to the processes themselves. It may leave nothing to protect, and that comes
    /// before anything is started.
    pub(super) fn on_instances_due(&mut self, turn: &mut Turn<'_>) {
        let newcomer = self.phase.newcomer().map(|new| new.id);
        for instance in self.instances_mut() {
            instance.on_deadline(turn, Role::of(instance.id, newcomer));
        }
    }

    pub(super) fn on_deadline(
        &mut self,
        turn: &mut Turn<'_>,
        desired: Option<&Desired>,
        trust: Trust,
    ) {
        self.give_up(turn, desired);
        self.on_sentrys_deadline(turn, desired, trust);
        let now = turn.now;
        self.phase = match (self.take(), desired) {
            (
                Phase::Postponed {
                    old,
                    attempt,
                    until,
                },
                Some(desired),
            ) if until <= now => apply_again(turn, old, desired, attempt),
            (Phase::BackingOff { attempt, until }, Some(desired)) if until <= now => {
                Phase::Starting {
                    next: Launch::new(turn, desired, Why::Replacement(attempt)),
                }
            }
            (Phase::Pausing { ended, until }, Some(desired)) if until <= now => {
                resume(turn, ended, desired)
            }
            (phase, _) => phase,
        };
        if let Phase::Waiting(start) = &mut self.phase
            && let Some(code) = start.on_deadline(turn)
        {
            self.not_started(turn, code);
        }
        self.conclude(turn);
        if let Phase::AwaitingCredential { failed, vigil } = &mut self.phase {
            let outlook = vigil.on_deadline(turn, &failed.values);
            self.end_vigil(turn, outlook, desired);
        }
        self.advance(turn);
    }

    /// Moves on when what a phase waits for is there.
    pub(super) fn advance(&mut self, turn: &mut Turn<'_>) {
        self.leaving.take_if(|leaving| leaving.gone().is_some());
        self.phase = match self.take() {
            Phase::Preparing { old, next } => self.begin_to_join(turn, old, next),
            Phase::Telling { child, news } => deliver(turn, child, news),
            Phase::Joining { old, next } => self.take_over_unborn(old, next),
            Phase::Overlapping { old, new, takeover } => self.compare(turn, old, new, takeover),
            Phase::Replacing { old, next } => match old.gone() {
                Some(end) => replace(turn, old, next, end),
                None => Phase::Replacing { old, next },
            },
            Phase::ShuttingDown(last) => self.wait_for(turn, last),
            phase @ (Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::Running { .. }
            | Phase::Postponed { .. }
            | Phase::Held { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::Done) => phase,
        };
    }

    /// The exit waits for the last child, and for one that was leaving before.
    fn wait_for(&self, turn: &mut Turn<'_>, last: Last) -> Phase {
        match last {
            Last::Ending { ending, exit } => match ending.gone() {
                Some(end) if self.leaving.is_none() => finish(turn, exit, end),
                Some(_) | None => Phase::ShuttingDown(Last::Ending { ending, exit }),
            },
            Last::Leaving { exit } if self.leaving.is_none() => over(turn, exit),
            Last::Leaving { .. } | Last::Spawning { .. } | Last::Joining { .. } => {
                Phase::ShuttingDown(last)
            }
        }
    }

    /// Every change of phase takes the old one out; `Done` stands in for the length of a call.
    pub(super) fn take(&mut self) -> Phase {
        std::mem::replace(&mut self.phase, Phase::Done)
    }

    /// The one place where events about an instance that is no longer ours are dropped.
    pub(super) fn instance_mut(&mut self, id: InstanceId) -> Option<&mut Instance> {
        self.instances_mut().find(|instance| instance.id == id)
    }

    /// Every process that is not gone: the one of this phase, a newcomer or one that is leaving.
    pub(super) fn instances_mut(&mut self) -> impl Iterator<Item = &mut Instance> {
        let (main, newcomer) = self.phase.instances_mut();
        main.into_iter().chain(newcomer).chain(&mut self.leaving)
    }

    /// The process beside the phase's own.
    pub(super) fn beside(&self) -> Option<&Instance> {
        self.phase.newcomer().or(self.leaving.as_ref())
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let instances = self.phase.instance().into_iter().chain(self.beside());
        let theirs = instances.filter_map(Instance::deadline);
        theirs.chain(self.phase.deadline()).min()
    }
}
