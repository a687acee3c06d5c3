//! `--webhook-listen`: who is believed, what that brings about, and what nobody can bring about.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use changeover::testing::heroku::{RequestRecord, Simulator};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::support;
use crate::support::supervised::{Supervise, Supervised, simulator, url};
use crate::support::world::eventually;

const SECRET: &str = "s3cret of the webhook";

/// Polls by itself only when these tests are long over.
const RARELY: &str = "--interval 10m --debounce 100ms --check-login never -v";

/// As Heroku tells of a rotation, cut short.
const RELEASE: &str = r#"{"action":"create","actor":{"email":"heroku-postgresql@addons.heroku.com"},
"data":{"app":{"name":"myapp"},"description":"Update DATABASE by heroku-postgresql","status":"succeeded"},
"resource":"release","sequence":null,"webhook_metadata":{"event":{"include":"api:release"}}}"#;

fn sign(secret: &str, body: &str) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    let signature = mac.chain_update(body).finalize().into_bytes();
    BASE64_STANDARD.encode(signature)
}

fn post(body: &str, signature: &str) -> String {
    request(
        "POST /webhook",
        &format!("Heroku-Webhook-Hmac-SHA256: {signature}\r\n"),
        body,
    )
}

fn request(what: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("{what} HTTP/1.1\r\nHost: hooks\r\n{headers}Content-Length: {length}\r\n\r\n{body}")
}

