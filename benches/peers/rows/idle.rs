//! What a supervisor costs while nothing happens: memory, threads, wake-ups. The program itself is
//! left out.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Peers, failed};
use crate::ground::Ground;
use crate::kit::{Process, number};
use crate::pause;
use crate::peer::Peer;
use crate::running::Running;
use crate::table::{Cell, Row};

const STEP_MAX: Duration = Duration::from_secs(20);
/// What a start brings with it has ended.
const SETTLE: Duration = Duration::from_secs(2);
const BETWEEN_POLLS: Duration = Duration::from_secs(60);
const WATCHED: Duration = Duration::from_secs(20);
const PSS_MAX_MIB: f64 = 5.0;

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let usual = std::mem::replace(&mut ground.interval, BETWEEN_POLLS);
    let rows = rows(ground, peers);
    ground.interval = usual;
    rows
}

fn rows(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let mut rows = vec![
        Row::new("idle: PSS, MiB", "at most 5", Vec::new()),
        Row::new("idle: private dirty memory, MiB", "", Vec::new()),
        Row::new("idle: threads", "", Vec::new()),
        Row::new(
            "idle: wake-ups in 20 s",
            "none beside the polls",
            Vec::new(),
        ),
    ];
    for peer in peers {
        match one(ground, peer.as_ref()) {
            Ok(figures) => {
                let named = figures.into_iter().zip([2, 2, 0]);
                for (row, (figure, digits)) in rows.iter_mut().zip(named) {
                    row.cells.push(figure.cell(peer.name(), digits));
                }
            }
            Err(error) => rows[0].cells.push(failed(peer.as_ref(), &error)),
        }
    }
    rows[3].cells = wake_ups(ground, peers)?;
    if let Some(pss) = rows[0].score("changeover").filter(|pss| *pss > PSS_MAX_MIB) {
        rows[0].missed = Some(format!("{pss:.2} MiB"));
    }
    if let Some(woken) = rows[3].score("changeover").filter(|woken| *woken > 0.0) {
        rows[3].missed = Some(format!("woken {woken:.0} times"));
    }
    Ok(rows)
}

enum Figure {
    Is(f64),
    Unreadable,
    /// It has become the program.
    NothingLeft,
}

impl Figure {
    fn cell(self, peer: &'static str, digits: usize) -> Cell {
        match self {
            Self::Is(figure) => Cell::said(peer, &format!("{figure:.digits$}"), Some(figure)),
            Self::Unreadable => Cell::said(peer, "only root may read it", None),
            Self::NothingLeft => Cell::said(peer, "nothing is left of it", None),
        }
    }
}

/// Proportional memory, private dirty memory, threads; of one peer at a time, because what two
/// share counts half for each.
fn one(ground: &mut Ground, peer: &dyn Peer) -> Result<[Figure; 3]> {
    let running = start(ground, peer)?;
    pause(SETTLE);
    let supervisors = running.supervisors(ground)?;
    if supervisors.is_empty() {
        return Ok([const { Figure::NothingLeft }; 3]);
    }
    let memory = |field| {
        let each = supervisors
            .iter()
            .map(|pid| Process(*pid).memory_kib(field));
        let sum: Result<f64> = each.sum();
        sum.map_or(Figure::Unreadable, |kib| Figure::Is(kib / 1024.0))
    };
    let mut threads = 0;
    for pid in &supervisors {
        threads += Process(*pid).count("task")?;
    }
    Ok([
        memory("Pss:"),
        memory("Private_Dirty:"),
        Figure::Is(threads as f64),
    ])
}

/// All of them at the same time.
fn wake_ups(ground: &mut Ground, peers: &Peers) -> Result<Vec<Cell>> {
    let mut all = Vec::new();
    for peer in peers {
        match start(ground, peer.as_ref()) {
            Ok(running) => all.push((peer, running)),
            Err(error) => eprintln!("peers: {} failed: {error:#}", peer.name()),
        }
    }
    pause(SETTLE);
    let mut before = Vec::new();
    for (_, running) in &all {
        before.push(switches(&running.supervisors(ground)?));
    }
    pause(WATCHED);
    let mut cells = Vec::new();
    for ((peer, running), before) in all.iter().zip(before) {
        let supervisors = running.supervisors(ground)?;
        let figure = match supervisors.as_slice() {
            [] => Figure::NothingLeft,
            all => Figure::Is(switches(all) - before),
        };
        cells.push(figure.cell(peer.name(), 0));
    }
    Ok(cells)
}

fn start(ground: &mut Ground, peer: &dyn Peer) -> Result<Running> {
    let program = ground.program(Duration::ZERO, &[])?;
    ground.stamps.forget()?;
    let running = Running::start(peer, ground, &program)?;
    let serves = ground.stamps.wait_for("serves", STEP_MAX);
    serves.with_context(|| running.log())?;
    Ok(running)
}

/// Of all threads that live.
fn switches(pids: &[u32]) -> f64 {
    let mut sum = 0.0;
    for pid in pids {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
            sum += number(&status, "voluntary_ctxt_switches").unwrap_or_default();
        }
    }
    sum
}
