//! A server that answers every login with the same error, encrypted or not.

use std::io;
use std::sync::{Arc, mpsc};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;

use super::authority::Signed;

/// What a client sends in place of a login, to ask for encryption.
const SSL_REQUEST: u32 = 80_877_103;

/// It lives as long as the runtime that it was started on.
pub(crate) struct CannedPostgres {
    pub(crate) port: u16,
}

/// What it says to a login.
#[derive(Clone, Copy)]
pub(crate) enum Said {
    /// An error: its SQLSTATE and its words.
    Error(&'static str, &'static str),
    /// It hangs up.
    Nothing,
}

impl CannedPostgres {
    pub(crate) async fn start(said: Said) -> Self {
        Self::serve(said, None).await
    }

    pub(crate) async fn start_tls(said: Said, signed: Signed) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![signed.certificate], signed.key)
            .unwrap();
        Self::serve(said, Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    /// For a test that has no runtime: it lives as long as the test process.
    pub(crate) fn on_own_thread(said: Said) -> Self {
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                tell.send(Self::start(said).await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        told.recv().unwrap()
    }

    async fn serve(said: Said, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that hangs up in the middle is part of some tests.
                drop(tokio::spawn(converse(stream, said, tls.clone())));
            }
        });
        Self { port }
    }
}

async fn converse(mut stream: TcpStream, said: Said, tls: Option<TlsAcceptor>) -> io::Result<()> {
    let (length, code) = (stream.read_u32().await?, stream.read_u32().await?);
    if code != SSL_REQUEST {
        return refuse(stream, length - 8, said).await;
    }
    match tls {
        Some(tls) => {
            stream.write_all(b"S").await?;
            answer(tls.accept(stream).await?, said).await
        }
        None => {
            stream.write_all(b"N").await?;
            answer(stream, said).await
        }
    }
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, said: Said) -> io::Result<()> {
    let length = stream.read_u32().await?;
    refuse(stream, length - 4, said).await
}

/// Reads the rest of the login, and says no.
async fn refuse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    rest: u32,
    said: Said,
) -> io::Result<()> {
    let mut login = vec![0; usize::try_from(rest).unwrap()];
    stream.read_exact(&mut login).await?;
    if let Said::Error(code, message) = said {
        let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
        let length = u32::try_from(fields.len()).unwrap() + 4;
        let error = [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat();
        stream.write_all(&error).await?;
    }
    stream.shutdown().await
}
