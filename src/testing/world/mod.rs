//! The world: the real core, in virtual time, among children that misbehave, a Heroku that fails
//! and lies, a database that resets connections, people who press keys, and machines that sleep.
//!
//! One seed is one life, the same on every machine. A life lasts until enough has gone wrong; then
//! the faults stop, and the core must settle on the newest value within a bound; then it is told to
//! stop, and must, within another. When a supervisor exits in between, an outer manager starts the
//! next, as systemd would.
//!
//! | file | what it is |
//! |---|---|
//! | `heroku` | the config vars and their stories, the API's faults, the database |
//! | `cache` | the file that outlives a supervisor |
//! | `connection` | the connection that is kept to the database |
//! | `processes` | the children, and what they leave behind |
//! | `mischief` | what goes wrong next |
//! | `seasons` | when that ends, and what must have come of it |
//! | `law` | what must hold after every step |
//! | `bounds` | every bound, beside the sentence of the design that it stands for |
//! | `reach`, `impossible` | which events have met which phases, and which cannot |
//!
//! What the world does not have: a second opinion on `credential` (unit tests have that), real
//! processes and sockets (`tests/it` has them).

mod agenda;
mod bounds;
mod cache;
mod connection;
mod dice;
mod heroku;
mod impossible;
mod law;
mod mischief;
mod news;
mod processes;
mod reach;
mod seasons;
mod settings;
mod shells;
mod story;
mod values;

use crate::exit_code::ExitCode;
use crate::supervisor::Supervisor;
use crate::supervisor::action::Action;
use crate::supervisor::config::LeftoverPolicy;
use crate::supervisor::event::Event;
use crate::supervisor::id::{FetchId, InstanceId, LoginId, ReplyId};
use crate::supervisor::time::Time;

use agenda::{Agenda, Happening};
use connection::Watched;
use heroku::Heroku;
use law::Law;
use processes::Process;
use reach::Fresh;
use settings::Settings;
use shells::answer_to;
use story::Story;
use values::Values;

pub use dice::Dice;
pub use reach::{Kind, Reach};
pub use story::describe;

/// No life is longer.
const STEPS_MAX: u64 = 20_000;

/// What a life came to.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    /// Calls of `step`.
    pub steps: u64,
    /// Changes of a watched value at Heroku.
    pub changes: u64,
}

/// A breach of the law, or a panic of the core's.
#[derive(Clone, Debug)]
pub struct Breach {
    /// What was broken, in one sentence.
    pub what: String,
    /// The life up to there, one line each; empty unless it was asked for.
    pub story: String,
}

/// Lives the life of a seed, counting what it reaches.
///
/// # Errors
/// The first breach of the law ends it.
pub fn live(seed: u64, reach: &mut Reach) -> Result<Life, Breach> {
    World::new(seed, Story::untold(), reach).live()
}

/// Lives it again, and writes it down for people.
///
/// # Errors
/// The first breach of the law ends it.
pub fn retell(seed: u64) -> (String, Result<Life, Breach>) {
    let mut reach = Reach::new();
    let mut world = World::new(seed, Story::told(), &mut reach);
    let result = world.live();
    let story = world.story.to_string();
    let met = reach.breaches().into_iter().next();
    let result = result.and_then(|life| match met {
        Some(what) => Err(Breach {
            what,
            story: String::new(),
        }),
        None => Ok(life),
    });
    (story, result)
}

/// One life.
struct World<'a> {
    dice: Dice,
    now: Time,
    settings: Settings,
    agenda: Agenda,
    heroku: Heroku,
    supervisor: Option<Running>,
    processes: Vec<Process>,
    program: Program,
    disk: Disk,
    /// What the env file holds, if there is one.
    env_file: Option<Values>,
    cache: Option<cache::Stored>,
    /// Which token is Heroku's present one.
    token: u32,
    machine: Machine,
    season: Season,
    steps: u64,
    steps_wanted: u64,
    changes: u64,
    /// The last command.
    reply: ReplyId,
    /// For the next supervisor's own jitter.
    next_seed: u64,
    reach: &'a mut Reach,
    story: Story,
}

