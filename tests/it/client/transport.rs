//! What is trusted, what stands between, and when a request is given up.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use changeover::heroku::{Client, ClientOptions};

use crate::support::authority::{Authority, Validity};
use crate::support::canned::{Canned, Reply};

use super::{BODY, failed, fetched, options, snapshot, unavailable, with_key};

#[tokio::test]
async fn a_redirect_is_named_and_not_followed() {
    let other = Canned::start(vec![Reply::answer("200 OK", "", BODY)]).await;
    let location = format!("Location: http://127.0.0.1:{}/apps\r\n", other.port);
    let error = failed(Reply::answer("301 Moved", &location, "")).await;
    assert_eq!(error, "301 redirect to 127.0.0.1, not followed");
    assert!(other.requests().is_empty());
    assert_eq!(
        failed(Reply::answer("302 X", "", "")).await,
        "302 redirect to an unknown host, not followed"
    );
}

#[tokio::test]
async fn a_body_has_a_limit() {
    let endless = |head: &str| Reply::Endless(format!("{head}{}", "x".repeat(8192)).into_bytes());
    let error = failed(endless("HTTP/1.1 200 OK\r\n\r\n")).await;
    assert_eq!(error, "an answer of more than 1024 KiB");
    assert_eq!(
        failed(endless("HTTP/1.1 503 X\r\n\r\n")).await,
        "503 (empty)"
    );
    let large = format!(r#"{{"OTHER":"{}"}}"#, "x".repeat(1_000_000));
    assert!(fetched(Reply::answer("200 OK", "", &large)).await.is_ok());
}

#[tokio::test]
async fn a_server_that_breaks_off() {
    let broken = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
    let error = failed(broken("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")).await;
    assert_eq!(error, "the answer broke off");
    for text in ["", "HTTP/1.1 200", "SSH-2.0-OpenSSH_9.2\r\n"] {
        let error = failed(broken(text)).await;
        assert!(!error.is_empty() && error.len() <= 256, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up() {
    for head in ["", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"] {
        let server = Canned::start(vec![Reply::Hang(head.as_bytes().to_vec())]).await;
        let api_url = format!("http://localhost:{}", server.port);
        let mut options = options(&api_url, with_key());
        options.timeouts.total = Duration::from_millis(200);
        let error = Client::new(options)
            .unwrap()
            .config_vars(None)
            .await
            .unwrap_err();
        assert_eq!(error, unavailable("no answer within 0.2 s"));
    }
}

#[tokio::test]
async fn nobody_listens() {
    let server = Canned::start(vec![Reply::Bytes(Vec::new())]).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop((server, listener));
    let options = options(&format!("http://127.0.0.1:{port}"), with_key());
    let error = Client::new(options)
        .unwrap()
        .config_vars(None)
        .await
        .unwrap_err();
    assert_eq!(error, unavailable("connection refused"));
}

#[tokio::test]
async fn no_proxy_stands_before_a_loopback_address() {
    let server = Canned::start(vec![Reply::answer("200 OK", "", BODY)]).await;
    let proxy = Canned::start(vec![Reply::answer("200 OK", "", "{}")]).await;
    let mut variables = with_key();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"] {
        let url = format!("http://127.0.0.1:{}", proxy.port);
        variables.insert(name.into(), url.into());
    }
    for host in ["127.0.0.1", "localhost"] {
        let options = options(&format!("http://{host}:{}", server.port), variables.clone());
        let answer = Client::new(options)
            .unwrap()
            .config_vars(None)
            .await
            .unwrap();
        assert!(snapshot(&answer).watched["DATABASE_URL"].is_ok());
    }
    assert!(proxy.requests().is_empty());
}

#[tokio::test]
async fn https_elsewhere_goes_through_the_proxy_that_never_sees_the_token() {
    let proxy = Canned::start(vec![Reply::answer(
        "407 Proxy Authentication Required",
        "",
        "",
    )])
    .await;
    let mut variables = with_key();
    variables.insert(
        "https_proxy".into(),
        format!("http://127.0.0.1:{}", proxy.port).into(),
    );
    let options = options("https://api.example.invalid", variables.clone());
    let error = Client::new(options.clone())
        .unwrap()
        .config_vars(None)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("proxy"), "{error}");
    let request = &proxy.requests()[0];
    assert!(
        request.starts_with("CONNECT api.example.invalid:443 "),
        "{request}"
    );
    assert!(!request.contains("CANARY"), "{request}");

    variables.insert("NO_PROXY".into(), ".example.invalid".into());
    let options = ClientOptions {
        variables: Arc::new(variables),
        ..options
    };
    Client::new(options)
        .unwrap()
        .config_vars(None)
        .await
        .unwrap_err();
    assert_eq!(proxy.requests().len(), 1);
}

#[tokio::test]
async fn https_trusts_the_ca_file_and_nobody_unknown() {
    let replies = vec![Reply::answer("200 OK", "", BODY)];
    let authority = Authority::new("of localhost");
    let server = Canned::start_tls(replies, authority.sign("localhost", Validity::Now)).await;
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("ca.pem");
    std::fs::write(&ca_file, authority.pem()).unwrap();
    let ask = async |ca_file: Option<PathBuf>, inherited: Option<&PathBuf>| {
        let mut variables = with_key();
        if let Some(path) = inherited {
            variables.insert("SSL_CERT_FILE".into(), path.into());
        }
        let mut options = options(&format!("https://localhost:{}", server.port), variables);
        options.ca_file = ca_file;
        Client::new(options).unwrap().config_vars(None).await
    };
    assert!(ask(Some(ca_file.clone()), None).await.is_ok());
    assert!(ask(None, Some(&ca_file)).await.is_ok());
    let error = ask(None, None).await.unwrap_err().to_string();
    assert!(
        error.starts_with("TLS: invalid peer certificate"),
        "{error}"
    );
    assert_eq!(server.requests().len(), 2);
}
