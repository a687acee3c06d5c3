//! What the tests of the operating-system shells share: a process for each, programs to run,
//! markers to wait for.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use changeover::credential::environment::SslPolicy;
use changeover::credential::snapshot::Watched;
use changeover::credential::{Environment, EnvironmentSpec, Reserved, Selection, Values};
use changeover::process::{
    Change, Child, Children, Group, Inherited, Program, child_signal, collect, prepare, spawn,
};
use changeover::supervisor::event::Ended;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

/// Nothing takes this long; a test that waits longer has failed.
const PATIENCE_MS: u16 = 30_000;

/// Signals 32 and 33: glibc's posix_spawn, which starts the test processes, leaves one ignored.
pub(crate) const LIBCS_OWN: u64 = 3 << 31;

const ROLE: &str = "PROCESS_TEST_ROLE";

/// Runs the test's body in a new process, with SIGCHLD blocked on every thread as in the
/// supervisor. `under` are more options of env(1), which sets up what the process inherits.
pub(crate) fn alone_under(name: &str, under: &[&str], body: impl FnOnce()) {
    if env::var(ROLE).is_ok_and(|role| role == name) {
        return body();
    }
    let output = role(name, under).output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "no such test: {name}\n{out}");
}

/// A process that runs one test of this binary.
pub(crate) fn role(name: &str, under: &[&str]) -> Command {
    let mut command = Command::new("env");
    command
        .arg("--block-signal=CHLD")
        .args(under)
        .arg(format!("{ROLE}={name}"));
    command
        .arg(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"]);
    command
}

macro_rules! alone {
    ($name:ident, $body:block) => {
        alone!($name, [], $body);
    };
    ($name:ident, $under:expr, $body:block) => {
        #[test]
        fn $name() {
            let path = concat!(module_path!(), "::", stringify!($name));
            let path = path.split_once("::").unwrap().1;
            crate::process::kit::alone_under(path, &$under, || $body);
        }
    };
}
pub(crate) use alone;

/// A program with nothing special about it.
pub(crate) fn program(command: &str, args: &[&str]) -> Program {
    Program {
        command: command.into(),
        args: args.iter().map(OsString::from).collect(),
        identity: None,
        directory: None,
        group: Group::Own,
        inherited: Inherited::default(),
        sockets: Vec::new(),
    }
}

pub(crate) fn shell(script: &str, args: &[&str]) -> Program {
    program("sh", &[&["-c", script, "sh"], args].concat())
}

/// An environment of these variables alone, with the mark of an instance.
pub(crate) fn environment(mark: Option<&str>, variables: &[(&str, &str)]) -> Environment {
    let base = variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let watched = vec![Watched {
        pattern: "DATABASE_URL".into(),
        export_as: None,
    }];
    EnvironmentSpec {
        base,
        clear: false,
        keep: Vec::new(),
        unset: Vec::new(),
        given: BTreeMap::new(),
        sockets: Vec::new(),
        selection: Selection {
            watched,
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
        },
        sslmode: SslPolicy::Keep,
        scheme: None,
        expand: Vec::new(),
    }
    .build(mark, &Values::new(), &Values::new())
}

pub(crate) fn start(program: &Program, mark: Option<&str>) -> Child {
    let path = env::var("PATH").unwrap();
    let mut prepared = prepare(program, &environment(mark, &[("PATH", &path)])).unwrap();
    spawn(&mut prepared).unwrap()
}

/// A named pipe to which children write a line when they have come to a point.
pub(crate) struct Markers {
    pub(crate) path: String,
    lines: BufReader<File>,
    _directory: tempfile::TempDir,
}

impl Markers {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("markers");
        nix::unistd::mkfifo(&path, Mode::from_bits_truncate(0o666)).unwrap();
        // Both ends, so that it never comes to an end.
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self {
            path,
            lines: BufReader::new(file),
            _directory: directory,
        }
    }

    pub(crate) fn next(&mut self) -> String {
        if self.lines.buffer().is_empty() {
            wait_readable(self.lines.get_ref(), "a marker");
        }
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Lines of the form `name pid`, in any order.
    pub(crate) fn pids(&mut self, count: usize) -> BTreeMap<String, u32> {
        let lines = (0..count).map(|_| self.next());
        lines
            .map(|line| {
                let (name, pid) = line.split_once(' ').unwrap();
                (name.to_owned(), pid.parse().unwrap())
            })
            .collect()
    }
}

/// Waits for children, as the runtime does.
pub(crate) struct Reaper {
    signal: File,
    pub(crate) ended: BTreeMap<u32, Ended>,
    pub(crate) changes: Vec<(u32, Change)>,
}

impl Reaper {
    pub(crate) fn new() -> Self {
        let signal = File::from(child_signal().unwrap());
        Self {
            signal,
            ended: BTreeMap::new(),
            changes: Vec::new(),
        }
    }

    /// Collects until this holds.
    pub(crate) fn until(&mut self, what: &str, done: impl Fn(&Self, Children) -> bool) {
        loop {
            let mut changes = Vec::new();
            let children = collect(&mut changes);
            for (pid, change) in &changes {
                if let Change::Ended(ended) = change {
                    let twice = self.ended.insert(*pid, *ended);
                    assert_eq!(twice, None, "{pid} was reaped twice");
                }
            }
            self.changes.extend(changes);
            if done(self, children) {
                return;
            }
            assert_ne!(
                children,
                Children::None,
                "no child left, but still no {what}"
            );
            if children == Children::Some {
                wait_readable(&self.signal, what);
                let _ = self.signal.read(&mut [0; 1024]);
            }
        }
    }

    pub(crate) fn end_of(&mut self, pid: u32) -> Ended {
        self.until(&format!("end of {pid}"), |reaper, _| {
            reaper.ended.contains_key(&pid)
        });
        self.ended[&pid]
    }

    pub(crate) fn empty(&mut self) {
        self.until("empty tree", |_, children| children == Children::None);
    }
}

/// Runs a program that ends by itself and returns what it wrote to the file that its last argument
/// names.
pub(crate) fn written_by(mut program: Program, environment: &Environment) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let open_to_all = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(directory.path(), open_to_all).unwrap();
    let path: PathBuf = directory.path().join("out");
    program.args.push(path.clone().into());
    let mut reaper = Reaper::new();
    let child = spawn(&mut prepare(&program, environment).unwrap()).unwrap();
    assert_eq!(reaper.end_of(child.pid), Ended::Code(0));
    std::fs::read(path).unwrap()
}

/// One line of `/proc/PID/status`, as a number in base 16.
pub(crate) fn status_mask(status: &[u8], name: &str) -> u64 {
    let text = String::from_utf8_lossy(status).into_owned();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
    u64::from_str_radix(line.unwrap().trim(), 16).unwrap() & !LIBCS_OWN
}

pub(crate) fn executable(path: &Path, content: &[u8], mode: u32) {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .unwrap();
    std::io::Write::write_all(&mut file, content).unwrap();
}

/// Readable, or a failed test.
pub(crate) fn wait_readable(file: &impl AsFd, what: &str) {
    let mut fds = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    let ready = poll(&mut fds, PollTimeout::from(PATIENCE_MS)).unwrap();
    assert_ne!(ready, 0, "{what} did not come");
}

/// A process has ended when its descriptor says so, whoever reaps it.
pub(crate) fn wait_end(pidfd: &OwnedFd) {
    wait_readable(pidfd, "the end of a process");
}
