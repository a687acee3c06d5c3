//! The watched config vars as the world sees them: a version number each, and the text that stands
//! for it.

use std::collections::BTreeMap;

use crate::credential::snapshot::Watched;
use crate::credential::{
    self, Environment, Fault, Following, RawValue, Reserved, Secret, Selection,
};

/// The app's config vars.
pub(super) const NAMES: [&str; 3] = ["DATABASE_URL", "REDIS_URL", "QUEUE_URL"];

/// The version of each variable; `None`: no usable value, or not watched.
pub(super) type Values = [Option<u32>; 3];

/// A variable as Heroku shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    Good(u32),
    Missing,
    Null,
    Empty,
    Number,
    Malformed,
}

impl Raw {
    /// What is judged so.
    pub(super) fn of(fault: Fault) -> Self {
        match fault {
            Fault::Missing => Self::Missing,
            Fault::Null => Self::Null,
            Fault::Empty => Self::Empty,
            Fault::NotText => Self::Number,
            // This world's malformed text would do for both.
            Fault::HasNul | Fault::NotAUrl => Self::Malformed,
        }
    }
}

/// Which variables are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watch {
    /// `DATABASE_URL`.
    Database,
    /// `DATABASE_URL` and `REDIS_URL`.
    Two,
    /// `DATABASE_URL` and `QUEUE_*`.
    Mixed,
    /// `*_URL`.
    Pattern,
}

impl Watch {
    pub(super) const ALL: [Self; 4] = [Self::Database, Self::Two, Self::Mixed, Self::Pattern];

    pub(super) fn selection(self) -> Selection {
        let patterns: &[&str] = match self {
            Self::Database => &["DATABASE_URL"],
            Self::Two => &["DATABASE_URL", "REDIS_URL"],
            Self::Mixed => &["DATABASE_URL", "QUEUE_*"],
            Self::Pattern => &["*_URL"],
        };
        let watched = patterns.iter().map(|pattern| Watched {
            pattern: (*pattern).to_owned(),
            export_as: None,
        });
        Selection {
            watched: watched.collect(),
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
        }
    }

    /// Which variables it matches.
    pub(super) fn matches(self) -> [bool; 3] {
        match self {
            Self::Database => [true, false, false],
            Self::Two => [true, true, false],
            Self::Mixed => [true, false, true],
            Self::Pattern => [true, true, true],
        }
    }

    /// The first version of all that is required.
    pub(super) fn inherited(self) -> credential::Values {
        let snapshot = self
            .selection()
            .snapshot(answer(&[Raw::Good(1); 3], 1), &Following::default());
        let requires = |name: &String| {
            let at = NAMES.iter().position(|known| known == name);
            at.is_some_and(|at| self.requires()[at])
        };
        let watched = snapshot.watched.into_iter();
        let good = watched.filter_map(|(name, value)| Some((name, value.ok()?)));
        good.filter(|(name, _)| requires(name)).collect()
    }

    /// Without which of them no child may be started.
    pub(super) fn requires(self) -> [bool; 3] {
        match self {
            Self::Database | Self::Mixed => [true, false, false],
            Self::Two => [true, true, false],
            Self::Pattern => [false, false, false],
        }
    }

    /// What an answer says of the watched variables.
    pub(super) fn read(self, raw: &[Raw; 3]) -> Values {
        let mut values = [None; 3];
        for (at, matches) in self.matches().into_iter().enumerate() {
            if let (true, Raw::Good(version)) = (matches, raw[at]) {
                values[at] = Some(version);
            }
        }
        values
    }

    /// The versions of what is good.
    pub(super) fn of_values(self, good: &credential::Values) -> Values {
        let mut values = [None; 3];
        for (at, matches) in self.matches().into_iter().enumerate() {
            let value = good.get(NAMES[at]).filter(|_| matches);
            values[at] = value.and_then(|value| version(value.expose()));
        }
        values
    }

    /// What a child finds in its environment.
    pub(super) fn of(self, environment: &Environment) -> Values {
        let mut values = [None; 3];
        for (at, matches) in self.matches().into_iter().enumerate() {
            let text = environment.get(NAMES[at]).and_then(|value| value.to_str());
            values[at] = text.filter(|_| matches).and_then(version);
        }
        values
    }
}

/// A variable that nobody watches, and that is another one in each answer.
pub(super) const OTHER: &str = "RELEASE";

/// The config vars of one answer, as they come off the wire.
pub(super) fn answer(raw: &[Raw; 3], tag: u32) -> BTreeMap<String, RawValue> {
    let release = RawValue::Text(Secret::new(tag.to_string()));
    let mut answer = BTreeMap::from([(OTHER.to_owned(), release)]);
    for (at, name) in NAMES.into_iter().enumerate() {
        let value = match raw[at] {
            Raw::Good(version) => RawValue::Text(Secret::new(text(at, version))),
            Raw::Missing => continue,
            Raw::Null => RawValue::Null,
            Raw::Empty => RawValue::Text(Secret::from("")),
            Raw::Number => RawValue::NotText,
            Raw::Malformed => RawValue::Text(Secret::from("postgres:/oops")),
        };
        answer.insert(name.to_owned(), value);
    }
    answer
}

/// The text of a variable's version. Every fourth of the database is on another host.
pub(super) fn text(at: usize, version: u32) -> String {
    match at {
        0 => format!("postgres://app:p{version}@db{}:5432/app", version / 4),
        1 => format!("redis://:p{version}@cache:6379"),
        _ => format!("amqp://app:p{version}@queue/app"),
    }
}

/// Whether two versions of the database's URL name different hosts.
pub(super) fn lives_elsewhere(old: Option<u32>, new: Option<u32>) -> bool {
    old.zip(new).is_some_and(|(old, new)| old / 4 != new / 4)
}

/// The version that a text stands for.
pub(super) fn version(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once(":p")?;
    rest.split_once('@')?.0.parse().ok()
}
