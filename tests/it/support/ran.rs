//! The program from its start to its end, as a script runs it.

use std::ffi::OsStr;
use std::process::Command;

use changeover::testing::heroku::Simulator;

/// What a run came to.
pub(crate) struct Ran {
    /// `None`: a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) errors: String,
}

/// Runs it on a simulator's app with its own token, everything else from the arguments and this
/// environment.
pub(crate) fn changeover(
    simulator: &Simulator,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Ran {
    let url = simulator.url();
    let ours = [
        ("PATH", "/usr/bin:/bin"),
        ("HEROKU_APP", "myapp"),
        ("HEROKU_API_KEY", "HRKU-simulator"),
        ("CHANGEOVER_API_URL", &url),
    ];
    let environment = ours.into_iter().chain(environment.iter().copied());
    alone(arguments, environment)
}

/// Runs it with nothing but these arguments and this environment.
pub(crate) fn alone<N: AsRef<OsStr>, V: AsRef<OsStr>>(
    arguments: &[&str],
    environment: impl IntoIterator<Item = (N, V)>,
) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .args(arguments)
        .env_clear()
        .envs(environment)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code(),
        out: text(&output.stdout),
        errors: text(&output.stderr),
    }
}
