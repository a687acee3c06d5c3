//! The real Heroku CLI against the simulator: only when `CHANGEOVER_TEST_HEROKU_CLI` names its
//! binary.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use changeover::heroku::{ApiUrl, TokenOptions, TokenSource, Variables};
use changeover::testing::heroku::{Fault, Options, Simulator};

use crate::skip::skipped;
use crate::support;

const OLD_URL: &str = "postgres://u1:p1@ec2-1.compute-1.amazonaws.com:5432/d1";

/// The CLI, pointed at a simulator, with a home of its own.
pub(crate) struct Cli<'a> {
    binary: PathBuf,
    home: tempfile::TempDir,
    simulator: &'a Simulator,
}

/// What a command left.
pub(crate) struct Ran {
    command: String,
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Cli<'_> {
    fn run(&self, command: &str) -> Ran {
        self.run_with(command, &[("HEROKU_API_KEY", Options::default().token)])
    }

    fn run_with(&self, command: &str, variables: &[(&str, String)]) -> Ran {
        let output = Command::new(&self.binary)
            .args(command.split(' '))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.home.path())
            .env("HEROKU_HOST", self.simulator.url())
            .env("HEROKU_DATA_HOST", "127.0.0.1")
            .env("DISABLE_TELEMETRY", "true")
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        Ran {
            command: command.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into(),
            stderr: String::from_utf8_lossy(&output.stderr).into(),
        }
    }

    /// Runs a command that must end well; what it says.
    pub(crate) fn good(&self, command: &str) -> Ran {
        self.run(command).ends_with(0)
    }
}

impl Ran {
    fn ends_with(self, code: i32) -> Self {
        let Self {
            command,
            stdout,
            stderr,
            ..
        } = &self;
        assert_eq!(
            self.code,
            Some(code),
            "heroku {command}\n{stdout}\n{stderr}"
        );
        self
    }

    fn says(self, text: &str) -> Self {
        let Self {
            command, stdout, ..
        } = &self;
        assert!(
            stdout.contains(text),
            "heroku {command}: {text:?} is not in\n{stdout}"
        );
        self
    }

    fn tells(self, text: &str) -> Self {
        let Self {
            command, stderr, ..
        } = &self;
        assert!(
            stderr.contains(text),
            "heroku {command}: {text:?} is not in\n{stderr}"
        );
        self
    }
}

/// A simulator and the CLI's path, or `None` after saying why the test is skipped.
fn setting() -> Option<(Simulator, PathBuf)> {
    let binary = binary()?;
    let config = [("DATABASE_URL", OLD_URL), ("FOO", "it's a \"test\"")];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let options = Options {
        config: config.to_vec(),
        ..Options::default()
    };
    Some((Simulator::start(options).unwrap(), binary))
}

/// The CLI's path, or `None` after saying why the test is skipped.
pub(crate) fn binary() -> Option<PathBuf> {
    let binary = std::env::var_os("CHANGEOVER_TEST_HEROKU_CLI");
    if binary.is_none() {
        skipped("the Heroku CLI: CHANGEOVER_TEST_HEROKU_CLI does not name its binary");
    }
    binary.map(PathBuf::from)
}

/// The CLI at work on this simulator.
pub(crate) fn cli(simulator: &Simulator, binary: PathBuf) -> Cli<'_> {
    Cli {
        binary,
        home: tempfile::tempdir().unwrap(),
        simulator,
    }
}

#[test]
fn config_and_account_commands_work() {
    let Some((simulator, binary)) = setting() else {
        return;
    };
    let heroku = cli(&simulator, binary);
    let get = heroku.good("config:get DATABASE_URL -a myapp");
    assert_eq!(get.stdout, format!("{OLD_URL}\n"));
    heroku
        .good("config -a myapp --json")
        .says("\"FOO\": \"it's a \\\"test\\\"\"");
    heroku
        .good("config -a myapp --shell")
        .says(&format!("DATABASE_URL='{OLD_URL}'"));
    assert_eq!(heroku.good("config:get NOPE -a myapp").stdout, "\n");
    heroku
        .good("config:set BAR=1 -a myapp")
        .says("BAR: 1")
        .tells("done, v6");
    assert_eq!(simulator.config_var("BAR").as_deref(), Some("1"));
    heroku
        .good("releases -n 1 --json -a myapp")
        .says("Set BAR config vars");
    heroku.good("config:unset BAR -a myapp").tells("done, v7");
    assert_eq!(simulator.config_var("BAR"), None);
    heroku.good("auth:whoami").says("dev@example.com");
    let hook =
        "webhooks:add -a myapp -i api:release -l sync -u https://hooks.example.com/x -s s3cret";
    heroku.good(hook).says("s3cret");
    heroku
        .good("authorizations:create -d sup -s read-protected -e 3600 --json")
        .says("read-protected");
}

