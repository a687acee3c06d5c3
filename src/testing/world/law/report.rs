//! What the service manager is told: each thing once and in its order, in time, and never that
//! everything ends while it does not.

use crate::supervisor::action::Report;
use crate::supervisor::config::ServiceManager;
use crate::supervisor::time::Time;

use super::{Launch, Law};

/// What it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// "The start may take this much longer": until then.
    Starting(Option<Time>),
    Ready,
    Stopping,
}

impl Law {
    pub(super) fn reports(&mut self, now: Time, report: Report) -> Result<(), String> {
        if self.config.manager == ServiceManager::None {
            return Err("a service manager is told, and there is none".to_owned());
        }
        let told = match (self.told, report) {
            (Told::Starting(before), Report::StartTakes(by)) if Some(now + by) > before => {
                Told::Starting(Some(now + by))
            }
            (Told::Starting(_), Report::Ready) if self.serves_now() => Told::Ready,
            (Told::Starting(_) | Told::Ready, Report::Stopping) if self.end.is_some() => {
                Told::Stopping
            }
            (Told::Starting(_) | Told::Ready | Told::Stopping, _) => {
                return Err(format!(
                    "the manager hears {report:?} after {:?}",
                    self.told
                ));
            }
        };
        self.told = told;
        Ok(())
    }

    /// Whether the core lets time pass before it goes on: neither a child's late readiness nor a
    /// slow disk has an end that it could tell.
    fn waits_by_itself(&self) -> bool {
        self.healthy().is_none() && matches!(self.launch, Launch::None | Launch::Failed { .. })
    }

    /// After a step: nothing that the manager waits for is kept from it.
    pub(super) fn check_reports(&self, now: Time) -> Result<(), String> {
        if self.config.manager == ServiceManager::None {
            return Ok(());
        }
        match self.told {
            Told::Starting(_) | Told::Ready if self.end.is_some() => {
                Err("everything ends, and the manager does not know".to_owned())
            }
            Told::Starting(_) if self.serves_now() => {
                Err("a child serves, and the manager does not know".to_owned())
            }
            Told::Starting(Some(until)) if until < now && self.waits_by_itself() => {
                Err(format!("the manager was told to wait until {until} only"))
            }
            Told::Starting(None) => Err("the manager was told nothing".to_owned()),
            Told::Starting(Some(_)) | Told::Ready | Told::Stopping => Ok(()),
        }
    }
}
