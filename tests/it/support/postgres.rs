//! A real Postgres for tests: a cluster of its own in a temporary directory, gone when the test
//! process is.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use changeover::testing::heroku::{Options, Simulator};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::skip::skipped;

use super::authority::{Authority, Validity};

const SUPERUSER: &str = "postgres";
const PASSWORD: &str = "superuser-password";

/// The role that a login without TLS is a member of.
const PLAIN: &str = "plain";

/// A member of this role may only log in without TLS.
const ONLY_PLAIN: &str = "only_plain";

/// How a server encrypts.
#[derive(Clone, Copy)]
enum Tls {
    None,
    /// A certificate for `localhost` that signed itself.
    SelfSigned,
    /// A certificate for `localhost` that an authority of its own signed.
    Signed,
}

/// Runs the server until standard input ends, which it does when the test process is gone, however
/// that came about.
const WATCHER: &str = r#"
"$1" -D "$2/data" >"$2/log" 2>&1 </dev/null &
read -r _
kill -QUIT $!
wait $!
rm -rf "$2"
"#;

/// A running server.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    directory: PathBuf,
    /// Its standard input keeps the server running.
    _watcher: Child,
}

impl Postgres {
    /// The server that all tests share: TLS with a self-signed certificate for `localhost`.
    /// `None`, and a line that says so, where Postgres is not installed.
    pub(crate) fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        or_skipped(SHARED.get_or_init(|| Self::start(Tls::SelfSigned)).as_ref())
    }

    /// A server of its own without TLS.
    pub(crate) fn without_tls() -> Option<&'static Self> {
        static WITHOUT_TLS: OnceLock<Option<Postgres>> = OnceLock::new();
        or_skipped(WITHOUT_TLS.get_or_init(|| Self::start(Tls::None)).as_ref())
    }

    /// A server whose certificate an authority signed; see [`Postgres::authority`].
    pub(crate) fn with_authority() -> Option<&'static Self> {
        static SIGNED: OnceLock<Option<Postgres>> = OnceLock::new();
        or_skipped(SIGNED.get_or_init(|| Self::start(Tls::Signed)).as_ref())
    }

    /// A server of the caller's own, to be filled or stopped; without TLS.
    pub(crate) fn own() -> Option<Self> {
        let server = Self::start(Tls::None);
        or_skipped(server.as_ref())?;
        server
    }

    /// A server that follows another, which it has not found yet: it shows what it has, and takes
    /// no writes. Only the administrator can log in.
    pub(crate) fn standby() -> Option<Self> {
        let server = Self::launch(Tls::None, follow);
        or_skipped(server.as_ref())?;
        server
    }

    fn start(tls: Tls) -> Option<Self> {
        let server = Self::launch(tls, |_, _| {})?;
        server.sql(&format!("CREATE ROLE {PLAIN}"));
        server.sql(&format!("CREATE ROLE {ONLY_PLAIN}"));
        Some(server)
    }

    /// Starts one, after something was done to its data directory.
    fn launch(tls: Tls, prepare: impl Fn(&Identity, &Path)) -> Option<Self> {
        let programs = programs()?;
        let identity = Identity::find();
        let directory = TempDir::with_prefix_in("pg", place()).unwrap();
        let password_file = directory.path().join("password");
        fs::write(&password_file, PASSWORD).unwrap();
        identity.own(directory.path());
        identity.own(&password_file);
        let data = directory.path().join("data");
        initialize(&programs, &identity, &data, &password_file);
        let directory = directory.keep();
        let port = free_port();
        configure(&identity, &directory, port, tls);
        prepare(&identity, &directory.join("data"));
        Some(Self::run(&programs, &identity, directory, port))
    }

    /// A standby of this server, which follows all that is done here.
    pub(crate) fn follower(&self) -> Self {
        let (programs, identity) = (programs().unwrap(), Identity::find());
        let directory = TempDir::with_prefix_in("pg", place()).unwrap();
        identity.own(directory.path());
        let data = directory.path().join("data");
        let initdb = fs::canonicalize(programs.join("initdb")).unwrap();
        let beside = initdb.with_file_name("pg_basebackup");
        let pg_basebackup = if beside.is_file() {
            beside
        } else {
            PathBuf::from("pg_basebackup")
        };
        let copied = identity
            .command(pg_basebackup)
            .args(["-R", "-X", "stream", "-c", "fast", "-U", SUPERUSER, "-h"])
            .arg(&self.directory)
            .args(["-p", &self.port.to_string(), "-D"])
            .arg(&data)
            .env("PGPASSWORD", PASSWORD)
            .current_dir("/")
            .output()
            .unwrap();
        assert!(
            copied.status.success(),
            "{}",
            String::from_utf8_lossy(&copied.stderr)
        );
        let directory = directory.keep();
        let (port, sockets) = (free_port(), directory.display());
        let settings = data.join("postgresql.auto.conf");
        let copied = fs::read_to_string(&settings).unwrap();
        let own = format!("port = {port}\nunix_socket_directories = '{sockets}'\n");
        fs::write(&settings, copied + &own).unwrap();
        Self::run(&programs, &identity, directory, port)
    }

    fn run(programs: &Path, identity: &Identity, directory: PathBuf, port: u16) -> Self {
        let watcher = identity
            .command("sh")
            .args(["-c", WATCHER, "sh"])
            .args([&programs.join("postgres"), &directory])
            .current_dir(&directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self {
            port,
            directory,
            _watcher: watcher,
        };
        server.wait_until_ready();
        server
    }

    /// Makes a standby a primary.
    pub(crate) fn promote(&self) {
        assert_eq!(self.value("SELECT pg_promote()").as_deref(), Some("t"));
    }

    /// It ends at once, as if its machine did.
    pub(crate) fn die(&self) {
        self.signal(Signal::SIGQUIT);
    }

    /// The administrator's URL.
    pub(crate) fn superuser_url(&self) -> String {
        self.url(SUPERUSER, PASSWORD, "postgres")
    }

    /// A URL of this server.
    pub(crate) fn url(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// A role that may log in with and without TLS, a database of the same name, and their URL.
    pub(crate) fn create_role_and_database(&self, name: &str) -> String {
        let url = self.create_role_for_tls(name);
        self.sql(&format!("GRANT {PLAIN} TO {name}"));
        url
    }

    /// The same, but `pg_hba.conf` has no entry for it without TLS.
    pub(crate) fn create_role_for_tls(&self, name: &str) -> String {
        self.sql(&role(name));
        self.sql(&format!("CREATE DATABASE {name} OWNER {name}"));
        self.url(name, &format!("password-of-{name}"), name)
    }

    /// Like [`Postgres::create_role_and_database`]; the password is kept in this way (`md5`,
    /// `scram-sha-256`), and it is the way to log in.
    pub(crate) fn create_role_kept_as(&self, name: &str, kept_as: &str) -> String {
        self.sql(&format!(
            "SET password_encryption = '{kept_as}'; {}",
            role(name)
        ));
        self.sql(&format!("CREATE DATABASE {name} OWNER {name}"));
        self.url(name, &format!("password-of-{name}"), name)
    }

    /// The same as that, but `pg_hba.conf` rejects it with TLS.
    pub(crate) fn create_role_for_plain(&self, name: &str) -> String {
        let url = self.create_role_and_database(name);
        self.sql(&format!("GRANT {ONLY_PLAIN} TO {name}"));
        url
    }

    /// A simulator whose databases are real ones here. Their users may log in with and without TLS.
    pub(crate) fn simulator(&self) -> Simulator {
        let options = Options {
            postgres: Some(self.superuser_url()),
            ..Options::default()
        };
        let simulator = Simulator::start(options).unwrap();
        let config = simulator.config();
        for url in config.values().filter_map(|value| value.as_str()) {
            let user = url.split(['/', ':']).nth(3).unwrap();
            self.sql(&format!("GRANT {PLAIN} TO {user}"));
        }
        simulator
    }

    /// Runs a statement as the administrator.
    pub(crate) fn sql(&self, statement: &str) {
        self.ask(statement).unwrap();
    }

    /// The first column of the first row of a query, as the administrator.
    pub(crate) fn value(&self, query: &str) -> Option<String> {
        self.ask(query).unwrap()
    }

    /// How many connections of `changeover`'s this role has.
    pub(crate) fn slots_of_ours(&self, role: &str) -> String {
        let query = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}' AND \
             application_name = 'changeover'"
        );
        self.value(&query).unwrap()
    }

    /// The same in another database.
    pub(crate) fn value_in(&self, database: &str, query: &str) -> Option<String> {
        self.ask_in(database, query).unwrap()
    }

    /// The certificate that signed itself.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.join("data/server.crt")
    }

    /// The certificate of the authority that signed the server's, and that of a stranger.
    pub(crate) fn authority(&self) -> (PathBuf, PathBuf) {
        let data = self.directory.join("data");
        (data.join("authority.crt"), data.join("stranger.crt"))
    }

    /// What the server has said so far.
    pub(crate) fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Asks the server to end when its last client has gone.
    pub(crate) fn shut_down_softly(&self) {
        self.signal(Signal::SIGTERM);
    }

    fn signal(&self, signal: Signal) {
        let lock = fs::read_to_string(self.directory.join("data/postmaster.pid")).unwrap();
        let pid = lock.lines().next().unwrap().parse().unwrap();
        kill(Pid::from_raw(pid), signal).unwrap();
    }

    fn wait_until_ready(&self) {
        let tries = 600;
        for _ in 0..tries {
            if self.ask("SELECT 1").is_ok() {
                return;
            }
            on_own_thread(|| async { tokio::time::sleep(Duration::from_millis(50)).await });
        }
        let log = fs::read_to_string(self.directory.join("log")).unwrap_or_default();
        panic!("Postgres did not come up: {log}");
    }

    fn ask(&self, statement: &str) -> Result<Option<String>, tokio_postgres::Error> {
        self.ask_in("postgres", statement)
    }

    /// Through the socket file, where no encryption is asked for.
    fn ask_in(
        &self,
        database: &str,
        statement: &str,
    ) -> Result<Option<String>, tokio_postgres::Error> {
        let database = database.to_owned();
        let sockets = self.directory.clone();
        let port = self.port;
        let statement = statement.to_owned();
        on_own_thread(move || async move {
            let mut config = tokio_postgres::Config::new();
            config
                .host_path(sockets)
                .port(port)
                .user(SUPERUSER)
                .password(PASSWORD)
                .dbname(database);
            let (client, connection) = config.connect(NoTls).await?;
            let connection = tokio::spawn(connection);
            let messages = client.simple_query(&statement).await?;
            drop(client);
            let _ = connection.await;
            Ok(messages.iter().find_map(|message| {
                let SimpleQueryMessage::Row(row) = message else {
                    return None;
                };
                row.get(0).map(str::to_owned)
            }))
        })
    }
}

