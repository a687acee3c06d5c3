//! Each action of the core, held against the account.

use crate::credential::Environment;
use crate::credential::environment::INSTANCE_MARK;
use crate::exit_code::ExitCode;
use crate::supervisor::action::Action;
use crate::supervisor::config::{EnvFile, OnChange};
use crate::supervisor::event::{ETag, Ended};
use crate::supervisor::id::InstanceId;
use crate::supervisor::notice::{Because, Notice};
use crate::supervisor::signal::Signal;
use crate::supervisor::time::{Duration, Time};
use crate::testing::world::settings::MARK;
use crate::testing::world::values::{OTHER, Values};

use super::end::Why;
use super::ledger::Adopts;
use super::{Launch, Law, Planned};

impl Law {
    /// One action, in its order.
    pub(in crate::testing::world) fn act(
        &mut self,
        now: Time,
        action: &Action,
    ) -> Result<(), String> {
        if self.over.is_some() {
            return Err("something is done after the exit".to_owned());
        }
        match action {
            Action::Fetch { fetch, unless } => {
                if self.end.is_some() || self.is_off() {
                    return Err("a request that nobody needs any more".to_owned());
                }
                let tag = unless.as_ref().map(tag_of).transpose()?;
                self.requests.asks(now, *fetch, tag)
            }
            Action::CancelFetch { fetch } => self.requests.cancels(*fetch),
            Action::CheckLogin { login, url, .. } => self.logs_in(now, *login, url.expose()),
            Action::WatchConnection {
                connection, url, ..
            } => self.opens_connection(now, *connection, url.expose()),
            Action::UnwatchConnection { connection } => self.closes_connection(*connection),
            Action::CancelLogin { login } => {
                self.drops_login(now, *login);
                Ok(())
            }
            Action::ProbeReadiness { .. } => Ok(()),
            Action::Prepare {
                instance,
                environment,
            } => self.prepares(now, *instance, environment),
            Action::Spawn { instance } => self.spawns(*instance),
            Action::Signal {
                instance, signal, ..
            } => {
                if self.is_beside(*instance) {
                    self.signals_beside(now, *signal)
                } else {
                    self.signals(now, *instance, *signal)
                }
            }
            Action::Sweep { instance, signal } => self.sweeps_tree(now, *instance, *signal),
            Action::GiveUp { instance } => self.gives_up(now, *instance),
            Action::ListTree { instance } => self.asks_list(now, *instance),
            Action::ReadCache { read } => self.looks_into_cache(now, *read),
            Action::WriteCache { write, good, age } => self.writes_cache(now, *write, good, *age),
            Action::RemoveCache => self.cache.removes(),
            Action::RemoveEnvFile => self.removes_env_file(),
            Action::Report(report) => self.reports(now, *report),
            Action::StopSelf { signal } => self.stops(*signal),
            Action::Reply { reply, answer } => self.replies(now, *reply, *answer),
            Action::Announce(notice) => self.announces(now, notice),
            Action::Exit(code) => self.exits(now, *code),
        }
    }

    /// "Every spawn carries the newest proven revision", from its preparation on.
    fn prepares(
        &mut self,
        now: Time,
        instance: InstanceId,
        environment: &Environment,
    ) -> Result<(), String> {
        let values = self.watch.of(environment);
        self.check_company(instance, environment)?;
        let Some(proven) = self.ledger.proven().filter(|_| self.end.is_none()) else {
            return Err("a child is prepared that must not be started".to_owned());
        };
        if values != proven {
            return Err(format!(
                "{instance} is prepared with {values:?}, not the proven {proven:?}"
            ));
        }
        if let Some(child) = self.healthy()
            && !self.may_prepare(child, proven, now)
        {
            return Err("a healthy child is to be replaced without a change".to_owned());
        }
        self.check_pause(now, proven)?;
        let failures = match self.launch {
            Launch::None => self.failed_before(),
            Launch::Preparing(before) | Launch::Prepared(before) => {
                let same = before.revision == self.ledger.revision();
                if same { before.failures } else { 0 }
            }
            Launch::Spawning(_) => return Err("a preparation while a spawn is out".to_owned()),
            Launch::Failed {
                at,
                failures,
                revision,
                longest,
            } => {
                if revision == self.ledger.revision() {
                    let min = self.config.crash.backoff.min;
                    let pause = min * (1 << failures.saturating_sub(1).min(20));
                    if now < at + pause.min(longest) {
                        return Err(format!("a start is tried again too soon after {at}"));
                    }
                    failures
                } else {
                    0
                }
            }
        };
        self.begin_to_prepare(values);
        self.launch = Launch::Preparing(Planned {
            instance,
            values,
            revision: self.ledger.revision(),
            failures,
            beside: false,
        });
        Ok(())
    }

