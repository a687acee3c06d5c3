//! The words of a report, without anybody to ask.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::credential::{Attachment, Snapshot, Values};
use crate::heroku::{Backup, Diagnosis, FetchError, NoToken, Origin, Refused, Token};
use crate::postgres::{
    Encryption, Entry, Host, Login, Mode, Obstacle, Place, SelfReport, Slots, Verified,
};

const README: &str = include_str!("../../../README.md");
const APP: &str = "my-app";
const URL: &str = "postgres://u4k2:CANARY@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d7h9";

type Lines = Vec<(Name, Verdict)>;

fn token() -> Result<Token, NoToken> {
    Ok(Token {
        secret: Secret::from("CANARY"),
        origin: Origin::ApiKey,
        warning: None,
    })
}

fn diagnosis(scope: Option<&str>, accepted: Option<&str>) -> Diagnosis {
    Diagnosis {
        ratelimit_remaining: Some(4483),
        oauth_scope: scope.map(str::to_owned),
        oauth_scope_accepted: accepted.map(str::to_owned),
    }
}

fn of_platform(answer: Result<Diagnosis, FetchError>) -> Lines {
    let answer = answer.map(|diagnosis| Answer::Snapshot {
        snapshot: Snapshot {
            watched: BTreeMap::new(),
            others: Values::new(),
        },
        etag: None,
        diagnosis,
    });
    platform::lines(APP, &token(), Some(&answer))
}

fn refused(status: u16, fault: Refused, diagnosis: Diagnosis) -> FetchError {
    FetchError::TokenRefused {
        status,
        origin: Origin::ApiKey,
        fault,
        message: format!("{status} forbidden"),
        diagnosis,
    }
}

fn attachment(name: &str, number: u32) -> Attachment {
    Attachment {
        id: name.to_owned(),
        name: name.to_owned(),
        namespace: None,
        created_at: "2026".to_owned(),
        addon_id: number.to_string(),
        addon: format!("postgresql-round-{number}"),
    }
}

fn about() -> About<'static> {
    About {
        app: APP,
        addon: Some("postgresql-round-12345"),
        plan: None,
        is_main: true,
        is_pooled: false,
    }
}

fn host(name: &str, place: Place) -> Host {
    Host {
        name: name.to_owned(),
        port: 5432,
        place,
    }
}

fn found(ip: &str) -> Place {
    Place::Name(Ok(vec![ip.parse().unwrap()]))
}

fn entry(login: Login, server: Option<SelfReport>) -> Entry {
    Entry {
        encryption: Encryption::Tls,
        verified: Verified::Nothing,
        login,
        server,
    }
}

/// A database of a `standard-0`, with a program on it.
fn slots() -> Slots {
    Slots {
        max: 123,
        reserved: 3,
        used: 14,
        used_by_role: 10,
        used_in_database: 10,
        ..Slots::default()
    }
}

fn inspection(entry: Entry) -> Inspection {
    let name = "ec2-1-2-3-4.compute-1.amazonaws.com";
    Inspection {
        hosts: vec![host(name, found("1.2.3.4"))],
        reached: Some(Ok("1.2.3.4:5432".to_owned())),
        entry: Some(entry),
    }
}

fn accepted(mode: Mode, slots: Slots) -> Inspection {
    let server = SelfReport {
        mode: Ok(mode),
        slots: Ok(slots),
    };
    inspection(entry(Login::Accepted, Some(server)))
}

fn whole(scope: &str, inspection: &Inspection, times: &[&str]) -> Report {
    let mut report = Report::new(APP);
    report.add(None, of_platform(Ok(diagnosis(Some(scope), None))));
    let main = attachment("DATABASE", 12345);
    let attachments = Ok(vec![main.clone()]);
    let value = Ok(Secret::from(URL));
    let time = |hour: &&str| Backup {
        hour: (*hour).to_owned(),
        timezone: "UTC".to_owned(),
    };
    let times = Ok(times.iter().map(time).collect());
    let backups = variable::backups(APP, Some(&main.addon), Some(&times));
    let promoted = variable::promoted(APP, Some(&main), &attachments, true);
    let mut lines = variable::presence(APP, &value, &attachments);
    lines.extend(server::lines(about(), inspection));
    lines.extend([(Name::Backups, backups), (Name::Promoted, promoted)]);
    report.add(Some("DATABASE_URL"), lines);
    report
}

/// A sample of the README, without the command above it.
fn sample(number: usize) -> &'static str {
    let block = README.split("```console\n$ changeover check -a my-app");
    let block = block.skip(1).nth(number).unwrap();
    let (_, block) = block.split_once('\n').unwrap();
    block.split("```").next().unwrap()
}

