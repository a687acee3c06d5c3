//! What this life's supervisor was started with.

use std::collections::BTreeMap;

use std::sync::Arc;

use crate::credential::environment::SslPolicy;
use crate::credential::{EnvironmentSpec, Reserved, Selection};
use crate::supervisor::action::Scope;
use crate::supervisor::config::{
    self, Backoff, CheckLogin, Config, ConnectionWatch, CrashPolicy, EnvFile, LeftoverPolicy,
    Mapped, OnChange, OnFailover, Order, Restart, RestartLimit, ServiceManager, SignalMap,
    StopSequence, StopStep, Watching,
};
use crate::supervisor::readiness::Readiness;
use crate::supervisor::signal::Signal;
use crate::supervisor::time::Duration;

use super::Machine;
use super::bounds::{
    BACKOFF_MAX, CONNECTION_PAUSE_MAX, FAILOVERS, GAP_MAX, JITTER, LOGIN, LOGIN_RETRY, MANAGER,
    PACE_MAX, REQUEST, ROLLBACK_MAX, SLACK, SWEEP, UNKILLABLE,
};
use super::dice::Dice;
use super::values::Watch;

/// Names this world's supervisors in their children's environments.
pub(super) const MARK: &str = "world";

/// The longest `--ready delay:` of this world.
const DELAY_MAX: Duration = Duration::from_secs(20);

/// `--cache-max-age`.
const CACHE_AGE_MAX: Duration = Duration::from_secs(86_400);

/// `--all-vars`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Others {
    Dropped,
    Exported,
}

/// `--fallback`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fallback {
    None,
    Inherited,
    Cached,
}

impl Fallback {
    const ODDS: [Self; 5] = [
        Self::None,
        Self::None,
        Self::Inherited,
        Self::Cached,
        Self::Cached,
    ];
}

/// One choice of options.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) watch: Watch,
    others: Others,
    watching: Watching,
    debounce: Duration,
    splay: Duration,
    start_timeout: Duration,
    /// What the supervisors are started with, under the names that are required.
    fallback: Fallback,
    pub(super) on_change: OnChange,
    pub(super) env_file: EnvFile,
    order: Order,
    pub(super) ready: Readiness,
    pub(super) ready_timeout: Duration,
    pub(super) stop: StopSequence,
    pub(super) leftovers: LeftoverPolicy,
    check_login: CheckLogin,
    check_login_timeout: Duration,
    connection: ConnectionWatch,
    crash: CrashPolicy,
    signals: SignalMap,
    manager: ServiceManager,
}

impl Settings {
    /// The usual options more often than others.
    pub(super) fn roll(machine: Machine, dice: &mut Dice) -> Self {
        let seconds = |dice: &mut Dice, of: &[u64]| Duration::from_secs(dice.pick(of));
        let watch = if dice.one_in(2) {
            Watch::Database
        } else {
            dice.pick(&Watch::ALL)
        };
        let watching = match dice.below(12) {
            0 => Watching::Once,
            _ => Watching::Every(seconds(dice, &[2, 10, 60, 60])),
        };
        let stop = stop(dice);
        let crash = crash(dice);
        let (order, ready) = order(dice);
        Self {
            watch,
            others: dice.pick(&[Others::Dropped, Others::Dropped, Others::Exported]),
            watching,
            debounce: seconds(dice, &[0, 1, 1, 5]),
            splay: match machine {
                Machine::SlowDisk => seconds(dice, &[0, 10]),
                Machine::Sound | Machine::Stuck => seconds(dice, &[0, 0, 0, 10]),
            },
            start_timeout: seconds(dice, &[5, 60, 60, 300]),
            fallback: dice.pick(&Fallback::ODDS),
            on_change: match dice.below(8) {
                0 | 1 => OnChange::Signal(Signal(10)),
                2 => OnChange::Exit,
                _ => OnChange::Restart,
            },
            env_file: dice.pick(&[EnvFile::None, EnvFile::Kept]),
            order,
            ready,
            ready_timeout: seconds(dice, &[1, 5, 60]),
            stop,
            leftovers: if dice.one_in(6) {
                LeftoverPolicy::Leave
            } else {
                LeftoverPolicy::Sweep
            },
            check_login: dice.pick(&[
                CheckLogin::Auto,
                CheckLogin::Auto,
                CheckLogin::Always,
                CheckLogin::Never,
            ]),
            check_login_timeout: seconds(dice, &[5, 30, 30]),
            connection: connection(dice),
            signals: signals(crash.restart, dice),
            crash,
            manager: dice.pick(&[ServiceManager::None, ServiceManager::Listening]),
        }
    }

