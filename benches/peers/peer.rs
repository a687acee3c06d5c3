//! What a peer is to the rows: how it starts a program, how it is made to restart it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::ground::Ground;
use crate::running::Running;

/// One way to run a program.
pub(crate) trait Peer {
    /// As the table has it.
    fn name(&self) -> &'static str;

    /// The programs that it needs in `PATH`.
    fn needs(&self) -> &'static [&'static str];

    /// The command that runs the program in the foreground. `place` is an empty directory of its
    /// own, for what it has to have in files.
    fn command(&self, ground: &Ground, program: &[String], place: &Path) -> Result<Command>;

    fn restart(&self) -> Restart {
        Restart::Never
    }

    /// Makes it restart its program, and returns without waiting for that. `program` is its pid.
    fn change(&self, _ground: &Ground, _running: &Running, _program: u32) -> Result<()> {
        bail!("{} does not restart its program", self.name())
    }
}

/// Why a peer restarts its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Restart {
    /// It does not; it ends with it.
    Never,
    /// Somebody tells it to, or the program has ended.
    Told,
    /// The value that it watches has changed.
    Watches,
}
