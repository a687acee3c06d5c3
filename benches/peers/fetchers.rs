//! Those that fetch the credential themselves: changeover, and forty lines of bash; in files of
//! their own Doppler, OpenBao, and the recipe with the Heroku CLI.

mod doppler;
mod front;
mod openbao;
mod recipe;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::api::Api;
use crate::ground::Ground;
use crate::peer::{Peer, Restart};

pub(crate) use doppler::{Doppler, DopplerApi};
pub(crate) use openbao::{OpenBao, OpenBaoApi, Server};
pub(crate) use recipe::{Recipe, config_get};

const TOKEN: (&str, &str) = ("HEROKU_API_KEY", "HRKU-simulator");

/// changeover itself.
pub(crate) struct Changeover;

impl Peer for Changeover {
    fn name(&self) -> &'static str {
        "changeover"
    }

    fn needs(&self) -> &'static [&'static str] {
        &[]
    }

    fn command(&self, ground: &Ground, program: &[String], _place: &Path) -> Result<Command> {
        let mut command = ground.command(ground.changeover.to_str().context("text")?)?;
        command
            .args(["run", "-a", "myapp", "--api-url", &ground.heroku.url()])
            .args(["--interval", &format!("{}s", ground.interval.as_secs())])
            .args(["--debounce", "0s"])
            // No peer logs in; the made-up database is nowhere.
            .args(["--check-login", "never", "--"])
            .args(program)
            .env(TOKEN.0, TOKEN.1);
        Ok(command)
    }

    fn restart(&self) -> Restart {
        Restart::Watches
    }

    fn api<'a>(&self, ground: &'a Ground) -> Option<&'a dyn Api> {
        Some(&ground.heroku)
    }
}

/// `forty_lines.sh`.
pub(crate) struct FortyLines;

impl Peer for FortyLines {
    fn name(&self) -> &'static str {
        "forty lines of bash"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["bash", "curl", "jq"]
    }

    fn command(&self, ground: &Ground, program: &[String], _place: &Path) -> Result<Command> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/forty_lines.sh");
        let mut command = ground.command("bash")?;
        command
            .args([script, "myapp", &ground.interval.as_secs().to_string()])
            .args(program)
            .env("HEROKU_HOST", ground.heroku.url())
            .env(TOKEN.0, TOKEN.1);
        Ok(command)
    }

    fn restart(&self) -> Restart {
        Restart::Watches
    }

    fn api<'a>(&self, ground: &'a Ground) -> Option<&'a dyn Api> {
        Some(&ground.heroku)
    }
}
