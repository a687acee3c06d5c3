//! Constant HTTP load on a server of this machine: what is answered, what fails, how long nobody
//! answers.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Between a client's answer and its next request.
const PAUSE: Duration = Duration::from_millis(2);

/// A request that is not answered for this long has failed.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer is no longer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

/// How many clients ask at the same time.
#[derive(Clone, Copy, Debug)]
pub struct Clients {
    /// Those that open a connection for each request.
    pub fresh: usize,
    /// Those that keep theirs until they are told `Connection: close`.
    pub kept: usize,
}

/// What became of all requests so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// How often each body was the answer, status 200 and complete.
    pub answers: BTreeMap<String, u64>,
    /// How often each kind of failure was met. Nothing is asked twice.
    pub failures: BTreeMap<String, u64>,
    /// The longest time between an answer and the next one, whoever got them.
    pub longest_gap: Duration,
    /// The longest time from the beginning of a request, with its connection, to its answer's end.
    pub longest_latency: Duration,
    last: Option<Instant>,
}

impl Report {
    /// How many requests were answered.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.answers.values().sum()
    }

    /// How many failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    fn add(&mut self, outcome: Result<String, String>, begun: Instant) {
        let now = now();
        match outcome {
            Ok(body) => {
                let gap = self.last.map_or(Duration::ZERO, |last| now - last);
                self.longest_gap = self.longest_gap.max(gap);
                self.longest_latency = self.longest_latency.max(now - begun);
                self.last = Some(now);
                *self.answers.entry(body).or_default() += 1;
            }
            Err(kind) => *self.failures.entry(kind).or_default() += 1,
        }
    }
}

/// Clients that ask until they are stopped or dropped.
#[derive(Debug)]
pub struct Load {
    over: Arc<AtomicBool>,
    report: Arc<Mutex<Report>>,
    clients: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins to ask `GET /` of 127.0.0.1.
    #[must_use]
    pub fn start(port: u16, clients: Clients) -> Self {
        let (over, report) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let keeps = (0..clients.fresh + clients.kept).map(|number| number >= clients.fresh);
        let client = |keep| {
            let (over, report) = (Arc::clone(&over), Arc::clone(&report));
            thread::spawn(move || ask_on(port, keep, &over, &report))
        };
        let clients = keeps.map(client).collect();
        Self {
            over,
            report,
            clients,
        }
    }

    /// What became of all requests so far.
    #[must_use]
    pub fn report(&self) -> Report {
        lock(&self.report).clone()
    }

    /// Lets every client get its last answer.
    #[must_use]
    pub fn stop(mut self) -> Report {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients.drain(..) {
            // One that panicked has poisoned nothing that counts.
            let _ = client.join();
        }
        self.report()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn lock(report: &Mutex<Report>) -> MutexGuard<'_, Report> {
    report.lock().unwrap_or_else(PoisonError::into_inner)
}

fn ask_on(port: u16, keep: bool, over: &AtomicBool, report: &Mutex<Report>) {
    let mut kept = None;
    while !over.load(Ordering::Relaxed) {
        let begun = now();
        let outcome = ask(port, keep, &mut kept);
        lock(report).add(outcome, begun);
        thread::park_timeout(PAUSE);
    }
}

/// One request, on the connection that was kept, if there is one.
fn ask(port: u16, keep: bool, kept: &mut Option<BufReader<TcpStream>>) -> Result<String, String> {
    let (mut connection, age) = match kept.take() {
        Some(connection) => (connection, "kept"),
        None => {
            let connected = connect(port).map_err(|error| told("connecting", &error))?;
            (BufReader::new(connected), "new")
        }
    };
    let wish = if keep { "keep-alive" } else { "close" };
    let request = format!("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: {wish}\r\n\r\n");
    let sent = connection.get_mut().write_all(request.as_bytes());
    let answer = sent.and_then(|()| read_answer(&mut connection));
    let answer = answer.map_err(|error| told(&format!("on a {age} connection"), &error))?;
    if keep && !answer.is_last {
        *kept = Some(connection);
    }
    Ok(answer.body)
}

fn told(what: &str, error: &io::Error) -> String {
    format!("{what}: {error}")
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

struct Answer {
    body: String,
    is_last: bool,
}

fn read_answer(connection: &mut impl BufRead) -> io::Result<Answer> {
    let mut limited = connection.take(ANSWER_BYTES_MAX);
    let mut status = String::new();
    if limited.read_line(&mut status)? == 0 {
        return Err(wrong("closed without an answer"));
    }
    if !status.starts_with("HTTP/1.1 200 ") {
        return Err(wrong(&format!("the answer {:?}", status.trim_end())));
    }
    let (mut length, mut is_last) = (None, false);
    loop {
        let mut line = String::new();
        limited.read_line(&mut line)?;
        if line == "\r\n" {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            return Err(wrong("cut off in the answer's head"));
        };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().ok(),
            "connection" => is_last = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let length: usize = length.ok_or_else(|| wrong("an answer without a length"))?;
    let mut body = String::new();
    let whole = u64::try_from(length).unwrap_or(u64::MAX);
    limited.by_ref().take(whole).read_to_string(&mut body)?;
    if body.len() != length {
        return Err(wrong("cut off in the answer's body"));
    }
    Ok(Answer { body, is_last })
}

fn wrong(what: &str) -> io::Error {
    io::Error::other(what.to_owned())
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(answer: &str) -> Result<(String, bool), String> {
        match read_answer(&mut answer.as_bytes()) {
            Ok(Answer { body, is_last }) => Ok((body, is_last)),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn only_a_whole_200_is_an_answer() {
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n";
        let body = "ok".to_owned();
        assert_eq!(read(&format!("{head}\r\nok")), Ok((body.clone(), false)));
        let last = format!("{head}Connection: close\r\n\r\nok");
        assert_eq!(read(&last), Ok((body, true)));
        for (answer, part) in [
            ("", "closed without"),
            ("HTTP/1.1 503 Busy\r\n\r\n", "503"),
            ("HTTP/1.1 200 OK\r\n\r\n", "without a length"),
            ("HTTP/1.1 200 OK\r\nContent-Le", "the answer's head"),
            ("HTTP/1.1 200 OK\r\n", "the answer's head"),
            (&format!("{head}\r\no"), "the answer's body"),
        ] {
            let told = read(answer).unwrap_err();
            assert!(told.contains(part), "{answer:?}: {told}");
        }
    }

    #[test]
    fn a_gap_is_from_any_answer_to_the_next() {
        let (mut report, begun) = (Report::default(), now());
        let later = |millis| begun + Duration::from_millis(millis);
        report.add(Ok("a".to_owned()), begun);
        assert_eq!(report.longest_gap, Duration::ZERO);
        // The last answer was an hour ago.
        report.last = Some(now() - Duration::from_secs(3600));
        report.add(Err("refused".to_owned()), later(0));
        assert_eq!((report.longest_gap, report.failed()), (Duration::ZERO, 1));
        report.add(Ok("b".to_owned()), begun);
        assert!(report.longest_gap >= Duration::from_secs(3600));
        assert_eq!(report.answered(), 2);
    }
}
