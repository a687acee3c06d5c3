//! `--fallback inherited`: a start while Heroku does not answer, on what changeover was started
//! with, if that logs in.

use changeover::testing::heroku::Fault;

use crate::support::postgres::Postgres;
use crate::support::supervised::Supervise;

const CHILD: &str = r#"echo "url=$DATABASE_URL"; exec sleep 1000"#;
const OPTIONS: &str = "--interval 1s --debounce 100ms --start-timeout 1s --fallback inherited";

#[test]
fn what_logs_in_is_started_on_until_heroku_answers() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("fallback_old");
    let new = server.create_role_and_database("fallback_new");
    let simulator = server.simulator();
    simulator.set_config("DATABASE_URL", Some(&new));
    simulator.fault(Fault::Unavailable);
    let run = Supervise::on(&simulator).options(OPTIONS);
    let mut run = run.env("DATABASE_URL", &old).script(CHILD);
    run.log("starting on the DATABASE_URL that changeover was started with");
    assert_eq!(run.line("url="), format!("url={old}"));
    simulator.clear_faults();
    assert_eq!(run.line("url="), format!("url={new}"));
    assert_eq!(run.terminate(), 143);
}

#[test]
fn what_does_not_log_in_is_not() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    simulator.fault(Fault::Unavailable);
    let wrong = server.url("nobody", "password", "nowhere");
    let run = Supervise::on(&simulator).options(OPTIONS);
    let mut run = run.env("DATABASE_URL", &wrong).script(CHILD);
    run.log("login with DATABASE_URL refused (28");
    run.log("nothing started: no good answer from Heroku within 1 s");
    assert_eq!(run.exit_code(), 75);
}

#[test]
fn env_falls_back_too() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("fallback_env");
    let simulator = server.simulator();
    simulator.fault(Fault::Unavailable);
    let mut env = std::process::Command::new(env!("CARGO_BIN_EXE_changeover"));
    env.env_clear()
        .env("HEROKU_API_KEY", "HRKU-simulator")
        .env("DATABASE_URL", &old)
        .args(["env", "-a", "myapp", "--api-url", &simulator.url()])
        .args([
            "--fallback",
            "inherited",
            "--start-timeout",
            "1s",
            "--format",
            "docker",
        ]);
    let output = env.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(
        stdout.contains(&format!("DATABASE_URL={old}\n")),
        "{stdout}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
