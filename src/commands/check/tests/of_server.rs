//! What is said of each step of the way to a server.

use std::time::Duration;

use super::*;

#[test]
fn names_and_addresses() {
    let look = |hosts: Vec<Host>| {
        let inspection = Inspection {
            hosts,
            reached: None,
            entry: None,
        };
        server::lines(about(), &inspection)
    };
    let unknown = || Place::Name(Err(Obstacle::NameNotFound));
    let silent = Place::Name(Err(Obstacle::ResolverSilent));
    let two = look(vec![host("a", unknown()), host("b", found("::1"))]);
    says(
        &two,
        Name::Dns,
        &["ok: a: DNS does not know the host's name; b is ::1"],
    );
    let none = look(vec![host("a", unknown())]);
    says(&none, Name::Dns, &["failed: ", "heroku pg:info -a my-app"]);
    says(
        &none,
        Name::Slots,
        &["unknown: not looked at, because dns failed"],
    );
    let nobody = look(vec![host("a", silent)]);
    says(
        &nobody,
        Name::Dns,
        &["failed: a: DNS does not answer", "/etc/resolv.conf"],
    );
    let here = host("/run/pg", Place::SocketFile("/run/pg".into()));
    says(
        &look(vec![here]),
        Name::Dns,
        &["ok: /run/pg is a socket's directory"],
    );
    let spared = host("a", Place::Address("10.0.0.1".parse().unwrap()));
    says(
        &look(vec![spared]),
        Name::Dns,
        &["ok: a is 10.0.0.1, says the URL"],
    );
}

#[test]
fn who_does_not_answer_may_be_private() {
    let look = |ip: &str, why: Obstacle, plan: Option<&'static str>| {
        let inspection = Inspection {
            hosts: vec![host("h", found(ip))],
            reached: Some(Err(vec![(format!("{ip}:5432"), why)])),
            entry: None,
        };
        server::lines(About { plan, ..about() }, &inspection)
    };
    let silent = || Obstacle::NoAnswer(Duration::from_secs(5));
    let rules = "heroku data:mtls:ip-rules postgresql-round-12345 -a my-app";
    for plan in ["heroku-postgresql:private-0", "heroku-postgresql:shield-4"] {
        let lines = look("1.2.3.4", silent(), Some(plan));
        says(
            &lines,
            Name::Tcp,
            &["failed: 1.2.3.4:5432: no answer within 5 s", plan, rules],
        );
    }
    let inside = look("10.1.2.3", silent(), Some("heroku-postgresql:standard-0"));
    says(&inside, Name::Tcp, &["a private network's address", rules]);
    let file = Inspection {
        hosts: vec![host("/run/pg", Place::SocketFile("/run/pg".into()))],
        reached: Some(Err(vec![("/run/pg/.s".to_owned(), silent())])),
        entry: None,
    };
    let file = server::lines(about(), &file);
    says(
        &file,
        Name::Tcp,
        &["failed: /run/pg/.s: ", "where its socket is"],
    );
    let outside = look("1.2.3.4", silent(), None);
    says(&outside, Name::Tcp, &["firewall", "`nc -vz h 5432`"]);
    let refused = look("10.1.2.3", Obstacle::ConnectionRefused, None);
    says(
        &refused,
        Name::Tcp,
        &["connection refused", "heroku pg:info -a my-app"],
    );
}

#[test]
fn logins_that_do_not_succeed() {
    let refused = |code: &str| {
        let code = code.to_owned();
        server::lines(about(), &inspection(entry(Login::Refused { code }, None)))
    };
    for (code, part) in [
        ("28P01", "the password is wrong"),
        ("28000", "sslmode"),
        ("3D000", "no such database"),
        ("42501", "may not use this database"),
        ("08P01", "may not use this database"),
    ] {
        says(&refused(code), Name::Login, &["failed: ", code, part]);
    }
    let unreachable = |why| {
        server::lines(
            about(),
            &inspection(entry(Login::Unreachable { why }, None)),
        )
    };
    let starting = unreachable(Obstacle::NotServing {
        code: "57P03".to_owned(),
        message: "the system is starting up".to_owned(),
    });
    says(&starting, Name::Login, &["failed: 57P03", "try again"]);
    says(
        &starting,
        Name::Writable,
        &["unknown: not looked at, because login failed"],
    );
    let full = unreachable(Obstacle::Full("too many clients already".to_owned()));
    says(&full, Name::Login, &["unknown: "]);
    says(
        &full,
        Name::Slots,
        &["failed: 53300", "too many clients already", "heroku pg:ps"],
    );
}

#[test]
fn encryption_by_where_the_server_is() {
    let look = |hosts: Vec<Host>, encryption| {
        let mut inspection = accepted(Mode::ReadWrite, slots());
        inspection.hosts = hosts;
        inspection.entry.as_mut().unwrap().encryption = encryption;
        server::lines(about(), &inspection)
    };
    let here = || vec![host("localhost", found("127.0.0.1"))];
    let there = || vec![host("h", found("1.2.3.4"))];
    says(
        &look(here(), Encryption::Plain),
        Name::Tls,
        &["ok: not encrypted"],
    );
    says(
        &look(there(), Encryption::Plain),
        Name::Tls,
        &["advice: not encrypted", "--sslmode require"],
    );
    says(
        &look(there(), Encryption::Unclear),
        Name::Tls,
        &["unknown: "],
    );
    let failed = look(there(), Encryption::Failed(Obstacle::NoTls));
    says(&failed, Name::Tls, &["failed: TLS: the server has none"]);
    says(
        &failed,
        Name::Login,
        &["unknown: not looked at, because tls failed"],
    );
}

#[test]
fn a_standby_is_wrong_only_for_the_main_database() {
    let standby = accepted(Mode::Standby, slots());
    let main = server::lines(about(), &standby);
    says(
        &main,
        Name::Writable,
        &["failed: the server is a standby", "heroku pg:unfollow"],
    );
    let is_main = false;
    let other = server::lines(About { is_main, ..about() }, &standby);
    says(
        &other,
        Name::Writable,
        &["advice: the server is a standby", "if it is only read from"],
    );
}

#[test]
fn connections_left() {
    let look = |used_by_role, role_max| {
        let slots = Slots {
            used_by_role,
            role_max,
            ..slots()
        };
        server::lines(about(), &accepted(Mode::ReadWrite, slots))
    };
    says(
        &look(10, None),
        Name::Slots,
        &["ok: 106 of 120 connections are left; this user has 10"],
    );
    says(&look(10, Some(21)), Name::Slots, &["ok: 11 of 21"]);
    says(
        &look(10, Some(20)),
        Name::Slots,
        &["advice: 10 of 20", "a login check one: 11 in all"],
    );
    says(&look(0, Some(1)), Name::Slots, &["advice: 1 of 1"]);
    says(&look(20, Some(20)), Name::Slots, &["failed: 0 of 20"]);
    let silent = SelfReport {
        mode: Err("no such function".to_owned()),
        slots: Err("permission denied".to_owned()),
    };
    let silent = inspection(entry(Login::Accepted, Some(silent)));
    let silent = server::lines(about(), &silent);
    says(
        &silent,
        Name::Slots,
        &["unknown: the server does not say (permission denied)"],
    );
    says(
        &silent,
        Name::Writable,
        &["unknown: the server does not say (no such function)"],
    );
}
