//! Logins at a real Postgres: what is accepted, what is refused, and what says nothing about a
//! credential.

use std::time::Duration;

use changeover::credential::{Secret, SslMode};
use changeover::postgres::{Login, Obstacle, login};

use crate::support::canned_postgres::{CannedPostgres, Said};
use crate::support::postgres::Postgres;

const TIME_MAX: Duration = Duration::from_secs(10);

async fn at(url: &str, sslmode: Option<SslMode>) -> Login {
    login(&Secret::from(url), sslmode, TIME_MAX).await
}

fn refused(code: &str) -> Login {
    Login::Refused {
        code: code.to_owned(),
    }
}

/// What stood in the way of a login that said nothing about the credential.
async fn obstacle(url: &str, sslmode: Option<SslMode>) -> Obstacle {
    match at(url, sslmode).await {
        Login::Unreachable { why } => {
            let phrase = why.to_string();
            assert!(!phrase.contains("password-of"), "{phrase}");
            why
        }
        answer @ (Login::Accepted | Login::Refused { .. }) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn a_good_credential_is_accepted_and_leaves_no_connection() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_and_database("good");
    assert_eq!(at(&url, None).await, Login::Accepted);
    assert_eq!(at(&server.superuser_url(), None).await, Login::Accepted);
    let localhost = url.replace("127.0.0.1", "localhost");
    assert_eq!(at(&localhost, None).await, Login::Accepted);
    let query = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'good'";
    let gone = || server.value(query).as_deref() == Some("0");
    assert!((0..500).any(|_| gone()), "a connection is left");
}

#[tokio::test]
async fn every_sslmode_that_does_not_verify() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_and_database("modes");
    for mode in [
        SslMode::Disable,
        SslMode::Allow,
        SslMode::Prefer,
        SslMode::Require,
    ] {
        assert_eq!(at(&url, Some(mode)).await, Login::Accepted, "{mode:?}");
    }
}

#[tokio::test]
async fn what_the_server_knows_to_be_bad() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_and_database("known");
    let wrong_password = url.replace("password-of-known", "wrong");
    let missing_role = url.replace("known:", "nobody_here:");
    let missing_database = format!("{url}_missing");
    for mode in [
        None,
        Some(SslMode::Disable),
        Some(SslMode::Allow),
        Some(SslMode::Prefer),
    ] {
        assert_eq!(
            at(&wrong_password, mode).await,
            refused("28P01"),
            "{mode:?}"
        );
        assert_eq!(
            at(&missing_database, mode).await,
            refused("3D000"),
            "{mode:?}"
        );
    }
    assert_eq!(at(&missing_role, None).await, refused("28P01"));
    server.sql("ALTER ROLE known NOLOGIN");
    assert_eq!(at(&url, None).await, refused("28000"));
}

#[tokio::test]
async fn a_server_on_this_machine_without_tls_is_tried_in_plain() {
    let Some(server) = Postgres::without_tls() else {
        return;
    };
    let url = server.create_role_and_database("plain_only");
    for mode in [
        None,
        Some(SslMode::Require),
        Some(SslMode::Prefer),
        Some(SslMode::Allow),
    ] {
        assert_eq!(at(&url, mode).await, Login::Accepted, "{mode:?}");
    }
    assert_eq!(
        at(&url.replace("password-of-", ""), None).await,
        refused("28P01")
    );
    for mode in [SslMode::VerifyCa, SslMode::VerifyFull] {
        assert_eq!(obstacle(&url, Some(mode)).await, Obstacle::NoTls);
    }
}

/// Both ways in which Postgres has kept passwords.
#[tokio::test]
async fn passwords_that_are_kept_as_scram_and_as_md5() {
    let Some(server) = Postgres::without_tls() else {
        return;
    };
    for kept_as in ["md5", "scram-sha-256"] {
        let name = format!("kept_as_{}", &kept_as[..3]);
        let url = server.create_role_kept_as(&name, kept_as);
        let query = format!("SELECT lower(rolpassword) FROM pg_authid WHERE rolname = '{name}'");
        let kept = server.value(&query).unwrap();
        assert!(kept.starts_with(kept_as), "{kept}");
        assert_eq!(at(&url, None).await, Login::Accepted, "{kept_as}");
        let wrong = url.replace("password-of-", "");
        assert_eq!(at(&wrong, None).await, refused("28P01"), "{kept_as}");
    }
}

