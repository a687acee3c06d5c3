//! Credentials that change again and again under a constant load of requests, with `--listen`: how
//! many requests fail, and how long nobody answers.
//!
//! `cargo bench --bench load -- [--changes N]`, 100 by default: some minutes for each program. The
//! clients are 4 that open a connection for each request and 4 that keep theirs. `rust` is
//! `changeover::testing::web`. gunicorn is measured when `CHANGEOVER_TEST_GUNICORN` names its
//! binary: as it is, which closes each connection (`gunicorn`), and with threads, which keeps them
//! (`gunicorn_threads`). Each is replaced `stop_first`, so that requests wait in the socket, and
//! `start_first`.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use changeover::testing::heroku::{Options, Simulator};
use changeover::testing::load::{Clients, Load, Report};
use changeover::testing::web;
use listenfd::ListenFd;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const CLIENTS: Clients = Clients { fresh: 4, kept: 4 };
/// Of each program, this many answers are awaited.
const ENOUGH: u64 = 50;
/// Between two looks at the answers.
const PAUSE: Duration = Duration::from_millis(5);
/// A program that nobody hears of for this many pauses does not come.
const LOOKS_MAX: u32 = 10_000;

const APP: &str = "import os
def app(environ, start_response):
    body = os.environ['DATABASE_URL'].encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

const ORDERS: [(&str, &[&str]); 2] = [
    ("stop_first", &["--order", "stop-first"]),
    (
        "start_first",
        &["--order", "start-first", "--ready", "notify"],
    ),
];

fn main() -> Result<()> {
    if env::args().nth(1).as_deref() == Some("child") {
        return child();
    }
    let at = env::args().position(|arg| arg == "--changes");
    let changes: u32 = match at {
        Some(at) => env::args().nth(at + 1).context("a number")?.parse()?,
        None => 100,
    };
    let place = tempfile::tempdir()?;
    fs::write(place.path().join("app.py"), APP)?;
    let app = place.path().to_str().context("a path")?;
    let own = env::current_exe()?;
    let own = own.to_str().context("a path")?;
    let mut programs = vec![("rust", vec![own, "child"])];
    let gunicorn = env::var("CHANGEOVER_TEST_GUNICORN").ok();
    if let Some(binary) = &gunicorn {
        let common = [binary, "--preload", "--chdir", app, "app:app"];
        programs.push(("gunicorn", common.to_vec()));
        let threads = [common.as_slice(), &["--threads", "4"]].concat();
        programs.push(("gunicorn_threads", threads));
    }
    for (name, program) in &programs {
        for (order, options) in ORDERS {
            let report = measure(changes, options, program)?;
            print(&format!("{name}_{order}"), changes, &report);
        }
    }
    Ok(())
}

fn print(name: &str, changes: u32, report: &Report) {
    println!("{name}_changes: {changes}");
    println!("{name}_requests: {}", report.answered() + report.failed());
    println!("{name}_failed: {}", report.failed());
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    println!("{name}_longest_gap_ms: {:.1}", ms(report.longest_gap));
    println!(
        "{name}_longest_latency_ms: {:.1}",
        ms(report.longest_latency)
    );
    for (kind, times) in &report.failures {
        eprintln!("{name}: {times} times {kind}");
    }
}

/// The program that is replaced.
fn child() -> Result<()> {
    let listener = ListenFd::from_env().take_tcp_listener(0)?;
    let notify = env::var("NOTIFY_SOCKET").ok();
    let body = env::var("DATABASE_URL")?;
    Ok(web::serve(
        listener.context("no socket")?,
        &body,
        notify.as_deref(),
    )?)
}

/// What becomes of all requests while the credential changes this often, each time when the program
/// before has ended and the new one answers.
fn measure(changes: u32, options: &[&str], program: &[&str]) -> Result<Report> {
    let config = vec![("DATABASE_URL".to_owned(), url(0))];
    let simulator = Simulator::start(Options {
        config,
        ..Options::default()
    })?;
    let mut run = Run::start(&simulator, options, program)?;
    let line = run.log("listening on 127.0.0.1:")?;
    let port = line.split("127.0.0.1:").nth(1).unwrap_or_default();
    let port = port.split(',').next().unwrap_or_default().parse()?;
    let load = Load::start(port, CLIENTS);
    until_answers(&load, &url(0))?;
    for number in 1..=changes {
        simulator.set_config("DATABASE_URL", Some(&url(number)));
        run.log(" exited ")?;
        until_answers(&load, &url(number))?;
    }
    Ok(load.stop())
}

fn until_answers(load: &Load, body: &str) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        if load.report().answers.get(body).copied().unwrap_or_default() >= ENOUGH {
            return Ok(());
        }
        thread::park_timeout(PAUSE);
    }
    anyhow::bail!("{body} does not answer: {:?}", load.report().failures)
}

fn url(number: u32) -> String {
    format!("postgres://u:password-{number}@127.0.0.1:1/d")
}

/// `changeover run` and its log; dropping it ends both it and what it runs.
struct Run {
    supervisor: Child,
    log: BufReader<ChildStderr>,
}

impl Run {
    fn start(simulator: &Simulator, options: &[&str], program: &[&str]) -> Result<Self> {
        let common =
            "run -a myapp --interval 1s --debounce 0s --check-login never --listen 127.0.0.1:0";
        let mut supervisor = Command::new("sh")
            // Whoever runs this may have something open where the socket belongs.
            .args(["-c", "exec 3<&-; exec \"$@\"", "sh"])
            .arg(env!("CARGO_BIN_EXE_changeover"))
            .args(common.split(' '))
            .args(["--api-url", &simulator.url()])
            .args(options)
            .arg("--")
            .args(program)
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let log = supervisor.stderr.take().context("stderr is piped")?;
        let log = BufReader::new(log);
        Ok(Self { supervisor, log })
    }

    /// Waits for the next line that contains this.
    fn log(&mut self, part: &str) -> Result<String> {
        loop {
            let mut line = String::new();
            ensure!(self.log.read_line(&mut line)? > 0, "no line has {part:?}");
            if line.contains(part) {
                return Ok(line);
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // What it runs ends with it, unless it has ended already.
        let pid = Pid::from_raw(self.supervisor.id().cast_signed());
        let _ = kill(pid, Signal::SIGTERM);
        let _ = self.supervisor.wait();
    }
}
