//! The program from its start to its end, as a script runs it.

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
    let output = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HEROKU_APP", "myapp")
        .env("HEROKU_API_KEY", "HRKU-simulator")
        .env("CHANGEOVER_API_URL", simulator.url())
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ran {
        code: output.status.code(),
        out: text(&output.stdout),
        errors: text(&output.stderr),
    }
}
