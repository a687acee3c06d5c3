//! One event as one line of text or JSON.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::process::Stderr;

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// A person, now: the time alone.
    Terminal {
        /// WARN and ERROR in colour.
        color: bool,
    },
    /// A file or a pipe, later: date and time.
    Plain,
    /// journald, which adds its own time and reads the level from a prefix.
    Journal,
    /// A machine.
    Json,
}

/// Writes events in a style.
pub(super) struct Lines {
    pub(super) style: Style,
    pub(super) stderr: Arc<Stderr>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let now = now();
        let lost = self.stderr.take_lost();
        if lost > 0 {
            let message = format!("{lost} log lines were lost: nobody read stderr");
            let told = Fields::message(message);
            writer.write_str(&line(self.style, &now, Level::WARN, &told))?;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        writer.write_str(&line(self.style, &now, *event.metadata().level(), &fields))
    }
}

/// What an event carries.
#[derive(Default)]
pub(super) struct Fields {
    message: String,
    /// What only a machine reads.
    facts: Map<String, Value>,
    others: Map<String, Value>,
}

impl Fields {
    pub(super) fn message(message: String) -> Self {
        Self {
            message,
            facts: Map::new(),
            others: Map::new(),
        }
    }

    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(message)) => self.message = message,
            ("facts", Value::String(text)) => {
                self.facts = serde_json::from_str(&text).unwrap_or_default();
            }
            (name, value) => drop(self.others.insert(name.to_owned(), value)),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// `2026-11-02T03:04:05.123456Z`, or nothing when the clock cannot be read.
fn now() -> String {
    let mut now = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut now));
    now
}

/// One event as one line; `now` as [`now`] writes it.
pub(super) fn line(style: Style, now: &str, level: Level, fields: &Fields) -> String {
    if style == Style::Json {
        return json(now, level, fields);
    }
    let prefix = match style {
        Style::Terminal { .. } => format!("{}Z ", now.get(11..19).unwrap_or("")),
        Style::Journal => format!("<{}>", priority(level)),
        Style::Plain | Style::Json => format!("{}Z ", now.get(..19).unwrap_or("")),
    };
    let color = style == Style::Terminal { color: true };
    let word = match (level, color) {
        (Level::WARN, true) => "\x1b[33mWARN\x1b[0m ",
        (Level::ERROR, true) => "\x1b[31mERROR\x1b[0m ",
        (Level::WARN, false) => "WARN ",
        (Level::ERROR, false) => "ERROR ",
        (_, _) => "",
    };
    let mut text = fields.message.clone();
    for (name, value) in &fields.others {
        // Writing to a String cannot fail.
        let _ = write!(text, " {name}={value}");
    }
    let mut line = prefix + word;
    for c in text.chars() {
        if is_printable(c) {
            line.push(c);
        } else {
            line.extend(c.escape_default());
        }
    }
    line.push('\n');
    line
}

fn json(now: &str, level: Level, fields: &Fields) -> String {
    let message = Value::from(fields.message.as_str());
    let mut line = format!("{{\"timestamp\":\"{now}\",\"level\":\"{level}\",\"message\":{message}");
    for (name, value) in fields.facts.iter().chain(&fields.others) {
        // Writing to a String cannot fail.
        let _ = write!(line, ",\"{name}\":{value}");
    }
    line + "}\n"
}

/// Neither a control character nor one that turns the direction of writing or breaks a line.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && !matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// syslog's numbers, as `sd-daemon(3)` lists them.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-02T03:04:05.123456Z";

    fn fields(message: &str) -> Fields {
        let mut fields = Fields::message(message.to_owned());
        fields.others.insert("pid".to_owned(), 42.into());
        fields
    }

    #[test]
    fn each_reader_gets_its_own_form() {
        let plain = Style::Terminal { color: false };
        let color = Style::Terminal { color: true };
        for (style, level, expected) in [
            (plain, Level::INFO, "03:04:05Z a pid=42\n"),
            (plain, Level::WARN, "03:04:05Z WARN a pid=42\n"),
            (
                color,
                Level::ERROR,
                "03:04:05Z \x1b[31mERROR\x1b[0m a pid=42\n",
            ),
            (color, Level::DEBUG, "03:04:05Z a pid=42\n"),
            (
                Style::Plain,
                Level::WARN,
                "2026-11-02T03:04:05Z WARN a pid=42\n",
            ),
            (Style::Journal, Level::INFO, "<6>a pid=42\n"),
            (Style::Journal, Level::ERROR, "<3>ERROR a pid=42\n"),
            (
                Style::Json,
                Level::INFO,
                "{\"timestamp\":\"2026-11-02T03:04:05.123456Z\",\"level\":\"INFO\",\"message\":\"a\",\"pid\":42}\n",
            ),
        ] {
            assert_eq!(line(style, NOW, level, &fields("a")), expected);
        }
    }

    #[test]
    fn a_message_is_one_line_whatever_it_holds() {
        let text = line(
            Style::Journal,
            NOW,
            Level::INFO,
            &fields("a\n<0>b\x1b[2J\u{202e}"),
        );
        assert_eq!(text, "<6>a\\n<0>b\\u{1b}[2J\\u{202e} pid=42\n");
        let text = line(Style::Json, NOW, Level::INFO, &fields("a\nb"));
        assert_eq!(text.matches('\n').count(), 1, "{text}");
    }
}
