//! What becomes of a change whose new credential does not work, or not yet: the decisions of the
//! README's table, with the real program, a real Postgres and servers that say strange things.

use std::net::TcpListener;

use changeover::testing::heroku::Simulator;

use crate::support::canned_postgres::{CannedPostgres, Said};
use crate::support::postgres::Postgres;
use crate::support::supervised::{Supervise, Supervised};
use crate::support::world::{Process, eventually};

const CHILD: &str = r#"echo "pid=$$ url=$DATABASE_URL"; exec sleep 1000"#;

/// So short that nobody waits for it, or so long that a test which does fails.
const QUICK: &str = "--interval 1s --debounce 100ms --check-login-timeout 1h";

/// A Heroku whose `DATABASE_URL` is this.
fn heroku(server: &Postgres, url: &str) -> Simulator {
    let simulator = server.simulator();
    simulator.set_config("DATABASE_URL", Some(url));
    simulator
}

fn child(run: &mut Supervised, url: &str) -> Process {
    let line = run.line("pid=");
    assert!(line.ends_with(&format!(" url={url}")), "{}", run.told());
    Process::named(&line, "pid")
}

/// The log says that the new credential is no good yet, and why.
fn held(run: &mut Supervised, why: &str) {
    let line = run.log("the new DATABASE_URL");
    let kept = "Nothing is touched on revision 1; trying again in 1 s";
    assert!(line.contains(why) && line.contains(kept), "{why}: {line}");
}

/// The server has refused the role so often, for want of a password or of itself.
fn refusals(server: &Postgres, role: &str, count: usize) {
    let said = format!("FATAL:  password authentication failed for user \"{role}\"");
    eventually("the server refuses", || {
        server.log().matches(&said).count() >= count
    });
}

/// A login by changeover, from the server's log: what the process that served it said.
fn sessions(server: &Postgres, role: &str) -> Vec<Vec<String>> {
    let log = server.log();
    let pid = |line: &str| line.split(['[', ']']).nth(1).map(str::to_owned);
    let ours = format!("connection authorized: user={role} ");
    let served = log.lines().filter(|line| line.contains(&ours));
    let served = served.filter(|line| line.contains("application_name=changeover"));
    served
        .map(|line| {
            let said = log.lines().filter(|other| pid(other) == pid(line));
            said.map(str::to_owned).collect()
        })
        .collect()
}

#[test]
fn a_role_that_is_made_three_seconds_later() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("made_before");
    let new = server.url("made_later", "password-of-made_later", "made_before");
    let simulator = heroku(server, &old);
    let mut run = Supervise::on(&simulator).options(QUICK).script(CHILD);
    let first = child(&mut run, &old);
    simulator.set_config("DATABASE_URL", Some(&new));
    held(&mut run, "Postgres refuses the new DATABASE_URL (28P01)");
    // A try each second.
    refusals(server, "made_later", 3);
    assert!(first.lives(), "{}", run.told());
    assert_eq!(sessions(server, "made_later").len(), 0);
    server.sql("CREATE ROLE made_later LOGIN PASSWORD 'password-of-made_later'");
    run.log("DATABASE_URL changed: user (revision 1→2), login ok in ");
    child(&mut run, &new);
    assert_eq!(run.terminate(), 143);
    assert_eq!(run.lines().len(), 2, "{}", run.told());
    // It is told once.
    let told = run.told().matches("Postgres refuses the new").count();
    assert_eq!(told, 1, "{}", run.told());
    let sessions = sessions(server, "made_later");
    assert_eq!(sessions.len(), 1, "{sessions:#?}");
}

#[test]
fn one_connection_that_is_closed_at_once() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("looked_at");
    let new = server.create_role_for_tls("looked_in");
    let simulator = heroku(server, &old);
    let mut run = Supervise::on(&simulator).options(QUICK).script(CHILD);
    child(&mut run, &old);
    simulator.set_config("DATABASE_URL", Some(&new));
    child(&mut run, &new);
    // The server hears the goodbye on a process of its own, which may come late to it.
    eventually("the session ends", || {
        let sessions = sessions(server, "looked_in");
        let [session] = &sessions[..] else {
            panic!("{sessions:#?}");
        };
        session.last().unwrap().contains("disconnection")
    });
    let session = &sessions(server, "looked_in")[0];
    let said = |what: &str| session.iter().filter(|line| line.contains(what)).count();
    assert_eq!(said("connection received"), 1, "{session:#?}");
    assert_eq!(said("SSL enabled"), 1, "{session:#?}");
    assert_eq!(run.terminate(), 143);
}

/// Every refusal that a real server knows, one after the other; then a credential that works.
#[test]
fn credentials_that_never_work_are_never_started_on() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("trusted");
    let simulator = heroku(server, &old);
    let mut run = Supervise::on(&simulator).options(QUICK).script(CHILD);
    let first = child(&mut run, &old);
    let barred = server.create_role_and_database("barred");
    server.sql("ALTER ROLE barred NOLOGIN");
    let closed = server.create_role_and_database("closed");
    server.sql("REVOKE ALL ON DATABASE closed FROM PUBLIC, closed");
    server.sql("ALTER DATABASE closed OWNER TO postgres");
    for (new, code) in [
        (old.replace("password-of-", ""), "28P01"),
        (barred, "28000"),
        (format!("{old}_missing"), "3D000"),
        (closed, "42501"),
    ] {
        simulator.set_config("DATABASE_URL", Some(&new));
        held(&mut run, &format!("refuses the new DATABASE_URL ({code})"));
    }
    // What runs is no change.
    simulator.set_config("DATABASE_URL", Some(&old));
    let so_far = simulator.request_count();
    eventually("it is looked at", || simulator.request_count() > so_far + 2);
    assert!(first.lives() && run.lines().len() == 1, "{}", run.told());
    let new = old.replace("password-of-trusted", "another");
    server.sql("ALTER ROLE trusted PASSWORD 'another'");
    simulator.set_config("DATABASE_URL", Some(&new));
    child(&mut run, &new);
    run.log("changed: password (revision 1→2), login ok in ");
    assert_eq!(run.terminate(), 143);
}

