//! The little languages of option values: durations, signals, stop sequences, names, words.

use std::path::PathBuf;
use std::time::Duration;

use crate::credential::environment::is_own;
use crate::credential::names::is_reserved;
use crate::credential::snapshot::Watched;
use crate::credential::{Followed, dotenv};
use crate::supervisor::signal::Signal;

use super::given::{Given, UsageError};
use super::{Backoff, Mapped, OnChange, RestartLimit, StopSequence, StopStep, User};

/// Longer waits are a slip, and far below every overflow.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
/// More steps than any program's manual asks for.
const STEPS_MAX: usize = 16;
/// Shorter pauses are a loop.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Each counted restart is remembered.
const RESTARTS_MAX: u32 = 10_000;

type Text = Given<String>;

/// One of a few words.
pub(super) fn choice<T: Copy>(given: &Text, words: &[(&str, T)]) -> Result<T, UsageError> {
    if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == given.value) {
        return Ok(*meaning);
    }
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    Err(given.wrong(
        "which this version does not know",
        &format!("write {}", known.join(", ")),
    ))
}

/// A duration with its unit, at least `minimum`.
pub(super) fn duration(given: &Text, minimum: Duration) -> Result<Duration, UsageError> {
    let duration = read_duration(&given.value).map_err(|(why, mend)| given.wrong(&why, &mend))?;
    if duration < minimum {
        let least = humantime::format_duration(minimum).to_string();
        return Err(given.wrong(
            "which is too short to work",
            &format!("write {least} or more"),
        ));
    }
    Ok(duration)
}

/// A signal by name or number.
pub(super) fn signal(given: &Text) -> Result<Signal, UsageError> {
    Signal::from_name(&given.value).ok_or_else(|| {
        given.wrong(
            "which is no signal",
            "write a name such as TERM, INT or USR1",
        )
    })
}

/// `FROM:TO` or `FROM:none`.
pub(super) fn signal_rule(given: &Text) -> Result<(Signal, Mapped), UsageError> {
    const MEND: &str = "write two signals such as TERM:QUIT, or TERM:none";
    let Some((from, to)) = given.value.split_once(':') else {
        return Err(given.wrong("which is no rule for a signal", MEND));
    };
    let read = |name: &str| {
        Signal::from_name(name)
            .ok_or_else(|| given.wrong(&format!("where {name:?} is no signal"), MEND))
    };
    let from = read(from)?;
    if from == Signal::KILL || from == Signal::STOP {
        let why = format!("and {from} cannot be caught, so it cannot become another");
        return Err(given.wrong(&why, "leave it out"));
    }
    if from == Signal::CHLD {
        let why = "and CHLD tells changeover of its own programs, so it is never passed on";
        return Err(given.wrong(why, "leave it out"));
    }
    let mapped = if to.eq_ignore_ascii_case("none") {
        Mapped::Swallowed
    } else {
        Mapped::To(read(to)?)
    };
    Ok((from, mapped))
}

/// `restart`, `exit` or `signal:SIG`.
pub(super) fn on_change(given: &Text) -> Result<OnChange, UsageError> {
    match (given.value.as_str(), given.value.strip_prefix("signal:")) {
        ("restart", _) => Ok(OnChange::Restart),
        ("exit", _) => Ok(OnChange::Exit),
        (_, Some(name)) => match Signal::from_name(name) {
            Some(Signal::KILL | Signal::STOP) => Err(given.wrong(
                "which no program can catch, so it would never read its new credentials",
                "write a signal that it handles, such as signal:HUP",
            )),
            Some(signal) => Ok(OnChange::Signal(signal)),
            None => Err(given.wrong(
                "which names no signal",
                "write one that the program handles, such as signal:HUP",
            )),
        },
        (_, None) => Err(given.wrong(
            "which this version does not know",
            "write restart, exit, or signal: with a signal, such as signal:HUP",
        )),
    }
}

/// A path with a file's name at its end.
pub(super) fn file(given: &Given<PathBuf>) -> Result<PathBuf, UsageError> {
    let ends = given.value.as_os_str().as_encoded_bytes().ends_with(b"/");
    if ends || given.value.file_name().is_none() {
        let why = "which is a directory, and a file is to be written";
        return Err(given.wrong(why, "write the file's name behind it"));
    }
    Ok(given.value.clone())
}

