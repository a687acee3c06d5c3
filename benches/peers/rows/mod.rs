//! The rows of the table, a file for those that are measured together.

mod exit_code;
mod faults;
mod idle;
mod life;
mod polls;
mod restart;
mod signal;
mod survivors;

use anyhow::Result;

use crate::ground::Ground;
use crate::peer::Peer;
use crate::table::{Cell, Row};

/// The first of the peers is changeover.
pub(crate) type Peers = [Box<dyn Peer>];

/// Measures some rows.
type Measure = fn(&mut Ground, &Peers) -> Result<Vec<Row>>;

/// What can be asked for with `--rows`.
pub(crate) const ALL: [(&str, Measure); 8] = [
    ("restart", restart::measure),
    ("life", life::measure),
    ("signal", signal::measure),
    ("idle", idle::measure),
    ("survivors", survivors::measure),
    ("exit-code", exit_code::measure),
    ("polls", polls::measure),
    ("faults", faults::measure),
];

/// A peer that fails is told of, and stands in the table as one that did.
fn failed(peer: &dyn Peer, error: &anyhow::Error) -> Cell {
    eprintln!("peers: {} failed: {error:#}", peer.name());
    Cell::said(peer.name(), "failed", None)
}
