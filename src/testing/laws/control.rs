//! What holds of the control socket's two lines, whatever is said there.

use serde::Deserialize;
use serde_json::Value;

use crate::admin::protocol::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, VERSION};
use crate::admin::{Reply, Request, Response, Word};

use super::{Held, law};

const WORDS: [(&str, Word); 6] = [
    ("status", Word::Status),
    ("refresh", Word::Refresh),
    ("restart", Word::Restart),
    ("stop", Word::Stop),
    ("hold", Word::Hold),
    ("resume", Word::Resume),
];

/// Holds a line against every law, as a question and as an answer.
///
/// # Errors
/// The law that is broken.
pub fn hold(line: &[u8]) -> Held {
    question(line)?;
    answer(line)?;
    let text = String::from_utf8_lossy(line).into_owned();
    said(Ok(text.clone()))?;
    said(Err(text))
}

fn question(line: &[u8]) -> Held {
    let means = meant(line);
    match Request::read(line) {
        Ok(request) => {
            law(
                means == Some(request),
                "what is obeyed is what the line says",
            )?;
            let again = serde_json::to_vec(&request).map_err(|why| why.to_string())?;
            law(
                Request::read(&again) == Ok(request),
                "what was read is read again",
            )
        }
        Err(why) => {
            law(means.is_none(), "what the line says is done")?;
            // What is refused is quoted, and each byte may be escaped.
            let longest = 8 * line.len().min(REQUEST_BYTES_MAX) + 256;
            law(
                line.len() > REQUEST_BYTES_MAX || why.len() <= longest,
                "a refusal is as long as what is refused",
            )
        }
    }
}

/// A line whose fields may be anything. What else is in it is passed over unread.
#[derive(Deserialize)]
struct Loose {
    v: Value,
    verb: Value,
    #[serde(default)]
    force: Force,
}

/// One that is null is given, too.
#[derive(Deserialize)]
struct Force(Value);

impl Default for Force {
    fn default() -> Self {
        Self(Value::Bool(false))
    }
}

/// What a line asks for, read in another way.
fn meant(line: &[u8]) -> Option<Request> {
    let is_object = line.trim_ascii_start().starts_with(b"{");
    let loose: Loose = serde_json::from_slice(line).ok().filter(|_| is_object)?;
    let verb = word(&loose.verb)?;
    let force = loose.force.0.as_bool()?;
    let (_, verb) = WORDS.into_iter().find(|(name, _)| *name == verb)?;
    let is_ours = loose.v.as_u64()? == u64::from(VERSION);
    is_ours.then_some(Request {
        force,
        ..Request::new(verb)
    })
}

/// serde knows a second way to write a word: `{"stop":null}`.
fn word(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| {
        let mut fields = value.as_object()?.iter();
        let (word, _) = fields.next().filter(|(_, value)| value.is_null())?;
        fields.next().is_none().then_some(word)
    })
}

/// As the one who asked reads it.
fn answer(line: &[u8]) -> Held {
    let Ok(response) = Response::read(line) else {
        return Ok(());
    };
    law(response.v == VERSION, "another version is not understood")?;
    // A time may lose its last digit on the way.
    if response.status.is_some() {
        return Ok(());
    }
    whole(&response)
}

fn said(reply: Reply) -> Held {
    let response = Response::from(reply.clone());
    whole(&response)?;
    let told = match reply {
        Ok(text) => response.ok && response.message == Some(text) && response.error.is_none(),
        Err(text) => !response.ok && response.error == Some(text) && response.message.is_none(),
    };
    law(told, "a reply is told as it is")
}

/// One line, and read as it was said.
fn whole(response: &Response) -> Held {
    let line = response.line();
    law(
        line.iter().position(|byte| *byte == b'\n') == Some(line.len() - 1),
        "an answer is one line",
    )?;
    law(
        line.len() <= RESPONSE_BYTES_MAX,
        "an answer is not too long",
    )?;
    let read = Response::read(&line).map_err(|why| why.to_string())?;
    law(read == *response, "an answer is read as it was said")
}
