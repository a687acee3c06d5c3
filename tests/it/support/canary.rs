//! A secret that is looked for wherever it must not be, in every spelling that software gives a
//! text by itself.

use std::fmt::Write as _;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// One secret, and its spellings.
pub(crate) struct Canary {
    name: &'static str,
    spellings: Vec<String>,
}

impl Canary {
    pub(crate) fn new(name: &'static str, secret: &str) -> Self {
        let json = serde_json::to_string(secret).unwrap();
        let mut spellings = vec![
            secret.to_owned(),
            percent(secret),
            percent(secret).to_lowercase(),
            json.trim_matches('"').to_owned(),
            secret.escape_debug().to_string(),
            hex(secret),
        ];
        spellings.extend((0..3).map(|before| base64_within(secret, before)));
        Self { name, spellings }
    }

    /// Fails when the text holds the secret in any spelling.
    pub(crate) fn is_not_in(&self, text: &str, place: &str) {
        let found = self.spellings.iter().find(|one| text.contains(*one));
        assert!(
            found.is_none(),
            "{} as {found:?} in {place}:\n{text}",
            self.name
        );
    }

    /// Fails when a command line of these processes holds it.
    pub(crate) fn is_in_no_command_line(&self, processes: &[u32]) {
        for pid in processes {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            self.is_not_in(&line, &format!("/proc/{pid}/cmdline"));
        }
    }
}

/// Everything but letters and digits, as in a URL.
pub(crate) fn percent(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        // Writing to a string cannot fail.
        let _ = if byte.is_ascii_alphanumeric() || byte == b'-' {
            write!(encoded, "{}", char::from(byte))
        } else {
            write!(encoded, "%{byte:02X}")
        };
    }
    encoded
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// The characters that the secret alone decides, in the base64 of a text where so many bytes stand
/// before it (modulo 3).
fn base64_within(secret: &str, before: usize) -> String {
    let text = [vec![0; before], secret.as_bytes().to_vec()].concat();
    let encoded = STANDARD_NO_PAD.encode(&text);
    let first = [0, 2, 3][before];
    encoded[first..text.len() * 8 / 6].to_owned()
}

#[test]
fn every_spelling_is_found() {
    let canary = Canary::new("it", "se/cr\"et");
    let finds = |text: &str| std::panic::catch_unwind(|| canary.is_not_in(text, "it")).is_err();
    for text in [
        "se/cr\"et",
        "a se%2Fcr%22et b",
        "se%2fcr%22et",
        r#"se/cr\"et"#,
    ] {
        assert!(finds(text), "{text}");
    }
    for around in ["", "a", "ab", "abc", "abcd"] {
        let encoded = STANDARD_NO_PAD.encode(format!("{around}se/cr\"et{around}"));
        assert!(finds(&encoded), "{encoded}");
    }
    assert!(!finds("se/cret"));
}
