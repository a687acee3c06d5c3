//! One answer of the config-vars endpoint, reduced to what is watched: each variable good, or bad
//! in a named way.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use super::environment::is_own;
use super::names::{is_of_the_place, is_possible, is_reserved};
use super::{DatabaseUrl, Followed, Following, RawValues, Secret};

/// The good values of the watched config vars, by config var name.
pub type Values = BTreeMap<String, Secret>;

/// Which config vars are watched, and under which names the child gets them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// In the order given by the user.
    pub watched: Vec<Watched>,
    /// Databases that are watched wherever they are attached. Together with `watched` at least one.
    pub databases: Vec<Followed>,
    /// Every other config var is exported too; those never cause a restart.
    pub all_vars: bool,
    /// What becomes of names that would break the program.
    pub reserved: Reserved,
}

/// What becomes of config vars that nobody named, and that would break the program (`PATH`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// They are kept from it, and told.
    KeptOut,
    /// `--allow-reserved`: it gets them.
    HandedOn,
}

/// One `--var NAME[=AS]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// A config var's name, or a pattern in which `*` stands for any characters.
    pub pattern: String,
    /// The name in the child's environment, when it is another one. Never with a pattern.
    pub export_as: Option<String>,
}

/// A config var as Heroku sent it, before it is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RawValue {
    /// A JSON string.
    Text(Secret),
    /// A JSON null.
    Null,
    /// A number, a list, an object, a boolean: the schema knows none of them.
    NotText,
}

/// Why a watched variable has no usable value. A fault is never a change: the last good value
/// stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The app has no such config var (a promotion detaches `DATABASE` for a moment).
    Missing,
    /// JSON null.
    Null,
    /// The empty string.
    Empty,
    /// Not a JSON string.
    NotText,
    /// It holds a NUL byte, which no environment can.
    HasNul,
    /// It claims to be a postgres URL, or its name does, and no client could use it.
    NotAUrl,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing",
            Self::Null => "null",
            Self::Empty => "empty",
            Self::NotText => "not a string",
            Self::HasNul => "unusable (it holds a NUL byte)",
            Self::NotAUrl => "not a URL",
        })
    }
}

/// The watched part of one config-vars answer. One GET is one atomic snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Every variable watched by name, and every one that a pattern matched.
    pub watched: BTreeMap<String, Result<Secret, Fault>>,
    /// The rest, with `--all-vars`; else empty.
    pub others: Values,
    /// What a pattern or `--all-vars` would have exported, by names that are reserved.
    pub kept_out: Vec<String>,
}

/// The last good values that Heroku gave: what there is to start on without it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastGood {
    /// The watched ones.
    pub watched: Values,
    /// The rest, with `--all-vars`.
    pub others: Values,
}

impl Snapshot {
    /// Whether it has all that is required, and nothing good that differs from these values.
    #[must_use]
    pub fn says(&self, selection: &Selection, values: &Values) -> bool {
        let has = |name: &str| matches!(self.watched.get(name), Some(Ok(_)));
        let mut good = self.watched.iter().filter(|(_, value)| value.is_ok());
        let is_empty = good.clone().next().is_none();
        let is_theirs = good.all(|(name, value)| value.as_ref().ok() == values.get(name));
        !is_empty && is_theirs && selection.required().all(has)
    }

    /// What is good in it.
    #[must_use]
    pub fn good(&self) -> LastGood {
        let good = self.watched.iter();
        let good = good.filter_map(|(name, value)| Some((name.clone(), value.clone().ok()?)));
        LastGood {
            watched: good.collect(),
            others: self.others.clone(),
        }
    }
}

