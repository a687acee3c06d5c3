//! ASKS the child, from outside, whether it serves: a connection, or a page.
//!
//! What the child says of itself comes through `process` (`notify.rs`, `ready_pipe.rs`).
//!
//! **Invariant:** nothing here decides. How long an instance has is the core's; a question goes on
//! until somebody answers or whoever asks loses interest.
//!
//! Whoever answers at that address counts. While an older instance, or a stranger, still listens
//! there, the answer is theirs: only an address that is the new instance's own says something
//! about it.

mod http;
mod tcp;

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::supervisor::readiness::{Endpoint, Page};

/// One attempt, from the look-up of the name to the answer.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// Between the first attempts: what is late in learning that it serves is late in serving.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Between later ones.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// Each pause is longer than the last by a tenth, so that readiness is never seen later than after
/// about a tenth of the time that it took (and an attempt).
const GROWTH: f64 = 1.1;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Whoever accepts a connection.
    Tcp(Endpoint),
    /// Whoever answers with 2xx.
    Http(Page),
}

/// Asks again and again, and returns when the answer is that it serves. `failed` is told why it is
/// not, in one phrase (`connection refused`, `503`), whenever the reason is another. Drop it to
/// stop asking.
pub async fn until_ready(probe: &Probe, mut failed: impl FnMut(&str)) {
    let mut pause = PAUSE_MIN;
    let mut reason = String::new();
    while let Err(why) = attempt(probe).await {
        if why != reason {
            failed(&why);
            reason = why;
        }
        sleep(pause).await;
        pause = pause.mul_f64(GROWTH).min(PAUSE_MAX);
    }
}

async fn attempt(probe: &Probe) -> Result<(), String> {
    let answer = async {
        match probe {
            Probe::Tcp(endpoint) => tcp::connect(endpoint).await.map(drop),
            Probe::Http(page) => http::get(page).await,
        }
    };
    let in_time = timeout(ATTEMPT_TIMEOUT, answer).await;
    in_time.unwrap_or_else(|_| Err(format!("no answer within {ATTEMPT_TIMEOUT:?}")))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpSocket, TcpStream};
    use tokio::runtime;

    use super::*;

    const LOCAL: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

    fn run<T>(test: impl Future<Output = T>) -> T {
        let mut builder = runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap().block_on(test)
    }

    fn named(address: SocketAddr) -> Endpoint {
        Endpoint {
            host: address.ip().to_string(),
            port: address.port(),
        }
    }

    fn endpoint(listener: &TcpListener) -> Endpoint {
        named(listener.local_addr().unwrap())
    }

    fn page(listener: &TcpListener) -> Probe {
        Probe::Http(Page {
            endpoint: endpoint(listener),
            path: "/up?deep=1".to_owned(),
        })
    }

    async fn listener() -> TcpListener {
        TcpListener::bind(LOCAL).await.unwrap()
    }

    /// Answers one request and returns its head.
    async fn answer(stream: &mut TcpStream, answer: &[u8]) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // A client that has seen enough may be gone.
        let _ = stream.write_all(answer).await;
        String::from_utf8(head).unwrap()
    }

    async fn outcome(response: &[u8]) -> Result<(), String> {
        let listener = listener().await;
        let probe = page(&listener);
        let serve = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            answer(&mut stream, response).await
        };
        let (outcome, _) = tokio::join!(attempt(&probe), serve);
        outcome
    }

    #[test]
    fn a_connection_is_enough_for_tcp_and_is_closed_at_once() {
        run(async {
            let listener = listener().await;
            let probe = Probe::Tcp(endpoint(&listener));
            assert_eq!(attempt(&probe).await, Ok(()));
            let (mut stream, _) = listener.accept().await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        });
    }

    #[test]
    fn a_name_is_looked_up_and_all_its_addresses_are_tried() {
        run(async {
            let listener = listener().await;
            let port = endpoint(&listener).port;
            let host = "localhost".to_owned();
            assert_eq!(attempt(&Probe::Tcp(Endpoint { host, port })).await, Ok(()));
        });
    }

    #[test]
    fn it_is_asked_until_somebody_listens_and_the_reason_is_told_once() {
        run(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(LOCAL).unwrap();
            let probe = Probe::Tcp(named(socket.local_addr().unwrap()));
            let mut reasons = Vec::new();
            let asked = until_ready(&probe, |why| reasons.push(why.to_owned()));
            let serve = async {
                sleep(PAUSE_MIN * 3).await;
                socket.listen(8).unwrap()
            };
            tokio::join!(asked, serve);
            assert_eq!(reasons, ["connection refused"]);
        });
    }

    #[test]
    fn a_connection_to_itself_is_no_answer() {
        run(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(LOCAL).unwrap();
            let own = socket.local_addr().unwrap();
            let stream = socket.connect(own).await.unwrap();
            assert!(tcp::accepted(stream).is_err());
        });
    }

    #[test]
    fn http_asks_for_the_page_and_believes_2xx_only() {
        run(async {
            let listener = listener().await;
            let probe = page(&listener);
            let serve = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let ok = b"HTTP/1.1 204 No Content\r\n\r\n";
                answer(&mut stream, ok).await
            };
            let (outcome, head) = tokio::join!(attempt(&probe), serve);
            assert_eq!(outcome, Ok(()));
            assert!(head.starts_with("GET /up?deep=1 HTTP/1.1\r\n"), "{head}");
            let host = format!("\r\nhost: {}\r\n", endpoint(&listener));
            assert!(head.to_lowercase().contains(&host), "{head}");
        });
    }

    #[test]
    fn another_status_a_redirect_and_garbage_are_no_answer() {
        run(async {
            let early = b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.0 200 OK\r\n\r\n";
            assert_eq!(outcome(early).await, Ok(()));
            let busy = b"HTTP/1.1 503 Service Unavailable\r\n\r\n";
            assert_eq!(outcome(busy).await, Err("503".to_owned()));
            let moved = b"HTTP/1.1 301 Moved\r\nlocation: /elsewhere\r\n\r\n";
            assert_eq!(outcome(moved).await, Err("301".to_owned()));
            for garbage in [b"SSH-2.0-OpenSSH\r\n".as_slice(), b""] {
                let why = outcome(garbage).await.unwrap_err();
                assert!(why.starts_with("no HTTP"), "{why}");
            }
        });
    }

    #[test]
    fn a_head_without_end_is_cut_off() {
        run(async {
            let head = "HTTP/1.1 200 OK\r\nx: ".to_owned() + &"y".repeat(100_000);
            let why = outcome(head.as_bytes()).await.unwrap_err();
            assert!(why.starts_with("no HTTP"), "{why}");
        });
    }

    #[test]
    fn silence_ends_with_the_attempt() {
        run(async {
            let listener = listener().await;
            let why = attempt(&page(&listener)).await.unwrap_err();
            assert_eq!(why, "no answer within 2s");
        });
    }
}