/// A supervisor that runs, and what is out for it.
struct Running {
    core: Supervisor,
    law: Law,
    started: Time,
    fetch: Option<FetchId>,
    logins: Vec<LoginId>,
    connection: Option<Watched>,
    prepared: Option<(InstanceId, Values)>,
    live: Vec<InstanceId>,
    leaving: Vec<InstanceId>,
    sweeps: bool,
    /// Events that may come again.
    past: Vec<Event>,
}

/// Whether the program can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    There,
    Vanished,
    NotExecutable,
    /// The system has no more processes.
    Refused,
}

/// Whether files can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Disk {
    Sound,
    Full,
}

/// What the machine of this life is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Machine {
    Sound,
    /// The program is found late.
    SlowDisk,
    /// Processes often hang in the kernel, and nothing ends them.
    Stuck,
}

/// What the world is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Season {
    /// Everything goes wrong.
    Storm,
    /// The faults have stopped then; the core must settle.
    Calm(Time),
    /// It was told to stop.
    End,
}

impl<'a> World<'a> {
    fn new(seed: u64, story: Story, reach: &'a mut Reach) -> Self {
        let mut dice = Dice::new(seed);
        let steps_wanted = 50 + dice.below(60);
        let mut agenda = Agenda::default();
        agenda.plan(Time::ZERO, Happening::Start);
        agenda.plan(Time::ZERO + dice.ms(0, 20_000), Happening::Mischief);
        let of = [
            Machine::Sound,
            Machine::Sound,
            Machine::SlowDisk,
            Machine::Stuck,
        ];
        let machine = dice.pick(&of);
        let settings = Settings::roll(machine, &mut dice);
        Self {
            dice,
            now: Time::ZERO,
            settings,
            agenda,
            heroku: Heroku::new(),
            supervisor: None,
            processes: Vec::new(),
            program: Program::There,
            disk: Disk::Sound,
            env_file: None,
            cache: None,
            token: 1,
            machine,
            season: Season::Storm,
            steps: 0,
            steps_wanted,
            changes: 0,
            reply: ReplyId(0),
            next_seed: seed,
            reach,
            story,
        }
    }

    fn live(&mut self) -> Result<Life, Breach> {
        self.story.begin(&self.settings);
        while !self.is_over() {
            self.turn().map_err(|what| Breach {
                what,
                story: self.story.to_string(),
            })?;
        }
        Ok(Life {
            steps: self.steps,
            changes: self.changes,
        })
    }

    fn is_over(&self) -> bool {
        self.season == Season::End && self.supervisor.is_none()
    }

    /// The next thing that happens, or the core's deadline.
    fn turn(&mut self) -> Result<(), String> {
        let planned = self.agenda.next_at();
        let due = self.due().map(|due| due.max(self.now));
        match (planned, due) {
            (Some(planned), due) if due.is_none_or(|due| planned <= due) => {
                self.now = planned.max(self.now);
                match self.agenda.next() {
                    Some(happening) => self.happens(happening)?,
                    None => return Err("the agenda is empty".to_owned()),
                }
            }
            (_, Some(due)) => {
                // A wake is never early, and rarely punctual.
                self.now = due + self.lateness();
                self.step(Event::Wake, None)?;
            }
            (_, None) => return Err("nothing will ever happen again".to_owned()),
        }
        self.move_on()
    }

    /// When the core wants to be called, in the world's time.
    fn due(&self) -> Option<Time> {
        let running = self.supervisor.as_ref()?;
        let deadline = running.core.deadline()?;
        Some(running.started + deadline.since(Time::ZERO))
    }

