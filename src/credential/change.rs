//! What kind of change a new value is, told by name and never by value.

use std::fmt;

use super::{DatabaseUrl, Secret, Values};

/// The most important part in which two values differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Only the password: a rotation.
    Password,
    /// The user, and perhaps the password: a rotation of an older kind.
    User,
    /// The host or the port: the database lives elsewhere now (failover, maintenance, upgrade).
    Failover,
    /// The database's name: another database was promoted.
    Promotion,
    /// Only the scheme or the query.
    Options,
    /// Not a postgres URL, or no longer one.
    Other,
    /// A variable that a pattern matched for the first time.
    New,
}

impl Kind {
    /// Whether what runs can do nothing good any more: after a failover its database is gone, after
    /// a promotion it is the wrong one.
    #[must_use]
    pub fn is_urgent(self) -> bool {
        match self {
            Self::Failover | Self::Promotion => true,
            Self::Password | Self::User | Self::Options | Self::Other | Self::New => false,
        }
    }

    /// Tells what changed in a variable, beside what it and the others were before: a value that
    /// another database's variable had is that other database, whatever else is the same.
    #[must_use]
    pub fn of(name: &str, new: &Secret, before: &Values, others: &Values) -> Self {
        let was_anothers = before.iter().chain(others).any(|(other, value)| {
            let is_database = other.starts_with("HEROKU_POSTGRESQL_") && other.ends_with("_URL");
            is_database && other != name && value == new
        });
        match before.get(name) {
            Some(_) if was_anothers => Self::Promotion,
            old => Self::between(old, new),
        }
    }

    /// Tells what changed between two different values.
    fn between(old: Option<&Secret>, new: &Secret) -> Self {
        let Some(old) = old else { return Self::New };
        let (Ok(old), Ok(new)) = (
            DatabaseUrl::parse(old.expose()),
            DatabaseUrl::parse(new.expose()),
        ) else {
            return Self::Other;
        };
        if old.database() != new.database() {
            Self::Promotion
        } else if old.hosts() != new.hosts() {
            Self::Failover
        } else if old.user() != new.user() {
            Self::User
        } else if old.same_login(&new) {
            Self::Options
        } else {
            Self::Password
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "password",
            Self::User => "user",
            Self::Failover => "failover",
            Self::Promotion => "promotion",
            Self::Options => "options",
            Self::Other => "value",
            Self::New => "new variable",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_important_difference_names_the_change() {
        let old = Secret::from("postgres://u1:p1@h1:5432/d1");
        for (new, expected) in [
            ("postgres://u1:p2@h1:5432/d1", Kind::Password),
            ("postgres://u2:p2@h1:5432/d1", Kind::User),
            ("postgres://u1:p1@h2:5432/d1", Kind::Failover),
            ("postgres://u1:p2@h1:5433/d1", Kind::Failover),
            ("postgres://u2:p2@h2:5432/d2", Kind::Promotion),
            ("postgres://u1:p1@h1:5432/d1?sslmode=require", Kind::Options),
            ("postgresql://u1:p1@h1:5432/d1", Kind::Options),
            ("rediss://h", Kind::Other),
        ] {
            assert_eq!(
                Kind::between(Some(&old), &Secret::from(new)),
                expected,
                "{new}"
            );
        }
        assert_eq!(Kind::between(None, &old), Kind::New);
    }

    #[test]
    fn a_value_that_another_databases_variable_had_is_a_promotion() {
        let secret = |text: &str| Secret::from(text);
        let (old, new) = ("postgres://u:p@h1/d", "postgres://u:p@h2/d");
        let before = Values::from([("DATABASE_URL".to_owned(), secret(old))]);
        let kind = |other: &str, value: &str| {
            let others = Values::from([(other.to_owned(), secret(value))]);
            Kind::of("DATABASE_URL", &secret(new), &before, &others)
        };
        assert_eq!(kind("HEROKU_POSTGRESQL_RED_URL", new), Kind::Promotion);
        assert_eq!(kind("HEROKU_POSTGRESQL_RED_URL", old), Kind::Failover);
        assert_eq!(kind("MY_URL", new), Kind::Failover);
        let red = "HEROKU_POSTGRESQL_RED_URL";
        let watched = Values::from([(red.to_owned(), secret(new))]);
        let none = Values::new();
        assert_eq!(
            Kind::of("DATABASE_URL", &secret(new), &watched, &none),
            Kind::New
        );
        assert_eq!(Kind::of(red, &secret(old), &watched, &none), Kind::Failover);
    }
}
