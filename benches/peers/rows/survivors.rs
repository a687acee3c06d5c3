//! Who is left: when the supervisor ends, and beside the new program after a restart.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::Signal;

use super::{Peers, failed};
use crate::ground::Ground;
use crate::pause;
use crate::peer::{Peer, Restart};
use crate::running::Running;
use crate::table::{Cell, Row};
use crate::tree::{lives, parent};

const STEP_MAX: Duration = Duration::from_secs(20);
/// A supervisor that has been told to end has this long.
const END_MAX: Duration = Duration::from_secs(10);
/// What ends with it has ended by then.
const SETTLE: Duration = Duration::from_millis(300);
/// Nobody likes to start a program twice within a second.
const AGE: Duration = Duration::from_millis(1100);

/// What runs, and how many of it there are that must not be left.
#[derive(Clone, Copy)]
enum Shape {
    /// The program.
    Plain,
    /// A shell that waits for the program.
    Shell,
    /// The program, and a child of it in a session of its own.
    Session,
}

/// What happens to it.
#[derive(Clone, Copy)]
enum End {
    /// The supervisor gets this signal.
    Signal(Signal),
    Restart,
}

const ROWS: [(&str, Shape, End); 7] = [
    (
        "left after a TERM for the supervisor",
        Shape::Plain,
        End::Signal(Signal::SIGTERM),
    ),
    (
        "… with `sh -c` in between",
        Shape::Shell,
        End::Signal(Signal::SIGTERM),
    ),
    (
        "… with a child in a session of its own",
        Shape::Session,
        End::Signal(Signal::SIGTERM),
    ),
    (
        "left after a KILL of the supervisor",
        Shape::Plain,
        End::Signal(Signal::SIGKILL),
    ),
    (
        "… KILL, with a child in a session of its own",
        Shape::Session,
        End::Signal(Signal::SIGKILL),
    ),
    (
        "old ones beside the new after a restart, with `sh -c`",
        Shape::Shell,
        End::Restart,
    ),
    (
        "… restart, with a child in a session of its own",
        Shape::Session,
        End::Restart,
    ),
];

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for (title, shape, end) in ROWS {
        let mut cells = Vec::new();
        for peer in peers {
            if matches!(end, End::Restart) && peer.restart() == Restart::Never {
                continue;
            }
            cells.push(match left(ground, peer.as_ref(), shape, end) {
                Ok(left) => {
                    let text = format!("{left} of {}", shape.count());
                    Cell::said(peer.name(), &text, Some(left as f64))
                }
                Err(error) => failed(peer.as_ref(), &error),
            });
        }
        rows.push(Row::new(title, "", cells));
    }
    Ok(rows)
}

fn left(ground: &mut Ground, peer: &dyn Peer, shape: Shape, end: End) -> Result<usize> {
    let program = shape.program(ground)?;
    ground.stamps.forget()?;
    let mut running = Running::start(peer, ground, &program)?;
    let mut old = Vec::new();
    for _ in 0..shape.count() {
        let serves = ground.stamps.wait_for("serves", STEP_MAX);
        old.push(serves.with_context(|| running.log())?.pid);
    }
    match end {
        End::Signal(signal) => {
            pause(SETTLE);
            running.signal(signal)?;
            running.wait(END_MAX)?.context("it does not end")?;
        }
        End::Restart => {
            pause(AGE);
            ground.stamps.forget()?;
            let first = *old.first().context("nobody began")?;
            let told = match shape {
                Shape::Plain | Shape::Session => first,
                Shape::Shell => parent(first).context("it has no parent")?,
            };
            peer.change(ground, &running, told)?;
            ground.stamps.wait_for("began", STEP_MAX)?;
        }
    }
    pause(SETTLE);
    Ok(old.into_iter().filter(|pid| lives(*pid)).count())
}

impl Shape {
    fn count(self) -> usize {
        match self {
            Self::Plain | Self::Shell => 1,
            Self::Session => 2,
        }
    }

    fn program(self, ground: &Ground) -> Result<Vec<String>> {
        match self {
            Self::Plain => ground.program(Duration::ZERO, &[]),
            Self::Session => ground.program(Duration::ZERO, &["session"]),
            Self::Shell => {
                let program = ground.program(Duration::ZERO, &[])?.join(" ");
                // Not the last command: a shell becomes that.
                Ok(vec!["sh".into(), "-c".into(), format!("{program}; true")])
            }
        }
    }
}
