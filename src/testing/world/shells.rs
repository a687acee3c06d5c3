//! What the world's shells do with the core's actions.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::credential::Environment;
use crate::supervisor::Supervisor;
use crate::supervisor::action::Action;
use crate::supervisor::config::EnvFile;
use crate::supervisor::event::{ConnectionNews, ETag, Event, Leftovers};
use crate::supervisor::id::{FetchId, InstanceId, LoginId};
use crate::supervisor::notice::Notice;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};

use super::agenda::Happening;
use super::processes::Plan;
use super::reach::Fresh;
use super::values::version;
use super::{Disk, Machine, Running, World};

/// How many past events may come again.
const PAST_MAX: usize = 8;

impl World<'_> {
    /// Does one thing.
    pub(super) fn obey(&mut self, action: &Action) -> Result<(), String> {
        match action {
            Action::Fetch { fetch, unless } => self.ask(*fetch, unless.as_ref()),
            Action::CancelFetch { fetch } => self.drop_fetch(*fetch),
            Action::CheckLogin { login, url, .. } => self.log_in(*login, url.expose()),
            Action::CancelLogin { login } => self.drop_login(*login),
            Action::WatchConnection {
                connection, url, ..
            } => self.watch_connection(*connection, url.expose()),
            Action::UnwatchConnection { .. } => self.unwatch_connection(),
            Action::Prepare {
                instance,
                environment,
            } => self.prepare(*instance, environment),
            Action::Spawn { instance } => self.spawn(*instance),
            Action::Signal {
                instance, signal, ..
            } => self.signal(*instance, *signal),
            Action::Sweep { instance, signal } => self.sweep(*instance, *signal),
            Action::ListTree { instance } => self.list(*instance),
            Action::ReadCache { read } => self.read_cache(*read),
            Action::WriteCache { write, good, age } => self.write_cache(*write, good, *age),
            Action::RemoveCache => self.cache = None,
            Action::RemoveEnvFile => self.env_file = None,
            Action::Announce(Notice::ChangeSignalled { .. }) => self.reread()?,
            Action::GiveUp { instance } => {
                if let Some(running) = &mut self.supervisor {
                    running.forget(*instance);
                }
            }
            Action::StopSelf { .. } => self.stop_supervisor(),
            Action::ProbeReadiness { .. }
            | Action::Report(_)
            | Action::Reply { .. }
            | Action::Announce(_)
            | Action::Exit(_) => {}
        }
        Ok(())
    }

    pub(super) fn ask(&mut self, fetch: FetchId, unless: Option<&ETag>) {
        let tag = unless.and_then(|tag| tag.0.parse().ok());
        let (after, reply) = self.heroku.ask(tag, &mut self.dice);
        self.agenda
            .plan(self.now + after, Happening::Answer { fetch, reply });
        if let Some(running) = &mut self.supervisor {
            running.fetch = Some(fetch);
        }
    }

    /// An answer that is on its way may come all the same.
    pub(super) fn drop_fetch(&mut self, dropped: FetchId) {
        if self.dice.one_in(2) {
            let lost =
                |it: &Happening| matches!(it, Happening::Answer { fetch, .. } if *fetch == dropped);
            self.agenda.retain(|happening| !lost(happening));
        }
        if let Some(running) = &mut self.supervisor {
            running.fetch = None;
        }
    }

    pub(super) fn log_in(&mut self, login: LoginId, url: &str) {
        let version = version(url).unwrap_or_default();
        let (after, outcome) = self.heroku.log_in(version, &mut self.dice);
        self.agenda
            .plan(self.now + after, Happening::LoginAnswer { login, outcome });
        if let Some(running) = &mut self.supervisor {
            running.logins.push(login);
        }
    }

    pub(super) fn drop_login(&mut self, dropped: LoginId) {
        if let Some(running) = &mut self.supervisor {
            running.logins.retain(|login| *login != dropped);
        }
    }

    pub(super) fn prepare(&mut self, instance: InstanceId, environment: &Environment) {
        let after = match self.dice.below(12) {
            _ if self.machine == Machine::SlowDisk => self.dice.ms(0, 20_000),
            0 => self.dice.ms(1000, 20_000),
            1 | 2 => self.dice.ms(100, 5000),
            3..=5 => self.dice.ms(1, 50),
            _ => Duration::ZERO,
        };
        let (values, disk) = (self.settings.watch.of(environment), self.disk);
        if let (EnvFile::Kept, Disk::Sound) = (self.settings.env_file, disk) {
            self.env_file = Some(values);
        }
        self.agenda
            .plan(self.now + after, Happening::Prepared { instance, disk });
        if let Some(running) = &mut self.supervisor {
            running.prepared = Some((instance, values));
        }
    }

    pub(super) fn spawn(&mut self, instance: InstanceId) {
        let after = if self.dice.one_in(3) {
            self.dice.ms(1, 60)
        } else {
            Duration::ZERO
        };
        self.agenda
            .plan(self.now + after, Happening::Spawned { instance });
    }

    pub(super) fn signal(&mut self, instance: InstanceId, signal: Signal) {
        let Some(at) = self.process_at(instance) else {
            return;
        };
        let process = &mut self.processes[at];
        let continues = signal == Signal::CONT && process.is_suspended();
        let stops = [Signal::TSTP, Signal::TTIN, Signal::TTOU].contains(&signal);
        let stops = stops && process.runs() && self.dice.one_in(2);
        let plan = process.signal(signal, &mut self.dice);
        self.follow(plan);
        if stops {
            self.processes[at].suspend();
            self.agenda
                .plan(self.now, Happening::Again(Event::Stopped { instance }));
        }
        if continues {
            self.agenda
                .plan(self.now, Happening::Again(Event::Continued { instance }));
        }
    }

    /// A signal to the whole tree; TERM is followed by CONT.
    pub(super) fn sweep(&mut self, instance: InstanceId, signal: Signal) {
        self.signal(instance, signal);
        if let Some(at) = self.process_at(instance) {
            let plan = self.processes[at].signal_leftovers(signal, &mut self.dice);
            self.follow(plan);
        }
    }

    pub(super) fn list(&mut self, instance: InstanceId) {
        let after = if self.dice.one_in(4) {
            self.dice.ms(1, 3000)
        } else {
            Duration::ZERO
        };
        self.agenda
            .plan(self.now + after, Happening::Listed { instance });
    }

    /// `--on-change signal`: the child fetches for itself, or reads the env file, which must hold
    /// what the supervisor takes it to work with from now on.
    pub(super) fn reread(&mut self) -> Result<(), String> {
        let running = self.supervisor.as_ref();
        let told = running.and_then(|running| running.law.works_with());
        let found = match self.settings.env_file {
            EnvFile::None => self.settings.watch.read(self.heroku.shown()),
            EnvFile::Kept if self.env_file == told => told.unwrap_or_default(),
            EnvFile::Kept => {
                let held = self.env_file;
                return Err(format!("told of {told:?}, and the env file holds {held:?}"));
            }
        };
        if let Some(process) = self.processes.last_mut() {
            process.values = found;
        }
        Ok(())
    }

    /// Its time stands still, and with it the world; when it is back it has to look around.
    pub(super) fn stop_supervisor(&mut self) {
        let now = self.now;
        self.agenda.plan(now, Happening::Again(Event::Resumed));
    }

    fn follow(&mut self, plan: Plan) {
        if let Some((after, happening)) = plan {
            self.agenda.plan(self.now + after, happening);
        }
    }

    fn process_at(&self, instance: InstanceId) -> Option<usize> {
        self.processes
            .iter()
            .position(|process| process.instance == instance)
    }
}

