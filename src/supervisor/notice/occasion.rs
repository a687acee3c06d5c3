//! Which facts are worth running a person's program for (`--hook`).

use super::{FallbackNotice, Notice, StartedFor, ValueNotice};

/// What a hook is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// A change is proven.
    Change,
    /// Another program took the place of one before.
    Restart,
    /// Something went wrong, and somebody may have to mend it.
    Failure,
    /// It is over.
    Recovery,
}

impl Occasion {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Restart => "restart",
            Self::Failure => "failure",
            Self::Recovery => "recovery",
        }
    }
}

impl StartedFor {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Change => "change",
            Self::Failover => "failover",
            Self::OwnEnd => "own_end",
            Self::Asked => "asked",
        }
    }
}

impl Notice {
    /// What a hook is run for; `None`: for nothing.
    #[must_use]
    #[rustfmt::skip] // A table.
    pub fn occasion(&self) -> Option<Occasion> {
        match self {
            Self::Changed { .. } => Some(Occasion::Change),
            Self::Started { cause: StartedFor::First, .. } => None,
            Self::Started { .. } => Some(Occasion::Restart),
            Self::TookOver { .. } | Self::TookOverEarly { .. } | Self::ChangeSignalled { .. } =>
                Some(Occasion::Restart),
            Self::Ended { stopping: None, .. } | Self::Hung { .. } | Self::StartFailed { .. }
            | Self::NotReady { .. } | Self::RolledBack { .. } | Self::ChangeHeld(_)
            | Self::AwaitingCredential { .. } | Self::CredentialNeverCame { .. }
            | Self::RestartLimit { .. } | Self::FetchFailing { .. } | Self::StartGaveUp { .. }
            | Self::SweepFailed { .. } | Self::Value(ValueNotice::Bad { .. })
            | Self::Fallback(FallbackNotice::OnInherited { .. } | FallbackNotice::OnCached { .. }
                | FallbackNotice::CacheUnusable { .. } | FallbackNotice::CacheUnwritable { .. }) =>
                Some(Occasion::Failure),
            Self::FetchRecovered { .. } | Self::CredentialWorks
            | Self::Value(ValueNotice::Good { .. })
            | Self::Fallback(FallbackNotice::Over { .. } | FallbackNotice::CacheWritten) =>
                Some(Occasion::Recovery),
            Self::StartedBeside { .. } | Self::Ready { .. } | Self::Unheard { .. }
            | Self::Superseded { .. } | Self::ChildStatus { .. } | Self::Replaced { .. }
            | Self::Settling { .. } | Self::ChangeWithdrawn | Self::HeldChangeWithdrawn
            | Self::HeldChangeGone
            | Self::Splay { .. } | Self::SignalWaits { .. } | Self::Stopping { .. }
            | Self::Killing { .. } | Self::Sweeping { .. } | Self::WentToBackground { .. }
            | Self::StillAlive { .. } | Self::Ended { stopping: Some(_), .. }
            | Self::Restarting { .. } | Self::NothingFound { .. } | Self::Asking { .. }
            | Self::FetchSpared
            | Self::LoginTried { .. } | Self::KeptOut { .. } | Self::FetchStillFailing { .. }
            | Self::Connection(_) | Self::Account(_) | Self::Value(ValueNotice::StillBad { .. })
            | Self::Fallback(FallbackNotice::Lasts { .. }) | Self::SignalDropped { .. }
            | Self::Commanded { .. } | Self::Hold(_) | Self::StopRequested { .. }
            | Self::KillRequested | Self::ExitForChange | Self::FailoverWaits { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// They are labels of a metric, which people have in their queries.
    #[test]
    fn the_reasons_of_a_start_keep_their_names() {
        let names = [
            (StartedFor::First, "first"),
            (StartedFor::Change, "change"),
            (StartedFor::Failover, "failover"),
            (StartedFor::OwnEnd, "own_end"),
            (StartedFor::Asked, "asked"),
        ];
        for (cause, name) in names {
            assert_eq!(cause.name(), name);
        }
    }
}
