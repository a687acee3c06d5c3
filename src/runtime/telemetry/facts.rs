//! A notice as a machine reads it: a name and fields that stay the same whatever the words become.
//! JSON logs and hooks have them.

use serde_json::{Map, Value, json};

use crate::credential::Kind;
use crate::supervisor::event::{Ended, FetchFailure};
use crate::supervisor::notice::{
    AccountNotice, Child, ConnectionFact, FallbackNotice, HoldNotice, Notice, Splay, ValueNotice,
};
use crate::supervisor::time::Duration;

/// No fact names more variables.
const VARIABLES_MAX: usize = 100;

/// The name of the fact, as `event`, and what else it has.
#[must_use]
pub(super) fn facts(notice: &Notice) -> Map<String, Value> {
    let mut facts = Map::new();
    facts.insert("event".to_owned(), name(notice).into());
    for (name, value) in fields(notice) {
        facts.insert(name.to_owned(), value);
    }
    facts
}

/// A table: one line per fact.
#[rustfmt::skip]
fn name(notice: &Notice) -> &'static str {
    match notice {
        Notice::Started { .. } | Notice::StartedBeside { .. } => "started",
        Notice::Ready { .. } => "ready",
        Notice::NotReady { .. } => "not_ready",
        Notice::Unheard { .. } => "unheard",
        Notice::TookOver { .. } | Notice::TookOverEarly { .. } => "took_over",
        Notice::RolledBack { .. } => "rolled_back",
        Notice::Superseded { .. } => "superseded",
        Notice::ChildStatus { .. } => "child_status",
        Notice::Hung { .. } => "hung",
        Notice::StartFailed { .. } => "start_failed",
        Notice::Replaced { .. } => "variables_replaced",
        Notice::KeptOut { .. } => "variables_kept_out",
        Notice::Settling { .. } => "change_seen",
        Notice::ChangeWithdrawn | Notice::HeldChangeWithdrawn | Notice::HeldChangeGone => {
            "change_withdrawn"
        }
        Notice::Changed { .. } => "changed",
        Notice::ChangeHeld(_) => "change_waits_for_login",
        Notice::Splay { splay, .. } => match splay {
            Splay::Begins(_) => "change_waits_for_splay",
            Splay::CutShort(_) => "splay_cut_short",
        },
        Notice::SignalWaits { .. } => "signal_waits",
        Notice::ChangeSignalled { .. } => "change_signalled",
        Notice::Stopping { .. } => "stopping",
        Notice::Killing { .. } => "killing",
        Notice::Sweeping { .. } | Notice::WentToBackground { .. } => "sweeping",
        Notice::StillAlive { .. } => "still_alive",
        Notice::SweepFailed { .. } => "sweep_failed",
        Notice::Ended { .. } => "ended",
        Notice::Restarting { .. } => "restarting",
        Notice::RestartLimit { .. } => "restart_limit",
        Notice::NothingFound { .. } => "nothing_found",
        Notice::Asking { .. } => "asking",
        Notice::FetchSpared => "fetch_spared",
        Notice::LoginTried { .. } => "login_tried",
        Notice::AwaitingCredential { .. } => "awaiting_credential",
        Notice::CredentialWorks => "credential_works",
        Notice::CredentialNeverCame { .. } => "credential_never_came",
        Notice::FetchFailing { .. } | Notice::FetchStillFailing { .. } => "heroku_failing",
        Notice::FetchRecovered { .. } => "heroku_recovered",
        Notice::Connection(notice) => connection(&notice.fact),
        Notice::Account(AccountNotice::Scarce { .. }) => "account_scarce",
        Notice::Account(AccountNotice::Ample { .. }) => "account_ample",
        Notice::Value(ValueNotice::Bad { .. } | ValueNotice::StillBad { .. }) => "value_unusable",
        Notice::Value(ValueNotice::Good { .. }) => "value_usable",
        Notice::StartGaveUp { .. } => "start_gave_up",
        Notice::Fallback(notice) => fallback(notice),
        Notice::SignalDropped { .. } => "signal_dropped",
        Notice::Commanded { .. } => "commanded",
        Notice::Hold(HoldNotice::Waits { .. }) => "held",
        Notice::Hold(HoldNotice::NothingToProtect { .. } | HoldNotice::Ended { .. }) => "hold_overruled",
        Notice::FailoverWaits { .. } => "failover_waits",
        Notice::StopRequested { .. } => "stop_requested",
        Notice::KillRequested => "kill_requested",
        Notice::ExitForChange => "exit_for_change",
    }
}

fn connection(fact: &ConnectionFact) -> &'static str {
    match fact {
        ConnectionFact::Lost { .. } => "connection_lost",
        ConnectionFact::NotMade { .. } => "connection_not_made",
        ConnectionFact::Back { .. } => "connection_back",
        ConnectionFact::ReadOnly => "connection_read_only",
        ConnectionFact::FailedOver { .. } => "failed_over",
    }
}

