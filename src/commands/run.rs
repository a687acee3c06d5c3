//! `changeover run`: from a configuration to a supervised life.

use crate::config::{CheckLogin, Config, Inherited, Run};
use crate::exit_code::ExitCode;
use crate::process::{self, Group, Identity, Program};
use crate::runtime::{self, Setup, telemetry};
use crate::store::{EnvFile, Owner};
use crate::supervisor::config as core;
use crate::supervisor::event::SpawnError;
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
    let env_file = env_file(&run, &program)?;
    // They live, and so do their files, until the last instance is gone.
    let _listeners = parts::listeners(&run.listen, &mut program, &mut config, inherited)?;
    let client = parts::client(&config, inherited)?;
    let setup = Setup {
        context: telemetry::Context {
            app: config.source.app.clone(),
        },
        config: core_config(&config, run),
        program,
        env_file,
        client,
        inherited: started_with,
        seed: parts::seed(),
    };
    Ok(runtime::supervise(setup)?)
}

/// The file that `--env-file` names, as seen from here: `--chdir` is the program's. What is wrong
/// with it already is told before Heroku is asked.
fn env_file(run: &Run, program: &Program) -> Result<Option<EnvFile>, Failure> {
    let Some(path) = &run.change.env_file else {
        return Ok(None);
    };
    let owner = program.identity.as_ref();
    let owner = owner.map(|&Identity { uid, gid, .. }| Owner { uid, gid });
    let file = EnvFile::new(std::path::absolute(path)?, owner);
    file.check().map_err(|error| Failure::Program {
        program: program.command.display().to_string(),
        error: SpawnError::Unwritable {
            detail: error.to_string(),
        },
    })?;
    Ok(Some(file))
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
        env_file: match run.change.env_file {
            Some(_) => core::EnvFile::Kept,
            None => core::EnvFile::None,
        },
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
