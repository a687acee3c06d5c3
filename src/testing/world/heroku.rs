//! Heroku in the world: the config vars, the stories of their changes, and every way in which the
//! API fails; and the database behind `DATABASE_URL`.

use crate::supervisor::event::{Access, FailureKind, FetchFailure, LoginOutcome, Server};
use crate::supervisor::time::Duration;
use crate::testing::heroku::Fault;
use crate::testing::seen::{Seen, seen};

use super::bounds::REQUEST;
use super::dice::Dice;
use super::values::Raw;

/// What an answer is called that says that the account has nothing left.
const LIMITED: &str = "429";

/// The app's config vars, and how the API is today.
#[derive(Debug)]
pub(super) struct Heroku {
    shown: [Raw; 3],
    /// The newest version of each variable that there ever was, shown or not.
    newest: [u32; 3],
    /// Counts answers that differ; stands for the `ETag`.
    tag: u32,
    /// What a replica that lags behind still says, and under which tag.
    old: ([Raw; 3], u32),
    weather: Weather,
    /// Requests that the account has left, if answers say so.
    left: Option<u32>,
    pub(super) database: Database,
}

/// What a request meets.
#[derive(Clone, Copy, Debug)]
enum Weather {
    Fine,
    /// One request in so many.
    Fault(Fault, u64),
    /// Some answers are old ones; `relabelled`: under the newest tag.
    Replica {
        relabelled: bool,
    },
    /// The program that prints the token fails.
    NoTokenPrinted,
    /// There is no token any more.
    NoToken,
}

/// The server that checks the passwords.
#[derive(Debug)]
pub(super) struct Database {
    /// Older versions are refused.
    accepts_from: u32,
    newest: Newest,
    road: Road,
    /// Who answers.
    pub(super) server: Server,
}

/// What the database thinks of the newest version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Newest {
    Known,
    NotYet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Road {
    Open,
    Closed,
}

/// One thing that happens to the config vars or the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scene {
    /// A new version exists, not shown yet; the database refuses what was before.
    IssueAndReset,
    /// `DATABASE_URL` shows its newest version.
    Show,
    /// Another variable gets a new version.
    OtherVariable,
    /// A new version is shown; the old one works for a while.
    IssueAndShow,
    /// The database refuses everything but the newest version.
    Reset,
    /// The version before the newest is shown again, and good.
    OldAgain,
    /// The variable is gone.
    Gap,
    /// A release that changes nothing that is watched.
    Release,
    /// The database does not know the newest version yet.
    NotKnownYet,
    /// It does now.
    KnownNow,
    /// Nobody reaches the database.
    RoadCloses,
    /// Everybody does.
    RoadOpens,
    /// The server ends a connection, for no reason.
    Kick,
    /// A standby is promoted behind the unchanged URL.
    FailsOver,
    /// Another database system answers behind it.
    Moves,
    /// The server takes no writes any more.
    TakesNoWrites,
    /// It does again.
    TakesWrites,
}

/// What comes back from a request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    Answer { raw: [Raw; 3], tag: u32 },
    NotModified,
    Failed(FetchFailure),
}

impl Heroku {
    pub(super) fn new() -> Self {
        let shown = [Raw::Good(1); 3];
        Self {
            shown,
            newest: [1; 3],
            tag: 1,
            old: (shown, 1),
            weather: Weather::Fine,
            left: Some(4400),
            database: Database {
                accepts_from: 1,
                newest: Newest::Known,
                road: Road::Open,
                server: Server {
                    system: Some(7),
                    timeline: Some(1),
                    access: Access::ReadWrite,
                },
            },
        }
    }

    pub(super) fn shown(&self) -> &[Raw; 3] {
        &self.shown
    }

    /// How a rotation may go: scenes, each so long after the one before.
    pub(super) fn story(dice: &mut Dice) -> Vec<(Duration, Scene)> {
        use Scene::*;
        let now = Duration::ZERO;
        let soon = dice.ms(0, 3000);
        let later = dice.ms(500, 50_000);
        match dice.below(16) {
            0 | 1 => vec![(now, IssueAndShow), (later, Reset)],
            2 | 3 => vec![(now, IssueAndReset), (later, Show)],
            4 => vec![(now, Gap), (later, IssueAndShow)],
            5 => vec![(now, Gap), (later, Show)],
            6 => vec![(now, NotKnownYet), (now, IssueAndShow), (later, KnownNow)],
            7 => vec![(now, IssueAndShow), (soon, OldAgain), (soon, IssueAndShow)],
            8 => vec![
                (now, IssueAndShow),
                (soon, IssueAndShow),
                (soon, Gap),
                (later, IssueAndShow),
            ],
            9 => vec![(now, Release), (soon, OtherVariable)],
            11 => vec![(now, FailsOver)],
            12 => vec![(now, FailsOver), (soon, IssueAndShow)],
            13 => vec![(now, TakesNoWrites), (later, Moves), (now, TakesWrites)],
            14 => vec![(now, TakesNoWrites), (soon, TakesWrites), (soon, Kick)],
            10 => vec![(now, RoadCloses), (soon, IssueAndShow), (later, RoadOpens)],
            _ => (0..8).map(|_| (dice.ms(200, 2500), IssueAndShow)).collect(),
        }
    }

