//! `changeover run --print-config`: every option with its value and where that came from.

use std::io::{self, Write as _};

use crate::config::{Inherited, Shown, Typed, shown};
use crate::exit_code::ExitCode;

use super::failure::Failure;

/// Prints a table.
pub(super) fn print(typed: &Typed, inherited: &Inherited) -> Result<ExitCode, Failure> {
    let text = table(&shown(typed, inherited));
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    Ok(ExitCode::Success)
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
