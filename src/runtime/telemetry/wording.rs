//! The wording of every fact: one line each, for a reader at 3 a.m. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use tracing::Level;

use crate::credential::{Fault, phrase};
use crate::supervisor::config::EnvFile;
use crate::supervisor::event::{Alive, Ended, FailureKind, LoginOutcome, Member, SpawnError};
use crate::supervisor::notice::{Asked, Child, GaveUp, Notice};
use crate::supervisor::signal::Signal;
use crate::supervisor::status::FallbackPhase;

/// What the words refer to and no notice carries.
#[derive(Clone, Debug)]
pub struct Context {
    /// The Heroku app.
    pub app: String,
    /// What a start without Heroku may be on.
    pub fallback: FallbackPhase,
}

mod api;
mod changes;
mod commands;
mod connection;
mod fallback;
mod readiness;
mod restarts;
mod values;

pub use commands::answered;

use api::{account, failing, mend, recovered};
use changes::{confirmed, deferred, held, settling};
use readiness::{
    hung, not_ready, rolled_back, started_beside, superseded, took_over, took_over_early, unheard,
    waits,
};
use restarts::{restarting, too_many};

const CHECK_APP: &str = "check --app, and that the token's owner has access to it";
const SPARED: &str =
    "Heroku was asked within a minute, and little is left for the account: not asking again";

/// The line for a notice, and how loud it is.
#[must_use]
#[rustfmt::skip] // A table: one line per fact.
pub fn render(context: &Context, notice: &Notice) -> (Level, String) {
    match notice {
        Notice::Started { child, dead_time, change, .. } =>
            info(started(*child, *dead_time, *change)),
        Notice::StartedBeside { child, serving, timeout, .. } =>
            info(started_beside(*child, *serving, *timeout)),
        Notice::Ready { child, after } => info(format!("pid {} is ready after {}", child.pid, human(*after))),
        Notice::NotReady { child, unready } => warn(not_ready(*child, unready)),
        Notice::Unheard { child, why } => warn(unheard(*child, why)),
        Notice::TookOver { child, change } => info(took_over(*child, *change)),
        Notice::TookOverEarly { child } => warn(took_over_early(*child)),
        Notice::RolledBack { child, serving, unready, retry_in } =>
            error(rolled_back(*child, *serving, unready.as_ref(), *retry_in)),
        Notice::Superseded { child } => info(superseded(*child)),
        Notice::ChildStatus { child, text } => debug(format!("pid {} says: {}", child.pid, phrase(text))),
        Notice::Hung { child, timeout } => error(hung(*child, *timeout)),
        Notice::StartFailed { error, retry_in, running } => failed(error, *retry_in, *running),
        Notice::Settling { changed, debounce } => debug(settling(changed, *debounce)),
        Notice::ChangeWithdrawn => debug("the difference is gone again: nothing to do".to_owned()),
        Notice::HeldChangeWithdrawn | Notice::HeldChangeGone => info(off(notice)),
        Notice::Changed { changed: of, from, to, login } => info(confirmed(of, *from, *to, login)),
        Notice::ChangeHeld(change) => warn(held(change)),
        Notice::Splay { changed, splay } => info(deferred(changed, *splay)),
        Notice::SignalWaits { child, signal, timeout } => info(waits(*child, *signal, *timeout)),
        Notice::ChangeSignalled { child, signal, env_file: at } => info(told(*child, *signal, *at)),
        Notice::Stopping { pid, signal, timeout } => info(format!("stopping pid {pid}: {signal}, up to {}", human(*timeout))),
        Notice::Killing { pid, after } => warn(killing(*pid, *after)),
        Notice::Sweeping { pid } => info(format!("pid {pid} left processes behind: stopping them")),
        Notice::WentToBackground { pid, lived } => warn(went_to_background(*pid, *lived)),
        Notice::StillAlive { pid, after, alive } => info(still_alive(*pid, *after, alive)),
        Notice::SweepFailed { pid } => warn(sweep_failed(*pid)),
        Notice::Ended { child, ended, lived, stopping } => over(*child, *ended, *lived, *stopping),
        Notice::Restarting { pause, why } => info(restarting(*pause, *why)),
        Notice::RestartLimit { ended, count, within } => error(too_many(*ended, *count, *within)),
        Notice::NothingFound { ended } => info(nothing_found(*ended)),
        Notice::Asking { .. } | Notice::FetchSpared => info(asking(notice)),
        Notice::LoginTried { name, outcome } => login(name, outcome),
        Notice::AwaitingCredential { timeout } => warn(awaiting(*timeout)),
        Notice::CredentialWorks => info("login ok: the credential works after all".to_owned()),
        Notice::CredentialNeverCame { timeout } => error(format!("no new credential came within {}", human(*timeout))),
        Notice::FetchFailing { failure, running } => failing(failure, *running, None),
        Notice::FetchStillFailing { failure, lasted, attempts, running } =>
            failing(failure, *running, Some((*lasted, *attempts))),
        Notice::FetchRecovered { lasted, attempts } => info(recovered(*lasted, *attempts)),
        Notice::Connection(notice) => connection::told(notice),
        Notice::Account(notice) => account(notice),
        Notice::Value(notice) => values::told(context, notice),
        Notice::Replaced { names } => info(format!("--expand sets {} anew; --keep NAME keeps what was there", phrase(&names.join(", ")))),
        Notice::KeptOut { names } => info(format!("kept from the program, which could break: Heroku's {}; --allow-reserved hands it on", phrase(&names.join(", ")))),
        Notice::Fallback(notice) => fallback::told(notice),
        Notice::StartGaveUp { reason } => error(gave_up(context, reason)),
        Notice::SignalDropped { signal } => warn(format!("{signal} dropped: it is meant for a program, and none runs")),
        Notice::Commanded { verb, answer } => commands::told(*verb, *answer),
        Notice::Hold(notice) => commands::held(notice),
        Notice::FailoverWaits { running, wait } => warn(connection::waits(*running, *wait)),
        Notice::StopRequested { signal } => info(format!("{signal} received: stopping for good")),
        Notice::KillRequested => warn("second INT: killing now".to_owned()),
        Notice::ExitForChange => info("a change ends the program (--on-change exit): code 75 asks for a new start".to_owned()),
    }
}

