//! One process, from its start to its empty tree; its readiness, the stop sequence and the sweep.

use std::sync::Arc;

use crate::credential::Values;

use super::action::Action;
use super::config::{Config, LeftoverPolicy};
use super::event::Ended;
use super::id::{InstanceId, Revision};
use super::notice::{Child, Notice};
use super::signal::Signal;
use super::status::InstancePhase;
use super::time::{Duration, Time};
use super::turn::Turn;

mod alive;
mod fate;
mod leftovers;
mod overview;
mod startup;

use alive::Looks;
pub(super) use fate::Fate;
pub(super) use startup::{Role, Startup};

/// Leftovers have this long between TERM and KILL.
pub(super) const SWEEP: Duration = Duration::from_secs(2);
/// A KILL that did not help is given up on after this long.
pub(super) const UNKILLABLE: Duration = Duration::from_secs(5);
/// A process that was started, and what it runs with.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) revision: Revision,
    pub(super) values: Arc<Values>,
    fate: Fate,
    pid: u32,
    started: Time,
    state: State,
}

#[derive(Debug)]
enum State {
    /// It runs, and nobody asked it to end.
    Live {
        motion: Motion,
        interrupted: Option<Time>,
        startup: Startup,
    },
    /// Step `step` of the stop sequence went out; the next follows at `until`.
    Stopping {
        course: Course,
        motion: Motion,
        step: usize,
        since: Time,
        until: Time,
        interrupted: Option<Time>,
        looks: Looks,
    },
    /// KILL went to the whole tree while the leader lived.
    Killed {
        course: Course,
        interrupted: Option<Time>,
        since: Time,
        give_up: Time,
        looks: Looks,
    },
    /// The leader ended; what it left was told to stop.
    Sweeping {
        end: End,
        kill: Time,
        interrupted: Option<Time>,
        looks: Looks,
    },
    /// What the leader left was killed.
    SweepKilled {
        end: End,
        give_up: Time,
        looks: Looks,
    },
    /// Nothing of it is left, or nothing that could be ended.
    Gone { end: End },
}

/// Which signals end it, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// The stop sequence: it is to make room.
    Stop,
    /// It missed its watchdog: ABRT, for a core or a trace, then KILL after the stop timeout.
    Abort,
}

/// Whether a live leader runs or was stopped by a signal (`kill -STOP`, Ctrl-Z).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Motion {
    Running,
    Suspended,
}

/// How and when a leader ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    pub(super) ended: Ended,
    pub(super) at: Time,
    pub(super) by: EndedBy,
}

/// Who ended a leader, as far as this supervisor had a part in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    /// Itself, or somebody outside.
    Itself,
    /// The stop sequence.
    Stop,
    /// Its watchdog.
    Watchdog,
}

impl Instance {
    pub(super) fn new(
        id: InstanceId,
        revision: Revision,
        values: Arc<Values>,
        pid: u32,
        config: &Config,
        now: Time,
    ) -> Self {
        let state = State::Live {
            motion: Motion::Running,
            interrupted: None,
            startup: Startup::begin(config, now),
        };
        Self {
            id,
            revision,
            values,
            fate: Fate::Stays,
            pid,
            started: now,
            state,
        }
    }

    pub(super) fn name(&self) -> InstancePhase {
        match self.state {
            State::Live { .. } => InstancePhase::Live,
            State::Stopping { .. } => InstancePhase::Stopping,
            State::Killed { .. } => InstancePhase::Killed,
            State::Sweeping { .. } => InstancePhase::Sweeping,
            State::SweepKilled { .. } => InstancePhase::SweepKilled,
            State::Gone { .. } => InstancePhase::Gone,
        }
    }

    /// Its process id and revision, for people.
    pub(super) fn child(&self) -> Child {
        Child {
            pid: self.pid,
            revision: self.revision,
        }
    }

    /// Whether its leader lives.
    pub(super) fn lives(&self) -> bool {
        match self.state {
            State::Live { .. } | State::Stopping { .. } | State::Killed { .. } => true,
            State::Sweeping { .. } | State::SweepKilled { .. } | State::Gone { .. } => false,
        }
    }

    /// How the leader ended, once nothing is left to wait for.
    pub(super) fn gone(&self) -> Option<End> {
        match self.state {
            State::Gone { end } => Some(end),
            State::Live { .. }
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Sweeping { .. }
            | State::SweepKilled { .. } => None,
        }
    }

    /// How the leader ended, whatever it left.
    pub(super) fn ending(&self) -> Option<End> {
        match self.state {
            State::Sweeping { end, .. } | State::SweepKilled { end, .. } | State::Gone { end } => {
                Some(end)
            }
            State::Live { .. } | State::Stopping { .. } | State::Killed { .. } => None,
        }
    }

