//! What stands between, and breaks: a proxy that dies and comes back, a name that nobody knows, an
//! address where nobody takes a connection.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use changeover::heroku::{Client, ClientOptions, FetchError};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::support::authority::{Authority, Validity};
use crate::support::canned::{Canned, Reply};

use super::{BODY, options, snapshot, with_key};

const HOST: &str = "api.example.invalid";

/// A proxy that leads everybody to one server, until it is aborted with all that it carries.
async fn proxy(port: u16, to: u16) -> (u16, JoinHandle<()>) {
    let place = (Ipv4Addr::LOCALHOST, port);
    // A process that another test is just starting may have the last one's descriptor for a moment.
    let listener = loop {
        match TcpListener::bind(place).await {
            Ok(listener) => break listener,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    let port = listener.local_addr().unwrap().port();
    let life = tokio::spawn(async move {
        let mut open = JoinSet::new();
        loop {
            let (client, _) = listener.accept().await.unwrap();
            open.spawn(tunnel(client, to));
        }
    });
    (port, life)
}

async fn tunnel(mut client: TcpStream, to: u16) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await.unwrap());
    }
    assert!(head.starts_with(b"CONNECT "), "{head:?}");
    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await.unwrap();
    client
        .write_all(b"HTTP/1.1 200 Connected\r\n\r\n")
        .await
        .unwrap();
    // However it ends, it has ended.
    let _ = copy_bidirectional(&mut client, &mut server).await;
}

/// A server for `HOST`, and the way to it: the options of a client that goes through a proxy there.
async fn server(replies: Vec<Reply>, directory: &std::path::Path) -> (Canned, ClientOptions) {
    let authority = Authority::new("of a host behind a proxy");
    let server = Canned::start_tls(replies, authority.sign(HOST, Validity::Now)).await;
    let ca_file = directory.join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).unwrap();
    let mut options = options(&format!("https://{HOST}"), with_key());
    options.ca_file = Some(ca_file);
    (server, options)
}

fn through(port: u16, options: &ClientOptions) -> Client {
    let mut variables = with_key();
    let proxy = format!("http://127.0.0.1:{port}");
    variables.insert("HTTPS_PROXY".into(), proxy.into());
    Client::new(ClientOptions {
        variables: Arc::new(variables),
        ..options.clone()
    })
    .unwrap()
}

async fn failure(client: &Client) -> String {
    let error = client.config_vars(None).await.unwrap_err();
    assert!(matches!(error, FetchError::Unavailable { .. }), "{error:?}");
    let error = error.to_string();
    assert!(!error.contains("CANARY"), "{error}");
    error
}

#[tokio::test]
async fn a_proxy_that_dies_between_requests_is_no_answer_until_it_is_back() {
    let directory = tempfile::tempdir().unwrap();
    let (server, options) = server(vec![Reply::answer("200 OK", "", BODY)], directory.path()).await;
    let (port, life) = proxy(0, server.port).await;
    let client = through(port, &options);
    let answer = client.config_vars(None).await.unwrap();
    assert!(snapshot(&answer).watched["DATABASE_URL"].is_ok());

    life.abort();
    assert!(life.await.unwrap_err().is_cancelled());
    // Reset: as long as somebody else has the descriptor.
    let told = failure(&client).await;
    let dead = ["connection refused", "connection reset"];
    assert!(dead.contains(&&*told), "{told}");

    let (_, _life) = proxy(port, server.port).await;
    assert!(client.config_vars(None).await.is_ok());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_proxy_that_dies_in_the_middle_ends_the_request_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let half = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec();
    let (server, options) = server(vec![Reply::Hang(half)], directory.path()).await;
    let (port, life) = proxy(0, server.port).await;
    let client = through(port, &options);
    let asking = tokio::spawn(async move { failure(&client).await });
    while server.requests().is_empty() {
        tokio::task::yield_now().await;
    }
    life.abort();
    // It has ten seconds, and needs none.
    let told = tokio::time::timeout(Duration::from_secs(5), asking).await;
    let told = told.unwrap().unwrap();
    assert!(!told.contains("no answer within"), "{told}");
}

#[tokio::test]
async fn a_name_that_nobody_knows() {
    let client = Client::new(options(&format!("https://{HOST}"), with_key())).unwrap();
    let told = failure(&client).await;
    assert!(told.contains("lookup"), "{told}");
}

/// The server's queue is full, as where packets are lost: nobody says no.
#[tokio::test]
async fn an_address_where_nobody_takes_the_connection_is_given_up() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let soon = Duration::from_millis(300);
    while let Ok(taken) = tokio::time::timeout(soon, TcpStream::connect(address)).await {
        waiting.push(taken.unwrap());
    }
    let mut options = options(&format!("http://{address}"), with_key());
    options.timeouts.connect = Duration::from_millis(200);
    let client = Client::new(options).unwrap();
    assert_eq!(failure(&client).await, "no connection within 0.2 s");
}
