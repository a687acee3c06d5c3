//! Where requests go: never through a proxy to this machine, never to a host that only looks like
//! Heroku's.

use std::io::ErrorKind;
use std::net::TcpListener;

use crate::support::supervised::{Supervise, simulator, url};

#[test]
fn no_proxy_ever_sees_a_request_to_this_machine() {
    let simulator = simulator();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    proxy.set_nonblocking(true).unwrap();
    let address = format!("http://{}", proxy.local_addr().unwrap());
    let mut supervise = Supervise::on(&simulator).options("--interval 1s --debounce 100ms");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        supervise = supervise.env(name, &address);
        supervise = supervise.env(&name.to_lowercase(), &address);
    }
    let mut run =
        supervise.script(r#"echo "url=$DATABASE_URL proxy=$HTTP_PROXY"; exec sleep 1000"#);
    let line = run.line(&url(1));
    assert!(line.ends_with(&address), "the child has its proxy: {line}");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line(&url(2));
    assert_eq!(run.terminate(), 143);
    let seen = proxy.accept().map(|(_, from)| from);
    assert_eq!(seen.unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_host_that_only_looks_right_gets_nothing() {
    for host in [
        "localhost.example.com",
        "127.0.0.1.example.com",
        "heroku.com.example.com",
        "notheroku.com",
        "http://api.heroku.com",
        "http://192.0.2.1",
    ] {
        let supervise = Supervise::nowhere().options("-a myapp");
        let mut run = supervise.env("HEROKU_HOST", host).script("echo started");
        assert_eq!(run.exit_code(), 78, "{host}: {}", run.told());
        run.log("HEROKU_HOST=");
        assert!(run.lines().is_empty(), "{host}: {}", run.told());
    }
}

#[test]
fn heroku_host_names_a_simulator_on_this_machine() {
    let simulator = simulator();
    let supervise = Supervise::nowhere().options("-a myapp --check-login never");
    let supervise = supervise.env("HEROKU_HOST", &simulator.url());
    let mut run = supervise.script(r#"echo "url=$DATABASE_URL""#);
    run.line(&url(1));
    assert_eq!(run.exit_code(), 0, "{}", run.told());
}
