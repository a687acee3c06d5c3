//! The API misbehaves while the credential changes: is the program left alone, and is the change
//! made when the API has come to its senses?
//!
//! All peers and all faults at the same time, each with an API of its own. What the change is told
//! with (Doppler's stream) works on through the fault, but for a reset.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{Peers, failed};
use crate::api::{Api, Trouble};
use crate::ground::Ground;
use crate::peer::Peer;
use crate::running::Running;
use crate::stamps::Stamp;
use crate::table::{Cell, Row};
use crate::tree::lives;
use crate::{ms, now, pause};

/// They all start at once.
const STEP_MAX: Duration = Duration::from_secs(60);
/// Those who watch have begun to.
const SETTLE: Duration = Duration::from_secs(5);
const LASTS: Duration = Duration::from_secs(20);
/// From its end to the change that was missed: longer than any peer waits for an answer.
const MADE_MAX: Duration = Duration::from_secs(50);
/// From the next change to its being made.
const NEXT_MAX: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

const TROUBLES: [(&str, Trouble); 10] = [
    ("fault: 401", Trouble::Unauthorized),
    ("fault: 403", Trouble::Forbidden),
    ("fault: 404", Trouble::NotFound),
    ("fault: 429", Trouble::RateLimited),
    ("fault: 500", Trouble::ServerError),
    ("fault: 503", Trouble::Unavailable),
    ("fault: garbage", Trouble::Garbage),
    ("fault: an empty value", Trouble::Empty),
    ("fault: no answer", Trouble::Hang),
    ("fault: reset", Trouble::Reset),
];

pub(crate) fn measure(ground: &mut Ground, peers: &Peers) -> Result<Vec<Row>> {
    let watching = peers.iter().filter(|peer| peer.api(ground).is_some());
    let watching: Vec<&dyn Peer> = watching.map(AsRef::as_ref).collect();
    let mut cases: Vec<Vec<Result<Case>>> = Vec::new();
    for (_, trouble) in TROUBLES {
        let of_all = watching
            .iter()
            .map(|peer| Case::start(ground, *peer, trouble));
        cases.push(of_all.collect());
    }
    for case in cases.iter_mut().flatten() {
        if let Ok(begun) = case
            && let Err(error) = begun.began()
        {
            *case = Err(error);
        }
    }
    run(&mut cases.iter_mut().flatten().flatten().collect::<Vec<_>>())?;
    let mut rows = Vec::new();
    for ((title, _), cases) in TROUBLES.into_iter().zip(&cases) {
        let cells = watching.iter().zip(cases).map(|(peer, case)| match case {
            Ok(case) => case.cell(),
            Err(error) => failed(*peer, error),
        });
        let mut row = Row::new(title, "untouched, then changed", cells.collect());
        let ours = row.cells.first().filter(|cell| cell.score != Some(0.0));
        row.missed = ours.map(|cell| cell.text.clone());
        rows.push(row);
    }
    Ok(rows)
}

/// The trouble, its end, and another change for those who have missed the first.
fn run(cases: &mut [&mut Case]) -> Result<()> {
    pause(SETTLE);
    for case in &mut *cases {
        case.misbehave()?;
    }
    pause(LASTS);
    for case in &mut *cases {
        case.come_to_senses()?;
    }
    let is_over = now();
    while now() - is_over < MADE_MAX && cases.iter().any(|case| case.made.is_none()) {
        pause(LOOK);
        for case in &mut *cases {
            case.look(Made::After)?;
        }
    }
    for case in &mut *cases {
        case.change_again()?;
    }
    let is_changed = now();
    while now() - is_changed < NEXT_MAX && cases.iter().any(|case| case.made.is_none()) {
        pause(LOOK);
        for case in &mut *cases {
            case.look(|_| Made::WithTheNext)?;
        }
    }
    Ok(())
}

/// A peer whose API is in trouble. The peer first: it ends before its API does.
struct Case<'a> {
    running: Running,
    ground: Ground,
    peer: &'a dyn Peer,
    trouble: Trouble,
    /// The program that was started first.
    program: u32,
    /// What it was given, and what it is to have next.
    old: String,
    new: String,
    /// What has happened to it while the trouble lasted.
    suffered: Option<&'static str>,
    is_over: Duration,
    made: Option<Made>,
}

