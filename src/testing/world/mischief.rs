//! What goes wrong next: some things in their own time, some at the worst moment, right after the
//! core has acted.

use crate::supervisor::command::{Force, Verb};
use crate::supervisor::config::EnvFile;
use crate::supervisor::event::{Ended, Event, FetchFailure};
use crate::supervisor::signal::{Origin, Signal};
use crate::supervisor::status::{ChangePhase, InstancePhase, ServicePhase, Status, WatchPhase};
use crate::supervisor::time::Duration;

use super::agenda::{By, Happening};
use super::heroku::{Heroku, Reply, Scene};
use super::processes::Process;
use super::{Disk, Program, Season, World};

impl World<'_> {
    /// One thing goes wrong, and the next is planned.
    pub(super) fn mischief(&mut self) -> Result<(), String> {
        let pause = match self.dice.below(4) {
            0 => self.dice.ms(0, 500),
            1 | 2 => self.dice.ms(500, 8000),
            _ => self.dice.ms(8000, 60_000),
        };
        self.agenda.plan(self.now + pause, Happening::Mischief);
        match self.dice.below(30) {
            0..=4 => self.begin_rotation(),
            5..=8 => self.heroku.change_weather(&mut self.dice),
            9 => self.break_start(),
            10..=12 => self.plan_signal(Duration::ZERO),
            13 => self.plan_dumps(),
            14 => self.kill_child(Duration::ZERO),
            15 => self.begin_rotation(),
            16..=18 => return self.toggle_child(),
            19 => return self.sleep(),
            20..=21 => self.repeat(),
            22 if self.dice.one_in(4) => self.token += 1,
            22 => self.play(Scene::Reset),
            23 | 24 => self.kick_connection(Duration::ZERO),
            25 | 26 => self.plan_webhooks(),
            27 | 28 => self.plan_command(Duration::ZERO),
            _ => return self.step(Event::Wake, None),
        }
        Ok(())
    }

    /// At the worst moment: after a step of the core, now or in a few milliseconds. Rarely where
    /// the core often is, often where it rarely is.
    pub(super) fn meddle(&mut self) {
        let Some(running) = &self.supervisor else {
            return;
        };
        let status = running.core.status();
        let is_rare = is_rare(status);
        let sides = if is_rare { 1 + self.dice.below(2) } else { 12 };
        if self.season != Season::Storm || !self.dice.one_in(sides) {
            return;
        }
        self.disturb(status);
        let soon = match self.dice.below(5) {
            0 | 1 => Duration::ZERO,
            2 => self.dice.ms(1, 60),
            3 => self.dice.ms(60, 3000),
            // The very moment at which the core would act by itself.
            _ => self.due().map_or(Duration::ZERO, |due| due.since(self.now)),
        };
        let at = self.now + soon;
        match self.dice.below(22) {
            0..=3 => self.plan_signal(soon),
            4 => self.kill_child(soon),
            5..=7 => self.repeat(),
            8 | 9 => self.agenda.plan(at, Happening::Truth(Scene::IssueAndShow)),
            10 => self.agenda.plan(at, Happening::Truth(Scene::IssueAndReset)),
            11 => self.agenda.plan(at, Happening::Again(Event::Resumed)),
            12 => self.break_start(),
            13 if is_rare => {
                self.heroku.change_weather(&mut self.dice);
                self.agenda.plan(at, Happening::Again(Event::Resumed));
            }
            14 if is_rare => self.everything(),
            16 | 17 => self.kick_connection(soon),
            15 if is_rare => self.agenda.plan(at, Happening::Again(Event::Wake)),
            18 => self.agenda.plan(at, Happening::Again(Event::Webhook)),
            19..=21 => self.plan_command(soon),
            _ => self.agenda.plan(at, Happening::Toggle),
        }
    }

    /// What few other things bring about where the core is now.
    fn disturb(&mut self, status: Status) {
        if status.service == ServicePhase::Preparing && self.dice.one_in(3) {
            // Rarest of all: a newer change on its way, and then the start fails.
            match status.change {
                ChangePhase::Quiet => self.play(Scene::IssueAndShow),
                ChangePhase::Settling
                | ChangePhase::Confirming
                | ChangePhase::CheckingLogin
                | ChangePhase::Deferred => {
                    self.break_start();
                }
            }
        }
        if status.service == ServicePhase::Postponed && self.dice.one_in(3) {
            self.take_back();
        }
        if status.change == ChangePhase::Deferred && self.dice.one_in(3) {
            // Beside what waits for its login another variable changes, and is seen.
            self.play(Scene::OtherVariable);
            self.agenda.plan(self.now, Happening::Again(Event::Resumed));
        }
        if status.service == ServicePhase::Joining && self.dice.one_in(3) {
            // It is over in no time: what is on its way comes now, or never meets it.
            self.agenda.hasten(self.now, |it| {
                matches!(it, Happening::Answer { .. } | Happening::Says { .. })
            });
        }
    }

    /// The child has the newest value after all, and nothing can be started meanwhile.
    fn take_back(&mut self) {
        self.break_program();
        self.play(Scene::OldAgain);
        self.agenda.plan(self.now, Happening::Again(Event::Resumed));
    }

    /// A new value, a reason to look for it, and no way to start on it.
    fn everything(&mut self) {
        self.break_start();
        self.play(Scene::IssueAndShow);
        let soon = self.dice.ms(0, 20);
        self.agenda
            .plan(self.now + soon, Happening::Again(Event::Resumed));
    }

    /// How long after its deadline the supervisor wakes: now and then it does not run for a while.
    pub(super) fn lateness(&mut self) -> Duration {
        if self.season == Season::Storm && self.dice.one_in(40) {
            self.dice.ms(0, 30_000)
        } else {
            Duration::from_millis(self.dice.below(6))
        }
    }

    /// A scene of a rotation; those who lose their database may die of it.
    pub(super) fn play(&mut self, scene: Scene) {
        let before = self.settings.watch.read(self.heroku.shown());
        self.heroku.play(scene);
        self.story
            .says(self.now, &format!("{scene:?}: {:?}", self.heroku.shown()));
        self.shake_connection(scene);
        let after = self.settings.watch.read(self.heroku.shown());
        self.changes += u64::from(before != after);
        for at in 0..self.processes.len() {
            self.lose_database(at);
        }
    }

    /// A child whose database does not let it in may notice, and may die of it.
    pub(super) fn lose_database(&mut self, at: usize) {
        let process = &self.processes[at];
        let Some(version) = process.values[0].filter(|_| process.lives()) else {
            return;
        };
        if self.heroku.lets_in(version) || self.dice.one_in(2) {
            return;
        }
        let (instance, how, by) = (process.instance, Ended::Code(1), By::Others);
        let after = self.dice.ms(0, 3000);
        self.agenda
            .plan(self.now + after, Happening::Dies { instance, how, by });
    }

    /// A suspended child goes on.
    pub(super) fn continue_process(&mut self, at: usize) {
        if self.processes[at].is_suspended() {
            let instance = self.processes[at].instance;
            self.signal(instance, Signal::CONT);
        }
    }

    fn begin_rotation(&mut self) {
        let mut at = self.now;
        for (after, scene) in Heroku::story(&mut self.dice) {
            at = at + after;
            self.agenda.plan(at, Happening::Truth(scene));
        }
    }

    /// Nothing can be started for a while: it, or its env file, is in the way.
    fn break_start(&mut self) {
        if self.settings.env_file == EnvFile::Kept && self.dice.one_in(2) {
            self.disk = Disk::Full;
            self.story.says(self.now, "the disk is full");
            let after = self.dice.ms(10, 20_000);
            self.agenda.plan(self.now + after, Happening::DiskIsSound);
        } else {
            self.break_program();
        }
    }

    /// A deployment in the middle of its work, or a system without processes to spare.
    fn break_program(&mut self) {
        let wrong = [Program::Vanished, Program::NotExecutable, Program::Refused];
        self.program = self.dice.pick(&wrong);
        self.story
            .says(self.now, &format!("the program is {:?}", self.program));
        let after = self.dice.ms(10, 20_000);
        self.agenda
            .plan(self.now + after, Happening::ProgramIsThere);
    }

    /// A person, a manager or the child's own tree; sometimes twice.
    fn plan_signal(&mut self, soon: Duration) {
        let signal = match self.dice.below(10) {
            0 | 1 => Signal::TERM,
            2 | 3 => Signal::INT,
            4 => Signal::QUIT,
            5 | 6 => Signal::HUP,
            7 => self.dice.pick(&[Signal::TSTP, Signal::TTIN, Signal::TTOU]),
            _ => self
                .dice
                .pick(&[Signal(10), Signal(12), Signal(28), Signal::CONT]),
        };
        let origin = match self.dice.below(6) {
            0 => Origin::Terminal,
            1 => Origin::OwnTree,
            _ => Origin::Process,
        };
        let mut at = self.now + soon;
        let times = self.dice.pick(&[1, 1, 2, 3]);
        for _ in 0..times {
            self.agenda.plan(at, Happening::Signal { signal, origin });
            at = at + self.dice.ms(0, 2500);
        }
    }

    /// Heroku tells of what happened, or does so again and again.
    fn plan_webhooks(&mut self) {
        let mut at = self.now;
        for _ in 0..self.dice.pick(&[1, 2, 3, 20]) {
            self.agenda.plan(at, Happening::Again(Event::Webhook));
            at = at + self.dice.ms(0, 6000);
        }
    }

    /// Somebody, or the program itself, asks for something; sometimes again and again.
    fn plan_command(&mut self, soon: Duration) {
        let verb = match self.dice.below(14) {
            0..=2 => Verb::Refresh,
            3..=5 => Verb::Restart { force: Force::No },
            6..=8 => Verb::Restart { force: Force::Yes },
            9 => Verb::Stop,
            10 => Verb::Resume,
            _ => Verb::Hold,
        };
        if verb == Verb::Hold {
            let long = self.dice.pick(&[2000, 60_000, 2_000_000]);
            let until = self.now + soon + self.dice.ms(0, long);
            self.agenda.plan(until, Happening::Asked(Verb::Resume));
        }
        let mut at = self.now + soon;
        for _ in 0..self.dice.pick(&[1, 1, 2, 5]) {
            self.agenda.plan(at, Happening::Asked(verb));
            at = at + self.dice.ms(0, 3000);
        }
    }

    /// Somebody looks at a JVM's threads, for minutes, every few seconds.
    fn plan_dumps(&mut self) {
        let grace = u64::try_from(self.settings.stop.timeout().as_millis()).unwrap_or(u64::MAX);
        let pause = self.dice.ms(200, grace.max(1000));
        let (signal, origin) = (Signal::QUIT, Origin::Process);
        let mut at = self.now;
        for _ in 0..self.dice.pick(&[5, 10, 20]) {
            self.agenda.plan(at, Happening::Signal { signal, origin });
            at = at + pause;
        }
    }

    /// The newest of the living, or the one before.
    fn pick_living(&mut self) -> Option<usize> {
        let living = |(at, process): (usize, &Process)| process.lives().then_some(at);
        let mut all = self.processes.iter().enumerate().rev().filter_map(living);
        let (newest, before) = (all.next()?, all.next());
        let older = before.filter(|_| self.dice.one_in(2));
        Some(older.unwrap_or(newest))
    }

    pub(super) fn kill_child(&mut self, soon: Duration) {
        let Some(at) = self.pick_living() else {
            return;
        };
        let (instance, by) = (self.processes[at].instance, By::Fate);
        let how = self.dice.pick(&[
            Ended::Code(0),
            Ended::Code(1),
            Ended::Code(1),
            Ended::Signal(Signal::KILL),
        ]);
        self.agenda
            .plan(self.now + soon, Happening::Dies { instance, how, by });
    }

    /// Somebody stops the child with a signal, or lets it go on.
    pub(super) fn toggle_child(&mut self) -> Result<(), String> {
        let Some(at) = self.pick_living() else {
            return Ok(());
        };
        if self.processes[at].is_suspended() {
            self.continue_process(at);
            return Ok(());
        }
        self.processes[at].suspend();
        let instance = self.processes[at].instance;
        self.step(Event::Stopped { instance }, None)
    }

    /// The machine sleeps: most of what was on its way is lost.
    fn sleep(&mut self) -> Result<(), String> {
        if self.dice.one_in(2) {
            self.play(Scene::IssueAndReset);
            self.play(Scene::Show);
        }
        let fetch = self.supervisor.as_ref().and_then(|running| running.fetch);
        if let Some(fetch) = fetch.filter(|_| self.dice.one_in(2)) {
            self.agenda
                .retain(|happening| !matches!(happening, Happening::Answer { .. }));
            let reply = Reply::Failed(FetchFailure::unavailable("reset"));
            let soon = self.dice.ms(0, 100);
            self.agenda
                .plan(self.now + soon, Happening::Answer { fetch, reply });
        }
        self.step(Event::Resumed, None)
    }

    /// Something that was answered comes once more.
    fn repeat(&mut self) {
        let Some(running) = &self.supervisor else {
            return;
        };
        if running.past.is_empty() {
            return;
        }
        let at = usize::try_from(self.dice.below(running.past.len() as u64)).unwrap_or_default();
        let event = running.past[at].clone();
        let soon = self.dice.ms(0, 30);
        self.agenda.plan(self.now + soon, Happening::Again(event));
    }
}