    /// A child that ended by itself is followed by another on the same revision only when
    /// `--restart` says so, and then.
    fn check_pause(&mut self, now: Time, proven: Values) -> Result<(), String> {
        let again = matches!(self.launch, Launch::None)
            && self
                .child
                .as_ref()
                .is_some_and(|child| !child.lives() && !child.is_told() && child.suits(proven));
        if again {
            return self.crashes.prepares(now);
        }
        self.crashes.drop_pause();
        if self.beside.newcomes_with().is_some() {
            return Err("a third child is prepared".to_owned());
        }
        Ok(())
    }

    /// What comes along with the watched values: the mark by which leftovers are told, and with
    /// `--all-vars` the newest of everything else.
    fn check_company(&self, instance: InstanceId, environment: &Environment) -> Result<(), String> {
        let get = |name: &str| environment.get(name).and_then(|value| value.to_str());
        let mark = format!("{MARK}.{instance}");
        if get(INSTANCE_MARK) != Some(mark.as_str()) {
            return Err(format!("{instance} is prepared without its mark"));
        }
        let borrowed = self.borrowed.as_ref().and_then(|borrowed| borrowed.other);
        let newest = self.requests.latest().map(|(_, tag)| tag).or(borrowed);
        let newest = newest.map(|tag| tag.to_string());
        let exported = self.config.environment.selection.all_vars;
        if get(OTHER) != newest.as_deref().filter(|_| exported) {
            return Err("another variable is not the newest, or not wanted".to_owned());
        }
        Ok(())
    }

    /// One instance at a time, or two; nothing after the stop began.
    fn spawns(&mut self, instance: InstanceId) -> Result<(), String> {
        let Launch::Prepared(mut planned) = self.launch else {
            return Err("a spawn of what is not prepared".to_owned());
        };
        if planned.instance != instance {
            return Err(format!(
                "{} is prepared, {instance} is spawned",
                planned.instance
            ));
        }
        if self.end.is_some() {
            return Err("a child is started after the stop began".to_owned());
        }
        let there = self.child.as_ref().filter(|child| child.gone.is_none());
        planned.beside = there.is_some_and(|child| child.lives() && !child.is_dismissed());
        if there.is_some() && !(planned.beside && self.starts_first()) {
            return Err("two instances at once".to_owned());
        }
        if planned.beside && self.holds() {
            return Err("a second child, while a person holds changes back".to_owned());
        }
        if there.is_some() && self.beside.is_there() {
            return Err("three instances at once".to_owned());
        }
        if self.ledger.proven() != Some(planned.values) {
            return Err("a spawn of an old revision".to_owned());
        }
        self.launch = Launch::Spawning(planned);
        Ok(())
    }

    /// A signal to the leader: forwarded, a step of the stop, or KILL.
    fn signals(&mut self, now: Time, instance: InstanceId, signal: Signal) -> Result<(), String> {
        let (proven, on_change) = (self.ledger.proven(), self.config.on_change);
        let revision = self.ledger.revision();
        if self.may_switch(now) {
            return self.signals_beside(now, signal);
        }
        let may_tell = self.may_tell(now);
        let may_stop = self.may_stop(now);
        let is_ending = self.end.is_some();
        let child = self.child.as_mut().filter(|child| child.id == instance);
        let Some(child) = child.filter(|child| child.lives()) else {
            return Err(format!("{signal} to {instance}, which does not live"));
        };
        if child.takes(signal) {
            return Ok(());
        }
        if signal == Signal::KILL {
            return child.kill(now, &self.config);
        }
        if signal == Signal::ABRT {
            if !is_ending {
                self.adopts = self.ledger.drop_guard();
            }
            return child.aborts(now, &self.config);
        }
        if on_change == OnChange::Signal(signal)
            && child.asked_for.is_none()
            && proven.is_some_and(|proven| !child.suits(proven))
            && !is_ending
        {
            if child.is_starting_up(now) {
                return Err(format!(
                    "{signal} to {instance}, which is still starting up"
                ));
            }
            child.values = proven.unwrap_or_default();
            child.revision = revision;
            child.failed_over = None;
            may_tell?;
            self.launch = Launch::None;
            return Ok(());
        }
        if !child.is_told() {
            may_stop?;
            if !is_ending {
                self.adopts = self.ledger.drop_guard();
            }
        }
        child.stop_step(now, signal, &self.config)
    }

