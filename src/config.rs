//! The validated configuration: the only place with defaults and cross-checks.
//!
//! Pure: what was typed and what was inherited come in, a [`Config`] or one sentence comes out.

mod admin;
mod control;
mod fallback;
mod given;
mod groups;
mod listen;
mod ready;
mod selection;
mod shown;
#[cfg(test)]
mod tests;
mod webhook;
mod words;

use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli;
use crate::credential::EnvironmentSpec;
use crate::supervisor::action::Scope;
use crate::supervisor::readiness::Readiness;

pub use crate::supervisor::config::{
    Backoff, CheckLogin, ConnectionWatch, CrashPolicy, Fallback, LeftoverPolicy, Mapped, OnChange,
    OnFailover, Order, Restart, RestartLimit, SignalMap, StopSequence, StopStep,
};
pub use control::{ControlSocket, Whom, file as socket_file};
pub use given::{Inherited, UsageError};
pub use groups::unknown_variables;
pub use shown::{Place, Shown, Typed, shown};

use given::Lookup;

/// The default of every option that has one in text; `--help` shows the same (a test compares
/// them).
pub const DEFAULTS: [(&str, &str); 23] = [
    ("format", "shell"),
    ("var", "DATABASE_URL"),
    ("interval", "60s"),
    ("debounce", "1s"),
    ("order", "stop-first"),
    ("on-change", "restart"),
    ("stop-signal", "TERM"),
    ("stop-timeout", "35s"),
    ("stop-scope", "process"),
    ("sweep", "tree"),
    ("splay", "0s"),
    ("ready", "none"),
    ("ready-timeout", "60s"),
    ("restart", "never"),
    ("backoff", "1s..60s"),
    ("sslmode", "env"),
    ("check-login", "auto"),
    ("check-login-timeout", "30s"),
    ("on-failover", "restart"),
    ("start-timeout", "60s"),
    ("fallback", "none"),
    ("cache-max-age", "24h"),
    ("log-format", "text"),
];

/// What is to be done, and everything that all commands share.
#[derive(Clone)]
pub struct Config {
    /// What is to be done.
    pub task: Task,
    /// Where the credentials come from.
    pub source: Source,
    /// How the child's environment is built, and which config vars matter.
    pub environment: EnvironmentSpec,
    /// `--check-login`.
    pub check_login: CheckLogin,
    /// `--check-login-timeout`: how long a login may get no answer before it decides nothing.
    pub check_login_timeout: Duration,
    /// `--start-timeout`: one total deadline for the first fetch.
    pub start_timeout: Duration,
    /// `--fallback`: what there is to start on when no answer comes in that time.
    pub fallback: Fallback,
    /// `--cache`: where that is kept; only with `--fallback cache`.
    pub cache: Option<Cache>,
}

/// A command, with what only this command knows.
#[derive(Clone, Debug)]
pub enum Task {
    /// `run`: supervise.
    Run(Box<Run>),
    /// `exec`: fetch once, then become the program.
    Exec {
        /// What is started, and as whom.
        child: Child,
    },
    /// `env`: print.
    Env {
        /// How.
        format: Format,
    },
    /// `check`: diagnose.
    Check {
        /// For a script, not for a person.
        json: bool,
    },
}

/// Where the last good values are kept for a start without Heroku.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// `--cache`, with a file's name at its end; as given, not absolute.
    pub path: PathBuf,
    /// `--cache-key-file`; without one the key is derived from the token.
    pub key_file: Option<PathBuf>,
}

/// What only `run` knows.
#[derive(Clone, Debug)]
pub struct Run {
    /// What is started, and as whom.
    pub child: Child,
    /// When Heroku is asked.
    pub watch: Watch,
    /// What a change does.
    pub change: Change,
    /// When a new child counts as serving.
    pub ready: Ready,
    /// What the child's own end does.
    pub crash: CrashPolicy,
    /// `--listen`: the sockets that every instance gets, in order.
    pub listen: Vec<Listen>,
    /// `--control`.
    pub control: ControlSocket,
    /// `--admin`.
    pub admin: Option<Admin>,
    /// `--hook`; as given, not absolute.
    pub hook: Option<PathBuf>,
    /// `--print-config`: all this is only to be shown.
    pub print_config: bool,
}

