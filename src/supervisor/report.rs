//! What a service manager is told (systemd's `Type=notify`): that the start takes longer, that the
//! child serves, and that everything ends. A restart is none of its business: for a manager that
//! hears `STOPPING=1` the whole service ends.

use super::action::{Action, Report};
use super::config::ServiceManager;
use super::instance::Startup;
use super::phase::Phase;
use super::time::{Duration, Time};
use super::turn::Turn;

/// What was said of the start holds this much longer than what it waits for: the answer takes a
/// moment.
const MARGIN: Duration = Duration::from_secs(10);

/// How far the service is, as the manager knows it.
#[derive(Debug)]
pub(super) enum Reports {
    /// It starts. The wait that the manager was told of ends then.
    Starting { told: Option<Time> },
    /// It serves, or it served once: what became of its child since is our business.
    Served,
    /// It ends.
    Stopping,
}

impl Reports {
    pub(super) fn new() -> Self {
        Self::Starting { told: None }
    }

    /// Tells what has changed. `waits_until`: when the service does something by itself.
    pub(super) fn settle(&mut self, turn: &mut Turn<'_>, phase: &Phase, waits_until: Option<Time>) {
        if turn.config.manager == ServiceManager::None {
            return;
        }
        match self {
            Self::Stopping => {}
            Self::Starting { .. } | Self::Served if phase.is_ending() => {
                turn.act(Action::Report(Report::Stopping));
                *self = Self::Stopping;
            }
            Self::Starting { .. } if serves(phase) => {
                turn.act(Action::Report(Report::Ready));
                *self = Self::Served;
            }
            Self::Starting { told } => {
                if let Some(until) = waits_until.filter(|until| Some(*until) > *told) {
                    let by = until.since(turn.now) + MARGIN;
                    turn.act(Action::Report(Report::StartTakes(by)));
                    *told = Some(until);
                }
            }
            Self::Served => {}
        }
    }
}

/// A child lives that is ready, or of which nobody asks whether it is.
fn serves(phase: &Phase) -> bool {
    let startup = phase.untouched().and_then(|child| child.startup());
    startup.is_some_and(|startup| match startup {
        Startup::Unasked | Startup::Ready { .. } => true,
        Startup::Awaited { .. } | Startup::Overdue(_) => false,
    })
}