impl Selection {
    /// Judges one answer, with the databases where they were last found. What is not watched is
    /// dropped here, at once.
    #[must_use]
    pub fn snapshot(&self, answer: RawValues, following: &Following) -> Snapshot {
        let mut watched: BTreeMap<_, _> = self
            .required()
            .map(|name| (name.to_owned(), Err(Fault::Missing)))
            .collect();
        for Followed { name, .. } in &self.databases {
            if let Some(config_var) = following.config_var(name)
                && let Some(raw) = answer.get(config_var)
            {
                watched.insert(name.clone(), judge(config_var, raw.clone()));
            }
        }
        let (mut others, mut kept_out) = (Values::new(), Vec::new());
        for (name, raw) in answer {
            if !self.names(&name) && self.keeps_out(&name) {
                if self.all_vars || self.watches(&name) {
                    kept_out.push(name);
                }
            } else if self.watches(&name) {
                let judged = judge(&name, raw);
                watched.insert(name, judged);
            } else if self.all_vars
                && let Ok(value) = judge("", raw)
            {
                others.insert(name, value);
            }
        }
        Snapshot {
            watched,
            others,
            kept_out,
        }
    }

    /// What an environment holds of what is required, under the names that the child would find.
    ///
    /// # Errors
    /// The name of one that it does not hold, or that is not usable.
    pub fn inherited(&self, base: &BTreeMap<OsString, OsString>) -> Result<Values, String> {
        let mut values = Values::new();
        for name in self.required() {
            let exported = self.export_name(name);
            let value = base.get(OsStr::new(exported)).and_then(|it| it.to_str());
            let raw = value.map(|value| RawValue::Text(Secret::from(value)));
            match raw.map(|raw| judge(exported, raw)) {
                Some(Ok(value)) => values.insert(name.to_owned(), value),
                Some(Err(_)) | None => return Err(exported.to_owned()),
            };
        }
        match values.is_empty() {
            true => Err("config var that --var names".to_owned()),
            false => Ok(values),
        }
    }

    /// The names without which no child is started: those watched by name. A pattern requires
    /// nothing.
    pub fn required(&self) -> impl Iterator<Item = &str> {
        let watched = self.watched.iter().map(|watched| watched.pattern.as_str());
        let databases = self.databases.iter().map(|database| database.name.as_str());
        watched
            .filter(|pattern| !pattern.contains('*'))
            .chain(databases)
    }

    /// The name under which the child gets a watched config var.
    #[must_use]
    pub fn export_name<'a>(&'a self, name: &'a str) -> &'a str {
        let mut databases = self.databases.iter();
        if let Some(database) = databases.find(|database| database.name == name) {
            return &database.export_as;
        }
        self.watched
            .iter()
            .find(|watched| watched.pattern == name)
            .and_then(|watched| watched.export_as.as_deref())
            .unwrap_or(name)
    }

    /// Whether it is watched by its very name.
    pub(super) fn names(&self, name: &str) -> bool {
        let mut watched = self.watched.iter().map(|watched| &watched.pattern);
        let mut databases = self.databases.iter().map(|database| &database.name);
        watched.any(|known| known == name) || databases.any(|known| known == name)
    }

    fn keeps_out(&self, name: &str) -> bool {
        let is_reserved = match self.reserved {
            Reserved::KeptOut => is_reserved(name),
            Reserved::HandedOn => false,
        };
        is_reserved || is_own(name) || !is_possible(name)
    }

    /// What a pattern matches yields to what is exported under that name, or followed under it. It
    /// does not match what a machine says of itself: a change of that would be none for the child.
    fn watches(&self, name: &str) -> bool {
        let is_taken = || {
            let mut databases = self.databases.iter();
            databases.any(|database| database.name == name || database.export_as == name)
        };
        let mut patterns = self.watched.iter().map(|watched| watched.pattern.as_str());
        patterns.any(|pattern| {
            let matches = || pattern.contains('*') && glob(pattern, name);
            pattern == name || (matches() && !is_taken() && !is_of_the_place(name))
        })
    }
}

/// A value is good when it is a string that an environment can hold, and a URL where its name
/// promises one.
fn judge(name: &str, raw: RawValue) -> Result<Secret, Fault> {
    let value = match raw {
        RawValue::Text(value) => value,
        RawValue::Null => return Err(Fault::Null),
        RawValue::NotText => return Err(Fault::NotText),
    };
    let text = value.expose();
    if text.trim().is_empty() {
        Err(Fault::Empty)
    } else if text.contains('\0') {
        Err(Fault::HasNul)
    } else if !is_plausible(name, text) {
        Err(Fault::NotAUrl)
    } else {
        Ok(value)
    }
}

