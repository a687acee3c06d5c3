//! clap types only: exactly what the user typed, as text. What it means is `config.rs`'s.
//!
//! clap never reads the environment: `config.rs` does, so that an empty variable is an unset one,
//! errors say where a value came from, and neither help nor errors can show a value that was not
//! typed.
#![expect(rustdoc::bare_urls, reason = "clap shows these comments as they are")]

mod help;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args, CommandFactory, Parser, Subcommand};

use help::{CHECK_EXAMPLE, ENV_EXAMPLE, ENVIRONMENT, EXEC_EXAMPLE, EXIT_CODES, RUN_EXAMPLE};

const ABOUT: &str =
    "Runs a program with credentials fresh from Heroku and restarts it gracefully when they change";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "changeover",
    version,
    about = ABOUT,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = format!("{RUN_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a program, and restart it when its credentials change
    #[command(
        override_usage = "changeover run -a APP [OPTIONS] -- COMMAND [ARGS…]",
        after_help = format!("{RUN_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Run(Box<Run>),
    /// Fetch once, then become the program (no supervisor stays)
    #[command(
        override_usage = "changeover exec -a APP [OPTIONS] -- COMMAND [ARGS…]",
        after_help = format!("{EXEC_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Exec(Box<Exec>),
    /// Print the fetched variables, all of them or nothing
    #[command(
        override_usage = "changeover env -a APP [OPTIONS]",
        after_help = format!("{ENV_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Env(Box<Env>),
    /// Diagnose the whole way from the token to the database
    #[command(
        override_usage = "changeover check -a APP [OPTIONS]",
        after_help = format!("{CHECK_EXAMPLE}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}")
    )]
    Check(Box<Check>),
}

/// `changeover run`.
#[derive(Debug, Args)]
pub struct Run {
    /// The program and its arguments, after `--`
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub program: Vec<OsString>,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// When Heroku is asked.
    #[command(flatten)]
    pub watch: Watch,
    /// What a change does.
    #[command(flatten)]
    pub change: Change,
    /// What the program's own end does.
    #[command(flatten)]
    pub crash: Crash,
    /// When the program serves, and on what.
    #[command(flatten)]
    pub ready: Ready,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// What the program gets.
    #[command(flatten)]
    pub child: Child,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

/// `changeover exec`.
#[derive(Debug, Args)]
pub struct Exec {
    /// The program and its arguments, after `--`
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    pub program: Vec<OsString>,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// What the program gets.
    #[command(flatten)]
    pub child: Child,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

/// `changeover env`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Env {
    /// shell, dotenv, json, docker or systemd [default: shell]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<OsString>,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// What the program gets.
    #[command(flatten)]
    pub child: Child,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

/// `changeover check`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct Check {
    /// Print one JSON object for a script, in place of a text for people
    #[arg(long)]
    pub json: bool,
    /// Where the credentials come from.
    #[command(flatten)]
    pub source: Source,
    /// What is done for a database client.
    #[command(flatten)]
    pub database: Database,
    /// How long the start may take.
    #[command(flatten)]
    pub start: Start,
    /// What is logged.
    #[command(flatten)]
    pub operate: Operate,
}

/// Where the credentials come from.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Source")]
pub struct Source {
    /// The Heroku app [default: HEROKU_APP]
    #[arg(short, long, value_name = "NAME")]
    pub app: Option<OsString>,
    /// Config var to watch and export; =AS renames, * matches, repeatable [default: DATABASE_URL]
    #[arg(long, value_name = "NAME[=AS]")]
    pub var: Vec<OsString>,
    /// Add-on or attachment to watch instead, wherever it is attached; exported as DATABASE_URL or
    /// as AS; repeatable
    #[arg(long, value_name = "NAME[=AS]")]
    pub database: Vec<OsString>,
    /// Export all other config vars too; those cause no restart
    #[arg(long)]
    pub all_vars: bool,
    /// Export names such as PATH and LD_PRELOAD too, which are kept from the program otherwise
    #[arg(long)]
    pub allow_reserved: bool,
    /// File with the API token [default: HEROKU_API_KEY, systemd credential, Heroku CLI's login]
    #[arg(long, value_name = "PATH")]
    pub token_file: Option<PathBuf>,
    /// Command that prints the API token
    #[arg(long, value_name = "CMD")]
    pub token_command: Option<OsString>,
    /// Certificates to trust besides the bundled ones, PEM
    #[arg(long, value_name = "PATH")]
    pub ca_file: Option<PathBuf>,
    /// Heroku's API [default: https://api.heroku.com]
    #[arg(long, value_name = "URL")]
    pub api_url: Option<OsString>,
}

/// When Heroku is asked.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Watch")]
pub struct Watch {
    /// Time between two polls, jittered by 10 % [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub interval: Option<OsString>,
    /// Quiet time before a change is acted on [default: 1s]
    #[arg(long, value_name = "TIME")]
    pub debounce: Option<OsString>,
    /// Fetch once, then only supervise
    #[arg(long)]
    pub no_watch: bool,
    /// Keep one idle connection to the database: when it is lost, ask Heroku at once
    #[arg(long)]
    pub watch_connection: bool,
    /// With --watch-connection, when another server answers behind an unchanged URL: restart or
    /// ignore [default: restart]
    #[arg(long, value_name = "ACTION")]
    pub on_failover: Option<OsString>,
    /// HOST:PORT or a unix socket's path where webhooks of the app come in: ask Heroku at once
    #[arg(long, value_name = "ADDR")]
    pub webhook_listen: Option<OsString>,
    /// File with the secret that they are signed with
    #[arg(long, value_name = "PATH")]
    pub webhook_secret_file: Option<PathBuf>,
}

/// What a change does.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Change")]
pub struct Change {
    /// How a program is replaced: stop-first, or start-first (with --ready) [default: stop-first]
    #[arg(long, value_name = "ORDER")]
    pub order: Option<OsString>,
    /// restart, signal:SIG, or exit with code 75 [default: restart]
    #[arg(long, value_name = "ACTION")]
    pub on_change: Option<OsString>,
    /// File that always holds the newest values, for programs that read them anew
    #[arg(long, value_name = "PATH")]
    pub env_file: Option<PathBuf>,
    /// Signal that asks the program to stop [default: TERM]
    #[arg(long, value_name = "SIG")]
    pub stop_signal: Option<OsString>,
    /// Time that it has until KILL [default: 35s]
    #[arg(long, value_name = "TIME")]
    pub stop_timeout: Option<OsString>,
    /// The general form of these two [default: "TERM 35s KILL"]
    #[arg(long, value_name = "STEPS")]
    pub stop_sequence: Option<OsString>,
    /// Who gets signals: process or group [default: process]
    #[arg(long, value_name = "SCOPE")]
    pub stop_scope: Option<OsString>,
    /// Pass FROM on as TO, or not at all as FROM:none, instead of acting on it; repeatable
    #[arg(long, value_name = "FROM:TO")]
    pub map_signal: Vec<OsString>,
    /// Stop what the program leaves behind: tree or none [default: tree]
    #[arg(long, value_name = "SCOPE")]
    pub sweep: Option<OsString>,
    /// Random delay of up to this, for fleets [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub splay: Option<OsString>,
}

/// When the program serves, and on what.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Ready")]
pub struct Ready {
    /// When a new program counts as serving: none, notify, fd:N, tcp:HOST:PORT, http://HOST/PATH or
    /// delay:TIME [default: none]
    #[arg(long, value_name = "HOW")]
    pub ready: Option<OsString>,
    /// Time that it has until then; with --ready notify it can ask for more, up to an hour in all
    /// [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub ready_timeout: Option<OsString>,
    /// With --ready notify, once the program is ready: start it again when it says nothing for this
    /// long [default: never]
    #[arg(long, value_name = "TIME")]
    pub watchdog: Option<OsString>,
    /// Socket that every instance gets and that never closes in between, so that no connection is
    /// refused: HOST:PORT, :PORT or a path; repeatable
    #[arg(long, value_name = "[NAME=]ADDR")]
    pub listen: Vec<OsString>,
}

/// What the program's own end does.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Crash")]
pub struct Crash {
    /// Start the program again when it ends by itself: never, on-failure or always [default: never]
    #[arg(long, value_name = "POLICY")]
    pub restart: Option<OsString>,
    /// Exit codes of the program that count as 0, such as a JVM's 143; repeatable
    #[arg(long, value_name = "CODE")]
    pub success_exit: Vec<OsString>,
    /// Pauses before it is started again: the first, doubling, to the longest [default: 1s..60s]
    #[arg(long, value_name = "MIN..MAX")]
    pub backoff: Option<OsString>,
    /// End when it is started again more than N times in this time [default: unlimited]
    #[arg(long, value_name = "N/TIME")]
    pub max_restarts: Option<OsString>,
}

/// What is done for a database client.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Database")]
pub struct Database {
    /// env exports PGSSLMODE=require; require, verify-ca and verify-full go into the URL; keep adds
    /// nothing [default: env]
    #[arg(long, value_name = "MODE")]
    pub sslmode: Option<OsString>,
    /// Scheme for postgres URLs, such as postgresql [default: keep]
    #[arg(long, value_name = "NAME")]
    pub scheme: Option<OsString>,
    /// Derive variables for clients that read no URL: pg, jdbc, spring; repeatable
    #[arg(long, value_name = "FAMILY")]
    pub expand: Vec<OsString>,
    /// Log in with a new credential before the program is touched, and with its own after it
    /// failed: auto, always or never [default: auto]
    #[arg(long, value_name = "WHEN")]
    pub check_login: Option<OsString>,
    /// How long a new credential's login may get no answer until the change is made all the same
    /// [default: 30s]
    #[arg(long, value_name = "TIME")]
    pub check_login_timeout: Option<OsString>,
}

/// What the program gets.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Child")]
pub struct Child {
    /// Run the program as this user and group [default: the current ones]
    #[arg(long, value_name = "USER[:GROUP]")]
    pub user: Option<OsString>,
    /// Run the program in this directory [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub chdir: Option<PathBuf>,
    /// Pass on nothing of the inherited environment but what --keep names
    #[arg(long)]
    pub clear_env: bool,
    /// Inherited variable to pass on all the same; repeatable
    #[arg(long, value_name = "NAME")]
    pub keep: Vec<OsString>,
    /// Inherited variable not to pass on; repeatable [default: HEROKU_API_KEY, CHANGEOVER_*]
    #[arg(long, value_name = "NAME")]
    pub unset: Vec<OsString>,
}

/// How long the start may take.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Start")]
pub struct Start {
    /// Total time for the first fetch and its retries [default: 60s]
    #[arg(long, value_name = "TIME")]
    pub start_timeout: Option<OsString>,
    /// What to start on when no answer comes in that time: none, or inherited, the values that
    /// changeover was started with, once they log in [default: none]
    #[arg(long, value_name = "WHAT")]
    pub fallback: Option<OsString>,
}

/// What is logged.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Operation")]
pub struct Operate {
    /// Log lines on stderr: text or json [default: text]
    #[arg(long, value_name = "FORMAT")]
    pub log_format: Option<OsString>,
    /// Say more; twice: everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Warnings and errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}

impl Cli {
    /// Reads a command line.
    ///
    /// # Errors
    /// When it makes no sense, and when it asks for help or the version: clap's error knows which,
    /// and its text.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        Self::try_parse_from(arguments).map_err(explain)
    }
}

impl Command {
    /// The options about logs, which every command has.
    #[must_use]
    pub fn operate(&self) -> &Operate {
        match self {
            Self::Run(run) => &run.operate,
            Self::Exec(exec) => &exec.operate,
            Self::Env(env) => &env.operate,
            Self::Check(check) => &check.operate,
        }
    }
}

/// The long names of all options of all commands, sorted: each has an environment variable.
#[must_use]
pub fn options() -> Vec<String> {
    let mut names: Vec<String> = Cli::command()
        .get_subcommands()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|argument| argument.get_long().map(str::to_owned))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// An option that only `run` knows is not a spelling mistake: say why the other commands have none.
fn explain(error: clap::Error) -> clap::Error {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let option = given.split('=').next().unwrap_or(given);
    let known = |name: &String| option.strip_prefix("--") == Some(name.as_str());
    if error.kind() != ErrorKind::UnknownArgument || !options().iter().any(known) {
        return error;
    }
    let why = format!(
        "{option} has no meaning for this command, so it is refused rather than ignored: leave it out, or use the \
         command that has it (see `changeover run --help`)\n"
    );
    clap::Error::raw(ErrorKind::UnknownArgument, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, clap::Error> {
        Cli::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn clap_finds_nothing_wrong_with_the_definition() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_follows_the_program_is_the_programs() {
        for line in [
            "changeover run -- prog -v --app x",
            "changeover run prog -v --app x",
        ] {
            let Command::Run(run) = read(line).unwrap().command else {
                panic!("{line}");
            };
            assert_eq!(run.program, ["prog", "-v", "--app", "x"], "{line}");
            assert_eq!(run.source.app, None, "{line}");
        }
    }

    #[test]
    fn an_option_of_another_command_is_told_from_a_spelling_mistake() {
        let other = read("changeover env --interval=5s")
            .unwrap_err()
            .to_string();
        assert!(other.contains("--interval has no meaning"), "{other}");
        let typo = read("changeover run --intervall 5s -- prog").unwrap_err();
        assert!(typo.to_string().contains("--interval"), "{typo}");
    }
}
