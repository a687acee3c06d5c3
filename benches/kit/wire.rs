//! A way to a server that counts what goes over it, and ends TLS if it has to.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::thread;

use anyhow::Result;
use rcgen::{CertifiedKey, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// It ends with the process.
pub(crate) struct Wire {
    /// Where it begins.
    pub(crate) url: String,
    bytes: Arc<AtomicU64>,
}

impl Wire {
    /// Straight on.
    pub(crate) fn plain(to: SocketAddr) -> Result<Self> {
        Self::begin("http://127.0.0.1", to, None)
    }

    /// With this certificate, for `localhost`.
    pub(crate) fn tls(to: SocketAddr, made: &CertifiedKey<KeyPair>) -> Result<Self> {
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der());
        let key = key.map_err(anyhow::Error::msg)?;
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::begin("https://localhost", to, Some(acceptor))
    }

    /// What has gone over it, both ways.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn begin(host: &str, to: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("{host}:{}", listener.local_addr()?.port());
        let bytes = Arc::default();
        let counter = Arc::clone(&bytes);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                loop {
                    let (client, _) = listener.accept().await?;
                    let counted = Counted(client, Arc::clone(&counter));
                    tokio::spawn(pass_on(counted, to, tls.clone()));
                }
                #[expect(unreachable_code, reason = "it says what the block yields")]
                io::Result::Ok(())
            })
        });
        Ok(Self { url, bytes })
    }
}

async fn pass_on(mut client: Counted, to: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<()> {
    let mut server = TcpStream::connect(to).await?;
    match tls {
        None => copy_bidirectional(&mut client, &mut server).await?,
        Some(acceptor) => {
            let mut client = acceptor.accept(client).await?;
            copy_bidirectional(&mut client, &mut server).await?
        }
    };
    Ok(())
}

/// A connection that counts.
struct Counted(TcpStream, Arc<AtomicU64>);

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.0).poll_read(context, buffer))?;
        let read = buffer.filled().len() - before;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.0).poll_write(context, bytes))?;
        self.1.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
