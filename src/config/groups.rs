//! Each group of options, read and checked: what `cli.rs` calls by a name becomes what `config.rs`
//! calls by it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::time::Duration;

use crate::cli;
use crate::credential::environment::SslPolicy;
use crate::credential::{EnvironmentSpec, Family, SslMode};
use crate::supervisor::action::Scope;
use crate::supervisor::readiness::Readiness;
use crate::supervisor::signal::Signal;

use super::control::LISTEN;
use super::given::{self, Given, Inherited, Lookup, UsageError};
use super::{
    Change, CheckLogin, Child, ConnectionWatch, CrashPolicy, Format, LeftoverPolicy, Listen, Log,
    LogFormat, OnChange, OnFailover, Order, Ready, Restart, SignalMap, Source, StopSequence,
    StopStep, Token, Verbosity, Watch, listen, ready, webhook, words,
};

/// Below this, every interval would be a burst.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Nothing can come in less.
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
/// Shorter ones would end programs that a busy machine holds up.
const WATCHDOG_MIN: Duration = Duration::from_secs(1);

impl Lookup<'_> {
    pub(super) fn source(&self, typed: cli::Source) -> Result<Source, UsageError> {
        let app = self.text("app", typed.app)?.ok_or_else(|| {
            UsageError(format!(
                "{} is given nowhere, so there is nothing to fetch: write -a with the app's name, as `heroku apps` \
                 lists it",
                given::name("app")
            ))
        })?;
        let file = self.path("token-file", typed.token_file);
        let command = self.text("token-command", typed.token_command)?;
        let token = match (file, command) {
            (None, None) => None,
            (Some(file), None) => Some(Token::File(file.value)),
            (None, Some(command)) => Some(Token::Command(command.value)),
            (Some(file), Some(command)) if file.outranks(&command) => Some(Token::File(file.value)),
            (Some(file), Some(command)) if command.outranks(&file) => {
                Some(Token::Command(command.value))
            }
            (Some(file), Some(command)) => return Err(contradiction(&file, &command)),
        };
        Ok(Source {
            app: words::app(&app)?,
            token,
            ca_file: self.path("ca-file", typed.ca_file).map(|path| path.value),
            api_url: self.text("api-url", typed.api_url)?.map(|url| url.value),
        })
    }

    pub(super) fn environment(
        &self,
        source: &cli::Source,
        database: cli::Database,
        child: cli::Child,
    ) -> Result<EnvironmentSpec, UsageError> {
        let scheme = self.text("scheme", database.scheme)?;
        let scheme = scheme.filter(|scheme| scheme.value != "keep");
        let names = |option, typed| -> Result<Vec<String>, UsageError> {
            let names = self.list(option, typed)?;
            names.iter().map(words::inherited_name).collect()
        };
        Ok(EnvironmentSpec {
            base: self.0.clone(),
            clear: self.switch("clear-env", child.clear_env)?,
            keep: names("keep", child.keep)?,
            unset: names("unset", child.unset)?,
            given: BTreeMap::new(),
            sockets: Vec::new(),
            selection: self.selection(source)?,
            sslmode: self.sslmode(database.sslmode)?,
            scheme: scheme.as_ref().map(words::scheme).transpose()?,
            expand: self.families(database.expand)?,
        })
    }

    fn sslmode(&self, typed: Option<OsString>) -> Result<SslPolicy, UsageError> {
        let given = self.text_or_default("sslmode", typed)?;
        words::choice(
            &given,
            &[
                ("env", SslPolicy::Env),
                ("require", SslPolicy::Append(SslMode::Require)),
                ("verify-ca", SslPolicy::Append(SslMode::VerifyCa)),
                ("verify-full", SslPolicy::Append(SslMode::VerifyFull)),
                ("keep", SslPolicy::Keep),
            ],
        )
    }

    fn families(&self, typed: Vec<OsString>) -> Result<Vec<Family>, UsageError> {
        let families = [
            ("pg", Family::Pg),
            ("jdbc", Family::Jdbc),
            ("spring", Family::Spring),
        ];
        let given = self.list("expand", typed)?;
        given
            .iter()
            .map(|family| words::choice(family, &families))
            .collect()
    }

    pub(super) fn check_login(&self, typed: Option<&OsString>) -> Result<CheckLogin, UsageError> {
        let given = self.text_or_default("check-login", typed.cloned())?;
        words::choice(
            &given,
            &[
                ("auto", CheckLogin::Auto),
                ("always", CheckLogin::Always),
                ("never", CheckLogin::Never),
            ],
        )
    }

    pub(super) fn check_login_timeout(
        &self,
        typed: &cli::Database,
    ) -> Result<Duration, UsageError> {
        let typed = typed.check_login_timeout.clone();
        self.duration("check-login-timeout", typed, TIMEOUT_MIN)
    }

    pub(super) fn format(&self, typed: Option<OsString>) -> Result<Format, UsageError> {
        let given = self.text_or_default("format", typed)?;
        words::choice(
            &given,
            &[
                ("shell", Format::Shell),
                ("dotenv", Format::Dotenv),
                ("json", Format::Json),
                ("docker", Format::Docker),
                ("systemd", Format::Systemd),
            ],
        )
    }

    pub(super) fn child(
        &self,
        program: Vec<OsString>,
        typed: &cli::Child,
    ) -> Result<Child, UsageError> {
        if program.first().is_none_or(|name| name.is_empty()) {
            let text =
                "COMMAND is empty, so there is nothing to start: write the program's name after --";
            return Err(UsageError(text.to_owned()));
        }
        let user = self.text("user", typed.user.clone())?;
        let chdir = self.path("chdir", typed.chdir.clone());
        Ok(Child {
            program,
            user: user.as_ref().map(words::user).transpose()?,
            chdir: chdir.map(|path| path.value),
        })
    }

    pub(super) fn watch(&self, typed: cli::Watch) -> Result<Watch, UsageError> {
        let interval = self.text_or_default("interval", typed.interval)?;
        let debounce = self.text_or_default("debounce", typed.debounce)?;
        let once = self.switch("no-watch", typed.no_watch)?;
        if once {
            for given in [&interval, &debounce] {
                let why = "and with --no-watch Heroku is asked only once";
                given.idle(why, "leave one of the two out")?;
            }
        }
        let webhook = self.webhook(typed.webhook_listen, typed.webhook_secret_file, once)?;
        if webhook.is_some() {
            webhook::check_interval(&interval)?;
        }
        let interval = words::duration(&interval, INTERVAL_MIN)?;
        let connection = self.switch("watch-connection", typed.watch_connection)?;
        let on_failover = self.text_or_default("on-failover", typed.on_failover)?;
        if !connection {
            let why = "and without --watch-connection nothing finds out about a failover";
            on_failover.idle(why, "add --watch-connection, or leave it out")?;
        }
        let reactions = [
            ("restart", OnFailover::Restart),
            ("ignore", OnFailover::Ignore),
        ];
        let on_failover = words::choice(&on_failover, &reactions)?;
        Ok(Watch {
            interval: (!once).then_some(interval),
            debounce: words::duration(&debounce, Duration::ZERO)?,
            connection: if connection {
                ConnectionWatch::On(on_failover)
            } else {
                ConnectionWatch::Off
            },
            webhook,
        })
    }

    pub(super) fn change(&self, typed: cli::Change) -> Result<Change, UsageError> {
        let order = self.text_or_default("order", typed.order.clone())?;
        let orders = [
            ("stop-first", Order::StopFirst),
            ("start-first", Order::StartFirst),
        ];
        let on_change = self.text_or_default("on-change", typed.on_change.clone())?;
        let env_file = self.path("env-file", typed.env_file.clone());
        let scope = self.text_or_default("stop-scope", typed.stop_scope.clone())?;
        let sweep = self.text_or_default("sweep", typed.sweep.clone())?;
        let scopes = [("process", Scope::Process), ("group", Scope::Group)];
        let sweeps = [
            ("tree", LeftoverPolicy::Sweep),
            ("none", LeftoverPolicy::Leave),
        ];
        let on_change = words::on_change(&on_change)?;
        Ok(Change {
            order: effective(&order, words::choice(&order, &orders)?, on_change)?,
            on_change,
            env_file: env_file.as_ref().map(words::file).transpose()?,
            scope: words::choice(&scope, &scopes)?,
            signals: self.signal_map(typed.map_signal.clone())?,
            leftovers: words::choice(&sweep, &sweeps)?,
            splay: self.duration("splay", typed.splay.clone(), Duration::ZERO)?,
            stop: self.stop(typed)?,
        })
    }

    /// The general form, or the shorthand; both at once contradict each other.
    fn stop(&self, typed: cli::Change) -> Result<StopSequence, UsageError> {
        let sequence = self.text("stop-sequence", typed.stop_sequence)?;
        let signal = self.text("stop-signal", typed.stop_signal.clone())?;
        let timeout = self.text("stop-timeout", typed.stop_timeout.clone())?;
        if let Some(sequence) = sequence {
            let shorthand: Vec<Given<String>> = signal.into_iter().chain(timeout).collect();
            if let Some(other) = shorthand.iter().find(|other| !sequence.outranks(other)) {
                if !other.outranks(&sequence) {
                    return Err(contradiction(&sequence, other));
                }
            } else {
                return words::stop_sequence(&sequence);
            }
        }
        let signal = words::signal(&self.text_or_default("stop-signal", typed.stop_signal)?)?;
        let wait = self.duration("stop-timeout", typed.stop_timeout, Duration::ZERO)?;
        if signal == Signal::KILL {
            return Ok(StopSequence(Vec::new()));
        }
        Ok(StopSequence(vec![StopStep { signal, wait }]))
    }

    fn signal_map(&self, typed: Vec<OsString>) -> Result<SignalMap, UsageError> {
        let mut map = SignalMap::default();
        for rule in &self.list("map-signal", typed)? {
            let (from, mapped) = words::signal_rule(rule)?;
            if map.rule(from).is_some() {
                let why = format!("but another --map-signal already has a rule for {from}");
                return Err(rule.wrong(&why, "leave one of the two out"));
            }
            map.0.push((from, mapped));
        }
        Ok(map)
    }

    pub(super) fn ready(&self, typed: cli::Ready) -> Result<Ready, UsageError> {
        let given = self.text_or_default("ready-timeout", typed.ready_timeout)?;
        let timeout = words::duration(&given, TIMEOUT_MIN)?;
        let watchdog = self.text("watchdog", typed.watchdog)?;
        let every = watchdog
            .as_ref()
            .map(|given| words::duration(given, WATCHDOG_MIN))
            .transpose()?;
        let how = ready::readiness(&self.text_or_default("ready", typed.ready)?, every)?;
        if how == Readiness::None {
            let why = "and without --ready a program counts as serving at once";
            given.idle(why, "add --ready, such as --ready notify, or leave it out")?;
        }
        match (&how, watchdog) {
            (Readiness::Notify { .. }, _) | (_, None) => Ok(Ready { how, timeout }),
            (_, Some(watchdog)) => Err(watchdog.wrong(
                "and only a program that is started with --ready notify can answer it, so it would be taken for dead",
                "add --ready notify, or leave --watchdog out",
            )),
        }
    }

    /// `ready`: a program that misses its watchdog is started again whatever `--restart` says.
    pub(super) fn crash(
        &self,
        typed: cli::Crash,
        ready: &Readiness,
    ) -> Result<CrashPolicy, UsageError> {
        let restart = self.text_or_default("restart", typed.restart)?;
        let policies = [
            ("never", Restart::Never),
            ("on-failure", Restart::OnFailure),
            ("always", Restart::Always),
        ];
        let success = self.list("success-exit", typed.success_exit)?;
        let restart = words::choice(&restart, &policies)?;
        let given = self.text("max-restarts", typed.max_restarts)?;
        let limit = given.as_ref().map(words::max_restarts).transpose()?;
        if let (Some(given), Restart::Never, false) = (&given, restart, has_watchdog(ready)) {
            let why = "and with --restart never no program that ended is started again";
            given.idle(why, "add --restart on-failure or always, or leave it out")?;
        }
        Ok(CrashPolicy {
            restart,
            success: success
                .iter()
                .map(words::success_exit)
                .collect::<Result<_, _>>()?,
            backoff: words::backoff(&self.text_or_default("backoff", typed.backoff)?)?,
            limit,
        })
    }

    pub(super) fn listen(&self, typed: Vec<OsString>) -> Result<Vec<Listen>, UsageError> {
        listen::all(&self.list("listen", typed)?)
    }

    pub(super) fn start_timeout(&self, typed: cli::Start) -> Result<Duration, UsageError> {
        self.duration("start-timeout", typed.start_timeout, TIMEOUT_MIN)
    }

    pub(super) fn log(&self, typed: &cli::Operate) -> Result<Log, UsageError> {
        let format = self.text_or_default("log-format", typed.log_format.clone())?;
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        Ok(Log {
            format: words::choice(&format, &formats)?,
            verbosity: self.verbosity(typed)?,
        })
    }

    fn verbosity(&self, typed: &cli::Operate) -> Result<Verbosity, UsageError> {
        let level = |times| match times {
            0 => Verbosity::Normal,
            1 => Verbosity::Debug,
            _ => Verbosity::Trace,
        };
        if typed.quiet || typed.verbose > 0 {
            let quiet = typed.quiet.then_some(Verbosity::Quiet);
            return Ok(quiet.unwrap_or(level(typed.verbose)));
        }
        let verbose = self.text("verbose", None)?;
        let times = match verbose.as_ref().map(|given| given.value.parse::<u8>()) {
            Some(Ok(times)) => times,
            Some(Err(_)) | None => u8::from(self.switch("verbose", false)?),
        };
        match (self.text("quiet", None)?, verbose) {
            (Some(quiet), Some(verbose)) if times > 0 && self.switch("quiet", false)? => {
                Err(contradiction(&quiet, &verbose))
            }
            _ if self.switch("quiet", false)? => Ok(Verbosity::Quiet),
            _ => Ok(level(times)),
        }
    }

    fn duration(
        &self,
        option: &'static str,
        typed: Option<OsString>,
        minimum: Duration,
    ) -> Result<Duration, UsageError> {
        words::duration(&self.text_or_default(option, typed)?, minimum)
    }
}

