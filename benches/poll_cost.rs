//! What one poll costs: the processor's time of the supervisor, and bytes on the wire, with and
//! without 304, plain and through TLS; and what `heroku config:get` costs beside it.
//!
//! `cargo bench --bench poll_cost -- [--polls N]` (about two minutes). Bytes are those of TCP's
//! payload, both ways, the handshake of TLS included; a supervisor makes a connection for each
//! poll, and resumes its TLS session. `kept` and `fresh` are requests in a loop, over one
//! connection and over one each: what a connection that is kept would save. The Heroku CLI is the
//! one that `CHANGEOVER_TEST_HEROKU_CLI` names, or that `tests/run --full` has installed.

#[expect(dead_code, reason = "shared with other benches")]
mod kit;
#[path = "kit/wire.rs"]
mod wire;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use changeover::testing::heroku::{Options, Simulator};
use rustls::pki_types::pem::PemObject;

use kit::Process;
use wire::Wire;

const CHANGEOVER: &str = env!("CARGO_BIN_EXE_changeover");
const CLI_INSTALLED: &str = "target/heroku-cli/node_modules/.bin/heroku";
/// The CLI takes seconds.
const CLI_ROUNDS: u32 = 3;
const LOOP_ROUNDS: usize = 1000;
/// This program, as one that asks in a loop.
const LOOP: &str = "--loop";
/// `/proc/PID/stat` counts in these.
const TICKS_A_SECOND: f64 = 100.0;

fn main() -> Result<()> {
    let words: Vec<String> = env::args().collect();
    if let Some(at) = words.iter().position(|word| word == LOOP) {
        return ask_in_a_loop(&words[at + 1], Path::new(&words[at + 2]), &words[at + 3]);
    }
    let at = words.iter().position(|word| word == "--polls");
    let polls = match at.and_then(|at| words.get(at + 1)) {
        Some(polls) => polls.parse().context("--polls takes a number")?,
        None => 20,
    };
    let place = Place::new()?;
    let mut poll = Cost::default();
    for (name, wire) in [("plain", &place.plain), ("tls", &place.tls)] {
        for (kind, changes) in [("304", false), ("200", true)] {
            let cost = place.polls(wire, polls, changes)?;
            cost.print(&format!("poll_{name}_{kind}"));
            poll = if kind == "304" { cost } else { poll };
        }
    }
    for kind in ["kept", "fresh"] {
        place.in_a_loop(kind)?.print(&format!("request_tls_{kind}"));
    }
    let Some(cli) = cli() else {
        println!("heroku_config_get: not measured (the CLI is not installed)");
        return Ok(());
    };
    place
        .config_get(&cli, &place.plain)?
        .print("heroku_config_get_plain");
    let get = place.config_get(&cli, &place.tls)?;
    get.print("heroku_config_get_tls");
    println!(
        "config_get_in_polls_tls_cpu: {:.0}",
        get.cpu_ms / poll.cpu_ms
    );
    println!(
        "config_get_in_polls_tls_bytes: {:.1}",
        get.bytes / poll.bytes
    );
    Ok(())
}

/// What one of something costs.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    cpu_ms: f64,
    bytes: f64,
}

impl Cost {
    fn print(self, name: &str) {
        println!("{name}_cpu_ms: {:.2}", self.cpu_ms);
        println!("{name}_bytes: {:.0}", self.bytes);
    }
}

