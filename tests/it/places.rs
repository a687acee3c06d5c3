//! The places where changeover is used, as `examples/` has them: a Procfile's managers, systemd,
//! and a root directory with nothing else in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use changeover::testing::heroku::{Options, Simulator};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::skip::skipped;
use crate::support;
use crate::support::authority::{Authority, Validity};
use crate::support::canned::{Canned, Reply};
use crate::support::supervised::url;
use crate::support::world::{eventually, kill_everything, processes_with};

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
/// Only the bare root's own list of names knows it.
const BARE_HOST: &str = "api.bare.test";
/// Who waits this long for TERM is given 5 s by a Procfile's manager, and then killed.
const PROGRAM: &str = r#"#!/bin/sh
trap 'echo "$0 ends"; exit 0' TERM
echo "$0 runs on $DATABASE_URL"
while :; do sleep 0.1; done
"#;

/// Whoever reads a Procfile, with all that it starts. Dropping it ends everything.
struct Manager {
    process: Child,
    lines: Vec<String>,
    out: BufReader<std::process::ChildStdout>,
    mark: String,
    _place: TempDir,
}

/// The binary that a variable of `tests/run` names.
fn installed(variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).filter(|path| !path.is_empty());
    if path.is_none() {
        skipped(&format!("{variable} does not name a binary"));
    }
    path.map(PathBuf::from)
}

impl Manager {
    fn start(binary: &Path, heroku: &Simulator) -> Self {
        let place = tempfile::tempdir().unwrap();
        for name in ["Procfile", ".env"] {
            let from = Path::new(EXAMPLES).join("procfile").join(name);
            fs::copy(from, place.path().join(name)).unwrap();
        }
        for name in ["serve", "work"] {
            support::write(&place.path().join(name), 0o755, PROGRAM);
        }
        let token = Options::default().token;
        support::write(&place.path().join("heroku-token"), 0o600, &token);
        let mark = format!("PLACE={}", place.path().display());
        let ours = Path::new(env!("CARGO_BIN_EXE_changeover"))
            .parent()
            .unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut process = Command::new(binary)
            .arg("start")
            .current_dir(&place)
            .env("PATH", format!("{}:{path}", ours.display()))
            .env("PLACE", place.path())
            .env("HOME", place.path())
            .env("HEROKU_HOST", heroku.url())
            .env("CHANGEOVER_CHECK_LOGIN", "never")
            .env("CHANGEOVER_INTERVAL", "1s")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        Self {
            out: BufReader::new(process.stdout.take().unwrap()),
            process,
            lines: Vec::new(),
            mark,
            _place: place,
        }
    }

    /// Waits until all these were said, by whomever and in whatever order.
    fn until(&mut self, parts: &[&str]) {
        let mut missing: Vec<&str> = parts.to_vec();
        while !missing.is_empty() {
            let mut line = String::new();
            let read = self.out.read_line(&mut line).unwrap();
            assert!(read > 0, "nobody says {missing:?}: {:#?}", self.lines);
            missing.retain(|part| !line.contains(part));
            self.lines.push(line);
        }
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        kill_everything(&self.mark);
    }
}

#[test]
fn a_procfiles_manager_starts_changes_and_stops_everything() {
    for variable in ["CHANGEOVER_TEST_FOREMAN", "CHANGEOVER_TEST_HONCHO"] {
        let Some(binary) = installed(variable) else {
            continue;
        };
        let heroku = Simulator::start(Options {
            app: "my-app".to_owned(),
            config: vec![("DATABASE_URL".to_owned(), url(1))],
            ..Options::default()
        })
        .unwrap();
        let mut manager = Manager::start(&binary, &heroku);
        manager.until(&["serve runs on", "work runs on"]);
        heroku.set_config("DATABASE_URL", Some(&url(2)));
        let second = "password-2@";
        let runs = |name: &str| format!("{name} runs on postgres://u1:{second}");
        manager.until(&["serve ends", "work ends", &runs("serve"), &runs("work")]);
        let pid = Pid::from_raw(manager.process.id().cast_signed());
        kill(pid, Signal::SIGTERM).unwrap();
        manager.until(&["serve ends", "work ends"]);
        eventually("the manager ends", || {
            manager.process.try_wait().unwrap().is_some()
        });
        let left = processes_with(&manager.mark);
        assert!(left.is_empty(), "{variable}: {left:?}");
    }
}

#[test]
fn systemd_accepts_the_unit_and_finds_it_hardened() {
    let text = fs::read_to_string(format!("{EXAMPLES}/systemd/changeover@.service")).unwrap();
    let place = tempfile::tempdir().unwrap();
    let binary = env!("CARGO_BIN_EXE_changeover");
    let text = text.replace("/usr/bin/changeover", binary);
    let unit = place.path().join("changeover@app.service");
    support::write(&unit, 0o644, &text);
    let analyze = |arguments: &[&str]| {
        let mut command = Command::new("systemd-analyze");
        command.args(arguments).arg(&unit).env("LC_ALL", "C");
        command.output().ok()
    };
    let Some(verified) = analyze(&["verify", "--man=no"]) else {
        skipped("systemd-analyze is not installed");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    assert!(verified.status.success() && said.is_empty(), "{said}");
    // Of 10 for no protection at all, in tenths.
    let exposed = analyze(&["security", "--offline=true", "--no-pager", "--threshold=15"]);
    let exposed = exposed.unwrap();
    let said = String::from_utf8_lossy(&exposed.stdout);
    assert!(exposed.status.success(), "{said}");
}

/// What a `FROM scratch` image has, and what a container's runtime puts there: names and addresses.
fn bare_root(binary: &Path, authority: &Authority) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::copy(binary, root.path().join("changeover")).unwrap();
    support::write(&root.path().join("ca.pem"), 0o644, &authority.pem());
    fs::create_dir(root.path().join("etc")).unwrap();
    let hosts = format!("127.0.0.1 {BARE_HOST}\n");
    support::write(&root.path().join("etc/hosts"), 0o644, &hosts);
    root
}

#[tokio::test]
async fn the_static_binary_needs_nothing_beside_it() {
    let Some(binary) = installed("CHANGEOVER_TEST_STATIC") else {
        return;
    };
    if !nix::unistd::geteuid().is_root() {
        skipped("only root can change the root directory");
        return;
    }
    let authority = Authority::new("of a bare root");
    let signed = authority.sign(BARE_HOST, Validity::Now);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![signed.certificate], signed.key)
        .unwrap();
    let body = format!(r#"{{"DATABASE_URL":"{}"}}"#, url(1));
    let heroku = Canned::start_tls(vec![Reply::answer("200 OK", "", &body)], config).await;
    let root = bare_root(&binary, &authority);
    let mut command = Command::new("chroot");
    command
        .arg(root.path())
        .args("/changeover run -- /changeover --version".split(' '))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HEROKU_APP", "myapp")
        .env("HEROKU_API_KEY", Options::default().token)
        .env(
            "CHANGEOVER_API_URL",
            format!("https://{BARE_HOST}:{}", heroku.port),
        )
        .env("CHANGEOVER_CA_FILE", "/ca.pem")
        .env("CHANGEOVER_CHECK_LOGIN", "never");
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("static"),
        "{output:?}"
    );
    assert_eq!(heroku.requests().len(), 1);
}
