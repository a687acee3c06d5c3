//! `--watch-connection` and `--on-failover` on real servers: a primary that dies, a standby that is
//! promoted, and every way in which a URL leads to the new one.

use std::fs;

use changeover::credential::Secret;
use changeover::postgres::WatchedConnection;
use changeover::testing::heroku::{Options, Simulator};

use crate::skip::skipped;
use crate::support::postgres::Postgres;
use crate::support::relay::Relay;
use crate::support::supervised::{Supervise, Supervised};
use crate::support::world::{Process, can_unshare, eventually};

/// No poll and nothing else than evidence brings a fetch.
const UNASKED: &str = "--watch-connection --interval 1h --debounce 100ms";

/// Says on which server it is, and does not notice when that is gone.
const CHILD: &str = r#"psql -XqAtc "SELECT 'pid=$$ is on ' || current_setting('port') || '.'" "$DATABASE_URL"
exec sleep 1000"#;

fn heroku(url: &str) -> Simulator {
    Simulator::start(Options {
        config: vec![("DATABASE_URL".to_owned(), url.to_owned())],
        ..Options::default()
    })
    .unwrap()
}

fn has_psql() -> bool {
    let has = std::process::Command::new("psql").arg("-V").output();
    if has.is_err() {
        skipped("psql is not installed");
    }
    has.is_ok()
}

/// A primary and its standby, each with the role and the database `app`.
fn pair() -> Option<(Postgres, Postgres)> {
    let primary = Postgres::own().filter(|_| has_psql())?;
    primary.create_role_and_database("app");
    let standby = primary.follower();
    Some((primary, standby))
}

fn url(port: u16) -> String {
    format!("postgres://app:password-of-app@127.0.0.1:{port}/app?sslmode=disable")
}

/// Waits for a child on this server.
fn child(run: &mut Supervised, server: &Postgres) -> Process {
    let line = run.line("pid=");
    let on = format!(" is on {}.", server.port);
    assert!(line.ends_with(&on), "{line}, not{on}\n{}", run.told());
    Process::named(&line, "pid")
}

fn watched(server: &Postgres, role: &str) {
    eventually("the connection is there", || {
        server.slots_of_ours(role) == "1"
    });
}

fn cut(server: &Postgres, role: &str) {
    server.sql(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}' AND \
         application_name = 'changeover'"
    ));
}

#[test]
fn the_primary_dies_and_the_url_follows() {
    let Some((primary, standby)) = pair() else {
        return;
    };
    let simulator = heroku(&url(primary.port));
    let mut run = Supervise::on(&simulator).options(UNASKED).script(CHILD);
    let old = child(&mut run, &primary);
    watched(&primary, "app");
    standby.promote();
    simulator.set_config("DATABASE_URL", Some(&url(standby.port)));
    primary.die();
    run.log("the watched connection to DATABASE_URL is lost (connection closed)");
    run.log("DATABASE_URL changed: failover (revision 1→2)");
    child(&mut run, &standby);
    watched(&standby, "app");
    assert!(!old.lives());
    assert_eq!(run.lines().len(), 2, "{}", run.told());
    assert_eq!(run.terminate(), 143);
    assert_eq!(standby.slots_of_ours("app"), "0");
}

#[test]
fn the_primary_dies_long_before_the_url_follows() {
    let Some((primary, standby)) = pair() else {
        return;
    };
    let simulator = heroku(&url(primary.port));
    let mut run = Supervise::on(&simulator).options(UNASKED).script(CHILD);
    let old = child(&mut run, &primary);
    watched(&primary, "app");
    let before = simulator.request_count();
    primary.die();
    run.log("the watched connection to DATABASE_URL is lost (connection closed)");
    // At once, and 1, 2 and 4 s later; the next is due 8 s after the fourth.
    eventually("the burst goes on", || {
        simulator.request_count() >= before + 4
    });
    assert!(old.lives(), "{}", run.told());
    standby.promote();
    simulator.set_config("DATABASE_URL", Some(&url(standby.port)));
    run.log("DATABASE_URL changed: failover (revision 1→2)");
    child(&mut run, &standby);
    assert_eq!(run.lines().len(), 2, "{}", run.told());
}