/// A change that was told to be held back, and is no more.
fn off(notice: &Notice) -> String {
    let is_gap = *notice == Notice::HeldChangeGone;
    let shows = if is_gap {
        "has shown no usable value for a minute"
    } else {
        "shows the old value again"
    };
    format!("Heroku {shows}: the change that waited is off")
}

fn asking(notice: &Notice) -> String {
    if *notice == Notice::FetchSpared {
        return SPARED.to_owned();
    }
    let asks_postgres = matches!(notice, Notice::Asking { asked } if *asked == Asked::Both);
    let more = if asks_postgres {
        ", and Postgres about the old one"
    } else {
        ""
    };
    format!("the program failed: asking Heroku for a new credential{more}")
}

/// A signal came, and from whom.
#[must_use]
pub fn received(signal: Signal, sender: &str) -> String {
    format!("{signal} received from {sender}")
}

/// A signal was sent to a child, or to the group that it leads.
#[must_use]
pub fn sent(signal: Signal, pid: u32) -> String {
    format!("{signal} sent to pid {pid}")
}

/// A duration as people say it: `1.3 ms`, `38 ms`, `3.4 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`.
/// Rounded down.
#[must_use]
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let micros = duration.as_micros();
    let tenths = |tenths: u128, unit: &str| match (tenths / 10, tenths % 10) {
        (whole, 0) => format!("{whole} {unit}"),
        (whole, tenth) => format!("{whole}.{tenth} {unit}"),
    };
    let pair = |unit: u64, large: &str, small_unit: u64, small: &str| {
        let rest = seconds % unit / small_unit;
        let rest = if rest == 0 {
            String::new()
        } else {
            format!(" {rest} {small}")
        };
        format!("{} {large}{rest}", seconds / unit)
    };
    match (seconds, micros) {
        (0, 0) => "0 s".to_owned(),
        (0, ..100) => format!("{micros} µs"),
        (0, ..10_000) => tenths(micros / 100, "ms"),
        (0, _) => format!("{} ms", micros / 1000),
        (..60, _) => tenths(micros / 100_000, "s"),
        (..3600, _) => pair(60, "min", 1, "s"),
        (..86_400, _) => pair(3600, "h", 60, "min"),
        (_, _) => pair(86_400, "d", 3600, "h"),
    }
}

