//! Variables derived from database URLs, for clients that read no URL: libpq's `PG*`, JDBC's and
//! Spring's. They are derived anew at every start, so that none outlives the credential it was
//! made of.
//!
//! The names and the shapes of `JDBC_*` and `SPRING_*` are those of Heroku's own JVM buildpack
//! (heroku/buildpacks-jvm, `heroku_database_env_var_rewrite.rs`), which computes them when a dyno
//! boots: outside Heroku nobody does. Three things differ, each where the buildpack's own way would
//! break a program that runs elsewhere:
//!
//! - A user or password with a percent escape is decoded before it is encoded for JDBC; the
//!   buildpack encodes the escape once more, and the server would refuse that password.
//! - `sslmode` is the mode that the other clients get (`--sslmode`, `PGSSLMODE`), and a URL that
//!   names one already gets no second.
//! - An inherited `SPRING_DATASOURCE_*` is replaced. The buildpack leaves one alone because on
//!   Heroku it is a config var; a fetched one is left alone here too, an inherited one is what the
//!   last deployment left behind.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::{DatabaseUrl, Secret, SslMode, Values};

/// A family of derived variables (`--expand`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// `PGHOST PGPORT PGUSER PGPASSWORD PGDATABASE PGSSLMODE`, from `DATABASE_URL`.
    Pg,
    /// `JDBC_DATABASE_*`, `DATABASE_CONNECTION_POOL_JDBC_*` and `HEROKU_POSTGRESQL_*_JDBC_*`.
    Jdbc,
    /// `SPRING_DATASOURCE_*`, from `DATABASE_URL`.
    Spring,
}

/// What a derivation says of one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Derived {
    /// It has this value.
    Value(Secret),
    /// The child must not have it: it would speak of another database than the rest.
    Absent,
}

/// Variables by name.
pub type Expansion = BTreeMap<String, Derived>;

/// libpq's own variables that would win over what is derived, or be mixed with it.
const RIVALS: [&str; 3] = ["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE"];

/// The port where a URL names none.
const PORT: &str = "5432";

/// The databases of other add-ons that the buildpack takes where there is no `DATABASE_URL`; the
/// last one wins.
const OTHERS: [&str; 3] = ["JAWSDB_URL", "JAWSDB_MARIA_URL", "CLEARDB_DATABASE_URL"];

/// What `URLDecoder`, with which JDBC's drivers read a parameter, gives back as it was.
const PARAMETER: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// Derives the families' variables. `fetched` has the watched and the other config vars by the
/// names under which the child gets them, and as Heroku spells their values; `mode` is the
/// encryption for a URL that names none.
#[must_use]
pub fn expand(
    families: &[Family],
    fetched: &Values,
    mode: impl Fn(&DatabaseUrl) -> Option<SslMode>,
) -> Expansion {
    let mut expansion = Expansion::new();
    for family in families {
        expansion.extend(match family {
            Family::Pg => pg(fetched, &mode),
            Family::Jdbc => jdbc(fetched, &mode),
            Family::Spring => spring(fetched, &mode),
        });
    }
    expansion
}

fn pg(fetched: &Values, mode: &impl Fn(&DatabaseUrl) -> Option<SslMode>) -> Expansion {
    let Some(url) = fetched.get("DATABASE_URL") else {
        return Expansion::new();
    };
    let Ok(url) = DatabaseUrl::parse(url.expose()) else {
        return Expansion::new();
    };
    let said = url.settings();
    let port = said.port.unwrap_or_else(|| PORT.to_owned());
    let mode = mode(&url).map(|mode| mode.name().to_owned());
    let parts = [
        ("PGHOST", said.host),
        ("PGPORT", Some(port)),
        ("PGUSER", said.user),
        ("PGDATABASE", said.database),
        ("PGSSLMODE", mode),
    ];
    let parts = parts.map(|(name, value)| (name, value.map(Secret::new)));
    let rivals = RIVALS.map(|name| (name, None));
    let password = ("PGPASSWORD", said.password);
    let all = parts.into_iter().chain(rivals).chain([password]);
    all.map(|(name, value)| {
        let derived = value.map_or(Derived::Absent, Derived::Value);
        (name.to_owned(), derived)
    })
    .collect()
}

