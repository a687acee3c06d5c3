//! The child's environment, built anew at every start by a pure function of what is known then.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

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
        let without = self.not_derived(values, others);
        self.derived(values, others)
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
        for (name, value) in others.iter().filter(|(name, _)| !is_own(name)) {
            variables.insert(name.into(), Variable::Fetched(value.clone()));
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
mod tests {
    use super::*;
    use crate::credential::snapshot::Watched;

    const URL: &str = "postgres://u:p@h:5432/d";

    fn spec(base: &[(&str, &str)]) -> EnvironmentSpec {
        let owned = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
        let watched = Watched {
            pattern: "DATABASE_URL".to_owned(),
            export_as: None,
        };
        EnvironmentSpec {
            base: base.iter().map(owned).collect(),
            clear: false,
            keep: Vec::new(),
            unset: Vec::new(),
            given: BTreeMap::new(),
            sockets: Vec::new(),
            selection: Selection {
                watched: vec![watched],
                all_vars: false,
            },
            sslmode: SslPolicy::Env,
            scheme: None,
            expand: Vec::new(),
        }
    }

    fn built(spec: &EnvironmentSpec, url: &str) -> Vec<String> {
        let values = Values::from([("DATABASE_URL".to_owned(), Secret::from(url))]);
        let environment = spec.build(None, &values, &Values::new());
        let shown = environment.iter();
        shown
            .map(|(name, value)| format!("{}={}", name.display(), value.display()))
            .collect()
    }

    #[test]
    fn what_is_derived_replaces_what_was_inherited_unless_it_is_kept() {
        let inherited = [
            ("PGHOST", "old"),
            ("PGHOSTADDR", "192.0.2.1"),
            ("PGPORT", "5432"),
            ("PGUSER", "me"),
            ("PGSERVICE", "s"),
        ];
        let spec = EnvironmentSpec {
            expand: vec![Family::Pg],
            keep: vec!["PGUSER".to_owned(), "PGPASSWORD".to_owned()],
            unset: vec!["PGSERVICE".to_owned()],
            scheme: Some("postgresql+asyncpg".to_owned()),
            ..spec(&inherited)
        };
        assert_eq!(
            built(&spec, URL),
            [
                "DATABASE_URL=postgresql+asyncpg://u:p@h:5432/d",
                "PGDATABASE=d",
                "PGHOST=h",
                "PGPASSWORD=p",
                "PGPORT=5432",
                "PGSSLMODE=require",
                "PGUSER=me",
            ]
        );
        let values = Values::from([("DATABASE_URL".to_owned(), Secret::from(URL))]);
        let replaced = spec.replaced(&values, &Values::new());
        assert_eq!(replaced, ["PGHOST", "PGHOSTADDR"]);
    }

    #[test]
    fn what_is_derived_goes_by_the_names_that_the_child_gets() {
        let watched = Watched {
            pattern: "HEROKU_POSTGRESQL_RED_URL".to_owned(),
            export_as: Some("DATABASE_URL".to_owned()),
        };
        let spec = EnvironmentSpec {
            expand: vec![Family::Jdbc],
            selection: Selection {
                watched: vec![watched],
                all_vars: true,
            },
            ..spec(&[])
        };
        let values = Values::from([("HEROKU_POSTGRESQL_RED_URL".to_owned(), Secret::from(URL))]);
        let others = Values::from([("JDBC_DATABASE_URL".to_owned(), Secret::from("jdbc:old"))]);
        let environment = spec.build(None, &values, &others);
        let url = environment.get("JDBC_DATABASE_URL").unwrap();
        assert_eq!(
            url,
            "jdbc:postgresql://h:5432/d?user=u&password=p&sslmode=require"
        );
        assert_eq!(environment.get("HEROKU_POSTGRESQL_RED_JDBC_URL"), None);
        assert_eq!(spec.replaced(&values, &others), ["JDBC_DATABASE_URL"]);
    }

    #[test]
    fn the_fetched_value_wins_over_the_inherited_one_and_tls_is_asked_for_beside_it() {
        let spec = spec(&[("DATABASE_URL", "stale"), ("PATH", "/bin")]);
        let url = format!("DATABASE_URL={URL}");
        assert_eq!(built(&spec, URL), [&url, "PATH=/bin", "PGSSLMODE=require"]);
    }

    #[test]
    fn a_mode_that_anything_names_is_never_overwritten() {
        let with_mode = format!("{URL}?sslmode=verify-full");
        let url = format!("DATABASE_URL={with_mode}");
        assert_eq!(built(&spec(&[]), &with_mode), [url]);
        let inherited = spec(&[("PGSSLMODE", "disable")]);
        let url = format!("DATABASE_URL={URL}");
        assert_eq!(built(&inherited, URL), [&url, "PGSSLMODE=disable"]);
        assert_eq!(built(&spec(&[]), "rediss://h"), ["DATABASE_URL=rediss://h"]);
    }

    #[test]
    fn sslmode_and_scheme_change_the_url_only_when_asked() {
        let mut spec = spec(&[]);
        spec.sslmode = SslPolicy::Append(SslMode::Require);
        spec.scheme = Some("postgresql".to_owned());
        let expected = "DATABASE_URL=postgresql://u:p@h:5432/d?sslmode=require";
        assert_eq!(built(&spec, URL), [expected]);
        spec.sslmode = SslPolicy::Keep;
        spec.scheme = None;
        assert_eq!(built(&spec, URL), [format!("DATABASE_URL={URL}")]);
    }

    #[test]
    fn what_is_the_supervisors_own_is_kept_back_unless_kept() {
        let base = [
            ("CHANGEOVER_APP", "a"),
            ("HEROKU_API_KEY", "t"),
            ("NOTIFY_SOCKET", "/n"),
            ("USER", "me"),
        ];
        let mut spec = spec(&base);
        spec.sslmode = SslPolicy::Keep;
        let url = format!("DATABASE_URL={URL}");
        assert_eq!(built(&spec, URL), [&url, "USER=me"]);
        spec.keep = vec!["HEROKU_API_KEY".to_owned()];
        spec.unset = vec!["USER".to_owned()];
        assert_eq!(built(&spec, URL), [&url, "HEROKU_API_KEY=t"]);
        spec.clear = true;
        spec.keep = vec!["USER".to_owned()];
        assert_eq!(built(&spec, URL), [&url, "USER=me"]);
    }

    #[test]
    fn what_the_supervisor_gives_wins_over_what_is_inherited_and_yields_to_what_is_fetched() {
        let mut spec = spec(&[("HOME", "/root"), ("USER", "root")]);
        let given = [("HOME", "/home/me"), ("USER", "me"), ("DATABASE_URL", "x")];
        spec.given = given
            .map(|(name, value)| (name.into(), value.into()))
            .into();
        spec.sslmode = SslPolicy::Keep;
        spec.keep = vec!["USER".to_owned()];
        let url = format!("DATABASE_URL={URL}");
        assert_eq!(built(&spec, URL), [&url, "HOME=/home/me", "USER=root"]);
        spec.base.clear();
        assert_eq!(built(&spec, URL), [&url, "HOME=/home/me", "USER=me"]);
    }

    #[test]
    fn what_is_said_of_sockets_is_true_whatever_else_is_said() {
        let base = [
            ("LISTEN_FDS", "9"),
            ("LISTEN_PID", "1"),
            ("LISTEN_PIDFDID", "2"),
            ("LISTEN_PORT", "80"),
        ];
        let mut spec = spec(&base);
        spec.sslmode = SslPolicy::Keep;
        let url = format!("DATABASE_URL={URL}");
        assert_eq!(built(&spec, URL), [&url, "LISTEN_PORT=80"]);
        let own = ["LISTEN_FDS", "LISTEN_PID", "LISTEN_PIDFDID"];
        spec.keep = own.map(str::to_owned).into();
        assert_eq!(built(&spec, URL).len(), 5, "there are no sockets");
        spec.sockets = ["web", "unknown"].map(str::to_owned).into();
        let expected = [
            &url,
            "LISTEN_FDNAMES=web:unknown",
            "LISTEN_FDS=2",
            "LISTEN_PORT=80",
        ];
        assert_eq!(built(&spec, URL), expected);
        let fetched = Values::from([("LISTEN_FDS".to_owned(), Secret::from("7"))]);
        let environment = spec.build(None, &fetched, &Values::new());
        assert_eq!(environment.get("LISTEN_FDS"), Some(OsStr::new("2")));
    }

    #[test]
    fn other_config_vars_come_along_but_never_as_our_own() {
        let others = [
            ("FOO", "1"),
            ("HEROKU_API_KEY", "of the app"),
            ("LISTEN_FDS", "1"),
        ];
        let others = others.map(|(name, value)| (name.to_owned(), Secret::from(value)));
        let environment = spec(&[]).build(Some("m.i1"), &Values::new(), &Values::from(others));
        let names: Vec<_> = environment
            .iter()
            .map(|(name, _)| name.to_owned())
            .collect();
        assert_eq!(names, [INSTANCE_MARK, "FOO"]);
    }

    #[test]
    fn the_login_encrypts_as_the_childs_client_will() {
        let mode = |base: &[(&str, &str)], url: &str| {
            spec(base).login_sslmode(&DatabaseUrl::parse(url).unwrap())
        };
        assert_eq!(mode(&[], URL), Some(SslMode::Require));
        assert_eq!(
            mode(&[("PGSSLMODE", "disable")], URL),
            Some(SslMode::Disable)
        );
        let own = format!("{URL}?sslmode=prefer");
        assert_eq!(
            mode(&[("PGSSLMODE", "disable")], &own),
            Some(SslMode::Prefer)
        );
    }

    #[test]
    fn what_belongs_to_one_instance_wins_over_everything() {
        let mut spec = spec(&[("NOTIFY_SOCKET", "/outer"), ("PATH", "/bin")]);
        spec.keep = vec!["NOTIFY_SOCKET".to_owned()];
        let environment = spec.build(Some("m.i1"), &Values::new(), &Values::new());
        let own = environment.with(vec![("NOTIFY_SOCKET", "@own".to_owned())]);
        assert_eq!(own.get("NOTIFY_SOCKET"), Some(OsStr::new("@own")));
        assert_eq!(own.get("PATH"), Some(OsStr::new("/bin")));
    }

    #[test]
    fn debug_shows_names_only() {
        let values = Values::from([("DATABASE_URL".to_owned(), Secret::from(URL))]);
        let environment = spec(&[("A", "CANARY")]).build(None, &values, &Values::new());
        let shown = format!("{environment:?} {:?}", spec(&[("A", "CANARY")]));
        assert!(
            !shown.contains("CANARY") && !shown.contains("u:p"),
            "{shown}"
        );
        assert_eq!(
            format!("{environment:?}"),
            r#"{"A", "DATABASE_URL", "PGSSLMODE"}"#
        );
        assert!(shown.contains(r#"base: ["A"]"#), "{shown}");
    }

    #[test]
    fn what_was_fetched_is_told_from_what_was_inherited() {
        let values = Values::from([("DATABASE_URL".to_owned(), Secret::from(URL))]);
        let environment = spec(&[("A", "1")]).build(None, &values, &Values::new());
        let fetched: Vec<_> = environment
            .fetched()
            .map(|(name, value)| (name, value.expose()))
            .collect();
        assert_eq!(fetched, [("DATABASE_URL", URL), ("PGSSLMODE", "require")]);
    }
}