#[tokio::test]
async fn a_role_or_a_server_that_has_no_connection_left() {
    let Some(server) = Postgres::own() else {
        return;
    };
    // (The quicker way to log in, forty times.)
    let url = server.create_role_kept_as("crowded", "md5");
    server.sql("ALTER ROLE crowded CONNECTION LIMIT 0");
    let full = |message: &str| Obstacle::Full(message.to_owned());
    let role = full("too many connections for role \"crowded\"");
    assert_eq!(obstacle(&url, None).await, role);
    assert!(
        role.to_string()
            .starts_with("53300: no connection slot left")
    );
    server.sql("ALTER ROLE crowded CONNECTION LIMIT -1");
    let mut held = Vec::new();
    let error = loop {
        match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
            Ok((client, connection)) => held.push((client, tokio::spawn(connection))),
            Err(error) => break error,
        }
    };
    let message = error.as_db_error().unwrap().message();
    assert_eq!(obstacle(&url, None).await, full(message));
}

#[tokio::test]
async fn a_server_that_shuts_down() {
    let Some(server) = Postgres::own() else {
        return;
    };
    let url = server.create_role_and_database("late");
    let connected = tokio_postgres::connect(&url, tokio_postgres::NoTls).await;
    let (client, connection) = connected.unwrap();
    let connection = tokio::spawn(connection);
    server.shut_down_softly();
    // The signal is on its way.
    let mut answer = at(&url, None).await;
    while answer == Login::Accepted {
        answer = at(&url, None).await;
    }
    let (code, message) = ("57P03", "the database system is shutting down");
    let (code, message) = (code.to_owned(), message.to_owned());
    let why = Obstacle::NotServing { code, message };
    assert_eq!(answer, Login::Unreachable { why });
    drop(client);
    let _ = connection.await;
}

/// What servers and poolers say, and what it means.
#[tokio::test]
async fn every_answer_has_its_meaning() {
    let starting = "the database system is starting up";
    for (code, message, expected) in [
        (
            "28P01",
            "password authentication failed for user \"u\"",
            None,
        ),
        ("28P01", "Passwort-Authentifizierung fehlgeschlagen", None),
        ("28000", "role \"u\" is not permitted to log in", None),
        ("3D000", "database \"d\" does not exist", None),
        ("42501", "permission denied for database \"d\"", None),
        ("08P01", "password authentication failed", None),
        ("08P01", "SASL authentication failed", None),
        ("08P01", "no such user: u", None),
        ("08P01", "no such database: d", None),
        (
            "08P01",
            "query_wait_timeout",
            Some("08P01: query_wait_timeout"),
        ),
        (
            "08P01",
            "no more connections allowed (max_client_conn)",
            Some("08P01: no more connections allowed (max_client_conn)"),
        ),
        (
            "53300",
            "sorry, too many clients already",
            Some("53300: no connection slot left (sorry, too many clients already)"),
        ),
        (
            "57P03",
            starting,
            Some("57P03: the server takes no logins now (the database system is starting up)"),
        ),
        (
            "57P01",
            "terminating connection due to administrator command",
            Some(
                "57P01: the server takes no logins now (terminating connection due to \
                 administrator command)",
            ),
        ),
        ("53200", "out of memory", Some("53200: out of memory")),
    ] {
        let server = CannedPostgres::start(Said::Error(code, message)).await;
        let url = format!("postgres://u:password-of-u@127.0.0.1:{}/d", server.port);
        for mode in [None, Some(SslMode::Disable), Some(SslMode::Prefer)] {
            match expected {
                None => assert_eq!(at(&url, mode).await, refused(code), "{message}"),
                Some(phrase) => assert_eq!(obstacle(&url, mode).await.to_string(), phrase),
            }
        }
    }
    let server = CannedPostgres::start(Said::Nothing).await;
    let url = format!("postgres://u:p@127.0.0.1:{}/d", server.port);
    let hung_up = obstacle(&url, None).await;
    assert_eq!(hung_up, Obstacle::Other("connection closed".to_owned()));
}

#[tokio::test]
async fn nobody_listens_or_nobody_answers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u:p@{}/d", listener.local_addr().unwrap());
    let short = Duration::from_millis(200);
    let silent = login(&Secret::from(url.as_str()), None, short).await;
    let why = Obstacle::NoAnswer(short);
    assert_eq!(why.to_string(), "no answer within 0.2 s");
    assert_eq!(silent, Login::Unreachable { why });
    // Not at the listener's address once it is closed: a process that another test is just starting
    // may have its descriptor for a moment.
    let nobody = obstacle("postgres://u:p@127.0.0.1:1/d", None).await;
    assert_eq!(nobody, Obstacle::ConnectionRefused);
    // An empty label: no name server has to be asked.
    let unknown = obstacle("postgres://u:p@db..invalid/d", None).await;
    assert_eq!(unknown, Obstacle::NameNotFound);
    let unusable = obstacle("postgres://:p@127.0.0.1:1/d", None).await;
    let why = "the URL names no user".to_owned();
    assert_eq!(unusable, Obstacle::NotTried(why));
}
