//! What several commands put together from a configuration: the client, the program.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;

use crate::admin::http::Audience;
use crate::admin::{Control, Http};
use crate::config::{self, Address, Config, ControlSocket, Inherited, Listen, Webhook};
use crate::credential::environment::INSTANCE_MARK;
use crate::credential::{Environment, Secret, phrase};
use crate::heroku::webhook::{PATH, Receiver, Socket};
use crate::heroku::{self, ApiUrl, Client, ClientOptions, Prepare, Timeouts, TokenOptions};
use crate::process::listeners::UNNAMED;
use crate::process::{self, Account, Group, Identity, ListenError, Listeners, Program};
use crate::runtime::cache::{KeptCache, Key};
use crate::runtime::hooks::Hook;
use crate::runtime::telemetry::Context;
use crate::store::{self, Bound, Cache};
use crate::supervisor::config::Fallback;
use crate::supervisor::status::FallbackPhase;

use super::failure::Failure;

const KEY_BYTES_MAX: usize = 4096;
/// 16 random bytes have more letters than this in whatever notation.
const KEY_BYTES_MIN: usize = 20;

/// The client that asks for this configuration's config vars.
pub(super) fn client(config: &Config, inherited: &Inherited) -> Result<Client, Failure> {
    let source = &config.source;
    let variables = Arc::new(helper_variables(inherited));
    Ok(Client::new(ClientOptions {
        api_url: ApiUrl::resolve(source.api_url.as_deref(), &variables)?,
        ca_file: source.ca_file.clone(),
        token: token_options(config),
        app: source.app.clone(),
        selection: config.environment.selection.clone(),
        variables,
        timeouts: Timeouts::default(),
    })?)
}

/// What log lines need to know beside the facts.
pub(super) fn context(config: &Config) -> Context {
    Context {
        app: config.source.app.clone(),
        fallback: match config.fallback {
            Fallback::None => FallbackPhase::None,
            Fallback::Inherited(_) => FallbackPhase::Inherited,
            Fallback::Cached { .. } => FallbackPhase::Cached,
        },
    }
}

/// The cache, if one is kept. What is wrong with it already is told before Heroku is asked.
pub(super) fn cache(config: &Config, client: &Client) -> Result<Option<KeptCache>, Failure> {
    let Some(config::Cache { path, key_file }) = &config.cache else {
        return Ok(None);
    };
    let (origin, app) = (client.api_url().to_string(), &config.source.app);
    let bound = Bound::new(&origin, app, &config.environment.selection);
    let file = Cache::new(std::path::absolute(path)?, bound);
    file.check()
        .map_err(|error| Failure::Unusable(format!("nothing was started: {error}")))?;
    let key = key_file.as_deref().map(key).transpose()?;
    let key = key.map_or(Key::Token, Key::File);
    Ok(Some(KeptCache { file, key }))
}

fn key(path: &Path) -> Result<Secret, Failure> {
    const OPTION: &str = "--cache-key-file (CHANGEOVER_CACHE_KEY_FILE)";
    let place = phrase(&path.display().to_string());
    let unusable = |why: &str| {
        Failure::Unusable(format!(
            "{OPTION}: nothing was started, because {place} {why}. What is needed is a file of your own with a long \
             random text: (umask 077; openssl rand -base64 32 > FILE)"
        ))
    };
    let read = heroku::secret(path, KEY_BYTES_MAX);
    let (secret, warning) = read.map_err(|why| unusable(&why))?;
    if secret.expose().len() < KEY_BYTES_MIN {
        return Err(unusable("holds a key that can be guessed"));
    }
    if let Some(warning) = warning {
        tracing::warn!("{OPTION}: whoever has the key can decrypt the cache, and {warning}");
    }
    Ok(secret)
}

/// Where the options say that the token is.
pub(super) fn token_options(config: &Config) -> TokenOptions {
    let (file, command) = match config.source.token.clone() {
        Some(config::Token::File(path)) => (Some(path), None),
        Some(config::Token::Command(command)) => (None, Some(command)),
        None => (None, None),
    };
    let prepare = Prepare(process::unblock);
    TokenOptions {
        file,
        command,
        prepare,
    }
}

/// Whom `--user` names. What its programs expect to know of themselves becomes a part of every
/// environment.
pub(super) fn identity(
    child: &config::Child,
    config: &mut Config,
) -> Result<Option<Identity>, Failure> {
    let Some(user) = &child.user else {
        return Ok(None);
    };
    let group = user.group.as_ref().map(|group| format!(":{group}"));
    let text = format!("{}{}", user.name, group.unwrap_or_default());
    let Account {
        identity,
        name,
        home,
    } = process::lookup_account(&text)?;
    let variables = [("HOME", home), ("USER", name.clone()), ("LOGNAME", name)];
    let given = &mut config.environment.given;
    given.extend(variables.map(|(name, value)| (name.to_owned(), value)));
    Ok(Some(identity))
}

