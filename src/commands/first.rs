//! The first usable answer, for commands that fetch once: the core's own start, up to the moment in
//! which it would prepare a child. So `exec` and `env` wait, retry and give up exactly as `run`
//! does.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::config::{Config, Inherited};
use crate::credential::Environment;
use crate::heroku::Client;
use crate::runtime::{self, clock::Clock, executor, telemetry};
use crate::supervisor::Supervisor;
use crate::supervisor::action::{Action, Scope};
use crate::supervisor::config::{
    self as core, CrashPolicy, EnvFile, LeftoverPolicy, Logins, OnChange, Order, SignalMap,
    StopSequence, Watching,
};
use crate::supervisor::event::Event;
use crate::supervisor::readiness::Readiness;
use crate::supervisor::time::Duration;

use super::failure::Failure;
use super::parts;

/// Fetches, and builds the environment that a program would get.
///
/// # Errors
/// When no usable answer came in time, or none will come; the log tells why.
pub(super) fn environment(
    config: &Config,
    inherited: &Inherited,
) -> Result<Arc<Environment>, Failure> {
    let client = parts::client(config, inherited)?;
    let event_loop = runtime::event_loop()?;
    let found = event_loop.block_on(first(&client, config));
    // A name lookup that hangs in the system's resolver must not hold the end up.
    event_loop.shutdown_background();
    found
}

async fn first(client: &Client, config: &Config) -> Result<Arc<Environment>, Failure> {
    let clock = Clock::start()?;
    let mut core = Supervisor::new(start_only(config), parts::seed());
    let context = telemetry::Context {
        app: config.source.app.clone(),
    };
    let mut events = VecDeque::from([Event::Wake]);
    loop {
        let event = match events.pop_front() {
            Some(event) => event,
            None => {
                clock.until(core.deadline()).await?;
                Event::Wake
            }
        };
        for action in core.step(clock.now(), event) {
            match action {
                Action::Prepare { environment, .. } => return Ok(environment),
                Action::Exit(code) => return Err(Failure::Told(code)),
                Action::Announce(notice) => telemetry::announce(&context, &notice),
                Action::Fetch { fetch, unless } => {
                    // The start deadline holds while a request is out, too.
                    tokio::select! {
                        outcome = executor::fetch(client, unless) => {
                            events.push_back(Event::Fetched { fetch, outcome });
                        }
                        due = clock.until(core.deadline()) => due?,
                    }
                }
                // Nothing lives yet: none of these can come before the first preparation.
                Action::CancelFetch { .. }
                | Action::CheckLogin { .. }
                | Action::CancelLogin { .. }
                | Action::Spawn { .. }
                | Action::ProbeReadiness { .. }
                | Action::Signal { .. }
                | Action::StopSelf { .. }
                | Action::Sweep { .. }
                | Action::RemoveEnvFile => {}
            }
        }
        if let Some(warning) = client.take_warning() {
            tracing::warn!("{warning}");
        }
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
        on_change: OnChange::Restart,
        order: Order::StopFirst,
        ready: Readiness::None,
        ready_timeout: Duration::ZERO,
        env_file: EnvFile::None,
        stop: StopSequence(Vec::new()),
        scope: Scope::Process,
        signals: SignalMap::default(),
        leftovers: LeftoverPolicy::Leave,
        logins: Logins::Never,
        crash: CrashPolicy::default(),
    }
}