/// What stands between us and an answer is waited out, and told apart.
#[test]
fn obstacles_are_waited_out_and_told_apart() {
    let (Some(server), Some(plain)) = (Postgres::shared(), Postgres::without_tls()) else {
        return;
    };
    let old = server.create_role_and_database("reached");
    let full = server.create_role_and_database("full_up");
    server.sql("ALTER ROLE full_up CONNECTION LIMIT 0");
    let starting = Said::Error("57P03", "the database system is starting up");
    let starting = CannedPostgres::on_own_thread(starting);
    let by_name = old.replace("127.0.0.1", "localhost");
    let certificate = server.certificate();
    let wrong_name = format!(
        "{old}?sslmode=verify-full&sslrootcert={}",
        certificate.display()
    );
    let no_tls = plain.url("anybody", "anything", "any") + "?sslmode=verify-ca";
    let simulator = heroku(server, &old);
    let mut run = Supervise::on(&simulator).options(QUICK).script(CHILD);
    let first = child(&mut run, &old);
    for (new, why) in [
        (
            full.clone(),
            "(53300: no connection slot left (too many connections for role",
        ),
        (
            format!("postgres://u:p@127.0.0.1:{}/d", starting.port),
            "(57P03: the server takes no logins now (the database system is starting up))",
        ),
        (
            "postgres://u:p@db..invalid/d".to_owned(),
            "(DNS does not know the host's name)",
        ),
        (
            "postgres://u:p@127.0.0.1:1/d".to_owned(),
            "(connection refused)",
        ),
        (no_tls, "(TLS: the server has none)"),
        (
            format!("{by_name}?sslmode=verify-ca"),
            "(TLS: the server's certificate is signed by nobody whom we trust)",
        ),
        (
            wrong_name,
            "(TLS: the server's certificate is for another host)",
        ),
    ] {
        simulator.set_config("DATABASE_URL", Some(&new));
        held(
            &mut run,
            &format!("no login with the new DATABASE_URL so far {why}"),
        );
    }
    assert!(first.lives() && run.lines().len() == 1, "{}", run.told());
    simulator.set_config("DATABASE_URL", Some(&full));
    held(&mut run, "53300");
    server.sql("ALTER ROLE full_up CONNECTION LIMIT 1");
    child(&mut run, &full);
    run.log("(revision 1→2), login ok in ");
    assert_eq!(run.terminate(), 143);
}

#[test]
fn silence_is_waited_for_so_long_and_no_longer() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("answered");
    // It takes connections, and never says a word.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let new = format!("postgres://u:p@{}/answered", listener.local_addr().unwrap());
    let simulator = heroku(server, &old);
    let options = "--interval 1s --debounce 100ms --check-login-timeout 2s";
    let mut run = Supervise::on(&simulator).options(options).script(CHILD);
    child(&mut run, &old);
    simulator.set_config("DATABASE_URL", Some(&new));
    held(
        &mut run,
        "no login with the new DATABASE_URL so far (no answer within 5 s)",
    );
    run.log("failover (revision 1→2), without a login, which was not possible (");
    child(&mut run, &new);
    assert_eq!(run.terminate(), 143);
}

/// Nothing is left to protect: neither the quiet time nor the splay is waited for.
#[test]
fn the_new_one_works_while_the_old_one_is_dead() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("rotated");
    let new = old.replace("password-of-rotated", "the-next");
    let simulator = heroku(server, &old);
    let options = "--interval 1s --debounce 1h --splay 1h --check-login always";
    let mut run = Supervise::on(&simulator).options(options).script(CHILD);
    child(&mut run, &old);
    server.sql("ALTER ROLE rotated PASSWORD 'the-next'");
    simulator.set_config("DATABASE_URL", Some(&new));
    run.log("DATABASE_URL changed: password (revision 1→2), login ok in ");
    child(&mut run, &new);
    assert_eq!(run.terminate(), 143);
}

/// The table's two other cells with a dead old one: refused is kept, unreachable goes at once.
#[test]
fn no_new_one_works_while_the_old_one_is_dead() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let old = server.create_role_and_database("lost");
    let simulator = heroku(server, &old);
    let run = Supervise::on(&simulator).options(QUICK);
    let mut run = run.options("--check-login always").script(CHILD);
    let first = child(&mut run, &old);
    server.sql("ALTER ROLE lost PASSWORD 'a-new-one'");
    let wrong = old.replace("password-of-lost", "a-wrong-one");
    simulator.set_config("DATABASE_URL", Some(&wrong));
    held(&mut run, "refuses the new DATABASE_URL (28P01)");
    assert!(first.lives(), "{}", run.told());
    let silent = "postgres://u:p@127.0.0.1:1/d";
    simulator.set_config("DATABASE_URL", Some(silent));
    run.log("(revision 1→2), without a login, which was not possible (");
    child(&mut run, silent);
    assert_eq!(run.terminate(), 143);
}