/// `TSTP 60s TERM 35s KILL`: signals and waits in turn, KILL once and last.
pub(super) fn stop_sequence(given: &Text) -> Result<StopSequence, UsageError> {
    const MEND: &str =
        "write signals and waits in turn and KILL at the end, such as \"TERM 35s KILL\"";
    let words: Vec<&str> = given.value.split_whitespace().collect();
    let Some((last, pairs)) = words.split_last() else {
        return Err(given.wrong("so nothing would ever stop the program", MEND));
    };
    if Signal::from_name(last) != Some(Signal::KILL) {
        let why = "and a program that ignores all of it would never stop";
        return Err(given.wrong(why, MEND));
    }
    if pairs.len() / 2 > STEPS_MAX {
        let why = format!("which has more than {STEPS_MAX} steps");
        return Err(given.wrong(&why, MEND));
    }
    let mut steps = Vec::new();
    for pair in pairs.chunks(2) {
        let [signal, wait] = pair else {
            return Err(given.wrong("where a signal or a wait is missing", MEND));
        };
        let signal = match Signal::from_name(signal) {
            Some(Signal::KILL) => {
                return Err(given.wrong("where KILL is not only at the end", MEND));
            }
            Some(signal) => signal,
            None => {
                let why = format!("where {signal:?} stands in a signal's place");
                return Err(given.wrong(&why, MEND));
            }
        };
        let wait = read_duration(wait).map_err(|_| {
            let why = format!("where {wait:?} stands in the place of a wait such as 35s");
            given.wrong(&why, MEND)
        })?;
        steps.push(StopStep { signal, wait });
    }
    Ok(StopSequence(steps))
}

/// A code of the program's that counts as 0.
pub(super) fn success_exit(given: &Text) -> Result<u8, UsageError> {
    given.value.parse().map_err(|_| {
        given.wrong(
            "which is no exit code",
            "write a number up to 255, such as 143 for a JVM that a TERM ended",
        )
    })
}

/// `MIN..MAX`: the shortest and the longest pause.
pub(super) fn backoff(given: &Text) -> Result<Backoff, UsageError> {
    const MEND: &str = "write the shortest and the longest, such as 1s..60s";
    let Some((min, max)) = given.value.split_once("..") else {
        return Err(given.wrong("which is no range of pauses", MEND));
    };
    let read = |text: &str| {
        read_duration(text).map_err(|_| {
            let why = format!("where {text:?} stands in the place of a pause such as 1s");
            given.wrong(&why, MEND)
        })
    };
    let (min, max) = (read(min)?, read(max)?);
    if min < BACKOFF_MIN {
        let why = "with which a program that fails at once would use the whole machine";
        return Err(given.wrong(why, "write 100ms or more for the shortest pause"));
    }
    if max < min {
        return Err(given.wrong("where the longest pause is below the shortest", MEND));
    }
    Ok(Backoff { min, max })
}

/// `N/D`: so many restarts in so long a time.
pub(super) fn max_restarts(given: &Text) -> Result<RestartLimit, UsageError> {
    const MEND: &str = "write a number and a time, such as 5/10m for five in ten minutes";
    let (count, within) = given
        .value
        .split_once('/')
        .ok_or_else(|| given.wrong("which is no number of restarts in a time", MEND))?;
    let count = count
        .parse()
        .ok()
        .filter(|count| (1..=RESTARTS_MAX).contains(count))
        .ok_or_else(|| {
            let why = format!("where {count:?} is no number of restarts from 1 to {RESTARTS_MAX}");
            given.wrong(&why, MEND)
        })?;
    let within = read_duration(within)
        .ok()
        .filter(|within| !within.is_zero())
        .ok_or_else(|| {
            let why = format!("where {within:?} stands in the place of a time such as 10m");
            given.wrong(&why, MEND)
        })?;
    Ok(RestartLimit { count, within })
}

/// A Heroku app's name or id; it becomes a part of a URL's path.
pub(super) fn app(given: &Text) -> Result<String, UsageError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if given.value.is_empty() || given.value.len() > 64 || !given.value.chars().all(fits) {
        return Err(given.wrong(
            "which no Heroku app can be called",
            "write the app's name, as `heroku apps` lists it (letters, digits and dashes)",
        ));
    }
    Ok(given.value.clone())
}

