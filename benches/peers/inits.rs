//! Those that stand in front of a program in a container, and end with it.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::ground::Ground;
use crate::peer::Peer;

/// An init that is given the program after its own arguments.
pub(crate) struct Init {
    name: &'static str,
    needs: &'static [&'static str],
    arguments: &'static [&'static str],
}

pub(crate) const INITS: [Init; 3] = [
    Init {
        name: "tini",
        needs: &["tini"],
        // Not PID 1 here: told to reap all the same.
        arguments: &["-s", "--"],
    },
    Init {
        name: "dumb-init",
        needs: &["dumb-init"],
        arguments: &["--"],
    },
    Init {
        name: "catatonit",
        needs: &["catatonit"],
        arguments: &["--"],
    },
];

impl Peer for Init {
    fn name(&self) -> &'static str {
        self.name
    }

    fn needs(&self) -> &'static [&'static str] {
        self.needs
    }

    fn command(&self, ground: &Ground, program: &[String], _place: &Path) -> Result<Command> {
        let mut command = ground.command(self.needs[0])?;
        command.args(self.arguments).args(program);
        Ok(command)
    }
}
