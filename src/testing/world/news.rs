//! What the world's shells tell the core: answers, starts, ends.

use std::sync::Arc;

use crate::credential::Following;
use crate::supervisor::command::Verb;
use crate::supervisor::config::{EnvFile, OnChange};
use crate::supervisor::event::{ETag, Ended, Event, FetchOutcome, SpawnError};
use crate::supervisor::id::{FetchId, InstanceId};
use crate::supervisor::readiness::{Readiness, Word};
use crate::supervisor::time::Duration;

use super::agenda::{By, Happening};
use super::heroku::{Reply, Scene};
use super::processes::{self, Process};
use super::{Disk, Program, Season, World, values};

impl World<'_> {
    /// What was planned happens; what the core learns of it, it is told.
    pub(super) fn happens(&mut self, happening: Happening) -> Result<(), String> {
        match happening {
            Happening::Answer { fetch, reply } => self.answer(fetch, reply),
            Happening::LoginAnswer { login, outcome } => {
                self.step(Event::LoginChecked { login, outcome }, None)
            }
            Happening::Connection { connection, what } => self.connection(connection, what),
            Happening::Prepared { instance, disk } => self.prepared(instance, disk),
            Happening::Spawned { instance } => self.spawned(instance),
            Happening::Says { instance, word } => {
                if self.process_mut(instance).is_some_and(|it| it.can_speak()) {
                    self.plan_heartbeat(instance, &word);
                    self.step(Event::Said { instance, word }, None)?;
                }
                Ok(())
            }
            Happening::Dies { instance, how, .. } => {
                self.dies(instance, how);
                Ok(())
            }
            Happening::Reaped { instance } => self.reaped(instance),
            Happening::Listed { instance } => self.listed(instance),
            Happening::LeftoversDie { instance } => {
                match self.process_mut(instance).map(Process::lose_leftovers) {
                    Some(true) => self.step(Event::TreeEmpty { instance }, None),
                    Some(false) | None => Ok(()),
                }
            }
            Happening::CacheRead { read, outcome } => {
                self.step(Event::CacheRead { read, outcome }, None)
            }
            Happening::CacheWritten { write, result } => {
                self.step(Event::CacheWritten { write, result }, None)
            }
            Happening::Signal { signal, origin } => {
                self.step(Event::Signal { signal, origin }, None)
            }
            Happening::Again(event) => self.step(event, None),
            Happening::Asked(verb) => self.asked(verb),
            Happening::Truth(scene) => {
                self.play(scene);
                Ok(())
            }
            Happening::ProgramIsThere => {
                self.program = Program::There;
                Ok(())
            }
            Happening::DiskIsSound => {
                self.disk = Disk::Sound;
                Ok(())
            }
            Happening::Toggle => self.toggle_child(),
            Happening::Mischief => self.mischief(),
            Happening::Start => self.start(),
        }
    }

    fn asked(&mut self, verb: Verb) -> Result<(), String> {
        self.reply = self.reply.next();
        let reply = self.reply;
        self.step(Event::Command { reply, verb }, None)
    }

    fn dies(&mut self, instance: InstanceId, how: Ended) {
        if let Some(process) = self.process_mut(instance)
            && process.die(how)
        {
            let gap = if self.dice.one_in(4) {
                self.dice.ms(0, 5)
            } else {
                Duration::ZERO
            };
            self.agenda
                .plan(self.now + gap, Happening::Reaped { instance });
        }
    }

    fn answer(&mut self, fetch: FetchId, reply: Reply) -> Result<(), String> {
        let left = self.heroku.left(&reply);
        let (outcome, said) = match reply {
            Reply::NotModified => (FetchOutcome::NotModified, None),
            Reply::Failed(failure) => (FetchOutcome::Failed(failure), None),
            Reply::Answer { raw, tag } => {
                let snapshot = self
                    .settings
                    .selection()
                    .snapshot(values::answer(&raw, tag), &Following::default());
                let etag = Some(ETag(tag.to_string().into()));
                let said = self.settings.watch.read(&raw);
                (
                    FetchOutcome::Snapshot {
                        snapshot: Arc::new(snapshot),
                        etag,
                    },
                    Some((said, tag)),
                )
            }
        };
        let event = Event::Fetched {
            fetch,
            outcome,
            left,
        };
        self.step(event, said)
    }

    fn prepared(&mut self, instance: InstanceId, disk: Disk) -> Result<(), String> {
        let detail = |text: &str| text.to_owned();
        let error = match (self.settings.env_file, disk, self.program) {
            (EnvFile::Kept, Disk::Full, _) => Some(SpawnError::Unwritable {
                detail: detail("the env file cannot be written: ENOSPC"),
            }),
            (_, _, Program::There | Program::Refused) => None,
            (_, _, Program::Vanished) => Some(SpawnError::NotFound),
            (_, _, Program::NotExecutable) => Some(SpawnError::NotExecutable {
                detail: detail("EACCES"),
            }),
        };
        let event = match error {
            Some(error) => Event::SpawnFailed { instance, error },
            None => Event::Prepared { instance },
        };
        self.step(event, None)
    }

    fn spawned(&mut self, instance: InstanceId) -> Result<(), String> {
        let fails = self.season == Season::Storm && self.dice.one_in(25);
        let refused = SpawnError::Failed {
            detail: "EAGAIN".to_owned(),
        };
        let error = match self.program {
            Program::Vanished => Some(SpawnError::NotFound),
            Program::Refused => Some(refused),
            Program::There | Program::NotExecutable => fails.then_some(refused),
        };
        match error {
            Some(error) => self.step(Event::SpawnFailed { instance, error }, None),
            None => self.born(instance),
        }
    }

    fn born(&mut self, instance: InstanceId) -> Result<(), String> {
        let prepared = self
            .supervisor
            .as_ref()
            .and_then(|running| running.prepared);
        let Some((_, values)) = prepared.filter(|(prepared, _)| *prepared == instance) else {
            return Err(format!("{instance} is spawned without its preparation"));
        };
        let grace = self.settings.stop.timeout();
        let process = Process::new(instance, values, grace, self.machine, &mut self.dice);
        self.processes.retain(Process::is_there);
        self.processes.push(process);
        if self.season == Season::Storm
            && let Some((at, fate)) = processes::fate(instance, self.now, &mut self.dice)
        {
            self.agenda.plan(at, fate);
        }
        if self.season == Season::End && self.settings.is_termless() {
            // It follows the one that a person has ended, or stands beside it.
            let (how, by) = (Ended::Code(0), By::Fate);
            self.agenda
                .plan(self.now, Happening::Dies { instance, how, by });
        }
        self.plan_words(instance);
        let pid = 100 + instance.0;
        self.lose_database(self.processes.len() - 1);
        self.step(Event::Spawned { instance, pid }, None)
    }

    fn listed(&mut self, instance: InstanceId) -> Result<(), String> {
        let alive = self.process_mut(instance).map(|process| process.alive());
        let alive = alive.unwrap_or_default();
        self.step(Event::TreeListed { instance, alive }, None)
    }

    /// One that promised to be heard of is, until it hangs.
    fn plan_heartbeat(&mut self, instance: InstanceId, word: &Word) {
        let Readiness::Notify {
            watchdog: Some(watchdog),
        } = self.settings.ready
        else {
            return;
        };
        let hangs = self.season == Season::Storm && self.dice.one_in(12);
        if hangs || !matches!(word, Word::Ready | Word::Alive) {
            return;
        }
        let word = if self.season == Season::Storm && self.dice.one_in(40) {
            Word::Trip
        } else {
            Word::Alive
        };
        self.agenda
            .plan(self.now + watchdog / 2, Happening::Says { instance, word });
    }

    /// Readiness soon, late or never; other words in between.
    fn plan_words(&mut self, instance: InstanceId) {
        if !matches!(self.settings.ready, Readiness::Notify { .. }) {
            return;
        }
        let limit = u64::try_from(self.settings.ready_timeout.as_millis()).unwrap_or(u64::MAX);
        let ready = match (self.season, self.dice.below(8)) {
            (Season::Calm(_) | Season::End, _) => Some(self.dice.ms(1, 900)),
            (Season::Storm, 0) => None,
            (Season::Storm, 1) => Some(self.dice.ms(limit, limit + 20_000)),
            (Season::Storm, 2..=4) => Some(self.dice.ms(0, limit)),
            (Season::Storm, _) => Some(self.dice.ms(0, limit.min(1500))),
        };
        self.change_while_it_starts();
        let others = match self.dice.below(5) {
            0 => Word::Status("loading".to_owned()),
            1 => Word::Stopping,
            2 if self.season == Season::Storm => Word::Silent("EIO".to_owned()),
            3 => Word::NotYet("503".to_owned()),
            _ => Word::Status("fine".to_owned()),
        };
        let other = self.dice.ms(0, limit * 2);
        for (after, word) in ready
            .map(|after| (after, Word::Ready))
            .into_iter()
            .chain([(other, others)])
        {
            self.agenda
                .plan(self.now + after, Happening::Says { instance, word });
        }
    }

    /// A child that is told of changes is told too early, if ever, while it starts up.
    fn change_while_it_starts(&mut self) {
        let tells = matches!(self.settings.on_change, OnChange::Signal(_));
        if tells && self.season == Season::Storm && self.dice.one_in(2) {
            let at = self.now + self.dice.ms(0, 500);
            self.agenda.plan(at, Happening::Truth(Scene::IssueAndShow));
            self.agenda.plan(at, Happening::Again(Event::Resumed));
        }
    }

    fn reaped(&mut self, instance: InstanceId) -> Result<(), String> {
        match self.process_mut(instance).and_then(Process::reap) {
            Some((ended, leftovers)) => self.step(
                Event::Exited {
                    instance,
                    ended,
                    leftovers,
                },
                None,
            ),
            None => Ok(()),
        }
    }
}
