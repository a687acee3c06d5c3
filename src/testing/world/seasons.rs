//! From the storm to the calm, and from the calm to the end.

use crate::supervisor::command::Verb;
use crate::supervisor::config::EnvFile;
use crate::supervisor::signal::{Origin, Signal};
use crate::supervisor::time::Duration;

use super::agenda::Happening;
use super::{Disk, Program, Season, World};

impl World<'_> {
    /// From the storm to the calm, from the calm to the end.
    pub(super) fn move_on(&mut self) -> Result<(), String> {
        let enough = self.steps >= self.steps_wanted && self.changes > 0;
        if self.season == Season::Storm && enough {
            self.calm_down();
        }
        let Season::Calm(since) = self.season else {
            return Ok(());
        };
        if self.has_settled() {
            self.end_life();
        } else if self.now > since + self.settings.settles_within() {
            let late = self.now.since(since).as_secs();
            return Err(format!(
                "{late} s after the faults stopped, not one child on the newest value"
            ));
        }
        Ok(())
    }

    fn calm_down(&mut self) {
        self.season = Season::Calm(self.now);
        self.heroku.calm_down();
        self.program = Program::There;
        self.disk = Disk::Sound;
        self.agenda.retain(|happening| !happening.is_fault());
        self.story.says(self.now, "the faults stop");
        self.agenda.plan(self.now, Happening::Asked(Verb::Resume));
        for at in 0..self.processes.len() {
            self.continue_process(at);
            self.lose_database(at);
        }
    }

    /// One child, on the newest value, with that in its env file, and nothing else going on.
    fn has_settled(&self) -> bool {
        let newest = self.settings.watch.read(self.heroku.shown());
        let running = self
            .supervisor
            .as_ref()
            .and_then(|running| running.law.settled_on());
        let one = self
            .processes
            .iter()
            .filter(|process| process.lives())
            .count()
            == 1;
        let file = match self.settings.env_file {
            EnvFile::None => self.env_file.is_none(),
            EnvFile::Kept => self.env_file == running,
        };
        let kept = !self.settings.keeps_cache() || self.cached() == running;
        let newest = running == Some(newest) || (self.settings.is_blind() && running.is_some());
        one && file && kept && newest
    }

    fn end_life(&mut self) {
        self.season = Season::End;
        self.story.says(self.now, "a person ends it");
        let mut after = Duration::ZERO;
        if self.dice.one_in(4) {
            self.agenda.plan(self.now, Happening::Asked(Verb::Stop));
            return;
        }
        for signal in [Signal::TERM, Signal::TERM, Signal::INT] {
            let origin = Origin::Process;
            self.agenda
                .plan(self.now + after, Happening::Signal { signal, origin });
            after += self.dice.ms(1, 20_000);
            if self.dice.one_in(2) {
                break;
            }
        }
        if self.settings.is_termless() {
            self.kill_child(after);
        }
    }
}