/// Where the credentials come from. The paths and the URL are as given: their owners read them.
#[derive(Clone, Debug)]
pub struct Source {
    /// The app's name or id: letters, digits and dashes, fit for a URL's path.
    pub app: String,
    /// Where the API token comes from, when an option says so.
    pub token: Option<Token>,
    /// Certificates to trust besides the bundled ones.
    pub ca_file: Option<PathBuf>,
    /// Another API than Heroku's.
    pub api_url: Option<String>,
}

/// Where an option says that the token is.
#[derive(Clone, PartialEq, Eq)]
pub enum Token {
    /// `--token-file`.
    File(PathBuf),
    /// `--token-command`: a command line.
    Command(String),
}

/// What is started, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Child {
    /// The program and its arguments; never empty.
    pub program: Vec<OsString>,
    /// `--user`.
    pub user: Option<User>,
    /// `--chdir`.
    pub chdir: Option<PathBuf>,
}

/// A user, and perhaps a group, by name or number; whether they exist is asked at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Not empty.
    pub name: String,
    /// Not empty.
    pub group: Option<String>,
}

/// A socket that outlives every instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// What the program may know it by: printable, without a colon.
    pub name: Option<String>,
    /// Where it is bound.
    pub address: Address,
}

/// Where a socket is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp {
        /// A name, or an address without brackets; empty for every address of this machine.
        host: String,
        /// 0: the system chooses.
        port: u16,
    },
    /// A unix socket's absolute path, short enough for one.
    Unix(PathBuf),
}

/// When Heroku is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The poll interval, at least a second; `None` with `--no-watch`.
    pub interval: Option<Duration>,
    /// Quiet time after a difference was first seen.
    pub debounce: Duration,
    /// `--watch-connection` and `--on-failover`.
    pub connection: ConnectionWatch,
    /// `--webhook-listen` and `--webhook-secret-file`.
    pub webhook: Option<Webhook>,
}

/// Where webhooks come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Where its socket is bound.
    pub address: Address,
    /// Holds the secret that they are signed with.
    pub secret_file: PathBuf,
}

/// Where health checks and metrics are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// A name, or an address without brackets; empty for every address of this machine.
    pub host: String,
    /// 0: the system chooses.
    pub port: u16,
    /// `--admin-allow-remote`.
    pub remote: bool,
}

/// What a change does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What comes first.
    pub order: Order,
    /// What happens to the child.
    pub on_change: OnChange,
    /// `--env-file`, with a file's name at its end; as given, not absolute.
    pub env_file: Option<PathBuf>,
    /// How it is stopped.
    pub stop: StopSequence,
    /// Who gets the stop signal and every forwarded signal.
    pub scope: Scope,
    /// What becomes of signals before anything else looks at them.
    pub signals: SignalMap,
    /// What happens to processes that a child leaves behind.
    pub leftovers: LeftoverPolicy,
    /// A random delay of up to this.
    pub splay: Duration,
}

/// When a new child counts as serving.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    /// How that is found out.
    pub how: Readiness,
    /// How long it has until then.
    pub timeout: Duration,
}

/// `changeover env --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `export NAME='value'`, for `eval` in any POSIX shell.
    Shell,
    /// A `.env` file.
    Dotenv,
    /// One JSON object.
    Json,
    /// `docker run --env-file`.
    Docker,
    /// systemd's `EnvironmentFile=`.
    Systemd,
}

/// What is logged; read before everything else, so that the rest can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Log {
    /// How a line is written.
    pub format: LogFormat,
    /// What is worth a line.
    pub verbosity: Verbosity,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people and journald.
    Text,
    /// One object a line.
    Json,
}

/// `-q`, `-v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// Warnings and errors.
    Quiet,
    /// One line per fact.
    Normal,
    /// And what led to it.
    Debug,
    /// Everything.
    Trace,
}