/// One request; the status of its answer.
fn send(mut stream: impl Read + Write, request: &str) -> io::Result<u16> {
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    status.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

struct Host {
    run: Supervised,
    port: u16,
    secret: PathBuf,
}

impl Host {
    fn start(simulator: &Simulator, options: &str) -> Self {
        let run = Supervise::on(simulator).options(RARELY);
        let secret = run.home().join("secret");
        support::write(&secret, 0o600, &format!("{SECRET}\n"));
        let named = format!("--webhook-secret-file {}", secret.display());
        let run = run.options(&named).options(options);
        let mut run = run.script(r#"echo "url=$DATABASE_URL"; sleep 1000 & wait"#);
        let told = run.log("for webhooks: POST /webhook");
        let port = told.split("127.0.0.1:").nth(1).unwrap_or("0,");
        let port = port.split(',').next().unwrap().parse().unwrap();
        run.line("url=");
        Self { run, port, secret }
    }

    fn on_tcp(simulator: &Simulator) -> Self {
        Self::start(simulator, "--webhook-listen 127.0.0.1:0")
    }

    fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        stream
    }

    fn send(&self, request: &str) -> u16 {
        send(self.stream(), request).unwrap()
    }

    /// A webhook that is to be believed.
    fn deliver(&self, body: &str) -> u16 {
        self.send(&post(body, &sign(SECRET, body)))
    }
}

/// How long after the first webhook each request came that is no poll of the start.
fn asked(simulator: &Simulator) -> Vec<Duration> {
    let all = simulator.requests();
    all[1..]
        .iter()
        .map(|request| request.at - all[1].at)
        .collect()
}

#[test]
fn a_webhook_is_answered_at_once_and_heroku_is_asked_three_times() {
    let simulator = simulator();
    let mut host = Host::on_tcp(&simulator);
    assert_eq!(simulator.request_count(), 1);
    // It does not say what changed, or that anything did.
    assert_eq!(host.deliver(RELEASE), 204);
    eventually("Heroku is asked", || simulator.request_count() == 2);
    // What it tells of comes late.
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    host.run.line(&format!("url={}", url(2)));
    // The third is the debounce's.
    eventually("and again", || simulator.request_count() == 5);
    let asked = asked(&simulator);
    let within = |at: Duration, from, to| (from..to).contains(&at.as_secs());
    // Nobody is punctual on a busy machine.
    assert!(
        within(asked[1], 4, 20) && within(asked[3], 28, 50),
        "{asked:?}"
    );
    let unconditional = |request: &RequestRecord| request.if_none_match.is_none();
    assert!(simulator.requests().iter().all(unconditional));
    host.run.log("a webhook came");
}

/// What is in it is nobody's business here: an event of another kind or app, an old one again, no
/// JSON at all.
#[test]
fn whoever_knows_the_secret_is_believed_and_nobody_else() {
    let simulator = simulator();
    let mut host = Host::on_tcp(&simulator);
    let signed = sign(SECRET, RELEASE);
    let header = format!("heroku-webhook-hmac-sha256: {signed}\r\n");
    for (request, status) in [
        (post(RELEASE, &sign("another", RELEASE)), 403),
        (post(&RELEASE.replace("create", "update"), &signed), 403),
        (post(&format!("{RELEASE}\n"), &signed), 403),
        (post(RELEASE, ""), 403),
        (post(RELEASE, &signed[1..]), 403),
        (post("", &signed), 403),
        (request("POST /webhook", "", RELEASE), 401),
        (
            request("POST /webhook", &format!("{header}{header}"), RELEASE),
            401,
        ),
        (request("POST /", &header, RELEASE), 404),
        (request("POST /webhook/", &header, RELEASE), 404),
        (request("GET /metrics", "", ""), 404),
        (request("GET /webhook", "", ""), 405),
        (request("PUT /webhook", &header, RELEASE), 405),
    ] {
        assert_eq!(host.send(&request), status, "{request}");
    }
    let long = "x".repeat(64 * 1024 + 1);
    assert_eq!(host.deliver(&long), 413);
    assert_eq!(host.deliver(&"x".repeat(2_000_000)), 413);
    assert_eq!(simulator.request_count(), 1, "{}", host.run.told());
    for body in ["", "null", &long[1..], RELEASE, RELEASE] {
        assert_eq!(host.deliver(body), 204);
    }
    let signed = post(RELEASE, &signed);
    assert_eq!(host.send(&signed.replace("/webhook", "/webhook?a=b")), 204);
    // As proxies send it.
    assert_eq!(host.send(&signed.replace("HTTP/1.1", "HTTP/1.0")), 204);
    let length = RELEASE.len();
    let chunked = signed
        .replace(
            &format!("Content-Length: {length}"),
            "Transfer-Encoding: chunked",
        )
        .replace(RELEASE, &format!("{length:x}\r\n{RELEASE}\r\n0\r\n\r\n"));
    assert_eq!(host.send(&chunked), 204);
    assert_eq!(host.run.terminate(), 143);
    let log = host.run.logs();
    let lines = |part: &str| log.iter().filter(|line| line.contains(part)).count();
    assert_eq!(lines("a webhook came"), 8, "{}", host.run.told());
    assert_eq!(lines("was refused, so"), 8, "{}", host.run.told());
    let warned = |line: &&String| line.contains("WARN") && line.contains("was refused, so");
    assert_eq!(log.iter().filter(warned).count(), 1, "{}", host.run.told());
    for secret in [SECRET, "another", &signed] {
        assert!(!host.run.told().contains(secret), "{}", host.run.told());
    }
}

#[test]
fn ten_thousand_webhooks_are_a_few_requests() {
    const SENDERS: usize = 8;
    let simulator = simulator();
    let host = Host::on_tcp(&simulator);
    let request = post(RELEASE, &sign(SECRET, RELEASE));
    thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                for _ in 0..10_000 / SENDERS {
                    assert_eq!(host.send(&request), 204);
                }
            });
        }
    });
    let asked = asked(&simulator);
    assert!(!asked.is_empty());
    // At 0 and 5 s of a series, and then the next begins, at 10.
    let too_soon = |three: &[Duration]| three[2] - three[0] < Duration::from_secs(9);
    assert!(!asked.windows(3).any(too_soon), "{asked:?}");
}

