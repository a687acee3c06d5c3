//! From a start to a service: readiness, what the child says of itself, and its watchdog.

use crate::supervisor::config::Config;
use crate::supervisor::id::InstanceId;
use crate::supervisor::notice::{Notice, Unready};
use crate::supervisor::readiness::{Readiness, Word};
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};
use crate::supervisor::turn::Turn;

use super::alive::Looks;
use super::{Course, Instance, Motion, State};

/// A child that asks for more time gets no more than this at once; it may ask again.
const EXTENSION_MAX: Duration = Duration::from_secs(600);
/// However often it asks, no stretch (from its start to readiness; its stop) is drawn out for
/// longer than this in all. One that was given more to begin with keeps that.
const STRETCH_MAX: Duration = Duration::from_secs(3600);

/// How far a live leader is on its way to serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Startup {
    /// Nobody asked: it counts as serving.
    Unasked,
    /// It is waited for, until then; why it does not serve yet, as far as that is known.
    Awaited { until: Time, why: String },
    /// It serves. With a watchdog it must be heard of again by then.
    Ready { hung_at: Option<Time> },
    /// It did not tell in time, and may still; or it will not.
    Overdue(Unready),
}

/// Who tells of it when it does not become ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::supervisor) enum Role {
    /// It does: nothing else comes of it.
    Main,
    /// Whoever rolls it back: another one serves.
    Newcomer,
}

impl Role {
    pub(in crate::supervisor) fn of(id: InstanceId, newcomer: Option<InstanceId>) -> Self {
        if newcomer == Some(id) {
            Self::Newcomer
        } else {
            Self::Main
        }
    }
}

impl Startup {
    /// The leader was just started.
    pub(super) fn begin(config: &Config, now: Time) -> Self {
        let (time, why) = match &config.ready {
            Readiness::None => return Self::Unasked,
            Readiness::Delay(delay) => (*delay, "too young".to_owned()),
            Readiness::Notify { .. } => (config.ready_timeout, "no READY=1".to_owned()),
            Readiness::Descriptor(number) => {
                let why = format!("no newline on descriptor {number}");
                (config.ready_timeout, why)
            }
            how @ (Readiness::Tcp(_) | Readiness::Http(_)) => {
                (config.ready_timeout, format!("{how}: no answer yet"))
            }
        };
        let until = now + time;
        Self::Awaited { until, why }
    }
}

impl Instance {
    /// How far it is on its way to serving, while nobody asked it to end.
    pub(in crate::supervisor) fn startup(&self) -> Option<&Startup> {
        match &self.state {
            State::Live { startup, .. } => Some(startup),
            State::Stopping { .. }
            | State::Killed { .. }
            | State::Sweeping { .. }
            | State::SweepKilled { .. }
            | State::Gone { .. } => None,
        }
    }

    /// It told something of itself.
    pub(in crate::supervisor) fn on_word(&mut self, turn: &mut Turn<'_>, word: Word, role: Role) {
        if !self.lives() {
            return;
        }
        match word {
            Word::Ready => self.on_ready(turn),
            Word::Alive => self.on_alive(turn),
            Word::Trip => {
                if let State::Live {
                    startup: Startup::Ready { hung_at: Some(_) },
                    ..
                } = self.state
                {
                    self.abort(turn);
                }
            }
            Word::ExtendTimeout(by) => self.extend(turn.now + by.min(EXTENSION_MAX)),
            Word::Status(text) => turn.announce(Notice::ChildStatus {
                child: self.child(),
                text,
            }),
            Word::NotYet(why) => self.on_not_yet(why),
            Word::Silent(why) => self.on_silent(turn, why, role),
            Word::Stopping => {}
        }
    }

    fn on_ready(&mut self, turn: &mut Turn<'_>) {
        let child = self.child();
        if let State::Live {
            startup: startup @ (Startup::Awaited { .. } | Startup::Overdue(Unready::Late { .. })),
            ..
        } = &mut self.state
        {
            let hung_at = watchdog(turn.config).map(|watchdog| turn.now + watchdog);
            *startup = Startup::Ready { hung_at };
            let after = turn.now.since(self.started);
            turn.announce(Notice::Ready { child, after });
        }
    }

    fn on_not_yet(&mut self, reason: String) {
        if let State::Live {
            startup: Startup::Awaited { why, .. },
            ..
        } = &mut self.state
        {
            *why = reason;
        }
    }

