//! `--hook`: a person's program is run for what matters, one after another. It never holds anything
//! else up.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::future::pending;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::credential::phrase;
use crate::heroku::HelperEnds;
use crate::process;
use crate::supervisor::notice::Occasion;
use crate::supervisor::signal::Signal;

/// One that runs longer is killed.
const TIME_MAX: Duration = Duration::from_secs(10);
/// When so many wait, no more are kept.
const WAITING_MAX: usize = 32;
/// How often the end is looked for.
const PAUSE: Duration = Duration::from_millis(20);

/// What is run, and as what.
#[derive(Clone, Debug)]
pub struct Hook {
    /// The program; it gets no arguments but the occasion.
    pub program: PathBuf,
    /// What it finds in its environment.
    pub variables: BTreeMap<OsString, OsString>,
}

/// Whoever runs hooks. Dropped, it runs no more of them, and kills the one that runs.
#[derive(Debug)]
pub(super) struct Hooks {
    calls: mpsc::Sender<Call>,
    task: AbortHandle,
}

/// One run.
#[derive(Debug)]
struct Call {
    occasion: Occasion,
    facts: Vec<u8>,
}

impl Hooks {
    /// Needs the event loop.
    pub(super) fn begin(hook: Hook, ends: HelperEnds) -> Self {
        let (sender, mut calls) = mpsc::channel::<Call>(WAITING_MAX);
        let task = tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                let occasion = call.occasion.name();
                if let Err(why) = run(&hook, call, &ends).await {
                    let program = phrase(&hook.program.display().to_string());
                    tracing::warn!(
                        facts = %json!({"event": "hook_failed", "occasion": occasion}),
                        "the hook {program}, run for a {occasion}, {why}: what it should have told may be unknown to \
                         you"
                    );
                }
            }
        });
        Self {
            calls: sender,
            task: task.abort_handle(),
        }
    }

    /// Has it run for this, as soon as those before have ended.
    pub(super) fn call(&self, occasion: Occasion, mut facts: Map<String, Value>) {
        facts.insert("v".to_owned(), 1.into());
        facts.insert("occasion".to_owned(), occasion.name().into());
        let mut facts = Value::Object(facts).to_string().into_bytes();
        facts.push(b'\n');
        if self.calls.try_send(Call { occasion, facts }).is_err() {
            let occasion = occasion.name();
            tracing::warn!(
                facts = %json!({"event": "hook_skipped", "occasion": occasion}),
                "the hook was not run for a {occasion}, because {WAITING_MAX} calls of it wait: it is too slow; let it \
                 hand on what it is told"
            );
        }
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn run(hook: &Hook, call: Call, ends: &HelperEnds) -> Result<(), String> {
    let mut command = Command::new(&hook.program);
    process::unblock(&mut command);
    let mut child = command
        .arg(call.occasion.name())
        .env_clear()
        .envs(&hook.variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(|error| format!("could not be started ({})", error.kind()))?;
    let running = Running::new(child.id(), ends.clone());
    let stdin = child.stdin.take();
    let told = async {
        if let Some(stdin) = stdin {
            tell(stdin, &call.facts).await;
        }
        pending().await
    };
    let end = async {
        tokio::select! { end = running.end() => end, () = told => Ok(()) }
    };
    match timeout(TIME_MAX, end).await {
        Ok(end) => end.map_err(|why| format!("failed: it {why}")),
        Err(_) => Err(format!(
            "did not end within {} s and was killed",
            TIME_MAX.as_secs()
        )),
    }
}

/// More than its pipe holds waits until it reads. Who does not, ends all the same.
async fn tell(stdin: ChildStdin, facts: &[u8]) {
    if let Ok(mut stdin) = pipe::Sender::from_owned_fd(OwnedFd::from(stdin)) {
        let _ = stdin.write_all(facts).await;
    }
}

/// A hook that runs, in a process group of its own, which is killed on drop unless its end is
/// known.
struct Running {
    pid: u32,
    ends: HelperEnds,
}

impl Running {
    fn new(pid: u32, ends: HelperEnds) -> Self {
        ends.expect(pid);
        Self { pid, ends }
    }

    async fn end(&self) -> Result<(), String> {
        loop {
            if let Some(end) = self.ends.told(self.pid) {
                return end;
            }
            sleep(PAUSE).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ends.told(self.pid).is_none() {
            // Not told yet, so not reaped: the number is still its own, and its group's.
            let _ = process::signal_group(self.pid, Signal::KILL);
        }
        self.ends.forget(self.pid);
    }
}