/// A postgres URL must be one that clients can use, and Heroku Postgres's own variables some URL at
/// all. Nothing more is asked of anything: Kafka's lists of brokers and a bare host in `BASE_URL`
/// are good values too.
fn is_plausible(name: &str, text: &str) -> bool {
    if DatabaseUrl::is_postgres(text) {
        return DatabaseUrl::parse(text).is_ok();
    }
    text.contains("://") || !is_herokus_database(name)
}

/// `DATABASE_URL`, `HEROKU_POSTGRESQL_AMBER_URL`, `DATABASE_CONNECTION_POOL_URL`.
fn is_herokus_database(name: &str) -> bool {
    name == "DATABASE_URL"
        || name.ends_with("_CONNECTION_POOL_URL")
        || (name.starts_with("HEROKU_POSTGRESQL_") && name.ends_with("_URL"))
}

/// `*` stands for any characters, everything else for itself.
fn glob(pattern: &str, name: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(head) else {
        return false;
    };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let tail = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(patterns: &[&str]) -> Selection {
        let watched = patterns
            .iter()
            .map(|pattern| Watched {
                pattern: (*pattern).to_owned(),
                export_as: None,
            })
            .collect();
        Selection {
            watched,
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
        }
    }

    fn snapshot(selection: &Selection, answer: RawValues) -> Snapshot {
        selection.snapshot(answer, &Following::default())
    }

    fn text(value: &str) -> RawValue {
        RawValue::Text(Secret::from(value))
    }

    fn judged(value: RawValue) -> Result<Secret, Fault> {
        let answer = BTreeMap::from([("DATABASE_URL".to_owned(), value)]);
        snapshot(&selection(&["DATABASE_URL"]), answer).watched["DATABASE_URL"].clone()
    }

    #[test]
    fn each_bad_value_has_its_name() {
        assert_eq!(judged(RawValue::Null), Err(Fault::Null));
        assert_eq!(judged(RawValue::NotText), Err(Fault::NotText));
        assert_eq!(judged(text("")), Err(Fault::Empty));
        assert_eq!(judged(text("  \n")), Err(Fault::Empty));
        assert_eq!(judged(text("postgres://u:p@h/d\0")), Err(Fault::HasNul));
        assert_eq!(judged(text("postgres//u:p@h/d")), Err(Fault::NotAUrl));
        assert_eq!(judged(text("postgres://")), Err(Fault::NotAUrl));
        assert!(judged(text("postgres://u:p@h:5432/d")).is_ok());
        assert!(judged(text("mysql://:p@h:3306/d")).is_ok());
    }

    #[test]
    fn what_would_break_a_program_is_kept_out_unless_it_is_named() {
        let all = ["A", "A=B", "CHANGEOVER_APP", "LD_PRELOAD", "PATH", "PORT"];
        let answer = || RawValues::from(all.map(|name| (name.to_owned(), text("x"))));
        let read = |selection: &Selection| {
            let snapshot = snapshot(selection, answer());
            let watched: Vec<String> = snapshot.watched.into_keys().collect();
            let others: Vec<String> = snapshot.others.into_keys().collect();
            (
                watched.join(" "),
                others.join(" "),
                snapshot.kept_out.join(" "),
            )
        };
        let told = |watched: &str, others: &str, kept_out: &str| {
            (watched.to_owned(), others.to_owned(), kept_out.to_owned())
        };
        let globbed = selection(&["*"]);
        let kept = "A=B CHANGEOVER_APP LD_PRELOAD PATH";
        assert_eq!(read(&globbed), told("A", "", kept));
        let mut named = selection(&["PATH"]);
        assert_eq!(read(&named), told("PATH", "", ""));
        named.all_vars = true;
        let kept = "A=B CHANGEOVER_APP LD_PRELOAD";
        assert_eq!(read(&named), told("PATH", "A PORT", kept));
        named.reserved = Reserved::HandedOn;
        let handed = "A LD_PRELOAD PORT";
        assert_eq!(read(&named), told("PATH", handed, "A=B CHANGEOVER_APP"));
    }

    #[test]
    fn herokus_own_names_promise_a_url() {
        for (name, promises) in [
            ("DATABASE_URL", true),
            ("DATABASE_CONNECTION_POOL_URL", true),
            ("HEROKU_POSTGRESQL_AMBER_URL", true),
            ("HEROKU_POSTGRESQL_AMBER_NAME", false),
            ("SOME_URL", false),
        ] {
            let answer = BTreeMap::from([(name.to_owned(), text("not one"))]);
            let judged = snapshot(&selection(&["*"]), answer).watched[name].clone();
            assert_eq!(judged.is_err(), promises, "{name}");
        }
    }

    #[test]
    fn what_other_add_ons_call_a_url_is_theirs_to_say() {
        for value in [
            "kafka+ssl://h1:9096,kafka+ssl://h2:9096",
            "mongodb://u:p@h1:27017,h2:27017/d?replicaSet=r",
            "example.com",
            "rediss://:p@h:6379",
        ] {
            let answer = BTreeMap::from([("THEIR_URL".to_owned(), text(value))]);
            let judged = snapshot(&selection(&["*"]), answer).watched["THEIR_URL"].clone();
            assert_eq!(judged, Ok(Secret::from(value)));
        }
    }

    #[test]
    fn a_variable_watched_by_name_is_there_even_when_the_answer_lacks_it() {
        let snapshot = snapshot(&selection(&["DATABASE_URL", "REDIS_*"]), BTreeMap::new());
        assert_eq!(
            snapshot.watched,
            BTreeMap::from([("DATABASE_URL".to_owned(), Err(Fault::Missing))])
        );
    }

    #[test]
    fn what_is_not_watched_is_dropped_unless_asked_for() {
        let answer = BTreeMap::from([
            ("DATABASE_URL".to_owned(), text("postgres://h/d")),
            ("FOO".to_owned(), text("1")),
        ]);
        let mut selection = selection(&["DATABASE_URL"]);
        assert!(snapshot(&selection, answer.clone()).others.is_empty());
        selection.all_vars = true;
        assert_eq!(snapshot(&selection, answer).others["FOO"].expose(), "1");
    }

    #[test]
    fn a_variable_is_exported_under_its_own_name_unless_it_was_given_another() {
        let mut selection = selection(&["DATABASE_URL", "REDIS_URL", "QUEUE_*"]);
        selection.watched[1].export_as = Some("CACHE_URL".to_owned());
        for (name, exported) in [
            ("DATABASE_URL", "DATABASE_URL"),
            ("REDIS_URL", "CACHE_URL"),
            ("QUEUE_URL", "QUEUE_URL"),
        ] {
            assert_eq!(selection.export_name(name), exported);
        }
    }

    #[test]
    fn patterns() {
        for (pattern, name, expected) in [
            ("*", "ANY", true),
            (
                "HEROKU_POSTGRESQL_*_URL",
                "HEROKU_POSTGRESQL_AMBER_URL",
                true,
            ),
            ("HEROKU_POSTGRESQL_*_URL", "HEROKU_POSTGRESQL_AMBER", false),
            ("HEROKU_POSTGRESQL_*_URL", "HEROKU_POSTGRESQL_URL", false),
            ("*_URL", "DATABASE_URL", true),
            ("A*B*C", "AxxBxxC", true),
            ("A*B*C", "AxxCxxB", false),
            ("A*A", "A", false),
            ("A*BC*BD", "ABCBD", true),
            ("A*BC*BD", "ABCD", false),
            ("A*BCD*D", "AxBCDD", true),
            ("*B*B", "AB", false),
            ("NAME", "NAMES", false),
        ] {
            assert_eq!(glob(pattern, name), expected, "{pattern} {name}");
        }
    }
}