    pub(super) fn play(&mut self, scene: Scene) {
        match scene {
            Scene::IssueAndReset => {
                self.newest[0] += 1;
                self.database.accepts_from = self.newest[0];
            }
            Scene::IssueAndShow => {
                self.newest[0] += 1;
                self.show(0, Raw::Good(self.newest[0]));
            }
            Scene::Show => self.show(0, Raw::Good(self.newest[0])),
            Scene::OtherVariable => {
                let at = 1 + usize::from(self.newest[1].is_multiple_of(2));
                self.newest[at] += 1;
                self.show(at, Raw::Good(self.newest[at]));
            }
            Scene::Reset => self.database.accepts_from = self.newest[0],
            Scene::OldAgain => {
                let old = self.newest[0].saturating_sub(1).max(1);
                self.database.accepts_from = self.database.accepts_from.min(old);
                self.show(0, Raw::Good(old));
            }
            Scene::Gap => self.show(0, Raw::Missing),
            Scene::Release => self.tag += 1,
            Scene::NotKnownYet => self.database.newest = Newest::NotYet,
            Scene::KnownNow => self.database.newest = Newest::Known,
            Scene::RoadCloses => self.database.road = Road::Closed,
            Scene::RoadOpens => self.database.road = Road::Open,
            Scene::Kick => {}
            Scene::FailsOver => {
                let timeline = &mut self.database.server.timeline;
                *timeline = timeline.map(|timeline| timeline + 1);
            }
            Scene::Moves => {
                let system = &mut self.database.server.system;
                *system = system.map(|system| system + 1);
                self.database.server.timeline = Some(1);
            }
            Scene::TakesNoWrites => self.database.server.access = Access::ReadOnly,
            Scene::TakesWrites => self.database.server.access = Access::ReadWrite,
        }
    }

    /// What an answer says of the account.
    pub(super) fn left(&self, reply: &Reply) -> Option<u32> {
        match reply {
            Reply::Answer { .. } | Reply::NotModified => self.left,
            Reply::Failed(failure) => (failure.detail == LIMITED).then_some(0),
        }
    }

    /// The API becomes better or worse.
    pub(super) fn change_weather(&mut self, dice: &mut Dice) {
        self.left = match dice.below(12) {
            0..=6 => Some(4000),
            7 => None,
            _ => Some(dice.pick(&[2240, 2000, 1800, 1799, 1500, 900, 20])),
        };
        self.weather = match dice.below(12) {
            0..=4 => Weather::Fine,
            6 | 7 => Weather::Replica {
                relabelled: dice.one_in(2),
            },
            5 if dice.one_in(3) => Weather::NoTokenPrinted,
            5 if dice.one_in(6) => Weather::NoToken,
            _ => Weather::Fault(dice.pick(&Fault::ALL), dice.pick(&[1, 1, 2, 3])),
        };
    }

    /// Nobody answers, just when it is needed most.
    pub(super) fn goes_away(&mut self) {
        self.weather = Weather::Fault(Fault::Unavailable, 1);
    }

    /// The faults stop: everything that is shown is good, and works.
    pub(super) fn calm_down(&mut self) {
        self.weather = Weather::Fine;
        self.left = Some(4000);
        for at in 0..self.shown.len() {
            if !matches!(self.shown[at], Raw::Good(_)) {
                self.show(at, Raw::Good(self.newest[at]));
            }
        }
        if let Raw::Good(version) = self.shown[0] {
            self.database.accepts_from = version;
        }
        self.database.newest = Newest::Known;
        self.database.road = Road::Open;
        self.database.server.access = Access::ReadWrite;
    }