    pub(super) fn selection(&self) -> Selection {
        Selection {
            databases: Vec::new(),
            all_vars: self.others == Others::Exported,
            reserved: Reserved::KeptOut,
            ..self.watch.selection()
        }
    }

    pub(super) fn config(&self) -> Config {
        Config {
            environment: EnvironmentSpec {
                base: BTreeMap::new(),
                clear: false,
                keep: Vec::new(),
                unset: Vec::new(),
                given: BTreeMap::new(),
                sockets: Vec::new(),
                selection: self.selection(),
                sslmode: SslPolicy::Env,
                scheme: None,
                expand: Vec::new(),
            },
            mark: Some(MARK.to_owned()),
            watching: self.watching,
            debounce: self.debounce,
            splay: self.splay,
            start_timeout: self.start_timeout,
            fallback: match self.fallback {
                Fallback::None => config::Fallback::None,
                Fallback::Inherited => {
                    let values = self.watch.inherited();
                    match values.is_empty() {
                        true => config::Fallback::None,
                        false => config::Fallback::Inherited(Arc::new(values)),
                    }
                }
                Fallback::Cached => config::Fallback::Cached {
                    max_age: CACHE_AGE_MAX,
                },
            },
            on_change: self.on_change,
            order: self.order,
            ready: self.ready.clone(),
            ready_timeout: self.ready_timeout,
            env_file: self.env_file,
            stop: self.stop.clone(),
            scope: Scope::Process,
            signals: self.signals.clone(),
            leftovers: self.leftovers,
            check_login: self.check_login,
            check_login_timeout: self.check_login_timeout,
            connection: self.connection,
            crash: self.crash.clone(),
            manager: self.manager,
        }
    }

    /// Whether a supervisor may start without Heroku.
    pub(super) fn falls_back(&self) -> bool {
        self.fallback != Fallback::None
    }

    /// Whether the last good values are kept for that, as long as there are answers.
    pub(super) fn keeps_cache(&self) -> bool {
        self.fallback == Fallback::Cached && !self.is_blind()
    }

    /// Whether TERM is no stop.
    pub(super) fn is_termless(&self) -> bool {
        self.signals.rule(Signal::TERM).is_some()
    }

    /// Whether a change may stay unseen: `--no-watch`.
    pub(super) fn is_blind(&self) -> bool {
        self.watching == Watching::Once
    }

    /// "No change is lost. Whatever the faults, once they end the child runs with the newest
    /// credential, within a bound": the longest pause before a request and the longest request;
    /// ten polls, should a lie hide behind a tag; the debounce, a gap and the splay; then an
    /// interrupt's grace, a start that fails, a stop, and a manager's pause, each at its longest.
    pub(super) fn settles_within(&self) -> Duration {
        let interval = match self.watching {
            Watching::Every(interval) => interval,
            Watching::Once => Duration::ZERO,
        };
        let polls = interval * 10 * JITTER.1 / 10;
        let slowest = PACE_MAX.max(interval) * JITTER.1 / 10;
        let seen = BACKOFF_MAX * JITTER.1 / 10 + polls + slowest + REQUEST * 3;
        let logins = LOGIN_RETRY + self.check_login_timeout + LOGIN * 4;
        let proven = self.debounce + GAP_MAX + logins + self.splay;
        let stopped = self.stop.timeout() * 2 + SWEEP + UNKILLABLE;
        let started = self.crash.backoff.max * 2 + MANAGER * 2 + self.start_timeout * 2;
        let joined = match self.order {
            Order::StopFirst => Duration::ZERO,
            Order::StartFirst => ROLLBACK_MAX + (self.ready_timeout + DELAY_MAX) * 2 + stopped,
        };
        let failed_over = match self.connection {
            ConnectionWatch::Off => Duration::ZERO,
            ConnectionWatch::On(_) => {
                let again = CONNECTION_PAUSE_MAX * JITTER.1 / 10 + REQUEST + FAILOVERS.1;
                again + stopped + started + joined
            }
        };
        seen + proven + stopped + started + joined + failed_over + SLACK
    }
}