#[test]
fn whoever_is_slow_is_cut_off() {
    let simulator = simulator();
    let host = Host::on_tcp(&simulator);
    let request = post(RELEASE, &sign(SECRET, RELEASE));
    let (start, rest) = request.split_at(1);
    let half = &request[..request.len() - 1];
    // More than are served at once: some begin to be slow when others are through.
    let mut slow: Vec<TcpStream> = (0..20).map(|_| host.stream()).collect();
    for (stream, part) in slow.iter_mut().zip([start, half].into_iter().cycle()) {
        stream.write_all(part.as_bytes()).unwrap();
    }
    // Whoever is not is served all the same, a few seconds later.
    assert_eq!(host.send(&request), 204);
    for mut stream in slow {
        let mut answer = String::new();
        let end = stream.read_to_string(&mut answer);
        assert!(matches!(end, Ok(0)), "{end:?} {answer}");
        // Too late.
        let _ = stream.write_all(rest.as_bytes());
    }
}

#[test]
fn on_a_unix_socket() {
    let simulator = simulator();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("hooks.sock");
    // An earlier life's, which nobody listens on.
    drop(UnixListener::bind(&path).unwrap());
    let mut host = Host::start(&simulator, &format!("--webhook-listen {}", path.display()));
    let request = post(RELEASE, &sign(SECRET, RELEASE));
    let stream = || UnixStream::connect(&path).unwrap();
    assert_eq!(send(stream(), &request).unwrap(), 204);
    eventually("Heroku is asked", || simulator.request_count() == 2);
    assert_eq!(send(stream(), &post(RELEASE, "AAAA")).unwrap(), 403);
    assert_eq!(host.run.terminate(), 143, "{}", host.run.told());
    assert!(!path.exists(), "its file went with it");
}

#[test]
fn the_secret_is_read_again_when_its_file_changes() {
    let simulator = simulator();
    let mut host = Host::on_tcp(&simulator);
    let with = |secret: &str| post(RELEASE, &sign(secret, RELEASE));
    assert_eq!(host.send(&with("new")), 403);
    support::write(&host.secret, 0o600, "new");
    assert_eq!(host.send(&with("new")), 204);
    assert_eq!(host.send(&with(SECRET)), 403);
    // What others can write is nobody's secret: Heroku tries again later.
    support::write(&host.secret, 0o622, "new");
    assert_eq!(host.send(&with("new")), 503);
    host.run.log("can be written by others");
    fs::remove_file(&host.secret).unwrap();
    assert_eq!(host.send(&with("new")), 503);
    host.run.log("does not exist");
    support::write(&host.secret, 0o600, "new");
    assert_eq!(host.send(&with("new")), 204);
}

#[test]
fn what_cannot_work_is_told_before_anything_is_started() {
    let simulator = simulator();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let refused = |listen: &str, mode: u32, text: &str, told: &str| {
        let run = Supervise::on(&simulator);
        let secret = run.home().join("secret");
        support::write(&secret, mode, text);
        let secret = secret.display();
        let line = format!("--webhook-listen {listen} --webhook-secret-file {secret}");
        let mut run = run.options(&line).script("echo started");
        assert_eq!(run.exit_code(), 78, "{}", run.told());
        assert!(run.told().contains(told), "{told}: {}", run.told());
        assert!(run.lines().is_empty(), "{}", run.told());
    };
    let names =
        format!("--webhook-listen (CHANGEOVER_WEBHOOK_LISTEN) names {taken}, which another");
    refused(&taken, 0o600, SECRET, &names);
    let anywhere = "127.0.0.1:0";
    refused(anywhere, 0o600, "\n", "is empty, so nobody can tell");
    refused(anywhere, 0o606, SECRET, "can be written by others");
    let missing = "--webhook-listen :0 --webhook-secret-file /nonexistent/secret";
    let mut run = Supervise::on(&simulator)
        .options(missing)
        .script("echo started");
    assert_eq!(run.exit_code(), 78, "{}", run.told());
    assert_eq!(simulator.request_count(), 0);
    assert!(!Path::new("/nonexistent").exists());
}
