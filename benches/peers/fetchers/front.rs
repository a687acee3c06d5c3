//! A server of HTTP on loopback that can be told to misbehave: one request a connection, a thread
//! each.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, ensure};
use nix::sys::socket::{setsockopt, sockopt::Linger};

use crate::api::Trouble;

const HEAD_MAX: usize = 16 * 1024;
/// In the words of Doppler and of OpenBao.
const PROBLEM: &str = r#"{"success":false,"messages":["simulated"],"errors":["simulated"]}"#;

/// What a client has sent so far: the head, and what has come with it.
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) bytes: Vec<u8>,
}

/// What is told to misbehave.
pub(crate) trait Answers: Send + Sync + 'static {
    /// Whether this path is the credential's: only there it misbehaves.
    fn is_concerned(&self, path: &str) -> bool;

    /// A good answer's body, but for the credential, which is empty.
    fn emptied(&self) -> String;

    fn answer(&self, request: &Request, stream: TcpStream) -> io::Result<()>;
}

#[derive(Default)]
struct State {
    trouble: Mutex<Option<Trouble>>,
    asked: AtomicUsize,
    stopped: AtomicBool,
}

/// The running server. Dropping it stops it.
pub(crate) struct Front {
    address: SocketAddr,
    state: Arc<State>,
}

impl Front {
    pub(crate) fn start(answers: Arc<impl Answers>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let front = Self {
            address: listener.local_addr()?,
            state: Arc::default(),
        };
        let state = Arc::clone(&front.state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if state.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (answers, state) = (Arc::clone(&answers), Arc::clone(&state));
                // A client that goes away in the middle is its own affair.
                thread::spawn(move || stream.and_then(|stream| serve(stream, &*answers, &state)));
            }
        });
        Ok(front)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many requests were for the credential.
    pub(crate) fn asked(&self) -> usize {
        self.state.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn misbehave(&self, trouble: Option<Trouble>) {
        *self.state.trouble() = trouble;
    }
}

impl State {
    fn trouble(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Relaxed);
        // It looks when somebody comes.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, answers: &impl Answers, state: &State) -> io::Result<()> {
    let request = read(&mut stream)?;
    let is_concerned = answers.is_concerned(&request.path);
    state
        .asked
        .fetch_add(usize::from(is_concerned), Ordering::Relaxed);
    let trouble = *state.trouble();
    let Some(trouble) = trouble.filter(|_| is_concerned) else {
        return answers.answer(&request, stream);
    };
    match trouble {
        Trouble::Unauthorized => json(&mut stream, "401 Unauthorized", PROBLEM),
        Trouble::Forbidden => json(&mut stream, "403 Forbidden", PROBLEM),
        Trouble::NotFound => json(&mut stream, "404 Not Found", PROBLEM),
        Trouble::RateLimited => json(&mut stream, "429 Too Many Requests", PROBLEM),
        Trouble::ServerError => json(&mut stream, "500 Internal Server Error", PROBLEM),
        Trouble::Unavailable => {
            let page = "<!DOCTYPE html>\n<html><title>503</title>Service Unavailable</html>\n";
            respond(&mut stream, "503 Service Unavailable", "text/html", page)
        }
        Trouble::Empty => json(&mut stream, "200 OK", &answers.emptied()),
        Trouble::Hang => stream.read(&mut [0]).map(drop),
        Trouble::Reset => reset(&stream),
        Trouble::Garbage => json(&mut stream, "200 OK", "this is no JSON"),
    }
}

fn read(stream: &mut TcpStream) -> io::Result<Request> {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut part = [0; 4096];
        let length = stream.read(&mut part)?;
        if length == 0 || bytes.len() > HEAD_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        bytes.extend(&part[..length]);
    }
    let head = String::from_utf8_lossy(&bytes);
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok(Request { path, bytes })
}

/// An answer in JSON.
pub(crate) fn json(stream: &mut TcpStream, status: &str, body: &str) -> io::Result<()> {
    respond(stream, status, "application/json", body)
}

fn respond(stream: &mut TcpStream, status: &str, kind: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes())
}

/// The client gets a reset, whatever it waits for.
pub(crate) fn reset(stream: &TcpStream) -> io::Result<()> {
    let at_once = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    setsockopt(stream, Linger, &at_once)?;
    Ok(())
}

/// One request made by hand, in which a body is JSON; the answer's body.
pub(crate) fn ask(to: SocketAddr, request: &str, token: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(to)?;
    let length = body.len();
    write!(
        stream,
        "{request} HTTP/1.1\r\nhost: {to}\r\nx-vault-token: {token}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 2"), "{request}: {answer}");
    let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
    Ok(body.to_owned())
}
