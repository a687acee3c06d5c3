//! `--listen`: sockets that outlive every instance, seen from both ends.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use changeover::testing::heroku::{Options, Simulator};
use nix::sys::signal::Signal;
use nix::sys::socket::Backlog;
use nix::unistd::Uid;

use crate::child;
use crate::skip::skipped;
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::{Process, eventually};

/// Says what it was told of its sockets, and stays. (Another program in its place would open files
/// for a moment.)
const WHAT: &str = r#"
echo "pid=$$ of=$LISTEN_PID fds=$LISTEN_FDS names=$LISTEN_FDNAMES pidfdid=$LISTEN_PIDFDID"
sleep 1000 & wait"#;

/// Whoever runs the tests may have something open where the sockets belong.
const CLOSED: &str = "exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-";

/// With nothing open from descriptor 3 to 9, and then as this line of a shell has it.
fn supervise(simulator: &Simulator, line: &str) -> Supervise {
    let script = format!("{CLOSED}; {line}; exec \"$@\"");
    let run = Supervise::on(simulator).under(&["bash", "-c", &script, "sh"]);
    run.options("--check-login never").options(QUICK)
}

fn serve(run: Supervise) -> Supervised {
    let mut run = run.program(&child::server().each_ref().map(String::as_str));
    run.line("serving");
    run
}

/// The port of the first TCP socket that the log tells of.
fn port(run: &mut Supervised) -> u16 {
    let line = run.log("listening on 127.0.0.1:");
    let rest = line.split("127.0.0.1:").nth(1).unwrap();
    rest.split(',').next().unwrap().parse().unwrap()
}

/// A connection, a line, its answer.
fn ask(mut stream: impl Read + Write) -> io::Result<String> {
    stream.write_all(b"who?\n")?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(answer.trim_end().to_owned())
}

fn ask_tcp(port: u16) -> io::Result<String> {
    ask(TcpStream::connect(("127.0.0.1", port))?)
}

/// What a process has at these descriptors.
fn open_files(process: &Process, numbers: &[u32]) -> Vec<Option<String>> {
    let link = |number| fs::read_link(format!("/proc/{}/fd/{number}", process.pid)).ok();
    let names = numbers.iter().map(link);
    names
        .map(|name| name.map(|name| name.display().to_string()))
        .collect()
}

fn is_socket(name: &Option<String>) -> bool {
    name.as_ref()
        .is_some_and(|name| name.starts_with("socket:"))
}

#[test]
fn the_program_serves_on_sockets_that_the_supervisor_bound() {
    let simulator = simulator();
    let run = supervise(&simulator, ":");
    let path = run.home().join("web.sock");
    let path = path.display().to_string();
    let run = run.options(&format!("--listen 127.0.0.1:0 --listen web=unix:{path}"));
    let mut run = serve(run);
    let port = port(&mut run);
    run.log(&format!("listening on {path}"));
    assert_eq!(ask_tcp(port).unwrap(), format!("tcp {}", url(1)));
    let unix = || ask(UnixStream::connect(&path)?);
    assert_eq!(unix().unwrap(), format!("unix {}", url(1)));
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("serving");
    assert_eq!(ask_tcp(port).unwrap(), format!("tcp {}", url(2)));
    assert_eq!(unix().unwrap(), format!("unix {}", url(2)));
    assert_eq!(run.terminate(), 0, "{}", run.told());
    let refused = ask_tcp(port).unwrap_err().kind();
    assert_eq!(refused, io::ErrorKind::ConnectionRefused);
    assert!(!Path::new(&path).exists(), "its file went with it");
}

