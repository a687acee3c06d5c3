//! What holds of the datagrams that a child sends to `NOTIFY_SOCKET`, whatever is in them.

use crate::credential::phrase::PHRASE_BYTES_MAX;
use crate::process::for_laws::read_words;
use crate::supervisor::readiness::Word;
use crate::supervisor::time::Duration;

use super::{Held, law};

/// Lines that are not the child's to say, or that nobody knows.
const NONSENSE: &[u8] =
    b"MAINPID=1\nFDSTORE=1\nWATCHDOG_USEC=1\nREADY=0\nERRNO=2\nBARRIER=1\n\xff=1\n";

/// Holds a datagram against every law.
///
/// # Errors
/// The law that is broken.
pub fn hold(datagram: &[u8]) -> Held {
    let words = read_words(datagram);
    let lines: Vec<_> = datagram.split(|byte| matches!(byte, b'\n' | 0)).collect();
    let read: Vec<_> = lines.iter().filter_map(|line| read(line)).collect();
    law(
        words.len() == read.len() && words.iter().zip(&read).all(|(word, known)| known.is(word)),
        "each line that is known has its word, in their order, and no other has one",
    )?;
    let each = lines.iter().flat_map(|line| read_words(line));
    law(words.iter().cloned().eq(each), "a line is read by itself")?;
    let amid = [NONSENSE, datagram, b"\n", NONSENSE].concat();
    law(
        read_words(&amid) == words,
        "what nobody knows changes nothing",
    )?;
    let twice = [datagram, b"\0", datagram].concat();
    let expected = [&words[..], &words[..]].concat();
    law(
        read_words(&twice) == expected,
        "what is said twice is heard twice",
    )?;
    words.iter().try_for_each(status)
}

/// What a line says, read in another way; a status by its raw bytes.
enum Known<'a> {
    Word(Word),
    Status(&'a [u8]),
}

impl Known<'_> {
    fn is(&self, word: &Word) -> bool {
        match (self, word) {
            (Self::Word(known), word) => known == word,
            // Plain text is told as it is.
            (Self::Status(raw), Word::Status(told)) => {
                let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b' ';
                let is_short = raw.len() <= PHRASE_BYTES_MAX;
                !(is_short && raw.iter().all(is_plain)) || told.as_bytes() == raw.trim_ascii()
            }
            (Self::Status(_), _) => false,
        }
    }
}

fn read(line: &[u8]) -> Option<Known<'_>> {
    let word = match line {
        b"READY=1" => Word::Ready,
        b"STOPPING=1" => Word::Stopping,
        b"WATCHDOG=1" => Word::Alive,
        b"WATCHDOG=trigger" => Word::Trip,
        [b'S', b'T', b'A', b'T', b'U', b'S', b'=', raw @ ..] => return Some(Known::Status(raw)),
        line => {
            let micros = str::from_utf8(line.strip_prefix(b"EXTEND_TIMEOUT_USEC=")?);
            Word::ExtendTimeout(Duration::from_micros(micros.ok()?.parse().ok()?))
        }
    };
    Some(Known::Word(word))
}

fn status(word: &Word) -> Held {
    let Word::Status(status) = word else {
        return Ok(());
    };
    law(status.len() <= PHRASE_BYTES_MAX, "a status is a phrase")?;
    law(
        !status.chars().any(char::is_control),
        "a status steers no terminal",
    )?;
    let is_of_a_token = |c: char| c.is_ascii_alphanumeric();
    let mut tokens = status.split("HRKU-").skip(1);
    law(
        tokens.all(|rest| !rest.starts_with(is_of_a_token)),
        "a status shows no token",
    )
}
