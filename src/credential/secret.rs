//! A value that is never shown: no `Display`, a `Debug` of stars, zeroed when the last copy is
//! dropped.

use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

/// A credential: a token, a config var's value, a password.
///
/// Clones share one allocation, so that "the last copy" is a single moment. Two secrets are equal
/// when their values are; the comparison is not constant-time, because both sides come from the
/// same trusted place.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes the value over; the caller's string becomes the secret's own memory.
    #[must_use]
    pub fn new(value: String) -> Self {
        Self(Arc::new(Zeroizing::new(value)))
    }

    /// The value itself. Whoever calls this decides where it goes: an environment, a header, a
    /// login; never a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(value: &str) -> Self {
        Self::new(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_stars_whatever_the_value() {
        let secret = Secret::from("hunter2");
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "*** Some(\n    ***,\n)"
        );
    }

    #[test]
    fn equal_by_value() {
        assert_eq!(Secret::from("a"), Secret::from("a"));
        assert_ne!(Secret::from("a"), Secret::from("b"));
    }
}