#[test]
fn no_connection_is_refused_while_the_program_is_replaced() {
    const CLIENTS: usize = 4;
    const ENOUGH: usize = 100;
    let simulator = simulator();
    let mut run = serve(supervise(&simulator, ":").options("--listen 127.0.0.1:0"));
    let port = port(&mut run);
    let (asked, over) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let answers = |number| {
        let expected = format!("tcp {}", url(number));
        let asked = asked.lock().unwrap();
        let same = asked
            .iter()
            .filter(|one| matches!(one, Ok(said) if *said == expected));
        same.count()
    };
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let answer = ask_tcp(port).map_err(|error| error.to_string());
                    asked.lock().unwrap().push(answer);
                }
            });
        }
        let more = |number| {
            let until = answers(number) + ENOUGH;
            let failed = || asked.lock().unwrap().iter().any(Result::is_err);
            eventually("more answers", || answers(number) >= until || failed());
        };
        for number in 2..=4 {
            more(number - 1);
            simulator.set_config("DATABASE_URL", Some(&url(number)));
            more(number);
        }
        over.store(true, Ordering::Relaxed);
    });
    let known: usize = (1..=4).map(answers).sum();
    let asked = asked.into_inner().unwrap();
    let wrong = asked
        .iter()
        .filter(|one| !one.as_ref().is_ok_and(|said| said.starts_with("tcp ")));
    assert_eq!(known, asked.len(), "{:?}", wrong.collect::<Vec<_>>());
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_connection_waits_while_no_program_runs() {
    let simulator = simulator();
    let run = supervise(&simulator, ":");
    let script = r#"
        if [ ! -e "$HOME/again" ]; then touch "$HOME/again"; exit 1; fi
        while [ ! -e "$HOME/go" ]; do sleep 0.01; done
        exec "$@""#;
    let server = child::server();
    let server = server.each_ref().map(String::as_str);
    let program = [&["sh", "-c", script, "sh"], server.as_slice()].concat();
    let run = run.options("--listen 127.0.0.1:0 --restart on-failure --backoff 100ms..100ms");
    let mut run = run.program(&program);
    let port = port(&mut run);
    run.log("exited 1");
    // Nobody accepts: it is the supervisor's socket.
    let waiting = TcpStream::connect(("127.0.0.1", port)).unwrap();
    fs::write(run.home().join("go"), "").unwrap();
    assert_eq!(ask(waiting).unwrap(), format!("tcp {}", url(1)));
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn what_is_told_of_sockets_is_true() {
    let simulator = simulator();
    let run = supervise(&simulator, ":")
        .env("LISTEN_FDS", "9")
        .env("LISTEN_PID", "1")
        .env("LISTEN_PIDFDID", "1")
        .env("LISTEN_FDNAMES", "other");
    let keep = "--keep LISTEN_FDS,LISTEN_PID,LISTEN_PIDFDID,LISTEN_FDNAMES";
    let run = run.options(&format!(
        "{keep} --listen web=127.0.0.1:0 --listen 127.0.0.1:0"
    ));
    let mut run = run.script(WHAT);
    for _ in 0..2 {
        let line = run.line("pid=");
        let process = Process::named(&line, "pid");
        let pid = process.pid;
        let expected = format!("pid={pid} of={pid} fds=2 names=web:unknown pidfdid=");
        assert_eq!(line, expected);
        let open = open_files(&process, &[3, 4, 5]);
        assert!(is_socket(&open[0]) && is_socket(&open[1]), "{open:?}");
        assert_eq!(open[2], None, "{open:?}");
        simulator.set_config("DATABASE_URL", Some(&url(2)));
    }
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

/// What systemd does: sockets from descriptor 3 on, and who they are for. There is one, twice.
const LIKE_SYSTEMD: &str = "exec 3<&0 4<&0 0</dev/null; export LISTEN_FDS=2 LISTEN_PID=$$ LISTEN_FDNAMES=a:b LISTEN_PIDFDID=7";

fn tcp() -> (OwnedFd, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener.into(), port)
}

#[test]
fn systemds_sockets_come_first_and_under_their_names() {
    let simulator = simulator();
    let (socket, _) = tcp();
    let run = supervise(&simulator, LIKE_SYSTEMD).stdin(socket);
    let mut run = run.options("--listen c=127.0.0.1:0").script(WHAT);
    for _ in 0..2 {
        let line = run.line("pid=");
        let process = Process::named(&line, "pid");
        let pid = process.pid;
        let expected = format!("pid={pid} of={pid} fds=3 names=a:b:c pidfdid=");
        assert_eq!(line, expected);
        let open = open_files(&process, &[3, 4, 5, 6]);
        assert!(is_socket(&open[0]) && open[0] == open[1], "{open:?}");
        assert!(is_socket(&open[2]) && open[2] != open[1], "{open:?}");
        assert_eq!(open[3], None, "{open:?}");
        simulator.set_config("DATABASE_URL", Some(&url(2)));
    }
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn systemds_sockets_alone_are_passed_on_to_every_instance() {
    let simulator = simulator();
    let (socket, port) = tcp();
    let line = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";
    let mut run = serve(supervise(&simulator, line).stdin(socket));
    assert_eq!(ask_tcp(port).unwrap(), format!("tcp {}", url(1)));
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("serving");
    assert_eq!(ask_tcp(port).unwrap(), format!("tcp {}", url(2)));
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn what_systemd_passed_on_says_nothing_of_the_program() {
    let simulator = simulator();
    let (socket, port) = tcp();
    let line = "exec 3<&0 0</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$";
    let run = supervise(&simulator, line).stdin(socket);
    let mut run = run
        .options(&format!("--ready tcp:localhost:{port}"))
        .script("");
    assert_eq!(run.exit_code(), 2, "{}", run.told());
    let told = run.log("asks localhost:");
    assert!(
        told.contains("passed on to changeover") && told.contains("use --ready notify"),
        "{told}"
    );
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn what_systemd_passed_on_must_be_there() {
    let simulator = simulator();
    for (fds, part) in [("2", "descriptor 4 is not open"), ("two", "no number of")] {
        let line = format!("exec 3</dev/null; export LISTEN_FDS={fds} LISTEN_PID=$$");
        let mut run = supervise(&simulator, &line).script("");
        assert_eq!(run.exit_code(), 78, "{}", run.told());
        run.log(&format!("LISTEN_FDS is \"{fds}\", but "));
        assert!(run.told().contains(part), "{}", run.told());
    }
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn other_descriptors_stay_as_they_are_and_one_in_the_way_is_told() {
    let simulator = simulator();
    let open = "exec 4</dev/null 6</dev/zero";
    let mut run = supervise(&simulator, open).options("--listen 127.0.0.1:0");
    run = run.options("--start-timeout 9s");
    let mut run = run.script(WHAT);
    let process = Process::named(&run.line("pid="), "pid");
    let files = open_files(&process, &[3, 4, 5, 6]);
    assert!(is_socket(&files[0]), "{files:?}");
    let named = |name: &str| Some(name.to_owned());
    assert_eq!(files[1..], [named("/dev/null"), None, named("/dev/zero")]);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    let requests = simulator.request_count();
    let run = supervise(&simulator, open).options("--listen 127.0.0.1:0 --listen 127.0.0.1:0");
    let mut run = run.script(WHAT);
    assert_eq!(run.exit_code(), 2, "{}", run.told());
    run.log("started with descriptor 4 open");
    assert!(run.told().contains("4<&-"), "{}", run.told());
    assert_eq!(simulator.request_count(), requests);
}

#[test]
fn what_cannot_be_bound_is_told_before_heroku_is_asked() {
    let simulator = simulator();
    let (_taken, port) = tcp();
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).display().to_string();
    let _listening = UnixListener::bind(at("taken")).unwrap();
    // Its queue has room for one.
    let busy = UnixListener::bind(at("busy")).unwrap();
    nix::sys::socket::listen(&busy, Backlog::new(0).unwrap()).unwrap();
    let _first = UnixStream::connect(at("busy")).unwrap();
    let _datagrams = UnixDatagram::bind(at("datagrams")).unwrap();
    fs::write(at("file"), "").unwrap();
    std::os::unix::fs::symlink(at("nowhere"), at("link")).unwrap();
    for (address, part) in [
        (
            format!("127.0.0.1:{port}"),
            "another program or another --listen",
        ),
        ("203.0.113.7:0".to_owned(), "no address of this machine"),
        ("no-such-host.invalid:80".to_owned(), "cannot be looked up"),
        (at("taken"), "another program listens already"),
        (at("busy"), "another program listens already"),
        (at("datagrams"), "cannot be told"),
        (at("file"), "something else than a socket"),
        (at("link"), "something else than a socket"),
        (at("none/web.sock"), "directory does not exist"),
        (at("file/web.sock"), "directory does not exist"),
    ] {
        let options = format!("--listen 127.0.0.1:0 --listen {address}");
        let mut run = supervise(&simulator, ":").options(&options).script(WHAT);
        assert_eq!(run.exit_code(), 78, "{}", run.told());
        run.log("--listen (CHANGEOVER_LISTEN) names ");
        assert!(run.told().contains(part), "{address}: {}", run.told());
        assert!(run.told().contains("so nothing was started"));
    }
    assert_eq!(simulator.request_count(), 0);
    assert_eq!(fs::read(at("file")).unwrap(), b"");
    assert!(UnixStream::connect(at("taken")).is_ok());
}

#[test]
fn who_may_not_is_told() {
    if !Uid::effective().is_root() {
        return skipped("--listen: only root can become somebody who may not");
    }
    let simulator = simulator();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("web.sock").display().to_string();
    let first = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start");
    let free: u16 = first.unwrap().trim().parse().unwrap();
    let mut wanted = vec![(path, "may create no file")];
    if free > 1 {
        wanted.push(("127.0.0.1:1".to_owned(), "only root may listen"));
    }
    for (address, part) in wanted {
        let other = "exec setpriv --reuid=54321 --regid=54322 --clear-groups \"$@\"";
        let run = supervise(&simulator, other).options(&format!("--listen {address}"));
        let mut run = run.script(WHAT);
        assert_eq!(run.exit_code(), 78, "{}", run.told());
        assert!(run.told().contains(part), "{address}: {}", run.told());
    }
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn a_file_that_a_killed_supervisor_left_is_replaced() {
    let simulator = simulator();
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("web.sock");
    let start = || {
        let options = format!("--listen {}", path.display());
        let mut run = supervise(&simulator, ":").options(&options).script(WHAT);
        let child = Process::named(&run.line("pid="), "pid");
        (run, child)
    };
    let (run, child) = start();
    run.signal(Signal::SIGKILL);
    eventually("the program is gone", || !child.lives());
    drop(run);
    let before = fs::symlink_metadata(&path).unwrap().ino();
    let (mut run, _) = start();
    assert!(UnixStream::connect(&path).is_ok(), "{}", run.told());
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert!(!path.exists(), "{before}");
}

#[test]
fn a_file_that_somebody_else_put_there_stays() {
    let simulator = simulator();
    let run = supervise(&simulator, ":");
    let path = run.home().join("web.sock");
    let run = run.options(&format!("--listen {}", path.display()));
    let mut run = run.script(WHAT);
    run.line("pid=");
    fs::remove_file(&path).unwrap();
    let _other = UnixListener::bind(&path).unwrap();
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert!(path.exists());
}

#[test]
fn the_file_goes_when_the_program_ends_by_itself_and_when_there_was_none() {
    let simulator = simulator();
    for (script, code) in [("exit 7", 7), ("kill -9 $$", 137)] {
        let run = supervise(&simulator, ":");
        let path = run.home().join("web.sock");
        let run = run.options(&format!("--listen {}", path.display()));
        let mut run = run.script(&format!("[ -S {} ] || exit 1; {script}", path.display()));
        assert_eq!(run.exit_code(), code, "{}", run.told());
        assert!(!path.exists());
    }
    simulator.set_config("DATABASE_URL", None);
    let run = supervise(&simulator, ":");
    let path = run.home().join("web.sock");
    let run = run.options(&format!(
        "--listen {} --start-timeout 500ms",
        path.display()
    ));
    let mut run = run.script(WHAT);
    assert_eq!(run.exit_code(), 78, "{}", run.told());
    run.log("listening on");
    assert!(!path.exists());
}

#[test]
fn another_user_owns_the_file() {
    if !Uid::effective().is_root() {
        return skipped("--listen: only root can become another user");
    }
    let simulator = simulator();
    let run = supervise(&simulator, "umask 027");
    let path = run.home().join("web.sock");
    let options = format!(
        "--user 54321:54322 --listen {} --listen 127.0.0.1:0",
        path.display()
    );
    let mut run = run.options(&options).script(WHAT);
    let process = Process::named(&run.line("pid="), "pid");
    let file = fs::symlink_metadata(&path).unwrap();
    let owned = (file.uid(), file.gid(), file.mode() & 0o777);
    assert_eq!(owned, (54_321, 54_322, 0o750));
    let open = open_files(&process, &[3, 4]);
    assert!(open.iter().all(is_socket), "{open:?}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert!(!path.exists());
}

/// `changeover exec`, started by a shell's line.
fn exec(simulator: &Simulator, line: &str, options: &[&str], stdin: OwnedFd) -> Output {
    let script = format!("{CLOSED}; {line}; exec \"$@\"");
    let binary = env!("CARGO_BIN_EXE_changeover");
    Command::new("bash")
        .args(["-c", &script, "sh", binary, "exec", "-a", "myapp"])
        .args(["--api-url", &simulator.url()])
        .args(options)
        .args(["--", "sh", "-c"])
        .arg(WHAT.replace("sleep 1000 & wait", "readlink /proc/$$/fd/3 /proc/$$/fd/4"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HEROKU_API_KEY", Options::default().token)
        .env("CHANGEOVER_LISTEN", "nonsense")
        .stdin(stdin)
        .output()
        .unwrap()
}

#[test]
fn exec_passes_on_what_it_was_started_with_and_has_no_sockets_of_its_own() {
    let simulator = simulator();
    let output = exec(&simulator, LIKE_SYSTEMD, &[], tcp().0);
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let pid = lines[0].split(['=', ' ']).nth(1).unwrap();
    let expected = format!("pid={pid} of={pid} fds=2 names=a:b pidfdid=");
    assert_eq!(lines[0], expected, "{:?}", output.stderr);
    assert!(
        lines[1].starts_with("socket:") && lines[1] == lines[2],
        "{told}"
    );
    let output = exec(&simulator, ":", &["--listen", ":80"], tcp().0);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("--listen has no meaning"), "{told}");
}
