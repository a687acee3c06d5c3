//! A stranger's text made fit for one phrase in a log: no secrets, nothing that steers a terminal,
//! 256 bytes.

use std::fmt::Write;

/// The longest phrase, in bytes.
pub const PHRASE_BYTES_MAX: usize = 256;

/// What follows these is not shown.
const MARKERS: [(&str, Secrecy); 3] = [
    ("HRKU-", Secrecy::Token),
    ("://", Secrecy::Userinfo),
    ("password=", Secrecy::Parameter),
];

#[derive(Clone, Copy)]
enum Secrecy {
    Token,
    Userinfo,
    Parameter,
}

/// Masks Heroku tokens, the userinfo of URLs and `password=`, escapes control characters, and cuts.
#[must_use]
pub fn phrase(text: &str) -> String {
    let mut phrase = String::new();
    let masked = mask(text.trim());
    for c in masked.chars() {
        let before = phrase.len();
        if steers_a_terminal(c) {
            // Writing to a string cannot fail.
            let _ = write!(phrase, "{}", c.escape_default());
        } else {
            phrase.push(c);
        }
        if phrase.len() > PHRASE_BYTES_MAX {
            phrase.truncate(before);
            cut(&mut phrase);
            break;
        }
    }
    phrase
}

/// Whole lines of somebody else's in which nothing steers a terminal.
#[must_use]
pub fn harmless(text: &str) -> String {
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && steers_a_terminal(c) {
            harmless.extend(c.escape_default());
        } else {
            harmless.push(c);
        }
    }
    harmless
}

/// Room for the mark that something is missing.
fn cut(phrase: &mut String) {
    const MARK: char = '…';
    while phrase.len() + MARK.len_utf8() > PHRASE_BYTES_MAX {
        phrase.pop();
    }
    phrase.push(MARK);
}

/// Control characters, and those that turn the direction of what follows.
fn steers_a_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text of ours in which no token may have come to stand; `None` when none has.
#[must_use]
pub fn without_tokens(text: &str) -> Option<String> {
    let tokens = &MARKERS[..1];
    text.contains(tokens[0].0).then(|| mask_after(tokens, text))
}

fn mask(text: &str) -> String {
    mask_after(&MARKERS, text)
}

fn mask_after(markers: &[(&'static str, Secrecy)], text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, marker, secrecy)) = next_marker(markers, rest) {
        let after = at + marker.len();
        masked.push_str(&rest[..after]);
        rest = &rest[after..];
        let hidden = match secrecy {
            Secrecy::Token => end(rest, |c| !c.is_ascii_alphanumeric() && c != '-' && c != '_'),
            Secrecy::Userinfo => {
                let word = end(rest, |c| c.is_whitespace() || c == '"');
                rest[..word].rfind('@').unwrap_or(0)
            }
            Secrecy::Parameter => end(rest, |c| c.is_whitespace() || c == '&'),
        };
        if hidden > 0 {
            masked.push_str("***");
        }
        rest = &rest[hidden..];
    }
    masked.push_str(rest);
    masked
}

fn next_marker(
    markers: &[(&'static str, Secrecy)],
    text: &str,
) -> Option<(usize, &'static str, Secrecy)> {
    markers
        .iter()
        .filter_map(|(marker, secrecy)| Some((text.find(marker)?, *marker, *secrecy)))
        .min_by_key(|(at, _, _)| *at)
}

fn end(text: &str, stop: impl Fn(char) -> bool) -> usize {
    text.find(stop).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_masked() {
        for (text, expected) in [
            ("token HRKU-AAbc_d-9, bad", "token HRKU-***, bad"),
            ("HRKU-", "HRKU-"),
            ("see https://u:p@h/x for it", "see https://***@h/x for it"),
            ("postgres://u:a@b@h:1/d", "postgres://***@h:1/d"),
            ("https://h/x", "https://h/x"),
            (r#""https://u:p@h" is a@b"#, r#""https://***@h" is a@b"#),
            ("https://u:p@h is a@b", "https://***@h is a@b"),
            ("?user=u&password=p&x=1", "?user=u&password=***&x=1"),
        ] {
            assert_eq!(phrase(text), expected);
        }
    }

    #[test]
    fn a_line_of_ours_keeps_all_but_its_tokens() {
        let line = "WARN a HRKU-AAbc: postgres://u:***@h, HRKU-***\n";
        let masked = "WARN a HRKU-***: postgres://u:***@h, HRKU-***\n";
        assert_eq!(without_tokens(line).as_deref(), Some(masked));
        assert_eq!(without_tokens("nothing here"), None);
    }

    #[test]
    fn nothing_steers_a_terminal() {
        assert_eq!(phrase("a\x1b[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(phrase("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(phrase(" Zürich "), "Zürich");
        assert_eq!(harmless(" a\x1b[2J\nü\r\n"), " a\\u{1b}[2J\nü\\r\n");
    }

    #[test]
    fn cut_at_256_bytes_between_characters() {
        assert_eq!(phrase(&"a".repeat(256)), "a".repeat(256));
        assert_eq!(phrase(&"a".repeat(300)).len(), PHRASE_BYTES_MAX);
        let cut = phrase(&"é".repeat(300));
        assert!(
            cut.len() <= PHRASE_BYTES_MAX && cut.ends_with("é…"),
            "{cut}"
        );
        let escaped = phrase(&"\n".repeat(300));
        assert!(escaped.len() <= PHRASE_BYTES_MAX, "{}", escaped.len());
    }
}
