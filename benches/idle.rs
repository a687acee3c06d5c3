//! What a supervisor costs while nothing happens: memory, and wake-ups between and around polls.
//!
//! `cargo bench --bench idle` (about a minute). Memory is read from `smaps_rollup`, which only root
//! may do: the supervisor is not dumpable.

#[expect(dead_code, reason = "shared with other benches")]
mod kit;

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use changeover::testing::heroku::{Options, Simulator};

use kit::{Process, number};

const CHANGEOVER: &str = env!("CARGO_BIN_EXE_changeover");
const POLLS: usize = 10;

fn main() -> Result<()> {
    // Pages of a file that was just written count as dirty until they are on the disk.
    File::open(CHANGEOVER)?.sync_all()?;
    println!("binary_mib: {:.2}", mib(fs::metadata(CHANGEOVER)?.len()));
    let simulator = Simulator::start(Options::default())?;

    Supervisor::start(&simulator, "60s", &[])?.print_idleness("")?;
    let place = tempfile::tempdir()?;
    let socket = place.path().join("control.sock");
    let control = socket.to_str().context("a temporary path is text")?;
    let all = ["--control", control, "--admin", "127.0.0.1:0"];
    let attended = Supervisor::start(&simulator, "60s", &all)?;
    // Asked once, it has all of it in memory.
    let status = Command::new(CHANGEOVER)
        .args(["status", "--control", control])
        .output()?;
    anyhow::ensure!(status.status.success(), "no status: {status:?}");
    attended.print_idleness("_control_and_admin")?;
    drop(attended);

    let polling = Supervisor::start(&simulator, "1s", &[])?;
    let (begin, before) = (simulator.request_count(), polling.switches()?);
    while simulator.request_count() < begin + POLLS {
        pause(Duration::from_millis(50));
    }
    pause(Duration::from_millis(200));
    let polls = simulator.request_count() - begin;
    println!(
        "switches_per_poll: {:.1}",
        (polling.switches()? - before) / polls as f64
    );
    polling.print_cpu(polls)?;
    Ok(())
}

/// A running `changeover run`, killed on drop.
struct Supervisor(Child);

impl Supervisor {
    fn start(simulator: &Simulator, interval: &str, options: &[&str]) -> Result<Self> {
        let mut child = Command::new(CHANGEOVER)
            .args([
                "run",
                "-a",
                "myapp",
                "--api-url",
                &simulator.url(),
                "--interval",
                interval,
            ])
            .args(options)
            .args(["--", "/bin/sleep", "1000"])
            .env_clear()
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = child.stderr.take().context("stderr is piped")?;
        let supervisor = Self(child);
        let mut lines = BufReader::new(log).lines();
        let started = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("started")));
        anyhow::ensure!(started.is_some(), "it has not started");
        pause(Duration::from_millis(500));
        Ok(supervisor)
    }

    fn process(&self) -> Process {
        Process(self.0.id())
    }

    /// Its memory, and how often it wakes up while nothing happens.
    fn print_idleness(&self, what: &str) -> Result<()> {
        self.print_memory(what)?;
        let before = self.switches()?;
        pause(Duration::from_secs(20));
        let switches = self.switches()? - before;
        println!("switches_between_polls_in_20_s{what}: {switches}");
        Ok(())
    }

    fn print_memory(&self, what: &str) -> Result<()> {
        let Ok(rollup) = self.process().file("smaps_rollup") else {
            println!("pss_mib: not readable (only for root)");
            return Ok(());
        };
        for (field, name) in [
            ("Rss", "rss_mib"),
            ("Pss", "pss_mib"),
            ("Private_Dirty", "private_dirty_mib"),
        ] {
            println!("{name}{what}: {:.2}", number(&rollup, field)? / 1024.0);
        }
        Ok(())
    }

    /// Context switches of all threads since their start.
    fn switches(&self) -> Result<f64> {
        let mut sum = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let status = fs::read_to_string(task?.path().join("status"))?;
            sum += number(&status, "voluntary_ctxt_switches")?;
        }
        Ok(sum)
    }

    fn print_cpu(&self, polls: usize) -> Result<()> {
        let ms = self.process().cpu_s()? * 1000.0;
        println!("cpu_ms_per_poll_start_included: {:.2}", ms / polls as f64);
        Ok(())
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / 1024.0 / 1024.0
}

#[expect(clippy::disallowed_methods, reason = "idleness is what is measured")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