/// Only a restart can start a program beside another.
fn effective(
    given: &Given<String>,
    order: Order,
    on_change: OnChange,
) -> Result<Order, UsageError> {
    match (order, on_change) {
        (Order::StopFirst, _) | (Order::StartFirst, OnChange::Restart) => Ok(order),
        (Order::StartFirst, OnChange::Signal(_) | OnChange::Exit) => {
            let why = "and only --on-change restart starts a program beside the old one";
            given.idle(why, "leave one of the two out")?;
            Ok(Order::StopFirst)
        }
    }
}

fn has_watchdog(ready: &Readiness) -> bool {
    matches!(ready, Readiness::Notify { watchdog: Some(_) })
}

/// The databases, with names that neither each other nor any `--var` has.
fn contradiction<T, U>(one: &Given<T>, other: &Given<U>) -> UsageError {
    UsageError(format!(
        "{} and {} are both given and contradict each other, so neither can be trusted: leave one of them out",
        one.name(),
        other.name()
    ))
}

/// One sentence for each `CHANGEOVER_…` variable that means nothing: most often a slip that would
/// go unseen.
#[must_use]
pub fn unknown_variables(inherited: &Inherited) -> Vec<String> {
    let names = inherited.keys().filter_map(|name| name.to_str());
    let ours = |name: &&str| name.starts_with("CHANGEOVER_") && !is_foreign(name);
    let mut names = names.filter(ours).peekable();
    // The list of them all takes a quarter of a start.
    if names.peek().is_none() {
        return Vec::new();
    }
    let options = cli::options();
    let options = options.iter().map(String::as_str);
    let known: Vec<String> = options.chain([LISTEN]).map(given::variable).collect();
    names
        .filter(|name| !known.iter().any(|known| known == name))
        .map(|name| match nearest(name, &known) {
            Some(near) => format!(
                "{} is no option's variable and is ignored: did you mean {near}?",
                name.escape_debug()
            ),
            None => format!(
                "{} is no option's variable and is ignored: see `changeover run --help` for the options",
                name.escape_debug()
            ),
        })
        .collect()
}

/// Kubernetes' links to a service called "changeover", and what the supervisor itself gives its
/// children.
fn is_foreign(name: &str) -> bool {
    ["SERVICE_", "PORT"]
        .iter()
        .any(|start| name["CHANGEOVER_".len()..].starts_with(start))
        || name == crate::credential::environment::INSTANCE_MARK
}

fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    const EDITS_MAX: usize = 3;
    // Of a short name so many edits make anything.
    let edits_max = (name.len() - "CHANGEOVER_".len())
        .div_ceil(3)
        .min(EDITS_MAX);
    let distance = |known: &String| strsim::damerau_levenshtein(name, known);
    known
        .iter()
        .map(|known| (distance(known), known.as_str()))
        .filter(|(edits, _)| *edits <= edits_max)
        .min()
        .map(|(_, known)| known)
}
