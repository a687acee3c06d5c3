//! Logins with TLS: every mode, with the right and the wrong authority, host and entry in
//! `pg_hba.conf`.

use std::path::PathBuf;
use std::time::Duration;

use changeover::credential::{Secret, SslMode};
use changeover::postgres::{Distrust, Login, Obstacle, login};

use crate::support::authority::{Authority, Validity};
use crate::support::canned_postgres::{CannedPostgres, Said};
use crate::support::postgres::Postgres;

const TIME_MAX: Duration = Duration::from_secs(10);

const MODES: [SslMode; 6] = [
    SslMode::Disable,
    SslMode::Allow,
    SslMode::Prefer,
    SslMode::Require,
    SslMode::VerifyCa,
    SslMode::VerifyFull,
];

/// Whom the client trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Roots {
    /// Those that come with the program.
    Bundled,
    /// The server's own authority.
    Right,
    /// A stranger.
    Wrong,
}

/// What `pg_hba.conf` has for the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Both,
    OnlyTls,
    OnlyPlain,
}

/// A login and what it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    In,
    ToDistrust(&'static str),
    /// `pg_hba.conf` says no to this way of encrypting.
    ToNoEntry,
}

fn came(login: &Login) -> Came {
    match login {
        Login::Accepted => Came::In,
        Login::Unreachable {
            why: Obstacle::Certificate(Distrust::UnknownIssuer),
        } => Came::ToDistrust("issuer"),
        Login::Unreachable {
            why: Obstacle::Certificate(Distrust::WrongName),
        } => Came::ToDistrust("name"),
        Login::Unreachable {
            why: Obstacle::ServerError { code, message },
        } if code == "28000" && message.contains("pg_hba.conf") => Came::ToNoEntry,
        Login::Refused { code } if code == "28000" => Came::ToNoEntry,
        other @ (Login::Refused { .. } | Login::Unreachable { .. }) => panic!("{other:?}"),
    }
}

/// What libpq's documentation says.
fn expected(mode: SslMode, roots: Roots, is_host_right: bool, entry: Entry) -> Came {
    let is_verified = match mode {
        SslMode::Disable | SslMode::Allow | SslMode::Prefer => false,
        SslMode::Require => roots != Roots::Bundled,
        SslMode::VerifyCa | SslMode::VerifyFull => true,
    };
    match (mode, entry) {
        (SslMode::Disable, Entry::OnlyTls) => Came::ToNoEntry,
        (SslMode::Disable | SslMode::Allow | SslMode::Prefer, _) => Came::In,
        _ if is_verified && roots != Roots::Right => Came::ToDistrust("issuer"),
        (SslMode::VerifyFull, _) if !is_host_right => Came::ToDistrust("name"),
        (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, Entry::OnlyPlain) => {
            Came::ToNoEntry
        }
        (SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull, _) => Came::In,
    }
}

#[tokio::test]
async fn every_mode_with_every_authority_host_and_entry() {
    let Some(server) = Postgres::with_authority() else {
        return;
    };
    let roles = [
        (Entry::Both, server.create_role_and_database("either")),
        (Entry::OnlyTls, server.create_role_for_tls("only_tls")),
        (Entry::OnlyPlain, server.create_role_for_plain("in_plain")),
    ];
    let (right, wrong) = server.authority();
    let file = |roots| match roots {
        Roots::Bundled => None,
        Roots::Right => Some(&right),
        Roots::Wrong => Some(&wrong),
    };
    let mut tried = 0;
    for (entry, url) in &roles {
        for (host, is_host_right) in [("localhost", true), ("127.0.0.1", false)] {
            for roots in [Roots::Bundled, Roots::Right, Roots::Wrong] {
                for mode in MODES {
                    let url = url.replace("127.0.0.1", host);
                    let expected = expected(mode, roots, is_host_right, *entry);
                    for (url, beside) in named(&url, file(roots), mode) {
                        let login = login(&Secret::from(url.as_str()), beside, TIME_MAX).await;
                        assert_eq!(came(&login), expected, "{url} {beside:?}");
                        tried += 1;
                    }
                }
            }
        }
    }
    assert_eq!(tried, 3 * 2 * 3 * 6 * 2);
}

/// The mode in the URL, and beside it.
fn named(url: &str, roots: Option<&PathBuf>, mode: SslMode) -> [(String, Option<SslMode>); 2] {
    let roots = roots.map_or(String::new(), |file| {
        format!("&sslrootcert={}", file.display())
    });
    [
        (format!("{url}?sslmode={}{roots}", mode.name()), None),
        (format!("{url}?connect_timeout=5{roots}"), Some(mode)),
    ]
}

