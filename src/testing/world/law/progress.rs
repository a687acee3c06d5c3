//! Nothing that could be done is left undone.

use crate::supervisor::time::Time;
use crate::testing::world::bounds::SLACK;

use super::env_file::File;
use super::{Launch, Law};

impl Law {
    /// Nothing that could be done now is left undone.
    pub(super) fn check_progress(&self, now: Time) -> Result<(), String> {
        let Some(proven) = self.ledger.proven() else {
            return Ok(());
        };
        let idle = |what: &str| Err(format!("nothing is done about {what}"));
        match (&self.launch, &self.child) {
            (Launch::Preparing(planned) | Launch::Prepared(planned), _)
                if planned.values != proven =>
            {
                idle("a newer revision than the one that is prepared")
            }
            (Launch::Preparing(_) | Launch::Spawning(_), _) => Ok(()),
            (Launch::Prepared(_), Some(child)) if child.gone.is_none() && !child.lives() => Ok(()),
            (Launch::Prepared(_), Some(child)) if child.lives() && child.is_told() => Ok(()),
            (Launch::Prepared(_), Some(child)) if child.lives() && self.beside.is_there() => Ok(()),
            (Launch::Prepared(_), Some(child)) if self.waits_to_tell(child, now) => Ok(()),
            (Launch::Prepared(_), _) => idle("a child that is prepared"),
            (Launch::Failed { at, longest, .. }, child) => {
                let from = child
                    .as_ref()
                    .and_then(|child| child.gone)
                    .map_or(*at, |gone| gone.max(*at));
                let waits = child
                    .as_ref()
                    .is_some_and(|child| child.is_told() && child.gone.is_none());
                if waits
                    || self.holds()
                    || self.is_spared_by_now(now)
                    || now <= from + *longest + SLACK
                {
                    Ok(())
                } else {
                    idle("a start that failed")
                }
            }
            (Launch::None, None) => idle("the first child"),
            (Launch::None, Some(child)) if child.lives() => {
                let filed =
                    matches!(self.env_file, File::None) || self.env_file == File::Holds(proven);
                let content = child.suits(proven) && filed
                    || self.beside.newcomes_with() == Some(proven)
                    || self.is_spared_by_now(now)
                    || self.failover_waits(now)
                    || self.holds()
                    || self.waits_to_tell(child, now);
                if (content && !child.is_told()) || child.aborted().is_some() {
                    Ok(())
                } else {
                    idle("a change")
                }
            }
            (Launch::None, Some(_)) if self.inquiry.is_open() || self.crashes.waits(now) => Ok(()),
            (Launch::None, Some(_)) => idle("a child that ended"),
        }
    }
}
