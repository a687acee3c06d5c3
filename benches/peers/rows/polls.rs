//! What it costs to watch: the processor's time of one poll, with all that a peer starts for it.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{Peers, failed};
use crate::fetchers::config_get;
use crate::ground::Ground;
use crate::kit::Process;
use crate::pause;
use crate::peer::Peer;
use crate::running::Running;
use crate::table::{Cell, Row, Series};

const STEP_MAX: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_secs(2);
const WATCHED: Duration = Duration::from_secs(30);
const CONFIG_GETS: usize = 3;
/// `/proc/PID/stat` counts in these.
const TICKS_A_SECOND: f64 = 100.0;

const TITLE: &str = "processor's time of a poll, ms";

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let mut cells = Vec::new();
    for peer in peers {
        let cell = match peer.name() {
            "Heroku CLI" => of_config_get(ground, peer.as_ref()),
            _ if peer.api(ground).is_none() => continue,
            _ => of_watching(ground, peer.as_ref()),
        };
        cells.push(cell.unwrap_or_else(|error| failed(peer.as_ref(), &error)));
    }
    Ok(vec![Row::new(TITLE, "", cells)])
}

fn of_watching(ground: &mut Ground, peer: &dyn Peer) -> Result<Cell> {
    let program = ground.program(Duration::ZERO, &[])?;
    ground.stamps.forget()?;
    let running = Running::start(peer, ground, &program)?;
    let serves = ground.stamps.wait_for("serves", STEP_MAX);
    serves.with_context(|| running.log())?;
    pause(SETTLE);
    let api = peer.api(ground).context("it does not watch")?;
    let (asked, before) = (api.asked(), cpu_ms(&running, ground)?);
    pause(WATCHED);
    let (polls, spent) = (api.asked() - asked, cpu_ms(&running, ground)? - before);
    if polls == 0 {
        let a_minute = spent * 60.0 / WATCHED.as_secs_f64();
        let text = format!("is told, and takes {a_minute:.1} ms a minute");
        return Ok(Cell::said(peer.name(), &text, None));
    }
    let each = spent / polls as f64;
    Ok(Cell::said(peer.name(), &format!("{each:.2}"), Some(each)))
}

/// Of those that live and of all that they have waited for, in milliseconds.
fn cpu_ms(running: &Running, ground: &Ground) -> Result<f64> {
    let mut seconds = 0.0;
    for pid in running.supervisors(ground)? {
        seconds += Process(pid).cpu_s()? + of_waited_for(&Process(pid).file("stat")?)?;
    }
    Ok(seconds * 1000.0)
}

fn of_config_get(ground: &Ground, peer: &dyn Peer) -> Result<Cell> {
    let home = tempfile::tempdir()?;
    let mut series = Series::default();
    // The first run ever does more.
    for round in 0..=CONFIG_GETS {
        let before = of_waited_for(&fs::read_to_string("/proc/self/stat")?)?;
        let said = config_get(ground)?.env("HOME", home.path()).output()?;
        ensure!(said.stdout.starts_with(b"postgres://"), "{said:?}");
        if round > 0 {
            let after = of_waited_for(&fs::read_to_string("/proc/self/stat")?)?;
            series.0.push((after - before) * 1000.0);
        }
    }
    let text = format!("{} a `config:get`", series.text(0));
    Ok(Cell::said(peer.name(), &text, Some(series.median())))
}

/// What children that have ended and their children have taken, in seconds.
fn of_waited_for(stat: &str) -> Result<f64> {
    let (_, fields) = stat.rsplit_once(") ").context("no fields")?;
    let ticks = fields.split(' ').skip(13).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_A_SECOND)
}