#[test]
fn database_commands_work() {
    let Some((simulator, binary)) = setting() else {
        return;
    };
    let heroku = cli(&simulator, binary);
    heroku
        .good("pg:info -a myapp")
        .says("=== DATABASE_URL, HEROKU_POSTGRESQL_AMBER_URL")
        .says("=== HEROKU_POSTGRESQL_COBALT_URL");
    heroku.good("pg:wait -a myapp");
    heroku
        .good("pg:credentials -a myapp")
        .says("as DATABASE")
        .says("ro_user");
    heroku.good("pg:credentials:url -a myapp").says(OLD_URL);
    heroku
        .good("addons:attach postgresql-curved-12345 -a myapp")
        .tells("HEROKU_POSTGRESQL_JADE");
    assert_eq!(
        simulator
            .config_var("HEROKU_POSTGRESQL_JADE_URL")
            .as_deref(),
        Some(OLD_URL)
    );
    heroku.good("addons:detach HEROKU_POSTGRESQL_JADE -a myapp");
    let pool = "pg:connection-pooling:attach -a myapp --as DATABASE_CONNECTION_POOL";
    heroku
        .good(pool)
        .tells("Setting DATABASE_CONNECTION_POOL config vars");
    let cobalt = simulator.config_var("HEROKU_POSTGRESQL_COBALT_URL");
    heroku
        .good("pg:promote HEROKU_POSTGRESQL_COBALT -a myapp")
        .tells("done");
    assert_eq!(simulator.config_var("DATABASE_URL"), cobalt);
    let releases = simulator.releases();
    let attach = "Attach DATABASE (@ref:postgresql-round-54321)".to_owned();
    assert!(releases.contains(&"Detach DATABASE (@ref:postgresql-curved-12345)".to_owned()));
    assert!(releases.contains(&attach));
}

#[test]
fn rotations_change_the_password_and_nothing_else() {
    let Some((simulator, binary)) = setting() else {
        return;
    };
    let heroku = cli(&simulator, binary);
    let rotations = [
        "pg:credentials:rotate -a myapp --confirm myapp",
        "pg:credentials:rotate -a myapp --force --confirm myapp",
        "pg:credentials:rotate -a myapp --all --confirm myapp",
        "data:pg:credentials:rotate postgresql-curved-12345 -a myapp --confirm myapp",
    ];
    for rotation in rotations {
        let before = simulator.config_var("DATABASE_URL").unwrap();
        heroku.good(rotation).tells("done");
        let after = simulator.config_var("DATABASE_URL").unwrap();
        assert_ne!(before, after, "heroku {rotation}");
        assert!(after.starts_with("postgres://u1:"), "heroku {rotation}");
        assert!(
            after.ends_with("@ec2-1.compute-1.amazonaws.com:5432/d1"),
            "heroku {rotation}"
        );
    }
    let before = simulator.config_var("DATABASE_URL");
    heroku
        .good("pg:credentials:rotate -a myapp --name ro_user --confirm myapp")
        .tells("ro_user");
    assert_eq!(simulator.config_var("DATABASE_URL"), before);
}

#[test]
fn errors_reach_the_user_as_heroku_s_do() {
    let Some((simulator, binary)) = setting() else {
        return;
    };
    let heroku = cli(&simulator, binary);
    let get = "config:get DATABASE_URL -a myapp";
    heroku
        .run("config:get DATABASE_URL -a missing")
        .ends_with(2)
        .tells("not_found");
    for (fault, code, told) in [
        (Fault::Unauthorized, 1, "HEROKU_API_KEY is invalid"),
        (Fault::Forbidden, 2, "forbidden"),
        (Fault::RateLimited, 2, "rate_limit"),
        (Fault::Unavailable, 1, "503"),
    ] {
        simulator.fault(fault);
        heroku.run(get).ends_with(code).tells(told);
    }
}

/// A login of the CLI's, in the keychain and in netrc: whoever asks takes the same.
#[tokio::test]
async fn a_login_is_found_where_the_cli_finds_it() {
    let Some((simulator, binary)) = setting() else {
        return;
    };
    let heroku = cli(&simulator, binary);
    let home = heroku.home.path();
    let write = |name: &str, mode: u32, text: &str| {
        let path = home.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        support::write(&path, mode, text);
    };
    let machine = simulator.address();
    let netrc = format!(
        "machine {machine}\n  login a@b\n  password HRKU-n\nmachine {machine}\n  password HRKU-x\n"
    );
    write(".netrc", 0o600, &netrc);
    let keychain =
        "#!/bin/sh\n[ \"$*\" = \"lookup service heroku-cli account a@b\" ] && echo HRKU-k\n";
    write("bin/secret-tool", 0o755, keychain);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", home.join("bin").display());
    for (login, only_netrc, expected) in [
        ("{\"account\":\"a@b\"}\n", "", "HRKU-k"),
        ("{\"account\":\"a@b\"}\n", "TRUE", "HRKU-n"),
        ("{\"account\":\"\"}\n", "", "HRKU-n"),
    ] {
        write(".local/share/heroku/login.json", 0o600, login);
        let variables = [
            ("PATH", path.clone()),
            ("HEROKU_NETRC_WRITE", only_netrc.to_owned()),
        ];
        simulator.set_token(expected);
        let ran = heroku.run_with("config:get DATABASE_URL -a myapp", &variables);
        assert_eq!(ran.ends_with(0).stdout, format!("{OLD_URL}\n"), "{login}");

        let mut ours = Variables::from([("HOME".into(), home.into())]);
        ours.extend(variables.map(|(name, value)| (name.into(), value.into())));
        let api_url = ApiUrl::parse(&simulator.url()).unwrap();
        let source = TokenSource::new(&TokenOptions::default(), Arc::new(ours), &api_url).unwrap();
        let token = source.read().await.unwrap();
        assert_eq!(token.secret.expose(), expected, "{login}");
    }
}