/// `NAME`, `NAME=AS`, or a pattern with `*`.
pub(super) fn watched(given: &Text) -> Result<Watched, UsageError> {
    let (pattern, export_as) = match given.value.split_once('=') {
        Some((pattern, name)) => (pattern, Some(name)),
        None => (given.value.as_str(), None),
    };
    let fits = |c: char| c.is_alphanumeric() || c == '_' || c == '*';
    if pattern.is_empty() || !pattern.chars().all(fits) {
        return Err(given.wrong(
            "which no config var can be called",
            "write a name such as DATABASE_URL, or a pattern such as 'HEROKU_POSTGRESQL_*_URL'",
        ));
    }
    if let Some(name) = export_as {
        check_export(given, pattern, name)?;
    }
    Ok(Watched {
        pattern: pattern.to_owned(),
        export_as: export_as.map(str::to_owned),
    })
}

/// `NAME` or `NAME=AS`: an add-on or an attachment.
pub(super) fn followed(given: &Text) -> Result<Followed, UsageError> {
    let (name, export_as) = match given.value.split_once('=') {
        Some((name, export_as)) => (name, export_as),
        None => (given.value.as_str(), "DATABASE_URL"),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(fits) {
        return Err(given.wrong(
            "which no add-on or attachment can be called",
            "write a name such as postgresql-round-12345 or HEROKU_POSTGRESQL_VIOLET",
        ));
    }
    check_export(given, name, export_as)?;
    Ok(Followed {
        name: name.to_owned(),
        export_as: export_as.to_owned(),
    })
}

/// A variable that is exported under this name must not break the program.
pub(super) fn not_reserved(given: &Text, name: &str) -> Result<(), UsageError> {
    if is_reserved(name) {
        let why = format!("but with a {name} of Heroku's the program may not even start");
        let mend = "leave it out, export it under another name, or add --allow-reserved";
        return Err(given.wrong(&why, mend));
    }
    Ok(())
}

fn check_export(given: &Text, pattern: &str, name: &str) -> Result<(), UsageError> {
    if pattern.contains('*') {
        return Err(given.wrong(
            "where several variables would get one name",
            "write a single variable's name before the =, or leave out what follows it",
        ));
    }
    if !dotenv::is_plain_name(name) {
        return Err(given.wrong(
            "where what follows the = is no name for an environment variable",
            "write letters, digits and underscores, no digit first",
        ));
    }
    if is_own(name) {
        let why = format!("but {name} is changeover's own and is kept from the program");
        return Err(given.wrong(&why, "export it under another name"));
    }
    Ok(())
}

/// The name of an inherited variable: anything that an environment can hold.
pub(super) fn inherited_name(given: &Text) -> Result<String, UsageError> {
    if given.value.is_empty() || given.value.contains(['=', '\0', '*']) {
        return Err(given.wrong(
            "which no environment variable is called",
            "write one variable's name, without a value or a pattern",
        ));
    }
    Ok(given.value.clone())
}

/// A URL's scheme, as RFC 3986 spells one.
pub(super) fn scheme(given: &Text) -> Result<String, UsageError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let begins = given.value.starts_with(|c: char| c.is_ascii_alphabetic());
    if !begins || !given.value.chars().all(fits) {
        return Err(given.wrong(
            "which is no URL scheme",
            "write what stands before :// alone, such as postgresql or postgresql+asyncpg",
        ));
    }
    Ok(given.value.clone())
}

/// `USER` or `USER:GROUP`, by name or number.
pub(super) fn user(given: &Text) -> Result<User, UsageError> {
    let (name, group) = match given.value.split_once(':') {
        Some((name, group)) => (name, Some(group)),
        None => (given.value.as_str(), None),
    };
    let bad = |part: &str| {
        part.is_empty() || part.contains([':', '\0']) || part.contains(char::is_whitespace)
    };
    if bad(name) || group.is_some_and(bad) {
        return Err(given.wrong(
            "which names no user",
            "write USER or USER:GROUP, by name or number",
        ));
    }
    Ok(User {
        name: name.to_owned(),
        group: group.map(str::to_owned),
    })
}

/// A duration, or why it is none and what to do.
pub(super) fn read_duration(text: &str) -> Result<Duration, (String, String)> {
    if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        let why = "and a number without a unit could be seconds or minutes".to_owned();
        return Err((
            why,
            format!("write {text}s for seconds, or {text}m for minutes"),
        ));
    }
    let example = || "write one such as 500ms, 60s or 2m30s".to_owned();
    match humantime::parse_duration(text) {
        Ok(duration) if duration > DURATION_MAX => Err((
            "which is longer than a year".to_owned(),
            "write a shorter one".to_owned(),
        )),
        Ok(duration) => Ok(duration),
        Err(_) => Err(("which is no duration".to_owned(), example())),
    }
}
