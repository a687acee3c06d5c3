//! Logins at a real Postgres: what is accepted, what is refused, and what says nothing about a
//! credential.

use std::time::Duration;

use changeover::credential::{Secret, SslMode};
use changeover::postgres::{Login, login};

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

/// The phrase of a login that said nothing about the credential.
async fn unreachable(url: &str, sslmode: Option<SslMode>) -> String {
    match at(url, sslmode).await {
        Login::Unreachable { detail } => {
            assert!(
                detail.len() <= 256 && !detail.contains("password-of"),
                "{detail}"
            );
            detail
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
async fn a_server_that_insists_on_tls() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_for_tls("tls_only");
    for mode in [
        None,
        Some(SslMode::Require),
        Some(SslMode::Prefer),
        Some(SslMode::Allow),
    ] {
        assert_eq!(at(&url, mode).await, Login::Accepted, "{mode:?}");
    }
    let detail = unreachable(&url, Some(SslMode::Disable)).await;
    assert!(detail.starts_with("28000 no pg_hba.conf entry"), "{detail}");
    let wrong = url.replace("password-of-", "");
    for mode in [None, Some(SslMode::Prefer), Some(SslMode::Allow)] {
        assert_eq!(at(&wrong, mode).await, refused("28P01"), "{mode:?}");
    }
}

#[tokio::test]
async fn certificates_are_verified_where_the_mode_says_so() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_and_database("verified");
    let by_name = url.replace("127.0.0.1", "localhost");
    let certificate = server.certificate();
    let with = |url: &str, mode: &str| {
        format!("{url}?sslmode={mode}&sslrootcert={}", certificate.display())
    };
    assert_eq!(
        at(&with(&by_name, "verify-full"), None).await,
        Login::Accepted
    );
    assert_eq!(at(&with(&url, "verify-ca"), None).await, Login::Accepted);
    let detail = unreachable(&with(&url, "verify-full"), None).await;
    assert!(detail.starts_with("TLS: "), "{detail}");
    for mode in [SslMode::VerifyCa, SslMode::VerifyFull] {
        let detail = unreachable(&by_name, Some(mode)).await;
        assert!(
            detail.starts_with("TLS: invalid peer certificate"),
            "{detail}"
        );
    }
    let missing = format!("{by_name}?sslmode=verify-full&sslrootcert=/nonexistent.pem");
    assert_eq!(
        unreachable(&missing, None).await,
        "sslrootcert: entity not found"
    );
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
    let detail = unreachable(&url, Some(SslMode::VerifyFull)).await;
    assert!(detail.contains("server does not support TLS"), "{detail}");
}

#[tokio::test]
async fn a_full_server_says_nothing_about_a_credential() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_and_database("crowded");
    server.sql("ALTER ROLE crowded CONNECTION LIMIT 0");
    let detail = unreachable(&url, None).await;
    assert!(detail.starts_with("53300 "), "{detail}");
}

#[tokio::test]
async fn nobody_listens_or_nobody_answers() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://u:p@{}/d", listener.local_addr().unwrap());
    let short = Duration::from_millis(200);
    let silent = login(&Secret::from(url.as_str()), None, short).await;
    let detail = "no answer within 0.2 s".to_owned();
    assert_eq!(silent, Login::Unreachable { detail });
    drop(listener);
    assert_eq!(unreachable(&url, None).await, "connection refused");
    // An empty label: no name server has to be asked.
    let unknown = unreachable("postgres://u:p@db..invalid/d", None).await;
    assert!(unknown.contains("lookup"), "{unknown}");
}
