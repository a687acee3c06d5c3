//! `changeover env`: the fetched variables in five formats, each read back exactly by its readers,
//! or refused as a whole.

use std::io::Write as _;

use serde_json::Value;
use thiserror::Error;

use crate::config::{Config, Format, Inherited};
use crate::credential::{Secret, dotenv};
use crate::exit_code::ExitCode;
use crate::process;

use super::failure::Failure;
use super::first;

/// A variable that a format cannot hold. Nothing is printed then; the value is never shown.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{name:?} cannot be written as {format}: {why}, so nothing was printed; {mend}")]
pub struct Unprintable {
    name: String,
    format: &'static str,
    why: &'static str,
    mend: &'static str,
}

/// What is in the way, and what to do.
type Obstacle = (&'static str, &'static str);

const OTHER_FORMAT: &str = "choose another --format, such as json";
const NO_NAME: Obstacle = (
    "its name is not made of letters, digits and underscores",
    "choose another --format, or rename it with --var NAME=AS",
);

/// Fetches, and prints everything or nothing.
pub(super) fn print(
    config: &Config,
    format: Format,
    inherited: &Inherited,
    started_with: process::Inherited,
) -> Result<ExitCode, Failure> {
    let environment = first::environment(config, inherited, started_with)?;
    let text = render(format, environment.fetched())
        .map_err(|error| Failure::Unusable(error.to_string()))?;
    let mut stdout = std::io::stdout().lock();
    let written = stdout
        .write_all(text.expose().as_bytes())
        .and_then(|()| stdout.flush());
    written.map_err(Failure::Output)?;
    Ok(ExitCode::Success)
}

/// All variables in one text, or the first that cannot be written. The text holds secrets and is
/// one itself.
///
/// # Errors
/// When a name or a value would not be read back exactly.
pub fn render<'a>(
    format: Format,
    variables: impl IntoIterator<Item = (&'a str, &'a Secret)>,
) -> Result<Secret, Unprintable> {
    let variables: Vec<_> = variables.into_iter().collect();
    let mut text = String::new();
    for (at, (name, value)) in variables.iter().enumerate() {
        let refuse = |(why, mend)| Unprintable {
            name: (*name).to_owned(),
            format: word(format),
            why,
            mend,
        };
        check_name(format, name).map_err(refuse)?;
        let value = value.expose();
        let line = match format {
            Format::Shell => Ok(format!("export {name}={}", shell(value))),
            Format::Dotenv => dotenv(name, value),
            Format::Json => {
                let comma = if at + 1 < variables.len() { "," } else { "" };
                let (name, value) = (Value::from(*name), Value::from(value));
                Ok(format!("  {name}: {value}{comma}"))
            }
            Format::Docker => docker(value).map(|value| format!("{name}={value}")),
            Format::Systemd => systemd(value).map(|value| format!("{name}={value}")),
        };
        text.push_str(&line.map_err(refuse)?);
        text.push('\n');
    }
    if format == Format::Json {
        text = format!("{{\n{text}}}\n");
    }
    Ok(Secret::new(text))
}

const fn word(format: Format) -> &'static str {
    match format {
        Format::Shell => "shell",
        Format::Dotenv => "dotenv",
        Format::Json => "json",
        Format::Docker => "docker",
        Format::Systemd => "systemd",
    }
}

fn check_name(format: Format, name: &str) -> Result<(), Obstacle> {
    let fits = match format {
        Format::Json => true,
        // `#` begins a comment, `=` ends the name, and docker refuses blanks in it.
        Format::Docker => {
            !name.contains(|c: char| c == '=' || c.is_whitespace() || c.is_control())
                && !name.starts_with(['#', '\u{feff}'])
                && !name.is_empty()
        }
        Format::Shell | Format::Dotenv | Format::Systemd => dotenv::is_plain_name(name),
    };
    if fits { Ok(()) } else { Err(NO_NAME) }
}

