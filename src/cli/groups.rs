//! The options, group by group as `--help` shows them.
#![expect(rustdoc::bare_urls, reason = "clap shows these comments as they are")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::words;

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
    #[arg(long, value_name = "ACTION", value_parser = words::ON_FAILOVER)]
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
    #[arg(long, value_name = "ORDER", value_parser = words::ORDER)]
    pub order: Option<OsString>,
    /// restart, signal:SIG, or exit with code 75 [default: restart]
    #[arg(long, value_name = "ACTION", value_parser = words::ON_CHANGE)]
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
    #[arg(long, value_name = "SCOPE", value_parser = words::STOP_SCOPE)]
    pub stop_scope: Option<OsString>,
    /// Pass FROM on as TO, or not at all as FROM:none, instead of acting on it; repeatable
    #[arg(long, value_name = "FROM:TO")]
    pub map_signal: Vec<OsString>,
    /// Stop what the program leaves behind: tree or none [default: tree]
    #[arg(long, value_name = "SCOPE", value_parser = words::SWEEP)]
    pub sweep: Option<OsString>,
    /// Random delay of up to this, for fleets [default: 0s]
    #[arg(long, value_name = "TIME")]
    pub splay: Option<OsString>,
}

/// When the program serves, and on what.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Ready")]
pub struct Ready {
    /// When a new program counts as serving: none, notify, fd:N, tcp:HOST:PORT,
    /// http://HOST:PORT/PATH or delay:TIME [default: none]
    #[arg(long, value_name = "HOW", value_parser = words::READY)]
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
    #[arg(long, value_name = "POLICY", value_parser = words::RESTART)]
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
    #[arg(long, value_name = "MODE", value_parser = words::SSLMODE)]
    pub sslmode: Option<OsString>,
    /// Scheme for postgres URLs, such as postgresql [default: keep]
    #[arg(long, value_name = "NAME", value_parser = words::SCHEME)]
    pub scheme: Option<OsString>,
    /// Derive variables for clients that read no URL: pg, jdbc, spring; repeatable
    #[arg(long, value_name = "FAMILY", value_parser = words::EXPAND)]
    pub expand: Vec<OsString>,
    /// Log in with a new credential before the program is touched, and with its own after it
    /// failed: auto, always or never [default: auto]
    #[arg(long, value_name = "WHEN", value_parser = words::CHECK_LOGIN)]
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
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
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
    /// What to start on when no answer comes in that time, once it logs in: none, inherited (the
    /// values that changeover was started with), or cache (see --cache) [default: none]
    #[arg(long, value_name = "WHAT", value_parser = words::FALLBACK)]
    pub fallback: Option<OsString>,
    /// Keep the last good values in this file, encrypted, for --fallback cache
    #[arg(long, value_name = "PATH")]
    pub cache: Option<PathBuf>,
    /// Encrypt the cache with what is in this file [default: derived from the API token]
    #[arg(long, value_name = "PATH")]
    pub cache_key_file: Option<PathBuf>,
    /// Start on no cache that is older [default: 24h]
    #[arg(long, value_name = "TIME")]
    pub cache_max_age: Option<OsString>,
}

/// How a supervisor is looked at while it runs.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Operation")]
pub struct Attend {
    /// Unix socket for status, refresh, restart, stop; none: no socket [default:
    /// $RUNTIME_DIRECTORY/APP.sock or $XDG_RUNTIME_DIR/changeover/APP.sock]
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
    /// HOST:PORT of this machine for health checks and metrics over HTTP
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<OsString>,
    /// Serve that to other machines, too
    #[arg(long)]
    pub admin_allow_remote: bool,
    /// Program that is run on each change, restart, failure and recovery, with JSON on its stdin
    #[arg(long, value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    pub hook: Option<PathBuf>,
    /// Print every option with its value and where that came from, and start nothing
    #[arg(long)]
    pub print_config: bool,
}

/// Which supervisor is meant.
#[derive(Debug, Default, Args)]
pub struct Target {
    /// Its control socket [default: CHANGEOVER_CONTROL, or the only one in the usual places]
    #[arg(long, value_name = "PATH")]
    pub control: Option<PathBuf>,
    /// Its app, where several run [default: HEROKU_APP]
    #[arg(short, long, value_name = "NAME")]
    pub app: Option<OsString>,
}

/// What is logged.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Operation")]
pub struct Operate {
    /// Log lines on stderr: text or json [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = words::LOG_FORMAT)]
    pub log_format: Option<OsString>,
    /// Say more; twice: everything
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Warnings and errors only
    #[arg(short, long, conflicts_with = "verbose")]
    pub quiet: bool,
}
