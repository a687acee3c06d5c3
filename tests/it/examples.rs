//! The examples do what they are there for: programs of each kind, supervised under a simulator
//! that is a program of its own.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::raw_http;
use crate::support::supervised::{QUICK, Supervise};
use crate::support::world::Process;

/// The simulator's example, ended on drop.
struct Heroku(Child);

impl Heroku {
    fn start() -> (Self, String) {
        let mut child = Command::new(example("heroku_simulator"))
            .args(["--listen", "127.0.0.1:0", "--app", "myapp"])
            .args(["--token", "HRKU-simulator"])
            .args(["--config", "DATABASE_URL=postgres://u:p@127.0.0.1:1/d"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = child.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let url = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        (Self(child), url)
    }
}

impl Drop for Heroku {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where cargo puts an example; built when a run of these tests alone has not done so.
fn example(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_BIN_EXE_changeover"))
        .parent()
        .unwrap();
    let path = folder.join("examples").join(name);
    if !path.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", name]);
        let built = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(built.unwrap().success(), "{name} cannot be built");
    }
    path
}

#[test]
fn each_kind_of_child_is_replaced_and_stopped() {
    let child = example("child").display().to_string();
    let child = child.as_str();
    std::thread::scope(|scope| {
        for (kind, options) in [
            ("polite", QUICK.to_owned()),
            ("slow", QUICK.to_owned()),
            ("deaf", format!("{QUICK} --stop-timeout 200ms")),
            ("forking", QUICK.to_owned()),
        ] {
            scope.spawn(move || is_replaced_and_stopped(child, kind, &options));
        }
    });
}

fn is_replaced_and_stopped(child: &str, kind: &str, options: &str) {
    let (_heroku, url) = Heroku::start();
    let supervise = Supervise::at(&url).options(options);
    let mut run = supervise.program(&[child, kind, "100"]);
    let first = Process::named(&run.line(&format!("ready {kind} ")), "pid");
    rotate(&url);
    run.log("started on revision 2");
    assert!(!first.lives(), "{kind}: {}", run.told());
    run.terminate();
    let left = run.processes();
    assert_eq!(left, [run.pid()], "{kind}: {}", run.told());
}

fn rotate(url: &str) {
    let address = url.strip_prefix("http://").unwrap().parse().unwrap();
    let patience = Duration::from_secs(10);
    let path = ("POST", "/simulator/rotate");
    let answer = raw_http::send(address, path, &[], "{}", patience).unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
}
