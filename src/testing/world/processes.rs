//! The children of the world: what they do when they are signalled, when their database leaves
//! them, and when nobody looks.

use crate::supervisor::event::{Alive, Ended, Leftovers, Member};
use crate::supervisor::id::InstanceId;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};

use super::Machine;
use super::agenda::{By, Happening};
use super::dice::Dice;
use super::values::Values;

/// One instance's tree.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) instance: InstanceId,
    /// What it works with.
    pub(super) values: Values,
    leader: Leader,
    left: Left,
    manners: Manners,
    interrupts: Interrupts,
    /// KILL does not help at once: it hangs in the kernel for so long.
    stuck: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leader {
    Runs,
    /// Stopped by a signal; a TERM waits for CONT.
    Suspended {
        terminated: bool,
    },
    Zombie(Ended),
    Reaped,
}

/// The processes that a leader does not wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    None,
    Some(Manners),
}

/// What TERM does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manners {
    /// Ends it after so long, and with what.
    Polite(Duration, Ended),
    /// Nothing.
    Deaf,
}

/// What INT, QUIT and HUP do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Interrupts {
    /// They end it, as often as not.
    End,
    /// Nothing: it reloads, or dumps its threads.
    Survived,
}

/// What follows from a signal.
pub(super) type Plan = Option<(Duration, Happening)>;

impl Process {
    /// Born, with a character.
    pub(super) fn new(
        instance: InstanceId,
        values: Values,
        grace: Duration,
        machine: Machine,
        dice: &mut Dice,
    ) -> Self {
        let manners = Manners::roll(grace, machine, dice);
        let left = if dice.one_in(4) {
            Left::Some(Manners::roll(Duration::from_secs(2), machine, dice))
        } else {
            Left::None
        };
        let sides = if machine == Machine::Stuck { 2 } else { 24 };
        let stuck = match dice.below(sides) {
            0 => dice.ms(5100, 30_000),
            1 => dice.ms(100, 4900),
            _ => Duration::ZERO,
        };
        Self {
            instance,
            values,
            leader: Leader::Runs,
            left,
            manners,
            interrupts: dice.pick(&[Interrupts::End, Interrupts::End, Interrupts::Survived]),
            stuck,
        }
    }

    /// Whether its leader was not reaped yet.
    pub(super) fn is_unreaped(&self) -> bool {
        self.leader != Leader::Reaped
    }

    /// Whether its leader runs, or could.
    pub(super) fn lives(&self) -> bool {
        matches!(self.leader, Leader::Runs | Leader::Suspended { .. })
    }

    /// Whether its leader is there to say something.
    pub(super) fn can_speak(&self) -> bool {
        self.leader == Leader::Runs
    }

    /// Whether anything of it is left.
    pub(super) fn is_there(&self) -> bool {
        self.is_unreaped() || self.left != Left::None
    }

    /// Who of it is alive.
    pub(super) fn alive(&self) -> Alive {
        let leader = self.lives().then(|| Member {
            pid: 100 + self.instance.0,
            name: "leader".to_owned(),
        });
        let left = usize::from(self.left != Left::None);
        Alive {
            count: usize::from(leader.is_some()) + left,
            named: leader.into_iter().collect(),
        }
    }

