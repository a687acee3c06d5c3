//! A short life: from the start of a peer to its program's first instruction, and from a TERM for
//! it to its program's.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;

use super::{Peers, failed};
use crate::ground::Ground;
use crate::peer::Peer;
use crate::running::Running;
use crate::table::{Cell, Row, Series};
use crate::{ms, now, pause};

const STEP_MAX: Duration = Duration::from_secs(20);
/// Whoever has started something may still be busy with that.
const SETTLE: Duration = Duration::from_millis(50);
const START_MAX: f64 = 2.0;

const START_UP: &str = "start-up over a bare start, ms";
const TERM: &str = "TERM passed on, µs";

/// The figures of one peer, those of the bare program beside each.
#[derive(Default)]
struct Measured {
    start_ms: Series,
    bare_ms: Series,
    term_us: Series,
    failed: Option<anyhow::Error>,
}

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let program = ground.program(Duration::ZERO, &[])?;
    let mut all: Vec<Measured> = peers.iter().map(|_| Measured::default()).collect();
    let (mut network_ms, mut bare_us) = (Series::default(), Series::default());
    for _ in 0..ground.rounds {
        network_ms.0.push(one_request(ground)?);
        for (peer, measured) in peers.iter().zip(&mut all) {
            let (start, term) = bare(ground, &program)?;
            if measured.failed.is_some() {
                continue;
            }
            measured.bare_ms.0.push(start);
            bare_us.0.push(term);
            match life(ground, peer.as_ref(), &program) {
                Ok((start, term)) => {
                    measured.start_ms.0.push(start);
                    measured.term_us.0.extend(term);
                }
                Err(error) => measured.failed = Some(error),
            }
        }
    }
    let (mut starts, mut terms) = (Vec::new(), Vec::new());
    for (peer, measured) in peers.iter().zip(&all) {
        if let Some(error) = &measured.failed {
            starts.push(failed(peer.as_ref(), error));
            continue;
        }
        let over = measured
            .start_ms
            .pairs(&measured.bare_ms, |one, two| one - two);
        starts.push(Cell::measured(peer.name(), &over, 2));
        if measured.term_us.0.len() < ground.rounds {
            terms.push(Cell::said(peer.name(), "not passed on", None));
        } else {
            terms.push(Cell::measured(peer.name(), &measured.term_us, 0));
        }
    }
    Ok(vec![
        start_up(starts, &network_ms),
        super::signal::judged(TERM, terms, &bare_us),
    ])
}

/// The bar is about what is not the network's: what one bare request takes is told, and left out.
fn start_up(mut cells: Vec<Cell>, network_ms: &Series) -> Row {
    let mut beside = None;
    if let Some(ours) = cells.first_mut()
        && let Some(score) = ours.score
    {
        let alone = score - network_ms.median();
        ours.text = format!(
            "{}; {alone:.2} beside the network, whose one request takes {}",
            ours.text,
            network_ms.text(2)
        );
        beside = Some(alone);
    }
    let mut row = Row::new(START_UP, "at most 2 × tini's, beside the network", cells);
    if let (Some(ours), Some(tini)) = (beside, row.score("tini"))
        && ours > START_MAX * tini
    {
        row.missed = Some(format!("{ours:.2} ms where tini takes {tini:.2} ms"));
    }
    row
}

/// A request as changeover makes it, by hand.
fn one_request(ground: &Ground) -> Result<f64> {
    let began = now();
    let mut stream = TcpStream::connect(ground.heroku.address())?;
    write!(
        stream,
        "GET /apps/myapp/config-vars HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer HRKU-simulator\r\n\
         accept: application/vnd.heroku+json; version=3\r\nconnection: close\r\n\r\n",
        ground.heroku.address()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(ms(began, now()))
}

/// Milliseconds to the first instruction, and microseconds of a TERM.
fn bare(ground: &mut Ground, program: &[String]) -> Result<(f64, f64)> {
    ground.stamps.forget()?;
    let mut bare = ground.bare(program)?;
    let spawned_at = now();
    bare.start()?;
    let began = ground.stamps.wait_for("began", STEP_MAX)?;
    ground.stamps.wait_for("serves", STEP_MAX)?;
    pause(SETTLE);
    let sent_at = now();
    bare.signal(Signal::SIGTERM)?;
    let told = ground.stamps.wait_for("signal", STEP_MAX)?;
    Ok((ms(spawned_at, began.at), ms(sent_at, told.at) * 1000.0))
}

/// The same of a peer. It may keep the TERM to itself.
fn life(ground: &mut Ground, peer: &dyn Peer, program: &[String]) -> Result<(f64, Option<f64>)> {
    ground.stamps.forget()?;
    let running = Running::start(peer, ground, program)?;
    let began = ground.stamps.wait_for("began", STEP_MAX);
    let began = began.with_context(|| running.log())?;
    ground.stamps.wait_for("serves", STEP_MAX)?;
    pause(SETTLE);
    let sent_at = now();
    running.signal(Signal::SIGTERM)?;
    let told = ground.stamps.next(Duration::from_secs(2))?;
    Ok((
        ms(running.spawned_at, began.at),
        told.map(|told| ms(sent_at, told.at) * 1000.0),
    ))
}