fn jdbc(fetched: &Values, mode: &impl Fn(&DatabaseUrl) -> Option<SslMode>) -> Expansion {
    let mut expansion = Expansion::new();
    let mut derive = |name: &str, prefix: &str| {
        if let Some(value) = fetched.get(name) {
            expansion.extend(triple(value, prefix, mode));
        }
    };
    if fetched.contains_key("DATABASE_URL") {
        derive("DATABASE_URL", "JDBC_DATABASE");
        // With a pool, the pool is what a program should use. Without DATABASE_URL it counts for
        // nothing: so the buildpack has it, for history's sake.
        derive("DATABASE_CONNECTION_POOL_URL", "JDBC_DATABASE");
        derive(
            "DATABASE_CONNECTION_POOL_URL",
            "DATABASE_CONNECTION_POOL_JDBC",
        );
    } else {
        for name in OTHERS {
            derive(name, "JDBC_DATABASE");
        }
    }
    for name in fetched.keys() {
        if let Some(stem) = name.strip_suffix("_URL")
            && stem.starts_with("HEROKU_POSTGRESQL_")
        {
            derive(name, &format!("{stem}_JDBC"));
        }
    }
    expansion
}

fn spring(fetched: &Values, mode: &impl Fn(&DatabaseUrl) -> Option<SslMode>) -> Expansion {
    let says_no = fetched
        .get("DISABLE_SPRING_DATASOURCE_URL")
        .is_some_and(|value| value.expose() == "true");
    let is_set = ["URL", "USERNAME", "PASSWORD"]
        .iter()
        .any(|part| fetched.contains_key(&format!("SPRING_DATASOURCE_{part}")));
    match fetched.get("DATABASE_URL") {
        Some(value) if !says_no && !is_set => triple(value, "SPRING_DATASOURCE", mode),
        Some(_) | None => Expansion::new(),
    }
}

/// `PREFIX_URL`, `PREFIX_USERNAME` and `PREFIX_PASSWORD`; nothing for a URL without a user and a
/// password, as the buildpack has it, nor for one whose host no JDBC URL can name.
fn triple(
    value: &Secret,
    prefix: &str,
    mode: &impl Fn(&DatabaseUrl) -> Option<SslMode>,
) -> Expansion {
    let Some(Jdbc {
        url,
        user,
        password,
    }) = Jdbc::of(value, mode)
    else {
        return Expansion::new();
    };
    let parts = [("URL", url), ("USERNAME", user), ("PASSWORD", password)];
    parts
        .map(|(part, value)| (format!("{prefix}_{part}"), Derived::Value(value)))
        .into()
}

/// What JDBC needs to know of a URL.
struct Jdbc {
    url: Secret,
    user: Secret,
    password: Secret,
}

impl Jdbc {
    fn of(value: &Secret, mode: &impl Fn(&DatabaseUrl) -> Option<SslMode>) -> Option<Self> {
        if DatabaseUrl::is_postgres(value.expose()) {
            Self::of_postgres(&DatabaseUrl::parse(value.expose()).ok()?, mode)
        } else {
            Self::of_another(value.expose())
        }
    }

    fn of_postgres(
        url: &DatabaseUrl,
        mode: &impl Fn(&DatabaseUrl) -> Option<SslMode>,
    ) -> Option<Self> {
        let said = url.settings();
        let (user, password) = (Secret::new(said.user?), said.password?);
        if url.hosts().is_empty() {
            return None;
        }
        let base = format!("jdbc:postgresql://{}/{}", url.hosts(), url.database());
        let mode = mode(url).filter(|_| url.parameter("sslmode").is_none());
        let sslmode = mode.map_or(String::new(), |mode| format!("&sslmode={}", mode.name()));
        let url = with_login(&base, url.query(), &user, &password, &sslmode);
        Some(Self {
            url,
            user,
            password,
        })
    }

