//! The env file: what it holds is what the child would find if it looked, and it does not outlive
//! the supervisor.

use crate::supervisor::config::{EnvFile, OnChange};
use crate::supervisor::event::SpawnError;
use crate::supervisor::time::Time;
use crate::testing::world::values::Values;

use super::child::Child;
use super::inquiry::Inquiry;
use super::{Launch, Law, Planned};

/// What the env file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum File {
    /// There is none.
    None,
    /// It is being written, or could not be.
    Doubtful,
    Holds(Values),
}

impl File {
    /// A write that ended well.
    pub(super) fn written(self, values: Values) -> Self {
        match self {
            Self::None => Self::None,
            Self::Doubtful | Self::Holds(_) => Self::Holds(values),
        }
    }
}

impl Law {
    /// The env file is written, and the child can be started. One that has these values already
    /// needs no successor.
    pub(super) fn prepared(&mut self, planned: Planned) {
        self.env_file = self.env_file.written(planned.values);
        self.dooms(planned.values);
        let has_them = |child: &Child| child.suits(planned.values);
        self.launch = if self.serving().is_some_and(has_them) {
            Launch::None
        } else {
            Launch::Prepared(planned)
        };
    }

    /// A preparation begins.
    pub(super) fn begin_to_prepare(&mut self, values: Values) {
        self.inquiry = Inquiry::None;
        self.dooms(values);
        if self.config.env_file == EnvFile::Kept {
            self.env_file = File::Doubtful;
        }
    }

    /// Whether a failed preparation is as good as one that ended well: the file is written, and the
    /// child, which is only told of changes or has these values already, needs no successor.
    pub(super) fn needs_no_start(&mut self, planned: Planned, error: &SpawnError) -> bool {
        let preparing = matches!(self.launch, Launch::Preparing(_));
        if !preparing || matches!(error, SpawnError::Unwritable { .. }) {
            return false;
        }
        self.env_file = self.env_file.written(planned.values);
        let restarts = self.config.on_change == OnChange::Restart;
        let needs_it = |child: &Child| {
            let restarts = restarts || child.aborted().is_some() || child.asked_for.is_some();
            restarts && !child.suits(planned.values)
        };
        self.serving().is_some_and(|child| !needs_it(child))
    }

    /// Whether something may be prepared while this child lives: for a change, or because its env
    /// file holds something else by now.
    pub(super) fn may_prepare(&self, child: &Child, proven: Values, now: Time) -> bool {
        let kept = self.config.env_file == EnvFile::Kept;
        let interrupted = self.is_interrupted(child, now);
        if child.suits(proven) {
            let put_off = interrupted || self.was_spared(child) || self.held_since.is_some();
            return kept && (self.env_file != File::Holds(proven) || put_off);
        }
        match self.config.on_change {
            _ if self.holds() => false,
            _ if child.asked_for.is_some() => true,
            OnChange::Restart => true,
            OnChange::Signal(_) => kept,
            OnChange::Exit => false,
        }
    }

    /// Whether a child may be told of a change: with an env file, not before that holds it.
    pub(super) fn may_tell(&self, now: Time) -> Result<(), String> {
        if self.holds() {
            return Err("a child is told of a change that a person holds back".to_owned());
        }
        if self.is_spared(now) {
            return Err("a person has just interrupted the child that is told".to_owned());
        }
        let ready = match (self.config.env_file, self.launch) {
            (EnvFile::None, _) => true,
            (EnvFile::Kept, Launch::Prepared(planned)) => {
                Some(planned.values) == self.ledger.proven()
            }
            (EnvFile::Kept, _) => false,
        };
        if ready {
            Ok(())
        } else {
            Err("a child is told of a change that its env file does not hold".to_owned())
        }
    }

    /// The very last thing: a child may read it until then.
    pub(super) fn removes_env_file(&mut self) -> Result<(), String> {
        let lives = self
            .child
            .as_ref()
            .is_some_and(|child| child.gone.is_none());
        if self.config.env_file == EnvFile::None || self.end.is_none() || lives {
            return Err("an env file is removed that is none, or still wanted".to_owned());
        }
        self.env_file = File::None;
        Ok(())
    }
}
