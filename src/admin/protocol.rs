//! What is said on the control socket: one JSON object a line, each way once.
//!
//! ```text
//! → {"v":1,"verb":"restart","force":false}
//! ← {"v":1,"ok":true,"message":"the program is stopped and started again"}
//! ← {"v":1,"ok":false,"error":"changeover is stopping: nothing else is done"}
//! ```

use std::io;

use serde::{Deserialize, Serialize};

use crate::supervisor::command::{Force, Verb};

use super::{Reply, View};

/// Of what is said. Another version is another language.
pub const VERSION: u32 = 1;
/// The longest line that a supervisor reads, in bytes.
pub const REQUEST_BYTES_MAX: usize = 4096;
/// The longest line that is read as its answer, in bytes: a look names each variable that changed.
pub const RESPONSE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub v: u32,
    /// What for.
    pub verb: Word,
    /// `restart --force`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
}

/// A verb.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    /// Show what it is doing.
    Status,
    /// Ask Heroku now.
    Refresh,
    /// Stop the program and start it again.
    Restart,
    /// Stop for good.
    Stop,
    /// Hold changes back.
    Hold,
    /// Hold them back no longer.
    Resume,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// [`VERSION`].
    pub v: u32,
    /// Whether it is done.
    pub ok: bool,
    /// What is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What `status` asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Box<View>>,
}

/// What an answer of every version has.
#[derive(Deserialize)]
struct Versioned {
    v: u32,
}

impl Request {
    /// This, without force.
    #[must_use]
    pub fn new(verb: Word) -> Self {
        Self {
            v: VERSION,
            verb,
            force: false,
        }
    }

    /// A line, with or without its end.
    ///
    /// # Errors
    /// One sentence, fit for the one who wrote it.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let example = r#"write {"v":1,"verb":"refresh"}"#;
        // serde would take a list for an object, by the order of our fields.
        if line.trim_ascii_start().first() != Some(&b'{') {
            return Err(format!("this is no request (not an object): {example}"));
        }
        let request: Self = serde_json::from_slice(line)
            .map_err(|error| format!("this is no request ({error}): {example}"))?;
        if request.v == VERSION {
            return Ok(request);
        }
        let asked = request.v;
        Err(format!(
            "this changeover speaks version {VERSION}, not {asked}: {example}"
        ))
    }

    /// What the core makes of it; `None`: only a look is wanted.
    #[must_use]
    pub fn verb(self) -> Option<Verb> {
        let force = if self.force { Force::Yes } else { Force::No };
        match self.verb {
            Word::Status => None,
            Word::Refresh => Some(Verb::Refresh),
            Word::Restart => Some(Verb::Restart { force }),
            Word::Stop => Some(Verb::Stop),
            Word::Hold => Some(Verb::Hold),
            Word::Resume => Some(Verb::Resume),
        }
    }
}

impl Response {
    /// It is refused, or failed.
    #[must_use]
    pub fn error(why: String) -> Self {
        Self {
            v: VERSION,
            ok: false,
            message: None,
            error: Some(why),
            status: None,
        }
    }

    /// A line, with or without its end.
    ///
    /// # Errors
    /// When it is none, or of another version.
    pub fn read(line: &[u8]) -> io::Result<Self> {
        let Versioned { v } = serde_json::from_slice(line)?;
        if v == VERSION {
            return Ok(serde_json::from_slice(line)?);
        }
        let why = format!("it speaks version {v}, and this one version {VERSION}");
        Err(io::Error::other(why))
    }

    /// One line, with its end.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        // Plain strings and numbers: there is nothing in it that JSON cannot hold.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

impl From<Box<View>> for Response {
    fn from(view: Box<View>) -> Self {
        Self {
            v: VERSION,
            ok: true,
            message: None,
            error: None,
            status: Some(view),
        }
    }
}

impl From<Reply> for Response {
    fn from(reply: Reply) -> Self {
        match reply {
            Ok(message) => Self {
                v: VERSION,
                ok: true,
                message: Some(message),
                error: None,
                status: None,
            },
            Err(why) => Self::error(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_is_to_be_done() {
        for (line, verb) in [
            (r#"{"v":1,"verb":"refresh"}"#, Verb::Refresh),
            ("{\"v\":1,\"verb\":\"stop\",\"new\":1}\r\n", Verb::Stop),
            (
                r#" {"verb":"restart","v":1,"force":true}"#,
                Verb::Restart { force: Force::Yes },
            ),
            (
                r#"{"v":1,"verb":"restart"}"#,
                Verb::Restart { force: Force::No },
            ),
        ] {
            let read = Request::read(line.as_bytes()).unwrap();
            assert_eq!(read.verb(), Some(verb));
        }
    }

    #[test]
    fn what_is_no_request_is_told_so() {
        for (line, part) in [
            ("", "no request"),
            ("GET / HTTP/1.1", "no request"),
            ("[]", "no request"),
            (r#"[1,"stop"]"#, "not an object"),
            (r#"{"v":1,"verb":"dance"}"#, "unknown variant `dance`"),
            (r#"{"v":2,"verb":"stop"}"#, "speaks version 1, not 2"),
            (r#"{"v":1}"#, "missing field `verb`"),
            (r#"{"v":1,"verb":"stop","force":"yes"}"#, "no request"),
        ] {
            let error = Request::read(line.as_bytes()).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn both_ends_speak_the_same_language() {
        let request = Request::new(Word::Restart);
        let line = serde_json::to_vec(&request).unwrap();
        assert_eq!(line, br#"{"v":1,"verb":"restart"}"#);
        assert_eq!(Request::read(&line), Ok(request));
        for (reply, line) in [
            (Ok("so".to_owned()), r#"{"v":1,"ok":true,"message":"so"}"#),
            (Err("no".to_owned()), r#"{"v":1,"ok":false,"error":"no"}"#),
        ] {
            let response = Response::from(reply);
            assert_eq!(response.line(), format!("{line}\n").into_bytes());
            let read: Response = serde_json::from_str(line).unwrap();
            assert_eq!(read, response);
        }
    }
}