impl Running {
    /// Whether the core still waits for what this event says.
    pub(super) fn freshness(&self, event: &Event) -> Fresh {
        let fresh = match event {
            Event::Fetched { fetch, .. } => self.fetch == Some(*fetch),
            Event::LoginChecked { login, .. } => self.logins.contains(login),
            Event::Connection { connection, .. } => {
                let watched = self.connection.as_ref();
                watched.is_some_and(|watched| watched.connection == *connection)
            }
            Event::Prepared { .. } | Event::Spawned { .. } | Event::SpawnFailed { .. } => {
                self.law.awaits(event)
            }
            Event::Exited { instance, .. }
            | Event::Said { instance, .. }
            | Event::Stopped { instance }
            | Event::Continued { instance } => self.live.contains(instance),
            Event::TreeEmpty { instance } => self.leaving.contains(instance),
            Event::TreeListed { instance, .. } => self.law.awaits_list(*instance),
            Event::CacheRead { read, .. } => self.law.awaits_look(*read),
            Event::CacheWritten { write, .. } => self.law.awaits_write(*write),
            Event::Signal { .. }
            | Event::Command { .. }
            | Event::Resumed
            | Event::Webhook
            | Event::Wake => true,
        };
        if fresh { Fresh::Fresh } else { Fresh::Stale }
    }

    /// Nothing is heard of it any more.
    pub(super) fn forget(&mut self, instance: InstanceId) {
        self.live.retain(|live| *live != instance);
        self.leaving.retain(|leaving| *leaving != instance);
    }

    /// Notes that an event came that was waited for; some may come again.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Fetched { .. } => self.fetch = None,
            Event::LoginChecked { login, .. } => self.logins.retain(|open| open != login),
            Event::Connection {
                news: ConnectionNews::Lost { .. },
                ..
            } => self.connection = None,
            Event::Connection { .. } => {}
            Event::Prepared { .. } | Event::SpawnFailed { .. } | Event::TreeListed { .. } => {}
            Event::CacheRead { .. } | Event::CacheWritten { .. } => {}
            Event::Spawned { instance, .. } => {
                self.live.push(*instance);
            }
            Event::Exited {
                instance,
                leftovers,
                ..
            } => {
                let left = *leftovers == Leftovers::Some && self.sweeps;
                self.forget(*instance);
                self.leaving.extend(left.then_some(*instance));
            }
            Event::TreeEmpty { instance } => self.forget(*instance),
            Event::Said { .. }
            | Event::Stopped { .. }
            | Event::Continued { .. }
            | Event::Signal { .. }
            | Event::Command { .. }
            | Event::Resumed
            | Event::Webhook
            | Event::Wake => return,
        }
        if self.past.len() == PAST_MAX {
            self.past.remove(0);
        }
        self.past.push(event.clone());
    }
}

/// What the core does; a panic of its own is a breach, too.
pub(super) fn answer_to(
    core: &mut Supervisor,
    now: Time,
    event: Event,
) -> Result<Vec<Action>, String> {
    let step = AssertUnwindSafe(|| core.step(now, event));
    catch_unwind(step).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str);
        let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("the core panicked: {}", said.unwrap_or("?"))
    })
}
