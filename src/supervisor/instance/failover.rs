//! Whether a child still has what it should: the values, and the server that was behind them.

use std::sync::Arc;

use crate::credential::Values;
use crate::supervisor::id::Revision;
use crate::supervisor::time::Time;

use super::Instance;

impl Instance {
    /// Whether it runs with these values, and with the server that they have led to since.
    pub(in crate::supervisor) fn suits(&self, values: &Values) -> bool {
        *self.values == *values && self.failed_over.is_none()
    }

    /// Another server answers behind its unchanged URL: its own connections lead nowhere.
    pub(in crate::supervisor) fn fail_over(&mut self, now: Time) {
        self.failed_over.get_or_insert(now);
    }

    /// When that was proven.
    pub(in crate::supervisor) fn failed_over(&self) -> Option<Time> {
        self.failed_over
    }

    /// It was told of these values, and connects anew by itself.
    pub(in crate::supervisor) fn told_of(&mut self, revision: Revision, values: Arc<Values>) {
        (self.revision, self.values) = (revision, values);
        self.failed_over = None;
    }
}