/// The sockets that whoever started us passed on, and then those of `--listen`. What is said of
/// them becomes a part of every environment.
pub(super) fn listeners(
    listen: &[Listen],
    program: &mut Program,
    config: &mut Config,
    inherited: &Inherited,
) -> Result<Listeners, Failure> {
    let mut listeners = Listeners::inherit(inherited, listen.len())?;
    let passed_on = listeners.names().len();
    if passed_on > 0 {
        tracing::info!("sockets passed on from whoever started changeover: {passed_on}");
    }
    for one in listen {
        let name = one.name.clone().unwrap_or_else(|| UNNAMED.to_owned());
        let place = bind(
            &mut listeners,
            name,
            &one.address,
            program.identity.as_ref(),
        )?;
        tracing::info!("listening on {place}, for every instance of the program");
    }
    program.sockets = listeners.sockets();
    config.environment.sockets = listeners.names().to_vec();
    Ok(listeners)
}

fn bind(
    listeners: &mut Listeners,
    name: String,
    address: &Address,
    owner: Option<&Identity>,
) -> Result<String, ListenError> {
    match address {
        Address::Tcp { host, port } => listeners.bind_tcp(name, host, *port),
        Address::Unix(path) => {
            listeners.bind_unix(name, path, owner)?;
            Ok(phrase(&path.display().to_string()))
        }
    }
}

/// What receives webhooks, and the socket that has to live, and its file, for as long.
pub(super) fn webhook(options: &Webhook) -> Result<(Receiver, Listeners), Failure> {
    let mut listeners = Listeners::of("--webhook-listen (CHANGEOVER_WEBHOOK_LISTEN)");
    let place = bind(&mut listeners, UNNAMED.to_owned(), &options.address, None)?;
    let socket = one_socket(&listeners)?;
    let socket = match options.address {
        Address::Tcp { .. } => Socket::Tcp(socket),
        Address::Unix(_) => Socket::Unix(socket),
    };
    let receiver = Receiver::new(socket, options.secret_file.clone())?;
    if let Some(warning) = receiver.warning() {
        tracing::warn!("{warning}");
    }
    tracing::info!("listening on {place}, for webhooks: POST {PATH}");
    Ok((receiver, listeners))
}

/// Where the program, and a hook, find the control socket.
const CONTROL_VARIABLE: &str = "CHANGEOVER_CONTROL";
const CONTROL: &str = "--control (CHANGEOVER_CONTROL_LISTEN)";

/// Where people ask for something, and the socket that has to live, and its file, for as long. The
/// program finds its path. What is in the way of the usual place is told, and no more.
pub(super) fn control(
    options: &ControlSocket,
    config: &mut Config,
) -> Result<Option<(Control, Listeners)>, Failure> {
    let opened = match options {
        ControlSocket::Off => {
            tracing::debug!(
                "no control socket, for changeover status and its like: --control is none, or neither \
                 RUNTIME_DIRECTORY nor XDG_RUNTIME_DIR says where it could be"
            );
            return Ok(None);
        }
        ControlSocket::Chosen(path) => {
            open_control(path, config).map_err(|error| error.at(path))?
        }
        ControlSocket::Usual(path) => {
            if let Some(directory) = path.parent() {
                // Where there is none in spite of this, the next step says why.
                let _ = DirBuilder::new().mode(0o700).create(directory);
            }
            match open_control(path, config) {
                Ok(opened) => opened,
                Err(error) => {
                    let place = phrase(&path.display().to_string());
                    tracing::warn!(
                        "going on without a control socket: the usual one is {place}, {}. So changeover status and \
                         its like do not reach this one: give it a place of its own with --control",
                        error.why()
                    );
                    return Ok(None);
                }
            }
        }
    };
    Ok(Some(opened))
}

/// Why there is no socket at a path.
enum NoControl {
    /// Its directory will not do: why, and what to do.
    Directory(String),
    Listen(ListenError),
    System(io::Error),
}

impl NoControl {
    fn at(self, path: &Path) -> Failure {
        match self {
            Self::Directory(why) => {
                let place = phrase(&path.display().to_string());
                Failure::Unusable(format!("{CONTROL} names {place}, and {why}"))
            }
            Self::Listen(error) => error.into(),
            Self::System(error) => error.into(),
        }
    }

    fn why(self) -> String {
        match self {
            Self::Directory(why) => format!("and {why}"),
            Self::Listen(ListenError::Refused { why, .. }) => why,
            Self::Listen(error) => error.to_string(),
            Self::System(error) => format!("and the system refuses it ({error})"),
        }
    }
}