/// A simulator, and two ways to it.
struct Place {
    simulator: Simulator,
    plain: Wire,
    tls: Wire,
    ca_file: PathBuf,
    home: tempfile::TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let home = tempfile::tempdir()?;
        let ca_file = home.path().join("ca.pem");
        fs::write(&ca_file, made.cert.pem())?;
        // As many as an app may have: some 3 KiB.
        let others = (0..30).map(|number| {
            let value = format!("value-{number}-{}", "x".repeat(60));
            (format!("SETTING_NUMBER_{number}"), value)
        });
        let simulator = Simulator::start(Options {
            config: others.collect(),
            ..Options::default()
        })?;
        let to = simulator.address();
        Ok(Self {
            plain: Wire::plain(to)?,
            tls: Wire::tls(to, &made)?,
            simulator,
            ca_file,
            home,
        })
    }

    /// A supervisor's polls, a second apart. `changes`: something that nobody watches is another in
    /// each answer, so that none is 304.
    fn polls(&self, wire: &Wire, polls: usize, changes: bool) -> Result<Cost> {
        let supervisor = Supervisor::start(&wire.url, &self.ca_file)?;
        let process = Process(supervisor.0.id());
        self.wait_for(3, changes);
        let before = (process.cpu_s()?, wire.bytes());
        self.wait_for(polls, changes);
        pause(Duration::from_millis(200));
        let (cpu, bytes) = (process.cpu_s()? - before.0, wire.bytes() - before.1);
        Ok(Cost {
            cpu_ms: cpu * 1000.0 / polls as f64,
            bytes: bytes as f64 / polls as f64,
        })
    }

    /// So many more requests.
    fn wait_for(&self, requests: usize, changes: bool) {
        let (begun, mut seen) = (self.simulator.request_count(), 0);
        while seen < requests {
            pause(Duration::from_millis(20));
            let now = self.simulator.request_count() - begun;
            if changes && now > seen {
                self.simulator
                    .set_config("SETTING_NUMBER_0", Some(&format!("{}", begun + now)));
            }
            seen = now;
        }
    }

    /// Requests without a pause, by a process of their own.
    fn in_a_loop(&self, kind: &str) -> Result<Cost> {
        let before = self.tls.bytes();
        let said = Command::new(env::current_exe()?)
            .args([LOOP, &self.tls.url])
            .arg(&self.ca_file)
            .arg(kind)
            .stderr(Stdio::inherit())
            .output()?;
        ensure!(said.status.success(), "the loop failed");
        let cpu_s: f64 = String::from_utf8(said.stdout)?.trim().parse()?;
        let rounds = LOOP_ROUNDS as f64;
        Ok(Cost {
            cpu_ms: cpu_s * 1000.0 / rounds,
            bytes: (self.tls.bytes() - before) as f64 / rounds,
        })
    }

    /// `heroku config:get`, and all that it starts.
    fn config_get(&self, cli: &Path, wire: &Wire) -> Result<Cost> {
        // The first run ever does more.
        self.get(cli, wire)?;
        let before = (of_children()?, wire.bytes());
        for _ in 0..CLI_ROUNDS {
            self.get(cli, wire)?;
        }
        let rounds = f64::from(CLI_ROUNDS);
        Ok(Cost {
            cpu_ms: (of_children()? - before.0) * 1000.0 / rounds,
            bytes: (wire.bytes() - before.1) as f64 / rounds,
        })
    }

    fn get(&self, cli: &Path, wire: &Wire) -> Result<()> {
        let said = Command::new(cli)
            .args(["config:get", "DATABASE_URL", "-a", "myapp"])
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("HEROKU_HOST", &wire.url)
            .env("HEROKU_DATA_HOST", "127.0.0.1")
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .env("NODE_EXTRA_CA_CERTS", &self.ca_file)
            .env("DISABLE_TELEMETRY", "true")
            .output()?;
        ensure!(said.stdout.starts_with(b"postgres://"), "{said:?}");
        Ok(())
    }
}

/// The processor's time of all children that ended, in seconds.
fn of_children() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = stat.rsplit_once(") ").context("no fields")?;
    let ticks = fields.split(' ').skip(13).take(2).map(str::parse::<f64>);
    let ticks: f64 = ticks.sum::<Result<f64, _>>()?;
    Ok(ticks / TICKS_A_SECOND)
}

fn cli() -> Option<PathBuf> {
    let named = env::var_os("CHANGEOVER_TEST_HEROKU_CLI").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join(CLI_INSTALLED);
    named.or_else(|| installed.exists().then_some(installed))
}

/// Asks again and again, and prints how much of the processor's time that took.
fn ask_in_a_loop(url: &str, ca_file: &Path, kind: &str) -> Result<()> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from_pem_file(ca_file)?)?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .http1_only()
        .no_proxy()
        .pool_max_idle_per_host(usize::from(kind == "kept"))
        .build()?;
    let url = format!("{url}/apps/myapp/config-vars");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        for _ in 0..LOOP_ROUNDS {
            let request = client.get(&url).bearer_auth("HRKU-simulator");
            let request = request.header("accept", "application/vnd.heroku+json; version=3");
            let answer = request.send().await?;
            ensure!(answer.status() == 200, "{}", answer.status());
            answer.bytes().await?;
        }
        Ok(())
    })?;
    println!("{}", Process(std::process::id()).cpu_s()?);
    Ok(())
}

/// A running `changeover run`, killed on drop.
struct Supervisor(Child);

impl Supervisor {
    fn start(url: &str, ca_file: &Path) -> Result<Self> {
        let child = Command::new(CHANGEOVER)
            .args(["run", "-a", "myapp", "--check-login", "never"])
            .args(["--interval", "1s", "--api-url", url, "--ca-file"])
            .arg(ca_file)
            .args(["--", "/bin/sleep", "1000"])
            .env_clear()
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self(child))
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "it waits for polls to be made")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