/// When the change was made.
#[derive(Clone, Copy)]
enum Made {
    /// While the API was in trouble.
    Meanwhile,
    /// So many milliseconds after that.
    After(f64),
    /// Not before there was another one.
    WithTheNext,
}

impl<'a> Case<'a> {
    fn start(ground: &Ground, peer: &'a dyn Peer, trouble: Trouble) -> Result<Self> {
        let ground = ground.beside()?;
        let program = ground.program(Duration::ZERO, &[])?;
        Ok(Self {
            running: Running::start(peer, &ground, &program)?,
            ground,
            peer,
            trouble,
            program: 0,
            old: String::new(),
            new: String::new(),
            suffered: None,
            is_over: Duration::ZERO,
            made: None,
        })
    }

    fn api(&self) -> Result<&dyn Api> {
        self.peer.api(&self.ground).context("it does not watch")
    }

    fn began(&mut self) -> Result<()> {
        let began = self.ground.stamps.wait_for("began", STEP_MAX);
        let began = began.with_context(|| self.running.log())?;
        self.ground.stamps.wait_for("serves", STEP_MAX)?;
        (self.program, self.old) = (began.pid, began.more);
        Ok(())
    }

    fn misbehave(&mut self) -> Result<()> {
        let api = self.api()?;
        api.misbehave(Some(self.trouble));
        api.change()?;
        self.new = self.api()?.value()?;
        Ok(())
    }

    /// The trouble is over; what has it done?
    fn come_to_senses(&mut self) -> Result<()> {
        let mut stamps = Vec::new();
        while let Some(stamp) = self.ground.stamps.next(Duration::ZERO)? {
            stamps.push(stamp);
        }
        self.suffered = self.suffered(&stamps);
        if stamps.iter().any(|stamp| self.is_new(stamp)) {
            self.made = Some(Made::Meanwhile);
        }
        self.is_over = now();
        self.api()?.misbehave(None);
        Ok(())
    }

    fn suffered(&self, stamps: &[Stamp]) -> Option<&'static str> {
        let began = stamps.iter().rfind(|stamp| stamp.what == "began");
        match began {
            Some(new) if new.more.is_empty() => Some("restarted on an empty value"),
            Some(new) if new.more == self.old => Some("restarted on the old value"),
            Some(new) if new.more == self.new => None,
            Some(_) => Some("restarted on nonsense"),
            None if !lives(self.program) => Some("stopped"),
            None if !lives(self.running.pid()) => Some("orphaned"),
            None => None,
        }
    }

    fn is_new(&self, stamp: &Stamp) -> bool {
        stamp.what == "began" && stamp.more == self.new
    }

    fn look(&mut self, made: impl Fn(f64) -> Made) -> Result<()> {
        while let Some(stamp) = self.ground.stamps.next(Duration::ZERO)? {
            if self.made.is_none() && self.is_new(&stamp) {
                self.made = Some(made(ms(self.is_over, stamp.at)));
            }
        }
        Ok(())
    }

    fn change_again(&mut self) -> Result<()> {
        if self.made.is_none() {
            self.api()?.change()?;
            self.new = self.api()?.value()?;
        }
        Ok(())
    }

    fn cell(&self) -> Cell {
        let (late, made) = match self.made {
            Some(Made::Meanwhile) => (0, "changed all the same".to_owned()),
            Some(Made::After(ms)) => (0, format!("changed {:.1} s after", ms / 1000.0)),
            Some(Made::WithTheNext) => (1, "changed with the next change only".to_owned()),
            None => (2, "never changed".to_owned()),
        };
        let wrong = late + u32::from(self.suffered.is_some());
        let text = format!("{}, {made}", self.suffered.unwrap_or("untouched"));
        if wrong > 0 {
            let log = self.running.log();
            let last: Vec<_> = log.lines().rev().take(4).collect();
            eprintln!(
                "peers: {}, {:?}: {text}: {last:?}",
                self.peer.name(),
                self.trouble
            );
        }
        Cell::said(self.peer.name(), &text, Some(wrong.into()))
    }
}
