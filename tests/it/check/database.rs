//! The way to a database, and what its server says: DNS, TCP, TLS, login, writes, connections.

use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};

use changeover::testing::heroku::{Options, Simulator};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket,
};
use tokio_postgres::{Client, NoTls};

use crate::support::postgres::Postgres;
use crate::support::world::eventually;

use super::{Checked, SERVER, check};

/// A simulator that has this as the app's `DATABASE_URL`.
fn with(url: &str) -> Simulator {
    let options = Options {
        config: vec![("DATABASE_URL".to_owned(), url.to_owned())],
        ..Options::default()
    };
    Simulator::start(options).unwrap()
}

/// What comes after this line was not looked at, and what comes before it is right.
fn ends_at(checked: &Checked, name: &str) {
    let at = SERVER.iter().position(|one| *one == name).unwrap();
    for before in &SERVER[..at] {
        assert_eq!(checked.status(before), "ok", "{}", checked.text);
    }
    assert_eq!(checked.status(name), "failed", "{}", checked.text);
    for after in &SERVER[at + 1..] {
        checked.says(after, "unknown", &format!("because {name} failed"));
    }
    let head = format!("FAILED   {name:10}");
    assert!(checked.text.contains(&head), "{}", checked.text);
}

#[test]
fn all_is_well() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    let token = simulator.issue_token(&["read-protected"]);
    simulator.set_token(&token);
    let checked = super::check_with(&simulator, &[], &[("HEROKU_API_KEY", &token)]);
    assert_eq!(checked.code, 0, "{}", checked.text);
    checked.says("dns", "ok", "127.0.0.1 is an address itself");
    checked.says("tcp", "ok", &format!("127.0.0.1:{}", server.port));
    checked.says("tls", "ok", "encrypted; the certificate is not verified");
    checked.says("login", "ok", "lets us in");
    checked.says("writable", "ok", "takes writes");
    checked.says("slots", "ok", "of 37 connections are left; this user has 0");
    let wrong = checked.wrong();
    assert!(
        wrong.iter().all(|(name, _)| *name == "scope"),
        "{}",
        checked.text
    );
}

#[test]
fn a_name_that_leads_nowhere() {
    let simulator = with("postgres://u:password-1@db.invalid:5432/d");
    let checked = check(&simulator, &[]);
    ends_at(&checked, "dns");
    // Where there is no network, nobody knows that there is no such host.
    assert!([75, 78].contains(&checked.code));
    checked.says("dns", "failed", "db.invalid: DNS does not");
}

#[test]
fn a_port_where_nobody_listens() {
    let checked = check(&with("postgres://u:password-1@127.0.0.1:1/d"), &[]);
    assert_eq!(checked.code, 75);
    ends_at(&checked, "tcp");
    checked.says("tcp", "failed", "127.0.0.1:1: connection refused");
    checked.says("tcp", "failed", "heroku pg:info -a myapp");
    let socket = "postgres://u:password-1@/d?host=/nonexistent";
    let checked = check(&with(socket), &[]);
    ends_at(&checked, "tcp");
    checked.says("tcp", "failed", "/nonexistent/.s.PGSQL.5432");
    checked.says("tcp", "failed", "where its socket is");
}

