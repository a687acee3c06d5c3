//! A Heroku on this machine: `cargo run --example heroku_simulator -- --listen 127.0.0.1:8080`,
//! then `HEROKU_HOST=http://127.0.0.1:8080 HEROKU_DATA_HOST=127.0.0.1 HEROKU_API_KEY=HRKU-simulator
//! heroku config -a myapp`.

use std::io::Write;
use std::net::SocketAddr;

use anyhow::Context;
use changeover::testing::heroku::{Fault, Options, Simulator};
use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Simulates the Heroku Platform API and the Postgres data API for one app, on one loopback port.
///
/// The app has two databases: one attached as DATABASE and HEROKU_POSTGRESQL_AMBER, one as
/// HEROKU_POSTGRESQL_COBALT. The real Heroku CLI works against it; set HEROKU_HOST,
/// HEROKU_DATA_HOST=127.0.0.1 and HEROKU_API_KEY.
///
/// While it runs: POST /simulator/faults {"fault":"503_html"}, DELETE /simulator/faults, POST
/// /simulator/rotate, POST /simulator/promote {"attachment":"HEROKU_POSTGRESQL_COBALT"}, POST
/// /simulator/addon {"addon":"postgresql-curved-12345","backups":[]}, GET /simulator/requests; GET
/// /simulator shows what there is, the names of all faults included. It
/// ends on TERM and INT.
#[derive(Parser)]
struct Arguments {
    /// Where to listen, on a loopback address; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The app's name
    #[arg(long, value_name = "NAME", default_value = "myapp")]
    app: String,
    /// The API token that is accepted
    #[arg(long, value_name = "TOKEN", default_value = "HRKU-simulator")]
    token: String,
    /// A config var (repeatable); a postgres URL for DATABASE_URL becomes the first database's
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    config: Vec<(String, String)>,
    /// A superuser's URL of a PostgreSQL server: the databases are real then, and so are rotations
    #[arg(long, value_name = "URL")]
    postgres: Option<String>,
    /// A fault to begin with
    #[arg(long, value_name = "NAME")]
    fault: Option<Fault>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("it is not KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn main() -> anyhow::Result<()> {
    let Arguments {
        listen,
        app,
        token,
        config,
        postgres,
        fault,
    } = Arguments::parse();
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let options = Options {
        listen,
        app,
        token,
        config,
        postgres,
    };
    let simulator =
        Simulator::start(options).with_context(|| format!("cannot start on {listen}"))?;
    if let Some(fault) = fault {
        simulator.fault(fault);
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on {}", simulator.url())?;
    stdout.flush()?;
    signals.forever().next();
    Ok(())
}
