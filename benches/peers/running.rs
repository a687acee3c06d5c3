//! One life of a peer: its start, its processes, its end with all that it leaves behind.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::ground::Ground;
use crate::peer::Peer;
use crate::tree::{descendants, lives};
use crate::{now, pause};

/// A sweep that takes longer has failed.
const SWEEP_MAX: Duration = Duration::from_secs(5);

/// A peer that runs. Dropping it kills it, and all that has come below us since its start: we are
/// the reaper of what it leaves behind.
pub(crate) struct Running {
    process: Child,
    place: TempDir,
    before: BTreeSet<u32>,
    /// When its start was asked for, by the monotonic clock.
    pub(crate) spawned_at: Duration,
}

impl Running {
    pub(crate) fn start(peer: &dyn Peer, ground: &Ground, program: &[String]) -> Result<Self> {
        let place = tempfile::tempdir()?;
        let mut command = peer.command(ground, program, place.path())?;
        let log = File::create(place.path().join("log"))?;
        command
            .env("HOME", place.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let before = descendants(std::process::id())?.into_iter().collect();
        let spawned_at = now();
        let process = command.spawn().with_context(|| format!("{command:?}"))?;
        Ok(Self {
            process,
            place,
            before,
            spawned_at,
        })
    }

    /// A directory of its own.
    pub(crate) fn place(&self) -> &Path {
        self.place.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.place.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(pid(self.process.id()), signal)?)
    }

    /// How it ended, if it does in time.
    pub(crate) fn wait(&mut self, within: Duration) -> Result<Option<ExitStatus>> {
        let begin = now();
        loop {
            let status = self.process.try_wait()?;
            if status.is_some() || now() - begin > within {
                return Ok(status);
            }
            pause(Duration::from_millis(5));
        }
    }

    /// The supervisor's processes: itself and what descends from it, without the measured program.
    pub(crate) fn supervisors(&self, ground: &Ground) -> Result<Vec<u32>> {
        let mut found = vec![self.process.id()];
        found.extend(descendants(self.process.id())?);
        found.retain(|pid| lives(*pid) && !is_program(*pid, &ground.child));
        Ok(found)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        sweep(&self.before);
    }
}

/// Ends all that is below us and has not been there before.
pub(crate) fn sweep(before: &BTreeSet<u32>) {
    let begin = now();
    loop {
        let mut left = descendants(std::process::id()).unwrap_or_default();
        left.retain(|pid| !before.contains(pid));
        if left.is_empty() {
            return;
        }
        if now() - begin > SWEEP_MAX {
            eprintln!("peers: not to be ended: {left:?}");
            return;
        }
        for left in left {
            let _ = kill(pid(left), Signal::SIGKILL);
            // Those that are not our own children yet become so.
            let _ = waitpid(pid(left), Some(WaitPidFlag::WNOHANG));
        }
        pause(Duration::from_millis(1));
    }
}

fn is_program(pid: u32, program: &Path) -> bool {
    fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program)
}

fn pid(number: u32) -> Pid {
    Pid::from_raw(number.cast_signed())
}