    fn start(&mut self) -> Result<(), String> {
        let config = self.settings.config();
        if self.settings.falls_back() && self.season == Season::Storm && self.dice.one_in(3) {
            self.heroku.goes_away();
        }
        self.story.says(self.now, "a supervisor starts");
        self.next_seed += 1;
        self.supervisor = Some(Running {
            core: Supervisor::new(config.clone(), self.next_seed),
            law: Law::new(config, self.settings.watch),
            started: self.now,
            fetch: None,
            logins: Vec::new(),
            connection: None,
            prepared: None,
            live: Vec::new(),
            leaving: Vec::new(),
            sweeps: self.settings.leftovers == LeftoverPolicy::Sweep,
            past: Vec::new(),
        });
        self.step(Event::Wake, None)
    }

    /// Gives the core an event, obeys it, and holds both against the law.
    fn step(&mut self, event: Event, said: Option<(Values, u32)>) -> Result<(), String> {
        let Some(running) = &mut self.supervisor else {
            return Ok(());
        };
        let now = Time::from_start(self.now.since(running.started));
        let fresh = running.freshness(&event);
        let kind = Kind::of(&event, fresh);
        let beside = fresh == Fresh::Fresh && running.law.is_about_beside(&event);
        self.reach.count(running.core.status(), kind, beside);
        self.story.event(now, &event);
        self.steps += 1;
        if let Some(deadline) = running.core.deadline() {
            running.law.overslept(now, now.since(deadline));
        }
        running.law.hear(now, &event, said)?;
        if fresh == Fresh::Fresh {
            running.note(&event);
        }
        let actions = answer_to(&mut running.core, now, event)?;
        let mut over = None;
        for action in actions {
            self.story.action(now, &action);
            if let Some(running) = &mut self.supervisor {
                running.law.act(now, &action)?;
            }
            if let Action::Exit(code) = action {
                over = Some(code);
            } else {
                self.obey(&action)?;
            }
        }
        if let Some(running) = &mut self.supervisor {
            // The shells keep no other: a spawn of it would fail.
            let wanted = running.core.preparation();
            running.prepared.take_if(|(id, _)| Some(*id) != wanted);
        }
        self.hold_against_law(now)?;
        if self.steps > STEPS_MAX {
            return Err(format!("{STEPS_MAX} steps, and no end"));
        }
        if let Some(code) = over {
            self.exited(code)?;
        } else {
            self.meddle();
        }
        Ok(())
    }

    fn hold_against_law(&mut self, now: Time) -> Result<(), String> {
        let stuck = self
            .processes
            .iter()
            .any(|process| process.is_there() && process.is_stuck());
        let Some(running) = &mut self.supervisor else {
            return Ok(());
        };
        running.law.check(now, running.core.deadline(), stuck)
    }

    /// The supervisor is gone; another follows.
    fn exited(&mut self, code: ExitCode) -> Result<(), String> {
        self.story.says(
            self.now,
            &format!("the supervisor exits with {}", code.number()),
        );
        self.supervisor = None;
        if self.env_file.is_some() {
            return Err("the env file is left behind".to_owned());
        }
        if self.settings.leftovers == LeftoverPolicy::Sweep {
            let left = |process: &Process| process.is_there() && !process.is_stuck();
            if let Some(process) = self.processes.iter().find(|process| left(process)) {
                return Err(format!("{} is left behind", process.instance));
            }
        }
        self.processes.clear();
        self.agenda.retain(|happening| {
            matches!(
                happening,
                Happening::Truth(_)
                    | Happening::ProgramIsThere
                    | Happening::DiskIsSound
                    | Happening::Mischief
                    | Happening::Start
            )
        });
        if self.season != Season::End {
            let pause = self.dice.ms(0, 10_000);
            self.agenda.plan(self.now + pause, Happening::Start);
        }
        Ok(())
    }

    fn process_mut(&mut self, instance: InstanceId) -> Option<&mut Process> {
        self.processes
            .iter_mut()
            .find(|process| process.instance == instance)
    }
}
