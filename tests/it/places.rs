//! The places where changeover is used, as `examples/` has them: a Procfile's managers, systemd,
//! and a root directory with nothing else in it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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

/// What a `FROM scratch` image has, and what a container's runtime puts there: names and addresses,
/// and shared memory.
fn bare_root(binary: &Path, authority: &Authority) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let mode = |path: &str, mode| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(root.path().join(path), permissions).unwrap();
    };
    mode("", 0o755);
    fs::copy(binary, root.path().join("changeover")).unwrap();
    support::write(&root.path().join("ca.pem"), 0o644, &authority.pem());
    fs::create_dir(root.path().join("etc")).unwrap();
    let hosts = format!("127.0.0.1 {BARE_HOST}\n");
    support::write(&root.path().join("etc/hosts"), 0o644, &hosts);
    fs::create_dir_all(root.path().join("dev/shm")).unwrap();
    mode("dev/shm", 0o1777);
    root
}

/// A Heroku that has only this name, behind TLS.
async fn heroku_in_the_open(authority: &Authority) -> Canned {
    let signed = authority.sign(BARE_HOST, Validity::Now);
    let body = format!(r#"{{"DATABASE_URL":"{}"}}"#, url(1));
    Canned::start_tls(vec![Reply::answer("200 OK", "", &body)], signed).await
}

/// A command of the image, as its user and with its environment.
fn in_the_image(root: &Path, port: u16, command: &str) -> Command {
    let dockerfile = fs::read_to_string(format!("{EXAMPLES}/docker/Dockerfile")).unwrap();
    let user = dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("USER "));
    let mut process = Command::new("chroot");
    process
        .arg(format!("--userspec={}", user.unwrap()))
        .arg(root)
        .args(command.split(' '))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HEROKU_APP", "myapp")
        .env("HEROKU_API_KEY", Options::default().token)
        .env("CHANGEOVER_API_URL", format!("https://{BARE_HOST}:{port}"))
        .env("CHANGEOVER_CA_FILE", "/ca.pem")
        .env("CHANGEOVER_CHECK_LOGIN", "never")
        .env("CHANGEOVER_CONTROL_LISTEN", "/dev/shm/changeover.sock");
    process
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
    let heroku = heroku_in_the_open(&authority).await;
    let root = bare_root(&binary, &authority);
    // The only program there is: it waits for an answer that never comes.
    let program =
        "/changeover run -a none --api-url http://127.0.0.1:1 --start-timeout 1h -- /changeover";
    let command = format!("/changeover run --keep HEROKU_API_KEY -- {program}");
    let mut run = in_the_image(root.path(), heroku.port, &command)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (path, port) = (root.path().to_owned(), heroku.port);
    let watched = tokio::task::spawn_blocking(move || {
        let check = || {
            in_the_image(&path, port, "/changeover status --check")
                .output()
                .unwrap()
        };
        eventually("it is healthy", || check().status.success());
        String::from_utf8(check().stdout).unwrap()
    });
    let status = watched.await.unwrap();
    assert!(status.contains("serving on revision 1"), "{status}");
    kill(Pid::from_raw(run.id().cast_signed()), Signal::SIGTERM).unwrap();
    let ended = tokio::task::spawn_blocking(move || run.wait()).await;
    assert_eq!(ended.unwrap().unwrap().code(), Some(143));
    assert_eq!(heroku.requests().len(), 1);
}

#[test]
fn what_stands_in_the_examples_are_options() {
    let mut names = 0;
    for file in [
        "docker/Dockerfile",
        "docker/compose.yaml",
        "docker/kubernetes.yaml",
        "procfile/.env",
    ] {
        let text = fs::read_to_string(format!("{EXAMPLES}/{file}")).unwrap();
        let is_name = |c: char| c.is_ascii_uppercase() || c == '_';
        for (at, _) in text.match_indices("CHANGEOVER_") {
            let name: String = text[at..].chars().take_while(|c| is_name(*c)).collect();
            if name != "CHANGEOVER_" {
                let inherited = [(name.clone().into(), "1".into())].into();
                let unknown = changeover::config::unknown_variables(&inherited);
                assert!(unknown.is_empty(), "{file}: {unknown:?}");
                names += 1;
            }
        }
    }
    assert!(names > 8, "{names}");
}
