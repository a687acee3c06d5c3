//! What becomes of a program's exit code.

use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{Peers, failed};
use crate::ground::Ground;
use crate::peer::Peer;
use crate::running::Running;
use crate::table::{Cell, Row};

const STEP_MAX: Duration = Duration::from_secs(20);
/// Whoever has not ended by then does not end with the program.
const END_MAX: Duration = Duration::from_secs(3);

const TITLE: &str = "exit code for a program's 0, 7, TERM and KILL";
/// How the program ends, and what a shell would say of that.
const ENDS: [([&str; 2], i32); 4] = [
    (["exit", "0"], 0),
    (["exit", "7"], 7),
    (["die", "15"], 128 + 15),
    (["die", "9"], 128 + 9),
];

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let mut cells = Vec::new();
    for peer in peers {
        cells.push(match codes(ground, peer.as_ref()) {
            Ok(Some(codes)) => {
                let pairs = codes.iter().zip(ENDS);
                let wrong = pairs.filter(|(code, (_, right))| *code != right).count();
                let texts: Vec<_> = codes.iter().map(i32::to_string).collect();
                Cell::said(peer.name(), &texts.join(", "), Some(wrong as f64))
            }
            Ok(None) => Cell::said(peer.name(), "does not end with it", None),
            Err(error) => failed(peer.as_ref(), &error),
        });
    }
    let mut row = Row::new(TITLE, "0, 7, 143, 137", cells);
    if row.score("changeover").is_some_and(|wrong| wrong > 0.0) {
        row.missed = Some("another code than the program's".to_owned());
    }
    Ok(vec![row])
}

/// One for each end; `None` when it stays.
fn codes(ground: &mut Ground, peer: &dyn Peer) -> Result<Option<Vec<i32>>> {
    let mut codes = Vec::new();
    for (kind, _) in ENDS {
        let program = ground.program(Duration::ZERO, &kind)?;
        ground.stamps.forget()?;
        let mut running = Running::start(peer, ground, &program)?;
        let began = ground.stamps.wait_for("began", STEP_MAX);
        began.with_context(|| running.log())?;
        match running.wait(END_MAX)? {
            Some(status) => codes.push(code(status)),
            None => return Ok(None),
        }
    }
    Ok(Some(codes))
}

fn code(status: ExitStatus) -> i32 {
    let of_signal = status.signal().map(|signal| 128 + signal);
    status.code().or(of_signal).unwrap_or_default()
}
