//! What a child's end means, in every phase.

use super::change::Desired;
use super::event::{Alive, Ended, Leftovers};
use super::id::InstanceId;
use super::inquiry::Finding;
use super::instance::Instance;
use super::notice::Notice;
use super::phase::{ExitWith, Last, Phase};
use super::service::Service;
use super::transition::{ask, await_credential, end, restart, succeed};
use super::turn::{Turn, Want};

/// What a leader's end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    /// It was told to, or it is nobody's we know.
    Expected,
    /// It did what it was there for, or what a person's interrupt wanted: there is no other.
    Final,
    /// It did what it was there for, and `--restart always` wants it to do so again.
    Again,
    /// It failed by itself: nothing is left to protect.
    Failed,
    /// Whatever its code, another is being spawned to take its place: nothing is left to protect.
    Followed,
}

impl Service {
    /// A leader ended. `decide_end` follows.
    pub(super) fn on_exited(
        &mut self,
        turn: &mut Turn<'_>,
        id: InstanceId,
        ended: Ended,
        leftovers: Leftovers,
    ) -> Finish {
        let is_main = self.phase.instance().is_some_and(|main| main.id == id);
        let Some(instance) = self.instance_mut(id).filter(|instance| instance.lives()) else {
            return Finish::Expected;
        };
        let interrupted = instance
            .interrupted_until(turn)
            .is_some_and(|until| turn.now <= until);
        instance.on_exited(turn, ended, leftovers);
        let Some(end) = instance.ending().filter(|_| is_main) else {
            return Finish::Expected;
        };
        match &self.phase {
            Phase::Running { .. }
            | Phase::Preparing { .. }
            | Phase::Postponed { .. }
            | Phase::Held { .. }
            | Phase::Telling { .. } => {
                if interrupted {
                    return Finish::Final;
                }
                let crash = &turn.config.crash;
                match (crash.is_good(end), crash.restarts(end)) {
                    (true, true) => Finish::Again,
                    (true, false) => Finish::Final,
                    (false, _) => Finish::Failed,
                }
            }
            Phase::Joining { .. } | Phase::Overlapping { .. } if interrupted => Finish::Final,
            Phase::Joining { .. } => Finish::Followed,
            Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::Overlapping { .. }
            | Phase::Replacing { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(_)
            | Phase::Done => Finish::Expected,
        }
    }

    /// A child that missed its watchdog and that not even KILL ends: as good as one that failed.
    pub(super) fn give_up(&mut self, turn: &mut Turn<'_>, desired: Option<&Desired>) {
        let is_given_up = match &self.phase {
            Phase::Running { instance: child }
            | Phase::Preparing { old: child, .. }
            | Phase::Postponed { old: child, .. }
            | Phase::Held { old: child, .. }
            | Phase::Telling { child, .. } => child.gone().is_some(),
            Phase::Waiting(_)
            | Phase::Starting { .. }
            | Phase::Joining { .. }
            | Phase::Overlapping { .. }
            | Phase::Replacing { .. }
            | Phase::Asking { .. }
            | Phase::AwaitingCredential { .. }
            | Phase::Pausing { .. }
            | Phase::BackingOff { .. }
            | Phase::ShuttingDown(_)
            | Phase::Done => false,
        };
        if is_given_up {
            self.decide_end(turn, Finish::Failed, desired);
        }
    }

    /// Heroku is not asked about a failed end: what Postgres says must do.
    pub(super) fn on_fetch_spared(&mut self, turn: &mut Turn<'_>) {
        if let Phase::Asking { inquiry, .. } = &mut self.phase {
            inquiry.spare_fetch(turn);
        }
    }

    /// Leaves an inquiry that has come to something.
    pub(super) fn conclude(&mut self, turn: &mut Turn<'_>) {
        let Phase::Asking { inquiry, .. } = &self.phase else {
            return;
        };
        if let Some(finding) = inquiry.finding(turn.now)
            && let Phase::Asking { failed, inquiry } = self.take()
        {
            let is_spared = inquiry.is_fetch_spared();
            inquiry.conclude(turn);
            self.phase = match finding {
                Finding::CredentialDead => await_credential(turn, failed),
                Finding::DatabaseSilent => {
                    if is_spared {
                        turn.want(Want::FetchOften);
                    }
                    let phase = self.accept_end(turn, failed);
                    if let Phase::Pausing { .. } = phase {
                        turn.want(Want::LookOften);
                    }
                    phase
                }
                Finding::NothingFound => self.accept_end(turn, failed),
            };
            self.advance(turn);
        }
    }

    /// Nothing explains the child's failure but itself.
    fn accept_end(&mut self, turn: &mut Turn<'_>, failed: Instance) -> Phase {
        if let Some(end) = failed.ending()
            && !turn.config.crash.restarts(end)
        {
            let ended = end.ended;
            turn.announce(Notice::NothingFound { ended });
        }
        restart(turn, &mut self.crashes, failed)
    }

    /// What follows from a leader's end.
    pub(super) fn decide_end(
        &mut self,
        turn: &mut Turn<'_>,
        finish: Finish,
        desired: Option<&Desired>,
    ) {
        if let Some(desired) = desired {
            self.overrule(turn, finish, desired);
        }
        if finish != Finish::Expected {
            self.stand_down(turn);
        }
        self.phase = match (self.take(), finish) {
            (
                Phase::Running { instance: child }
                | Phase::Preparing { old: child, .. }
                | Phase::Postponed { old: child, .. }
                | Phase::Telling { child, .. },
                Finish::Final,
            ) => end(turn, child),
            (Phase::Joining { old, next }, Finish::Final) => Phase::ShuttingDown(Last::Joining {
                ending: old,
                next,
                exit: ExitWith::ChildsCode,
            }),
            (Phase::Overlapping { old, new, .. }, Finish::Final) => {
                self.dismiss(turn, new);
                end(turn, old)
            }
            (
                Phase::Running { instance: child }
                | Phase::Preparing { old: child, .. }
                | Phase::Postponed { old: child, .. }
                | Phase::Telling { child, .. },
                Finish::Failed,
            ) => ask(turn, &mut self.crashes, child, desired),
            (
                Phase::Running { instance: child }
                | Phase::Preparing { old: child, .. }
                | Phase::Postponed { old: child, .. }
                | Phase::Telling { child, .. },
                Finish::Again,
            ) => match desired.filter(|desired| !child.suits(&desired.values)) {
                Some(desired) => succeed(turn, child, desired),
                None => restart(turn, &mut self.crashes, child),
            },
            (
                phase,
                Finish::Final
                | Finish::Failed
                | Finish::Again
                | Finish::Followed
                | Finish::Expected,
            ) => phase,
        };
        self.advance(turn);
    }

    pub(super) fn on_tree_listed(&mut self, turn: &mut Turn<'_>, id: InstanceId, alive: Alive) {
        if let Some(instance) = self.instance_mut(id) {
            instance.on_listed(turn, alive);
        }
    }

    pub(super) fn on_tree_empty(&mut self, turn: &mut Turn<'_>, id: InstanceId) {
        if let Some(instance) = self.instance_mut(id) {
            instance.on_tree_empty();
            self.advance(turn);
        }
    }
}
