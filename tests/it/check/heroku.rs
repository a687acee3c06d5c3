//! The token, its scope, the app, the account's budget, the variables, the add-ons.

use changeover::testing::heroku::{Fault, Injection, Options, Simulator};

use super::{Checked, SERVER, check, check_with};

const OLD: &str = "postgresql-curved-12345";

fn simulator() -> Simulator {
    Simulator::start(Options::default()).unwrap()
}

/// The first four lines.
const PLATFORM: [&str; 4] = ["token", "scope", "app", "budget"];

/// Only what Heroku says: nobody logs in.
fn of_heroku(simulator: &Simulator, arguments: &[&str]) -> Checked {
    let arguments = [arguments, &["--check-login", "never"]].concat();
    let checked = check(simulator, &arguments);
    for name in SERVER {
        if checked.lines().iter().any(|line| line["name"] == name) {
            checked.says(name, "unknown", "--check-login is never");
        }
    }
    checked
}

/// What is not right beside what nobody looked at.
fn wrong(checked: &Checked) -> Vec<(&str, &str)> {
    let mut wrong = checked.wrong();
    wrong.retain(|(name, _)| !SERVER.contains(name));
    wrong
}

fn names(checked: &Checked) -> Vec<&str> {
    let names = checked.lines().iter();
    names.map(|line| line["name"].as_str().unwrap()).collect()
}

#[test]
fn nobody_logs_in_when_told_so_and_that_is_no_failure() {
    let simulator = simulator();
    let checked = of_heroku(&simulator, &[]);
    assert_eq!(checked.code, 0, "{}", checked.text);
    assert_eq!(wrong(&checked), [("scope", "advice")]);
    checked.says("scope", "advice", "authorizations:create -s read-protected");
    checked.says("budget", "ok", "of the account's 4500 calls are left");
    checked.says("backups", "ok", "every day at 2:00 UTC");
    checked.says(
        "promoted",
        "ok",
        "postgresql-curved-12345 is the promoted database",
    );
    let expected = [
        &PLATFORM[..],
        &["variable", "url"],
        &SERVER,
        &["backups", "promoted"],
    ];
    assert_eq!(names(&checked), expected.concat());
    assert!(
        checked.text.contains("has here what it needs"),
        "{}",
        checked.text
    );
    // Once for the script, once for the person.
    assert_eq!(simulator.request_count(), 2 * 3);
}

#[test]
fn a_token_that_is_nowhere() {
    let simulator = simulator();
    let checked = check_with(&simulator, &[], &[("HEROKU_API_KEY", "")]);
    assert_eq!(checked.code, 78);
    assert_eq!(names(&checked), PLATFORM);
    checked.says("token", "failed", "set HEROKU_API_KEY, or name a file");
    checked.says("app", "unknown", "not looked at, because token failed");
    assert_eq!(simulator.request_count(), 0);
    let told = "unknown            scope, app, budget: not looked at, because token failed\n";
    assert!(checked.text.contains(told), "{}", checked.text);
}

#[test]
fn a_token_that_is_refused() {
    let simulator = simulator();
    let checked = check_with(&simulator, &[], &[("HEROKU_API_KEY", "HRKU-wrong")]);
    assert_eq!((checked.code, names(&checked)), (78, PLATFORM.to_vec()));
    checked.says(
        "token",
        "failed",
        "refused the token from HEROKU_API_KEY (401",
    );
    checked.says(
        "token",
        "failed",
        "authorizations:create -s read-protected -S",
    );
}

#[test]
fn a_token_that_others_can_read() {
    let simulator = simulator();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    crate::support::write(&file, 0o644, "HRKU-simulator\n");
    let option = ["--token-file", file.to_str().unwrap()];
    let checked = of_heroku(&simulator, &option);
    assert_eq!(checked.code, 0);
    checked.says("token", "advice", "chmod");
}

#[test]
fn a_scope_that_is_too_small_and_one_that_is_right() {
    let simulator = simulator();
    for scope in ["read", "identity"] {
        let token = simulator.issue_token(&[scope]);
        let checked = check_with(&simulator, &[], &[("HEROKU_API_KEY", &token)]);
        assert_eq!(checked.code, 78);
        assert_eq!(wrong(&checked), [("scope", "failed"), ("app", "unknown")]);
        checked.says("scope", "failed", &format!("the token's scope is {scope}"));
        checked.says("scope", "failed", "-s read-protected");
    }
    let token = simulator.issue_token(&["read-protected"]);
    let never = ["--check-login", "never"];
    let checked = check_with(&simulator, &never, &[("HEROKU_API_KEY", &token)]);
    assert_eq!((checked.code, wrong(&checked)), (0, Vec::new()));
    checked.says("scope", "ok", "read-protected");
}

#[test]
fn an_app_that_the_token_may_not_see_and_one_that_is_not_there() {
    let simulator = simulator();
    simulator.fault(Fault::Forbidden);
    let checked = check(&simulator, &[]);
    assert_eq!(checked.code, 78);
    checked.says("app", "failed", "heroku access:add OWNER -a myapp");
    checked.says("scope", "advice", "global");
    simulator.clear_faults();
    let checked = check(&simulator, &["--app", "other"]);
    assert_eq!((checked.code, names(&checked)), (78, PLATFORM.to_vec()));
    checked.says("app", "failed", "heroku apps --all");
    checked.says("token", "ok", "from HEROKU_API_KEY");
    assert_eq!(checked.json["app"], "other");
}

