//! The thin binary: parse, telemetry, config, run, exit code.

use std::io::Write as _;
use std::process::ExitCode as Status;

use changeover::cli::Cli;
use changeover::config::{self, Config, Inherited, Log, UsageError};
use changeover::exit_code::ExitCode;

fn main() -> Status {
    let inherited: Inherited = std::env::vars_os().collect();
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return answer(&error),
    };
    match start(cli, &inherited) {
        Ok(code) => code.into(),
        Err(error) => {
            // A broken stderr must not become a panic.
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::Usage.into()
        }
    }
}

fn start(cli: Cli, inherited: &Inherited) -> Result<ExitCode, UsageError> {
    let _log = Log::new(cli.command.operate(), inherited)?;
    for warning in config::unknown_variables(inherited) {
        let _ = writeln!(std::io::stderr(), "WARN {warning}");
    }
    let _config = Config::new(cli.command, inherited)?;
    Ok(ExitCode::Success)
}

/// Help and the version go to stdout with code 0, everything else to stderr with code 2.
fn answer(error: &clap::Error) -> Status {
    let _ = error.print();
    u8::try_from(error.exit_code()).map_or(ExitCode::Usage.into(), Status::from)
}