    /// A request: what comes back, and how long after.
    pub(super) fn ask(&self, unless: Option<u32>, dice: &mut Dice) -> (Duration, Reply) {
        let usual = match dice.below(8) {
            0 => dice.ms(500, 9000),
            1 => dice.ms(1, 20),
            _ => dice.ms(20, 400),
        };
        match self.weather {
            Weather::Fine => (usual, self.truth(unless)),
            Weather::Replica { relabelled } if dice.one_in(2) => {
                let (raw, tag) = self.old;
                let tag = if relabelled { self.tag } else { tag };
                (usual, Reply::Answer { raw, tag })
            }
            Weather::Replica { .. } => (usual, self.truth(unless)),
            Weather::NoTokenPrinted => (usual, failed(FailureKind::TokenCommandFailed, "exit 1")),
            Weather::NoToken => (usual, failed(FailureKind::NoToken, "no token")),
            Weather::Fault(fault, often) if dice.one_in(often) => self.fault(fault, unless, dice),
            Weather::Fault(..) => (usual, self.truth(unless)),
        }
    }

    fn show(&mut self, at: usize, raw: Raw) {
        if self.shown[at] != raw {
            self.old = (self.shown, self.tag);
            self.tag += 1;
            self.shown[at] = raw;
        }
    }

    fn truth(&self, unless: Option<u32>) -> Reply {
        if unless == Some(self.tag) {
            return Reply::NotModified;
        }
        Reply::Answer {
            raw: self.shown,
            tag: self.tag,
        }
    }

    /// Every fault of the simulator's list, as the client sees it.
    fn fault(&self, fault: Fault, unless: Option<u32>, dice: &mut Dice) -> (Duration, Reply) {
        let soon = dice.ms(20, 400);
        let reply = match seen(fault) {
            Seen::Failure(kind) => failed(kind, fault.name()),
            Seen::Limited { stay_away: false } => failed(FailureKind::Unavailable, LIMITED),
            Seen::Limited { stay_away: true } => {
                stay_away(dice.pick(&[1, 2, 7, 30, 60, 299, 300, 301, 86_400]))
            }
            Seen::Variable(unusable) => Reply::Answer {
                raw: [Raw::of(unusable), self.shown[1], self.shown[2]],
                tag: self.tag,
            },
            Seen::NoVariables => Reply::Answer {
                raw: [Raw::Missing; 3],
                tag: self.tag,
            },
            Seen::FalseNotModified if unless.is_some() => Reply::NotModified,
            Seen::FalseNotModified => self.truth(None),
            Seen::Late => return (dice.ms(1000, 9900), self.truth(unless)),
            Seen::Silence => {
                let silence = failed(FailureKind::Unavailable, "no answer within 10 s");
                return (REQUEST, silence);
            }
        };
        (soon, reply)
    }
}

impl Database {
    /// Whether a client with this version is let in.
    pub(super) fn accepts(&self, version: u32, newest: u32) -> bool {
        let known = version < newest || self.newest == Newest::Known;
        version >= self.accepts_from && known
    }
}

impl Heroku {
    /// Whether a client with this version is let in right now.
    pub(super) fn lets_in(&self, version: u32) -> bool {
        self.database.accepts(version, self.newest[0]) && self.database.road == Road::Open
    }

    /// A login: what comes of it, and how long after.
    pub(super) fn log_in(&self, version: u32, dice: &mut Dice) -> (Duration, LoginOutcome) {
        let limit = Duration::from_secs(5);
        let unreachable = |detail: &str| LoginOutcome::Unreachable {
            detail: detail.to_owned(),
        };
        let took = if dice.one_in(10) {
            dice.ms(1000, 4900)
        } else {
            dice.ms(2, 200)
        };
        match (self.database.road, dice.below(12)) {
            (Road::Closed, 0..=5) => (limit, unreachable("no answer within 5 s")),
            (Road::Closed, _) => (took, unreachable("connection refused")),
            (Road::Open, 0) => (took, unreachable("53300 too many connections")),
            (Road::Open, _) if self.database.accepts(version, self.newest[0]) => {
                (took, LoginOutcome::Accepted)
            }
            (Road::Open, _) => {
                let code = dice.pick(&["28P01", "28000", "3D000"]).to_owned();
                (took, LoginOutcome::Refused { code })
            }
        }
    }
}

fn failed(kind: FailureKind, detail: &str) -> Reply {
    Reply::Failed(FetchFailure {
        kind,
        ..FetchFailure::unavailable(detail)
    })
}

fn stay_away(seconds: u64) -> Reply {
    Reply::Failed(FetchFailure {
        retry_after: Some(Duration::from_secs(seconds)),
        ..FetchFailure::unavailable(LIMITED)
    })
}
