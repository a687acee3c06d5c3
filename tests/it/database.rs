//! `--database`: databases that are followed by their name while they are attached, promoted and
//! renamed, with real processes and a simulated Heroku.

use std::process::Command;

use changeover::testing::heroku::{Fault, Injection, Options, Simulator};

use crate::support::supervised::{QUICK, Supervise, Supervised};
use crate::support::world::{Process, eventually};

const OLD: &str = "postgresql-curved-12345";
const NEW: &str = "postgresql-round-54321";
const CHILD: &str = r#"echo "pid=$$ url=$DATABASE_URL more=${MORE-none}"; sleep 1000 & wait"#;

fn simulator() -> Simulator {
    Simulator::start(Options::default()).unwrap()
}

fn url(simulator: &Simulator, config_var: &str) -> String {
    simulator.config_var(config_var).unwrap()
}

fn follow(simulator: &Simulator, options: &str) -> Supervised {
    let run = Supervise::on(simulator).options("--check-login never");
    run.options(QUICK).options(options).script(CHILD)
}

/// Waits for a child with this value; its process.
fn child(run: &mut Supervised, url: &str) -> Process {
    let line = run.line("pid=");
    assert!(line.contains(&format!(" url={url} ")), "{}", run.told());
    Process::named(&line, "pid")
}

/// How many requests there were for this list of the app's.
fn asked(simulator: &Simulator, list: &str) -> usize {
    let path = format!("/apps/myapp/{list}");
    let requests = simulator.requests();
    requests.iter().filter(|one| one.path == path).count()
}

/// Waits until Heroku has answered that nothing is new, so often.
fn quiet_polls(simulator: &Simulator, count: usize) {
    let quiet = || {
        let requests = simulator.requests();
        requests
            .iter()
            .filter(|one| one.status == Some(304))
            .count()
    };
    let until = quiet() + count;
    eventually("quiet polls", || quiet() >= until);
}

#[test]
fn every_kind_of_name() {
    let simulator = simulator();
    simulator.change_addon(NEW, NEW, Some("billing-app"));
    for (name, config_var) in [
        (OLD, "DATABASE_URL"),
        (NEW, "HEROKU_POSTGRESQL_COBALT_URL"),
        ("HEROKU_POSTGRESQL_COBALT", "HEROKU_POSTGRESQL_COBALT_URL"),
        ("DATABASE", "DATABASE_URL"),
    ] {
        let mut run = follow(&simulator, &format!("--database {name}"));
        child(&mut run, &url(&simulator, config_var));
        assert_eq!(run.terminate(), 143, "{}", run.told());
    }
    let mut run = follow(
        &simulator,
        &format!("--database {OLD} --database {NEW}=MORE"),
    );
    let line = run.line("pid=");
    let more = format!("more={}", url(&simulator, "HEROKU_POSTGRESQL_COBALT_URL"));
    assert!(line.ends_with(&more), "{line}");
}

#[test]
fn a_promotion_leaves_the_child_on_the_add_on_that_it_follows() {
    let simulator = simulator();
    let before = url(&simulator, "DATABASE_URL");
    let mut run = follow(&simulator, &format!("--database {OLD}"));
    let first = child(&mut run, &before);
    simulator.promote("HEROKU_POSTGRESQL_COBALT").unwrap();
    eventually("it is promoted", || {
        simulator.config_var("DATABASE_URL") == simulator.config_var("HEROKU_POSTGRESQL_COBALT_URL")
    });
    quiet_polls(&simulator, 2);
    assert!(first.lives(), "{}", run.told());
    // And what it follows there is the old one's own.
    let rotated = "postgres://u:rotated@127.0.0.1:1/d";
    simulator.set_config("HEROKU_POSTGRESQL_AMBER_URL", Some(rotated));
    child(&mut run, rotated);
    assert_eq!(run.lines().len(), 2, "{}", run.told());
}

#[test]
fn a_promotion_takes_the_child_along_that_follows_the_name() {
    let simulator = simulator();
    let mut run = follow(&simulator, "--database DATABASE");
    child(&mut run, &url(&simulator, "DATABASE_URL"));
    simulator.promote("HEROKU_POSTGRESQL_COBALT").unwrap();
    child(&mut run, &url(&simulator, "HEROKU_POSTGRESQL_COBALT_URL"));
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(run.lines().len(), 2, "{}", run.told());
}

#[test]
fn a_renamed_add_on_attached_elsewhere_is_the_same_database() {
    let simulator = simulator();
    let value = url(&simulator, "HEROKU_POSTGRESQL_COBALT_URL");
    let mut run = follow(&simulator, &format!("--database {NEW}"));
    let first = child(&mut run, &value);
    simulator.change_addon(NEW, "main-database", None);
    simulator.attach("main-database", "SECOND").unwrap();
    simulator.detach("HEROKU_POSTGRESQL_COBALT").unwrap();
    quiet_polls(&simulator, 2);
    assert!(first.lives(), "{}", run.told());
    let rotated = "postgres://u:rotated@127.0.0.1:1/d";
    simulator.set_config("SECOND_URL", Some(rotated));
    child(&mut run, rotated);
    assert_eq!(run.lines().len(), 2, "{}", run.told());
}

