//! What is known of a process, for whoever looks.

use crate::supervisor::overview::{ChildOverview, ReadinessOverview};

use super::{Instance, Startup};

impl Instance {
    pub(in crate::supervisor) fn overview(&self) -> ChildOverview {
        ChildOverview {
            child: self.child(),
            started: self.started,
            readiness: match self.startup() {
                None => ReadinessOverview::Ending,
                Some(Startup::Unasked | Startup::Ready { .. }) => ReadinessOverview::Serving,
                Some(Startup::Awaited { .. }) => ReadinessOverview::Starting,
                Some(Startup::Overdue(_)) => ReadinessOverview::Late,
            },
        }
    }
}
