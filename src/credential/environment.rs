//! The child's environment, built anew at every start by a pure function of what is known then.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use super::names::is_of_the_place;
use super::{DatabaseUrl, Derived, Family, Secret, Selection, SslMode, Values, expand};

/// The variable that marks every process of an instance's tree, so that leftovers are told from
/// strangers.
pub const INSTANCE_MARK: &str = "CHANGEOVER_INSTANCE";

/// What belongs to the supervisor and is not handed on unless `--keep` names it.
const OWN: [&str; 8] = [
    "HEROKU_API_KEY",
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
    "LISTEN_PIDFDID",
];

/// Everything about the child's environment that does not change between two starts.
#[derive(Clone)]
pub struct EnvironmentSpec {
    /// What the supervisor itself was started with.
    pub base: BTreeMap<OsString, OsString>,
    /// `--clear-env`: of the base, only what `keep` names.
    pub clear: bool,
    /// `--keep NAME`: handed on whatever the other rules say.
    pub keep: Vec<String>,
    /// `--unset NAME`: removed from the base; a watched variable of that name is exported all the
    /// same.
    pub unset: Vec<String>,
    /// What the supervisor itself gives every child (with `--user` `HOME` …). It wins over what is
    /// inherited, unless `keep` names it, and yields to what is fetched.
    pub given: BTreeMap<String, String>,
    /// The names of the sockets that every child gets from descriptor 3 on, none with a `:`. What
    /// is said of them wins over everything: a child that counts others would take the wrong ones.
    /// The process id that goes with them (`LISTEN_PID`) is not known before there is a child.
    pub sockets: Vec<String>,
    /// Which config vars are exported, and as what.
    pub selection: Selection,
    /// `--sslmode`.
    pub sslmode: SslPolicy,
    /// `--scheme`: replaces `postgres` and `postgresql` in exported URLs.
    pub scheme: Option<String>,
    /// `--expand`: what is derived from the URLs, for clients that read none.
    pub expand: Vec<Family>,
}

/// How Heroku's demand for TLS reaches the child's database client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SslPolicy {
    /// The URL stays byte-exact; `PGSSLMODE=require` is exported where nothing names a mode.
    Env,
    /// `sslmode=` is appended to a postgres URL that names none.
    Append(SslMode),
    /// Nothing is added anywhere.
    Keep,
}

impl fmt::Debug for EnvironmentSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.base.keys().collect();
        f.debug_struct("EnvironmentSpec")
            .field("base", &names)
            .field("selection", &self.selection)
            .finish_non_exhaustive()
    }
}

/// A finished environment. `Debug` shows names only.
#[derive(Clone, PartialEq, Eq)]
pub struct Environment(BTreeMap<OsString, Variable>);

#[derive(Clone, PartialEq, Eq)]
enum Variable {
    Inherited(OsString),
    Fetched(Secret),
}

impl Variable {
    fn value(&self) -> &OsStr {
        match self {
            Self::Inherited(value) => value,
            Self::Fetched(secret) => OsStr::new(secret.expose()),
        }
    }
}

impl EnvironmentSpec {
    /// The environment for one start. `mark` names the instance; `exec` and `env` have none.
    #[must_use]
    pub fn build(&self, mark: Option<&str>, values: &Values, others: &Values) -> Environment {
        let mut variables = self.not_derived(values, others);
        for (name, derived) in self.derived(values, others) {
            match derived {
                Derived::Value(value) => {
                    variables.insert(name.into(), Variable::Fetched(value));
                }
                Derived::Absent => {
                    variables.remove(OsStr::new(&name));
                }
            }
        }
        if self.sslmode == SslPolicy::Env && values.values().any(names_no_sslmode) {
            let require = || Variable::Fetched(Secret::from("require"));
            variables.entry("PGSSLMODE".into()).or_insert_with(require);
        }
        if let Some(mark) = mark {
            variables.insert(INSTANCE_MARK.into(), Variable::Inherited(mark.into()));
        }
        if !self.sockets.is_empty() {
            variables.retain(|name, _| !name.to_str().is_some_and(is_of_sockets));
            let (count, names) = (self.sockets.len().to_string(), self.sockets.join(":"));
            let told = [("LISTEN_FDS", count), ("LISTEN_FDNAMES", names)];
            variables
                .extend(told.map(|(name, value)| (name.into(), Variable::Inherited(value.into()))));
        }
        Environment(variables)
    }

    /// The names of the variables that `--expand` takes from the child or gives another value, of
    /// those that it would have without.
    #[must_use]
    pub fn replaced(&self, values: &Values, others: &Values) -> Vec<String> {
        let derived = self.derived(values, others);
        if derived.is_empty() {
            return Vec::new();
        }
        let without = self.not_derived(values, others);
        derived
            .into_iter()
            .filter(|(name, derived)| match without.get(OsStr::new(name)) {
                None => false,
                Some(variable) => match derived {
                    Derived::Value(value) => variable.value() != OsStr::new(value.expose()),
                    Derived::Absent => true,
                },
            })
            .map(|(name, _)| name)
            .collect()
    }

