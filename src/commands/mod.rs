//! What the user asked for: `run`, `exec`, `env`, `check`, each put together from the other rooms.

mod check;
mod documents;
pub mod env;
mod exec;
pub mod failure;
mod first;
mod parts;
mod print_config;
pub mod run;
mod talk;

use std::ffi::OsString;

use crate::cli::{Cli, Command, Fetching};
use crate::config::{self, Config, Inherited, Log, Task, Typed};
use crate::exit_code::ExitCode;
use crate::process;
use crate::runtime::telemetry;

use failure::Failure;

/// The whole program, from its arguments to its exit code. `started_with` is recorded before
/// anything else runs.
pub fn main(
    arguments: impl Iterator<Item = OsString>,
    inherited: &Inherited,
    started_with: process::Inherited,
) -> ExitCode {
    let cli = match Cli::read(arguments) {
        Ok(cli) => cli,
        Err(answer) => {
            // Help and the version go to stdout with code 0, everything else to stderr with code 2.
            let _ = answer.print();
            return if answer.exit_code() == 0 {
                ExitCode::Success
            } else {
                ExitCode::Usage
            };
        }
    };
    let outcome = match cli.command {
        Command::Fetch(fetching) => fetch(fetching, &cli.typed, inherited, started_with),
        Command::Talk(talk) => {
            telemetry::install(Log::default(), inherited);
            talk::talk(talk, inherited)
        }
        Command::Completions { shell } => documents::completions(shell),
        Command::Man => documents::man(),
    };
    outcome.unwrap_or_else(|failure| {
        if !matches!(failure, Failure::Told(_)) {
            tracing::error!("{failure}");
        }
        failure.code()
    })
}

fn fetch(
    fetching: Fetching,
    typed: &Typed,
    inherited: &Inherited,
    started_with: process::Inherited,
) -> Result<ExitCode, Failure> {
    let log = Log::new(fetching.operate(), inherited);
    telemetry::install(*log.as_ref().unwrap_or(&Log::default()), inherited);
    log?;
    process::harden()?;
    for warning in config::unknown_variables(inherited) {
        tracing::warn!("{warning}");
    }
    let config = Config::new(fetching, inherited)?;
    match config.task.clone() {
        Task::Run(task) if task.print_config => print_config::print(typed, inherited),
        Task::Run(task) => run::run(config, *task, inherited, started_with),
        Task::Exec { child } => exec::exec(config, &child, inherited, started_with),
        Task::Env { format } => env::print(&config, format, inherited, started_with),
        Task::Check { json } => check::check(&config, json, inherited),
    }
}
