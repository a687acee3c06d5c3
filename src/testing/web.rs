//! A small web server that ends as it should: on TERM it accepts no more, answers what it has
//! begun, and says `Connection: close` before it closes.

use std::io;
use std::net;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::time::Duration;

use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// A request's head is no longer.
const HEAD_BYTES_MAX: u64 = 16 * 1024;

/// Once it ends, how long a connection is kept for a request that may be on its way.
const LINGER: Duration = Duration::from_secs(2);

/// Answers every request with this body, says `READY=1` through `notify` (`NOTIFY_SOCKET`), and
/// returns after TERM, when all is answered.
///
/// # Errors
/// When something is missing that a server needs.
pub fn serve(listener: net::TcpListener, body: &str, notify: Option<&str>) -> io::Result<()> {
    let (tell, told) = watch::channel(false);
    let mut signals = Signals::new([SIGTERM])?;
    std::thread::spawn(move || {
        signals.forever().next();
        // Nobody listens any more: then it has ended.
        let _ = tell.send(true);
    });
    let answer: Arc<str> = Arc::from(body);
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        if let Some(socket) = notify {
            say_ready(socket)?;
        }
        accept(listener, &answer, told).await
    })
}

fn say_ready(socket: &str) -> io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    let sent = UnixDatagram::unbound()?.send_to_addr(b"READY=1", &address);
    sent.map(drop)
}

async fn accept(
    listener: TcpListener,
    body: &Arc<str>,
    told: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut open = JoinSet::new();
    let mut ending = told.clone();
    loop {
        tokio::select! {
            _ = ending.wait_for(|told| *told) => break,
            Some(_) = open.join_next() => {}
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let heard = told.clone();
                open.spawn(converse(stream, Arc::clone(body), heard));
            }
        }
    }
    drop(listener);
    // A client that hung up is no concern of the others.
    while open.join_next().await.is_some() {}
    Ok(())
}

async fn converse(
    stream: TcpStream,
    body: Arc<str>,
    mut told: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let ending = told.clone();
    let mut is_last = false;
    while !is_last {
        let wish = tokio::select! {
            wish = read_head(&mut stream) => wish?,
            () = linger(&mut told) => return Ok(()),
        };
        let Some(closes) = wish else { return Ok(()) };
        is_last = closes || *ending.borrow();
        let connection = if is_last { "close" } else { "keep-alive" };
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: {connection}\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).await?;
    }
    stream.shutdown().await
}

async fn linger(told: &mut watch::Receiver<bool>) {
    // Whoever could tell is gone: that is the end, too.
    let _ = told.wait_for(|told| *told).await;
    sleep(LINGER).await;
}

/// Whether a request wants to be the connection's last; `None` when no other comes.
async fn read_head(stream: &mut BufReader<TcpStream>) -> io::Result<Option<bool>> {
    let mut limited = stream.take(HEAD_BYTES_MAX);
    let mut closes = false;
    loop {
        let mut line = String::new();
        if limited.read_line(&mut line).await? == 0 {
            return Ok(None);
        }
        if line == "\r\n" {
            return Ok(Some(closes));
        }
        closes |= line.to_ascii_lowercase().trim_end() == "connection: close";
    }
}