fn role(name: &str) -> String {
    format!("CREATE ROLE {name} LOGIN PASSWORD 'password-of-{name}'")
}

/// Each test that goes without says so itself: `tests/run` counts the lines.
fn or_skipped(server: Option<&Postgres>) -> Option<&Postgres> {
    if server.is_none() {
        skipped("Postgres: no server in PATH or /usr/lib/postgresql/*/bin");
    }
    server
}

/// Callable from a test that has a runtime of its own.
fn on_own_thread<F, T>(work: impl FnOnce() -> F + Send) -> T
where
    F: Future<Output = T>,
    T: Send,
{
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(work())
        });
        worker.join().unwrap()
    })
}

/// Who runs the server, which refuses to run as root.
struct Identity(Option<(u32, u32)>);

impl Identity {
    fn find() -> Self {
        let we_are_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
        if !we_are_root {
            return Self(None);
        }
        let users = fs::read_to_string("/etc/passwd").unwrap();
        let ids = |name: &str| {
            let line = users
                .lines()
                .find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2).map(str::parse::<u32>);
            Some((fields.next()?.ok()?, fields.next()?.ok()?))
        };
        Self(
            ids("postgres")
                .or_else(|| ids("nobody"))
                .or(Some((65534, 65534))),
        )
    }

    /// A command in a process group of its own: a Ctrl-C meant for the tests must not end the
    /// watcher first.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.process_group(0);
        if let Self(Some((user, group))) = self {
            command.uid(*user).gid(*group);
        }
        command
    }

    fn own(&self, path: &Path) {
        if let Self(Some((user, group))) = self {
            chown(path, Some(*user), Some(*group)).unwrap();
        }
    }
}

