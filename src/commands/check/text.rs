//! A report for people: a word, a name and a finding on each line, and below it what to do; within
//! 80 columns.

use std::fmt;

use crate::credential::phrase;
use crate::exit_code::ExitCode;

use super::report::{Line, Report, Verdict};

const COLUMNS: usize = 80;
/// `unknown` and `variable` are the longest words of theirs.
const STATUS_WIDTH: usize = 9;
const NAME_WIDTH: usize = 10;
const INDENT: usize = STATUS_WIDTH + NAME_WIDTH;
const DO: &str = "do: ";

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut section = None;
        let mut lines = self.lines.as_slice();
        while let Some(line) = lines.first() {
            if section != line.variable.as_deref() {
                section = line.variable.as_deref();
                writeln!(f, "\n{}", phrase(section.unwrap_or_default()))?;
            }
            let alike = lines.iter().take_while(|one| is_like(one, line)).count();
            let (these, rest) = lines.split_at(alike.max(1));
            write_lines(f, line, these)?;
            lines = rest;
        }
        writeln!(f)?;
        write_wrapped(f, "", &self.conclusion())
    }
}

/// Whether both were not looked at, for the same reason.
fn is_like(one: &Line, other: &Line) -> bool {
    matches!(one.verdict, Verdict::Behind(_))
        && (&one.verdict, &one.variable) == (&other.verdict, &other.variable)
}

/// One line, or all that were not looked at in one.
fn write_lines(f: &mut fmt::Formatter<'_>, line: &Line, these: &[Line]) -> fmt::Result {
    let status = match line.verdict {
        // Nobody overlooks it.
        Verdict::Failed { .. } => "FAILED",
        Verdict::Good(_)
        | Verdict::Advice { .. }
        | Verdict::Unknown { .. }
        | Verdict::Behind(_) => line.verdict.status(),
    };
    let found = line.verdict.found();
    let (name, found) = match these {
        [_] => (line.name.text(), found),
        _ => {
            let names: Vec<_> = these.iter().map(|line| line.name.text()).collect();
            ("", format!("{}: {found}", names.join(", ")))
        }
    };
    let head = format!("{status:STATUS_WIDTH$}{name:NAME_WIDTH$}");
    write_wrapped(f, &head, &found)?;
    match line.verdict.mend() {
        Some(mend) => write_wrapped(f, &format!("{:INDENT$}{DO}", ""), mend),
        None => Ok(()),
    }
}

/// The text behind its head, and as far to the right on the lines after it.
fn write_wrapped(f: &mut fmt::Formatter<'_>, head: &str, text: &str) -> fmt::Result {
    let indent = head.chars().count();
    let mut line = head.to_owned();
    for word in words(text) {
        let is_first = line.chars().count() == indent;
        let width = line.chars().count() + usize::from(!is_first) + word.chars().count();
        if width > COLUMNS && !is_first {
            writeln!(f, "{}", line.trim_end())?;
            line = " ".repeat(indent);
        } else if !is_first {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(f, "{}", line.trim_end())
}

/// The words of a text. A command between backquotes is one, so that it can be copied, unless no
/// line could hold it.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut is_command = false;
    for (at, c) in text.char_indices() {
        match c {
            '`' => is_command = !is_command,
            ' ' if !is_command => {
                words.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    words.push(&text[start..]);
    let fits = |word: &&str| word.chars().count() <= COLUMNS - INDENT - DO.len();
    let parts = words.into_iter().map(|word| {
        if fits(&word) {
            vec![word]
        } else {
            word.split(' ').collect()
        }
    });
    parts.flatten().filter(|word| !word.is_empty()).collect()
}

impl Report {
    fn conclusion(&self) -> String {
        let code = self.code();
        if code == ExitCode::Success {
            return format!("`changeover run -a {}` has here what it needs.", self.app);
        }
        format!(
            "Something is in the way: begin with the first FAILED line, and check again. (Exit code {}.)",
            code.number()
        )
    }
}
