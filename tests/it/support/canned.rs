//! A server that says exactly the bytes it is told to, and remembers what it was asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;

use super::authority::Signed;

/// What the server does with one connection, after the request's headers came.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Writes this and closes.
    Bytes(Vec<u8>),
    /// Writes this and then nothing, for ever.
    Hang(Vec<u8>),
    /// Writes this again and again until the client has had enough.
    Endless(Vec<u8>),
}

impl Reply {
    /// An answer with this status line, these further headers, and this body.
    pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Self {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        Self::Bytes(text.into_bytes())
    }
}

/// One connection gets one reply; the last reply is repeated.
pub(crate) struct Canned {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Canned {
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let acceptor = None;
        Self::serve(replies, acceptor).await
    }

    /// The same through TLS, as the host of this certificate.
    pub(crate) async fn start_tls(replies: Vec<Reply>, signed: Signed) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.certificate], signed.key)
            .unwrap();
        Self::serve(replies, Some(Arc::new(config))).await
    }

    async fn serve(replies: Vec<Reply>, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::default();
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut replies = replies.into_iter();
            let mut reply = replies.next().unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let (seen, now) = (Arc::clone(&seen), reply.clone());
                match &tls {
                    None => drop(tokio::spawn(converse(stream, now, seen))),
                    Some(tls) => {
                        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::clone(tls));
                        tokio::spawn(async move {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                converse(stream, now, seen).await;
                            }
                        });
                    }
                }
                reply = replies.next().unwrap_or(reply);
            }
        });
        Self { port, requests }
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    reply: Reply,
    seen: Arc<Mutex<Vec<String>>>,
) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    seen.lock().unwrap().push(head);
    // A client that hangs up in the middle is part of some tests.
    match reply {
        Reply::Bytes(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        Reply::Hang(bytes) => {
            let _ = stream.write_all(&bytes).await;
            tokio::time::sleep(Duration::MAX).await;
        }
        Reply::Endless(bytes) => while stream.write_all(&bytes).await.is_ok() {},
    }
}
