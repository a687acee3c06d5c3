//! Credentials that really change, on a real Postgres under real clients: rotations and promotions,
//! from the first reset to the next login.

use std::time::Duration;

use changeover::credential::Secret;
use changeover::postgres::{Login, login};
use changeover::testing::heroku::{RotationOrder, Simulator};
use nix::sys::signal::Signal;

use crate::child;
use crate::skip::skipped;
use crate::support::postgres::Postgres;
use crate::support::supervised::{QUICK, Supervise, Supervised};
use crate::support::world::{Process, eventually};

const HOUR: Duration = Duration::from_secs(3600);

/// As Heroku does it: the connections are reset first, and nothing says when the config var
/// follows.
const LATE: Duration = Duration::from_secs(5);

fn log_in(url: &str) -> Login {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let patience = Duration::from_secs(30);
    runtime.block_on(login(&Secret::from(url), None, patience))
}

fn refused() -> Login {
    Login::Refused {
        code: "28P01".to_owned(),
    }
}

fn database_url(simulator: &Simulator) -> String {
    simulator.config_var("DATABASE_URL").unwrap()
}

fn user(url: &str) -> &str {
    url["postgres://".len()..].split(':').next().unwrap()
}

fn connected(url: &str) -> String {
    format!("connected user={}", user(url))
}

fn supervise_client(supervise: Supervise) -> Supervised {
    let command = child::client();
    supervise.program(&command.each_ref().map(String::as_str))
}

/// How many times something was said.
fn count(run: &Supervised, what: &str) -> usize {
    let said = |line: &&String| line.contains(what);
    run.lines().iter().filter(said).count()
}

#[test]
fn a_rotation_restarts_the_child_which_logs_in_with_the_new_password() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    // Only the change itself reaches the child: its connection is not reset.
    simulator.set_rotation(RotationOrder::ConfigFirst, HOUR);
    let mut run = supervise_client(Supervise::on(&simulator).options(QUICK));
    let old = database_url(&simulator);
    run.line(&connected(&old));
    simulator.rotate("default").unwrap();
    let new = database_url(&simulator);
    run.line("stopping");
    run.line(&connected(&new));
    assert_eq!(log_in(&old), refused());
    assert_eq!(log_in(&new), Login::Accepted);
    run.log("DATABASE_URL changed: password (revision 1→2), login ok in ");
    assert_eq!(run.terminate(), 0);
    assert_eq!(count(&run, "connected user="), 2, "{}", run.told());
    assert_eq!(count(&run, "refused"), 0, "{}", run.told());
}

#[test]
fn a_child_that_fails_at_the_reset_comes_back_when_the_new_credential_does() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    simulator.set_rotation(RotationOrder::ConnectionsFirst, LATE);
    // All by default: interval, debounce, restart policy.
    let mut run = supervise_client(Supervise::on(&simulator));
    let old = database_url(&simulator);
    run.line(&connected(&old));
    simulator.rotate("default").unwrap();
    run.line("connection lost");
    run.log("the credential died before its successor was there");
    assert_eq!(database_url(&simulator), old, "the race was not run");
    run.line("connected user=");
    assert_eq!(log_in(&old), refused());
    assert_eq!(log_in(&database_url(&simulator)), Login::Accepted);
    assert_eq!(run.terminate(), 0);
    assert_eq!(count(&run, "connected user="), 2, "{}", run.told());
    assert_eq!(count(&run, "refused"), 0, "{}", run.told());
}

/// A client in a loop: it ends at the first login that fails.
const PSQL_LOOP: &str = r#"
while psql -XqAtc "SELECT 'connected user=' || current_user" "$DATABASE_URL" 2>/dev/null; do sleep 0.1; done
echo lost
exit 3"#;

#[test]
fn psql_in_a_loop_comes_back_too() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let Ok(_) = std::process::Command::new("psql").arg("-V").output() else {
        return skipped("psql is not installed");
    };
    let simulator = server.simulator();
    simulator.set_rotation(RotationOrder::ConnectionsFirst, LATE);
    let mut run = Supervise::on(&simulator).script(PSQL_LOOP);
    let old = database_url(&simulator);
    run.line(&connected(&old));
    simulator.rotate("default").unwrap();
    run.line("lost");
    run.line(&connected(&old));
    assert_ne!(database_url(&simulator), old);
    assert_eq!(count(&run, "lost"), 1, "{}", run.told());
    assert_eq!(run.terminate(), 143);
}

#[test]
fn a_promotion_restarts_once_and_its_gap_never() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    simulator.set_promotion_gap(HOUR);
    let run = Supervise::on(&simulator).options(QUICK);
    let mut run = run.script(r#"echo "url=$DATABASE_URL pid=$$"; exec sleep 1000"#);
    let old = database_url(&simulator);
    let child = Process::named(&run.line(&old), "pid");
    let cobalt = simulator.config_var("HEROKU_POSTGRESQL_COBALT_URL");
    simulator.promote("HEROKU_POSTGRESQL_COBALT").unwrap();
    run.log("DATABASE_URL of app myapp is missing");
    let so_far = simulator.request_count();
    eventually("the gap is seen again", || {
        simulator.request_count() > so_far + 2
    });
    assert!(child.lives() && run.lines().len() == 1, "{}", run.told());
    // The gap ends as it does at Heroku: by one new value.
    let new = cobalt.unwrap();
    simulator.set_config("DATABASE_URL", Some(&new));
    run.line(&new);
    let so_far = simulator.request_count();
    eventually("nothing more comes of it", || {
        simulator.request_count() > so_far + 2
    });
    assert!(!child.lives());
    assert_eq!(run.lines().len(), 2, "{}", run.told());
    assert_eq!(log_in(&new), Login::Accepted);
    assert_eq!(run.terminate(), 143);
}

#[test]
fn a_promotion_as_it_comes() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    let mut run = supervise_client(Supervise::on(&simulator).options(QUICK));
    run.line(&connected(&database_url(&simulator)));
    let cobalt = simulator.config_var("HEROKU_POSTGRESQL_COBALT_URL");
    simulator.promote("HEROKU_POSTGRESQL_COBALT").unwrap();
    run.line(&connected(&cobalt.unwrap()));
    assert_eq!(run.terminate(), 0);
    assert_eq!(count(&run, "connected user="), 2, "{}", run.told());
}

#[test]
fn the_real_cli_rotates() {
    let Some(binary) = crate::heroku_cli::binary() else {
        return;
    };
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = server.simulator();
    let mut run = supervise_client(Supervise::on(&simulator).options(QUICK));
    let old = database_url(&simulator);
    run.line(&connected(&old));
    let rotation = "pg:credentials:rotate -a myapp --confirm myapp";
    crate::heroku_cli::cli(&simulator, binary).good(rotation);
    run.line("connected user=");
    assert_ne!(database_url(&simulator), old);
    assert_eq!(log_in(&old), refused());
    run.signal(Signal::SIGTERM);
    assert_eq!(run.exit_code(), 0);
}
