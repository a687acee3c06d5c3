//! How long `exec` and `run` take in all, against a simulator on loopback, beside the bare program
//! that they start.
//!
//! `cargo bench --bench start_up -- [--rounds N]`. The rows take turns in each round, so that
//! whatever else the machine does falls on all of them.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use changeover::testing::heroku::{Options, Simulator};

const PROGRAM: &str = "/bin/true";

fn main() -> Result<()> {
    let rounds = rounds()?;
    let simulator = Simulator::start(Options::default())?;
    let url = simulator.url();
    let changeover = env!("CARGO_BIN_EXE_changeover");
    let ours = |verb: &'static str| {
        let mut command = Command::new(changeover);
        command.args([verb, "-a", "myapp", "--api-url", &url, "-q", "--", PROGRAM]);
        command
    };
    let mut rows = [
        ("bare_true", Command::new(PROGRAM), Vec::new()),
        ("exec", ours("exec"), Vec::new()),
        ("run", ours("run"), Vec::new()),
    ];
    for _ in 0..rounds {
        for (_, command, times) in &mut rows {
            times.push(time(command)?);
        }
    }
    for (name, _, times) in &mut rows {
        times.sort();
        println!(
            "{name}_median_ms: {:.2}",
            times[times.len() / 2].as_secs_f64() * 1000.0
        );
    }
    Ok(())
}

fn time(command: &mut Command) -> Result<Duration> {
    command
        .env_clear()
        .env("HEROKU_API_KEY", "HRKU-simulator")
        .stdin(Stdio::null());
    let begin = now();
    let status = command.status()?;
    let time = now().duration_since(begin);
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(time)
}

fn rounds() -> Result<u32> {
    let mut arguments = std::env::args()
        .skip_while(|argument| argument != "--rounds")
        .skip(1);
    arguments.next().map_or(Ok(100), |rounds| {
        rounds.parse().context("--rounds takes a number")
    })
}

#[expect(clippy::disallowed_methods, reason = "a bench is about time")]
fn now() -> Instant {
    Instant::now()
}
