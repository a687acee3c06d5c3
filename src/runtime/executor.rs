//! Does what the core says: one arm per action, no policy.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};

use crate::credential::{Environment, Secret, SslMode, phrase};
use crate::exit_code::ExitCode;
use crate::heroku::{Answer, Client, FetchError, HelperEnds, Origin, Refused};
use crate::postgres::{self, Login, WatchedConnection};
use crate::process::{self, Prepared, Program};
use crate::store::EnvFile;
use crate::supervisor::action::Action;
use crate::supervisor::event::{
    Access, ConnectionNews, ETag, Event, FailureKind, FetchFailure, FetchOutcome, LoginOutcome,
    Remedy, Server, SpawnError,
};
use crate::supervisor::id::{ConnectionId, FetchId, InstanceId, LoginId};
use crate::supervisor::signal::Signal;

use super::audience::Audience;
use super::cache::{Errand, KeptCache};
use super::children::Children;
use super::probes::{Ear, Probes};
use super::replies::Replies;
use super::telemetry;

/// A login that takes longer says nothing about the credential.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A write of the cache takes milliseconds; it is looked at this often, and waited for this long.
const CACHE_PAUSE: Duration = Duration::from_millis(2);
const CACHE_WAIT_MAX: Duration = Duration::from_secs(1);

/// The hands of the core.
pub struct Executor {
    client: Arc<Client>,
    helpers: HelperEnds,
    program: Program,
    env_file: Option<EnvFile>,
    cache: Option<Arc<KeptCache>>,
    children: Children,
    probes: Probes,
    prepared: Option<(InstanceId, Prepared, Option<Ear>)>,
    fetches: Vec<(FetchId, AbortHandle)>,
    logins: Vec<(LoginId, AbortHandle)>,
    connections: Vec<(ConnectionId, AbortHandle)>,
    /// Who waits for an answer.
    pub(super) replies: Replies,
    answers: mpsc::Sender<Event>,
    /// Who is told what happens.
    pub(super) audience: Audience,
}

/// Whether the life goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// It does.
    GoOn,
    /// It does, after a stop of the whole process by this signal.
    Stop(Signal),
    /// It is over.
    Exit(ExitCode),
}

/// What was set up for the hands to work with.
pub(super) struct Means {
    pub(super) program: Program,
    pub(super) env_file: Option<EnvFile>,
    pub(super) cache: Option<KeptCache>,
    pub(super) client: Client,
}

impl Executor {
    /// Hands that have nothing to do yet.
    #[must_use]
    pub(super) fn new(
        means: Means,
        children: Children,
        probes: Probes,
        audience: Audience,
        answers: mpsc::Sender<Event>,
    ) -> Self {
        let Means {
            program,
            env_file,
            cache,
            client,
        } = means;
        Self {
            helpers: client.helpers(),
            client: Arc::new(client),
            children,
            program,
            env_file,
            cache: cache.map(Arc::new),
            probes,
            prepared: None,
            fetches: Vec::new(),
            logins: Vec::new(),
            connections: Vec::new(),
            replies: Replies::new(),
            answers,
            audience,
        }
    }

    /// Does one thing. What comes of it at once is appended to `events`.
    pub fn obey(&mut self, action: Action, events: &mut VecDeque<Event>) -> Told {
        match action {
            Action::Fetch { fetch, unless } => self.fetch(fetch, unless),
            Action::CancelFetch { fetch } => abort(&mut self.fetches, &fetch),
            Action::CheckLogin {
                login,
                url,
                sslmode,
            } => self.check_login(login, url, sslmode),
            Action::CancelLogin { login } => abort(&mut self.logins, &login),
            Action::WatchConnection {
                connection,
                url,
                sslmode,
            } => self.watch_connection(connection, url, sslmode),
            Action::UnwatchConnection { connection } => abort(&mut self.connections, &connection),
            Action::Prepare {
                instance,
                environment,
            } => {
                let event = self.prepare(instance, &environment);
                // A job that has just ended well is not stopped and started again for a change: its
                // end is told before the preparation, after which the old child may be touched.
                self.reap(events);
                events.push_back(event);
            }
            Action::Spawn { instance } => events.push_back(self.spawn(instance)),
            Action::ProbeReadiness { instance } => self.probe_readiness(instance),
            Action::Signal {
                instance,
                signal,
                scope,
            } => {
                if let Some(pid) = self.children.signal(instance, signal, scope) {
                    self.audience.note(|| telemetry::sent(signal, pid));
                }
            }
            Action::Sweep { instance, signal } => {
                self.children.sweep(instance, signal);
                self.reap(events);
            }
            Action::GiveUp { instance } => self.children.give_up(instance),
            Action::ListTree { instance } => events.push_back(self.children.list(instance)),
            Action::RemoveEnvFile => self.remove_env_file(),
            Action::ReadCache { read } => events.extend(self.send(Errand::Look(read))),
            Action::WriteCache { write, good, age } => {
                events.extend(self.send(Errand::Keep(write, good, age)));
            }
            Action::RemoveCache => self.remove_cache(),
            Action::StopSelf { signal } => return Told::Stop(signal),
            Action::Reply { reply, answer } => self.replies.answer(reply, answer),
            Action::Report(report) => self.audience.report(report),
            Action::Announce(notice) => self.audience.announce(notice),
            Action::Exit(code) => return Told::Exit(code),
        }
        Told::GoOn
    }

