//! A primary that dies, and a standby that is promoted: from the death to the program's first
//! answer from the new primary, with `--watch-connection` and all else by default.
//!
//! `cargo bench --bench failover -- [--rounds N]`, 5 by default: some minutes; a figure is the
//! median. `url_at_once`: the config var follows at once. `url_5_s_later`: 5 s after the death, as
//! Heroku may do it. `same_url`: it never changes, and what it names leads to the new primary.
//! Without the connection the first two wait for the next poll, and the third for ever.
#![expect(clippy::unwrap_used, reason = "a bench that fails says where it did")]

#[path = "../tests/it/skip.rs"]
mod skip;
#[expect(dead_code, reason = "the tests' own: a few of them are of use here")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use std::env;
use std::thread;
use std::time::{Duration, Instant};

use changeover::testing::heroku::{Options, Simulator};

use support::postgres::Postgres;
use support::relay::Relay;
use support::supervised::Supervise;
use support::world::eventually;

const LATE: Duration = Duration::from_secs(5);

/// Says on which server it is, and does not notice when that is gone.
const CHILD: &str = r#"psql -XqAtc "SELECT 'on ' || current_setting('port') || '.'" "$DATABASE_URL"
exec sleep 1000"#;

/// What becomes of the URL.
#[derive(Clone, Copy)]
enum Follows {
    AtOnce,
    Late,
    Never,
}

fn main() {
    let at = env::args().position(|arg| arg == "--rounds");
    let rounds = at.map_or(5, |at| env::args().nth(at + 1).unwrap().parse().unwrap());
    for (name, follows) in [
        ("url_at_once", Follows::AtOnce),
        ("url_5_s_later", Follows::Late),
        ("same_url", Follows::Never),
    ] {
        let mut times = Vec::new();
        for _ in 0..rounds {
            let Some(time) = measure(follows) else {
                return;
            };
            times.push(time);
        }
        times.sort_unstable();
        let seconds = times[times.len() / 2].as_secs_f64();
        println!("failover_{name}_s: {seconds:.1}");
    }
}

/// One failover, on servers of its own; `None` where there is no Postgres.
#[expect(
    clippy::disallowed_methods,
    reason = "a bench reads the clock, and waits"
)]
fn measure(follows: Follows) -> Option<Duration> {
    let primary = Postgres::own()?;
    primary.create_role_and_database("app");
    let standby = primary.follower();
    let relay = Relay::to(primary.port);
    let url = |port: u16| {
        let login = "postgres://app:password-of-app";
        format!("{login}@127.0.0.1:{port}/app?sslmode=disable")
    };
    let old = match follows {
        Follows::AtOnce | Follows::Late => url(primary.port),
        Follows::Never => url(relay.port),
    };
    let simulator = Simulator::start(Options {
        config: vec![("DATABASE_URL".to_owned(), old)],
        ..Options::default()
    });
    let simulator = simulator.unwrap();
    let run = Supervise::on(&simulator).options("--watch-connection");
    let mut run = run.script(CHILD);
    run.line(&format!("on {}.", primary.port));
    eventually("the connection is watched", || {
        primary.slots_of_ours("app") == "1"
    });
    standby.promote();
    let begun = Instant::now();
    primary.die();
    match follows {
        Follows::AtOnce => {}
        Follows::Late => thread::sleep(LATE),
        Follows::Never => relay.lead_to(standby.port),
    }
    if let Follows::AtOnce | Follows::Late = follows {
        simulator.set_config("DATABASE_URL", Some(&url(standby.port)));
    }
    run.line(&format!("on {}.", standby.port));
    Some(begun.elapsed())
}
