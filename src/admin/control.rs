//! The control socket: who connects asks one thing, is answered, and gone.
//!
//! Only root and the user whose supervisor this is are answered; the kernel says who asks. What
//! they send has 4 KiB and 5 s, and 32 of them are served at once: the others wait in the socket.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Interest};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio::time::timeout;

use crate::accept::{self, Listener as _};

use super::protocol::{REQUEST_BYTES_MAX, Request, Response};
use super::{NoAnswer, Question, ask};

/// Everybody else waits in the socket.
const CONNECTIONS_MAX: usize = 32;
/// For a question, and again for its answer.
const TIME_MAX: Duration = Duration::from_secs(5);
/// So much of what was not asked for is read to its end.
const REST_BYTES_MAX: u64 = 64 * 1024;
/// And for so long.
const REST_TIME_MAX: Duration = Duration::from_millis(500);

/// A socket that is bound and listens.
#[derive(Debug)]
pub struct Control {
    socket: OwnedFd,
    /// Whose supervisor this is.
    user: u32,
}

impl Control {
    /// On this socket, for this user and root.
    #[must_use]
    pub fn new(socket: OwnedFd, user: u32) -> Self {
        Self { socket, user }
    }

    /// Answers as long as somebody listens to the questions.
    ///
    /// # Errors
    /// When the event loop refuses the socket.
    pub async fn serve(self, questions: mpsc::Sender<Question>) -> io::Result<()> {
        let user = self.user;
        let attend = |stream| attend(stream, user, questions.clone());
        accept::each(UnixListener::new(self.socket)?, CONNECTIONS_MAX, attend).await;
        Ok(())
    }
}

/// One connection, from its first byte to its end.
async fn attend(mut stream: UnixStream, user: u32, questions: mpsc::Sender<Question>) {
    let response = match stream.peer_cred().map(|peer| peer.uid()) {
        Ok(uid) if uid == 0 || uid == user => {
            let asked = timeout(TIME_MAX, read(&mut stream)).await;
            match asked.unwrap_or_else(|_| Err("no request came within 5 s".to_owned())) {
                // While the supervisor was stopped it may have waited long, and in vain.
                Ok(_) if has_gone(&stream).await => return,
                Ok(request) => answer(request, &questions).await,
                Err(why) => Response::error(why),
            }
        }
        Ok(uid) => Response::error(format!(
            "uid {uid} may not ask: only root and uid {user}, whose changeover this is"
        )),
        Err(error) => Response::error(format!("who asks cannot be told ({error})")),
    };
    // Who does not read it, or has gone, needs no answer.
    let _ = timeout(TIME_MAX, finish(stream, &response)).await;
}

/// Whether nobody waits for an answer any more. Who only has nothing more to say does.
async fn has_gone(stream: &UnixStream) -> bool {
    // The event loop knows of it once it has looked.
    yield_now().await;
    let ready = stream.ready(Interest::WRITABLE).await;
    ready.is_ok_and(|ready| ready.is_write_closed())
}

async fn finish(mut stream: UnixStream, response: &Response) -> io::Result<()> {
    stream.write_all(&response.line()).await?;
    stream.shutdown().await?;
    if !response.ok {
        // Closed over bytes that nobody read, the socket would take the answer away.
        let mut rest = stream.take(REST_BYTES_MAX);
        let mut nowhere = tokio::io::sink();
        let _ = timeout(REST_TIME_MAX, tokio::io::copy(&mut rest, &mut nowhere)).await;
    }
    Ok(())
}

async fn read(stream: &mut UnixStream) -> Result<Request, String> {
    let mut line = Vec::new();
    let limit = u64::try_from(REQUEST_BYTES_MAX).unwrap_or(u64::MAX);
    let mut limited = BufReader::new(stream.take(limit));
    limited
        .read_until(b'\n', &mut line)
        .await
        .map_err(|error| format!("the request broke off ({error})"))?;
    if line.len() >= REQUEST_BYTES_MAX && !line.ends_with(b"\n") {
        return Err("the request is longer than 4 KiB".to_owned());
    }
    Request::read(&line)
}

async fn answer(request: Request, questions: &mpsc::Sender<Question>) -> Response {
    let answer = match request.verb() {
        Some(verb) => {
            let command = |reply| Question::Command(verb, reply);
            ask(questions, TIME_MAX, command).await.map(Response::from)
        }
        None => {
            let look = ask(questions, TIME_MAX, Question::Look).await;
            look.map(Response::from)
        }
    };
    answer.unwrap_or_else(|why| match why {
        NoAnswer::Ending => Response::error("changeover is ending".to_owned()),
        NoAnswer::Late => Response::error(
            "changeover does not answer within 5 s, and will not do what was asked".to_owned(),
        ),
    })
}
