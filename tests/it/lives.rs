//! Thousands of random lives of the core: whatever comes in whatever order, a few things always
//! hold.
//!
//! The world here is a handful of dice; it answers what the core asks, late or badly. A failure
//! prints its seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use changeover::credential::{RawValue, Secret};
use changeover::supervisor::Supervisor;
use changeover::supervisor::action::Action;
use changeover::supervisor::event::{
    ETag, Ended, Event, FailureKind, FetchFailure, FetchOutcome, Leftovers, LoginOutcome,
    SpawnError,
};
use changeover::supervisor::id::{FetchId, InstanceId, LoginId};
use changeover::supervisor::notice::Notice;
use changeover::supervisor::signal::{Origin, Signal};
use changeover::supervisor::time::{Duration, Time};

use super::scenarios::{config, selection};

const LIVES: u64 = 3000;
const EVENTS_MAX: usize = 400;

#[test]
fn some_things_hold_in_every_life() {
    for seed in 1..=LIVES {
        World::new(seed).live();
    }
}

struct World {
    seed: u64,
    dice: u64,
    core: Supervisor,
    now: Time,
    fetch: Option<FetchId>,
    logins: Vec<LoginId>,
    prepared: Option<InstanceId>,
    spawning: Option<InstanceId>,
    live: Option<InstanceId>,
    leaving: Option<InstanceId>,
    stopping: bool,
    over: bool,
    value: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let settings = [
            "",
            "debounce=0",
            "splay=3",
            "no-login",
            "no-watch",
            "on-change=exit",
            "no-sweep",
        ];
        let config = config(settings[usize::try_from(seed).unwrap() % settings.len()]);
        Self {
            seed,
            dice: seed,
            core: Supervisor::new(config, seed),
            now: Time::ZERO,
            fetch: None,
            logins: Vec::new(),
            prepared: None,
            spawning: None,
            live: None,
            leaving: None,
            stopping: false,
            over: false,
            value: 1,
        }
    }

    fn live(&mut self) {
        for _ in 0..EVENTS_MAX {
            if self.over {
                return;
            }
            let event = self.next_event();
            self.step(event);
        }
        // The world becomes kind: a stop must end the life.
        self.step(Event::Signal {
            signal: Signal::TERM,
            origin: Origin::Process,
        });
        for _ in 0..50 {
            let Some(event) = self.kind_event() else {
                break;
            };
            self.step(event);
        }
        assert!(
            self.over,
            "seed {}: a stop did not end: {:?}",
            self.seed, self.core
        );
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % sides
    }

    fn step(&mut self, event: Event) {
        if matches!(
            event,
            Event::Signal {
                signal: Signal::TERM,
                ..
            }
        ) {
            self.stopping = true;
        }
        for action in self.core.step(self.now, event) {
            assert!(!self.over, "seed {}: {action:?} after the exit", self.seed);
            self.obey(&action);
        }
        let late = self
            .core
            .deadline()
            .filter(|deadline| *deadline <= self.now);
        assert!(
            late.is_none() || self.over,
            "seed {}: {late:?} is not after {}",
            self.seed,
            self.now
        );
    }

    fn obey(&mut self, action: &Action) {
        let seed = self.seed;
        match action {
            Action::Fetch { fetch, .. } => {
                assert!(self.fetch.is_none(), "seed {seed}: two requests at once");
                self.fetch = Some(*fetch);
            }
            Action::CancelFetch { .. } => self.fetch = None,
            Action::CheckLogin { login, .. } => self.logins.push(*login),
            Action::CancelLogin { login } => self.logins.retain(|open| open != login),
            Action::Prepare { instance, .. } => self.prepared = Some(*instance),
            Action::Spawn { instance } => {
                assert!(self.live.is_none(), "seed {seed}: two children at once");
                assert!(
                    !self.stopping,
                    "seed {seed}: a child was started after the stop began"
                );
                self.spawning = Some(*instance);
            }
            Action::Signal { instance, .. } => {
                assert_eq!(
                    self.live,
                    Some(*instance),
                    "seed {seed}: a signal to nobody"
                );
            }
            // Even KILL did not help: the core gives that tree up, and says so.
            Action::Announce(Notice::SweepFailed { .. }) => {
                (self.live, self.leaving) = (None, None)
            }
            Action::Sweep { .. } | Action::Announce(_) => {}
            Action::Exit(_) => {
                assert!(
                    self.live.is_none() && self.spawning.is_none(),
                    "seed {seed}: an exit from a live child"
                );
                self.over = true;
            }
        }
    }

    /// An event that is possible now, likely or not.
    fn next_event(&mut self) -> Event {
        if let Some(event) = self.start_event() {
            return event;
        }
        let pause = Duration::from_millis(self.roll(4000));
        let later = self.now + pause;
        self.now = match self.core.deadline() {
            Some(deadline) if deadline < later || self.roll(3) == 0 => self.now.max(deadline),
            Some(_) | None => later,
        };
        match self.roll(12) {
            0..=4 => self.answer(),
            5 | 6 => self.login_answer(),
            7 | 8 => self.childs_event(),
            9 => self.signal(),
            10 if self.roll(5) == 0 => Event::Resumed,
            _ => Event::Wake,
        }
    }

    fn start_event(&mut self) -> Option<Event> {
        if let Some(instance) = self.prepared.take() {
            let fails = self.roll(6) == 0;
            let error = SpawnError::NotFound;
            return Some(if fails {
                Event::SpawnFailed { instance, error }
            } else {
                Event::Prepared { instance }
            });
        }
        let instance = self.spawning.take()?;
        if self.roll(8) == 0 {
            let error = SpawnError::Failed {
                detail: "EAGAIN".to_owned(),
            };
            return Some(Event::SpawnFailed { instance, error });
        }
        self.live = Some(instance);
        Some(Event::Spawned {
            instance,
            pid: instance.0,
        })
    }

    fn answer(&mut self) -> Event {
        let Some(fetch) = self.fetch.take() else {
            return Event::Fetched {
                fetch: FetchId(999_999),
                outcome: FetchOutcome::NotModified,
            };
        };
        if self.roll(4) == 0 {
            self.value = self.roll(4);
        }
        let raw = match self.roll(10) {
            0 => None,
            1 => Some(RawValue::Null),
            _ => Some(RawValue::Text(Secret::new(format!(
                "postgres://u:p{}@h/d",
                self.value
            )))),
        };
        let answer = raw.map(|raw| ("DATABASE_URL".to_owned(), raw));
        let failure = |kind| {
            FetchOutcome::Failed(FetchFailure {
                kind,
                ..FetchFailure::unavailable("503")
            })
        };
        let outcome = match self.roll(9) {
            0 => failure(FailureKind::Unavailable),
            1 => failure(FailureKind::TokenRefused),
            2 => FetchOutcome::NotModified,
            _ => FetchOutcome::Snapshot {
                snapshot: Arc::new(selection().snapshot(BTreeMap::from_iter(answer))),
                etag: Some(ETag("tag".into())),
            },
        };
        Event::Fetched { fetch, outcome }
    }

    fn login_answer(&mut self) -> Event {
        let outcome = match self.roll(3) {
            0 => LoginOutcome::Accepted,
            1 => LoginOutcome::Refused {
                code: "28P01".to_owned(),
            },
            _ => LoginOutcome::Unreachable {
                detail: "timeout".to_owned(),
            },
        };
        Event::LoginChecked {
            login: self.logins.pop().unwrap_or(LoginId(0)),
            outcome,
        }
    }

    fn childs_event(&mut self) -> Event {
        if let Some(instance) = self.leaving.take_if(|_| self.dice.is_multiple_of(2)) {
            return Event::TreeEmpty { instance };
        }
        let Some(instance) = self.live else {
            return Event::Wake;
        };
        match self.roll(8) {
            0 => Event::Stopped { instance },
            1 => Event::Continued { instance },
            2..=4 => Event::Wake,
            _ => self.end_child(instance),
        }
    }

    fn end_child(&mut self, instance: InstanceId) -> Event {
        self.live = None;
        let ended = [Ended::Code(0), Ended::Code(1), Ended::Signal(Signal::TERM)]
            [usize::try_from(self.roll(3)).unwrap()];
        let leftovers = if self.roll(3) == 0 {
            Leftovers::Some
        } else {
            Leftovers::None
        };
        self.leaving = (leftovers == Leftovers::Some).then_some(instance);
        Event::Exited {
            instance,
            ended,
            leftovers,
        }
    }

    fn signal(&mut self) -> Event {
        let signals = [
            Signal::HUP,
            Signal::INT,
            Signal::QUIT,
            Signal::TERM,
            Signal::HUP,
            Signal::HUP,
        ];
        let signal = signals[usize::try_from(self.roll(6)).unwrap()];
        let signal = if self.roll(4) == 0 {
            signal
        } else {
            Signal::HUP
        };
        let origins = [Origin::Process, Origin::Terminal, Origin::OwnTree];
        Event::Signal {
            signal,
            origin: origins[usize::try_from(self.roll(3)).unwrap()],
        }
    }

    /// What a kind world does next: it ends what is asked to end, at once.
    fn kind_event(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        if let Some(event) = self.start_event() {
            return Some(event);
        }
        if let Some(instance) = self.live {
            return Some(self.end_child(instance));
        }
        if let Some(instance) = self.leaving.take() {
            return Some(Event::TreeEmpty { instance });
        }
        self.now = self.core.deadline()?.max(self.now);
        Some(Event::Wake)
    }
}
