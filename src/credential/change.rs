//! What kind of change a new value is, told by name and never by value.

use std::fmt;

use super::{DatabaseUrl, Secret};

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
    /// Tells what changed between two different values.
    #[must_use]
    pub fn between(old: Option<&Secret>, new: &Secret) -> Self {
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
}
