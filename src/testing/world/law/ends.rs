//! What a child's own end means.

use crate::supervisor::config::{CheckLogin, Watching};
use crate::supervisor::event::{Ended, Leftovers};
use crate::supervisor::id::InstanceId;
use crate::supervisor::time::Time;
use crate::testing::world::bounds::INQUIRY;
use crate::testing::world::values::Values;

use super::end::Why;
use super::inquiry::{Inquiry, Owed};
use super::{Launch, Law};

impl Law {
    pub(super) fn exited(&mut self, now: Time, instance: InstanceId, how: Ended, left: Leftovers) {
        if self.exited_beside(now, instance, how, left) {
            return;
        }
        self.overrules(now, instance);
        let (policy, grace) = (self.config.leftovers, self.config.stop.timeout());
        let Some(child) = self.child_mut(instance).filter(|child| child.lives()) else {
            return;
        };
        let interrupted = child.interrupted.is_some_and(|at| now <= at + grace);
        let told = child.is_dismissed();
        child.exited(now, how, left, policy);
        let (values, hung) = (child.values, child.aborted().is_some());
        if self.end.is_some() {
            return;
        }
        if told || self.succeeded(now, interrupted) {
            return;
        }
        match (self.crashes.is_success(how), self.crashes.follows(how)) {
            _ if interrupted => self.begin_end(now, Why::ChildsOwn),
            _ if hung => self.failed(now, values, how),
            (true, false) => self.begin_end(now, Why::ChildsOwn),
            (true, true) => self.ended_well(),
            (false, _) => self.failed(now, values, how),
        }
    }

    /// The child did its work, and is to do it again: on a new revision at once.
    fn ended_well(&mut self) {
        self.adopts = self.ledger.drop_guard();
        (self.launch, self.put_off) = (Launch::None, None);
        if self.suits_proven() {
            self.crashes.is_due();
        }
    }

    /// Nothing explains the child's end but itself: `--restart` decides.
    pub(super) fn unexplained(&mut self, now: Time, how: Ended) {
        self.inquiry = Inquiry::None;
        if self.is_followed(how) {
            self.crashes.is_due();
        } else {
            self.begin_end(now, Why::ChildsOwn);
        }
    }

    /// The child failed by itself.
    pub(super) fn failed(&mut self, now: Time, values: Values, how: Ended) {
        self.adopts = self.ledger.drop_guard();
        (self.launch, self.put_off) = (Launch::None, None);
        if !self.suits_proven() {
            return;
        }
        if self.config.watching == Watching::Once {
            self.unexplained(now, how);
        } else {
            let spared = !self.is_off() && self.requests.failed_end(now);
            let tries = self.config.check_login != CheckLogin::Never && values[0].is_some();
            let owed = if tries { Owed::Login } else { Owed::Nothing };
            self.inquiry = Inquiry::open(now, now + INQUIRY, owed, spared);
        }
    }
}
