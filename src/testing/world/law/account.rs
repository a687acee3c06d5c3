//! What the account affords: the world's own reading of "The account budget" in the design.

use crate::supervisor::notice::AccountNotice;
use crate::supervisor::time::Duration;
use crate::testing::world::bounds::{ACCOUNT, ACCOUNT_FOR_BURSTS, PACE_MAX};

/// The account, as far as answers tell of it.
#[derive(Debug)]
pub(super) struct Account {
    interval: Option<Duration>,
    left: Option<u32>,
    told: Told,
}

/// What was last said of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Scarce,
}

impl Account {
    /// Who looks but once keeps no pace.
    pub(super) fn new(interval: Option<Duration>) -> Self {
        Self {
            interval,
            left: None,
            told: Told::Nothing,
        }
    }

    /// An answer that was waited for says so many.
    pub(super) fn hears(&mut self, left: Option<u32>) {
        if self.interval.is_some() && left.is_some() {
            self.left = left;
        }
    }

    /// "`interval × exp(k·max(0, ½ − r))`"
    pub(super) fn pace(&self, interval: Duration) -> Duration {
        let Some(left) = self.left else {
            return interval;
        };
        let lacks = (0.5 - f64::from(left) / f64::from(ACCOUNT)).max(0.0);
        let pace = interval.mul_f64((13.0 * lacks).exp());
        pace.min(PACE_MAX.max(interval))
    }

    /// "cut down to one fetch … when the account's budget is below its reserve"
    pub(super) fn affords_bursts(&self) -> bool {
        self.left.is_none_or(|left| left >= ACCOUNT_FOR_BURSTS)
    }

    /// A line about it.
    pub(super) fn told(&mut self, notice: &AccountNotice) -> Result<(), String> {
        let pace = self.interval.map(|interval| self.pace(interval));
        let (told, said, told_pace) = match notice {
            AccountNotice::Scarce { left, stretched } => (Told::Scarce, *left, *stretched),
            AccountNotice::Ample { left, interval } => (Told::Nothing, *left, *interval),
        };
        if pace != Some(told_pace) {
            return Err(format!("told of a pace of {told_pace:?}, it is {pace:?}"));
        }
        if told == self.told || Some(said) != self.left {
            return Err(format!("{notice:?} is no news"));
        }
        self.told = told;
        self.check()
    }

    /// What is so is told, once.
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(interval) = self.interval else {
            return Ok(());
        };
        let pace = self.pace(interval);
        match self.told {
            Told::Nothing if pace >= interval * 2 => Err("a slow pace was not told".to_owned()),
            Told::Scarce if pace == interval => Err("the usual pace was not told".to_owned()),
            Told::Nothing | Told::Scarce => Ok(()),
        }
    }
}