impl Config {
    /// What the command line means in this environment.
    ///
    /// # Errors
    /// One sentence: what is wrong, why it matters, what to do.
    pub fn new(fetching: cli::Fetching, inherited: &Inherited) -> Result<Self, UsageError> {
        let lookup = Lookup(inherited);
        let (source, database, child, start, task) = match fetching {
            cli::Fetching::Run(run) => {
                let child = lookup.child(run.program, &run.child)?;
                let listen = lookup.listen(run.ready.listen.clone())?;
                let ready = lookup.ready(run.ready)?;
                let run_only = Run {
                    child,
                    watch: lookup.watch(run.watch)?,
                    change: lookup.change(run.change)?,
                    crash: lookup.crash(run.crash, &ready.how)?,
                    listen,
                    ready,
                    control: lookup.control(run.attend.control, &run.source)?,
                    admin: lookup.admin(run.attend.admin, run.attend.admin_allow_remote)?,
                    hook: lookup.path("hook", run.attend.hook).map(|path| path.value),
                    print_config: lookup.switch("print-config", run.attend.print_config)?,
                };
                check_order(&run_only)?;
                let typed = run_only.listen.iter().map(|listen| &listen.address);
                ready::check_address(&run_only, typed, "of --listen")?;
                let task = Task::Run(Box::new(run_only));
                (run.source, run.database, run.child, run.start, task)
            }
            cli::Fetching::Exec(exec) => {
                let child = lookup.child(exec.program, &exec.child)?;
                let task = Task::Exec { child };
                (exec.source, exec.database, exec.child, exec.start, task)
            }
            cli::Fetching::Env(env) => {
                let format = lookup.format(env.format)?;
                let task = Task::Env { format };
                (env.source, env.database, env.child, env.start, task)
            }
            cli::Fetching::Check(check) => {
                // It diagnoses what `run` would do here, so the environment's child group counts.
                let child = cli::Child::default();
                let json = lookup.switch("json", check.json)?;
                let task = Task::Check { json };
                (check.source, check.database, child, check.start, task)
            }
        };
        let check_login = lookup.check_login(database.check_login.as_ref())?;
        let check_login_timeout = lookup.check_login_timeout(&database)?;
        let environment = lookup.environment(&source, database, child)?;
        let (fallback, cache) = lookup.fallback(&start, &environment)?;
        Ok(Self {
            task,
            fallback,
            cache,
            check_login,
            check_login_timeout,
            environment,
            source: lookup.source(source)?,
            start_timeout: lookup.start_timeout(start)?,
        })
    }
}

impl Run {
    /// Whether what `--ready` asks is the program's own, once it is known where all sockets listen
    /// that it will find: nobody typed the address of one that was passed on.
    ///
    /// # Errors
    /// When one of them would answer instead.
    pub fn check_sockets(&self, bound: &[SocketAddr]) -> Result<(), UsageError> {
        let tcp = |bound: &SocketAddr| Address::Tcp {
            host: bound.ip().to_string(),
            port: bound.port(),
        };
        let bound: Vec<Address> = bound.iter().map(tcp).collect();
        let whose = "that was passed on to changeover, or is one of --listen,";
        ready::check_address(self, bound.iter(), whose)
    }

    /// What is allowed and may surprise all the same, for people.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        match (self.change.on_change, &self.change.env_file) {
            (OnChange::Restart | OnChange::Exit, _) | (OnChange::Signal(_), Some(_)) => None,
            (OnChange::Signal(signal), None) => Some(format!(
                "{} is signal:{signal} without --env-file, and a running program's environment never changes, so on \
                 {signal} it must fetch the new values by itself: if it does not, add --env-file for it to read them",
                given::name("on-change")
            )),
        }
    }
}

fn check_order(run: &Run) -> Result<(), UsageError> {
    if run.change.order == Order::StopFirst || run.ready.how != Readiness::None {
        return Ok(());
    }
    Err(UsageError(format!(
        "{} is start-first, and nothing says when the new program serves and the old one may end: add --ready, such as \
         --ready notify, or leave --order out",
        given::name("order")
    )))
}

impl Log {
    /// What the options about logs mean in this environment.
    ///
    /// # Errors
    /// One sentence: what is wrong, why it matters, what to do.
    pub fn new(operate: &cli::Operate, inherited: &Inherited) -> Result<Self, UsageError> {
        Lookup(inherited).log(operate)
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            verbosity: Verbosity::Normal,
        }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            // It may hold the token itself.
            Self::Command(_) => f.write_str("Command(***)"),
        }
    }
}
