//! How a test says that it did not run, or what it has measured.

use std::io::Write;

/// For the one who reads the tests' output, and for `tests/run`, which counts these lines.
pub(crate) fn skipped(why: &str) {
    say(&format!("SKIPPED: {why}"));
}

/// One line on stderr that the test harness does not swallow, as it does what `eprintln!` prints.
pub(crate) fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
