//! DECIDES: events in, actions out. Two machines side by side, `change` (what the child should run
//! with) and `service` (what runs), fed by `watch` (when to fetch).
//!
//! **Invariant:** [`Supervisor::step`] is the only way state changes, and it reads nothing: no
//! clock, no file, no socket, no environment, no randomness but its own seed. The same events at
//! the same times give the same actions.
//!
//! **Invariant:** [`Supervisor::deadline`] is computed from what the states hold, never stored;
//! after a step it lies in the future.
//!
//! **A deadline binds others, not us.** When the supervisor itself does not run for a while (`kill
//! -STOP`, `docker pause`, a machine under load), children may have kept their promises, and what
//! they said waits to be read. So what has come is handed in before the deadline's own
//! [`Wake`](event::Event::Wake), as of [`Supervisor::moment`]; and a step that comes later than
//! [`OVERSLEPT`] gives every child the time anew that it had to tell of itself.

pub mod action;
mod api;
pub mod budget;
mod change;
pub mod command;
pub mod config;
mod connection;
mod crash;
mod ends;
pub mod event;
mod failover;
mod hold;
pub mod id;
mod inquiry;
mod instance;
mod keeper;
mod launch;
mod logins;
mod lookout;
pub mod notice;
mod obey;
mod orders;
mod overlap;
pub mod overview;
mod phase;
pub mod readiness;
mod report;
mod rng;
mod series;
mod service;
pub mod signal;
mod source;
mod start;
pub mod status;
mod tell;
pub mod time;
mod transition;
mod turn;
mod vigil;
mod watch;

use std::collections::VecDeque;

use action::Action;
use change::{Change, Protect, Verdict};
use config::{Config, EnvFile, Watching};
use connection::{Connection, Outcome};
use ends::Finish;
use event::{ConnectionNews, Event, FetchOutcome};
use hold::Hold;
use id::{ConnectionId, FetchId, InstanceId};
use instance::Instance;
use keeper::Keeper;
use launch::Stage;
use report::Reports;
use rng::Rng;
use service::Service;
use status::Status;
use time::{Duration, Time};
use turn::{Ids, Turn, Want};
use watch::{Answer, Asked, Watch};

/// A step that comes later than this after the deadline is one of a supervisor that did not run.
/// Shorter than any watchdog, so that one that was heard of before the deadline is safe after it.
pub const OVERSLEPT: Duration = Duration::from_millis(100);

/// The core: give it events, do what it says, call it again at its deadline.
#[derive(Debug)]
pub struct Supervisor {
    config: Config,
    ids: Ids,
    rng: Rng,
    watch: Watch,
    change: Change,
    service: Service,
    connection: Connection,
    reports: Reports,
    keeper: Keeper,
    hold: Hold,
}

/// Everything of the supervisor but what a turn lends out.
struct Machines<'a> {
    watch: &'a mut Watch,
    change: &'a mut Change,
    service: &'a mut Service,
    connection: &'a mut Connection,
    reports: &'a mut Reports,
    keeper: &'a mut Keeper,
}

impl Supervisor {
    /// A supervisor at `Time::ZERO`; its first deadline is there too. The seed draws every jitter
    /// of its life.
    #[must_use]
    pub fn new(config: Config, seed: u64) -> Self {
        let service = Service::new(config.start_timeout);
        let (ids, rng) = (Ids::new(), Rng::new(seed));
        Self {
            config,
            ids,
            rng,
            watch: Watch::new(),
            change: Change::new(),
            service,
            connection: Connection::new(),
            reports: Reports::new(),
            keeper: Keeper::new(),
            hold: Hold::Off,
        }
    }

    /// Takes one event, and does everything that is due at `now`. The only way state changes.
    #[must_use = "actions are what the supervisor does"]
    pub fn step(&mut self, now: Time, event: Event) -> Vec<Action> {
        let deadline = self.deadline();
        let overslept = deadline.is_some_and(|deadline| now >= deadline + OVERSLEPT);
        let (mut actions, mut wants) = (Vec::new(), VecDeque::new());
        let mut turn = Turn {
            now,
            config: &self.config,
            hold: &mut self.hold,
            ids: &mut self.ids,
            rng: &mut self.rng,
            actions: &mut actions,
            wants: &mut wants,
        };
        let mut machines = Machines {
            watch: &mut self.watch,
            change: &mut self.change,
            service: &mut self.service,
            connection: &mut self.connection,
            reports: &mut self.reports,
            keeper: &mut self.keeper,
        };
        if overslept {
            machines.service.on_overslept(&turn);
        }
        machines.route(&mut turn, event);
        machines.settle(&mut turn);
        actions
    }

