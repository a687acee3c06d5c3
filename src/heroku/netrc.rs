//! The password of one machine in a netrc file, as the Heroku CLI leaves it there.
//!
//! The crates there are keep the *last* entry of a machine that is named twice, the Heroku CLI the
//! first; and they keep every password of the file in memory. Hence these few lines.

use std::iter::Peekable;
use std::str::CharIndices;

/// The password of the first entry for `machine`. A `default` entry is not for us: it is no token
/// of Heroku's.
pub(super) fn password<'a>(text: &'a str, machine: &str) -> Option<&'a str> {
    let mut words = Words::new(text);
    let mut ours = false;
    while let Some(word) = words.next() {
        match word.text {
            "machine" => ours = words.next()?.text == machine,
            "default" => ours = false,
            "login" | "account" => {
                words.next()?;
            }
            "password" => {
                let password = words.next()?.text;
                if ours {
                    return Some(password);
                }
            }
            "macdef" => words.skip_macro(),
            comment if comment.starts_with('#') => words.skip_line(word.start),
            _ => {}
        }
    }
    None
}

struct Words<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
}

struct Word<'a> {
    text: &'a str,
    start: usize,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            chars: text.char_indices().peekable(),
        }
    }

    /// The next word, or the next text in double quotes, which may hold blanks.
    fn next(&mut self) -> Option<Word<'a>> {
        while self.chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let start = self.position();
        let quoted = self.chars.next_if(|(_, c)| *c == '"').is_some();
        let inner = self.position();
        let ends = |c: char| if quoted { c == '"' } else { c.is_whitespace() };
        while self.chars.next_if(|(_, c)| !ends(*c)).is_some() {}
        let text = &self.text[inner..self.position()];
        if quoted {
            self.chars.next();
        }
        (self.position() > start).then_some(Word { text, start })
    }

    fn skip_line(&mut self, start: usize) {
        let end = self.text[start..].find('\n');
        self.go_to(end.map_or(self.text.len(), |offset| start + offset));
    }

    /// A macro ends at an empty line.
    fn skip_macro(&mut self) {
        let start = self.position();
        let rest = &self.text[start..];
        let end = ["\n\n", "\r\n\r\n"]
            .iter()
            .filter_map(|gap| rest.find(gap))
            .min();
        self.go_to(end.map_or(self.text.len(), |offset| start + offset));
    }

    fn position(&mut self) -> usize {
        self.chars.peek().map_or(self.text.len(), |(at, _)| *at)
    }

    fn go_to(&mut self, end: usize) {
        while self.chars.next_if(|(at, _)| *at < end).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours(text: &str) -> Option<&str> {
        password(text, "api.heroku.com")
    }

    #[test]
    fn as_the_heroku_cli_writes_it() {
        let text = "machine git.heroku.com\n  login a@b\n  password G\nmachine api.heroku.com\n  login a@b\n  password T\n";
        assert_eq!(ours(text), Some("T"));
        assert_eq!(
            ours("machine api.heroku.com login a@b password T"),
            Some("T")
        );
    }

    #[test]
    fn the_first_entry_of_a_machine_wins() {
        let text = "machine api.heroku.com password A\nmachine api.heroku.com password B";
        assert_eq!(ours(text), Some("A"));
    }

    #[test]
    fn a_machine_is_matched_whole_with_its_port() {
        let text = "machine 127.0.0.1 password A machine 127.0.0.1:5000 password B";
        assert_eq!(password(text, "127.0.0.1:5000"), Some("B"));
        assert_eq!(ours("machine heroku.com password A"), None);
        assert_eq!(ours("machine api.heroku.com.evil password A"), None);
    }

    #[test]
    fn comments_defaults_and_macros_are_passed_over() {
        let text = "# machine api.heroku.com password C\n#x\nmacdef init\nmachine api.heroku.com password M\n\n\
                    default login anonymous password D\nmachine api.heroku.com # ours\n password T\n";
        assert_eq!(ours(text), Some("T"));
        assert_eq!(
            ours("machine api.heroku.com login x default password D"),
            None
        );
    }

    #[test]
    fn words_that_look_like_others() {
        assert_eq!(
            ours("machine api.heroku.com login password password T"),
            Some("T")
        );
        assert_eq!(ours("machine api.heroku.com password #T"), Some("#T"));
        assert_eq!(ours("machine api.heroku.com password \"T \""), Some("T "));
        assert_eq!(ours("machine \"api.heroku.com\" password T"), Some("T"));
    }

    #[test]
    fn broken_files_have_no_password() {
        for text in [
            "",
            "machine",
            "machine api.heroku.com",
            "machine api.heroku.com password",
            "\"",
        ] {
            assert_eq!(ours(text), None, "{text}");
        }
    }
}
