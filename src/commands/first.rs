//! The first usable answer, for commands that fetch once: the core's own start, up to the moment in
//! which it would prepare a child. So `exec` and `env` wait, retry and give up exactly as `run`
//! does.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use crate::config::{Config, Inherited};
use crate::credential::{Environment, Secret, SslMode};
use crate::heroku::Client;
use crate::process;
use crate::runtime::cache::{Errand, KeptCache};
use crate::runtime::{self, clock::Clock, executor, signals::Signals, telemetry};
use crate::supervisor::Supervisor;
use crate::supervisor::action::{Action, Scope};
use crate::supervisor::config::{
    self as core, ConnectionWatch, CrashPolicy, EnvFile, LeftoverPolicy, OnChange, Order,
    ServiceManager, SignalMap, StopSequence, Watching,
};
use crate::supervisor::event::{Event, FetchOutcome, LoginOutcome};
use crate::supervisor::id::{FetchId, LoginId};
use crate::supervisor::readiness::Readiness;
use crate::supervisor::time::{Duration, Time};

use super::failure::Failure;
use super::parts;

/// Fetches, and builds the environment that a program would get.
///
/// # Errors
/// When no usable answer came in time, or none will come; the log tells why.
pub(super) fn environment(
    config: &Config,
    inherited: &Inherited,
    started_with: process::Inherited,
) -> Result<Arc<Environment>, Failure> {
    let client = parts::client(config, inherited)?;
    let cache = parts::cache(config, &client)?;
    let event_loop = runtime::event_loop()?;
    let found = event_loop.block_on(async {
        // No signal does by itself to PID 1 what it does to everybody else.
        let signals = match std::process::id() {
            1 => Some(Signals::install(&started_with)?),
            _ => None,
        };
        runtime::reserve_thread()?;
        let clock = Clock::start()?;
        let (request, logins) = (None, VecDeque::new());
        first(
            &client,
            cache.as_ref(),
            config,
            Waits {
                clock,
                signals,
                request,
                logins,
            },
        )
        .await
    });
    // We become the program, or end. A lookup of a name that hangs must not hold that up; and a
    // thread that cleans up would close what the program is given under a number of its own.
    std::mem::forget(event_loop);
    found
}

/// Everything that is waited for.
struct Waits<'a> {
    clock: Clock,
    signals: Option<Signals>,
    request: Option<Request<'a>>,
    /// One after the other: there is one URL, most often.
    logins: VecDeque<Login>,
}

/// A login that is out.
type Login = (LoginId, Pin<Box<dyn Future<Output = LoginOutcome>>>);

/// A request that is out.
type Request<'a> = (
    FetchId,
    Pin<Box<dyn Future<Output = (FetchOutcome, Option<u32>)> + 'a>>,
);

impl Waits<'_> {
    fn log_in(&mut self, login: LoginId, url: Secret, sslmode: Option<SslMode>) {
        let outcome = async move { executor::log_in(&url, sslmode).await };
        self.logins.push_back((login, Box::pin(outcome)));
    }

    async fn next(&mut self, deadline: Option<Time>) -> io::Result<Event> {
        let answer = async {
            match &mut self.request {
                Some((fetch, outcome)) => (*fetch, outcome.await),
                None => pending().await,
            }
        };
        let login = async {
            match self.logins.front_mut() {
                Some((login, outcome)) => (*login, outcome.await),
                None => pending().await,
            }
        };
        let signal = async {
            match &mut self.signals {
                Some(signals) => signals.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            (fetch, (outcome, left)) = answer => {
                self.request = None;
                Ok(Event::Fetched { fetch, outcome, left })
            }
            (login, outcome) = login => {
                self.logins.pop_front();
                Ok(Event::LoginChecked { login, outcome })
            }
            received = signal => {
                let received = received?;
                let (signal, origin) = (received.signal, received.origin(|_| false));
                Ok(Event::Signal { signal, origin })
            }
            due = self.clock.until(deadline) => due.map(|()| Event::Wake),
        }
    }
}

async fn first<'a>(
    client: &'a Client,
    cache: Option<&KeptCache>,
    config: &Config,
    mut waits: Waits<'a>,
) -> Result<Arc<Environment>, Failure> {
    let mut core = Supervisor::new(start_only(config), parts::seed());
    let context = parts::context(config);
    let (mut event, mut found) = (Event::Wake, None);
    loop {
        let mut told = None;
        for action in core.step(waits.clock.now(), event) {
            match action {
                Action::Prepare { environment, .. } => found = Some(environment),
                Action::Exit(code) => return Err(Failure::Told(code)),
                Action::Announce(notice) => {
                    telemetry::announce(&context, &notice);
                }
                Action::Fetch { fetch, unless } => {
                    waits.request = Some((fetch, Box::pin(executor::fetch(client, unless))));
                }
                Action::CancelFetch { .. } => waits.request = None,
                Action::CheckLogin {
                    login,
                    url,
                    sslmode,
                } => waits.log_in(login, url, sslmode),
                Action::CancelLogin { login } => waits.logins.retain(|(open, _)| *open != login),
                Action::ReadCache { .. } | Action::WriteCache { .. } | Action::RemoveCache => {
                    told = cache.and_then(|cache| with_cache(cache, client, action));
                }
                // Nothing lives yet: none of these can come before the first preparation.
                Action::WatchConnection { .. }
                | Action::UnwatchConnection { .. }
                | Action::Spawn { .. }
                | Action::ProbeReadiness { .. }
                | Action::Signal { .. }
                | Action::StopSelf { .. }
                | Action::Sweep { .. }
                | Action::GiveUp { .. }
                | Action::ListTree { .. }
                | Action::Reply { .. }
                | Action::RemoveEnvFile
                | Action::Report(_) => {}
            }
        }
        event = match told {
            Some(told) => told,
            None => match found {
                Some(environment) => return Ok(environment),
                None => waits.next(core.deadline()).await?,
            },
        };
        if let Some(warning) = client.take_warning() {
            tracing::warn!("{warning}");
        }
    }
}

/// There is nobody who could not wait for the disk.
fn with_cache(cache: &KeptCache, client: &Client, action: Action) -> Option<Event> {
    let token = client.token_in_use();
    if let Action::ReadCache { read } = action {
        Some(cache.run(Errand::Look(read), token))
    } else if let Action::WriteCache { write, good, age } = action {
        Some(cache.run(Errand::Keep(write, good, age), token))
    } else {
        if let Err(warning) = cache.remove() {
            tracing::warn!("{warning}");
        }
        None
    }
}

/// The core's configuration for a life that ends before its first child.
fn start_only(config: &Config) -> core::Config {
    core::Config {
        environment: config.environment.clone(),
        mark: None,
        watching: Watching::Once,
        debounce: Duration::ZERO,
        splay: Duration::ZERO,
        start_timeout: config.start_timeout,
        fallback: config.fallback.clone(),
        on_change: OnChange::Restart,
        order: Order::StopFirst,
        ready: Readiness::None,
        ready_timeout: Duration::ZERO,
        env_file: EnvFile::None,
        stop: StopSequence(Vec::new()),
        scope: Scope::Process,
        signals: SignalMap::default(),
        leftovers: LeftoverPolicy::Leave,
        check_login: config.check_login,
        check_login_timeout: Duration::ZERO,
        connection: ConnectionWatch::Off,
        crash: CrashPolicy::default(),
        manager: ServiceManager::None,
    }
}