/// In memory where that can be had: a cluster is 40 MB in a thousand files.
fn place() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    let writable = tempfile::tempfile_in(&memory).is_ok();
    if writable {
        memory
    } else {
        std::env::temp_dir()
    }
}

/// One of the programs that come with the server, if this one does here.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let directory = directory_with(&[name])?;
    Some(directory.join(name))
}

fn programs() -> Option<PathBuf> {
    directory_with(&["initdb", "postgres"])
}

fn directory_with(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let installed = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    std::env::split_paths(&path)
        .chain(installed.map(|version| version.path().join("bin")))
        .find(|directory| programs.iter().all(|name| directory.join(name).is_file()))
}

fn initialize(programs: &Path, identity: &Identity, data: &Path, password_file: &Path) {
    let made = identity
        .command(programs.join("initdb"))
        .args([
            "--auth-host=scram-sha-256",
            "--auth-local=scram-sha-256",
            "--no-sync",
            "--locale=C",
        ])
        .args(["--username", SUPERUSER, "--pwfile"])
        .arg(password_file)
        .arg("-D")
        .arg(data)
        .current_dir("/")
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
}

fn configure(identity: &Identity, directory: &Path, port: u16, tls: Tls) {
    let data = directory.join("data");
    // With the method `md5` a password that is kept as SCRAM is still asked for as SCRAM.
    let (ssl, host, method, kept_as) = match tls {
        Tls::None => ("off", "host", "md5", "scram-sha-256"),
        Tls::SelfSigned => ("on", "hostssl", "scram-sha-256", "scram-sha-256"),
        // SCRAM's 4096 rounds take their time, and this server has hundreds of logins.
        Tls::Signed => ("on", "hostssl", "md5", "md5"),
    };
    let sockets = directory.display();
    let settings = format!(
        "port = {port}\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '{sockets}'\n\
         ssl = {ssl}\nfsync = off\nsynchronous_commit = off\nfull_page_writes = off\n\
         max_connections = 40\nshared_buffers = 4MB\n\
         log_connections = on\nlog_disconnections = on\npassword_encryption = '{kept_as}'\n"
    );
    fs::write(data.join("postgresql.auto.conf"), settings).unwrap();
    let access = format!(
        "local all,replication all scram-sha-256\nhostssl all +{ONLY_PLAIN} 127.0.0.1/32 reject\n\
         {host} all all 127.0.0.1/32 {method}\n\
         hostnossl all +{PLAIN},{SUPERUSER} 127.0.0.1/32 {method}\n"
    );
    fs::write(data.join("pg_hba.conf"), access).unwrap();
    for (name, text) in certificates(tls) {
        let path = data.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        identity.own(&path);
    }
}

/// Makes a standby of a cluster, of which `initdb` has noted that it takes 100 connections: it may
/// take no fewer then.
fn follow(identity: &Identity, data: &Path) {
    let settings = data.join("postgresql.auto.conf");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}max_connections = 100\n")).unwrap();
    let signal = data.join("standby.signal");
    fs::write(&signal, "").unwrap();
    identity.own(&signal);
}

/// Files, and what is in them.
fn certificates(tls: Tls) -> Vec<(&'static str, String)> {
    match tls {
        Tls::None => Vec::new(),
        Tls::SelfSigned => {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            vec![
                ("server.crt", made.cert.pem()),
                ("server.key", made.signing_key.serialize_pem()),
            ]
        }
        Tls::Signed => {
            let authority = Authority::new("of this server");
            let signed = authority.sign("localhost", Validity::Now);
            vec![
                ("server.crt", signed.certificate_pem),
                ("server.key", signed.key_pem),
                ("authority.crt", authority.pem()),
                ("stranger.crt", Authority::new("of another").pem()),
            ]
        }
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
