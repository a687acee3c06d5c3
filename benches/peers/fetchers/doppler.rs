//! Doppler's CLI with `run --watch`, and as much of its API as that takes.
//!
//! The API pushes: a change is told on a stream that stays open. The real one also sends a sign of
//! life on it now and then; how often is not documented, and this one sends none.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::front::{Answers, Front, Request, json, reset};
use crate::api::{Api, Trouble};
use crate::ground::Ground;
use crate::peer::{Peer, Restart};

const DOWNLOAD: &str = "/v3/configs/config/secrets/download";
const WATCH: &str = "/v3/configs/config/secrets/watch";

pub(crate) struct Doppler;

impl Peer for Doppler {
    fn name(&self) -> &'static str {
        "Doppler"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["doppler"]
    }

    fn command(&self, ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
        // It would report to its maker.
        let settings = place.join("settings");
        std::fs::create_dir(&settings)?;
        let quiet = "analytics:\n    disable: true\nflags:\n    analytics: false\n";
        std::fs::write(settings.join(".doppler.yaml"), quiet)?;
        let mut command = ground.command("doppler")?;
        command
            .args(["run", "--watch", "--no-check-version", "--config-dir"])
            .arg(&settings)
            .args(["--api-host", &ground.doppler.front.url(), "--"])
            .args(program)
            .env("DOPPLER_TOKEN", "dp.st.simulated");
        Ok(command)
    }

    fn restart(&self) -> Restart {
        Restart::Watches
    }

    fn api<'a>(&self, ground: &'a Ground) -> Option<&'a dyn Api> {
        Some(&ground.doppler)
    }
}

/// The fake of its API.
pub(crate) struct DopplerApi {
    front: Front,
    shared: Arc<Shared>,
}

impl DopplerApi {
    pub(crate) fn start() -> Result<Self> {
        let shared = Arc::new(Shared::default());
        Ok(Self {
            front: Front::start(Arc::clone(&shared))?,
            shared,
        })
    }
}

impl Api for DopplerApi {
    fn change(&self) -> Result<()> {
        self.shared.state().number += 1;
        for watcher in self.shared.state().watchers.values_mut() {
            // Who has just gone is not told.
            let _ = say(watcher, "secrets.update");
        }
        Ok(())
    }

    fn value(&self) -> Result<String> {
        Ok(self.shared.state().value())
    }

    fn asked(&self) -> usize {
        self.front.asked()
    }

    fn misbehave(&self, trouble: Option<Trouble>) {
        self.front.misbehave(trouble);
        if trouble != Some(Trouble::Reset) {
            return;
        }
        let watchers = std::mem::take(&mut self.shared.state().watchers);
        for watcher in watchers.into_values() {
            // Who waits for its end lets go of it as well.
            let _ = watcher.shutdown(Shutdown::Read);
            let _ = reset(&watcher);
        }
    }
}

#[derive(Default)]
struct State {
    /// Of the credential.
    number: u64,
    watchers: BTreeMap<u64, TcpStream>,
    watched: u64,
}

impl State {
    fn value(&self) -> String {
        format!("postgres://user:{}@db.invalid/app", self.number)
    }
}

#[derive(Default)]
struct Shared(Mutex<State>);

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn download(&self, request: &Request, mut stream: TcpStream) -> io::Result<()> {
        let (value, number) = {
            let state = self.state();
            (state.value(), state.number)
        };
        let tag = format!("\"{number}\"");
        if String::from_utf8_lossy(&request.bytes).contains(&tag) {
            return json(&mut stream, "304 Not Modified", "");
        }
        let with_tag = format!("200 OK\r\netag: {tag}");
        json(&mut stream, &with_tag, &secrets(&value))
    }

    /// Ends when the client does.
    fn watch(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n",
        )?;
        say(&mut stream, "connected")?;
        let number = {
            let mut state = self.state();
            state.watched += 1;
            let number = state.watched;
            state.watchers.insert(number, stream.try_clone()?);
            number
        };
        let ended = stream.read(&mut [0]);
        self.state().watchers.remove(&number);
        ended.map(drop)
    }
}

impl Answers for Shared {
    fn is_concerned(&self, path: &str) -> bool {
        path.starts_with(DOWNLOAD) || path.starts_with(WATCH)
    }

    fn emptied(&self) -> String {
        secrets("")
    }

    fn answer(&self, request: &Request, mut stream: TcpStream) -> io::Result<()> {
        if request.path.starts_with(DOWNLOAD) {
            self.download(request, stream)
        } else if request.path.starts_with(WATCH) {
            self.watch(stream)
        } else {
            // A ping that says that the CLI is alive.
            json(&mut stream, "200 OK", r#"{"success":true}"#)
        }
    }
}

fn secrets(value: &str) -> String {
    format!(r#"{{"DATABASE_URL":"{value}"}}"#)
}

/// In one piece: the CLI takes what it reads at once for one event.
fn say(stream: &mut TcpStream, what: &str) -> io::Result<()> {
    let event = format!("event: message\ndata: {{\"type\":\"{what}\"}}\n\n");
    stream.write_all(event.as_bytes())
}