    /// How long its leader lived, or lives by now.
    pub(super) fn lived(&self, now: Time) -> Duration {
        self.ending().map_or(now, |end| end.at).since(self.started)
    }

    /// Why it is being ended, while its leader lives.
    fn course(&self) -> Option<Course> {
        match self.state {
            State::Stopping { course, .. } | State::Killed { course, .. } => Some(course),
            State::Live { .. }
            | State::Sweeping { .. }
            | State::SweepKilled { .. }
            | State::Gone { .. } => None,
        }
    }

    /// When it was first told to stop.
    fn stopping_since(&self) -> Option<Time> {
        match self.state {
            State::Stopping { since, .. } | State::Killed { since, .. } => Some(since),
            State::Live { .. }
            | State::Sweeping { .. }
            | State::SweepKilled { .. }
            | State::Gone { .. } => None,
        }
    }

    /// Begins the stop sequence; one that has begun goes on as it is.
    pub(super) fn stop(&mut self, turn: &mut Turn<'_>) {
        if let State::Live { motion, .. } = self.state {
            let looks = Looks::at_stop(turn.now, turn.config);
            self.stop_step(turn, 0, turn.now, motion, None, looks);
        }
    }

    /// KILL to the whole tree, now.
    pub(super) fn kill(&mut self, turn: &mut Turn<'_>) {
        match self.state {
            State::Live { .. } | State::Stopping { .. } => {
                self.kill_tree(turn);
                self.state = State::Killed {
                    course: self.course().unwrap_or(Course::Stop),
                    interrupted: self.interrupted_at(),
                    since: self.stopping_since().unwrap_or(turn.now),
                    give_up: turn.now + UNKILLABLE,
                    looks: Looks::soon(turn.now),
                };
            }
            State::Sweeping { end, .. } => {
                self.kill_tree(turn);
                self.state = State::SweepKilled {
                    end,
                    give_up: turn.now + UNKILLABLE,
                    looks: Looks::soon(turn.now),
                };
            }
            State::Killed { .. } | State::SweepKilled { .. } | State::Gone { .. } => {}
        }
    }

    /// Hands a signal on to a live leader.
    pub(super) fn forward(&mut self, turn: &mut Turn<'_>, signal: Signal) {
        if self.lives() {
            let (instance, scope) = (self.id, turn.config.scope);
            turn.act(Action::Signal {
                instance,
                signal,
                scope,
            });
        }
    }

    /// An INT or QUIT reached the child, from us or from the terminal: an end soon after it is what
    /// the person wanted. The second INT while stopping kills; a QUIT never does (it may be a
    /// thread dump of a child that hangs).
    pub(super) fn interrupted(&mut self, turn: &mut Turn<'_>, signal: Signal) {
        let now = turn.now;
        match &mut self.state {
            State::Live { interrupted, .. } => *interrupted = Some(now),
            State::Stopping { .. } | State::Sweeping { .. } if signal != Signal::INT => {}
            State::Stopping {
                interrupted: first @ None,
                ..
            }
            | State::Sweeping {
                interrupted: first @ None,
                ..
            } => *first = Some(now),
            State::Stopping { .. } | State::Sweeping { .. } => {
                turn.announce(Notice::KillRequested);
                self.kill(turn);
            }
            State::Killed { .. } | State::SweepKilled { .. } | State::Gone { .. } => {}
        }
    }

    /// Until when an end counts as what a person's INT or QUIT wanted. One that we told to stop
    /// ends for that.
    pub(super) fn interrupted_until(&self, turn: &Turn<'_>) -> Option<Time> {
        match self.course() {
            None | Some(Course::Abort) if self.lives() => self
                .interrupted_at()
                .map(|at| at + turn.config.stop.timeout()),
            None | Some(Course::Abort | Course::Stop) => None,
        }
    }

    /// When a person's INT or QUIT last reached it.
    fn interrupted_at(&self) -> Option<Time> {
        match self.state {
            State::Live { interrupted, .. }
            | State::Stopping { interrupted, .. }
            | State::Killed { interrupted, .. }
            | State::Sweeping { interrupted, .. } => interrupted,
            State::SweepKilled { .. } | State::Gone { .. } => None,
        }
    }

    /// Whether its leader lives, and nobody began to end it.
    pub(super) fn is_untouched(&self) -> bool {
        match self.state {
            State::Live { .. } => true,
            State::Stopping { .. }
            | State::Killed { .. }
            | State::Sweeping { .. }
            | State::SweepKilled { .. }
            | State::Gone { .. } => false,
        }
    }