    /// Why a child may be told to stop: the end, or a change whose next child can be started.
    fn may_stop(&self, now: Time) -> Result<(), String> {
        if self.end.is_some() {
            return Ok(());
        }
        if self.starts_first() {
            return Err("a stop before another child serves".to_owned());
        }
        let Launch::Prepared(planned) = self.launch else {
            return Err("a stop before the next child is known to be startable".to_owned());
        };
        let child = self.child.as_ref();
        if child.is_some_and(|child| child.suits(planned.values)) {
            return Err("a stop without a change".to_owned());
        }
        if self.failover_waits(now) {
            return Err("one failover too many is acted on".to_owned());
        }
        if self.holds() {
            return Err("a restart that a person holds back".to_owned());
        }
        if self.is_spared(now) {
            return Err("a restart of a child that a person has just interrupted".to_owned());
        }
        Ok(())
    }

    fn sweeps_tree(
        &mut self,
        now: Time,
        instance: InstanceId,
        signal: Signal,
    ) -> Result<(), String> {
        if !self.sweeps() {
            return Err("a sweep that --sweep none forbids".to_owned());
        }
        let all = self.child.iter_mut().chain(self.beside.child_mut());
        let Some(child) = all.into_iter().find(|child| child.id == instance) else {
            return Err(format!("a sweep of {instance}, which is not there"));
        };
        if signal == Signal::KILL {
            child.kill(now, &self.config)
        } else {
            child.sweep(now)
        }
    }

    fn announces(&mut self, now: Time, notice: &Notice) -> Result<(), String> {
        match notice {
            Notice::Changed { to, .. } => self.changed(now, to.0),
            Notice::Started {
                child, dead_time, ..
            } => self.started(now, child.revision.0, *dead_time),
            Notice::Ended {
                child,
                lived,
                stopping,
                ..
            } => self.ended(now, child.pid, *lived, *stopping),
            Notice::StillAlive { pid, after, .. } => self.tells_list(now, *pid, *after),
            Notice::RolledBack { retry_in, .. } => self.rolls_back(now, *retry_in),
            Notice::AwaitingCredential { .. } => {
                self.inquiry.awaits(now, self.config.start_timeout)?;
                self.dying(now);
                Ok(())
            }
            Notice::NothingFound { ended } => self.finds_nothing(now, *ended),
            Notice::CredentialWorks => self.excuses(now),
            Notice::CredentialNeverCame { timeout } => self.never_comes(now, *timeout),
            Notice::Restarting { pause, why } => self.pauses(now, *pause, *why),
            Notice::RestartLimit { ended, .. } => {
                self.conclude(now, *ended)?;
                self.crashes.gives_up(now, self.is_followed(*ended))?;
                self.begin_end(now, Why::TooMany);
                Ok(())
            }
            Notice::ExitForChange => self.exits_for_change(now),
            Notice::Connection(notice) => self.tells_connection(&notice.fact),
            Notice::FetchFailing { .. }
            | Notice::FetchStillFailing { .. }
            | Notice::FetchRecovered { .. } => self.api.told(notice),
            Notice::Value(notice) => self.unusable.told(now, notice),
            Notice::Hold(notice) => self.tells_hold(now, notice),
            Notice::FailoverWaits { wait, .. } => self.tells_failover(now, *wait),
            Notice::Ready { child, .. } => self.is_ready(now, of_pid(child.pid)),
            Notice::Fallback(notice) => self.tells_fallback(now, notice),
            Notice::Account(notice) => self.requests.account.told(notice),
            Notice::Splay { splay, .. } => self.tells_splay(*splay),
            #[rustfmt::skip] // What nobody can say wrongly.
            Notice::StartFailed { .. } | Notice::StartedBeside { .. }
            | Notice::NotReady { .. } | Notice::Unheard { .. } | Notice::TookOver { .. }
            | Notice::TookOverEarly { .. } | Notice::Superseded { .. }
            | Notice::SignalWaits { .. } | Notice::Settling { .. }
            | Notice::ChildStatus { .. } | Notice::Hung { .. } | Notice::StartGaveUp { .. }
            | Notice::ChangeWithdrawn | Notice::HeldChangeWithdrawn | Notice::HeldChangeGone
            | Notice::ChangeHeld(_) | Notice::ChangeSignalled { .. }
            | Notice::Stopping { .. } | Notice::Killing { .. } | Notice::Sweeping { .. }
            | Notice::SweepFailed { .. } | Notice::WentToBackground { .. } | Notice::KillRequested
            | Notice::Asking { .. } | Notice::FetchSpared | Notice::LoginTried { .. }
            | Notice::Replaced { .. } | Notice::KeptOut { .. } | Notice::Commanded { .. }
            | Notice::SignalDropped { .. } | Notice::StopRequested { .. } => Ok(()),
        }
    }

