//! What holds of whatever comes from outside, however strange it is: for the fuzzer (`tests/fuzz`),
//! and for its corpus, which the tests hold against the same laws.

pub mod config_vars;
pub mod control;
pub mod database_url;
pub mod host;
pub mod netrc;
pub mod notify;
pub mod retry_after;
pub mod webhook;

/// Nothing, or the law that is broken.
pub type Held = Result<(), String>;

/// What holds any bytes against the laws of one target. Where text is meant, other bytes hold.
pub type Laws = fn(&[u8]) -> Held;

/// Each target with its laws.
pub const TARGETS: [(&str, Laws); 8] = [
    ("config_vars", config_vars::hold),
    ("control", control::hold),
    ("database_url", |bytes| of_text(bytes, database_url::hold)),
    ("host", |bytes| of_text(bytes, host::hold)),
    ("netrc", |bytes| of_text(bytes, netrc::hold)),
    ("notify", notify::hold),
    ("retry_after", |bytes| of_text(bytes, retry_after::hold)),
    ("webhook", webhook::hold),
];

/// Holds an input against the laws of a target.
///
/// # Errors
/// The law that is broken, or that there is no such target.
pub fn hold(target: &str, input: &[u8]) -> Held {
    let laws = TARGETS.iter().find(|(name, _)| *name == target);
    let (_, laws) = laws.ok_or_else(|| format!("there is no target {target}"))?;
    laws(input)
}

fn of_text(bytes: &[u8], laws: fn(&str) -> Held) -> Held {
    str::from_utf8(bytes).map_or(Ok(()), laws)
}

fn law(holds: bool, law: &str) -> Held {
    if holds {
        Ok(())
    } else {
        Err(format!("broken: {law}"))
    }
}

/// A line and what follows it, without the end between them.
fn first_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &[]),
    }
}