fn fallback(notice: &FallbackNotice) -> &'static str {
    match notice {
        FallbackNotice::OnInherited { .. } | FallbackNotice::OnCached { .. } => "fallback_begun",
        FallbackNotice::Lasts { .. } => "fallback_lasts",
        FallbackNotice::Over { .. } => "fallback_over",
        FallbackNotice::CacheUnusable { .. } => "cache_unusable",
        FallbackNotice::CacheUnwritable { .. } => "cache_unwritable",
        FallbackNotice::CacheWritten => "cache_written",
    }
}

type Fields = Vec<(&'static str, Value)>;

/// What a reader would count, compare or alert on.
fn fields(notice: &Notice) -> Fields {
    if let Notice::Started {
        child,
        cause,
        dead_time,
        change,
    } = notice
    {
        let mut fields = of_child(*child);
        fields.push(("cause", cause.name().into()));
        fields.extend(dead_time.map(|time| ("dead_time_ms", ms(time))));
        fields.extend(change.map(|time| ("change_ms", ms(time))));
        fields
    } else if let Notice::StartedBeside { child, cause, .. } = notice {
        let mut fields = of_child(*child);
        fields.push(("cause", cause.name().into()));
        fields
    } else if let Notice::Ended {
        child,
        ended,
        lived,
        ..
    } = notice
    {
        let mut fields = of_child(*child);
        fields.push(match ended {
            Ended::Code(code) => ("exit_code", json!(code)),
            Ended::Signal(signal) => ("signal", signal.to_string().into()),
        });
        fields.push(("lived_ms", ms(*lived)));
        fields
    } else if let Notice::Changed {
        changed, from, to, ..
    } = notice
    {
        let revisions = [("from", json!(from.0)), ("revision", json!(to.0))];
        [kinds(changed), revisions.to_vec()].concat()
    } else if let Notice::Settling { changed, .. } | Notice::Splay { changed, .. } = notice {
        kinds(changed)
    } else {
        of_processes(notice).unwrap_or_else(|| of_heroku(notice))
    }
}

/// Those of which a process is all that there is to say.
fn of_processes(notice: &Notice) -> Option<Fields> {
    if let Notice::Ready { child, after } = notice {
        let mut fields = of_child(*child);
        fields.push(("after_ms", ms(*after)));
        Some(fields)
    } else if let Notice::TookOver { child, .. }
    | Notice::TookOverEarly { child }
    | Notice::NotReady { child, .. }
    | Notice::RolledBack { child, .. }
    | Notice::Superseded { child }
    | Notice::ChangeSignalled { child, .. }
    | Notice::Hung { child, .. } = notice
    {
        Some(of_child(*child))
    } else if let Notice::Stopping { pid, .. }
    | Notice::Killing { pid, .. }
    | Notice::Sweeping { pid }
    | Notice::SweepFailed { pid }
    | Notice::StillAlive { pid, .. } = notice
    {
        Some(vec![("pid", json!(pid))])
    } else {
        None
    }
}

fn of_heroku(notice: &Notice) -> Fields {
    let failing = |failure: &FetchFailure| ("error", Value::from(failure.detail.as_str()));
    if let Notice::FetchFailing { failure, .. } = notice {
        vec![failing(failure), ("requests", json!(1))]
    } else if let Notice::FetchStillFailing {
        failure,
        lasted,
        attempts,
        ..
    } = notice
    {
        let more = [("requests", json!(attempts)), ("lasted_ms", ms(*lasted))];
        [vec![failing(failure)], more.to_vec()].concat()
    } else if let Notice::FetchRecovered { lasted, attempts } = notice {
        vec![("requests", json!(attempts)), ("lasted_ms", ms(*lasted))]
    } else if let Notice::Account(
        AccountNotice::Scarce { left, .. } | AccountNotice::Ample { left, .. },
    ) = notice
    {
        vec![("requests_left", json!(left))]
    } else {
        Vec::new()
    }
}

fn of_child(child: Child) -> Fields {
    vec![
        ("pid", json!(child.pid)),
        ("revision", json!(child.revision.0)),
    ]
}

/// The first of them, and how many more there are.
fn kinds(changed: &[(String, Kind)]) -> Fields {
    let pair = |(name, kind): &(String, Kind)| (name.clone(), Value::from(kind.to_string()));
    let named = changed.iter().take(VARIABLES_MAX).map(pair).collect();
    let mut fields = vec![("variables", Value::Object(named))];
    let more = changed.len().saturating_sub(VARIABLES_MAX);
    fields.extend((more > 0).then(|| ("more", json!(more))));
    fields
}

/// In milliseconds, to the microsecond.
fn ms(duration: Duration) -> Value {
    json!((duration.as_secs_f64() * 1e6).round() / 1e3)
}