    /// Collects what happened to children.
    pub fn reap(&mut self, events: &mut VecDeque<Event>) {
        self.children.reap(events, &self.helpers);
        self.probes.keep(|instance| self.children.lives(instance));
    }

    /// Drops what was prepared for any other start than this, with the credentials in it and the
    /// socket to hear it on.
    pub fn keep_prepared(&mut self, wanted: Option<InstanceId>) {
        self.prepared.take_if(|(id, ..)| Some(*id) != wanted);
    }

    /// Whether a process belongs to a child's tree.
    #[must_use]
    pub fn in_tree(&self, pid: u32) -> bool {
        self.children.contains(pid)
    }

    /// Waits for a write of the cache that is under way: half of one would be left behind. A disk
    /// that hangs keeps nobody from ending.
    pub(super) async fn finish(&self) {
        let is_at_work = || {
            self.cache
                .as_ref()
                .is_some_and(|cache| Arc::strong_count(cache) > 1)
        };
        let finished = async {
            while is_at_work() {
                tokio::time::sleep(CACHE_PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(CACHE_WAIT_MAX, finished).await;
    }

    /// Writes the log lines that have gathered.
    pub fn tell(&mut self) {
        self.audience.tell();
        if let Some(warning) = self.client.take_warning() {
            tracing::warn!("{warning}");
        }
    }

    fn fetch(&mut self, fetch: FetchId, unless: Option<ETag>) {
        let (client, answers) = (Arc::clone(&self.client), self.answers.clone());
        let task = tokio::spawn(async move {
            let (outcome, left) = self::fetch(&client, unless).await;
            // The receiver lives as long as the executor; when both are gone nobody is left to
            // tell.
            let _ = answers
                .send(Event::Fetched {
                    fetch,
                    outcome,
                    left,
                })
                .await;
        });
        remember(&mut self.fetches, fetch, &task);
    }

    fn check_login(&mut self, login: LoginId, url: Secret, sslmode: Option<SslMode>) {
        let answers = self.answers.clone();
        let task = tokio::spawn(async move {
            let outcome = log_in(&url, sslmode).await;
            let _ = answers.send(Event::LoginChecked { login, outcome }).await;
        });
        remember(&mut self.logins, login, &task);
    }

    fn watch_connection(
        &mut self,
        connection: ConnectionId,
        url: Secret,
        sslmode: Option<SslMode>,
    ) {
        let answers = self.answers.clone();
        let tell = async move |news| {
            let _ = answers.send(Event::Connection { connection, news }).await;
        };
        let task = tokio::spawn(async move {
            let opened = WatchedConnection::open(&url, sslmode).await;
            drop(url);
            let why = match opened {
                Err(why) => why,
                Ok(mut watched) => loop {
                    match watched.news().await {
                        Ok(server) => tell(ConnectionNews::Server(met(server))).await,
                        Err(why) => break why,
                    }
                },
            };
            tell(ConnectionNews::Lost { why }).await;
        });
        remember(&mut self.connections, connection, &task);
    }

    fn prepare(&mut self, instance: InstanceId, environment: &Environment) -> Event {
        let written = self.env_file.as_mut().map(|file| file.replace(environment));
        if let Some(Err(error)) = written {
            let detail = error.to_string();
            let error = SpawnError::Unwritable { detail };
            return Event::SpawnFailed { instance, error };
        }
        match self.lay_out(instance, environment) {
            Ok((prepared, ear)) => {
                self.prepared = Some((instance, prepared, ear));
                Event::Prepared { instance }
            }
            Err(error) => Event::SpawnFailed { instance, error },
        }
    }

    fn lay_out(
        &self,
        instance: InstanceId,
        environment: &Environment,
    ) -> Result<(Prepared, Option<Ear>), SpawnError> {
        let (ear, mouth) = self.probes.open(instance).map_err(|error| {
            let detail = format!("nothing to tell its readiness through: {error}");
            SpawnError::Failed { detail }
        })?;
        let environment = environment.clone().with(mouth.variables);
        let mut prepared = process::prepare(&self.program, &environment)?;
        if let Some((descriptor, number)) = mouth.descriptor {
            prepared.give(descriptor, number);
        }
        Ok((prepared, ear))
    }

    fn remove_env_file(&mut self) {
        if let Some(file) = &mut self.env_file
            && let Err(error) = file.remove()
        {
            let path = phrase(&file.path().display().to_string());
            tracing::warn!(
                "the env file {path} could not be removed ({error}) and still holds secrets: remove it"
            );
        }
    }

    fn probe_readiness(&mut self, instance: InstanceId) {
        if let Some(tree) = self.children.tree(instance) {
            self.probes.begin(instance, tree.clone());
        }
    }

    fn send(&self, errand: Errand) -> Option<Event> {
        let token = self.client.token_in_use();
        let cache = self.cache.as_ref()?;
        cache.send(errand, token, self.answers.clone())
    }

    fn remove_cache(&mut self) {
        if let Some(Err(warning)) = self.cache.as_ref().map(|cache| cache.remove()) {
            self.audience.warn(warning);
        }
    }

    fn spawn(&mut self, instance: InstanceId) -> Event {
        let found = self.prepared.take().filter(|(id, ..)| *id == instance);
        let Some((_, mut prepared, ear)) = found else {
            let detail = "it was not prepared".to_owned();
            return Event::SpawnFailed {
                instance,
                error: SpawnError::Failed { detail },
            };
        };
        match process::spawn(&mut prepared) {
            Ok(child) => {
                let pid = child.pid;
                self.children.add(instance, child);
                self.probes.started(instance, ear);
                Event::Spawned { instance, pid }
            }
            Err(error) => Event::SpawnFailed { instance, error },
        }
    }
}

/// One login, and its answer in the core's words.
pub async fn log_in(url: &Secret, sslmode: Option<SslMode>) -> LoginOutcome {
    match postgres::login(url, sslmode, LOGIN_TIMEOUT).await {
        Login::Accepted => LoginOutcome::Accepted,
        Login::Refused { code } => LoginOutcome::Refused { code },
        Login::Unreachable { why } => LoginOutcome::Unreachable {
            detail: why.to_string(),
        },
    }
}

/// One request, and its answer in the core's words; and how many requests the account has left.
pub async fn fetch(client: &Client, unless: Option<ETag>) -> (FetchOutcome, Option<u32>) {
    let answer = client.config_vars(unless.as_ref().map(|tag| &*tag.0)).await;
    let left = left(&answer);
    (fetched(answer), left)
}

fn left(answer: &Result<Answer, FetchError>) -> Option<u32> {
    match answer {
        Ok(Answer::Snapshot { diagnosis, .. } | Answer::NotModified { diagnosis })
        | Err(FetchError::TokenRefused { diagnosis, .. }) => diagnosis.ratelimit_remaining,
        Err(FetchError::Unavailable { left, .. }) => *left,
        Err(
            FetchError::NoToken(_)
            | FetchError::TokenCommandFailed(_)
            | FetchError::AppNotFound { .. },
        ) => None,
    }
}

fn fetched(answer: Result<Answer, FetchError>) -> FetchOutcome {
    let mut remedy = None;
    let (kind, detail, retry_after) = match answer {
        Ok(Answer::Snapshot { snapshot, etag, .. }) => {
            let etag = etag.map(|tag| ETag(tag.into()));
            return FetchOutcome::Snapshot {
                snapshot: Arc::new(snapshot),
                etag,
            };
        }
        Ok(Answer::NotModified { .. }) => return FetchOutcome::NotModified,
        Err(FetchError::Unavailable {
            detail,
            retry_after,
            ..
        }) => (FailureKind::Unavailable, detail, retry_after),
        Err(FetchError::NoToken(detail)) => (FailureKind::NoToken, detail, None),
        Err(FetchError::TokenCommandFailed(detail)) => {
            (FailureKind::TokenCommandFailed, detail, None)
        }
        Err(FetchError::TokenRefused {
            origin,
            fault,
            message,
            ..
        }) => {
            remedy = Some(remedy_for(&origin, fault));
            let detail = format!("the token from {origin} ({message})");
            (FailureKind::TokenRefused, detail, None)
        }
        Err(error @ FetchError::AppNotFound { .. }) => {
            (FailureKind::AppNotFound, error.to_string(), None)
        }
    };
    FetchOutcome::Failed(FetchFailure {
        kind,
        detail,
        retry_after,
        remedy,
    })
}

fn remedy_for(origin: &Origin, fault: Refused) -> Remedy {
    match (fault, origin) {
        (Refused::Account, _) => Remedy::Account,
        (Refused::Token, Origin::File(_)) => Remedy::File,
        (Refused::Token, Origin::Command(_)) => Remedy::Command,
        (Refused::Token, Origin::ApiKey) => Remedy::Environment,
        (Refused::Token, Origin::Credential(_)) => Remedy::Credential,
        (Refused::Token, Origin::Keychain | Origin::Netrc(_)) => Remedy::CliLogin,
    }
}

fn met(server: postgres::Server) -> Server {
    let postgres::Server {
        system,
        timeline,
        read_only,
    } = server;
    Server {
        system,
        timeline,
        access: if read_only {
            Access::ReadOnly
        } else {
            Access::ReadWrite
        },
    }
}

fn remember<Id>(tasks: &mut Vec<(Id, AbortHandle)>, id: Id, task: &JoinHandle<()>) {
    tasks.retain(|(_, task)| !task.is_finished());
    tasks.push((id, task.abort_handle()));
}

fn abort<Id: PartialEq>(tasks: &mut Vec<(Id, AbortHandle)>, id: &Id) {
    for (_, task) in tasks.extract_if(.., |(open, _)| open == id) {
        task.abort();
    }
}
