//! WHEN to fetch for a webhook: three times, because what it tells of may not be there to be seen
//! yet; and however many come, no such series begins sooner than 10 s after the last.

use super::time::{Duration, Time};

/// When Heroku is asked again after the first fetch of a series.
const AGAIN: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(30)];
/// No series begins sooner after the last one.
const PAUSE: Duration = Duration::from_secs(10);

/// The fetches that webhooks ask for.
#[derive(Debug)]
pub(super) enum Series {
    /// No webhook came yet.
    None,
    /// The newest series.
    Begun {
        since: Time,
        /// When the newest webhook came. A webhook after the first fetch is answered by a series of
        /// its own, and so are all that come meanwhile.
        heard: Time,
        /// The fetches that are still to come, counted from `since`.
        again: &'static [Duration],
    },
}

/// What a webhook, or the time, means for the next fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// The first of a series.
    First,
    /// One more, if the account can afford it.
    Again,
}

impl Series {
    /// A webhook came.
    pub(super) fn on_webhook(&mut self, now: Time) -> Due {
        match self {
            Self::None => self.begin(now),
            Self::Begun { heard, .. } => {
                *heard = now;
                self.on_deadline(now)
            }
        }
    }

    /// Nothing more is asked.
    pub(super) fn forget(&mut self) {
        *self = Self::None;
    }

    /// When the next fetch is due.
    pub(super) fn deadline(&self) -> Option<Time> {
        let Self::Begun { since, again, .. } = self else {
            return None;
        };
        let next = again.first().map(|after| *since + *after);
        self.renewed_at().into_iter().chain(next).min()
    }

    /// When another series begins, because of a webhook that came after this one's first fetch.
    pub(super) fn renewed_at(&self) -> Option<Time> {
        match self {
            Self::Begun { since, heard, .. } => (heard > since).then(|| *since + PAUSE),
            Self::None => None,
        }
    }

    /// What is due by now.
    pub(super) fn on_deadline(&mut self, now: Time) -> Due {
        match self {
            Self::Begun { since, heard, .. } if *heard > *since && now >= *since + PAUSE => {
                self.begin(now)
            }
            Self::Begun { since, again, .. } => {
                let later = again.partition_point(|after| *since + *after <= now);
                let due = later > 0;
                *again = &again[later..];
                if due { Due::Again } else { Due::Nothing }
            }
            Self::None => Due::Nothing,
        }
    }

    fn begin(&mut self, now: Time) -> Due {
        *self = Self::Begun {
            since: now,
            heard: now,
            again: &AGAIN,
        };
        Due::First
    }
}