/// POSIX: between single quotes every character stands for itself, except the single quote.
fn shell(value: &str) -> String {
    format!("'{}'", value.replace('\'', r"'\''"))
}

fn dotenv(name: &str, value: &str) -> Result<String, Obstacle> {
    match dotenv::quote(name, value) {
        Ok(quote) => Ok(format!("{name}={quote}{value}{quote}")),
        Err(dotenv::Obstacle::Name) => Err(NO_NAME),
        Err(dotenv::Obstacle::Value(why)) => Err((why, OTHER_FORMAT)),
    }
}

/// `docker run --env-file` takes the line as it is: no quotes, no escapes, no line breaks.
fn docker(value: &str) -> Result<&str, Obstacle> {
    if value.contains(['\n', '\r']) {
        return Err((
            "its value has several lines, and an --env-file has no way to write them",
            OTHER_FORMAT,
        ));
    }
    Ok(value)
}

/// Between double quotes systemd unescapes `\`, `"`, `` ` `` and `$`; a line break stands for
/// itself. Other control characters make it drop the variable (`env_value_is_valid`).
fn systemd(value: &str) -> Result<String, Obstacle> {
    if value.contains(|c: char| c.is_ascii_control() && c != '\t' && c != '\n') {
        return Err((
            "its value holds a control character, which systemd refuses",
            OTHER_FORMAT,
        ));
    }
    let mut quoted = String::from('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    Ok(quoted)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    const ALL: [Format; 5] = [
        Format::Shell,
        Format::Dotenv,
        Format::Json,
        Format::Docker,
        Format::Systemd,
    ];

    fn one(format: Format, name: &str, value: &str) -> Result<String, Unprintable> {
        let value = Secret::from(value);
        render(format, [(name, &value)]).map(|text| text.expose().to_owned())
    }

    #[test]
    fn a_plain_value_in_every_format() {
        let url = "postgres://u:p@h:5432/d?a=b&c=d#e";
        for (format, expected) in [
            (Format::Shell, format!("export URL='{url}'\n")),
            (Format::Dotenv, format!("URL='{url}'\n")),
            (Format::Json, format!("{{\n  \"URL\": \"{url}\"\n}}\n")),
            (Format::Docker, format!("URL={url}\n")),
            (Format::Systemd, format!("URL=\"{url}\"\n")),
        ] {
            assert_eq!(one(format, "URL", url).unwrap(), expected);
        }
    }

    #[test]
    fn awkward_values() {
        for (format, value, expected) in [
            (Format::Shell, "it's", r"export A='it'\''s'"),
            (Format::Shell, "''", r"export A=''\'''\'''"),
            (Format::Shell, "a\nb$`\"\\", "export A='a\nb$`\"\\'"),
            (Format::Dotenv, "it's", r#"A="it's""#),
            (
                Format::Dotenv,
                r#"a"b $c `d` # \n"#,
                r#"A='a"b $c `d` # \n'"#,
            ),
            (Format::Dotenv, "a\nb", "A='a\nb'"),
            (Format::Docker, r#" a 'b' "c" # \"#, r#"A= a 'b' "c" # \"#),
            (Format::Systemd, r#"a"b\c`d$e'f"#, r#"A="a\"b\\c\`d\$e'f""#),
            (Format::Systemd, "a\n\tb", "A=\"a\n\tb\""),
        ] {
            let line = one(format, "A", value).unwrap();
            assert_eq!(line, format!("{expected}\n"), "{value:?}");
        }
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused_by_name_and_never_by_value() {
        for (format, value) in [
            (Format::Dotenv, "CANARY\r"),
            (Format::Dotenv, "CANARY${A}"),
            (Format::Dotenv, r"CANARY\"),
            (Format::Dotenv, r"CANARY\\b"),
            (Format::Dotenv, "CANARY'\""),
            (Format::Dotenv, r"CANARY'\b"),
            (Format::Dotenv, "CANARY'$b"),
            (Format::Dotenv, "CANARY'\n"),
            (Format::Docker, "CANARY\nb"),
            (Format::Docker, "CANARY\r"),
            (Format::Systemd, "CANARY\x1b"),
            (Format::Systemd, "CANARY\r"),
        ] {
            let why = one(format, "KEY", value).unwrap_err().to_string();
            assert!(why.starts_with("\"KEY\" cannot be written as "), "{why}");
            assert!(!why.contains("CANARY"), "{why}");
        }
    }

    #[test]
    fn names_that_a_reader_would_take_for_something_else() {
        for format in [Format::Shell, Format::Dotenv, Format::Systemd] {
            for name in [
                "",
                "1A",
                "A-B",
                "A.B",
                "A B",
                "A=B",
                "A;reboot",
                "$(reboot)",
                "Ä",
            ] {
                assert!(one(format, name, "x").is_err(), "{format:?} {name}");
            }
        }
        for name in ["", "A=B", "A B", "#A", "A\nB"] {
            assert!(one(Format::Docker, name, "x").is_err(), "{name}");
        }
        assert_eq!(one(Format::Docker, "A.B", "x").unwrap(), "A.B=x\n");
        let quoted = one(Format::Json, "A \"", "x").unwrap();
        assert_eq!(quoted, "{\n  \"A \\\"\": \"x\"\n}\n");
    }

    #[test]
    fn all_or_nothing() {
        let (good, bad) = (Secret::from("1"), Secret::from("a\nb"));
        let error = render(Format::Docker, [("A", &good), ("B", &bad)]).unwrap_err();
        assert!(error.to_string().contains("\"B\""), "{error}");
        for format in ALL {
            let expected = if format == Format::Json { "{\n}\n" } else { "" };
            assert_eq!(render(format, []).unwrap().expose(), expected);
        }
    }

    /// What systemd's `parse_env_file` makes of one `A="…"` line (`src/basic/env-file.c`).
    fn read_as_systemd(line: &str) -> String {
        let inner = line.strip_prefix("A=\"").unwrap();
        let inner = inner.strip_suffix("\"\n").unwrap();
        let mut value = String::new();
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            assert_ne!(c, '"', "the quotes end too early");
            match (c, chars.clone().next()) {
                ('\\', Some(next @ ('"' | '\\' | '`' | '$'))) => {
                    chars.next();
                    value.push(next);
                }
                _ => value.push(c),
            }
        }
        value
    }

    proptest! {
        #[test]
        fn json_and_systemd_give_back_what_they_took(value in "[^\\x00]{0,40}") {
            let text = one(Format::Json, "A", &value).unwrap();
            let read: Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read["A"].as_str(), Some(value.as_str()));
            if let Ok(line) = one(Format::Systemd, "A", &value) {
                prop_assert_eq!(read_as_systemd(&line), value);
            }
        }
    }

    /// One shell reads them all: spawning is what is slow.
    #[test]
    fn a_shell_gives_back_what_it_took() {
        let values = [
            "",
            " ",
            "'",
            "''",
            "'a'",
            "\\",
            "\\'",
            "$HOME `id` $(id)",
            "a\nb\n",
            "\t\r!*?~#;&|<>",
            "äöü€",
            "-n",
            "=",
        ];
        let mut script = String::new();
        for value in values {
            script.push_str(&one(Format::Shell, "A", value).unwrap());
            script.push_str("printf '%s\\001' \"$A\"\n");
        }
        let output = Command::new("sh")
            .args(["-c", "eval \"$0\"", &script])
            .output()
            .unwrap();
        let read = String::from_utf8(output.stdout).unwrap();
        let read = read.strip_suffix('\u{1}').unwrap();
        assert_eq!(read.split('\u{1}').collect::<Vec<_>>(), values);
    }
}