fn open_control(path: &Path, config: &mut Config) -> Result<(Control, Listeners), NoControl> {
    let path = std::path::absolute(path).map_err(NoControl::System)?;
    let place = phrase(&path.display().to_string());
    let directory = path.parent().unwrap_or(&path);
    store::check_directory(directory).map_err(NoControl::Directory)?;
    let mut listeners = Listeners::of(CONTROL);
    let bound = listeners.bind_private(&path);
    bound.map_err(NoControl::Listen)?;
    let socket = one_socket(&listeners).map_err(NoControl::System)?;
    let given = &mut config.environment.given;
    given.insert(CONTROL_VARIABLE.to_owned(), path.display().to_string());
    tracing::debug!("listening on {place}, for changeover status and its like");
    Ok((Control::new(socket, process::user()), listeners))
}

/// The program that is run for what matters. It finds what changeover was started with, less the
/// token, and who runs: no value that was fetched.
pub(super) fn hook(path: &Path, config: &Config, inherited: &Inherited) -> Result<Hook, Failure> {
    let program = std::path::absolute(path)?;
    let metadata = program.metadata();
    let is_executable = |mode: u32| mode & 0o111 != 0;
    if !metadata.is_ok_and(|found| found.is_file() && is_executable(found.mode())) {
        return Err(Failure::Unusable(format!(
            "--hook (CHANGEOVER_HOOK) names {}, which is no program that can be run, so nobody would be told of a \
             failure: name one, or leave the option out",
            phrase(&path.display().to_string())
        )));
    }
    let mut variables = helper_variables(inherited);
    variables.remove(OsStr::new("HEROKU_API_KEY"));
    let control = config.environment.given.get(CONTROL_VARIABLE);
    variables.extend(control.map(|path| (CONTROL_VARIABLE.into(), path.into())));
    Ok(Hook { program, variables })
}

/// Programs that are run beside the instances are none of them: a sweep leaves them alone. Nor do
/// they speak to the service manager in our place.
fn helper_variables(inherited: &Inherited) -> Inherited {
    let mut variables = inherited.clone();
    let mark = format!("{}.helper", process::supervisor_mark());
    variables.insert(INSTANCE_MARK.into(), mark.into());
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"] {
        variables.remove(OsStr::new(name));
    }
    variables
}

/// What serves health checks and metrics. Its port is not kept for anybody else.
pub(super) fn http(options: &config::Admin) -> Result<Http, Failure> {
    let mut listeners = Listeners::of("--admin (CHANGEOVER_ADMIN)");
    let place = listeners.bind_tcp(UNNAMED.to_owned(), &options.host, options.port)?;
    let audience = if options.remote {
        Audience::Anybody
    } else {
        Audience::Local
    };
    tracing::info!("listening on {place}, for /healthz, /readyz, /metrics and /status");
    Ok(Http::new(one_socket(&listeners)?, audience))
}

/// The first of them, once more.
fn one_socket(listeners: &Listeners) -> io::Result<OwnedFd> {
    let sockets = listeners.sockets();
    let socket = sockets.first().map(|socket| socket.try_clone());
    socket.unwrap_or_else(|| Err(io::ErrorKind::NotConnected.into()))
}

/// What is started, once it is known to be startable: a command that does not exist is told before
/// Heroku is asked.
pub(super) fn program(
    child: &config::Child,
    identity: Option<Identity>,
    config: &Config,
    group: Group,
    started_with: process::Inherited,
) -> Result<Program, Failure> {
    if let Some(directory) = child
        .chdir
        .as_deref()
        .filter(|directory| !directory.is_dir())
    {
        return Err(Failure::Unusable(format!(
            "--chdir (CHANGEOVER_CHDIR) names {}, which is no directory, so nothing was started: create it, or name \
             another",
            phrase(&directory.display().to_string())
        )));
    }
    let mut words = child.program.iter().cloned();
    let program = Program {
        command: words.next().unwrap_or_default(),
        args: words.collect(),
        identity,
        directory: child.chdir.clone(),
        group,
        inherited: started_with,
        sockets: Vec::new(),
    };
    let without_secrets: Environment =
        config
            .environment
            .build(None, &BTreeMap::new(), &BTreeMap::new());
    match process::prepare(&program, &without_secrets) {
        Ok(_) => Ok(program),
        Err(error) => Err(Failure::Program {
            program: program.command.display().to_string(),
            error,
        }),
    }
}

/// The seed of a core's jitter: that of std's hash maps is the system's randomness, without another
/// crate.
pub(super) fn seed() -> u64 {
    RandomState::new().hash_one(0)
}
