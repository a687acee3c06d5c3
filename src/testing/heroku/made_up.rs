//! Values that nobody chose: random ids and passwords, and the date.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::SystemTime;

/// Random enough for a test tool: the standard library seeds each hasher from the operating system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// A text of so many characters `0-9A-Za-z`, as Heroku's passwords are.
pub(super) fn alphanumeric(length: usize) -> String {
    const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        let index = usize::try_from(random() % 62).unwrap_or(0);
        text.push(char::from(ALPHABET[index]));
    }
    text
}

/// A lower-case name that begins with a letter, as Heroku's database users and names are.
pub(super) fn name(first: char) -> String {
    let mut name = alphanumeric(13).to_lowercase();
    name.insert(0, first);
    name
}

/// A random (version 4) UUID.
pub(super) fn uuid() -> String {
    let (high, low) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}

/// The wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "an API tells the date; nothing is decided by it"
)]
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// The date as the API writes it, `2026-01-01T12:00:00Z`.
pub(super) fn timestamp() -> String {
    humantime::format_rfc3339_seconds(now()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_long_and_never_the_same() {
        let password = alphanumeric(65);
        assert_eq!(password.len(), 65);
        assert!(password.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_ne!(password, alphanumeric(65));
    }

    #[test]
    fn uuids_have_the_usual_shape() {
        let groups: Vec<_> = uuid().split('-').map(str::len).collect();
        assert_eq!(groups, [8, 4, 4, 4, 12]);
    }
}
