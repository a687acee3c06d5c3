//! HOW MUCH the account can be asked: its requests are shared with every other host, and people.
//!
//! Heroku gives an account 4500 requests an hour and tells with each answer how many are left. A
//! law without memory turns that into a pace: `interval × exp(13 × max(0, ½ − left/4500))`. Every
//! supervisor of an account sees the same number and keeps the same pace, so that shares are equal
//! without a word between them. What they ask together settles where it equals what the account
//! gains, 75 a minute; with 13 as the constant that leaves more than 20 % for people and
//! deployments up to a thousand supervisors (`tests/it/budget.rs`).

use super::notice::{AccountNotice, Notice};
use super::time::Duration;
use super::turn::Turn;

/// Requests an hour (`RateLimit-Remaining` counts down from here).
pub const ACCOUNT: u32 = 4500;
/// No poll is stretched beyond this, or beyond its interval: a change comes late, not never.
const STRETCHED_MAX: Duration = Duration::from_secs(900);
/// How steeply the pace slows down once half of the account is used.
const STEEPNESS: f64 = 13.0;
/// With less than this left there are no bursts. A burst is cut short by what the others of a fleet
/// have asked at the same time, each one request late: so this lies far above the reserve.
const BURSTS_FROM: u32 = ACCOUNT / 5 * 2;
/// A pace so much slower than it should be is told.
const SLOW: u32 = 2;

/// What the last answer said of the account.
#[derive(Debug)]
pub(super) enum Budget {
    /// None has said anything yet.
    Unknown,
    /// Enough for the pace that was asked for, or nearly.
    Ample { left: u32 },
    /// Polls are rarer than was asked for, and that was told.
    Scarce { left: u32 },
}

impl Budget {
    /// An answer came, and said that so many requests are left.
    pub(super) fn hear(&mut self, turn: &mut Turn<'_>, left: u32, interval: Duration) {
        let stretched = stretched(interval, left);
        *self = match self {
            Self::Unknown | Self::Ample { .. } if stretched >= interval * SLOW => {
                let scarce = AccountNotice::Scarce { left, stretched };
                turn.announce(Notice::Account(scarce));
                Self::Scarce { left }
            }
            Self::Scarce { .. } if stretched == interval => {
                let ample = AccountNotice::Ample { left, interval };
                turn.announce(Notice::Account(ample));
                Self::Ample { left }
            }
            Self::Unknown | Self::Ample { .. } => Self::Ample { left },
            Self::Scarce { .. } => Self::Scarce { left },
        };
    }

    /// The time between two polls.
    pub(super) fn pause(&self, interval: Duration) -> Duration {
        self.left()
            .map_or(interval, |left| stretched(interval, left))
    }

    /// Whether there may be several requests in quick succession.
    pub(super) fn affords_bursts(&self) -> bool {
        self.left().is_none_or(|left| left >= BURSTS_FROM)
    }

    pub(super) fn left(&self) -> Option<u32> {
        match self {
            Self::Unknown => None,
            Self::Ample { left } | Self::Scarce { left } => Some(*left),
        }
    }
}

/// The law.
fn stretched(interval: Duration, left: u32) -> Duration {
    let used = 0.5 - f64::from(left) / f64::from(ACCOUNT);
    let longest = STRETCHED_MAX.max(interval);
    interval
        .mul_f64((STEEPNESS * used.max(0.0)).exp())
        .min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pace_slows_down_once_half_of_the_account_is_used() {
        let minute = Duration::from_secs(60);
        for (left, seconds) in [
            (ACCOUNT, 60),
            (2250, 60),
            (1800, 220),
            (1350, 807),
            (900, 900),
            (0, 900),
            (9000, 60),
        ] {
            assert_eq!(stretched(minute, left).as_secs(), seconds, "{left}");
        }
        let rare = Duration::from_secs(1800);
        assert_eq!(stretched(rare, 0), rare);
    }
}
