//! What holds of `Retry-After`, whatever a server writes there: how it is read, and for how long
//! it keeps the core away. An input is a line with its value, and one with the answer's `Date`.

use std::time::{Duration as StdDuration, SystemTime};

use crate::heroku::for_laws::retry_after;
use crate::supervisor::Supervisor;
use crate::supervisor::action::{Action, Scope};
use crate::supervisor::config::{
    CheckLogin, Config, ConnectionWatch, CrashPolicy, EnvFile, Fallback, LeftoverPolicy, OnChange,
    Order, ServiceManager, SignalMap, StopSequence, Watching,
};
use crate::supervisor::event::{Event, FetchFailure, FetchOutcome};
use crate::supervisor::id::FetchId;
use crate::supervisor::readiness::Readiness;
use crate::supervisor::time::{Duration, Time};

use super::config_vars::plain_environment;
use super::{Held, law};

/// So long is obeyed, and no longer.
const OBEYED_MAX: Duration = Duration::from_secs(300);
/// The pause after a first failure, and what chance adds to it.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// Dates are written up to the year 9999.
const DATE_MAX_S: u64 = 253_402_300_799;
/// A core that wakes so often without a request will never make one.
const WAKES_MAX: usize = 100;

/// Holds a value and a date against every law.
///
/// # Errors
/// The law that is broken.
pub fn hold(input: &str) -> Held {
    let (value, date) = match input.split_once('\n') {
        Some((value, date)) => (value, Some(date)),
        None => (input, None),
    };
    let read = retry_after(value, date);
    let seconds = value.trim().strip_prefix('+').unwrap_or(value.trim());
    let is_number = !seconds.is_empty() && seconds.bytes().all(|it| it.is_ascii_digit());
    if is_number {
        let expected = seconds.parse().ok().map(StdDuration::from_secs);
        law(read == expected, "a number is a number of seconds")?;
    } else {
        law(
            read.is_none() || date.is_some(),
            "a date says nothing without another",
        )?;
    }
    law(
        is_number
            || retry_after(value, Some(value))
                .unwrap_or_default()
                .is_zero(),
        "from a date to itself is no time",
    )?;
    if let Some(date) = date {
        dates(value, date)?;
    }
    let seconds: u64 = value.bytes().map(u64::from).sum();
    written(seconds.wrapping_mul(0x9e37_79b9_7f4a_7c15) % DATE_MAX_S)?;
    match read {
        Some(read) => obeyed(read),
        None => Ok(()),
    }
}

/// One of two dates is not before the other.
fn dates(value: &str, date: &str) -> Held {
    let (there, back) = (
        retry_after(value, Some(date)),
        retry_after(date, Some(value)),
    );
    let are_dates = |it: &str| httpdate::parse_http_date(it.trim()).ok();
    let (Some(then), Some(now)) = (are_dates(value), are_dates(date)) else {
        return Ok(());
    };
    let (Some(there), Some(back)) = (there, back) else {
        return law(false, "two dates are a time");
    };
    law(
        there.is_zero() || back.is_zero(),
        "one of two dates is not before the other",
    )?;
    law(
        now + there == then + back,
        "a time leads from one date to the other",
    )
}

/// What is written as a date is read as one.
fn written(seconds: u64) -> Held {
    let now = StdDuration::from_secs(seconds);
    let later = StdDuration::from_secs(seconds.saturating_add(seconds % 400).min(DATE_MAX_S));
    let write = |since| httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + since);
    law(
        retry_after(&write(later), Some(&write(now))) == Some(later - now),
        "what is written as a date is read as one",
    )
}

/// The core stays away for as long as it is asked to, up to its limit.
fn obeyed(asked: Duration) -> Held {
    let failed_at = Time::from_start(Duration::from_secs(1));
    let mut core = Supervisor::new(patient(), asked.as_secs());
    let Some(fetch) = request(&core.step(Time::ZERO, Event::Wake)) else {
        return law(false, "the core asks at once");
    };
    let failure = FetchFailure {
        retry_after: Some(asked),
        ..FetchFailure::unavailable("429")
    };
    let mut actions = core.step(
        failed_at,
        Event::Fetched {
            fetch,
            outcome: FetchOutcome::Failed(failure),
            left: None,
        },
    );
    let mut now = failed_at;
    for _ in 0..WAKES_MAX {
        if request(&actions).is_some() {
            break;
        }
        let Some(next) = core.deadline() else { break };
        now = now.max(next);
        actions = core.step(now, Event::Wake);
    }
    law(request(&actions).is_some(), "the core asks again")?;
    let away = now.since(failed_at);
    law(
        away >= asked.min(OBEYED_MAX),
        "the core stays away as long as it is asked to",
    )?;
    law(
        away <= asked.min(OBEYED_MAX).max(PAUSE_MAX),
        "the core does not stay away any longer",
    )
}

fn request(actions: &[Action]) -> Option<FetchId> {
    actions.iter().find_map(|action| {
        let Action::Fetch { fetch, .. } = action else {
            return None;
        };
        Some(*fetch)
    })
}

/// A core that nothing but its requests keeps busy.
fn patient() -> Config {
    Config {
        environment: plain_environment(),
        mark: None,
        watching: Watching::Every(Duration::from_secs(60)),
        debounce: Duration::ZERO,
        splay: Duration::ZERO,
        start_timeout: Duration::from_secs(86_400),
        fallback: Fallback::None,
        on_change: OnChange::Restart,
        order: Order::StopFirst,
        ready: Readiness::None,
        ready_timeout: Duration::from_secs(60),
        env_file: EnvFile::None,
        stop: StopSequence(Vec::new()),
        scope: Scope::Process,
        signals: SignalMap::default(),
        leftovers: LeftoverPolicy::Leave,
        check_login: CheckLogin::Never,
        check_login_timeout: Duration::from_secs(30),
        connection: ConnectionWatch::Off,
        crash: CrashPolicy::default(),
        manager: ServiceManager::None,
    }
}
