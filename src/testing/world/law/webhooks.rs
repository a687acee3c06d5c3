//! Which requests webhooks ask for, and how many at most.

use crate::supervisor::time::Time;
use crate::testing::world::bounds::{WEBHOOK, WEBHOOK_PAUSE};

use super::requests::Requests;

/// The webhooks of one supervisor, and the newest series of requests for them.
#[derive(Debug)]
pub(super) enum Webhooks {
    None,
    Series {
        since: Time,
        /// Requests that have fallen due after the first.
        later: usize,
        /// When one last did that an account with little left would not have been asked.
        fell_due: Option<Time>,
        /// Another webhook came, which the first request does not answer.
        renewed: Option<Time>,
    },
}

impl Requests {
    /// A webhook begins a series, or, too soon after the last one, has to wait for its own.
    pub(super) fn webhook(&mut self, now: Time) {
        match &mut self.webhooks {
            Webhooks::Series { since, renewed, .. } if now < *since + WEBHOOK_PAUSE => {
                if now > *since {
                    *renewed = Some(now);
                }
            }
            Webhooks::None | Webhooks::Series { .. } => self.begin_series(now),
        }
    }

    /// What falls due by now.
    pub(super) fn webhooks_due(&mut self, now: Time) {
        let Webhooks::Series {
            since,
            later,
            fell_due,
            renewed,
        } = &mut self.webhooks
        else {
            return;
        };
        if renewed.is_some() && now >= *since + WEBHOOK_PAUSE {
            self.begin_series(now);
            return;
        }
        let due = WEBHOOK.iter().filter(|after| now >= *since + **after);
        let (before, due) = (*later, due.count());
        *later = due;
        if due > before {
            *fell_due = Some(now);
            if self.affords_bursts() {
                self.evidence_now(now);
            }
        }
    }

    /// Whether a later request of a series fell due in this very moment.
    pub(super) fn later_falls_due(&self, now: Time) -> bool {
        matches!(self.webhooks, Webhooks::Series { fell_due, .. } if fell_due == Some(now))
    }

    fn begin_series(&mut self, now: Time) {
        self.webhooks = Webhooks::Series {
            since: now,
            later: 0,
            fell_due: None,
            renewed: None,
        };
        self.evidence_now(now);
    }
}