    /// Whether KILL may take longer than a supervisor waits.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck > Duration::ZERO
    }

    pub(super) fn runs(&self) -> bool {
        self.leader == Leader::Runs
    }

    pub(super) fn is_suspended(&self) -> bool {
        matches!(self.leader, Leader::Suspended { .. })
    }

    /// A signal to the leader.
    pub(super) fn signal(&mut self, signal: Signal, dice: &mut Dice) -> Plan {
        match (signal, self.leader) {
            (Signal::KILL, Leader::Runs | Leader::Suspended { .. }) => {
                self.die_in(self.stuck + dice.ms(0, 10), Ended::Signal(Signal::KILL))
            }
            (Signal::CONT, Leader::Suspended { terminated }) => {
                self.leader = Leader::Runs;
                if terminated {
                    self.signal(Signal::TERM, dice)
                } else {
                    None
                }
            }
            (Signal::TERM, Leader::Suspended { .. }) => {
                self.leader = Leader::Suspended { terminated: true };
                None
            }
            (Signal::TERM, Leader::Runs) => match self.manners {
                Manners::Polite(after, how) => self.die_in(after, how),
                Manners::Deaf => None,
            },
            (Signal::ABRT, Leader::Runs) if !dice.one_in(4) => {
                let how = dice.pick(&[Ended::Signal(signal), Ended::Code(0)]);
                self.die_in(dice.ms(0, 3000), how)
            }
            (Signal::INT | Signal::QUIT | Signal::HUP, Leader::Runs)
                if self.interrupts == Interrupts::End && dice.one_in(2) =>
            {
                let how = dice.pick(&[Ended::Code(0), Ended::Code(130), Ended::Signal(signal)]);
                self.die_in(dice.ms(0, 3000), how)
            }
            (_, Leader::Runs | Leader::Suspended { .. } | Leader::Zombie(_) | Leader::Reaped) => {
                None
            }
        }
    }

    /// A signal to all that is left but the leader.
    pub(super) fn signal_leftovers(&self, signal: Signal, dice: &mut Dice) -> Plan {
        let Left::Some(manners) = self.left else {
            return None;
        };
        let instance = self.instance;
        let die = Happening::LeftoversDie { instance };
        match (signal, manners) {
            (Signal::KILL, _) => Some((self.stuck + dice.ms(0, 10), die)),
            (_, Manners::Polite(after, _)) => Some((after, die)),
            (_, Manners::Deaf) => None,
        }
    }

    /// Stopped by a signal, or continued, by somebody else.
    pub(super) fn suspend(&mut self) {
        self.leader = Leader::Suspended { terminated: false };
    }

    /// The leader dies; `false`: it is dead already.
    pub(super) fn die(&mut self, how: Ended) -> bool {
        let lives = self.lives();
        if lives {
            self.leader = Leader::Zombie(how);
        }
        lives
    }

    /// What the reaper finds.
    pub(super) fn reap(&mut self) -> Option<(Ended, Leftovers)> {
        let Leader::Zombie(how) = self.leader else {
            return None;
        };
        self.leader = Leader::Reaped;
        let leftovers = match self.left {
            Left::None => Leftovers::None,
            Left::Some(_) => Leftovers::Some,
        };
        Some((how, leftovers))
    }

    /// What it left dies; whether that empties the tree of a reaped leader.
    pub(super) fn lose_leftovers(&mut self) -> bool {
        let was = std::mem::replace(&mut self.left, Left::None);
        was != Left::None && self.leader == Leader::Reaped
    }

    fn die_in(&self, after: Duration, how: Ended) -> Plan {
        let instance = self.instance;
        let by = By::Others;
        Some((after, Happening::Dies { instance, how, by }))
    }
}

impl Manners {
    /// Polite, slow or deaf; `grace` is what it is given.
    fn roll(grace: Duration, machine: Machine, dice: &mut Dice) -> Self {
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let how = dice.pick(&[
            Ended::Code(0),
            Ended::Code(143),
            Ended::Signal(Signal::TERM),
            Ended::Code(1),
        ]);
        match dice.below(8) {
            0 => Self::Deaf,
            1..=5 if machine == Machine::Stuck => Self::Deaf,
            1 => Self::Polite(dice.ms(grace_ms.saturating_sub(200), grace_ms + 200), how),
            2 | 3 => Self::Polite(dice.ms(0, grace_ms), how),
            _ => Self::Polite(dice.ms(0, 500), how),
        }
    }
}

/// What a child does by itself, and when.
pub(super) fn fate(instance: InstanceId, now: Time, dice: &mut Dice) -> Option<(Time, Happening)> {
    let how = dice.pick(&[
        Ended::Code(0),
        Ended::Code(1),
        Ended::Code(1),
        Ended::Signal(Signal(11)),
    ]);
    let after = match dice.below(10) {
        0 => dice.ms(0, 100),
        1 => dice.ms(100, 20_000),
        2 => dice.ms(20_000, 300_000),
        _ => return None,
    };
    let by = By::Fate;
    Some((now + after, Happening::Dies { instance, how, by }))
}
