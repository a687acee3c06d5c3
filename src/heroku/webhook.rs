//! RECEIVES webhooks of the app. One that is signed with the secret means "ask now".
//!
//! **Invariant:** what a webhook says of the app is not even parsed, so one that is old, comes
//! twice or tells of something else does no harm.
//!
//! One request for each connection, 5 s and 64 KiB for all of it, and 16 of them at once: whoever
//! is slow keeps the others waiting for so long, and no longer. TLS is a reverse proxy's business.

mod answer;
mod secret;

use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::accept::{self, Listener as _};

use super::error::SetupError;
use secret::SecretFile;

pub use answer::PATH;
#[cfg(feature = "testing")]
pub(super) use answer::{SIGNATURE, believes};

/// Everybody else waits in the socket.
const CONNECTIONS_MAX: usize = 16;
/// For a whole request and its answer.
const TIME_MAX: Duration = Duration::from_secs(5);
/// A request's head must fit.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A socket that is bound and listens.
#[derive(Debug)]
pub enum Socket {
    /// To a TCP port.
    Tcp(OwnedFd),
    /// To a path.
    Unix(OwnedFd),
}

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// A webhook that is signed with the secret.
    Valid,
    /// One with another signature, or with none: somebody else's, or the secret is not that of the
    /// webhook.
    Unsigned(&'static str),
    /// One that nobody can tell: the secret could not be read. One sentence.
    Undecided(String),
    /// No webhook: its answer.
    Other(u16),
}

/// Waits for webhooks.
#[derive(Debug)]
pub struct Receiver {
    socket: Socket,
    secret: SecretFile,
    warning: Option<String>,
}

impl Receiver {
    /// On this socket, with the secret that this file holds: it is read for each webhook anew.
    ///
    /// # Errors
    /// When there is no secret in it now.
    pub fn new(socket: Socket, secret_file: PathBuf) -> Result<Self, SetupError> {
        let secret = SecretFile(secret_file);
        let warning = secret.check().map_err(SetupError::WebhookSecret)?;
        Ok(Self {
            socket,
            secret,
            warning,
        })
    }

    /// One sentence, when others can read the secret.
    #[must_use]
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Answers as long as somebody listens to what came.
    ///
    /// # Errors
    /// When the event loop refuses the socket.
    pub async fn serve(self, deliveries: mpsc::Sender<Delivery>) -> io::Result<()> {
        let desk = Arc::new(Desk {
            secret: self.secret,
            deliveries,
        });
        match self.socket {
            Socket::Tcp(socket) => {
                let attend = |stream| Arc::clone(&desk).attend(stream);
                accept::each(TcpListener::new(socket)?, CONNECTIONS_MAX, attend).await;
            }
            Socket::Unix(socket) => {
                let attend = |stream| Arc::clone(&desk).attend(stream);
                accept::each(UnixListener::new(socket)?, CONNECTIONS_MAX, attend).await;
            }
        }
        Ok(())
    }
}

/// What all connections share.
struct Desk {
    secret: SecretFile,
    deliveries: mpsc::Sender<Delivery>,
}

impl Desk {
    /// One connection, from its first byte to its end.
    async fn attend<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let service = service_fn(|request| async {
            let (response, delivery) = answer::to(request, &self.secret).await;
            // Whoever does not listen any more has no use for it.
            let _ = self.deliveries.send(delivery).await;
            Ok::<_, Infallible>(response)
        });
        let mut builder = http1::Builder::new();
        builder
            .keep_alive(false)
            .half_close(true)
            .max_buf_size(HEAD_BYTES_MAX);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        // Slow, gone or no HTTP: it is the other side's business.
        let _ = timeout(TIME_MAX, connection).await;
    }
}
