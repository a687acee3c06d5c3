//! What a child finds in its environment.

use super::*;
use crate::credential::Reserved;
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
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
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
            databases: Vec::new(),
            all_vars: true,
            reserved: Reserved::KeptOut,
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
fn what_this_machine_says_of_itself_wins_over_other_config_vars() {
    let owned = |(name, value): (&str, &str)| (name.to_owned(), Secret::from(value));
    let others = [("FOO", "new"), ("PORT", "5000"), ("RACK_ENV", "production")].map(owned);
    let inherited = spec(&[("FOO", "old"), ("PORT", "80")]);
    let environment = inherited.build(None, &Values::new(), &Values::from(others));
    let value = |name| environment.get(name).unwrap();
    assert_eq!([value("FOO"), value("PORT")], ["new", "80"]);
    assert_eq!(value("RACK_ENV"), "production");
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
