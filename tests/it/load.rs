//! Credentials that change again and again under a constant load of requests: with `--listen` none
//! of them fails, whatever comes first. `cargo bench --bench load` does the same for longer.

use std::fs;

use changeover::testing::load::{Clients, Load};

use crate::child;
use crate::skip::skipped;
use crate::support::supervised::{Supervise, Supervised, simulator, url};
use crate::support::world::eventually;

/// Of each program, this many answers are awaited.
const ENOUGH: u64 = 20;
const CLIENTS: Clients = Clients { fresh: 3, kept: 3 };
/// Whoever runs the tests may have something open where the socket belongs.
const CLOSED: [&str; 4] = ["bash", "-c", "exec 3<&-; exec \"$@\"", "sh"];
const STOP_FIRST: &str = "--order stop-first";
const START_FIRST: &str = "--order start-first --ready notify";

const APP: &str = "import os
def app(environ, start_response):
    body = os.environ['DATABASE_URL'].encode()
    start_response('200 OK', [('Content-Length', str(len(body)))])
    return [body]
";

/// A worker that has loaded the application says so; nobody listens to later ones.
const HOOK: &str = "import os
def post_worker_init(worker):
    try:
        os.write(4, b'\\n')
    except OSError:
        pass
";

/// Changes the credential this often; each time, the new program answers and the old one ends.
fn change_under_load(changes: u32, options: &str, program: &[&str]) {
    let simulator = simulator();
    let run = Supervise::on(&simulator).under(&CLOSED);
    let home = run.home();
    fs::write(home.join("app.py"), APP).unwrap();
    fs::write(home.join("ready.py"), HOOK).unwrap();
    let options = format!("{options} --listen 127.0.0.1:0 --chdir {}", home.display());
    let quick = "--interval 1s --debounce 0s --check-login never";
    let mut run = run.options(quick).options(&options).program(program);
    let load = Load::start(port(&mut run), CLIENTS);
    let enough = |number: u32| {
        let report = load.report();
        let answers = report.answers.get(&url(number)).copied();
        answers.unwrap_or_default() >= ENOUGH || report.failed() > 0
    };
    eventually("the first answers", || enough(1));
    for number in 2..=changes + 1 {
        simulator.set_config("DATABASE_URL", Some(&url(number)));
        run.log("exited 0");
        eventually("the new program's answers", || enough(number));
    }
    let report = load.stop();
    assert_eq!(report.failures.len(), 0, "{report:?}\n{}", run.told());
    let answering = u32::try_from(report.answers.len()).unwrap();
    assert_eq!(answering, changes + 1, "{report:?}");
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

fn port(run: &mut Supervised) -> u16 {
    let line = run.log("listening on 127.0.0.1:");
    let rest = line.split("127.0.0.1:").nth(1).unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

#[test]
fn a_server_that_drains_loses_no_request_stop_first() {
    let server = child::web_server();
    change_under_load(5, STOP_FIRST, &server.each_ref().map(String::as_str));
}

#[test]
fn a_server_that_drains_loses_no_request_start_first() {
    let server = child::web_server();
    change_under_load(5, START_FIRST, &server.each_ref().map(String::as_str));
}

/// A real gunicorn with these options of its own, when `CHANGEOVER_TEST_GUNICORN` names its binary.
fn gunicorn(options: &str, own: &[&str]) {
    let Some(binary) = std::env::var_os("CHANGEOVER_TEST_GUNICORN") else {
        return skipped("gunicorn: CHANGEOVER_TEST_GUNICORN names none");
    };
    let binary = binary.to_str().unwrap();
    change_under_load(4, options, &[&[binary], own, &["app:app"]].concat());
}

#[test]
fn gunicorn_loses_no_request_stop_first() {
    gunicorn(STOP_FIRST, &[]);
}

#[test]
fn gunicorn_loses_no_request_start_first() {
    gunicorn(START_FIRST, &["--preload"]);
}

#[test]
fn gunicorn_that_keeps_connections_loses_no_request_start_first() {
    gunicorn(START_FIRST, &["--preload", "--threads", "4"]);
}

#[test]
fn gunicorn_whose_workers_say_that_they_are_ready_loses_no_request_start_first() {
    let options = "--order start-first --ready fd:4";
    gunicorn(options, &["-c", "ready.py", "--workers", "2"]);
}