fn debug(text: String) -> (Level, String) {
    (Level::DEBUG, text)
}

fn info(text: String) -> (Level, String) {
    (Level::INFO, text)
}

fn warn(text: String) -> (Level, String) {
    (Level::WARN, text)
}

fn error(text: String) -> (Level, String) {
    (Level::ERROR, text)
}

fn told(child: Child, signal: Signal, env_file: EnvFile) -> String {
    let Child { pid, revision } = child;
    match env_file {
        EnvFile::Kept => {
            format!("env file written with revision {revision}, and {signal} sent to pid {pid}")
        }
        EnvFile::None => format!(
            "{signal} sent to pid {pid} for revision {revision}; its environment keeps the old values (no --env-file)"
        ),
    }
}

fn killing(pid: u32, after: Duration) -> String {
    let after = human(after);
    format!("pid {pid} did not stop within {after}: killing it and all its processes")
}

fn went_to_background(pid: u32, lived: Duration) -> String {
    let lived = human(lived);
    format!(
        "pid {pid} ended after {lived} and left processes in the background: stopping them, because \
         only a program in the foreground can be supervised; run it there \
         (nginx -g 'daemon off;', redis-server --daemonize no)"
    )
}

fn still_alive(pid: u32, after: Duration, alive: &Alive) -> String {
    let name = |member: &Member| format!("{} (pid {})", member.name, member.pid);
    let named: Vec<String> = alive.named.iter().map(name).collect();
    let named = phrase(&named.join(", "));
    let more = match alive.count.saturating_sub(alive.named.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let after = human(after);
    format!("pid {pid} is not gone after {after}; still alive: {named}{more}")
}

fn sweep_failed(pid: u32) -> String {
    format!(
        "processes that pid {pid} left behind survive even KILL (stuck in the kernel): going on without waiting"
    )
}

fn awaiting(timeout: Duration) -> String {
    let timeout = human(timeout);
    format!(
        "the credential died before its successor was there: waiting up to {timeout} for the new one"
    )
}

fn started(child: Child, dead_time: Option<Duration>, change: Option<Duration>) -> String {
    let mut text = format!("pid {} started on revision {}", child.pid, child.revision);
    // Writing to a String cannot fail.
    if let Some(dead_time) = dead_time {
        let _ = write!(text, "; dead time {}", human(dead_time));
    }
    if let Some(change) = change {
        let _ = write!(text, "; change seen→applied {}", human(change));
    }
    text
}

fn failed(why: &SpawnError, retry_in: Option<Duration>, running: Option<Child>) -> (Level, String) {
    let why = match why {
        // Its text is ours: it says what to do.
        SpawnError::Unwritable { detail } => detail.clone(),
        SpawnError::NotFound => "the program was not found: check its name and PATH".to_owned(),
        SpawnError::NotExecutable { detail } => {
            format!(
                "the program cannot be executed ({}): check its mode and format",
                phrase(detail)
            )
        }
        SpawnError::Failed { detail } => {
            format!("the program could not be started: {}", phrase(detail))
        }
    };
    let retry = match retry_in {
        Some(wait) => format!("trying again in {}", human(wait)),
        None => "giving up".to_owned(),
    };
    error(match running {
        Some(child) => format!("{why}. {}; {retry}", untouched(child)),
        None => format!("{why}; {retry}"),
    })
}

fn end(ended: Ended) -> String {
    match ended {
        Ended::Code(code) => format!("exited {code}"),
        Ended::Signal(signal) => format!("was ended by {signal}"),
    }
}

fn login(name: &str, outcome: &LoginOutcome) -> (Level, String) {
    let name = phrase(name);
    match outcome {
        LoginOutcome::Accepted => info(format!("login with {name} ok: the credential works")),
        LoginOutcome::Refused { code } => warn(format!(
            "login with {name} refused ({}): the credential no longer works",
            phrase(code)
        )),
        LoginOutcome::Unreachable { detail } => warn(format!(
            "login with {name} not possible ({}): nothing is known about the credential",
            phrase(detail)
        )),
    }
}

/// An end that nobody asked for is a warning, unless all is well.
fn over(
    child: Child,
    ended: Ended,
    lived: Duration,
    stopping: Option<Duration>,
) -> (Level, String) {
    let (pid, how, lived) = (child.pid, end(ended), human(lived));
    match stopping {
        Some(took) => info(format!(
            "pid {pid} {how} after {} (it ran {lived})",
            human(took)
        )),
        None if ended.code() == 0 => info(format!("pid {pid} {how}; it ran {lived}")),
        None => warn(format!("pid {pid} {how}; it ran {lived}")),
    }
}

fn nothing_found(ended: Ended) -> String {
    format!(
        "no sign that its credential is why: ending as the program did, with code {}",
        ended.code()
    )
}

fn nothing_runs() -> String {
    "Nothing runs yet".to_owned()
}

fn untouched(child: Child) -> String {
    format!("pid {} untouched on revision {}", child.pid, child.revision)
}

fn gave_up(context: &Context, reason: &GaveUp) -> String {
    let app = phrase(&context.app);
    match reason {
        GaveUp::NoAnswer { last, timeout } => {
            let last = last
                .as_ref()
                .map_or("no request ended".to_owned(), |failure| {
                    phrase(&failure.detail)
                });
            let fallback = match context.fallback {
                FallbackPhase::None => "",
                FallbackPhase::Inherited => {
                    ", and what changeover was started with (--fallback) is not let in"
                }
                FallbackPhase::Cached => {
                    ", and the cache (--fallback) holds nothing that is let in"
                }
            };
            format!(
                "nothing started: no good answer from Heroku within {} (last: {last}){fallback}. Start again later, or \
                 raise --start-timeout",
                human(*timeout)
            )
        }
        GaveUp::Refused { failure } => {
            let detail = phrase(&failure.detail);
            let (what, mend) = match failure.kind {
                FailureKind::NoToken | FailureKind::TokenCommandFailed => {
                    return format!("nothing started on app {app}: {}", failure.detail);
                }
                FailureKind::TokenRefused => {
                    (format!("Heroku refused {detail}"), mend(failure.remedy))
                }
                FailureKind::AppNotFound => {
                    (format!("Heroku shows {detail}"), CHECK_APP.to_owned())
                }
                FailureKind::Unavailable => (
                    format!("Heroku API not answering: {detail}"),
                    "start again later".to_owned(),
                ),
            };
            format!("nothing started on app {app}: {what}. Mend: {mend}")
        }
        GaveUp::Unusable { faults, timeout } if faults.is_empty() => format!(
            "nothing started: no config var of app {app} matches --var, for {}. Mend: heroku config -a {app} shows what \
             there is",
            human(*timeout)
        ),
        GaveUp::Unusable { faults, timeout } => {
            let one = |(name, fault): &(String, Fault)| format!("{} is {fault}", phrase(name));
            let faults = faults.iter().map(one).collect::<Vec<_>>().join(", ");
            format!(
                "nothing started: {faults} on app {app}, for {}. Mend: heroku config -a {app} shows what there is; name \
                 it with --var or --database",
                human(*timeout)
            )
        }
    }
}

#[cfg(test)]
#[path = "wording_tests.rs"]
mod tests;
