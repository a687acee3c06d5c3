//! Every option with its value and where that came from, for `run --print-config`.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;

use crate::cli::{self, Known};
use crate::credential::phrase;

use super::DEFAULTS;
use super::control::{LISTEN, usual};
use super::given::{Inherited, variable};

/// The options that were typed, by their long names, each with its values.
pub type Typed = BTreeMap<String, Vec<OsString>>;

/// An option as it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its long name.
    pub option: String,
    /// Its value, fit to be shown: no token, no password.
    pub value: String,
    /// Where that comes from.
    pub place: Place,
}

/// Where an option's value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It was typed.
    Typed,
    /// This environment variable.
    Variable(String),
    /// Nobody gave one.
    Default,
}

/// The options of `run`, in the order of its help.
#[must_use]
pub fn shown(typed: &Typed, inherited: &Inherited) -> Vec<Shown> {
    let options = cli::options_of_run().into_iter();
    let options = options.filter(|option| option.name != "print-config");
    let mut all: Vec<Shown> = options
        .map(|option| show(option, typed, inherited))
        .collect();
    let app = all.iter().find(|one| one.option == "app");
    let app = app.filter(|one| one.place != Place::Default);
    let place = app.and_then(|app| usual(&app.value, inherited));
    for one in &mut all {
        if let ("control", Place::Default, Some(place)) = (&*one.option, &one.place, &place) {
            one.value = phrase(&place.display().to_string());
        }
    }
    all
}

fn show(option: Known, typed: &Typed, inherited: &Inherited) -> Shown {
    let mut variables = vec![match option.name.as_str() {
        "control" => variable(LISTEN),
        name => variable(name),
    }];
    if option.name == "app" {
        variables.push("HEROKU_APP".to_owned());
    }
    let inherits = |name: &String| {
        let value = inherited.get(OsStr::new(name))?;
        (!value.is_empty()).then(|| (fit(&option, value), Place::Variable(name.clone())))
    };
    let (value, place) = match typed.get(&option.name) {
        Some(_) if !option.takes_value => ("on".to_owned(), Place::Typed),
        Some(values) => {
            let values: Vec<_> = values.iter().map(|value| fit(&option, value)).collect();
            (values.join(","), Place::Typed)
        }
        None => {
            let inherited = variables.iter().find_map(inherits);
            inherited.unwrap_or_else(|| (default(&option), Place::Default))
        }
    };
    Shown {
        option: option.name,
        value,
        place,
    }
}

/// A command line may hold the token itself.
fn fit(option: &Known, value: &OsStr) -> String {
    if option.name == "token-command" {
        return "***".to_owned();
    }
    phrase(&value.to_string_lossy())
}

fn default(option: &Known) -> String {
    let default = DEFAULTS.iter().find(|(known, _)| *known == option.name);
    let nothing = if option.takes_value { "none" } else { "off" };
    default.map_or(nothing, |(_, text)| text).to_owned()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Typed => f.write_str("typed"),
            Self::Variable(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}
