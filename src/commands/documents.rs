//! `changeover completions` and `changeover man`: what is generated from the command line's own
//! definition, and so is never behind it.

use std::io::{self, Write as _};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use crate::cli::Cli;
use crate::exit_code::ExitCode;

use super::failure::Failure;

/// Prints a script that completes command lines in this shell.
pub(super) fn completions(shell: Shell) -> Result<ExitCode, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "changeover", &mut script);
    print(&script)
}

/// Prints one manual page for all commands.
pub(super) fn man() -> Result<ExitCode, Failure> {
    print(&manual()?)
}

/// The page of `changeover` itself, and then what it says of each command.
fn manual() -> io::Result<Vec<u8>> {
    let mut definition = Cli::command();
    definition.build();
    let mut page = Vec::new();
    let whole = Man::new(definition.clone());
    whole.render_title(&mut page)?;
    whole.render_name_section(&mut page)?;
    whole.render_synopsis_section(&mut page)?;
    whole.render_description_section(&mut page)?;
    for command in definition.get_subcommands() {
        let name = command.get_name();
        writeln!(page, ".SH \"CHANGEOVER {}\"", name.to_uppercase())?;
        let about = command.get_about().map(ToString::to_string);
        writeln!(page, "{}", about.unwrap_or_default())?;
        Man::new(command.clone()).render_options_section(&mut page)?;
    }
    let after = definition.get_after_help().map(ToString::to_string);
    page.extend(sections(&after.unwrap_or_default()).into_bytes());
    Ok(page)
}

/// What stands below the options in `--help`: paragraphs that open with a title and a colon, and
/// keep their lines.
fn sections(after: &str) -> String {
    let mut page = String::new();
    for paragraph in after.split("\n\n") {
        let (title, text) = paragraph.split_once(":\n").unwrap_or((paragraph, ""));
        let mut section = Roff::new();
        section.control("SH", [title.to_uppercase().as_str()]);
        section.control("nf", []);
        for line in text.lines() {
            section.text([roman(line)]);
        }
        section.control("fi", []);
        page.push_str(&section.to_roff());
    }
    page
}

fn print(text: &[u8]) -> Result<ExitCode, Failure> {
    let mut stdout = io::stdout().lock();
    let written = stdout.write_all(text).and_then(|()| stdout.flush());
    written.map_err(Failure::Output)?;
    Ok(ExitCode::Success)
}
