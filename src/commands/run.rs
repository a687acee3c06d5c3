//! `changeover run`: from a configuration to a supervised life.

use crate::config::{Config, Inherited, Run, UsageError};
use crate::exit_code::ExitCode;
use crate::process::{self, Group, Identity, Manager, Program};
use crate::runtime::{self, Setup};
use crate::store::{EnvFile, Owner};
use crate::supervisor::config as core;
use crate::supervisor::event::SpawnError;
use crate::supervisor::readiness::Readiness;

use super::failure::Failure;
use super::parts;

const ON_TERMINAL: &str = "--order (CHANGEOVER_ORDER) is start-first, and two programs at once cannot share this \
    terminal: leave --order out here, or run it without a terminal, as a service does";

const BLIND: &str = "/proc is missing, or shows another PID namespace: what the program leaves behind is only found in \
    its process group, so other processes of it may live on after a restart; mount /proc here (unshare --mount-proc)";

const DEAF: &str = "NOTIFY_SOCKET names no socket that changeover can write to, so the service manager is not told when \
    the program is ready; a path or @NAME works";

/// Supervises until the child or a signal ends it.
///
/// # Errors
/// When nothing can be supervised: see [`Failure`].
pub fn run(
    mut config: Config,
    run: Run,
    inherited: &Inherited,
    started_with: process::Inherited,
) -> Result<ExitCode, Failure> {
    process::become_subreaper()?;
    if !process::sees_us() {
        tracing::warn!("{BLIND}");
    }
    if let Some(warning) = run.warning() {
        tracing::warn!("{warning}");
    }
    let group = if process::has_controlling_terminal() {
        Group::Shared
    } else {
        Group::Own
    };
    if group == Group::Shared && run.change.order == core::Order::StartFirst {
        return Err(Failure::Usage(UsageError(ON_TERMINAL.to_owned())));
    }
    let identity = parts::identity(&run.child, &mut config)?;
    let mut program = parts::program(&run.child, identity, &config, group, started_with)?;
    let env_file = env_file(&run, &program)?;
    // They live, and so do their files, until the last instance is gone.
    let listeners = parts::listeners(&run.listen, &mut program, &mut config, inherited)?;
    run.check_sockets(&listeners.tcp_addresses())?;
    check_descriptor(&run.ready.how, program.sockets.len())?;
    let webhook = run.watch.webhook.as_ref();
    let (webhook, _files) = webhook.map(parts::webhook).transpose()?.unzip();
    let (control, _file) = parts::control(&run.control, &mut config)?.unzip();
    let hook = run.hook.as_deref();
    let hook = hook
        .map(|path| parts::hook(path, &config, inherited))
        .transpose()?;
    let http = run.admin.as_ref().map(parts::http).transpose()?;
    let client = parts::client(&config, inherited)?;
    let manager = manager(inherited);
    let cache = parts::cache(&config, &client)?;
    let setup = Setup {
        context: parts::context(&config),
        config: core_config(&config, run, manager.as_ref()),
        program,
        env_file,
        cache,
        client,
        webhook,
        manager,
        hook,
        control,
        http,
        inherited: started_with,
        seed: parts::seed(),
    };
    Ok(runtime::supervise(setup)?)
}

/// Whoever started us and listens.
fn manager(inherited: &Inherited) -> Option<Manager> {
    Manager::find(inherited).unwrap_or_else(|error| {
        tracing::warn!("{DEAF} ({error})");
        None
    })
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

/// Sockets lie from descriptor 3 on, and how many of them we were started with nobody typed.
fn check_descriptor(ready: &Readiness, sockets: usize) -> Result<(), UsageError> {
    let Readiness::Descriptor(number) = ready else {
        return Ok(());
    };
    let free = i32::try_from(sockets).map_or(i32::MAX, |sockets| sockets.saturating_add(3));
    if *number >= free {
        return Ok(());
    }
    Err(UsageError(format!(
        "--ready (CHANGEOVER_READY) is fd:{number}, and there the program finds a socket, of --listen or passed on to \
         changeover, so it could not use one of them: write fd:{free} or above"
    )))
}

fn core_config(config: &Config, run: Run, manager: Option<&Manager>) -> core::Config {
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
        fallback: config.fallback.clone(),
        on_change: run.change.on_change,
        order: run.change.order,
        ready: run.ready.how,
        ready_timeout: run.ready.timeout,
        env_file: match run.change.env_file {
            Some(_) => core::EnvFile::Kept,
            None => core::EnvFile::None,
        },
        stop: run.change.stop,
        scope: run.change.scope,
        signals: run.change.signals,
        leftovers: run.change.leftovers,
        check_login: config.check_login,
        check_login_timeout: config.check_login_timeout,
        connection: run.watch.connection,
        crash: run.crash,
        manager: match manager {
            Some(_) => core::ServiceManager::Listening,
            None => core::ServiceManager::None,
        },
    }
}