    /// Nothing more will be heard of it. That is our trouble as likely as its own: it is not ready,
    /// if it was not, and from a watchdog it is released.
    fn on_silent(&mut self, turn: &mut Turn<'_>, why: String, role: Role) {
        let child = self.child();
        let State::Live { startup, .. } = &mut self.state else {
            return;
        };
        match startup {
            Startup::Awaited { .. } => self.give_up_waiting(turn, Unready::Never { why }, role),
            Startup::Ready { hung_at } => {
                if hung_at.take().is_some() {
                    turn.announce(Notice::Unheard { child, why });
                }
            }
            Startup::Overdue(unready) => *unready = Unready::Never { why },
            Startup::Unasked => {}
        }
    }

    pub(super) fn on_alive(&mut self, turn: &Turn<'_>) {
        if let State::Live {
            startup: Startup::Ready {
                hung_at: Some(hung_at),
            },
            ..
        } = &mut self.state
            && let Some(watchdog) = watchdog(turn.config)
        {
            *hung_at = turn.now + watchdog;
        }
    }

    /// We did not run for a while: whatever it had to tell by a certain time, that begins anew.
    pub(in crate::supervisor) fn on_overslept(&mut self, turn: &Turn<'_>) {
        self.on_alive(turn);
        if let State::Live {
            startup: Startup::Awaited { until, .. },
            ..
        } = &mut self.state
            && let Startup::Awaited { until: anew, .. } = Startup::begin(turn.config, turn.now)
        {
            *until = anew.max(*until);
        }
    }

    /// Whatever it is at may take until then, within limits; never less than it had. One that is
    /// aborted had its time.
    fn extend(&mut self, later: Time) {
        let (began, until) = match &mut self.state {
            State::Live {
                startup: Startup::Awaited { until, .. },
                ..
            } => (self.started, until),
            State::Stopping {
                course: Course::Stop,
                since,
                until,
                ..
            } => (*since, until),
            State::Live { .. }
            | State::Stopping { .. }
            | State::Killed { .. }
            | State::Sweeping { .. }
            | State::SweepKilled { .. }
            | State::Gone { .. } => return,
        };
        *until = later.min(began + STRETCH_MAX).max(*until);
    }

    /// Nothing was heard of it for too long: nobody can tell it from one that hangs. What a
    /// person's INT or QUIT wanted before is history: from now on it ends for its watchdog.
    pub(super) fn abort(&mut self, turn: &mut Turn<'_>) {
        let timeout = turn.config.stop.timeout();
        turn.announce(Notice::Hung {
            child: self.child(),
            timeout,
        });
        self.forward(turn, Signal::ABRT);
        let motion = if self.is_suspended() {
            self.forward(turn, Signal::CONT);
            Motion::Suspended
        } else {
            Motion::Running
        };
        self.state = State::Stopping {
            course: Course::Abort,
            motion,
            step: 0,
            since: turn.now,
            until: turn.now + timeout,
            interrupted: None,
            looks: Looks::at_stop(turn.now, turn.config),
        };
    }

    /// The time until readiness is over: that is readiness itself, or the lack of it.
    pub(super) fn on_awaited_long(&mut self, turn: &mut Turn<'_>, role: Role) {
        if let Readiness::Delay(_) = turn.config.ready {
            self.on_ready(turn);
            return;
        }
        let after = turn.now.since(self.started);
        if let Some(Startup::Awaited { why, .. }) = self.startup() {
            let why = why.clone();
            self.give_up_waiting(turn, Unready::Late { after, why }, role);
        }
    }

    fn give_up_waiting(&mut self, turn: &mut Turn<'_>, unready: Unready, role: Role) {
        let child = self.child();
        let State::Live { startup, .. } = &mut self.state else {
            return;
        };
        *startup = Startup::Overdue(unready.clone());
        match role {
            Role::Main => turn.announce(Notice::NotReady { child, unready }),
            Role::Newcomer => {}
        }
    }

    /// How it came not to be ready, if it did.
    pub(in crate::supervisor) fn unready(&self) -> Option<Unready> {
        match self.startup()? {
            Startup::Overdue(unready) => Some(unready.clone()),
            Startup::Unasked | Startup::Awaited { .. } | Startup::Ready { .. } => None,
        }
    }
}

/// How often a child must be heard of, if it must.
fn watchdog(config: &Config) -> Option<Duration> {
    match config.ready {
        Readiness::Notify { watchdog } => watchdog,
        Readiness::None
        | Readiness::Descriptor(_)
        | Readiness::Tcp(_)
        | Readiness::Http(_)
        | Readiness::Delay(_) => None,
    }
}
