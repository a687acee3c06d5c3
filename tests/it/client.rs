//! The API client against a server that says every wrong thing there is.

mod addon;
mod attachments;
mod faults;
mod proxy;
mod transport;

use std::sync::Arc;
use std::time::Duration;

use changeover::credential::snapshot::Watched;
use changeover::credential::{Fault, Reserved, Selection, Snapshot};
use changeover::heroku::{
    Answer, ApiUrl, Client, ClientOptions, FetchError, SetupError, Timeouts, TokenOptions,
    TokenSource, Variables,
};
use changeover::testing::heroku::Options;

use crate::support;
use crate::support::canned::{Canned, Reply};

const BODY: &str = r#"{"DATABASE_URL":"postgres://u:p@h/d","OTHER":"x"}"#;

fn options(api_url: &str, variables: Variables) -> ClientOptions {
    ClientOptions {
        api_url: ApiUrl::parse(api_url).unwrap(),
        ca_file: None,
        token: TokenOptions::default(),
        app: "myapp".to_owned(),
        selection: Selection {
            watched: vec![Watched {
                pattern: "DATABASE_URL".to_owned(),
                export_as: None,
            }],
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
        },
        variables: Arc::new(variables),
        timeouts: Timeouts::default(),
    }
}

fn with_key() -> Variables {
    Variables::from([("HEROKU_API_KEY".into(), "HRKU-CANARY".into())])
}

fn with_simulators_key() -> Variables {
    let token = Options::default().token;
    Variables::from([("HEROKU_API_KEY".into(), token.into())])
}

fn client(server: &Canned) -> Client {
    let api_url = format!("http://127.0.0.1:{}", server.port);
    Client::new(options(&api_url, with_key())).unwrap()
}

fn snapshot(answer: &Answer) -> &Snapshot {
    match answer {
        Answer::Snapshot { snapshot, .. } => snapshot,
        Answer::NotModified { .. } => panic!("not modified"),
    }
}

/// What one answer of the server comes to.
async fn fetched(reply: Reply) -> Result<Answer, FetchError> {
    let server = Canned::start(vec![reply]).await;
    client(&server).config_vars(None).await
}

/// The error in words.
async fn failed(reply: Reply) -> String {
    let error = fetched(reply).await.unwrap_err().to_string();
    assert!(!error.contains("CANARY"), "{error}");
    error
}

#[tokio::test]
async fn a_good_answer_is_reduced_to_what_is_watched() {
    let headers = "Content-Type: text/html\r\nEtag: \"abc\"\r\nRateLimit-Remaining: 4497\r\n\
                   Oauth-Scope: read-protected\r\nOauth-Scope-Accepted: global read-protected\r\n";
    let server = Canned::start(vec![Reply::answer("200 OK", headers, BODY)]).await;
    let answer = client(&server).config_vars(None).await.unwrap();
    let watched = &snapshot(&answer).watched;
    assert_eq!(
        watched["DATABASE_URL"].as_ref().unwrap().expose(),
        "postgres://u:p@h/d"
    );
    assert_eq!(watched.len(), 1);
    let Answer::Snapshot {
        etag, diagnosis, ..
    } = answer
    else {
        panic!("no snapshot");
    };
    assert_eq!(etag.as_deref(), Some("\"abc\""));
    assert_eq!(diagnosis.ratelimit_remaining, Some(4497));
    assert_eq!(diagnosis.oauth_scope.as_deref(), Some("read-protected"));

    let request = &server.requests()[0];
    assert!(
        request.starts_with("GET /apps/myapp/config-vars HTTP/1.1\r\n"),
        "{request}"
    );
    for header in [
        "accept: application/vnd.heroku+json; version=3\r\n",
        "authorization: Bearer HRKU-CANARY\r\n",
        concat!("user-agent: changeover/", env!("CARGO_PKG_VERSION"), "\r\n"),
    ] {
        assert!(
            request.to_lowercase().contains(&header.to_lowercase()),
            "{header}: {request}"
        );
    }
    assert!(!request.contains("if-none-match"), "{request}");
}

#[tokio::test]
async fn a_missing_variable_is_a_fault_of_the_snapshot_and_no_error() {
    let answer = fetched(Reply::answer("200 OK", "", "{}")).await.unwrap();
    assert_eq!(
        snapshot(&answer).watched["DATABASE_URL"],
        Err(Fault::Missing)
    );
}

#[tokio::test]
async fn not_modified_is_an_answer_only_to_who_asked_for_it() {
    let server = Canned::start(vec![Reply::answer(
        "304 Not Modified",
        "RateLimit-Remaining: 7\r\n",
        "",
    )])
    .await;
    let client = client(&server);
    let Answer::NotModified { diagnosis } = client.config_vars(Some("\"abc\"")).await.unwrap()
    else {
        panic!("a snapshot");
    };
    assert_eq!(diagnosis.ratelimit_remaining, Some(7));
    assert!(server.requests()[0].contains("if-none-match: \"abc\"\r\n"));
    let error = client.config_vars(None).await.unwrap_err();
    assert_eq!(error, unavailable("304 to a request without a tag"));
}