#[test]
fn the_readme_shows_what_is_printed() {
    let well = accepted(Mode::ReadWrite, slots());
    let well = whole("read-protected", &well, &[]);
    assert_eq!(well.to_string(), sample(0));
    assert_eq!(well.code(), ExitCode::Success);
    let code = "28P01".to_owned();
    let refused = inspection(entry(Login::Refused { code }, None));
    let refused = whole("global", &refused, &["2"]);
    assert_eq!(refused.to_string(), sample(1));
    assert_eq!(refused.code(), ExitCode::Config);
    let line = README.split("```json\n").nth(1).unwrap();
    let line = line.split("```").next().unwrap();
    let shown: serde_json::Value = serde_json::from_str(line).unwrap();
    let printed: serde_json::Value = serde_json::from_str(&refused.json()).unwrap();
    for field in ["v", "ok", "exit_code", "app"] {
        assert_eq!(shown[field], printed[field], "{field}");
    }
    let checks = printed["checks"].as_array().unwrap();
    for check in shown["checks"].as_array().unwrap() {
        assert!(checks.contains(check), "{check}");
    }
}

#[test]
fn the_readme_has_every_line() {
    let table = README.split("\n| line | ").nth(1).unwrap();
    let table = table.split("\n\n").next().unwrap();
    let names = table.lines().skip(2);
    let names: Vec<_> = names.map(|row| row.split('`').nth(1).unwrap()).collect();
    let report = whole("global", &accepted(Mode::ReadWrite, slots()), &[]);
    let lines = report.lines.iter();
    assert_eq!(
        names,
        lines.map(|line| line.name.text()).collect::<Vec<_>>()
    );
}

#[test]
fn no_report_holds_a_secret() {
    for mode in [Mode::ReadWrite, Mode::Standby, Mode::ReadOnly] {
        let report = whole("global", &accepted(mode, slots()), &["2", "14"]);
        let told = format!("{report}{}{report:?}", report.json());
        assert!(!told.contains("CANARY"), "{told}");
    }
}

#[test]
fn within_80_columns_a_command_stays_whole() {
    let mut report = Report::new(APP);
    let long = "x".repeat(100);
    let mend =
        format!("make {long} or `a command that is exactly as long as one line can be it` now");
    report.add(None, [(Name::Token, Verdict::wrong("nothing", mend))]);
    let behind = [Name::Scope, Name::App].map(|name| (name, Verdict::Behind(Name::Token)));
    report.add(None, behind);
    report.add(Some("A"), [(Name::Url, Verdict::Behind(Name::Variable))]);
    let expected = format!(
        "FAILED   token     nothing\n\
         {:19}do: make\n\
         {:23}{long}\n\
         {:23}or\n\
         {:23}`a command that is exactly as long as one line can be it`\n\
         {:23}now\n\
         unknown            scope, app: not looked at, because token failed\n\
         \n\
         A\n\
         unknown  url       not looked at, because variable failed\n",
        "", "", "", "", ""
    );
    let told = report.to_string();
    assert!(told.starts_with(&expected), "{told}");
}

/// The verdict of one line, in words.
fn told(lines: &Lines, name: Name) -> String {
    let (_, verdict) = lines.iter().find(|(one, _)| *one == name).unwrap();
    let mend = verdict.mend().unwrap_or_default();
    format!("{}: {} / {mend}", verdict.status(), verdict.found())
}

fn says(lines: &Lines, name: Name, parts: &[&str]) {
    let told = told(lines, name);
    for part in parts {
        assert!(told.contains(part), "{part:?} is not in {told}");
    }
}

#[test]
fn a_403_is_about_the_scope_the_app_or_the_token() {
    let token = |diagnosis| of_platform(Err(refused(403, Refused::Token, diagnosis)));
    let small = token(diagnosis(
        Some("identity read"),
        Some("global read-protected"),
    ));
    says(&small, Name::Scope, &["failed: ", "-s read-protected"]);
    says(&small, Name::Token, &["ok: "]);
    let stranger = token(diagnosis(
        Some("read-protected"),
        Some("global read-protected"),
    ));
    says(
        &stranger,
        Name::App,
        &["failed: ", "heroku access:add OWNER -a my-app"],
    );
    says(&stranger, Name::Scope, &["ok: read-protected"]);
    // Heroku answers so to a key that has expired, too.
    let expired = token(diagnosis(None, None));
    says(&expired, Name::Token, &["failed: ", "-s read-protected"]);
    let account = refused(403, Refused::Account, diagnosis(Some("global"), None));
    let account = of_platform(Err(account));
    says(&account, Name::App, &["failed: ", "settle it with Heroku"]);
}

#[test]
fn what_heroku_does_not_say_is_unknown() {
    let silent = of_platform(Ok(Diagnosis::default()));
    says(&silent, Name::Scope, &["unknown: Heroku did not say"]);
    says(&silent, Name::Budget, &["unknown: "]);
    let wide = of_platform(Ok(diagnosis(Some("write-protected"), None)));
    says(&wide, Name::Scope, &["advice: write-protected"]);
}

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
