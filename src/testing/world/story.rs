//! A life in words: what happened and what the core did, a line each.

use std::fmt;

use crate::credential::{Environment, Secret};
use crate::runtime::telemetry::{Context, answered, render};
use crate::supervisor::action::{Action, Report};
use crate::supervisor::event::{ConnectionNews, Event, FetchOutcome, LoginOutcome};
use crate::supervisor::id::InstanceId;
use crate::supervisor::status::FallbackPhase;
use crate::supervisor::time::Time;

use super::settings::Settings;
use super::values::{NAMES, version};

/// The lines so far, if anybody wants them.
#[derive(Debug)]
pub(super) struct Story(Option<String>);

impl Story {
    pub(super) fn untold() -> Self {
        Self(None)
    }

    pub(super) fn told() -> Self {
        Self(Some(String::new()))
    }

    pub(super) fn begin(&mut self, settings: &Settings) {
        self.line(|| format!("{settings:?}"));
    }

    /// Something in the world that the core is not told, on the clock of the world: each
    /// supervisor counts from its own start.
    pub(super) fn says(&mut self, now: Time, what: &str) {
        self.line(|| format!("# the world, {now}: {what}"));
    }

    pub(super) fn event(&mut self, now: Time, event: &Event) {
        self.line(|| format!("@ {now} {}", event_line(event)));
    }

    pub(super) fn action(&mut self, now: Time, action: &Action) {
        self.line(|| format!("    {now} {}", describe(action)));
    }

    fn line(&mut self, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.0 {
            lines.push_str(&text());
            lines.push('\n');
        }
    }
}

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or_default())
    }
}

/// What the core does, in the words of `tests/scenarios`: a value is its password, an instance's
/// process id is its number and 100.
#[must_use]
pub fn describe(action: &Action) -> String {
    match action {
        Action::Fetch { unless: None, .. } => "fetch".to_owned(),
        Action::Fetch {
            unless: Some(_), ..
        } => "fetch if changed".to_owned(),
        Action::CancelFetch { .. } => "drop the fetch".to_owned(),
        Action::CheckLogin { url, .. } => format!("log in as {}", password(url)),
        Action::CancelLogin { .. } => "drop the login".to_owned(),
        Action::WatchConnection { url, .. } => format!("watch a connection as {}", password(url)),
        Action::UnwatchConnection { .. } => "close the connection".to_owned(),
        Action::Prepare {
            instance,
            environment,
        } => {
            format!(
                "prepare {} with {}",
                pid(*instance),
                first_password(environment)
            )
        }
        Action::Spawn { instance } => format!("spawn {}", pid(*instance)),
        Action::ProbeReadiness { instance } => format!("ask {} whether it serves", pid(*instance)),
        Action::Signal {
            instance, signal, ..
        } => format!("{signal} to {}", pid(*instance)),
        Action::Sweep { instance, signal } => {
            format!("{signal} to all that is left of {}", pid(*instance))
        }
        Action::GiveUp { instance } => format!("give {} up", pid(*instance)),
        Action::ListTree { instance } => format!("who of {} is alive?", pid(*instance)),
        Action::ReadCache { .. } => "look into the cache".to_owned(),
        Action::WriteCache { good, age, .. } => {
            let value = good.watched.get("DATABASE_URL");
            let value = value.map_or("-".to_owned(), password);
            format!("keep {value} of {} s ago", age.as_secs_f64())
        }
        Action::RemoveCache => "remove the cache".to_owned(),
        Action::RemoveEnvFile => "remove the env file".to_owned(),
        Action::Report(Report::StartTakes(by)) => {
            format!("tell the manager: the start takes {by:?} more")
        }
        Action::Report(Report::Ready) => "tell the manager: ready".to_owned(),
        Action::Report(Report::Stopping) => "tell the manager: stopping".to_owned(),
        Action::StopSelf { signal } => format!("{signal} to itself"),
        Action::Reply { reply, answer } => format!("answer {reply}: {}", answered(*answer)),
        Action::Announce(notice) => {
            let app = "myapp".to_owned();
            let fallback = FallbackPhase::None;
            let (level, line) = render(&Context { app, fallback }, notice);
            format!("| {level} {line}")
        }
        Action::Exit(code) => format!("exit {} ({code:?})", code.number()),
    }
}

fn event_line(event: &Event) -> String {
    match event {
        Event::Fetched { fetch, outcome, .. } => match outcome {
            FetchOutcome::Snapshot { snapshot, .. } => {
                let said = NAMES.map(|name| match snapshot.watched.get(name) {
                    Some(Ok(value)) => {
                        version(value.expose()).map_or("?".to_owned(), |v| format!("p{v}"))
                    }
                    Some(Err(fault)) => fault.to_string(),
                    None => "-".to_owned(),
                });
                format!("{fetch} answers {}", said.join(" "))
            }
            FetchOutcome::NotModified => format!("{fetch} answers 304"),
            FetchOutcome::Failed(failure) => format!("{fetch} fails: {}", failure.detail),
        },
        Event::LoginChecked { login, outcome } => match outcome {
            LoginOutcome::Accepted => format!("{login} accepted"),
            LoginOutcome::Refused { code } => format!("{login} refused: {code}"),
            LoginOutcome::Unreachable { detail } => format!("{login} unreachable: {detail}"),
        },
        Event::Connection { connection, news } => match news {
            ConnectionNews::Server(server) => format!("{connection} leads to {server:?}"),
            ConnectionNews::Lost { why } => format!("{connection} is lost: {why}"),
        },
        Event::Prepared { instance } => format!("{} is prepared", pid(*instance)),
        Event::Spawned { instance, .. } => format!("{} is spawned", pid(*instance)),
        Event::SpawnFailed { instance, error } => format!("{} fails: {error:?}", pid(*instance)),
        Event::Exited {
            instance,
            ended,
            leftovers,
        } => {
            format!(
                "{} ends with {ended:?}, leaving {leftovers:?}",
                pid(*instance)
            )
        }
        Event::Said { instance, word } => format!("{} says {word:?}", pid(*instance)),
        Event::TreeListed { instance, alive } => {
            format!("{} of {} are alive", alive.count, pid(*instance))
        }
        Event::TreeEmpty { instance } => format!("nothing is left of {}", pid(*instance)),
        Event::Stopped { instance } => format!("{} is suspended", pid(*instance)),
        Event::Continued { instance } => format!("{} is continued", pid(*instance)),
        Event::CacheRead { read, outcome } => format!("{read} finds {outcome:?}"),
        Event::CacheWritten { write, result } => format!("{write} is written: {result:?}"),
        Event::Signal { signal, origin } => format!("{signal} from {origin:?}"),
        Event::Resumed => "the machine slept".to_owned(),
        Event::Webhook => "a webhook".to_owned(),
        Event::Command { reply, verb } => format!("{reply}: {verb:?}"),
        Event::Wake => "wake".to_owned(),
    }
}

fn pid(instance: InstanceId) -> u32 {
    100 + instance.0
}

fn first_password(environment: &Environment) -> String {
    let value = environment
        .get("DATABASE_URL")
        .and_then(|value| value.to_str());
    password(&Secret::from(value.unwrap_or("-")))
}

fn password(url: &Secret) -> String {
    let text = url.expose();
    text.rsplit_once('@')
        .and_then(|(head, _)| head.rsplit_once(':'))
        .map_or(text, |(_, password)| password)
        .to_owned()
}