#[test]
fn what_is_attached_nowhere_keeps_its_last_value_until_it_is_back() {
    let simulator = simulator();
    let value = url(&simulator, "HEROKU_POSTGRESQL_COBALT_URL");
    let mut run = follow(&simulator, "--database HEROKU_POSTGRESQL_COBALT");
    let first = child(&mut run, &value);
    simulator.detach("HEROKU_POSTGRESQL_COBALT").unwrap();
    run.log("HEROKU_POSTGRESQL_COBALT of app myapp is missing");
    simulator.attach(NEW, "HEROKU_POSTGRESQL_COBALT").unwrap();
    run.log("HEROKU_POSTGRESQL_COBALT is usable again");
    assert!(first.lives(), "{}", run.told());
    // Another database under the same name is what the name means now.
    simulator.detach("HEROKU_POSTGRESQL_COBALT").unwrap();
    simulator.attach(OLD, "HEROKU_POSTGRESQL_COBALT").unwrap();
    child(&mut run, &url(&simulator, "DATABASE_URL"));
}

#[test]
fn a_look_at_the_attachments_is_made_for_a_reason_only() {
    let simulator = simulator();
    let mut run = follow(&simulator, &format!("--database {OLD}"));
    child(&mut run, &url(&simulator, "DATABASE_URL"));
    let counts = || {
        (
            asked(&simulator, "addon-attachments"),
            asked(&simulator, "config-vars"),
        )
    };
    // An add-on's place is believed when the config vars were the same before and after it.
    assert_eq!(counts().0, 1);
    quiet_polls(&simulator, 3);
    simulator.set_config("OTHER", Some("1"));
    quiet_polls(&simulator, 1);
    assert_eq!(counts().0, 1);
    simulator.rotate("default").unwrap();
    child(&mut run, &url(&simulator, "DATABASE_URL"));
    // The confirming answer had the same value.
    assert_eq!(counts().0, 2, "{:?}", simulator.requests());
    let by_name = self::simulator();
    let run = Supervise::on(&by_name).options("--check-login never --no-watch");
    let mut run = run.options("--database DATABASE").script(CHILD);
    child(&mut run, &url(&by_name, "DATABASE_URL"));
    assert_eq!(by_name.request_count(), 2);
}

#[test]
fn attachments_that_cannot_be_read_are_a_failed_fetch() {
    let simulator = simulator();
    let fault = |fault| Injection::from(fault).on("addon-attachments");
    simulator.fault(fault(Fault::Forbidden));
    let mut run = follow(&simulator, "--database DATABASE");
    assert_eq!(run.exit_code(), 78, "{}", run.told());
    let told = run.told();
    assert!(told.contains("for addon-attachments"), "{told}");
    assert!(!told.contains("is missing"), "{told}");

    simulator.clear_faults();
    let mut run = follow(&simulator, "--database DATABASE");
    let first = child(&mut run, &url(&simulator, "DATABASE_URL"));
    simulator.fault(fault(Fault::Unavailable));
    simulator.rotate("default").unwrap();
    run.log("503 (HTML) for addon-attachments");
    assert!(first.lives(), "{}", run.told());
    simulator.clear_faults();
    child(&mut run, &url(&simulator, "DATABASE_URL"));
    assert!(!run.told().contains("is missing"), "{}", run.told());
}

#[test]
fn a_name_that_means_nothing_is_told_with_those_that_do() {
    let simulator = simulator();
    let mut run = follow(
        &simulator,
        "--database postgresql-square-1 --start-timeout 1s",
    );
    assert_eq!(run.exit_code(), 78, "{}", run.told());
    let told = run.told();
    assert!(
        told.contains("postgresql-square-1 is neither an add-on nor an attachment of myapp")
            && told.contains(&format!("{NEW} as HEROKU_POSTGRESQL_COBALT")),
        "{told}"
    );
}

#[test]
fn exec_and_env_find_it_too() {
    let simulator = simulator();
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_changeover"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HEROKU_APP", "myapp")
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .env("CHANGEOVER_API_URL", simulator.url())
            .env("CHANGEOVER_DATABASE", NEW)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let value = url(&simulator, "HEROKU_POSTGRESQL_COBALT_URL");
    let printed = run(&["exec", "--", "sh", "-c", "echo $DATABASE_URL"]);
    assert_eq!(printed, format!("{value}\n"));
    let printed = run(&["env", "--format", "dotenv"]);
    assert!(printed.contains(&value), "{printed}");
}