/// A port that drops packets: nobody accepts, and there is no more room to wait.
struct BlackHole {
    port: u16,
    _listener: OwnedFd,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    fn dig() -> Self {
        let listener = socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .unwrap();
        bind(listener.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
        listen(&listener, Backlog::new(0).unwrap()).unwrap();
        let address: SockaddrIn = getsockname(listener.as_raw_fd()).unwrap();
        let to = SocketAddr::from(([127, 0, 0, 1], address.port()));
        let patience = std::time::Duration::from_millis(300);
        let knock = |_| TcpStream::connect_timeout(&to, patience).ok();
        Self {
            port: address.port(),
            _listener: listener,
            _waiting: (0..4).map_while(knock).collect(),
        }
    }
}

#[test]
fn a_port_that_says_nothing_and_a_private_database() {
    let hole = BlackHole::dig();
    let url = format!("postgres://u:password-1@127.0.0.1:{}/d", hole.port);
    let (public, private) = (with(&url), with(&url));
    private.set_plan("postgresql-curved-12345", "heroku-postgresql:private-4");
    std::thread::scope(|scope| {
        let public = scope.spawn(|| check(&public, &[]));
        let private = check(&private, &[]);
        let public = public.join().unwrap();
        assert_eq!((public.code, private.code), (75, 78));
        for checked in [&public, &private] {
            ends_at(checked, "tcp");
            checked.says("tcp", "failed", "no answer within 5 s");
        }
        public.says("tcp", "failed", "firewall");
        private.says("tcp", "failed", "The plan is heroku-postgresql:private-4");
        let command = "heroku data:mtls:ip-rules postgresql-curved-12345 -a myapp";
        private.says("tcp", "failed", command);
    });
}

#[test]
fn tls_that_is_asked_for_in_vain() {
    let Some(server) = Postgres::without_tls() else {
        return;
    };
    let url = server.create_role_and_database("checked_in_plain");
    let checked = check(&with(&url), &[]);
    assert_eq!(checked.code, 0, "{}", checked.text);
    checked.says("tls", "advice", "clients such as libpq refuse");
    let kept = check(&with(&url), &["--sslmode", "keep"]);
    kept.says("tls", "ok", "not encrypted, and on this machine");
    let checked = check(&with(&format!("{url}?sslmode=verify-full")), &[]);
    assert_eq!(checked.code, 78);
    ends_at(&checked, "tls");
    checked.says("tls", "failed", "TLS: the server has none");
    let gone = format!("{url}?sslmode=verify-full&sslrootcert=/nonexistent");
    let checked = check(&with(&gone), &[]);
    ends_at(&checked, "tls");
    checked.says("tls", "failed", "sslrootcert: entity not found");
}

#[test]
fn a_certificate_that_is_verified() {
    let Some(server) = Postgres::with_authority() else {
        return;
    };
    let url = server.create_role_for_tls("checked_with_tls");
    let (right, wrong) = server.authority();
    let by_name = url.replace("127.0.0.1", "localhost");
    for (url, root, mode, expected) in [
        (&by_name, &right, "verify-full", Ok("and it is this host's")),
        (
            &url,
            &right,
            "verify-ca",
            Ok("a known authority has signed"),
        ),
        (&url, &right, "verify-full", Err("is for another host")),
        (&by_name, &wrong, "verify-full", Err("signed by nobody")),
    ] {
        let url = format!("{url}?sslmode={mode}&sslrootcert={}", root.display());
        let checked = check(&with(&url), &[]);
        match expected {
            Ok(part) => {
                assert_eq!(checked.code, 0, "{}", checked.text);
                checked.says("tls", "ok", part);
            }
            Err(part) => {
                assert_eq!(checked.code, 78);
                ends_at(&checked, "tls");
                checked.says("tls", "failed", part);
            }
        }
    }
}

#[test]
fn a_login_that_is_refused() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_for_tls("checked_login");
    let wrong_password = url.replace("password-of-", "not-the-password-of-");
    let wrong_database = format!("{url}_2");
    for (url, code, part) in [
        (&wrong_password, "28P01", "heroku pg:credentials -a myapp"),
        (&wrong_database, "3D000", "there is no such database"),
    ] {
        let checked = check(&with(url), &[]);
        assert_eq!(checked.code, 78);
        ends_at(&checked, "login");
        checked.says("login", "failed", code);
        checked.says("login", "failed", part);
    }
    server.sql("ALTER ROLE checked_login NOLOGIN");
    let checked = check(&with(&url), &[]);
    ends_at(&checked, "login");
    checked.says("login", "failed", "28000");
}

