//! OpenBao's agent in exec mode, its server in development mode, and a way to it that misbehaves.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use super::front::{Answers, Front, Request, ask};
use crate::api::{Api, Trouble};
use crate::ground::{Ground, find};
use crate::peer::{Peer, Restart};
use crate::{now, pause};

const READY_WITHIN: Duration = Duration::from_secs(30);
const TOKEN: &str = "root";

/// The agent.
pub(crate) struct OpenBao;

impl Peer for OpenBao {
    fn name(&self) -> &'static str {
        "OpenBao"
    }

    fn needs(&self) -> &'static [&'static str] {
        &["bao", "setpriv"]
    }

    fn command(&self, ground: &Ground, program: &[String], place: &Path) -> Result<Command> {
        let api = &ground.openbao;
        api.server.ready()?;
        api.write()?;
        let token = place.join("token");
        fs::write(&token, TOKEN)?;
        let settings = place.join("agent.hcl");
        // Its own interval is five minutes.
        let text = format!(
            r#"
vault {{ address = "{}" }}
auto_auth {{ method "token_file" {{ config = {{ token_file_path = {token:?} }} }} }}
template_config {{ static_secret_render_interval = "{}s" }}
env_template "DATABASE_URL" {{
  contents = "{{{{ with secret \"secret/data/{}\" }}}}{{{{ .Data.data.url }}}}{{{{ end }}}}"
  error_on_missing_key = true
}}
exec {{
  command = {program:?}
  restart_on_secret_changes = "always"
  restart_stop_signal = "SIGTERM"
}}
"#,
            api.front.url(),
            ground.interval.as_secs(),
            api.shared.name,
        );
        fs::write(&settings, text)?;
        let mut command = ground.command("bao")?;
        command.arg("agent").arg("-config").arg(&settings);
        Ok(command)
    }

    fn restart(&self) -> Restart {
        Restart::Watches
    }

    fn api<'a>(&self, ground: &'a Ground) -> Option<&'a dyn Api> {
        Some(&ground.openbao)
    }
}

/// A secret of its own in the one server, and a way to it of its own.
pub(crate) struct OpenBaoApi {
    front: Front,
    shared: Arc<Shared>,
    server: Arc<Server>,
    version: AtomicU64,
}

impl OpenBaoApi {
    pub(crate) fn start(server: Arc<Server>) -> Result<Self> {
        static SECRETS: AtomicU64 = AtomicU64::new(0);
        let number = SECRETS.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::new(Shared {
            name: format!("app{number}"),
            server: server.address,
        });
        Ok(Self {
            front: Front::start(Arc::clone(&shared))?,
            shared,
            server,
            version: AtomicU64::new(0),
        })
    }

    /// The one server.
    pub(crate) fn server(&self) -> Arc<Server> {
        Arc::clone(&self.server)
    }

    fn write(&self) -> Result<()> {
        let request = format!("POST /v1/secret/data/{}", self.shared.name);
        let body = format!(r#"{{"data":{{"url":"{}"}}}}"#, self.value()?);
        ask(self.server.address, &request, TOKEN, &body).map(drop)
    }
}

impl Api for OpenBaoApi {
    fn change(&self) -> Result<()> {
        self.version.fetch_add(1, Ordering::Relaxed);
        self.write()
    }

    fn value(&self) -> Result<String> {
        let version = self.version.load(Ordering::Relaxed);
        Ok(format!("postgres://user:{version}@db.invalid/app"))
    }

    fn asked(&self) -> usize {
        self.front.asked()
    }

    fn misbehave(&self, trouble: Option<Trouble>) {
        self.front.misbehave(trouble);
    }
}

struct Shared {
    /// Of the secret.
    name: String,
    server: SocketAddr,
}

impl Answers for Shared {
    fn is_concerned(&self, _path: &str) -> bool {
        true
    }

    fn emptied(&self) -> String {
        r#"{"data":{"data":{"url":""},"metadata":{"version":1}}}"#.to_owned()
    }

    /// Passes it on to the server. Each connection is for one request.
    fn answer(&self, request: &Request, mut stream: TcpStream) -> io::Result<()> {
        let mut server = TcpStream::connect(self.server)?;
        let end = request.bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = request.bytes.split_at(end.map_or(0, |end| end + 1));
        server.write_all(&[line, b"connection: close\r\n", rest].concat())?;
        let (mut from, mut to) = (stream.try_clone()?, server.try_clone()?);
        // The rest of a body. It ends when the client has its answer.
        thread::spawn(move || io::copy(&mut from, &mut to));
        io::copy(&mut server, &mut stream)?;
        stream.shutdown(std::net::Shutdown::Both)
    }
}

/// `bao server -dev`, which ends with us, and is started when somebody needs it.
pub(crate) struct Server {
    address: SocketAddr,
    running: Mutex<Option<(Child, TempDir)>>,
}

impl Server {
    pub(crate) fn new() -> Result<Self> {
        // Free now, and hopefully later.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self {
            address: free.local_addr()?,
            running: Mutex::default(),
        })
    }

    /// Starts it unless it runs: it may have been swept away with what a peer has left behind.
    fn ready(&self) -> Result<()> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((server, _)) = running.as_mut()
            && matches!(server.try_wait(), Ok(None))
        {
            return Ok(());
        }
        let place = tempfile::tempdir()?;
        let log = File::create(place.path().join("log"))?;
        let server = Command::new(find("setpriv").context("no setpriv")?)
            .args(["--pdeathsig", "KILL", "bao", "server", "-dev"])
            .args(["-dev-no-store-token", "-dev-root-token-id", TOKEN])
            .arg(format!("-dev-listen-address={}", self.address))
            .env_clear()
            .env("PATH", env::var_os("PATH").unwrap_or_default())
            .env("HOME", place.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let begin = now();
        *running = Some((server, place));
        while ask(self.address, "GET /v1/sys/mounts/secret/tune", TOKEN, "").is_err() {
            if now() - begin > READY_WITHIN {
                bail!("bao server -dev is not ready");
            }
            pause(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let running = self.running.get_mut();
        let running = running.unwrap_or_else(PoisonError::into_inner).take();
        if let Some((mut server, _place)) = running {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}