    /// The time of an event that is handed in at `now`. When the deadline has just passed, what is
    /// not its `Wake` was there before it, and is not to be judged by it.
    #[must_use]
    pub fn moment(&self, now: Time) -> Time {
        match self.deadline() {
            Some(deadline) if deadline <= now && now < deadline + OVERSLEPT => {
                deadline.just_before()
            }
            Some(_) | None => now,
        }
    }

    /// When `step` must be called again at the latest, if nothing happens before.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let all = [
            self.watch.deadline(),
            self.change.deadline(),
            self.service.deadline(),
            self.connection.deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// The start whose preparation is still of use, if one is: every other can be dropped, and the
    /// credentials in it. Computed like `deadline`.
    #[must_use]
    pub fn preparation(&self) -> Option<InstanceId> {
        let next = self.service.phase.launching()?;
        match next.stage {
            Stage::Preparing | Stage::Prepared | Stage::Spawning => Some(next.id),
            Stage::Failed => None,
        }
    }

    /// What it is doing right now.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            service: self.service.phase.name(),
            instance: self.service.phase.instance().map(Instance::name),
            beside: self.service.beside().map(Instance::name),
            change: self.change.name(),
            watch: self.watch.name(),
            connection: self.connection.name(),
            fallback: self.change.source.name(),
        }
    }
}

