//! A real gunicorn on a socket of `--listen`, under constant requests: only when
//! `CHANGEOVER_TEST_GUNICORN` names its binary.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::skip::skipped;
use crate::support::supervised::{QUICK, Supervise, simulator, url};
use crate::support::world::eventually;

const APP: &str = "import os
def app(environ, start_response):
    start_response('200 OK', [])
    return [os.environ['DATABASE_URL'].encode()]
";

/// The body of an answer.
fn get(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split("\r\n\r\n").nth(1);
    Ok(body.unwrap_or_default().to_owned())
}

#[test]
fn gunicorn_answers_every_request_while_it_is_replaced() {
    const ENOUGH: usize = 50;
    let Some(binary) = std::env::var_os("CHANGEOVER_TEST_GUNICORN") else {
        return skipped("gunicorn: CHANGEOVER_TEST_GUNICORN names none");
    };
    let simulator = simulator();
    let run = Supervise::on(&simulator).options(QUICK);
    fs::write(run.home().join("app.py"), APP).unwrap();
    let options = format!("--listen 127.0.0.1:0 --chdir {}", run.home().display());
    let closed = ["bash", "-c", "exec 3<&-; exec \"$@\"", "sh"];
    let run = run.under(&closed).options(&options);
    let mut run = run.program(&[binary.to_str().unwrap(), "app:app"]);
    let line = run.log("listening on 127.0.0.1:");
    let port = line.split("127.0.0.1:").nth(1).unwrap();
    let port: u16 = port.split(',').next().unwrap().parse().unwrap();
    let (got, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = get(port).map_err(|error| error.to_string());
                    got.lock().unwrap().push(answer);
                }
            });
        }
        let enough = |number| {
            let got = got.lock().unwrap();
            let same = got.iter().filter(|one| **one == Ok(url(number)));
            same.count() >= ENOUGH || got.iter().any(Result::is_err)
        };
        eventually("the first answers", || enough(1));
        simulator.set_config("DATABASE_URL", Some(&url(2)));
        eventually("the second answers", || enough(2));
        over.store(true, Ordering::Relaxed);
    });
    let got = got.into_inner().unwrap();
    let wrong = got
        .iter()
        .find(|one| ![Ok(url(1)), Ok(url(2))].contains(one));
    assert_eq!(wrong, None, "{}", run.told());
    assert_eq!(run.terminate(), 0, "{}", run.told());
}
