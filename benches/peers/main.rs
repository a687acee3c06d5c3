//! changeover beside its peers: one Markdown table, measured with the same program, the same
//! change, on the same machine, in the same run.
//!
//! `benches/peers/run` installs what is compared, and runs this (see its `--help`). A peer that is
//! not installed is told of and left out.
//!
//! **A new peer** is an implementation of [`peer::Peer`] (`inits.rs`: those that only start a
//! program; `managers.rs`: those that start it again; `fetchers.rs`: those that fetch what it is
//! given), a line in [`peers`], and in `run` its installation. **A new row** is a file in `rows/`
//! with a `measure` that returns lines of the table, and an entry in [`rows::ALL`]. What several
//! peers need around them (a server that they ask) belongs in `ground.rs`.
//!
//! A row in which a peer is ahead, or that misses its bar, is a failure, unless the README's
//! section *Side by side* has an item for it that begins with `*the row's title*:` and names that
//! peer, or the bar. Ahead means by more than 5 %.

mod api;
#[path = "../kit/bare.rs"]
mod bare;
mod fetchers;
mod ground;
mod inits;
#[path = "../kit/mod.rs"]
#[expect(dead_code, reason = "shared with other benches")]
mod kit;
mod managers;
mod peer;
mod rows;
mod running;
mod stamps;
mod table;
#[path = "../kit/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::prctl::set_child_subreaper;
use nix::time::{ClockId, clock_gettime};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use fetchers::{Changeover, Doppler, FortyLines, OpenBao, Recipe};
use ground::Ground;
use peer::Peer;

fn peers() -> Vec<Box<dyn Peer>> {
    let mut peers: Vec<Box<dyn Peer>> = vec![
        Box::new(Changeover),
        Box::new(FortyLines),
        Box::new(Doppler),
        Box::new(OpenBao),
        Box::new(Recipe),
    ];
    peers.extend(managers::all());
    for init in inits::INITS {
        peers.push(Box::new(init));
    }
    peers
}

/// What was asked for.
struct Wanted {
    peers: Vec<String>,
    rows: Vec<String>,
    rounds: usize,
    idle: Duration,
}

fn main() -> Result<ExitCode> {
    let wanted = wanted()?;
    // What a peer leaves behind comes to us.
    set_child_subreaper(true)?;
    let mut interrupts = Signals::new([SIGHUP, SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if let Some(signal) = interrupts.forever().next() {
            running::sweep(&BTreeSet::new());
            std::process::exit(128 + signal);
        }
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let target = env::var_os("CARGO_TARGET_DIR").map_or(root.join("target"), Into::into);
    let mut ground = Ground::new(&target.join("peers"), wanted.rounds, wanted.idle)?;
    let (mut peers, mut missing) = (peers(), Vec::new());
    let is_wanted = |list: &[String], name: &str| {
        list.is_empty() || list.iter().any(|word| name.to_lowercase().contains(word))
    };
    peers.retain(|peer| {
        let wanted = is_wanted(&wanted.peers, peer.name()) || peer.name() == "changeover";
        let installed = peer
            .needs()
            .iter()
            .all(|program| ground::find(program).is_some());
        if wanted && !installed {
            eprintln!("peers: {} is not installed", peer.name());
            missing.push(peer.name());
        }
        wanted && installed
    });
    let mut table = Vec::new();
    for (name, measure) in rows::ALL {
        if is_wanted(&wanted.rows, name) {
            eprintln!("peers: measuring {name}");
            table.extend(measure(&mut ground, &peers)?);
        }
    }
    print!("{}", table::markdown(&table, &missing));
    let readme = std::fs::read_to_string(root.join("README.md"))?;
    let wrong = table::unexplained(&table, &readme);
    for wrong in &wrong {
        eprintln!("peers: the README does not explain it: {wrong}");
    }
    Ok(ExitCode::from(u8::from(!wrong.is_empty())))
}

fn wanted() -> Result<Wanted> {
    let mut wanted = Wanted {
        peers: Vec::new(),
        rows: Vec::new(),
        rounds: 20,
        idle: Duration::from_millis(500),
    };
    let list = |words: String| words.to_lowercase().split(',').map(str::to_owned).collect();
    let mut words = env::args().skip(1).filter(|word| word != "--bench");
    while let Some(word) = words.next() {
        let value = words
            .next()
            .with_context(|| format!("{word} needs a value"))?;
        match word.as_str() {
            "--peers" => wanted.peers = list(value),
            "--rows" => wanted.rows = list(value),
            "--rounds" => wanted.rounds = value.parse()?,
            "--idle-ms" => wanted.idle = Duration::from_millis(value.parse()?),
            _ => bail!("unknown option {word}"),
        }
    }
    Ok(wanted)
}

/// The monotonic clock, as the measured child reads it.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(Duration::ZERO, Duration::from)
}

/// From one moment to another, which may be the earlier one.
fn ms(from: Duration, to: Duration) -> f64 {
    (to.as_secs_f64() - from.as_secs_f64()) * 1000.0
}

#[expect(clippy::disallowed_methods, reason = "a bench waits for others")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
