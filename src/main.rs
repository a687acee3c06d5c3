//! The thin binary: what it was started with goes in, an exit code comes out.

use std::process::ExitCode;

use changeover::{commands, process};

fn main() -> ExitCode {
    let started_with = process::Inherited::record();
    let inherited = std::env::vars_os().collect();
    commands::main(std::env::args_os(), &inherited, started_with).into()
}
