//! Which value of an option counts, and how an error names it: typed wins over the environment,
//! that over the default.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::DEFAULTS;
use super::control::LISTEN;

/// What `changeover` was started with.
pub type Inherited = BTreeMap<OsString, OsString>;

/// An option, or several together, that make no sense: one sentence. The program ends with code 2.
#[derive(Clone, PartialEq, Eq)]
pub struct UsageError(pub String);

/// One option's value, and where it came from.
#[derive(Clone)]
pub(super) struct Given<T> {
    option: &'static str,
    pub(super) value: T,
    origin: Origin,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Typed,
    Environment(&'static str),
    Default,
}

/// Looks options up.
pub(super) struct Lookup<'a>(pub(super) &'a Inherited);

/// The environment variable of an option.
pub(super) fn variable(option: &str) -> String {
    let name = option.chars().map(|letter| match letter {
        '-' => '_',
        letter => letter.to_ascii_uppercase(),
    });
    "CHANGEOVER_".chars().chain(name).collect()
}

impl Lookup<'_> {
    /// An option's raw value, unless it is given nowhere.
    pub(super) fn raw(
        &self,
        option: &'static str,
        typed: Option<OsString>,
    ) -> Option<Given<OsString>> {
        let environment = |name: &str| {
            let value = self.0.get(OsStr::new(name))?;
            (!value.is_empty()).then(|| value.clone())
        };
        let given = |value, origin| Given {
            option,
            value,
            origin,
        };
        if let Some(value) = typed {
            return Some(given(value, Origin::Typed));
        }
        if let Some(value) = environment(&variable(option)) {
            return Some(given(value, Origin::Environment("the environment")));
        }
        let value = environment("HEROKU_APP").filter(|_| option == "app")?;
        Some(given(value, Origin::Environment("HEROKU_APP")))
    }

    /// An option's text, unless it is given nowhere.
    pub(super) fn text(
        &self,
        option: &'static str,
        typed: Option<OsString>,
    ) -> Result<Option<Given<String>>, UsageError> {
        self.raw(option, typed).map(Given::utf8).transpose()
    }

    /// An option's text, or its default from [`DEFAULTS`].
    pub(super) fn text_or_default(
        &self,
        option: &'static str,
        typed: Option<OsString>,
    ) -> Result<Given<String>, UsageError> {
        if let Some(given) = self.text(option, typed)? {
            return Ok(given);
        }
        let default = DEFAULTS.iter().find(|(known, _)| *known == option);
        Ok(Given {
            option,
            value: default.map_or("", |(_, text)| text).to_owned(),
            origin: Origin::Default,
        })
    }

    /// A path; paths need not be UTF-8.
    pub(super) fn path(
        &self,
        option: &'static str,
        typed: Option<PathBuf>,
    ) -> Option<Given<PathBuf>> {
        let given = self.raw(option, typed.map(PathBuf::into_os_string))?;
        Some(given.map(PathBuf::from))
    }

    /// A repeatable option: every part between commas, of every occurrence.
    pub(super) fn list(
        &self,
        option: &'static str,
        typed: Vec<OsString>,
    ) -> Result<Vec<Given<String>>, UsageError> {
        let given: Vec<Given<OsString>> = if typed.is_empty() {
            self.raw(option, None).into_iter().collect()
        } else {
            let one = |value| self.raw(option, Some(value));
            typed.into_iter().filter_map(one).collect()
        };
        let mut parts = Vec::new();
        for entry in given {
            let entry = entry.utf8()?;
            for part in entry.value.split(',') {
                let part = part.trim().to_owned();
                parts.push(entry.clone().map(|_| part));
            }
        }
        Ok(parts)
    }

    /// A switch.
    pub(super) fn switch(&self, option: &'static str, typed: bool) -> Result<bool, UsageError> {
        if typed {
            return Ok(true);
        }
        let Some(given) = self.text(option, None)? else {
            return Ok(false);
        };
        match given.value.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" => Ok(true),
            "0" | "false" | "no" => Ok(false),
            _ => Err(given.wrong(
                "and a switch is either on or off",
                "write 1, true or yes, or else 0, false or no",
            )),
        }
    }
}

impl<T> Given<T> {
    pub(super) fn map<U>(self, change: impl FnOnce(T) -> U) -> Given<U> {
        Given {
            option: self.option,
            value: change(self.value),
            origin: self.origin,
        }
    }

    /// Whether the user asked for this in one way and for `other` in a weaker one.
    pub(super) fn outranks<U>(&self, other: &Given<U>) -> bool {
        self.origin == Origin::Typed && other.origin != Origin::Typed
    }

    /// `--interval (CHANGEOVER_INTERVAL)`.
    pub(super) fn name(&self) -> String {
        name(self.option)
    }
}

impl<T: AsRef<OsStr>> Given<T> {
    /// `OPTION is VALUE PLACE, WHY: MEND`.
    pub(super) fn wrong(&self, why: &str, mend: &str) -> UsageError {
        let place = match self.origin {
            Origin::Typed => "on the command line".to_owned(),
            Origin::Environment(place) => format!("in {place}"),
            Origin::Default => "by default".to_owned(),
        };
        let value = quoted(&self.value.as_ref().to_string_lossy());
        UsageError(format!("{} is {value} {place}, {why}: {mend}", self.name()))
    }
}

impl<T: AsRef<OsStr>> Given<T> {
    /// Beside the other options it can have no effect: an error for who types it. In the
    /// environment, which a whole fleet may share, it is for those whom it fits.
    pub(super) fn idle(&self, why: &str, mend: &str) -> Result<(), UsageError> {
        match self.origin {
            Origin::Typed => Err(self.wrong(why, mend)),
            Origin::Environment(_) | Origin::Default => Ok(()),
        }
    }
}

impl Given<OsString> {
    pub(super) fn utf8(self) -> Result<Given<String>, UsageError> {
        match self.value.to_str() {
            Some(text) => {
                let text = text.to_owned();
                Ok(self.map(|_| text))
            }
            None => Err(self.wrong(
                "which is not UTF-8, so it cannot be read as text",
                "write it anew",
            )),
        }
    }
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for UsageError {}

/// `--interval (CHANGEOVER_INTERVAL)`.
pub(super) fn name(option: &str) -> String {
    let typed = if option == LISTEN { "control" } else { option };
    let second = if option == "app" {
        " or HEROKU_APP"
    } else {
        ""
    };
    format!("--{typed} ({}{second})", variable(option))
}

/// A value in quotes, cut short; what looks like a URL may hold a password and is not shown.
fn quoted(value: &str) -> String {
    const CHARACTERS_MAX: usize = 64;
    if value.contains("://") {
        return "a URL (not shown)".to_owned();
    }
    let mut short: String = value.chars().take(CHARACTERS_MAX).collect();
    if short.len() < value.len() {
        short.push('…');
    }
    format!("{short:?}")
}
