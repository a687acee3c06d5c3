//! What people are told of values without use: when that begins, every quarter of an hour, and when
//! it ends, with the right numbers.

use std::collections::BTreeMap;

use crate::supervisor::notice::ValueNotice;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::bounds::HEARTBEAT;

/// The variables that have no usable value, as was told.
#[derive(Debug)]
pub(super) struct Unusable {
    known: BTreeMap<String, State>,
    answers: u32,
    answered: Time,
}

#[derive(Debug)]
struct State {
    since: Time,
    /// Which answer was the first without it.
    first: u32,
    told: Time,
}

impl Unusable {
    pub(super) fn new() -> Self {
        Self {
            known: BTreeMap::new(),
            answers: 0,
            answered: Time::ZERO,
        }
    }

    /// An answer, good or bad for a variable.
    pub(super) fn answer(&mut self, now: Time) {
        self.answers += 1;
        self.answered = now;
    }

    /// A line about a variable.
    pub(super) fn told(&mut self, now: Time, notice: &ValueNotice) -> Result<(), String> {
        match notice {
            ValueNotice::Bad { name, .. } => {
                let state = self.known.entry(name.clone()).or_insert(State {
                    since: now,
                    first: self.answers,
                    told: now,
                });
                state.told = now;
                Ok(())
            }
            ValueNotice::StillBad {
                name,
                lasted,
                answers,
                ..
            } => {
                let count = self.answers + 1;
                let state = self.state(name)?;
                if now.since(state.told) < HEARTBEAT {
                    return Err(format!("told of {name} again since {}", state.told));
                }
                state.told = now;
                state.holds(now, count, *lasted, *answers)
            }
            ValueNotice::Good {
                name,
                lasted,
                answers,
            } => {
                let count = self.answers;
                self.state(name)?.holds(now, count, *lasted, *answers)?;
                self.known.remove(name);
                Ok(())
            }
        }
    }

    /// After a step.
    pub(super) fn check(&self) -> Result<(), String> {
        let is_owed = |state: &State| self.answered.since(state.told) >= HEARTBEAT;
        match self.known.iter().find(|(_, state)| is_owed(state)) {
            Some((name, state)) => Err(format!("nothing was told of {name} since {}", state.told)),
            None => Ok(()),
        }
    }

    fn state(&mut self, name: &str) -> Result<&mut State, String> {
        let known = self.known.get_mut(name);
        known.ok_or(format!("{name} was usable, as far as was told"))
    }
}

impl State {
    fn holds(&self, now: Time, count: u32, lasted: Duration, answers: u32) -> Result<(), String> {
        let is = (now.since(self.since), count - self.first);
        if (lasted, answers) == is {
            return Ok(());
        }
        Err(format!(
            "told of {lasted:?} and {answers} answers: it is {is:?}"
        ))
    }
}