fn unavailable(detail: &str) -> FetchError {
    FetchError::Unavailable {
        detail: detail.to_owned(),
        retry_after: None,
        left: None,
    }
}

#[tokio::test]
async fn each_form_of_an_error_in_one_phrase() {
    for (status, body, expected) in [
        (
            "503 X",
            r#"{"id":"maintenance","message":"Down."}"#,
            "503 maintenance: Down.",
        ),
        ("503 X", r#"{"error":"Down."}"#, "503: Down."),
        ("503 X", "<!DOCTYPE html><html>", "503 (HTML)"),
        ("500 X", "", "500 (empty)"),
        ("502 X", "bad gateway", "502 (not JSON)"),
        ("206 X", "[]", "206 (not JSON)"),
        (
            "500 X",
            r#"{"id":"x","message":"HRKU-other_CANARY at https://u:CANARY@h"}"#,
            "500 x: HRKU-*** at https://***@h",
        ),
        (
            "500 X",
            "{\"message\":\"a\\u001b[2Jb\"}",
            "500: a\\u{1b}[2Jb",
        ),
        (
            "402 X",
            r#"{"id":"delinquent","message":"Pay."}"#,
            "the account has a payment problem: 402 delinquent: Pay.",
        ),
        ("200 OK", "<html>", "200 (HTML)"),
        ("200 OK", "", "200 (empty)"),
        ("200 OK", r#"["CANARY"]"#, "200, but not a JSON object"),
        (
            "200 OK",
            r#"{"DATABASE_URL":"CANARY"#,
            "200, but not a JSON object",
        ),
    ] {
        assert_eq!(failed(Reply::answer(status, "", body)).await, expected);
    }
    let long = format!(r#"{{"message":"{}"}}"#, "x".repeat(10_000));
    assert!(failed(Reply::answer("500 X", "", &long)).await.len() <= 256);
}

#[tokio::test]
async fn refused_tokens_and_unknown_apps_are_told_apart() {
    for (status, body, expected) in [
        (
            "401 Unauthorized",
            r#"{"id":"unauthorized","message":"Invalid credentials provided."}"#,
            "Heroku refused the token from HEROKU_API_KEY (401)",
        ),
        (
            "403 Forbidden",
            r#"{"id":"suspended","message":"No."}"#,
            "Heroku refused the token from HEROKU_API_KEY (the account or the app is suspended: 403 suspended: No.)",
        ),
        (
            "401 Unauthorized",
            "<html>",
            "Heroku refused the token from HEROKU_API_KEY (401 (HTML))",
        ),
        (
            "404 Not Found",
            r#"{"id":"not_found","message":"Couldn't find that app."}"#,
            "no app myapp, or none that the token from HEROKU_API_KEY may see (404 not_found: Couldn't find that app.)",
        ),
    ] {
        assert_eq!(failed(Reply::answer(status, "", body)).await, expected);
    }
    let scopes = "Oauth-Scope: identity\r\nOauth-Scope-Accepted: global read-protected\r\n";
    let error = failed(Reply::answer(
        "403 Forbidden",
        scopes,
        r#"{"id":"forbidden"}"#,
    ))
    .await;
    let expected =
        "the token's scope is identity, any of global read-protected is needed: 403 forbidden";
    assert!(error.contains(expected), "{error}");
}

#[tokio::test]
async fn retry_after_is_read() {
    for (value, expected) in [
        ("Retry-After: 120", Some(120)),
        (
            "Date: Sun, 22 Nov 2026 10:00:00 GMT\r\nRetry-After: Sun, 22 Nov 2026 10:01:30 GMT",
            Some(90),
        ),
        ("Retry-After: soon", None),
        ("X-Other: 1", None),
    ] {
        let reply = Reply::answer("429 Too Many Requests", &format!("{value}\r\n"), "{}");
        let Err(FetchError::Unavailable { retry_after, .. }) = fetched(reply).await else {
            panic!("{value}");
        };
        assert_eq!(retry_after, expected.map(Duration::from_secs), "{value}");
    }
}

#[tokio::test]
async fn a_program_that_prints_a_refused_token_is_run_again_once_a_minute_at_most() {
    let refused = Reply::answer("401 Unauthorized", "", r#"{"id":"unauthorized"}"#);
    let server = Canned::start(vec![refused.clone(), refused.clone(), refused]).await;
    let directory = tempfile::tempdir().unwrap();
    let runs = directory.path().join("runs");
    let mut options = options(
        &format!("http://127.0.0.1:{}", server.port),
        Variables::from([("PATH".into(), std::env::var_os("PATH").unwrap())]),
    );
    let line = format!("sh -c 'echo >> {}; echo HRKU-old'", runs.display());
    options.token.command = Some(line);
    let client = Client::new(options).unwrap();
    for _ in 0..3 {
        let error = client.config_vars(None).await.unwrap_err();
        assert!(matches!(error, FetchError::TokenRefused { .. }), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "\n\n");
}

#[tokio::test]
async fn what_the_account_has_left_is_read_from_errors_too() {
    for (status, headers, expected) in [
        ("429 Too Many Requests", "", Some(0)),
        (
            "429 Too Many Requests",
            "RateLimit-Remaining: 2\r\n",
            Some(2),
        ),
        (
            "503 Service Unavailable",
            "RateLimit-Remaining: 9\r\n",
            Some(9),
        ),
        ("503 Service Unavailable", "", None),
    ] {
        let reply = Reply::answer(status, headers, "{}");
        let Err(FetchError::Unavailable { left, .. }) = fetched(reply).await else {
            panic!("{status}");
        };
        assert_eq!(left, expected, "{status} {headers}");
    }
}

#[tokio::test]
async fn a_refused_token_is_looked_for_again_once() {
    let refused = Reply::answer("401 Unauthorized", "", r#"{"id":"unauthorized"}"#);
    let server = Canned::start(vec![
        refused.clone(),
        refused,
        Reply::answer("200 OK", "", BODY),
    ])
    .await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    support::write(&file, 0o600, "first");
    let mut options = options(
        &format!("http://127.0.0.1:{}", server.port),
        Variables::new(),
    );
    options.token.file = Some(file.clone());
    let client = Client::new(options).unwrap();

    let tokens = || -> Vec<String> {
        let line = |request: &String| {
            let line = request
                .lines()
                .find(|line| line.starts_with("authorization"))
                .unwrap();
            line.rsplit(' ').next().unwrap().to_owned()
        };
        server.requests().iter().map(line).collect()
    };
    let error = client.config_vars(None).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TokenRefused { status: 401, .. }),
        "{error}"
    );
    assert_eq!(tokens(), ["first"]);

    support::write(&file, 0o600, "second");
    assert!(client.config_vars(None).await.is_ok());
    assert_eq!(tokens(), ["first", "first", "second"]);
    assert!(client.config_vars(None).await.is_ok());
    assert_eq!(tokens().last().unwrap(), "second");
}

#[tokio::test]
async fn a_token_that_appears_later_is_found() {
    let server = Canned::start(vec![Reply::answer("200 OK", "", BODY)]).await;
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = directory.path().join("token");
    let mut options = options(
        &format!("http://127.0.0.1:{}", server.port),
        Variables::new(),
    );
    options.token.file = Some(file.clone());
    let (token, api_url) = (options.token.clone(), options.api_url.clone());
    let client = Client::new(options).unwrap();
    let error = client.config_vars(None).await.unwrap_err();
    assert!(matches!(error, FetchError::NoToken(_)), "{error}");
    assert!(server.requests().is_empty());
    support::write(&file, 0o644, "late");
    assert!(client.config_vars(None).await.is_ok());

    // There is none where the checkout lies in memory.
    let source = TokenSource::new(&token, Arc::default(), &api_url).unwrap();
    let warning = source.read().await.unwrap().warning;
    assert_eq!(client.take_warning(), warning);
    assert!(client.config_vars(None).await.is_ok());
    assert_eq!(client.take_warning(), None);
}

#[test]
fn settings_that_cannot_work_are_told_before_the_first_request() {
    let refused = |options: ClientOptions| match Client::new(options) {
        Ok(_) => panic!("accepted"),
        Err(error) => error,
    };
    let elsewhere = || options("https://api.heroku.com", with_key());
    for app in ["", "a/b", "..", "a b"] {
        let error = refused(ClientOptions {
            app: app.to_owned(),
            ..elsewhere()
        });
        assert!(matches!(error, SetupError::App { .. }), "{app}: {error}");
    }
    for path in ["/nonexistent/ca.pem", "/dev/null"] {
        let error = refused(ClientOptions {
            ca_file: Some(path.into()),
            ..elsewhere()
        })
        .to_string();
        assert!(
            error.contains("--ca-file") && error.contains(path),
            "{error}"
        );
    }
    let mut variables = with_key();
    variables.insert("HTTPS_PROXY".into(), "http://[".into());
    let error = refused(options("https://api.heroku.com", variables)).to_string();
    assert!(error.contains("HTTPS_PROXY"), "{error}");
    let mut options = elsewhere();
    options.token.command = Some("'open".to_owned());
    assert!(matches!(refused(options), SetupError::TokenCommand { .. }));
}
