//! The recipe of a Procfile: the Heroku CLI is asked once, and the program takes its place.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::TOKEN;
use crate::ground::Ground;
use crate::peer::Peer;

/// As it stands in so many start scripts. When `config:get` fails, the program starts all the same.
const SCRIPT: &str = r#"DATABASE_URL=$(heroku config:get DATABASE_URL -a myapp) exec "$0" "$@""#;

pub(crate) struct Recipe;

impl Peer for Recipe {
    fn name(&self) -> &'static str {
        "Heroku CLI"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["heroku", "bash"]
    }

    fn command(&self, ground: &Ground, program: &[String], _place: &Path) -> Result<Command> {
        let mut command = ground.command("bash")?;
        command.args(["-c", SCRIPT]).args(program);
        settings(&mut command, ground);
        Ok(command)
    }
}

/// `heroku config:get` alone.
pub(crate) fn config_get(ground: &Ground) -> Result<Command> {
    let mut command = ground.command("heroku")?;
    command.args(["config:get", "DATABASE_URL", "-a", "myapp"]);
    settings(&mut command, ground);
    Ok(command)
}

fn settings(command: &mut Command, ground: &Ground) {
    command
        .env("HEROKU_HOST", ground.heroku.url())
        .env("HEROKU_DATA_HOST", "127.0.0.1")
        .env("DISABLE_TELEMETRY", "true")
        .env(TOKEN.0, TOKEN.1);
}
