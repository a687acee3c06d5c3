//! `--ready`, `--ready-timeout` and `--watchdog`.

use crate::supervisor::readiness::{Endpoint, Page, Readiness};

use super::*;

fn ready(value: &str) -> Readiness {
    run(&format!("--ready|{value}")).ready.how
}

fn endpoint(host: &str, port: u16) -> Endpoint {
    let host = host.to_owned();
    Endpoint { host, port }
}

fn page(host: &str, port: u16, path: &str) -> Readiness {
    Readiness::Http(Page {
        endpoint: endpoint(host, port),
        path: path.to_owned(),
    })
}

#[test]
fn every_way_to_be_ready() {
    let default = run("").ready;
    assert_eq!(default.how, Readiness::None);
    assert_eq!(default.timeout, seconds(60));
    assert_eq!(ready("none"), Readiness::None);
    assert_eq!(ready("notify"), Readiness::Notify { watchdog: None });
    let watchdog = run("--ready|notify|--watchdog|30s").ready.how;
    let every = Some(seconds(30));
    assert_eq!(watchdog, Readiness::Notify { watchdog: every });
    assert_eq!(ready("fd:3"), Readiness::Descriptor(3));
    assert_eq!(ready("delay:2s"), Readiness::Delay(seconds(2)));
    assert_eq!(
        run("--ready|delay:5s|--ready-timeout|5m").ready.timeout,
        seconds(300)
    );
}

#[test]
fn addresses_and_pages() {
    let tcp = |host, port| Readiness::Tcp(endpoint(host, port));
    assert_eq!(ready("tcp:localhost:80"), tcp("localhost", 80));
    assert_eq!(ready("tcp:10.0.0.1:65535"), tcp("10.0.0.1", 65535));
    assert_eq!(ready("tcp:[::1]:80"), tcp("::1", 80));
    assert_eq!(ready("http://h:8080/a?b=c"), page("h", 8080, "/a?b=c"));
    assert_eq!(ready("http:http://h:8080/a"), page("h", 8080, "/a"));
    assert_eq!(ready("http://h"), page("h", 80, "/"));
    assert_eq!(ready("http://[::1]/up"), page("::1", 80, "/up"));
    assert_eq!(ready("http://[::1]:81?x"), page("::1", 81, "/?x"));
}

#[test]
fn what_is_no_way_to_be_ready() {
    assert_eq!(
        refused("--ready|http:https://h/up"),
        "--ready (CHANGEOVER_READY) is a URL (not shown) on the command line, and readiness is asked without TLS: \
         write a plain http:// URL of the program itself, or tcp:HOST:PORT for its TLS port"
    );
    for (value, part) in [
        ("", "write none, notify, fd:N, tcp:HOST:PORT, http://"),
        ("yes", "write none, notify, fd:N"),
        ("exec:true", "write none, notify, fd:N"),
        ("https://h/up", "without TLS"),
        ("http:h:80/up", "no URL"),
        ("http://:80/up", "no host stands before the port"),
        ("http://u:p@h/up", "is no port"),
        ("http://u@h/up", "the host is missing"),
        ("http://h/a b", "cannot be asked for"),
        ("http://h/ä", "cannot be asked for"),
        ("http://h/a#b", "cannot be asked for"),
        ("fd:1", "standard input, output or error"),
        ("fd:64", "from 3 to 63"),
        ("fd:-1", "from 3 to 63"),
        ("fd:", "from 3 to 63"),
        ("tcp:localhost", "the port is missing"),
        ("tcp:[::1]", "the port is missing"),
        ("tcp::80", "no host stands before the port"),
        ("tcp:::1:80", "no host stands before the port"),
        ("tcp:h:0", "is no port"),
        ("tcp:h:65536", "is no port"),
        ("delay:5", "without a unit"),
        ("delay:soon", "no duration"),
    ] {
        let error = refused(&format!("--ready={value}"));
        assert!(error.contains(part), "{value}: {error}");
    }
    assert!(refused("--ready-timeout|0s").contains("too short"));
}

#[test]
fn a_watchdog_hears_only_what_notify_passes_on() {
    assert_eq!(
        refused("--ready|fd:3|--watchdog|5s"),
        "--watchdog (CHANGEOVER_WATCHDOG) is \"5s\" on the command line, and only a program that is started with \
         --ready notify can answer it, so it would be taken for dead: add --ready notify, or leave --watchdog out"
    );
    assert!(refused("--watchdog|5s").contains("--ready notify"));
    assert!(refused("--ready|notify|--watchdog|999ms").contains("too short"));
}

#[test]
fn start_first_needs_to_know_when_the_new_program_serves() {
    assert_eq!(
        refused("--order|start-first"),
        "--order (CHANGEOVER_ORDER) is start-first, and nothing says when the new program serves and the old one may \
         end: add --ready, such as --ready notify, or leave --order out"
    );
    let change = run("--order|start-first|--ready|delay:5s").change;
    assert_eq!(change.order, Order::StartFirst);
}

#[test]
fn an_address_that_listen_keeps_open_says_nothing_of_a_program() {
    assert_eq!(
        refused("--listen|127.0.0.1:80|--ready|tcp:127.0.0.1:80"),
        "--ready (CHANGEOVER_READY) asks 127.0.0.1:80, and there a socket of --listen accepts \
         connections even while no program runs, so every program would count as serving at \
         once: use --ready notify, fd:N or delay:TIME, or ask at an address that is the \
         program's own"
    );
    let start_first = "--order|start-first|--listen|127.0.0.1:80|--ready|http://127.0.0.1/up";
    assert!(refused(start_first).contains("taken for the new one's"));
    // Here only the new one can answer.
    run("--listen|127.0.0.1:80|--ready|http://127.0.0.1/up");
    for (bound, asked) in [
        (":80", "h:80"),
        ("0.0.0.0:80", "h:80"),
        ("[::]:80", "h:80"),
        ("[::1]:80", "localhost:80"),
        ("LocalHost:80", "127.0.0.2:80"),
        ("127.0.0.1:80", "0.0.0.0:80"),
        ("h.example:80", "H.example:80"),
        ("/run/a.sock,web=:80", "localhost:80"),
    ] {
        let told = refused(&format!("--listen|{bound}|--ready|tcp:{asked}"));
        assert!(told.contains("asks"), "{bound} {asked}: {told}");
    }
    for (bound, asked) in [
        (":80", "localhost:81"),
        ("127.0.0.1:80", "127.0.0.2:80"),
        ("10.0.0.1:80", "localhost:80"),
        ("h:80", "localhost:80"),
        ("/run/a.sock", "localhost:80"),
    ] {
        run(&format!("--listen|{bound}|--ready|tcp:{asked}"));
    }
}
