//! What is known of Heroku's answers, for whoever looks.

use crate::supervisor::config::{Config, Watching};
use crate::supervisor::overview::ApiOverview;

use super::{State, Watch};

impl Watch {
    pub(in crate::supervisor) fn overview(&self, config: &Config) -> ApiOverview {
        let pace = match (&self.state, config.watching) {
            (State::Off, _) | (_, Watching::Once) => None,
            (
                State::Waiting { .. } | State::Fetching { .. } | State::Superseded { .. },
                Watching::Every(interval),
            ) => Some(self.budget.pause(interval)),
        };
        ApiOverview {
            good_at: self.latest.as_ref().map(|latest| latest.at),
            next: match self.state {
                State::Waiting { .. } => self.deadline(),
                State::Off | State::Fetching { .. } | State::Superseded { .. } => None,
            },
            pace,
            left: self.budget.left(),
            failing: self.api.failing(),
            token: self.token,
        }
    }
}
