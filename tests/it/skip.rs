//! How a test says that it did not run.

use std::io::Write;

/// One line on stderr that the test harness does not swallow, as it does what `eprintln!` prints.
pub(crate) fn skipped(why: &str) {
    let line = format!("SKIPPED: {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}
