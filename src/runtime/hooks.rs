//! `--hook`: a person's program is run for what matters, one after another. It never holds anything
//! else up.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::credential::phrase;
use crate::heroku::HelperEnds;
use crate::supervisor::notice::Occasion;

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

/// Whoever runs hooks.
#[derive(Debug)]
pub(super) struct Hooks(mpsc::Sender<Call>);

/// One run.
#[derive(Debug)]
struct Call {
    occasion: Occasion,
    facts: Vec<u8>,
}

impl Hooks {
    /// Needs the event loop.
    pub(super) fn begin(hook: Hook, ends: HelperEnds) -> Self {
        let (sender, mut calls) = mpsc::channel(WAITING_MAX);
        tokio::spawn(async move {
            while let Some(call) = calls.recv().await {
                if let Err(why) = run(&hook, call, &ends).await {
                    let program = phrase(&hook.program.display().to_string());
                    tracing::warn!(
                        "the hook {program} {why}: what it was told of may be unknown to you"
                    );
                }
            }
        });
        Self(sender)
    }

    /// Has it run for this, as soon as those before have ended.
    pub(super) fn call(&self, occasion: Occasion, mut facts: Map<String, Value>) {
        facts.insert("v".to_owned(), 1.into());
        facts.insert("occasion".to_owned(), occasion.name().into());
        let mut facts = Value::Object(facts).to_string().into_bytes();
        facts.push(b'\n');
        if self.0.try_send(Call { occasion, facts }).is_err() {
            tracing::warn!(
                "a hook was not run for a {}: {WAITING_MAX} others wait, so it is too slow",
                occasion.name()
            );
        }
    }
}

async fn run(hook: &Hook, call: Call, ends: &HelperEnds) -> Result<(), String> {
    let mut child = Command::new(&hook.program)
        .arg(call.occasion.name())
        .env_clear()
        .envs(&hook.variables)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("could not be started ({})", error.kind()))?;
    let pid = child.id();
    ends.expect(pid);
    if let Some(mut stdin) = child.stdin.take() {
        // Less than a pipe holds: this never blocks. Who does not read it, ends all the same.
        let _ = stdin.write_all(&call.facts);
    }
    let ended = wait(&mut child, ends).await;
    ends.forget(pid);
    ended
}

async fn wait(child: &mut Child, ends: &HelperEnds) -> Result<(), String> {
    let end = async {
        loop {
            if let Some(end) = ends.told(child.id()) {
                return end;
            }
            sleep(PAUSE).await;
        }
    };
    if let Ok(end) = timeout(TIME_MAX, end).await {
        return end.map_err(|why| format!("failed: it {why}"));
    }
    // Not told yet, so not reaped: the process id is still its own.
    let _ = child.kill();
    Err("did not end within 10 s and was killed".to_owned())
}
