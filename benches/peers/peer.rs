//! What a peer is to the rows: how it starts a program, how it is made to restart it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::api::Api;
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

    /// What it asks for the credential, if it is one that watches it.
    fn api<'a>(&self, _ground: &'a Ground) -> Option<&'a dyn Api> {
        None
    }

    /// Makes it restart its program, and returns without waiting for that. `program` is its pid.
    fn change(&self, ground: &Ground, _running: &Running, _program: u32) -> Result<()> {
        let api = self
            .api(ground)
            .context("it does not restart its program")?;
        api.change()
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