#[test]
fn an_api_that_does_not_answer() {
    let simulator = simulator();
    simulator.fault(Fault::Unavailable);
    let checked = check(&simulator, &[]);
    assert_eq!((checked.code, names(&checked)), (75, PLATFORM.to_vec()));
    checked.says("app", "failed", "does not answer: 503 (HTML)");
    checked.says("app", "failed", "status.heroku.com");
}

#[test]
fn a_budget_that_is_low_and_one_that_is_used_up() {
    let simulator = simulator();
    simulator.set_rate_limit_remaining(100);
    let checked = of_heroku(&simulator, &[]);
    assert_eq!(checked.code, 0);
    checked.says("budget", "advice", "of the account's 4500 calls are left");
    simulator.fault(Fault::RateLimited);
    let checked = check(&simulator, &[]);
    assert_eq!(checked.code, 75);
    checked.says("budget", "failed", "429 rate_limit");
    checked.says("app", "unknown", "because budget failed");
}

#[test]
fn a_variable_that_is_missing_or_bad() {
    let simulator = simulator();
    for (fault, name, part) in [
        (Fault::MissingKey, "variable", "missing"),
        (
            Fault::MissingKey,
            "variable",
            "DATABASE and HEROKU_POSTGRESQL_AMBER",
        ),
        (Fault::Null, "variable", "null"),
        (Fault::EmptyString, "variable", "heroku config:set -a myapp"),
        (Fault::Number, "variable", "not a string"),
        (
            Fault::MalformedUrl,
            "url",
            "not a URL that a client could use",
        ),
    ] {
        simulator.fault(fault);
        let checked = check(&simulator, &[]);
        assert_eq!(checked.code, 78, "{fault}");
        checked.says(name, "failed", part);
        assert_eq!(names(&checked)[4..], ["variable", "url"]);
        assert_eq!(checked.line(name)["variable"], "DATABASE_URL");
    }
    simulator.clear_faults();
    let checked = check(&simulator, &["--var", "NO_SUCH_*"]);
    assert_eq!(checked.code, 78);
    checked.says("variable", "failed", "no config var matches --var");
}

#[test]
fn what_is_no_postgres_url_is_not_looked_into() {
    let simulator = simulator();
    simulator.set_config("REDIS_URL", Some("rediss://:password-1@h:1"));
    let checked = check(&simulator, &["--var", "REDIS_URL"]);
    assert_eq!(
        (checked.code, names(&checked).len()),
        (0, PLATFORM.len() + 2)
    );
    checked.says("url", "ok", "not a postgres URL");
}

#[test]
fn a_database_that_is_not_the_promoted_one() {
    let simulator = simulator();
    let follow = ["--database", "HEROKU_POSTGRESQL_COBALT"];
    let checked = of_heroku(&simulator, &follow);
    assert_eq!(checked.code, 0);
    let told = "it is postgresql-round-54321, and the promoted database is postgresql-curved-12345";
    checked.says("promoted", "advice", told);
    checked.says(
        "promoted",
        "advice",
        "heroku pg:promote HEROKU_POSTGRESQL_COBALT -a myapp",
    );
    // Nobody takes it for the main one there.
    let checked = of_heroku(&simulator, &["--var", "HEROKU_POSTGRESQL_COBALT_URL"]);
    checked.says("promoted", "ok", told);

    let by_hand = simulator.config_var("DATABASE_URL").unwrap();
    simulator.detach("DATABASE").unwrap();
    simulator.set_config("DATABASE_URL", Some(&by_hand));
    let checked = of_heroku(&simulator, &[]);
    assert_eq!(checked.code, 0);
    checked.says("promoted", "advice", "somebody set it by hand");
    checked.says("backups", "unknown", "no add-on is known behind it");
    let checked = of_heroku(&simulator, &["--database", OLD]);
    checked.says("promoted", "advice", "no database is attached as DATABASE");
}

#[test]
fn a_database_that_nobody_backs_up() {
    let simulator = simulator();
    simulator.set_backups(OLD, &[]);
    let checked = of_heroku(&simulator, &[]);
    assert_eq!(checked.code, 0);
    checked.says("backups", "advice", "no backup is scheduled");
    let command = "heroku pg:backups:schedule postgresql-curved-12345 --at '02:00 UTC' -a myapp";
    checked.says("backups", "advice", command);
    assert!(
        checked.text.contains("no backup is scheduled\n"),
        "{}",
        checked.text
    );
}

#[test]
fn what_heroku_does_not_tell_is_no_failure() {
    let simulator = simulator();
    simulator.fault(Injection::from(Fault::Forbidden).on("transfer-schedules"));
    let checked = of_heroku(&simulator, &[]);
    assert_eq!(checked.code, 0);
    checked.says("backups", "unknown", "403 forbidden");
    checked.says("backups", "unknown", "heroku pg:backups:schedules -a myapp");
    simulator.fault(Injection::from(Fault::Unavailable).on("addon-attachments"));
    let checked = of_heroku(&simulator, &[]);
    assert_eq!(checked.code, 0);
    checked.says("promoted", "unknown", "503 (HTML) for addon-attachments");
    checked.says("promoted", "unknown", "heroku addons -a myapp");
    checked.says("backups", "unknown", "no add-on is known behind it");
}