/// `--stop-sequence`.
fn stop(dice: &mut Dice) -> StopSequence {
    let seconds = |dice: &mut Dice, of: &[u64]| Duration::from_secs(dice.pick(of));
    let step = |signal, wait| StopStep { signal, wait };
    StopSequence(match dice.below(4) {
        0 => vec![
            step(Signal(12), seconds(dice, &[1, 5])),
            step(Signal::TERM, seconds(dice, &[0, 1, 10])),
        ],
        1 => vec![step(Signal::TERM, seconds(dice, &[0, 1, 3]))],
        _ => vec![step(Signal::TERM, seconds(dice, &[10, 35]))],
    })
}

/// `--watch-connection` and `--on-failover`.
fn connection(dice: &mut Dice) -> ConnectionWatch {
    match dice.below(4) {
        0 => ConnectionWatch::Off,
        1 => ConnectionWatch::On(OnFailover::Ignore),
        _ => ConnectionWatch::On(OnFailover::Restart),
    }
}

/// `--order` and `--ready`: half of all lives start first.
fn order(dice: &mut Dice) -> (Order, Readiness) {
    let delay = Duration::from_secs(dice.pick(&[0, 2, 20]));
    let notify = Readiness::Notify { watchdog: None };
    let watchdog = Some(Duration::from_secs(dice.pick(&[2, 20])));
    match dice.below(9) {
        8 => (
            dice.pick(&[Order::StopFirst, Order::StartFirst]),
            Readiness::Notify { watchdog },
        ),
        0 => (Order::StopFirst, notify),
        1 => (Order::StartFirst, Readiness::Delay(delay)),
        2..=4 => (Order::StartFirst, notify),
        _ => (Order::StopFirst, Readiness::None),
    }
}

/// `--restart` and what belongs to it: half of all lives end with their child.
fn crash(dice: &mut Dice) -> CrashPolicy {
    let seconds = |dice: &mut Dice, of: &[u64]| Duration::from_secs(dice.pick(of));
    let limit = RestartLimit {
        count: dice.pick(&[0, 1, 2, 5]),
        within: seconds(dice, &[10, 60, 600]),
    };
    CrashPolicy {
        restart: dice.pick(&[
            Restart::Never,
            Restart::Never,
            Restart::OnFailure,
            Restart::Always,
        ]),
        success: dice.pick(&[&[][..], &[], &[143]]).to_vec(),
        backoff: Backoff {
            min: seconds(dice, &[1, 1, 5]),
            max: seconds(dice, &[5, 60, 60]),
        },
        limit: dice.one_in(3).then_some(limit),
    }
}

/// `--map-signal`. Where TERM is no stop, the child's end must be one.
fn signals(restart: Restart, dice: &mut Dice) -> SignalMap {
    let mut from = vec![Signal::INT, Signal::QUIT, Signal::HUP, Signal(10)];
    if restart == Restart::Never {
        from.push(Signal::TERM);
    }
    let to = [
        Mapped::Swallowed,
        Mapped::To(Signal::QUIT),
        Mapped::To(Signal::TERM),
        Mapped::To(Signal::KILL),
    ];
    let rule = (dice.pick(&from), dice.pick(&to));
    SignalMap(if dice.one_in(6) {
        vec![rule]
    } else {
        Vec::new()
    })
}
