//! The words of a report, without anybody to ask.

mod of_server;

use std::collections::BTreeMap;

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
            kept_out: Vec::new(),
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
        insists: Insists::No,
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
fn nothing_steers_a_terminal() {
    let value = Ok(Secret::from("postgres://u:CANARY@h\u{202e}.example/d"));
    let mut report = Report::new(APP);
    let lines = variable::presence(APP, &value, &Ok(Vec::new()));
    report.add(Some("A\u{1b}[2J"), lines);
    let told = report.to_string();
    assert!(told.starts_with("\nA\\u{1b}[2J\n"), "{told}");
    assert!(
        told.contains("postgres://u:***@h\\u{202e}.example/d"),
        "{told}"
    );
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
