//! The `.env` format, as far as all its readers agree on it: what they would read differently is
//! refused.

use super::Secret;

/// What stands in the way of writing a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Its name is none.
    Name,
    /// Its value holds this; a clause for a sentence about the variable.
    Value(&'static str),
}

/// All variables in one text, a line each, below `head`; or the name of the first that cannot be
/// written, and why. The text holds secrets and is one itself: it is laid out in one piece of
/// memory, so that no copy is left behind.
///
/// # Errors
/// When a name or a value would not be read back exactly.
pub fn render<'a>(
    head: &str,
    variables: impl Iterator<Item = (&'a str, &'a Secret)> + Clone,
) -> Result<Secret, (&'a str, Obstacle)> {
    let line_len = |(name, value): (&str, &Secret)| name.len() + value.expose().len() + 4;
    let length = head.len() + variables.clone().map(line_len).sum::<usize>();
    let mut text = String::with_capacity(length);
    text.push_str(head);
    for (name, value) in variables {
        let value = value.expose();
        let quote = quote(name, value).map_err(|obstacle| (name, obstacle))?;
        text.push_str(name);
        text.push('=');
        text.push(quote);
        text.push_str(value);
        text.push(quote);
        text.push('\n');
    }
    debug_assert!(text.len() <= length, "the text has moved");
    Ok(Secret::new(text))
}

/// The quote between which every reader takes this value as it is: those of Ruby, node and Python
/// all give back the same.
///
/// Between single quotes Ruby and node keep everything, Python turns `\\` and `\'` into one
/// character and expands `${…}`, and node's pattern runs on past a `\'`. Between double quotes each
/// treats `\`, `$` and `"` in its own way. A shell that reads the file must not run what is in it:
/// between double quotes it would, between backticks.
///
/// # Errors
/// When there is no such quote, or the name is none.
pub fn quote(name: &str, value: &str) -> Result<char, Obstacle> {
    let refuse = |why| Err(Obstacle::Value(why));
    if !is_plain_name(name) {
        return Err(Obstacle::Name);
    }
    if value.contains('\0') {
        return refuse("its value holds a NUL byte");
    }
    if value.contains('\r') {
        return refuse("its value holds a carriage return, which readers drop");
    }
    if value.contains("${") {
        return refuse("its value holds ${, which some readers expand");
    }
    if !value.contains('\'') {
        if value.contains(r"\\") || value.ends_with('\\') {
            return refuse("its value holds backslashes that readers understand differently");
        }
        return Ok('\'');
    }
    if value.contains(['"', '\\', '$', '`', '\n']) {
        return refuse(
            "its value mixes quotes with characters that readers understand differently",
        );
    }
    Ok('"')
}

/// Whether every shell and every reader takes this for a variable's name.
#[must_use]
pub fn is_plain_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(name: &str, value: &str) -> Result<String, Obstacle> {
        let value = Secret::from(value);
        let text = render("", [(name, &value)].into_iter());
        text.map(|text| text.expose().to_owned())
            .map_err(|(_, obstacle)| obstacle)
    }

    #[test]
    fn values_between_the_quotes_that_all_readers_agree_on() {
        for (value, expected) in [
            ("", "''"),
            ("postgres://u:p@h/d?a=b#c", "'postgres://u:p@h/d?a=b#c'"),
            ("it's", r#""it's""#),
            (r#"a"b $c `d` # \n"#, r#"'a"b $c `d` # \n'"#),
            ("a\nb", "'a\nb'"),
        ] {
            let expected = format!("A={expected}\n");
            assert_eq!(one("A", value), Ok(expected), "{value:?}");
        }
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        for value in [
            "a\0b", "a\r", "a${A}", r"a\", r"a\\b", "a'\"", r"a'\b", "a'$b", "a'`b`", "a'\n",
        ] {
            let refused = matches!(one("A", value), Err(Obstacle::Value(_)));
            assert!(refused, "{value:?}");
        }
        for name in ["", "1A", "A-B", "A.B", "A B", "A=B", "$(reboot)", "Ä"] {
            assert_eq!(one(name, "x"), Err(Obstacle::Name), "{name:?}");
        }
    }

    #[test]
    fn all_lines_below_the_head_or_the_first_that_is_in_the_way() {
        let (good, bad) = (Secret::from("1"), Secret::from("\r"));
        let text = render("# head\n", [("A", &good), ("B", &good)].into_iter()).unwrap();
        assert_eq!(text.expose(), "# head\nA='1'\nB='1'\n");
        let refused = render("", [("A", &good), ("B", &bad), ("C", &bad)].into_iter());
        assert_eq!(refused.unwrap_err().0, "B");
    }
}