    /// Whether its leader lives, and was stopped by a signal.
    pub(super) fn is_suspended(&self) -> bool {
        match self.state {
            State::Live { motion, .. } | State::Stopping { motion, .. } => {
                motion == Motion::Suspended
            }
            State::Killed { .. }
            | State::Sweeping { .. }
            | State::SweepKilled { .. }
            | State::Gone { .. } => false,
        }
    }

    pub(super) fn on_suspended(&mut self) {
        self.set_motion(Motion::Suspended);
    }

    /// Its watchdog begins anew: while it was stopped it could not be heard of.
    pub(super) fn on_continued(&mut self, turn: &Turn<'_>) {
        self.set_motion(Motion::Running);
        self.on_alive(turn);
    }

    pub(super) fn on_deadline(&mut self, turn: &mut Turn<'_>, role: Role) {
        if self.due().is_none_or(|due| due > turn.now) {
            self.look(turn);
            return;
        }
        match self.state {
            State::Live { ref startup, .. } => match startup {
                Startup::Awaited { .. } => self.on_awaited_long(turn, role),
                Startup::Ready { .. } => self.abort(turn),
                Startup::Unasked | Startup::Overdue(_) => {}
            },
            State::Stopping {
                course,
                step,
                since,
                motion,
                interrupted,
                looks,
                ..
            } => {
                if course == Course::Stop && step + 1 < turn.config.stop.0.len() {
                    self.stop_step(turn, step + 1, since, motion, interrupted, looks);
                } else {
                    turn.announce(Notice::Killing {
                        pid: self.pid,
                        after: turn.now.since(since),
                    });
                    self.kill(turn);
                }
            }
            State::Sweeping { .. } => self.kill(turn),
            State::Killed { course, .. } => self.give_up(
                turn,
                End {
                    ended: Ended::Signal(Signal::KILL),
                    at: turn.now,
                    by: course.ended_by(),
                },
            ),
            State::SweepKilled { end, .. } => self.give_up(turn, end),
            State::Gone { .. } => {}
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.due().into_iter().chain(self.look_due()).min()
    }

    /// When its state ends by itself.
    fn due(&self) -> Option<Time> {
        match self.state {
            State::Live {
                ref startup,
                motion,
                ..
            } => match (startup, motion) {
                (Startup::Awaited { until, .. }, _) => Some(*until),
                (Startup::Ready { hung_at }, Motion::Running) => *hung_at,
                (Startup::Ready { .. }, Motion::Suspended)
                | (Startup::Unasked | Startup::Overdue(_), _) => None,
            },
            State::Stopping { until, .. } => Some(until),
            State::Sweeping { kill, .. } => Some(kill),
            State::Killed { give_up, .. } | State::SweepKilled { give_up, .. } => Some(give_up),
            State::Gone { .. } => None,
        }
    }

    fn stop_step(
        &mut self,
        turn: &mut Turn<'_>,
        step: usize,
        since: Time,
        motion: Motion,
        interrupted: Option<Time>,
        looks: Looks,
    ) {
        let Some(&wanted) = turn.config.stop.0.get(step) else {
            self.kill(turn);
            return;
        };
        self.forward(turn, wanted.signal);
        if motion == Motion::Suspended {
            self.forward(turn, Signal::CONT);
        }
        turn.announce(Notice::Stopping {
            pid: self.pid,
            signal: wanted.signal,
            timeout: wanted.wait,
        });
        self.state = State::Stopping {
            course: Course::Stop,
            motion,
            step,
            since,
            until: turn.now + wanted.wait,
            interrupted,
            looks,
        };
    }

    fn kill_tree(&self, turn: &mut Turn<'_>) {
        let (instance, signal) = (self.id, Signal::KILL);
        turn.act(match turn.config.leftovers {
            LeftoverPolicy::Sweep => Action::Sweep { instance, signal },
            LeftoverPolicy::Leave => Action::Signal {
                instance,
                signal,
                scope: turn.config.scope,
            },
        });
    }

    fn give_up(&mut self, turn: &mut Turn<'_>, end: End) {
        turn.act(Action::GiveUp { instance: self.id });
        turn.announce(Notice::SweepFailed { pid: self.pid });
        self.state = State::Gone { end };
    }

    fn set_motion(&mut self, now: Motion) {
        if let State::Live { motion, .. } | State::Stopping { motion, .. } = &mut self.state {
            *motion = now;
        }
    }
}

impl Course {
    fn ended_by(self) -> EndedBy {
        match self {
            Self::Stop => EndedBy::Stop,
            Self::Abort => EndedBy::Watchdog,
        }
    }
}
