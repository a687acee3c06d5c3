//! Those that start a program again: when it ends, or when they are told to.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::ground::Ground;
use crate::peer::{Peer, Restart};
use crate::running::Running;

/// Server::Starter, in Perl. Its own restart (HUP) starts the new program before the old one ends,
/// so what is measured is how it replaces one that has ended.
pub(crate) struct ServerStarter;

impl Peer for ServerStarter {
    fn name(&self) -> &'static str {
        "Server::Starter"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["start_server", "perl"]
    }

    fn command(&self, ground: &Ground, program: &[String], _place: &Path) -> Result<Command> {
        let mut command = ground.command("perl")?;
        let script = crate::ground::find("start_server").unwrap_or_default();
        command
            .arg(script)
            .arg("--")
            .args(program)
            .env("PERL5LIB", ground.debian("share/perl5"));
        Ok(command)
    }

    fn restart(&self) -> Restart {
        Restart::Told
    }

    fn change(&self, _ground: &Ground, _running: &Running, program: u32) -> Result<()> {
        end(program)
    }
}

/// The program is told to end; who runs it finds that out.
fn end(program: u32) -> Result<()> {
    Ok(kill(Pid::from_raw(program.cast_signed()), Signal::SIGTERM)?)
}