    /// What is inherited, what the supervisor gives, and what was fetched.
    fn not_derived(&self, values: &Values, others: &Values) -> BTreeMap<OsString, Variable> {
        let mut variables: BTreeMap<OsString, Variable> = self
            .base
            .iter()
            .filter(|(name, _)| self.inherits(name))
            .map(|(name, value)| (name.clone(), Variable::Inherited(value.clone())))
            .collect();
        for (name, value) in &self.given {
            if !self.is_kept(name) {
                variables.insert(name.into(), Variable::Inherited(value.into()));
            }
        }
        for (name, value) in others {
            let yields = is_of_the_place(name) && variables.contains_key(OsStr::new(name));
            if !yields {
                variables.insert(name.into(), Variable::Fetched(value.clone()));
            }
        }
        for (name, value) in values {
            let exported = self.selection.export_name(name);
            variables.insert(exported.into(), Variable::Fetched(self.exported(value)));
        }
        variables
    }

    /// What `--expand` derives from what was fetched, without what `--keep` keeps.
    fn derived(&self, values: &Values, others: &Values) -> BTreeMap<String, Derived> {
        let mut fetched = others.clone();
        for (name, value) in values {
            fetched.insert(self.selection.export_name(name).to_owned(), value.clone());
        }
        let mut derived = expand(&self.expand, &fetched, |url| self.login_sslmode(url));
        derived.retain(|name, _| !self.is_kept(name));
        derived
    }

    /// Whether the child has this variable as it was inherited, whatever the other rules say.
    fn is_kept(&self, name: &str) -> bool {
        self.keeps(OsStr::new(name)) && self.base.contains_key(OsStr::new(name))
    }

    /// The mode that the child's client will use for this URL, as far as the environment says.
    #[must_use]
    pub fn login_sslmode(&self, url: &DatabaseUrl) -> Option<SslMode> {
        let inherited = || {
            let name = OsStr::new("PGSSLMODE");
            let value = self.base.get(name).filter(|_| self.inherits(name))?;
            SslMode::from_name(value.to_str()?)
        };
        url.sslmode().or_else(|| match self.sslmode {
            SslPolicy::Env => Some(inherited().unwrap_or(SslMode::Require)),
            SslPolicy::Append(mode) => Some(mode),
            SslPolicy::Keep => inherited(),
        })
    }

    fn inherits(&self, name: &OsStr) -> bool {
        let is_unset = || self.unset.iter().any(|known| name == OsStr::new(known));
        self.keeps(name) || (!self.clear && !is_unset() && !name.to_str().is_some_and(is_own))
    }

    fn keeps(&self, name: &OsStr) -> bool {
        self.keep.iter().any(|known| name == OsStr::new(known))
    }

    fn exported(&self, value: &Secret) -> Secret {
        let Ok(url) = DatabaseUrl::parse(value.expose()) else {
            return value.clone();
        };
        let text = match self.sslmode {
            SslPolicy::Append(mode) => url.with_sslmode(mode),
            SslPolicy::Env | SslPolicy::Keep => value.clone(),
        };
        match &self.scheme {
            Some(scheme) => DatabaseUrl::with_scheme(&text, scheme),
            None => text,
        }
    }
}

impl Environment {
    /// The same with variables that belong to this one instance; they win over everything.
    #[must_use]
    pub fn with(mut self, own: Vec<(&'static str, String)>) -> Self {
        let own = own.into_iter();
        let entries = own.map(|(name, value)| (name.into(), Variable::Inherited(value.into())));
        self.0.extend(entries);
        self
    }

    /// Every variable, sorted by name. The values are secrets: they go to `execve` or to the user
    /// who asked.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let variables = self.0.iter();
        variables.map(|(name, variable)| (name.as_os_str(), variable.value()))
    }

    /// One variable's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.iter()
            .find(|(known, _)| *known == OsStr::new(name))
            .map(|(_, value)| value)
    }

    /// What was fetched or derived, without what was inherited: the part that `changeover env`
    /// prints.
    pub fn fetched(&self) -> impl Iterator<Item = (&str, &Secret)> + Clone {
        self.0.iter().filter_map(|(name, variable)| match variable {
            Variable::Inherited(_) => None,
            Variable::Fetched(secret) => Some((name.to_str()?, secret)),
        })
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Whether a name belongs to the supervisor: kept from the child, or set by the supervisor itself.
#[must_use]
pub fn is_own(name: &str) -> bool {
    OWN.contains(&name) || name.starts_with("CHANGEOVER_")
}

/// Whether a variable speaks of sockets that a program was started with.
fn is_of_sockets(name: &str) -> bool {
    OWN.contains(&name) && name.starts_with("LISTEN_")
}

fn names_no_sslmode(value: &Secret) -> bool {
    DatabaseUrl::parse(value.expose()).is_ok_and(|url| url.parameter("sslmode").is_none())
}

#[cfg(test)]
mod tests;