#[test]
fn a_server_that_takes_no_writes() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_for_tls("checked_reader");
    server.sql("ALTER ROLE checked_reader SET default_transaction_read_only = on");
    let simulator = with(&url);
    let checked = check(&simulator, &[]);
    assert_eq!(checked.code, 78);
    checked.says("writable", "failed", "default_transaction_read_only is on");
    checked.says("slots", "ok", "connections are left");
    // A follower may be meant to be one.
    let other = ["--var", "HEROKU_POSTGRESQL_AMBER_URL"];
    simulator.set_config("HEROKU_POSTGRESQL_AMBER_URL", Some(&url));
    let checked = check(&simulator, &other);
    assert_eq!(checked.code, 0, "{}", checked.text);
    checked.says("writable", "advice", "nothing, if it is only read from");
}

#[test]
fn a_server_that_follows_another() {
    let Some(server) = Postgres::standby() else {
        return;
    };
    let checked = check(&with(&server.superuser_url()), &[]);
    assert_eq!(checked.code, 78, "{}", checked.text);
    checked.says("login", "ok", "lets us in");
    checked.says("writable", "failed", "the server is a standby");
    checked.says("writable", "failed", "heroku pg:unfollow");
    checked.says("slots", "ok", "of 97 connections are left");
}

/// Three of its connections are kept for administrators.
#[tokio::test]
async fn a_server_with_no_connection_left() {
    let Some(server) = Postgres::own() else {
        return;
    };
    let url = server.create_role_and_database("checked_crowd");
    let simulator = with(&url);
    let mut clients = Vec::new();
    for (held, code, status, part) in [
        (
            18,
            0,
            "ok",
            "19 of 37 connections are left; this user has 18",
        ),
        (
            19,
            0,
            "advice",
            "18 of 37 connections are left; this user has 19",
        ),
        (37, 75, "failed", "53300: no connection is left"),
    ] {
        fill(&server, "checked_crowd", &url, held, &mut clients).await;
        let checked = check(&simulator, &[]);
        assert_eq!(checked.code, code, "{}", checked.text);
        checked.says("slots", status, part);
    }
}

/// Holds so many connections, and waits until the server has forgotten who has left.
async fn fill(server: &Postgres, role: &str, url: &str, held: usize, clients: &mut Vec<Client>) {
    while clients.len() < held {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        clients.push(client);
    }
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'");
    let expected = Some(held.to_string());
    eventually("only ours are there", || server.value(&count) == expected);
}

#[tokio::test]
async fn a_server_with_few_connections_left() {
    let Some(server) = Postgres::without_tls() else {
        return;
    };
    let url = server.create_role_and_database("checked_slots");
    server.sql("ALTER ROLE checked_slots CONNECTION LIMIT 4");
    let simulator = with(&url);
    let mut clients = Vec::new();
    for (held, code, status, part) in [
        (0, 0, "ok", "4 of 4 connections are left; this user has 0"),
        (1, 0, "ok", "3 of 4 connections are left; this user has 1"),
        (
            2,
            0,
            "advice",
            "2 of 4 connections are left; this user has 2",
        ),
        (2, 0, "advice", "and a login check one: 3 in all"),
        (4, 75, "failed", "53300: no connection is left"),
    ] {
        fill(server, "checked_slots", &url, held, &mut clients).await;
        let checked = check(&simulator, &[]);
        assert_eq!(checked.code, code, "{}", checked.text);
        checked.says("slots", status, part);
        if code != 0 {
            checked.says("login", "unknown", "no connection left");
            checked.says("writable", "unknown", "because slots failed");
        }
    }
}

#[test]
fn a_pool_before_the_server_has_limits_of_its_own() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_for_tls("checked_pool");
    let simulator = with(&url);
    let order = serde_json::json!({ "app": "myapp", "credential": "default", "name": "POOL" });
    let headers = [("authorization", "Bearer HRKU-simulator")];
    let path = "/client/v11/databases/postgresql-curved-12345/connection-pooling";
    let patience = std::time::Duration::from_secs(10);
    let request = ("POST", path);
    let body = order.to_string();
    crate::raw_http::send(simulator.address(), request, &headers, &body, patience).unwrap();
    let checked = check(&simulator, &["--database", "POOL"]);
    assert_eq!(checked.code, 0, "{}", checked.text);
    checked.says(
        "slots",
        "unknown",
        "a connection pool stands before the server",
    );
}