#[tokio::test]
async fn a_wrong_password_is_one_however_the_login_is_encrypted() {
    let Some(server) = Postgres::with_authority() else {
        return;
    };
    let url = server.create_role_for_tls("guessed");
    let url = url
        .replace("127.0.0.1", "localhost")
        .replace("password-of-", "");
    let (right, _) = server.authority();
    for mode in MODES.into_iter().filter(|mode| *mode != SslMode::Disable) {
        for (url, beside) in named(&url, Some(&right), mode) {
            let login = login(&Secret::from(url.as_str()), beside, TIME_MAX).await;
            let code = "28P01".to_owned();
            assert_eq!(login, Login::Refused { code }, "{url}");
        }
    }
}

#[tokio::test]
async fn certificates_that_are_not_valid_now() {
    let authority = Authority::new("of a clock");
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root.pem");
    std::fs::write(&root, authority.pem()).unwrap();
    for (validity, expected) in [
        (Validity::Now, None),
        (Validity::Past, Some(Distrust::Expired)),
        (Validity::Future, Some(Distrust::NotYetValid)),
    ] {
        let signed = authority.sign("localhost", validity);
        let said = Said::Error("28P01", "no");
        let server = CannedPostgres::start_tls(said, signed).await;
        let url = format!("postgres://u:p@localhost:{}/d", server.port);
        for mode in [SslMode::Require, SslMode::VerifyCa, SslMode::VerifyFull] {
            for root in [Some(&root), None] {
                let [(url, _), _] = named(&url, root, mode);
                let login = login(&Secret::from(url.as_str()), None, TIME_MAX).await;
                let distrust = match root {
                    Some(_) => expected.clone(),
                    None if mode == SslMode::Require => None,
                    // Nobody knows its authority either.
                    None => continue,
                };
                match (distrust, login) {
                    (None, Login::Refused { code }) => assert_eq!(code, "28P01"),
                    (Some(distrust), Login::Unreachable { why }) => {
                        assert_eq!(why, Obstacle::Certificate(distrust));
                    }
                    (_, other) => panic!("{url}: {other:?}"),
                }
            }
        }
    }
}

/// The tests' other server: its certificate has signed itself, as Heroku's have.
#[tokio::test]
async fn a_certificate_that_signed_itself() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_for_tls("self_signed");
    let by_name = url.replace("127.0.0.1", "localhost");
    let certificate = server.certificate();
    let with = |mode| {
        format!(
            "{by_name}?sslmode={mode}&sslrootcert={}",
            certificate.display()
        )
    };
    for (url, expected) in [
        (url.clone(), Came::In),
        (format!("{url}?sslmode=require"), Came::In),
        (with("verify-ca"), Came::In),
        (with("verify-full"), Came::In),
        (
            format!("{by_name}?sslmode=verify-ca"),
            Came::ToDistrust("issuer"),
        ),
        (
            format!("{by_name}?sslmode=verify-full"),
            Came::ToDistrust("issuer"),
        ),
    ] {
        let login = login(&Secret::from(url.as_str()), None, TIME_MAX).await;
        assert_eq!(came(&login), expected, "{url}");
    }
}

/// The PostgreSQL manual's own recipe makes an authority of the server's certificate.
#[tokio::test]
async fn a_certificate_that_signed_itself_and_could_sign_others() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("root.pem");
    let stranger = directory.path().join("stranger.pem");
    std::fs::write(&stranger, Authority::new("of another").pem()).unwrap();
    for validity in [Validity::Now, Validity::Past] {
        let own = Authority::of_itself("localhost", validity);
        std::fs::write(&root, &own.certificate_pem).unwrap();
        let server = CannedPostgres::start_tls(Said::Error("28P01", "no"), own).await;
        for (mode, host, root, expected) in [
            (SslMode::VerifyCa, "localhost", &root, None),
            (SslMode::VerifyCa, "127.0.0.1", &root, None),
            (SslMode::VerifyFull, "localhost", &root, None),
            (
                SslMode::VerifyFull,
                "127.0.0.1",
                &root,
                Some(Distrust::WrongName),
            ),
            (
                SslMode::VerifyFull,
                "localhost",
                &stranger,
                Some(Distrust::UnknownIssuer),
            ),
        ] {
            let url = format!("postgres://u:p@{host}:{}/d", server.port);
            let [(url, _), _] = named(&url, Some(root), mode);
            let login = login(&Secret::from(url.as_str()), None, TIME_MAX).await;
            let expected = match (validity, expected) {
                (Validity::Past, _) => Some(Distrust::Expired),
                (Validity::Now | Validity::Future, expected) => expected,
            };
            match (expected, login) {
                (None, Login::Refused { code }) => assert_eq!(code, "28P01"),
                (Some(distrust), Login::Unreachable { why }) => {
                    assert_eq!(why, Obstacle::Certificate(distrust), "{url}");
                }
                (_, other) => panic!("{url}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_root_file_that_cannot_be_read() {
    let url = "postgres://u:p@127.0.0.1:1/d?sslmode=verify-full&sslrootcert=/nonexistent.pem";
    let login = login(&Secret::from(url), None, TIME_MAX).await;
    let why = Obstacle::NotTried("sslrootcert: entity not found".to_owned());
    assert_eq!(login, Login::Unreachable { why });
}
