//! How the core learns that an instance serves: what the instance finds open at its start, and who
//! listens to it, or asks it, from then on.

use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use crate::credential::phrase;
use crate::process::{NotifySocket, ReadyPipe, Said, Tree, is_passing};
use crate::readiness::{Probe, until_ready};
use crate::supervisor::event::Event;
use crate::supervisor::id::InstanceId;
use crate::supervisor::readiness::{Readiness, Word};

/// Until a socket is read again that could not be.
const PASSING: Duration = Duration::from_millis(100);

/// Between the end of a program's descriptors and the news of its own.
const LAST_WORD: Duration = Duration::from_millis(100);

/// Every instance that may have something to say.
#[derive(Debug)]
pub(super) struct Probes {
    how: Readiness,
    /// Who the instances are; `None`: who we are.
    user: Option<u32>,
    mark: String,
    answers: mpsc::Sender<Event>,
    /// Started, and nobody listens yet.
    waiting: Vec<(InstanceId, Ear)>,
    listening: Vec<(InstanceId, AbortHandle)>,
}

/// Our end of what an instance speaks through.
#[derive(Debug)]
pub(super) enum Ear {
    Socket(NotifySocket),
    Pipe(ReadyPipe),
}

/// The instance's end.
#[derive(Debug, Default)]
pub(super) struct Mouth {
    /// What its environment says besides the core's.
    pub(super) variables: Vec<(&'static str, String)>,
    /// What it finds open, and at which number.
    pub(super) descriptor: Option<(OwnedFd, RawFd)>,
}

impl Probes {
    /// For instances that tell their readiness in this way. `mark` is the supervisor's.
    pub(super) fn new(
        how: Readiness,
        user: Option<u32>,
        mark: String,
        answers: mpsc::Sender<Event>,
    ) -> Self {
        Self {
            how,
            user,
            mark,
            answers,
            waiting: Vec::new(),
            listening: Vec::new(),
        }
    }

    /// Opens what an instance that is about to be prepared will speak through, if anything.
    pub(super) fn open(&self, instance: InstanceId) -> io::Result<(Option<Ear>, Mouth)> {
        match self.how {
            Readiness::None | Readiness::Delay(_) | Readiness::Tcp(_) | Readiness::Http(_) => {
                Ok((None, Mouth::default()))
            }
            Readiness::Notify { watchdog } => {
                let socket = NotifySocket::bind(&instance.mark(&self.mark), self.user)?;
                let mouth = Mouth {
                    variables: variables(socket.address(), watchdog),
                    descriptor: None,
                };
                Ok((Some(Ear::Socket(socket)), mouth))
            }
            Readiness::Descriptor(number) => {
                let (pipe, end) = ReadyPipe::open()?;
                let mouth = Mouth {
                    variables: Vec::new(),
                    descriptor: Some((end, number)),
                };
                Ok((Some(Ear::Pipe(pipe)), mouth))
            }
        }
    }

    /// An instance was started with the other end of this.
    pub(super) fn started(&mut self, instance: InstanceId, ear: Option<Ear>) {
        self.waiting.extend(ear.map(|ear| (instance, ear)));
    }

    /// Listens or asks from now on. `tree`: the instance's processes.
    pub(super) fn begin(&mut self, instance: InstanceId, tree: Tree) {
        let at = self.waiting.iter().position(|(id, _)| *id == instance);
        let ear = at.map(|at| self.waiting.swap_remove(at).1);
        let tell = Tell {
            instance,
            answers: self.answers.clone(),
        };
        let task = match (ear, &self.how) {
            (Some(Ear::Socket(socket)), _) => tokio::spawn(tell.heard(socket, tree)),
            (Some(Ear::Pipe(pipe)), _) => tokio::spawn(tell.newline(pipe)),
            (None, Readiness::Tcp(endpoint)) => {
                tokio::spawn(tell.asked(Probe::Tcp(endpoint.clone()), self.how.to_string()))
            }
            (None, Readiness::Http(page)) => {
                tokio::spawn(tell.asked(Probe::Http(page.clone()), self.how.to_string()))
            }
            (None, Readiness::None | Readiness::Delay(_))
            | (None, Readiness::Notify { .. } | Readiness::Descriptor(_)) => return,
        };
        self.listening.push((instance, task.abort_handle()));
    }

    /// Nobody listens any more to an instance whose leader has ended.
    pub(super) fn keep(&mut self, lives: impl Fn(InstanceId) -> bool) {
        self.waiting.retain(|(instance, _)| lives(*instance));
        self.listening.retain(|(instance, task)| {
            let lives = lives(*instance);
            if !lives {
                task.abort();
            }
            lives
        });
    }
}

/// Without `WATCHDOG_PID`, the variables mean whoever reads them.
fn variables(address: &str, watchdog: Option<Duration>) -> Vec<(&'static str, String)> {
    let mut variables = vec![("NOTIFY_SOCKET", address.to_owned())];
    let micros = watchdog.map(|every| every.as_micros().to_string());
    variables.extend(micros.map(|micros| ("WATCHDOG_USEC", micros)));
    variables
}

/// The way to the core, for one instance. (The receiver lives as long as the executor; when both
/// are gone nobody is left to tell.)
struct Tell {
    instance: InstanceId,
    answers: mpsc::Sender<Event>,
}

impl Tell {
    async fn say(&self, word: Word) {
        let instance = self.instance;
        let _ = self.answers.send(Event::Said { instance, word }).await;
    }

    async fn heard(self, socket: NotifySocket, tree: Tree) {
        loop {
            match socket.hear(|pid| tree.contains(pid)).await {
                Ok(words) => {
                    for word in words {
                        self.say(word).await;
                    }
                }
                Err(error) if is_passing(&error) => sleep(PASSING).await,
                Err(error) => {
                    let why = format!("NOTIFY_SOCKET cannot be read ({error})");
                    return self.say(Word::Silent(why)).await;
                }
            }
        }
    }

    async fn newline(self, pipe: ReadyPipe) {
        let why = match pipe.hear().await {
            Ok(Said::Newline) => return self.say(Word::Ready).await,
            Ok(Said::Nothing) => {
                // Of a program that has ended, its end says more, and is about to be known.
                sleep(LAST_WORD).await;
                "it closed the descriptor of --ready without a newline".to_owned()
            }
            Err(error) => format!("the pipe of --ready cannot be read ({error})"),
        };
        self.say(Word::Silent(why)).await;
    }

    /// `how`: as `--ready` has it.
    async fn asked(self, probe: Probe, how: String) {
        let not_yet = |why: &str| {
            let (instance, why) = (self.instance, format!("{how}: {why}"));
            tracing::debug!("not ready yet: {}", phrase(&why));
            let word = Word::NotYet(why);
            // The next reason will do as well.
            let _ = self.answers.try_send(Event::Said { instance, word });
        };
        until_ready(&probe, not_yet).await;
        self.say(Word::Ready).await;
    }
}
