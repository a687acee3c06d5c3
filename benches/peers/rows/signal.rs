//! A signal that means nothing to a supervisor: how long it takes on its way to the program.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::{Peers, failed};
use crate::ground::Ground;
use crate::peer::Peer;
use crate::running::Running;
use crate::table::{Cell, Row, Series};
use crate::{ms, now, pause};

const STEP_MAX: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_millis(500);
/// Between two of them.
const APART: Duration = Duration::from_millis(20);
const TIMES_TINI_MAX: f64 = 1.5;

const USR1: &str = "USR1 passed on, µs";

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let program = ground.program(Duration::ZERO, &[])?;
    let mut cells = Vec::new();
    let mut bare_us = Series::default();
    for peer in peers {
        cells.push(
            match rounds(ground, peer.as_ref(), &program, &mut bare_us) {
                Ok(Some(series)) => Cell::measured(peer.name(), &series, 0),
                Ok(None) => Cell::said(peer.name(), "not passed on", None),
                Err(error) => failed(peer.as_ref(), &error),
            },
        );
    }
    Ok(vec![judged(USR1, cells, &bare_us)])
}

/// A row of a signal's way, held against the bar.
pub(crate) fn judged(title: &'static str, mut cells: Vec<Cell>, bare_us: &Series) -> Row {
    if let Some(ours) = cells.first_mut() {
        ours.text = format!("{}; a bare kill takes {}", ours.text, bare_us.text(0));
    }
    let mut row = Row::new(title, "at most 1.5 × tini's", cells);
    if let (Some(ours), Some(tini)) = (row.score("changeover"), row.score("tini"))
        && ours > TIMES_TINI_MAX * tini
    {
        row.missed = Some(format!("{ours:.0} µs where tini takes {tini:.0} µs"));
    }
    row
}

fn rounds(
    ground: &mut Ground,
    peer: &dyn Peer,
    program: &[String],
    bare_us: &mut Series,
) -> Result<Option<Series>> {
    ground.stamps.forget()?;
    let running = Running::start(peer, ground, program)?;
    let serves = ground.stamps.wait_for("serves", STEP_MAX);
    serves.with_context(|| running.log())?;
    let mut bare = ground.bare(program)?;
    bare.start()?;
    ground.stamps.wait_for("serves", STEP_MAX)?;
    pause(SETTLE);
    let mut series = Series::default();
    for _ in 0..ground.rounds {
        pause(APART);
        let sent_at = now();
        bare.signal(Signal::SIGUSR1)?;
        let told = ground.stamps.wait_for("signal", STEP_MAX)?;
        bare_us.0.push(ms(sent_at, told.at) * 1000.0);
        pause(APART);
        let sent_at = now();
        running.signal(Signal::SIGUSR1)?;
        let Some(told) = ground.stamps.next(Duration::from_secs(1))? else {
            return Ok(None);
        };
        if told.more != (Signal::SIGUSR1 as i32).to_string() {
            return Ok(None);
        }
        series.0.push(ms(sent_at, told.at) * 1000.0);
    }
    Ok(Some(series))
}
