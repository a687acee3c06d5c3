//! Programs that tests have supervised: this test binary itself, in another role. They need no
//! other target to be built.

use std::env;
use std::io;
use std::process::exit;

use changeover::testing::web;
use listenfd::ListenFd;
use signal_hook::iterator::Signals;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::oneshot;
use tokio_postgres::NoTls;

const ROLE: &str = "TEST_CHILD";

/// The command that makes this binary that child.
fn command(role: &str) -> [String; 6] {
    let binary = env::current_exe().unwrap();
    let binary = binary.to_str().unwrap().to_owned();
    let name = format!("child::{role}");
    let role = format!("{ROLE}={role}");
    [
        "env".to_owned(),
        role,
        binary,
        name,
        "--exact".to_owned(),
        "--nocapture".to_owned(),
    ]
}

/// A database client: logs in once with `DATABASE_URL`, says `connected user=NAME`, and stays
/// connected. It ends with 0 on TERM, and with 1 when its connection is lost or refused.
pub(crate) fn client() -> [String; 6] {
    command("postgres")
}

/// A server on the sockets that it was started with: the first is TCP; a second one, if there is
/// any, is a unix socket. It says `serving`, and answers each line with
/// `tcp|unix DATABASE_URL`. On TERM it ends with 0, between two connections.
pub(crate) fn server() -> [String; 6] {
    command("sockets")
}

/// A web server on the TCP socket that it was started with: it says when it is ready, and drains on
/// TERM. Its answer is `DATABASE_URL`.
pub(crate) fn web_server() -> [String; 6] {
    command("web")
}

#[test]
fn web() {
    if env::var(ROLE).as_deref() != Ok("web") {
        return;
    }
    let listener = ListenFd::from_env().take_tcp_listener(0).unwrap().unwrap();
    let notify = env::var("NOTIFY_SOCKET").ok();
    web::serve(
        listener,
        &env::var("DATABASE_URL").unwrap(),
        notify.as_deref(),
    )
    .unwrap();
    exit(0);
}

#[test]
fn sockets() {
    if env::var(ROLE).as_deref() != Ok("sockets") {
        return;
    }
    let (tell, told) = oneshot::channel();
    let mut signals = Signals::new([15]).unwrap();
    std::thread::spawn(move || {
        signals.forever().next();
        tell.send(()).unwrap();
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(serve(told)).unwrap();
    exit(0);
}

async fn serve(mut told: oneshot::Receiver<()>) -> io::Result<()> {
    // It looks whether LISTEN_PID is this process.
    let mut sockets = ListenFd::from_env();
    let tcp = sockets.take_tcp_listener(0)?.unwrap();
    tcp.set_nonblocking(true)?;
    let tcp = TcpListener::from_std(tcp)?;
    let unix = match sockets.len() {
        1 => None,
        _ => sockets.take_unix_listener(1)?,
    };
    let unix = unix.map(|unix| {
        unix.set_nonblocking(true)?;
        UnixListener::from_std(unix)
    });
    let unix = unix.transpose()?;
    println!("serving pid={}", std::process::id());
    loop {
        let accept_unix = async {
            match &unix {
                Some(unix) => unix.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = &mut told => return Ok(()),
            accepted = tcp.accept() => answer(accepted?.0, "tcp").await?,
            accepted = accept_unix => answer(accepted?.0, "unix").await?,
        }
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, kind: &str) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.read_line(&mut String::new()).await?;
    let said = format!("{kind} {}\n", env::var("DATABASE_URL").unwrap());
    stream.write_all(said.as_bytes()).await
}

#[test]
fn postgres() {
    if env::var(ROLE).as_deref() != Ok("postgres") {
        return;
    }
    let mut signals = Signals::new([15]).unwrap();
    std::thread::spawn(move || {
        signals.forever().next();
        println!("stopping");
        exit(0);
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(stay_connected(&env::var("DATABASE_URL").unwrap()));
    exit(1);
}

async fn stay_connected(url: &str) {
    let (client, connection) = match tokio_postgres::connect(url, NoTls).await {
        Ok(connected) => connected,
        Err(error) => {
            let code = error.code().map_or("no answer", |code| code.code());
            println!("refused {code}");
            return;
        }
    };
    let connection = tokio::spawn(connection);
    let row = client.query_one("SELECT current_user::text", &[]).await;
    match row {
        Ok(row) => println!("connected user={}", row.get::<_, String>(0)),
        Err(_) => println!("connected, and lost at once"),
    }
    // The client is held: it is the connection's other end.
    let _ = connection.await;
    println!("connection lost");
    drop(client);
}
