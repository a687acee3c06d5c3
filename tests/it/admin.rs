//! Health checks and metrics over HTTP, of a real supervisor, for friends and others.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use changeover::testing::heroku::{Fault, Simulator};
use serde_json::Value;

use crate::raw_http::{self, Answer};
use crate::skip::skipped;
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::eventually;

const CHILD: &str = r#"echo "up $DATABASE_URL"; exec sleep 1000"#;
const PATIENCE: Duration = Duration::from_secs(20);

/// A supervisor that serves HTTP, and where.
fn served(simulator: &Simulator, options: &str) -> (Supervised, SocketAddr) {
    let supervise = Supervise::on(simulator).options(QUICK);
    let supervise = supervise.options("--check-login never --admin 127.0.0.1:0");
    let supervise = match options {
        "" => supervise,
        options => supervise.options(options),
    };
    let mut run = supervise.script(CHILD);
    let line = run.log("listening on");
    let place = line.split("listening on ").nth(1).unwrap();
    let place = place.split(", for").next().unwrap().parse().unwrap();
    (run, place)
}

fn get(place: SocketAddr, path: &str) -> Answer {
    raw_http::send(place, ("GET", path), &[], "", PATIENCE).unwrap()
}

/// The status of an answer to a request of which the host is not where it goes.
fn status(place: SocketAddr, request: &str, hosts: &[&str]) -> u16 {
    let hosts: String = hosts
        .iter()
        .map(|host| format!("Host: {host}\r\n"))
        .collect();
    let mut stream = TcpStream::connect(place).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!("{request} HTTP/1.1\r\n{hosts}\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn it_shows_what_runs_and_how_long_it_knows() {
    let simulator = simulator();
    let (mut run, place) = served(&simulator, "");
    run.line("up");
    eventually("it is ready", || get(place, "/readyz").status == 200);
    assert_eq!(get(place, "/healthz").status, 200);
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("password-2@");
    let restarted = |view: &Value| view["restarts"]["change"] == 1;
    eventually("the restart is shown", || {
        restarted(&get(place, "/status").json())
    });
    let view = get(place, "/status").json();
    assert_eq!(view["v"], 1);
    assert_eq!(view["app"], "myapp");
    assert_eq!(view["revision"]["number"], 2);
    let changed = &view["revision"]["changed"][0];
    assert_eq!(changed["variable"], "DATABASE_URL");
    assert_eq!(changed["kind"], "password");
    assert_eq!(view["heroku"]["token"], "accepted");
    assert_eq!(
        view["restarts"]["dead_times_s"].as_array().unwrap().len(),
        1
    );

    simulator.fault(Fault::Unauthorized);
    let refused = |view: &Value| view["heroku"]["token"] == "refused";
    eventually("the refusal is shown", || {
        refused(&get(place, "/status").json())
    });
    let detail = get(place, "/status").json()["heroku"]["failing"]["detail"].clone();
    let detail = detail.as_str().unwrap();
    assert!(detail.starts_with("Heroku refused the token"), "{detail}");
    assert_eq!(get(place, "/readyz").status, 200, "the child is untouched");
    let metrics = get(place, "/metrics").text();
    for line in [
        "changeover_child_up 1.0",
        "changeover_token_ok 0.0",
        "changeover_starts_total{cause=\"change\"} 1",
        "changeover_dead_time_seconds_count 1",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line}: {metrics}");
    }
    assert!(!metrics.contains("password"), "{metrics}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn it_is_not_ready_before_its_program_is() {
    let simulator = simulator();
    simulator.fault(Fault::Unavailable);
    let (mut run, place) = served(&simulator, "--ready delay:1h");
    assert_eq!(get(place, "/healthz").status, 200);
    let answer = get(place, "/readyz");
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text(), "not ready: waiting\n");
    simulator.clear_faults();
    run.line("up");
    assert_eq!(get(place, "/readyz").status, 503);
    let view = get(place, "/status").json();
    assert_eq!(view["children"][0]["state"], "starting");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn strangers_and_strange_requests_are_turned_away() {
    let simulator = simulator();
    let (mut run, place) = served(&simulator, "");
    run.line("up");
    for hosts in [
        &["evil.example.com"][..],
        &["10.0.0.1:80"],
        &["localhost", "evil.example.com"],
        &[],
    ] {
        assert_eq!(status(place, "GET /status", hosts), 421, "{hosts:?}");
    }
    let mut stream = TcpStream::connect(place).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let request = format!("{method} /status");
        assert_eq!(status(place, &request, &["127.0.0.1:1"]), 405, "{method}");
    }
    let head = raw_http::send(place, ("HEAD", "/readyz"), &[], "", PATIENCE).unwrap();
    assert_eq!((head.status, head.body.as_slice()), (200, &b""[..]));
    assert_eq!(get(place, "/").status, 404);
    for garbage in [
        &b"\x16\x03\x01\x02\x00"[..],
        b"GET\r\n\r\n",
        &[b'x'; 40_000],
    ] {
        let mut stream = TcpStream::connect(place).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may hang up before it has read all this.
        let _ = stream.write_all(garbage);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{answer}"
        );
    }
    assert_eq!(get(place, "/readyz").status, 200);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(run.lines().len(), 1, "{}", run.told());
}

#[test]
fn others_are_served_where_that_is_said() {
    let simulator = simulator();
    let (mut run, place) = served(&simulator, "--admin-allow-remote");
    run.line("up");
    assert_eq!(status(place, "GET /healthz", &["my-host:9000"]), 200);
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn slow_and_many_askers_hold_up_neither_each_other_nor_a_restart() {
    let simulator = simulator();
    let (mut run, place) = served(&simulator, "");
    run.line("up");
    let slow: Vec<TcpStream> = (0..40)
        .map(|_| {
            let mut stream = TcpStream::connect(place).unwrap();
            stream.write_all(b"GET /status HTTP/1.1\r\nHost: ").unwrap();
            stream
        })
        .collect();
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("password-2@");
    // Those that are slow make room after 5 s.
    assert_eq!(get(place, "/healthz").status, 200);
    drop(slow);
    let crowd: Vec<_> = (0..1000)
        .map(|_| {
            let thread = std::thread::Builder::new().stack_size(64 * 1024);
            let ask = move || {
                let patience = Duration::from_secs(60);
                raw_http::send(place, ("GET", "/metrics"), &[], "", patience)
            };
            thread.spawn(ask).unwrap()
        })
        .collect();
    simulator.set_config("DATABASE_URL", Some(&url(3)));
    for one in crowd {
        assert_eq!(one.join().unwrap().unwrap().status, 200);
    }
    run.line("password-3@");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(run.lines().len(), 3, "{}", run.told());
}

#[test]
fn prometheus_accepts_both_texts() {
    let simulator = simulator();
    let (mut run, place) = served(&simulator, "");
    run.line("up");
    let classic = get(place, "/metrics");
    let accept = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
    let headers = [("accept", accept)];
    let open = raw_http::send(place, ("GET", "/metrics"), &headers, "", PATIENCE).unwrap();
    assert!(open.text().ends_with("# EOF\n"), "{}", open.text());
    let promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = promtool else {
        skipped("promtool is not installed");
        return;
    };
    let mut input = promtool.stdin.take().unwrap();
    input.write_all(&classic.body).unwrap();
    drop(input);
    let output = promtool.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}\n{}", classic.text());
    assert_eq!(run.terminate(), 143, "{}", run.told());
}
