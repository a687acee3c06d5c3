//! How long it takes from a webhook to the request that it brings about: the delivery's connection,
//! the signature, and a request to a simulator on loopback.
//!
//! `cargo bench --bench webhook -- [--rounds N]`. A supervisor has a first webhook only once, so
//! each round starts another.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use changeover::testing::heroku::{Options, Simulator};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

const SECRET: &str = "secret";

fn main() -> Result<()> {
    let rounds = rounds()?;
    let simulator = Simulator::start(Options::default())?;
    let directory = tempfile::tempdir()?;
    let secret = directory.path().join("secret");
    fs::write(&secret, SECRET)?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
    let request = signed("{\"resource\":\"release\"}")?;
    let mut times = Vec::new();
    for _ in 0..rounds {
        times.push(round(&simulator, &secret, &request)?);
    }
    times.sort();
    let ms = |time: &Duration| time.as_secs_f64() * 1000.0;
    let median = times.get(times.len() / 2).context("--rounds 1 or more")?;
    println!("webhook_to_request_median_ms: {:.2}", ms(median));
    println!(
        "webhook_to_request_max_ms: {:.2}",
        times.last().map_or(0.0, ms)
    );
    Ok(())
}

fn round(simulator: &Simulator, secret: &Path, request: &str) -> Result<Duration> {
    let supervisor = Supervisor::start(simulator, secret)?;
    let before = simulator.request_count();
    let begin = now();
    let mut stream = TcpStream::connect(&supervisor.address)?;
    stream.write_all(request.as_bytes())?;
    while simulator.request_count() == before {
        std::thread::park_timeout(Duration::from_micros(20));
    }
    let time = now().duration_since(begin);
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    Ok(time)
}

fn signed(body: &str) -> Result<String> {
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes())?.chain_update(body);
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    Ok(format!(
        "POST /webhook HTTP/1.1\r\nHost: hooks\r\nHeroku-Webhook-Hmac-SHA256: {signature}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// A running `changeover run`, killed on drop.
struct Supervisor {
    process: Child,
    address: String,
}

impl Supervisor {
    fn start(simulator: &Simulator, secret: &Path) -> Result<Self> {
        let options = [
            "run",
            "-a",
            "myapp",
            "--check-login",
            "never",
            "--webhook-listen",
            "127.0.0.1:0",
        ];
        let mut process = Command::new(env!("CARGO_BIN_EXE_changeover"))
            .args(options)
            .arg("--webhook-secret-file")
            .arg(secret)
            .args(["--api-url", &simulator.url(), "--", "/bin/sleep", "60"])
            .env_clear()
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = process.stderr.take().context("its log")?;
        let mut supervisor = Self {
            process,
            address: String::new(),
        };
        for line in BufReader::new(log).lines() {
            let line = line?;
            if let Some((_, rest)) = line.split_once("listening on ") {
                rest.split(',')
                    .next()
                    .unwrap_or_default()
                    .clone_into(&mut supervisor.address);
            }
            if line.contains("started on") {
                break;
            }
        }
        Ok(supervisor)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn rounds() -> Result<u32> {
    let mut arguments = std::env::args()
        .skip_while(|argument| argument != "--rounds")
        .skip(1);
    arguments.next().map_or(Ok(50), |rounds| {
        rounds.parse().context("--rounds takes a number")
    })
}

#[expect(clippy::disallowed_methods, reason = "a bench is about time")]
fn now() -> Instant {
    Instant::now()
}