#[test]
fn another_server_behind_the_same_url() {
    let Some((primary, standby)) = pair() else {
        return;
    };
    let relay = Relay::to(primary.port);
    let simulator = heroku(&url(relay.port));
    // A splay protects nobody here.
    let run = Supervise::on(&simulator).options(UNASKED);
    let mut run = run.options("--splay 1h").script(CHILD);
    let mut told = Supervise::on(&simulator)
        .options(UNASKED)
        .options("--on-failover ignore")
        .script(CHILD);
    let (old, ignoring) = (child(&mut run, &primary), child(&mut told, &primary));
    eventually("both connections are there", || {
        primary.slots_of_ours("app") == "2"
    });
    standby.promote();
    relay.lead_to(standby.port);
    primary.die();
    run.log("the watched connection to DATABASE_URL is lost");
    run.log("DATABASE_URL is unchanged and leads to another server (timeline 1→2): a failover");
    run.log(&format!("pid {} exited", old.pid).replace("exited", "was ended by TERM"));
    run.log("started on revision 1; dead time");
    child(&mut run, &standby);
    told.log("(timeline 1→2): a failover");
    eventually("both connections are there again", || {
        standby.slots_of_ours("app") == "2"
    });
    assert!(ignoring.lives() && !old.lives(), "{}", told.told());
    for run in [&run, &told] {
        let failovers = run.logs();
        let failovers = failovers.iter().filter(|line| line.contains("a failover"));
        assert_eq!(failovers.count(), 1, "{}", run.told());
    }
}

#[test]
fn a_standby_that_is_promoted_later() {
    let Some((primary, standby)) = pair() else {
        return;
    };
    let relay = Relay::to(primary.port);
    let simulator = heroku(&url(relay.port));
    let mut run = Supervise::on(&simulator).options(UNASKED).script(CHILD);
    let old = child(&mut run, &primary);
    watched(&primary, "app");
    primary.die();
    relay.lead_to(standby.port);
    run.log("the server behind DATABASE_URL takes no writes any more");
    assert!(old.lives(), "{}", run.told());
    standby.promote();
    run.log("(timeline 1→2): a failover");
    child(&mut run, &standby);
}

/// Becomes root of namespaces of its own, with this file as /etc/hosts.
const WITH_HOSTS: &str = r#"hosts=$1; shift; mount --bind "$hosts" /etc/hosts && exec "$@""#;

#[test]
fn the_name_leads_elsewhere_and_the_old_server_lives_on() {
    let Some((primary, standby)) = pair().filter(|_| can_unshare()) else {
        return;
    };
    let port = primary.port;
    let _other = Relay::at(&format!("127.0.0.2:{port}"), standby.port);
    let simulator = heroku(&url(port).replace("127.0.0.1", "db.test"));
    let run = Supervise::on(&simulator).options(UNASKED);
    let hosts = run.home().join("hosts");
    let lead_to = |address: &str| fs::write(&hosts, format!("{address} db.test\n")).unwrap();
    lead_to("127.0.0.1");
    let unshare = ["unshare", "--user", "--map-root-user", "--mount"];
    let shell = ["sh", "-c", WITH_HOSTS, "sh", hosts.to_str().unwrap()];
    let mut run = run.under(&unshare).under(&shell).script(CHILD);
    let old = child(&mut run, &primary);
    watched(&primary, "app");
    standby.promote();
    lead_to("127.0.0.2");
    run.log("is lost (its name leads to another address by now)");
    run.log("(timeline 1→2): a failover");
    child(&mut run, &standby);
    assert!(!old.lives() && run.lines().len() == 2, "{}", run.told());
    assert_eq!(primary.slots_of_ours("app"), "0");
}

