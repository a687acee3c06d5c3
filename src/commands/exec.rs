//! `changeover exec`: fetch once, then become the program. No supervisor stays.

use crate::config::{Child, Config, Inherited};
use crate::exit_code::ExitCode;
use crate::process::{self, Group};

use super::failure::Failure;
use super::{first, parts};

/// Returns only when there is no program to become.
pub(super) fn exec(
    mut config: Config,
    child: &Child,
    inherited: &Inherited,
    started_with: process::Inherited,
) -> Result<ExitCode, Failure> {
    let identity = parts::identity(child, &mut config)?;
    let mut program = parts::program(child, identity, &config, Group::Shared, started_with)?;
    let _listeners = parts::listeners(&[], &mut program, &mut config, inherited)?;
    let environment = first::environment(&config, inherited, started_with)?;
    let error = match process::prepare(&program, &environment) {
        Ok(prepared) => process::exec(&prepared),
        Err(error) => error,
    };
    Err(Failure::Program {
        program: program.command.display().to_string(),
        error,
    })
}
