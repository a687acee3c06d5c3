//! What people are told of webhooks: how many come is other people's doing, and fills no log.

use std::future::pending;

use tokio::sync::mpsc;

use crate::heroku::webhook::{Delivery, Receiver};
use crate::supervisor::time::{Duration, Time};

/// When so many wait to be looked at, whoever brings another waits, too.
const DELIVERIES_MAX: usize = 16;
/// Webhooks that are not to be trusted are told of no more often, for each reason.
const PAUSE: Duration = Duration::from_secs(60);

/// What came of webhooks.
pub(super) struct Webhooks {
    deliveries: Option<mpsc::Receiver<Delivery>>,
    unsigned_at: Option<Time>,
    undecided_at: Option<Time>,
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Somebody should know.
    Warning(String),
    /// Only `-v` tells it.
    Detail(String),
}

impl Webhooks {
    /// Lets the receiver begin, if there is one. Needs the event loop.
    pub(super) fn begin(receiver: Option<Receiver>) -> Self {
        let deliveries = receiver.map(|receiver| {
            let (sender, deliveries) = mpsc::channel(DELIVERIES_MAX);
            tokio::spawn(receiver.serve(sender));
            deliveries
        });
        Self {
            deliveries,
            unsigned_at: None,
            undecided_at: None,
        }
    }

    /// What comes next.
    pub(super) async fn next(&mut self) -> Delivery {
        match &mut self.deliveries {
            Some(deliveries) => match deliveries.recv().await {
                Some(delivery) => delivery,
                None => pending().await,
            },
            None => pending().await,
        }
    }

    /// What people are told of it.
    pub(super) fn line(&mut self, now: Time, delivery: &Delivery) -> Line {
        let (line, warned_at) = match delivery {
            Delivery::Valid => return Line::Detail("a webhook came".to_owned()),
            Delivery::Other(code) => {
                let line = format!("a request that is no webhook came: answered {code}");
                return Line::Detail(line);
            }
            Delivery::Unsigned(why) => {
                let line = format!(
                    "a webhook {why} and was refused, so either it is not Heroku's or changes may be seen only by \
                     polling: compare the secret in --webhook-secret-file with the one that the webhook was added with"
                );
                (line, &mut self.unsigned_at)
            }
            Delivery::Undecided(why) => {
                let line = format!("a webhook was refused: {why}");
                (line, &mut self.undecided_at)
            }
        };
        if warned_at.is_some_and(|at| now < at + PAUSE) {
            return Line::Detail(line);
        }
        *warned_at = Some(now);
        Line::Warning(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_trusted_is_told_once_a_minute_for_each_reason() {
        let mut webhooks = Webhooks::begin(None);
        let mut is_warned = |seconds, delivery: &Delivery| {
            let now = Time::ZERO + Duration::from_secs(seconds);
            matches!(webhooks.line(now, delivery), Line::Warning(_))
        };
        let unsigned = Delivery::Unsigned("has no signature");
        let undecided = Delivery::Undecided("the file is gone".to_owned());
        assert!(!is_warned(0, &Delivery::Valid));
        assert!(!is_warned(0, &Delivery::Other(404)));
        assert!(is_warned(1, &unsigned));
        assert!(!is_warned(1, &unsigned));
        assert!(is_warned(2, &undecided));
        assert!(!is_warned(60, &unsigned));
        assert!(is_warned(61, &unsigned));
        assert!(!is_warned(61, &undecided));
        assert!(is_warned(62, &undecided));
        assert!(!is_warned(62, &Delivery::Valid));
    }
}