#[test]
fn a_connection_that_is_cut_is_evidence_and_takes_one_slot() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let simulator = heroku(&server.create_role_and_database("cut_off"));
    let run = Supervise::on(&simulator).options(UNASKED);
    let mut run = run.script(r#"echo "pid=$$"; exec sleep 1000"#);
    let old = Process::named(&run.line("pid="), "pid");
    watched(server, "cut_off");
    let encrypted = "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                     WHERE usename = 'cut_off'";
    assert_eq!(server.value(encrypted).as_deref(), Some("t"));
    let before = simulator.request_count();
    cut(server, "cut_off");
    run.log("is lost (57P01: terminating connection due to administrator command)");
    eventually("Heroku is asked", || simulator.request_count() > before);
    run.log("the watched connection to DATABASE_URL is there again");
    assert_eq!(server.slots_of_ours("cut_off"), "1");
    // A role that takes no writes any more, as Heroku makes it for a maintenance.
    server.sql("ALTER ROLE cut_off SET default_transaction_read_only = on");
    cut(server, "cut_off");
    run.log("the server behind DATABASE_URL takes no writes any more");
    assert_eq!(server.slots_of_ours("cut_off"), "1");
    assert!(old.lives() && run.lines().len() == 1, "{}", run.told());
}

#[test]
fn it_leaves_an_old_credential_before_the_change_is_made() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let (old, new) = (
        server.create_role_and_database("leaves_old"),
        server.create_role_and_database("leaves_new"),
    );
    let simulator = heroku(&old);
    let run = Supervise::on(&simulator).options("--watch-connection --check-login never");
    let run = run.options("--interval 1s --debounce 1h");
    let mut run = run.script(r#"echo "pid=$$"; exec sleep 1000"#);
    let first = Process::named(&run.line("pid="), "pid");
    watched(server, "leaves_old");
    simulator.set_config("DATABASE_URL", Some(&new));
    eventually("it is closed", || server.slots_of_ours("leaves_old") == "0");
    assert!(first.lives(), "{}", run.told());
    assert_eq!(server.slots_of_ours("leaves_new"), "0");
    // The change is taken back.
    simulator.set_config("DATABASE_URL", Some(&old));
    watched(server, "leaves_old");
    assert!(first.lives() && run.lines().len() == 1, "{}", run.told());
}

#[test]
fn a_server_without_a_slot_to_spare_is_left_alone() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let url = server.create_role_and_database("one_slot");
    server.sql("ALTER ROLE one_slot CONNECTION LIMIT 0");
    let simulator = heroku(&url);
    let run = Supervise::on(&simulator).options(UNASKED);
    let mut run = run.script(r#"echo "pid=$$"; exec sleep 1000"#);
    let first = Process::named(&run.line("pid="), "pid");
    run.log("no connection to DATABASE_URL to watch (53300");
    server.sql("ALTER ROLE one_slot CONNECTION LIMIT 1");
    run.log("the watched connection to DATABASE_URL is there again");
    assert!(first.lives() && run.lines().len() == 1, "{}", run.told());
    assert_eq!(simulator.request_count(), 1);
}

#[tokio::test]
async fn what_a_server_says_of_itself() {
    let Some((primary, standby)) = pair() else {
        return;
    };
    let open = async |server: &Postgres| {
        let url = Secret::new(url(server.port));
        let mut watched = WatchedConnection::open(&url, None).await.unwrap();
        let first = watched.news().await.unwrap();
        (watched, first)
    };
    let (mut lost, before) = open(&primary).await;
    let (mut promoted, follows) = open(&standby).await;
    assert!(before.system.is_some() && !before.read_only, "{before:?}");
    assert_eq!((before.system, before.timeline), (follows.system, Some(1)));
    assert_eq!((follows.timeline, follows.read_only), (None, true));
    standby.promote();
    let now = promoted.news().await.unwrap();
    assert_eq!((now.system, now.timeline), (before.system, Some(2)));
    assert!(!now.read_only);
    primary.die();
    let why = lost.news().await.unwrap_err();
    assert_eq!(why, "connection closed");
    let nobody = Secret::new(url(primary.port));
    assert!(WatchedConnection::open(&nobody, None).await.is_err());
}