impl Machines<'_> {
    fn route(&mut self, turn: &mut Turn<'_>, event: Event) {
        let service = &mut *self.service;
        match event {
            Event::Fetched {
                fetch,
                outcome,
                left,
            } => self.on_fetched(turn, fetch, outcome, left),
            Event::LoginChecked { login, outcome } => {
                let protect = service.phase.protect();
                if self.change.on_login(turn, login, &outcome, &protect) == Verdict::Adopted {
                    self.adopted(turn);
                }
                self.act_if_unprotected(turn);
                let (desired, trust) = (self.change.desired(), self.change.trust());
                self.service.on_login(turn, login, outcome, desired, trust);
            }
            Event::Prepared { instance } => {
                service.on_prepared(turn, instance);
                self.act_if_unprotected(turn);
            }
            Event::Spawned { instance, pid } => {
                service.on_spawned(turn, instance, pid, self.change.desired());
            }
            Event::SpawnFailed { instance, error } => {
                service.on_spawn_failed(turn, instance, error)
            }
            Event::Exited {
                instance,
                ended,
                leftovers,
            } => {
                let finish = service.on_exited(turn, instance, ended, leftovers);
                self.on_finish(turn, finish);
            }
            Event::TreeEmpty { instance } => service.on_tree_empty(turn, instance),
            Event::TreeListed { instance, alive } => service.on_tree_listed(turn, instance, alive),
            Event::Stopped { instance } => service.on_suspended(instance),
            Event::Continued { instance } => service.on_continued(turn, instance),
            Event::Said { instance, word } => {
                service.on_word(turn, instance, word);
                self.act_if_unprotected(turn);
            }
            Event::Connection { connection, news } => self.on_connection(turn, connection, news),
            Event::CacheRead { read, outcome } => service.on_cache(turn, read, outcome),
            Event::CacheWritten { write, result } => self.keeper.on_written(turn, write, result),
            Event::Signal { signal, origin } => service.on_signal(turn, signal, origin),
            Event::Resumed => turn.want(Want::Fetch),
            Event::Webhook => self.watch.on_webhook(turn),
            Event::Command { reply, verb } => self.on_command(turn, reply, verb),
            Event::Wake => {}
        }
    }

    fn on_finish(&mut self, turn: &mut Turn<'_>, finish: Finish) {
        // Before anything is asked: the answer may be here already.
        let is_free = match finish {
            Finish::Failed | Finish::Again | Finish::Followed => true,
            Finish::Expected | Finish::Final => false,
        };
        if is_free && self.change.act_now(turn) == Verdict::Adopted {
            self.watch.found_change(turn);
        }
        let desired = self.change.desired();
        self.service.decide_end(turn, finish, desired);
    }

    fn on_connection(&mut self, turn: &mut Turn<'_>, id: ConnectionId, news: ConnectionNews) {
        if let ConnectionNews::Server(_) = news {
            self.change.trust_logins();
        }
        let outcome = self.connection.on_news(turn, id, news);
        if let (Outcome::FailedOver, Some(desired)) = (outcome, self.change.desired()) {
            self.service.on_failover(turn, desired);
        }
    }

    fn on_fetched(
        &mut self,
        turn: &mut Turn<'_>,
        fetch: FetchId,
        outcome: FetchOutcome,
        left: Option<u32>,
    ) {
        let (running, desired) = (self.service.phase.running(), self.change.desired());
        self.watch.on_budget(turn, fetch, left);
        let answer = self
            .watch
            .on_fetched(turn, fetch, outcome, running, desired);
        if let Some(answer) = answer {
            self.on_answer(turn, answer);
            self.change.source.remind(turn);
        }
    }

    fn on_answer(&mut self, turn: &mut Turn<'_>, answer: Answer) {
        let snapshot = match answer.result {
            Ok(snapshot) => snapshot,
            Err(failure) => {
                self.change.on_fetch_failed(turn, answer.started_at);
                self.service
                    .on_fetch_failed(turn, answer.started_at, &failure);
                return;
            }
        };
        let protect = self.service.phase.protect();
        match self
            .change
            .on_snapshot(turn, &snapshot, answer.started_at, protect)
        {
            Verdict::Adopted => self.adopted(turn),
            Verdict::Unchanged if self.change.desired().is_none() => {
                self.service.on_unusable(turn, self.change.faults());
            }
            Verdict::Unchanged => self.service.on_answer(turn, answer.started_at),
        }
    }

    /// A change that is being confirmed waits only to protect a child.
    fn act_if_unprotected(&mut self, turn: &mut Turn<'_>) {
        let is_free = match self.service.phase.protect() {
            Protect::Child { .. } => false,
            Protect::Nothing => true,
        };
        if is_free && self.change.act_now(turn) == Verdict::Adopted {
            self.adopted(turn);
        }
    }

    fn adopted(&mut self, turn: &mut Turn<'_>) {
        self.watch.found_change(turn);
        self.take_up(turn);
    }

    fn take_up(&mut self, turn: &mut Turn<'_>) {
        self.watch.has_started();
        if turn.config.watching == Watching::Once {
            self.watch.switch_off(turn);
        }
        if let Some(desired) = self.change.desired() {
            self.service.on_desired(turn, desired);
        }
    }

    /// Does what is due, and what the machines want of each other. Each round moves at least one
    /// deadline into the future, so the bound is never met.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        let now = turn.now;
        let due = |deadline: Option<Time>| deadline.is_some_and(|deadline| deadline <= now);
        for _ in 0..16 {
            self.hush(turn);
            let change = due(self.change.deadline());
            let service = due(self.service.deadline());
            let protect = self.service.phase.protect();
            if change && self.change.on_deadline(turn, &protect) == Verdict::Adopted {
                self.adopted(turn);
            }
            if service {
                self.service.on_instances_due(turn);
                self.act_if_unprotected(turn);
                let (desired, trust) = (self.change.desired(), self.change.trust());
                self.service.on_deadline(turn, desired, trust);
            }
            self.hush(turn);
            if change || service {
                self.act_if_unprotected(turn);
                self.hush(turn);
            }
            // Before the exit, which is the last action of a life.
            let untouched = self.service.phase.untouched();
            self.connection
                .settle(turn, untouched, self.change.newest());
            let waits_until = self.service.deadline();
            self.reports.settle(turn, &self.service.phase, waits_until);
            self.keeper
                .settle(turn, self.watch.latest(), self.change.desired());
            self.satisfy(turn);
            // Last, so that a poll that is due is the request that the others want.
            let watch = due(self.watch.deadline());
            if watch {
                self.watch.on_deadline(turn);
            }
            // What was wanted may have come to something.
            let again = due(self.service.deadline());
            if !(watch || change || service || again) {
                return;
            }
        }
    }

    /// Once nothing will be started any more, no change matters, and nothing need be asked.
    fn hush(&mut self, turn: &mut Turn<'_>) {
        if self.service.phase.is_ending() {
            self.watch.switch_off(turn);
            self.change.forget(turn);
        }
    }

    /// Passes on what one machine wants of another.
    fn satisfy(&mut self, turn: &mut Turn<'_>) {
        while let Some(want) = turn.wants.pop_front() {
            match want {
                Want::Fetch => self.watch.ask(turn),
                Want::FetchForEnd => {
                    if self.watch.ask_for_end(turn) == Asked::NotYet {
                        self.service.on_fetch_spared(turn);
                    }
                }
                Want::FetchOnceMore => self.watch.ask_once_more(turn),
                Want::FetchOften => self.watch.ask_often(turn),
                Want::LookOften => self.watch.look_often(turn),
                Want::FallBack(fallen) => {
                    let latest = self.watch.latest();
                    let others = latest.map(|(snapshot, _)| snapshot.others.clone());
                    if self.change.fall_back(turn, &fallen, others) == Verdict::Adopted {
                        self.take_up(turn);
                    }
                }
                Want::Exit(code) => {
                    if turn.config.env_file == EnvFile::Kept {
                        turn.act(Action::RemoveEnvFile);
                    }
                    turn.act(Action::Exit(code));
                }
            }
        }
    }
}
