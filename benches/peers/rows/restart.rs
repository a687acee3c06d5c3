//! A restart: from the change to the stop signal, and from the old program's end to the new one's
//! first instruction, beside a bare start after the same idleness.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Peers, failed};
use crate::ground::Ground;
use crate::peer::{Peer, Restart};
use crate::running::Running;
use crate::table::{Cell, Row, Series};
use crate::{ms, now, pause};

/// Whoever needs longer for one step has failed.
const STEP_MAX: Duration = Duration::from_secs(20);
/// s6 and runit start nothing twice within a second; the youngest program is this old.
const AGE: Duration = Duration::from_millis(1100);
const RATIO_MAX: f64 = 1.2;

const DEAD_TIME: &str = "dead time of a restart, ms";
const TO_STOP: &str = "a change to the stop signal, ms";

#[derive(Default)]
struct Measured {
    dead_ms: Series,
    bare_ms: Series,
    to_stop_ms: Series,
}

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let (mut dead, mut stop) = (Vec::new(), Vec::new());
    let mut missed = None;
    for peer in peers {
        if peer.restart() == Restart::Never {
            continue;
        }
        let measured = match rounds(ground, peer.as_ref()) {
            Ok(measured) => measured,
            Err(error) => {
                dead.push(failed(peer.as_ref(), &error));
                continue;
            }
        };
        let ratio = measured
            .dead_ms
            .pairs(&measured.bare_ms, |one, two| one / two);
        let mut cell = Cell::measured(peer.name(), &measured.dead_ms, 2);
        cell.text = format!("{}, {} × bare", cell.text, ratio.text(2));
        if dead.is_empty() && ratio.median() > RATIO_MAX {
            missed = Some(format!("{:.2} × a bare start", ratio.median()));
        }
        dead.push(cell);
        if peer.restart() == Restart::Watches {
            stop.push(Cell::measured(peer.name(), &measured.to_stop_ms, 0));
        }
    }
    let bar = "at most 1.2 × a bare vfork and exec";
    let mut dead = Row::new(DEAD_TIME, bar, dead);
    dead.missed = missed;
    Ok(vec![dead, Row::new(TO_STOP, "", stop)])
}

fn rounds(ground: &mut Ground, peer: &dyn Peer) -> Result<Measured> {
    let program = ground.program(ground.idle, &[])?;
    ground.stamps.forget()?;
    let running = Running::start(peer, ground, &program)?;
    let mut began = ground
        .stamps
        .wait_for("began", STEP_MAX)
        .with_context(|| running.log())?;
    // Ends before the sweep does.
    let mut bare = ground.bare(&program)?;
    bare.start()?;
    let mut measured = Measured::default();
    for _ in 0..ground.rounds {
        // Its own work for the start is done.
        pause((began.at + AGE).saturating_sub(now()));
        ground.stamps.forget()?;
        bare.replace()?;
        let ended = ground.stamps.wait_for("ended", STEP_MAX)?;
        let new = ground.stamps.wait_for("began", STEP_MAX)?;
        measured.bare_ms.0.push(ms(ended.at, new.at));

        pause(Duration::from_millis(20));
        ground.stamps.forget()?;
        let changed_at = now();
        peer.change(ground, &running, began.pid)?;
        let told = ground.stamps.wait_for("signal", STEP_MAX)?;
        let ended = ground.stamps.wait_for("ended", STEP_MAX)?;
        began = ground.stamps.wait_for("began", STEP_MAX)?;
        measured.to_stop_ms.0.push(ms(changed_at, told.at));
        measured.dead_ms.0.push(ms(ended.at, began.at));
    }
    Ok(measured)
}
