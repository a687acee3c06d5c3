//! Twenty rotations in a row under pgbench: every instance logs in, and what is lost is counted.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use changeover::testing::heroku::{RotationOrder, Simulator};

use crate::skip::{say, skipped};
use crate::support::postgres::{Postgres, program};
use crate::support::supervised::{QUICK, Supervise, Supervised};
use crate::support::world::eventually;

const ROTATIONS: usize = 20;
const CLIENTS: usize = 4;

/// The config var comes this long after the reset.
const LATE: Duration = Duration::from_millis(300);
/// The reset never comes.
const NEVER: Duration = Duration::from_secs(3600);

/// In turn: the program learns of a rotation from changeover, and from its own broken connections.
#[test]
fn every_instance_logs_in() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let Some(pgbench) = program("pgbench") else {
        return skipped("pgbench is not installed");
    };
    let simulator = server.simulator();
    let bench = Bench::prepare(server, &simulator, &pgbench);
    let failed_before = bench.rolled_back();
    // Not as fast as may be: other tests run, too.
    let pgbench = format!("{} -n -c {CLIENTS} -R 400 -T 1000", pgbench.display());
    let script = format!("echo started; exec {pgbench} \"$DATABASE_URL\"");
    let mut run = Supervise::on(&simulator).options(QUICK).script(&script);
    bench.wait_for_an_instance(&mut run);
    let mut resets = 0;
    for rotation in 0..ROTATIONS {
        if rotation % 2 == 0 {
            simulator.set_rotation(RotationOrder::ConfigFirst, NEVER);
        } else {
            simulator.set_rotation(RotationOrder::ConnectionsFirst, LATE);
            resets += CLIENTS;
        }
        simulator.rotate("default").unwrap();
        bench.wait_for_an_instance(&mut run);
        // Each client says once that its connection broke; after a mere restart none does.
        eventually("what broke is told", || {
            let broken = run.told().matches("pgbench: error: client").count();
            assert!(broken <= resets, "{}", run.told());
            broken == resets
        });
    }
    assert_eq!(run.terminate(), 143);
    let told = run.told();
    assert_eq!(instances(&run), ROTATIONS + 1, "{told}");
    assert!(!told.contains("password authentication failed"), "{told}");
    bench.wait_for_the_last_session();
    let (committed, failed) = (bench.committed(), bench.rolled_back() - failed_before);
    // A stop or a reset ends what each client is at, and nothing else fails.
    let most = (ROTATIONS + 1) * CLIENTS;
    assert!(failed <= most, "{failed} transactions failed");
    say(&format!(
        "pgbench: {ROTATIONS} rotations, {committed} transactions, {failed} failed; \
         {resets} connections were reset"
    ));
}

/// How many there have been.
fn instances(run: &Supervised) -> usize {
    run.lines().iter().filter(|line| *line == "started").count()
}

/// The database that pgbench works on.
struct Bench {
    server: &'static Postgres,
    user: String,
    database: String,
}

impl Bench {
    fn prepare(server: &'static Postgres, simulator: &Simulator, pgbench: &Path) -> Self {
        let url = simulator.config_var("DATABASE_URL").unwrap();
        let made = Command::new(pgbench).args(["-i", "-q", &url]).output();
        let made = made.unwrap();
        let told = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "{told}");
        Self {
            server,
            user: url.split(['/', ':']).nth(3).unwrap().to_owned(),
            database: url.rsplit('/').next().unwrap().to_owned(),
        }
    }

    /// It has started, all of its clients have logged in, and they work.
    fn wait_for_an_instance(&self, run: &mut Supervised) {
        run.line("started");
        let expected = instances(run) * (CLIENTS + 1);
        eventually("all clients have logged in", || self.logins() == expected);
        let so_far = self.committed();
        eventually("they work", || self.committed() > so_far);
    }

    fn wait_for_the_last_session(&self) {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgbench'";
        eventually("the last session ends", || self.number(query) == 0);
    }

    /// By pgbench's clients, and one more for each instance: it looks around first.
    fn logins(&self) -> usize {
        let log = self.server.log();
        let authorized = format!("connection authorized: user={} ", self.user);
        let logins = log.lines().filter(|line| line.contains(&authorized));
        let logins = logins.filter(|line| line.contains("application_name=pgbench"));
        // That one made the tables.
        logins.count() - 1
    }

    fn committed(&self) -> usize {
        self.number("SELECT count(*) FROM pgbench_history")
    }

    fn rolled_back(&self) -> usize {
        self.number("SELECT xact_rollback FROM pg_stat_database WHERE datname = current_database()")
    }

    fn number(&self, query: &str) -> usize {
        let value = self.server.value_in(&self.database, query);
        value.unwrap().parse().unwrap()
    }
}
