//! `changeover run`: from a configuration to a supervised life.

use crate::config::{CheckLogin, Config, Inherited, Run};
use crate::exit_code::ExitCode;
use crate::process::{self, Group};
use crate::runtime::{self, Setup, telemetry};
use crate::supervisor::config as core;
use crate::supervisor::readiness::Readiness;
use crate::supervisor::time::Duration;

use super::failure::Failure;
use super::parts;

/// Supervises until the child or a signal ends it.
pub(super) fn run(
    mut config: Config,
    run: Run,
    inherited: &Inherited,
    started_with: process::Inherited,
) -> Result<ExitCode, Failure> {
    process::become_subreaper()?;
    let group = if process::has_controlling_terminal() {
        Group::Shared
    } else {
        Group::Own
    };
    let identity = parts::identity(&run.child, &mut config)?;
    let mut program = parts::program(&run.child, identity, &config, group, started_with)?;
    // They live, and so do their files, until the last instance is gone.
    let _listeners = parts::listeners(&run.listen, &mut program, &mut config, inherited)?;
    let client = parts::client(&config, inherited)?;
    let setup = Setup {
        context: telemetry::Context {
            app: config.source.app.clone(),
        },
        config: core_config(&config, run),
        program,
        client,
        inherited: started_with,
        seed: parts::seed(),
    };
    Ok(runtime::supervise(setup)?)
}

fn core_config(config: &Config, run: Run) -> core::Config {
    core::Config {
        environment: config.environment.clone(),
        mark: Some(process::supervisor_mark()),
        watching: run
            .watch
            .interval
            .map_or(core::Watching::Once, core::Watching::Every),
        debounce: run.watch.debounce,
        splay: run.change.splay,
        start_timeout: config.start_timeout,
        on_change: run.change.on_change,
        order: core::Order::StopFirst,
        ready: Readiness::None,
        ready_timeout: Duration::ZERO,
        stop: run.change.stop,
        scope: run.change.scope,
        signals: run.change.signals,
        leftovers: run.change.leftovers,
        logins: match config.check_login {
            CheckLogin::Auto | CheckLogin::Always => core::Logins::AfterFailure,
            CheckLogin::Never => core::Logins::Never,
        },
        crash: run.crash,
    }
}