/// Whether the core is seldom where it is now.
fn is_rare(status: Status) -> bool {
    let service = match status.service {
        ServicePhase::Preparing
        | ServicePhase::Postponed
        | ServicePhase::Held
        | ServicePhase::Telling
        | ServicePhase::Joining
        | ServicePhase::Overlapping
        | ServicePhase::BackingOff => true,
        ServicePhase::Waiting
        | ServicePhase::Starting
        | ServicePhase::Running
        | ServicePhase::Replacing
        | ServicePhase::Asking
        | ServicePhase::AwaitingCredential
        | ServicePhase::Pausing
        | ServicePhase::ShuttingDown
        | ServicePhase::Done => false,
    };
    let instance = match status.instance {
        Some(InstancePhase::Killed | InstancePhase::SweepKilled) => true,
        Some(
            InstancePhase::Live
            | InstancePhase::Stopping
            | InstancePhase::Sweeping
            | InstancePhase::Gone,
        )
        | None => false,
    };
    let beside = match status.beside {
        Some(InstancePhase::Killed | InstancePhase::Sweeping | InstancePhase::SweepKilled) => true,
        Some(InstancePhase::Live | InstancePhase::Stopping | InstancePhase::Gone) | None => false,
    };
    service
        || instance
        || beside
        || status.change != ChangePhase::Quiet
        || status.watch == WatchPhase::Superseded
}