    /// Any other URL (`mysql://…`): as it is, without its user and password.
    fn of_another(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once("://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        let (login, host) = authority.rsplit_once('@')?;
        let (user, password) = login.split_once(':')?;
        let (user, password) = (decoded(user)?, decoded(password)?);
        let (path, query) = match tail.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (tail, None),
        };
        if user.expose().is_empty() || host.is_empty() {
            return None;
        }
        let base = format!("jdbc:{scheme}://{host}{path}");
        let url = with_login(&base, query, &user, &password, "");
        Some(Self {
            url,
            user,
            password,
        })
    }
}

/// `base?query&user=…&password=…`: what stood in the query stays, the login is appended.
fn with_login(
    base: &str,
    query: Option<&str>,
    user: &Secret,
    password: &Secret,
    rest: &str,
) -> Secret {
    let query = query.filter(|query| !query.is_empty());
    let query = query.map_or(String::new(), |query| format!("{query}&"));
    let encoded = |secret: &Secret| {
        let text = utf8_percent_encode(secret.expose(), PARAMETER);
        Secret::new(text.to_string())
    };
    let (user, password) = (encoded(user), encoded(password));
    Secret::new(format!(
        "{base}?{query}user={}&password={}{rest}",
        user.expose(),
        password.expose()
    ))
}

