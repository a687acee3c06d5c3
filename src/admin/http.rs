//! HTTP for health checks and scrapers: `/healthz`, `/readyz`, `/metrics` and `/status`.
//!
//! GET and HEAD only; one request for each connection, 5 s and 16 KiB for all of it, and 32 of them
//! at once. `Host` must name this machine, unless it is served to others: a page in somebody's
//! browser that makes its own name lead here is not answered.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, Version};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::accept::{self, Listener as _};

use super::{Question, View, ask, metrics};

/// Everybody else waits in the socket.
const CONNECTIONS_MAX: usize = 32;
/// For a whole request and its answer.
const TIME_MAX: Duration = Duration::from_secs(5);
/// A loop that needs longer than this is not well.
const LOOP_TIME_MAX: Duration = Duration::from_secs(4);
/// A request's head must fit.
const HEAD_BYTES_MAX: usize = 16 * 1024;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// This machine: `Host` must name it.
    Local,
    /// `--admin-allow-remote`: whoever reaches it.
    Anybody,
}

/// A socket that is bound and listens.
#[derive(Debug)]
pub struct Http {
    socket: OwnedFd,
    audience: Audience,
}

impl Http {
    /// On this TCP socket.
    #[must_use]
    pub fn new(socket: OwnedFd, audience: Audience) -> Self {
        Self { socket, audience }
    }

    /// Answers as long as somebody listens to the questions.
    ///
    /// # Errors
    /// When the event loop refuses the socket.
    pub async fn serve(self, questions: mpsc::Sender<Question>) -> io::Result<()> {
        let audience = self.audience;
        let attend = |stream| attend(stream, audience, questions.clone());
        accept::each(TcpListener::new(self.socket)?, CONNECTIONS_MAX, attend).await;
        Ok(())
    }
}

/// One connection, from its first byte to its end.
async fn attend(stream: TcpStream, audience: Audience, questions: mpsc::Sender<Question>) {
    let questions = &questions;
    let service = service_fn(|request| async move {
        let answer = answer(&request, audience, questions).await;
        Ok::<_, Infallible>(answer)
    });
    let mut builder = http1::Builder::new();
    builder.keep_alive(false).max_buf_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    // Slow, gone or no HTTP: it is the other side's business.
    let _ = timeout(TIME_MAX, connection).await;
}

async fn answer(
    request: &Request<Incoming>,
    audience: Audience,
    questions: &mpsc::Sender<Question>,
) -> Response<String> {
    if audience == Audience::Local && !names_this_machine(request) {
        let why = "Host names another machine: ask for localhost\n";
        return page(StatusCode::MISDIRECTED_REQUEST, TEXT, why.to_owned());
    }
    // Of an answer to HEAD nothing is sent but its head.
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let why = "only GET and HEAD\n".to_owned();
        let mut refusal = page(StatusCode::METHOD_NOT_ALLOWED, TEXT, why);
        let allow = HeaderValue::from_static("GET, HEAD");
        refusal.headers_mut().insert(ALLOW, allow);
        return refusal;
    }
    let path = request.uri().path();
    let found = match path {
        "/healthz" => look(questions)
            .await
            .map(|_| page(StatusCode::OK, TEXT, "ok\n".to_owned())),
        "/readyz" => look(questions).await.map(|view| match view.serving {
            true => page(StatusCode::OK, TEXT, "ready\n".to_owned()),
            false => {
                let text = format!("not ready: {}\n", view.phase);
                page(StatusCode::SERVICE_UNAVAILABLE, TEXT, text)
            }
        }),
        "/status" => look(questions).await.map(|view| {
            let text = serde_json::to_string_pretty(&view).unwrap_or_default();
            page(StatusCode::OK, JSON, text + "\n")
        }),
        "/metrics" => {
            let text = ask(questions, LOOP_TIME_MAX, Question::Metrics).await;
            text.ok().map(|text| match wants_open_metrics(request) {
                true => page(StatusCode::OK, OPEN_METRICS, text),
                false => page(StatusCode::OK, CLASSIC, metrics::classic(&text)),
            })
        }
        _ => {
            let text = "there is /healthz, /readyz, /metrics and /status\n";
            Some(page(StatusCode::NOT_FOUND, TEXT, text.to_owned()))
        }
    };
    found.unwrap_or_else(|| {
        let text = "changeover's loop does not answer\n";
        page(StatusCode::SERVICE_UNAVAILABLE, TEXT, text.to_owned())
    })
}

/// `None` when the loop does not answer in time, or has ended.
async fn look(questions: &mpsc::Sender<Question>) -> Option<Box<View>> {
    ask(questions, LOOP_TIME_MAX, Question::Look).await.ok()
}

fn wants_open_metrics(request: &Request<Incoming>) -> bool {
    let accepted = request.headers().get(ACCEPT);
    let accepted = accepted.and_then(|accepted| accepted.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains("application/openmetrics-text"))
}

pub(crate) fn names_this_machine<B>(request: &Request<B>) -> bool {
    let mut hosts = request.headers().get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().is_ok_and(is_local),
        // HTTP/1.0, as some health checks still speak it: no browser does.
        (None, _) => request.version() == Version::HTTP_10,
        (Some(_), Some(_)) => false,
    }
}

/// `localhost`, or a loopback address; with or without a port.
fn is_local(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let address = address.parse::<Ipv6Addr>();
            let port = rest.strip_prefix(':').or(rest.is_empty().then_some(""));
            address.is_ok_and(|address| address.is_loopback()) && port.is_some_and(is_port)
        }
        None => {
            let (name, port) = host.split_once(':').unwrap_or((host, ""));
            let address = name.parse::<Ipv4Addr>();
            let is_us = name.eq_ignore_ascii_case("localhost")
                || address.is_ok_and(|address| address.is_loopback());
            is_us && is_port(port)
        }
    }
}

/// A number, or nothing; no sign, which Rust would read.
fn is_port(port: &str) -> bool {
    let is_number = port.bytes().all(|digit| digit.is_ascii_digit());
    is_number && (port.is_empty() || port.parse::<u16>().is_ok())
}

fn page(status: StatusCode, kind: &'static str, text: String) -> Response<String> {
    let mut page = Response::new(text);
    *page.status_mut() = status;
    let headers = page.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_meant() {
        for local in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1",
            "127.1.2.3:9000",
            "[::1]:1",
        ] {
            assert!(is_local(local), "{local}");
        }
        for other in [
            "",
            "example.com",
            "10.0.0.1:80",
            "[::2]",
            "localhost.example.com",
            "0.0.0.0",
            "[::1",
            "[::1]x",
            "localhost:80:x",
            "localhost:65536",
            "localhost:+80",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }
}