    fn finds_nothing(&mut self, now: Time, ended: Ended) -> Result<(), String> {
        self.inquiry.finds_nothing(now)?;
        if self.is_followed(ended) {
            return Err("an end is called final that --restart does not".to_owned());
        }
        self.begin_end(now, Why::ChildsOwn);
        Ok(())
    }

    /// The core takes a change: only one that is proven, and each with the next number.
    fn changed(&mut self, now: Time, revision: u32) -> Result<(), String> {
        if self.end.is_some() {
            return Err("a change is taken after the end began".to_owned());
        }
        match std::mem::replace(&mut self.adopts, Adopts::No) {
            Adopts::Now => {}
            Adopts::No => self.ledger.splay_ends()?,
        }
        self.requests.is_made(now);
        self.requests.found_change();
        self.is_herokus(now, Because::Changed);
        self.spares(now);
        let healthy = self.serving();
        let proven = self.ledger.proven();
        let same = healthy.is_some_and(|child| proven.is_some_and(|proven| child.suits(proven)));
        let waits = !same && (self.is_spared(now) || self.holds());
        let prepares = matches!(self.launch, Launch::Preparing(_) | Launch::Prepared(_));
        let spawning = matches!(self.launch, Launch::Spawning(_));
        let dropped = same && self.config.env_file == EnvFile::None;
        if (dropped && !spawning) || (waits && prepares) {
            self.launch = Launch::None;
        }
        if revision == self.ledger.revision() {
            Ok(())
        } else {
            Err(format!(
                "revision {revision}, not {}",
                self.ledger.revision()
            ))
        }
    }

    fn started(&self, now: Time, revision: u32, dead_time: Option<Duration>) -> Result<(), String> {
        let Some(child) = &self.child else {
            return Err("a child is announced that was not spawned".to_owned());
        };
        if child.since != now || child.revision != revision {
            return Err(format!(
                "announced revision {revision}, not {}",
                child.revision
            ));
        }
        let dead = self.last_end.map(|end| now.since(end));
        if dead_time != dead {
            return Err(format!(
                "announced a dead time of {dead_time:?}, not {dead:?}"
            ));
        }
        Ok(())
    }

    fn ended(
        &mut self,
        now: Time,
        pid: u32,
        lived: Duration,
        stopping: Option<Duration>,
    ) -> Result<(), String> {
        let Some(child) = self.child_mut(of_pid(pid)) else {
            return Err("a child ended that was not there".to_owned());
        };
        let told = child.told_at().map(|at| now.since(at));
        if lived != now.since(child.since) || stopping != told {
            return Err(format!(
                "announced a life of {lived:?}, a stop of {stopping:?}, not {told:?}"
            ));
        }
        Ok(())
    }

    fn exits_for_change(&mut self, now: Time) -> Result<(), String> {
        if self.config.on_change != OnChange::Exit || self.suits_proven() {
            return Err("an exit for a change, without one".to_owned());
        }
        if self.child.as_ref().is_some_and(|it| it.asked_for.is_some()) {
            return Err("an exit, where another child was asked for".to_owned());
        }
        if self.holds() {
            return Err("an exit for a change that a person holds back".to_owned());
        }
        if self.is_spared(now) {
            return Err("an exit of a child that a person has just interrupted".to_owned());
        }
        self.begin_end(now, Why::Change);
        Ok(())
    }

    /// "`Exit` only when no instance lives", with the documented code.
    fn exits(&mut self, now: Time, code: ExitCode) -> Result<(), String> {
        if self
            .child
            .as_ref()
            .is_some_and(|child| child.gone.is_none())
        {
            return Err("an exit while a child is there".to_owned());
        }
        if self.beside.is_there() {
            return Err("an exit while a second child is there".to_owned());
        }
        if let Launch::Spawning(_) = self.launch {
            return Err("an exit while a spawn is out".to_owned());
        }
        let Some(end) = &self.end else {
            return Err(format!("an exit with {code:?} that nothing asks for"));
        };
        let allowed = end.allows(code, self.child.as_ref(), |how| {
            self.crashes.is_success(how)
        });
        if !allowed {
            return Err(format!("exit {code:?} after {end:?}, {:?}", self.child));
        }
        self.over = Some(now);
        Ok(())
    }
}

/// The world's pids are its instances' numbers, and 100.
pub(super) fn of_pid(pid: u32) -> InstanceId {
    InstanceId(pid.saturating_sub(100))
}

fn tag_of(tag: &ETag) -> Result<u32, String> {
    tag.0
        .parse()
        .map_err(|_| "a tag that no answer had".to_owned())
}
