//! `changeover run --print-config`: every option with its value and where that came from.

use std::ffi::OsStr;
use std::io::{self, Write as _};

use crate::config::{Inherited, Place, Shown, Typed, shown};
use crate::credential::phrase;
use crate::exit_code::ExitCode;
use crate::heroku::{ApiUrl, HOST_VARIABLE};

use super::failure::Failure;

/// Prints a table.
pub(super) fn print(typed: &Typed, inherited: &Inherited) -> Result<ExitCode, Failure> {
    let mut options = shown(typed, inherited);
    for option in &mut options {
        show_api_url(option, inherited);
    }
    let text = table(&options);
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::Success)
}

/// Where nobody names it, `HEROKU_HOST` may. What that cannot be is shown as it is.
fn show_api_url(option: &mut Shown, inherited: &Inherited) {
    if option.option != "api-url" || option.place != Place::Default {
        return;
    }
    let host = inherited.get(OsStr::new(HOST_VARIABLE));
    let host = host.filter(|host| !host.is_empty());
    option.value = match (ApiUrl::resolve(None, inherited), host) {
        (Err(_), Some(host)) => phrase(&host.to_string_lossy()),
        (Ok(url), _) => phrase(&url.to_string()),
        (Err(error), None) => error.to_string(),
    };
    if host.is_some() {
        option.place = Place::Variable(HOST_VARIABLE.to_owned());
    }
}

fn table(options: &[Shown]) -> String {
    let longest = |length: fn(&Shown) -> usize| options.iter().map(length).max().unwrap_or(0);
    let option = longest(|one| one.option.len());
    let value = longest(|one| one.value.chars().count()).min(40);
    let line = |one: &Shown| {
        let (name, shown, place) = (&one.option, &one.value, &one.place);
        format!("--{name:option$}  {shown:value$}  {place}\n")
    };
    options.iter().map(line).collect()
}
