//! Where it all happens: the measured child and its stamps, the simulated Heroku, the peers' files.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use changeover::testing::heroku::{Options, Simulator};
use tempfile::TempDir;

use crate::bare::Bare;
use crate::fetchers::{DopplerApi, OpenBaoApi, Server};
use crate::stamps::Stamps;

/// What the peers stand on.
pub(crate) struct Ground {
    installed: PathBuf,
    /// The measured program.
    pub(crate) child: PathBuf,
    pub(crate) changeover: PathBuf,
    pub(crate) stamps: Stamps,
    pub(crate) heroku: Simulator,
    pub(crate) doppler: DopplerApi,
    pub(crate) openbao: OpenBaoApi,
    pub(crate) rounds: usize,
    /// How long a child takes from its TERM to its end.
    pub(crate) idle: Duration,
    /// Between two polls of those that poll.
    pub(crate) interval: Duration,
    _place: TempDir,
}

impl Ground {
    pub(crate) fn new(installed: &Path, rounds: usize, idle: Duration) -> Result<Self> {
        Self::build(installed, rounds, idle, Arc::new(Server::new()?))
    }

    /// Another one, with APIs and stamps of its own.
    pub(crate) fn beside(&self) -> Result<Self> {
        let server = self.openbao.server();
        Self::build(&self.installed, self.rounds, self.idle, server)
    }

    fn build(
        installed: &Path,
        rounds: usize,
        idle: Duration,
        openbao: Arc<Server>,
    ) -> Result<Self> {
        let made = |name: &str| -> Result<PathBuf> {
            let path = installed.join(name);
            let missing = || format!("{}: benches/peers/run makes it", path.display());
            path.canonicalize().with_context(missing)
        };
        let place = tempfile::tempdir()?;
        Ok(Self {
            installed: installed.to_owned(),
            child: made("child")?,
            changeover: made("changeover")?,
            stamps: Stamps::new(&place.path().join("stamps"))?,
            heroku: Simulator::start(Options::default())?,
            doppler: DopplerApi::start()?,
            openbao: OpenBaoApi::start(openbao)?,
            rounds,
            idle,
            interval: Duration::from_secs(1),
            _place: place,
        })
    }

    /// The measured program's command line. It takes `idle` to end.
    pub(crate) fn program(&self, idle: Duration, kind: &[&str]) -> Result<Vec<String>> {
        let path = |path: &Path| -> Result<String> { Ok(path.to_str().context("text")?.into()) };
        let mut words = vec![path(&self.child)?, path(self.stamps.path())?];
        words.push(idle.as_millis().to_string());
        words.extend(kind.iter().map(|word| (*word).to_owned()));
        Ok(words)
    }

    /// The same program, started by nobody but us.
    pub(crate) fn bare(&self, program: &[String]) -> Result<Bare> {
        let arguments: Vec<_> = program.iter().skip(1).map(String::as_str).collect();
        let path = env::var_os("PATH").unwrap_or_default();
        Bare::new(
            &self.child,
            &arguments,
            [(OsStr::new("PATH"), path.as_os_str())],
        )
    }

    /// A command with an environment of its own.
    pub(crate) fn command(&self, program: &str) -> Result<Command> {
        let found = find(program).with_context(|| format!("{program} is not in PATH"))?;
        let mut command = Command::new(found);
        let path = env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path);
        Ok(command)
    }

    /// What is below here is as it would be in `/usr`, had the package been installed.
    pub(crate) fn debian(&self, path: &str) -> PathBuf {
        self.installed.join("debian/root/usr").join(path)
    }
}

/// Where a program is, if it is installed: `benches/peers/run` puts its own places into `PATH`.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let mut places = env::split_paths(&path).map(|place| place.join(program));
    places.find(|place| place.is_file())
}