fn decoded(text: &str) -> Option<Secret> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(Secret::new(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(of: &[(&str, &str)]) -> Values {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), Secret::from(*value));
        of.iter().map(owned).collect()
    }

    fn expanded(family: Family, fetched: &[(&str, &str)]) -> Vec<String> {
        let mode = |url: &DatabaseUrl| url.sslmode().or(Some(SslMode::Require));
        let expansion = expand(&[family], &values(fetched), mode);
        let line = |(name, derived)| match derived {
            Derived::Value(value) => format!("{name}={}", Secret::expose(&value)),
            Derived::Absent => format!("without {name}"),
        };
        expansion.into_iter().map(line).collect()
    }

    const URL: (&str, &str) = ("DATABASE_URL", "postgres://ada:hunter2@db.example:5433/app");

    #[test]
    fn what_libpq_reads() {
        assert_eq!(
            expanded(Family::Pg, &[URL]),
            [
                "PGDATABASE=app",
                "PGHOST=db.example",
                "without PGHOSTADDR",
                "PGPASSWORD=hunter2",
                "PGPORT=5433",
                "without PGSERVICE",
                "without PGSERVICEFILE",
                "PGSSLMODE=require",
                "PGUSER=ada",
            ]
        );
        let sparse = expanded(
            Family::Pg,
            &[("DATABASE_URL", "postgres://h?sslmode=disable")],
        );
        assert!(sparse.contains(&"PGPORT=5432".to_owned()), "{sparse:?}");
        assert!(
            sparse.contains(&"PGSSLMODE=disable".to_owned()),
            "{sparse:?}"
        );
        for name in ["PGUSER", "PGPASSWORD", "PGDATABASE"] {
            assert!(sparse.contains(&format!("without {name}")), "{sparse:?}");
        }
        for nothing in [
            ("REDIS_URL", "redis://h"),
            ("DATABASE_URL", "mysql://u:p@h/d"),
        ] {
            assert!(expanded(Family::Pg, &[nothing]).is_empty());
        }
    }

    /// The cases of the buildpack's own tests.
    #[test]
    fn what_jdbc_reads() {
        assert_eq!(
            expanded(Family::Jdbc, &[URL]),
            [
                "JDBC_DATABASE_PASSWORD=hunter2",
                "JDBC_DATABASE_URL=jdbc:postgresql://db.example:5433/app?user=ada&password=hunter2\
                 &sslmode=require",
                "JDBC_DATABASE_USERNAME=ada",
            ]
        );
        for (url, expected) in [
            (
                "mysql://foo:bar@ec2-0:5432/abc123?reconnect=true",
                Some("jdbc:mysql://ec2-0:5432/abc123?reconnect=true&user=foo&password=bar"),
            ),
            ("mysql://foo@h/d", None),
            ("mysql://:p@h/d", None),
            ("mysql://h/d", None),
            ("postgres://test123@ec2-52-13-12", None),
            ("postgres://:p@h/d", None),
            ("postgres://u:p@/d?host=/run/postgresql", None),
            (
                "postgres://u:p@h",
                Some("jdbc:postgresql://h/?user=u&password=p&sslmode=require"),
            ),
            (
                "postgres://u:p@h1:1,[::1]:2/d?",
                Some("jdbc:postgresql://h1:1,[::1]:2/d?user=u&password=p&sslmode=require"),
            ),
            (
                "postgres://a%40b:p%2Fq%20%25+@h/d?sslmode=verify-full&e=mc^2",
                Some(
                    "jdbc:postgresql://h/d?sslmode=verify-full&e=mc^2\
                     &user=a%40b&password=p%2Fq%20%25%2B",
                ),
            ),
        ] {
            let all = expanded(Family::Jdbc, &[("DATABASE_URL", url)]);
            let found = all
                .iter()
                .find_map(|line| line.strip_prefix("JDBC_DATABASE_URL="));
            assert_eq!(found, expected, "{url}");
            assert_eq!(all.len(), if expected.is_some() { 3 } else { 0 }, "{url}");
        }
    }

    #[test]
    fn which_database_jdbc_gets() {
        let pool = ("DATABASE_CONNECTION_POOL_URL", "postgres://pool:pp@p/d");
        let red = ("HEROKU_POSTGRESQL_RED_URL", "postgres://red:rr@r/d");
        let (jaws, maria, clear) = (
            ("JAWSDB_URL", "mysql://jaws:j@h/d"),
            ("JAWSDB_MARIA_URL", "mysql://maria:m@h/d"),
            ("CLEARDB_DATABASE_URL", "mysql://clear:c@h/d"),
        );
        let users = |fetched: &[(&str, &str)]| -> Vec<String> {
            let all = expanded(Family::Jdbc, fetched).into_iter();
            all.filter(|line| line.contains("_USERNAME=")).collect()
        };
        assert_eq!(
            users(&[URL, pool, red, jaws]),
            [
                "DATABASE_CONNECTION_POOL_JDBC_USERNAME=pool",
                "HEROKU_POSTGRESQL_RED_JDBC_USERNAME=red",
                "JDBC_DATABASE_USERNAME=pool",
            ]
        );
        assert_eq!(users(&[pool]), [""; 0]);
        assert_eq!(users(&[red]), ["HEROKU_POSTGRESQL_RED_JDBC_USERNAME=red"]);
        assert_eq!(users(&[jaws]), ["JDBC_DATABASE_USERNAME=jaws"]);
        assert_eq!(users(&[jaws, maria]), ["JDBC_DATABASE_USERNAME=maria"]);
        assert_eq!(
            users(&[jaws, maria, clear]),
            ["JDBC_DATABASE_USERNAME=clear"]
        );
    }

    #[test]
    fn what_spring_reads() {
        assert_eq!(
            expanded(Family::Spring, &[URL]),
            [
                "SPRING_DATASOURCE_PASSWORD=hunter2",
                "SPRING_DATASOURCE_URL=jdbc:postgresql://db.example:5433/app?user=ada\
                 &password=hunter2&sslmode=require",
                "SPRING_DATASOURCE_USERNAME=ada",
            ]
        );
        for says_no in [
            ("DISABLE_SPRING_DATASOURCE_URL", "true"),
            ("SPRING_DATASOURCE_URL", "jdbc:x"),
            ("SPRING_DATASOURCE_USERNAME", "x"),
            ("SPRING_DATASOURCE_PASSWORD", "x"),
        ] {
            assert_eq!(
                expanded(Family::Spring, &[URL, says_no]),
                [""; 0],
                "{says_no:?}"
            );
        }
        let other = ("DISABLE_SPRING_DATASOURCE_URL", "1");
        assert_eq!(expanded(Family::Spring, &[URL, other]).len(), 3);
    }
}
