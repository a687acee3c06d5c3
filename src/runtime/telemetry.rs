//! Logs: on stderr only, one line per fact, in the form that its reader expects (a person,
//! journald, a machine).

mod facts;
mod lines;
mod wording;

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Inherited, Log, LogFormat, Verbosity};
use crate::credential::phrase::without_tokens;
use crate::process::Stderr;
use crate::supervisor::notice::Notice;

pub use wording::{Context, answered, human, received, render, sent};

use lines::{Lines, Style};

/// Sends this crate's events to stderr from now on; a second call changes nothing.
///
/// Other crates' events are dropped whatever the level: their traces show requests and passwords.
pub fn install(log: Log, inherited: &Inherited) {
    let stderr = Arc::new(Stderr::default());
    let style = match log.format {
        LogFormat::Json => Style::Json,
        LogFormat::Text if is_journal(inherited) => Style::Journal,
        LogFormat::Text if std::io::stderr().is_terminal() => Style::Terminal {
            color: wants_color(inherited),
        },
        LogFormat::Text => Style::Plain,
    };
    let level = match log.verbosity {
        Verbosity::Quiet => LevelFilter::WARN,
        Verbosity::Normal => LevelFilter::INFO,
        Verbosity::Debug => LevelFilter::DEBUG,
        Verbosity::Trace => LevelFilter::TRACE,
    };
    let lines = Lines {
        style,
        stderr: Arc::clone(&stderr),
    };
    let layer = tracing_subscriber::fmt::layer()
        .event_format(lines)
        .with_ansi(false)
        .log_internal_errors(false)
        .with_writer(move || Line(Arc::clone(&stderr)));
    let ours = Targets::new().with_target("changeover", level);
    // The only failure is that a subscriber is there already.
    let _ = tracing_subscriber::registry()
        .with(layer)
        .with(ours)
        .try_init();
}

/// Logs a notice.
///
/// Returns it, unless it is one of those that only `-v` tells.
pub fn announce(context: &Context, notice: &Notice) -> Option<String> {
    let (level, line) = render(context, notice);
    match level {
        Level::ERROR => tracing::error!(facts = %facts(notice), "{line}"),
        Level::WARN => tracing::warn!(facts = %facts(notice), "{line}"),
        Level::INFO => tracing::info!(facts = %facts(notice), "{line}"),
        Level::DEBUG => tracing::debug!(facts = %facts(notice), "{line}"),
        Level::TRACE => tracing::trace!(facts = %facts(notice), "{line}"),
    }
    (level <= Level::INFO).then_some(line)
}

/// A fact for a program: what it is, in whose life, and its line.
#[must_use]
pub fn told(context: &Context, notice: &Notice) -> Map<String, Value> {
    let mut told = facts::facts(notice);
    let (_, line) = render(context, notice);
    let line = without_tokens(&line).unwrap_or(line);
    told.insert("app".to_owned(), context.app.as_str().into());
    told.insert("message".to_owned(), line.into());
    told
}

/// One JSON object: `Lines` takes it apart for a machine, and leaves it out for people.
fn facts(notice: &Notice) -> String {
    Value::Object(facts::facts(notice)).to_string()
}

/// Takes one event's whole text in one call.
struct Line(Arc<Stderr>);

impl Write for Line {
    /// The last look for a token, wherever a text may have come from.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let masked = std::str::from_utf8(line).ok().and_then(without_tokens);
        match masked {
            Some(masked) => self.0.put(masked.as_bytes()),
            None => self.0.put(line),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// systemd names the device and inode of the stream that it gave us; behind a redirection stderr is
/// another one.
fn is_journal(inherited: &Inherited) -> bool {
    let named = inherited.get(std::ffi::OsStr::new("JOURNAL_STREAM"));
    let Some((device, inode)) = named.and_then(|name| name.to_str()?.split_once(':')) else {
        return false;
    };
    let stderr = std::io::stderr().as_fd().try_clone_to_owned();
    let Ok(found) = stderr.and_then(|stderr| File::from(stderr).metadata()) else {
        return false;
    };
    device.parse() == Ok(found.dev()) && inode.parse() == Ok(found.ino())
}

/// <https://no-color.org>: any value but the empty one means no.
fn wants_color(inherited: &Inherited) -> bool {
    let value = |name: &str| inherited.get(std::ffi::OsStr::new(name));
    value("NO_COLOR").is_none_or(|no| no.is_empty())
        && value("TERM").is_none_or(|term| term != "dumb")
}
