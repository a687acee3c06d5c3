//! The control socket: what is asked of a supervisor that runs, by `changeover refresh` and its
//! like, and by anybody who speaks its language.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use changeover::testing::heroku::Simulator;
use serde_json::{Value, json};

use crate::support::ran::{Ran, alone};
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::{Process, eventually};

const CHILD: &str = r#"echo "up $DATABASE_URL at $CHANGEOVER_CONTROL"; exec sleep 1000"#;

/// A supervisor with a control socket in its own directory, and a child that runs.
fn controlled(simulator: &Simulator, options: &str) -> (Supervised, PathBuf) {
    let supervise = Supervise::on(simulator).options("--check-login never");
    let supervise = supervise.options(options);
    let socket = supervise.home().join("control.sock");
    let path = socket.display().to_string();
    let mut run = supervise
        .options(&format!("--control {path}"))
        .script(CHILD);
    assert!(run.line("up").ends_with(&format!(" at {path}")));
    (run, socket)
}

/// What the client's commands say, and their code.
fn changeover(arguments: &[&str], environment: &[(&str, &Path)]) -> (Option<i32>, String, String) {
    let Ran { code, out, errors } = alone(arguments, environment.iter().copied());
    (code, out.trim().to_owned(), errors.trim().to_owned())
}

fn ask(verb: &[&str], socket: &Path) -> (Option<i32>, String, String) {
    changeover(verb, &[("CHANGEOVER_CONTROL", socket)])
}

/// What the socket answers to these bytes, all of which are sent.
fn exchange(socket: &Path, bytes: &[u8]) -> Value {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with('\n'), "{answer}");
    serde_json::from_str(&answer).unwrap()
}

#[test]
fn a_refresh_finds_a_change_long_before_the_next_poll() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, "--interval 1h --debounce 100ms");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let (code, said, errors) = ask(&["refresh"], &socket);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{}", run.told());
    assert!(said.starts_with("Heroku is asked"), "{said}");
    assert!(run.line("up").contains("password-2@"));
}

#[test]
fn a_restart_and_a_stop_are_done() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, QUICK);
    let (code, said, _) = ask(&["restart"], &socket);
    assert_eq!(code, Some(0), "{}", run.told());
    assert_eq!(said, "the program is stopped and started again");
    run.log("restart asked for");
    run.line("up");
    let (code, said, _) = ask(&["stop"], &socket);
    assert_eq!((code, said.as_str()), (Some(0), "stopping for good"));
    assert_eq!(run.exit_code(), 143, "{}", run.told());
    assert!(!socket.exists(), "its socket is left behind");
    let (code, _, errors) = ask(&["refresh"], &socket);
    assert_eq!(code, Some(1));
    assert!(errors.contains("no changeover listens at"), "{errors}");
}

#[test]
fn who_asks_for_a_stop_before_anything_runs_is_answered() {
    let simulator = simulator();
    simulator.fault(changeover::testing::heroku::Fault::Unavailable);
    let supervise = Supervise::on(&simulator);
    let socket = supervise.home().join("c.sock");
    let mut run = supervise
        .options(&format!("--control {}", socket.display()))
        .script(CHILD);
    run.log("not answering");
    let (code, said, errors) = ask(&["stop"], &socket);
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "stopping for good"),
        "{errors}"
    );
    assert_eq!(run.exit_code(), 143, "{}", run.told());
}

#[test]
fn what_cannot_be_done_is_refused_with_a_reason() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, "--no-watch");
    let (code, said, errors) = ask(&["refresh"], &socket);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(
        errors.contains("ERROR Heroku is not asked any more"),
        "{errors}"
    );
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn the_socket_is_its_owners_alone_and_speaks_json() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, QUICK);
    let mode = socket.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600);
    assert!(socket.metadata().unwrap().file_type().is_socket());
    let answer = exchange(&socket, b"{\"v\":1,\"verb\":\"refresh\"}\n");
    assert_eq!((&answer["v"], &answer["ok"]), (&json!(1), &json!(true)));
    for (bytes, part) in [
        (&b"GET / HTTP/1.1\r\n"[..], "no request"),
        (b"{\"v\":1,\"verb\":\"dance\"}\n", "unknown variant"),
        (b"{\"v\":7,\"verb\":\"stop\"}\n", "speaks version 1"),
        (b"\xff\n", "no request"),
        (&[b'x'; 5000], "longer than 4 KiB"),
    ] {
        let answer = exchange(&socket, bytes);
        assert_eq!(answer["ok"], false, "{answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(run.lines().len(), 1, "{}", run.told());
}

#[test]
fn slow_and_many_askers_harm_nobody() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, QUICK);
    let connect = |_| UnixStream::connect(&socket).unwrap();
    let idle: Vec<UnixStream> = (0..40).map(connect).collect();
    // Those that say nothing make room after 5 s.
    let (code, ..) = ask(&["refresh"], &socket);
    assert_eq!(code, Some(0), "{}", run.told());
    drop(idle);
    let crowd: Vec<_> = (0..1000)
        .map(|number| {
            let socket = socket.clone();
            let ask = move || {
                let mut stream = UnixStream::connect(&socket)?;
                let patience = Duration::from_secs(60);
                stream.set_read_timeout(Some(patience))?;
                stream.write_all(b"{\"v\":1,\"verb\":\"refresh\"}\n")?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer)?;
                Ok::<_, std::io::Error>(answer)
            };
            let thread = std::thread::Builder::new().stack_size(64 * 1024);
            (number, thread.spawn(ask).unwrap())
        })
        .collect();
    for (number, thread) in crowd {
        let answer = thread.join().unwrap().unwrap();
        assert!(answer.contains("\"ok\":true"), "{number}: {answer}");
    }
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(run.lines().len(), 1, "{}", run.told());
}

#[test]
fn the_usual_place_is_made_and_found() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options(QUICK);
    let supervise = supervise.options("--check-login never");
    let runtime = supervise.home();
    let mut run = supervise
        .env("XDG_RUNTIME_DIR", &runtime.display().to_string())
        .script(CHILD);
    run.line("up");
    let directory = runtime.join("changeover");
    let mode = directory.metadata().unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o700);
    assert!(directory.join("myapp.sock").exists());
    let place = [("XDG_RUNTIME_DIR", runtime.as_path())];
    let (code, _, errors) = changeover(&["refresh"], &place);
    assert_eq!(code, Some(0), "{errors}");
    let (code, _, errors) = changeover(&["refresh", "-a", "other"], &place);
    assert_eq!(code, Some(1));
    assert!(
        errors.contains("no control socket of other is in"),
        "{errors}"
    );
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn where_there_is_no_usual_place_that_is_told_with_v() {
    let simulator = simulator();
    let mut run = Supervise::on(&simulator).options("-v").script("exit 3");
    run.log("no control socket, for changeover status and its like");
    assert_eq!(run.exit_code(), 3, "{}", run.told());
}

#[test]
fn a_place_that_is_taken_stops_only_who_asked_for_it() {
    let simulator = simulator();
    let (mut first, socket) = controlled(&simulator, QUICK);
    let path = socket.display().to_string();
    let second = Supervise::on(&simulator).options(&format!("--control {path}"));
    let mut second = second.script("exit 3");
    second.log("names");
    assert_eq!(second.exit_code(), 78, "{}", second.told());

    // The same place, and nobody asked for it.
    let usual = Supervise::on(&simulator).options("--check-login never");
    let runtime = socket.parent().unwrap().join("unit");
    std::fs::create_dir(&runtime).unwrap();
    std::os::unix::fs::symlink(&socket, runtime.join("myapp.sock")).unwrap();
    let usual = usual.env("RUNTIME_DIRECTORY", &runtime.display().to_string());
    let mut usual = usual.script("exit 4");
    let line = usual.log("WARN going on without a control socket");
    assert!(!line.contains("nothing was started"), "{line}");
    assert!(!line.contains("names"), "said twice: {line}");
    assert_eq!(usual.exit_code(), 4, "{}", usual.told());
    assert_eq!(first.terminate(), 143, "{}", first.told());
}

#[test]
fn a_socket_that_a_killed_supervisor_left_is_replaced() {
    let simulator = simulator();
    let (run, socket) = controlled(&simulator, QUICK);
    let path = socket.display().to_string();
    run.signal(nix::sys::signal::Signal::SIGKILL);
    eventually("nobody listens", || UnixStream::connect(&socket).is_err());
    assert!(socket.exists());
    let next = Supervise::on(&simulator).options("--check-login never");
    let mut next = next.options(&format!("--control {path}")).script(CHILD);
    next.line("up");
    let (code, ..) = ask(&["refresh"], &socket);
    assert_eq!(code, Some(0));
    assert_eq!(next.terminate(), 143, "{}", next.told());
}

#[test]
fn a_directory_that_others_can_write_is_refused() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator);
    let open = supervise.home().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
    let path = open.join("c.sock").display().to_string();
    let mut run = supervise
        .options(&format!("--control {path}"))
        .script("exit 3");
    run.log("can be written by others");
    assert_eq!(run.exit_code(), 78, "{}", run.told());
}

#[test]
fn status_is_a_table_for_people_and_json_for_scripts() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, QUICK);
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("up");
    let row = |table: &str, name: &str| {
        let mut rows = table.lines().filter_map(|line| line.strip_prefix(name));
        rows.next().unwrap_or_default().trim().to_owned()
    };
    let mut table = String::new();
    eventually("the restart is shown", || {
        table = ask(&["status"], &socket).1;
        row(&table, "restarts").starts_with("1 for a change; dead times: ")
    });
    assert_eq!(row(&table, "app"), "myapp");
    assert!(
        row(&table, "program").contains(" serving on revision 2, started "),
        "{table}"
    );
    assert!(
        row(&table, "revision").starts_with("2, DATABASE_URL: password, seen "),
        "{table}"
    );
    assert_eq!(row(&table, "change"), "none on its way");
    assert!(
        row(&table, "heroku").starts_with("last good answer "),
        "{table}"
    );
    assert_eq!(row(&table, "token"), "accepted");
    let (code, ..) = ask(&["status", "--check"], &socket);
    assert_eq!(code, Some(0));
    let (_, json, _) = ask(&["status", "--json"], &socket);
    let view: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&view["v"], &view["serving"]), (&json!(1), &json!(true)));
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn what_is_no_changeover_of_this_version_is_told_and_harms_no_terminal() {
    let place = tempfile::tempdir().unwrap();
    let socket = place.path().join("c.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    // A look at an app with a thousand variables is as long.
    let long = format!(
        "{{\"v\":1,\"ok\":true,\"message\":\"{}z\"}}\n",
        "a".repeat(1 << 20)
    );
    let expected = [
        (long.as_str(), 0, "az"),
        ("", 1, "hung up without a whole answer"),
        ("{\"v\":1", 1, "hung up without a whole answer"),
        ("{\"v\":2,\"ok\":true}\n", 1, "speaks version 2"),
        ("{\"v\":1}\n", 1, "if it is one of another version"),
        (
            "{\"v\":1,\"ok\":true,\"message\":\"a\\u001b[2Jb\"}\n",
            0,
            "a\\u{1b}[2Jb",
        ),
    ];
    let answers = expected.map(|(answer, ..)| answer.to_owned());
    let stranger = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = BufReader::new(stream.try_clone().unwrap());
            asked.read_line(&mut String::new()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    for (answer, code, part) in expected {
        let (found, said, errors) = ask(&["refresh"], &socket);
        assert_eq!(found, Some(code), "{answer}: {said} {errors}");
        assert!((said + &errors).contains(part), "{answer}: {errors}");
    }
    stranger.join().unwrap();
}

#[test]
fn who_is_meant_is_told_apart_and_must_fit() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, QUICK);
    let (code, said, errors) = ask(&["stop", "-a", "other"], &socket);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    let why = "is of the app myapp, not of other, so nothing was asked of it";
    assert!(errors.contains(why), "{errors}");
    assert_eq!(ask(&["refresh", "-a", "myapp"], &socket).0, Some(0));
    let runtime = socket.parent().unwrap().join("changeover");
    std::fs::create_dir(&runtime).unwrap();
    for name in ["a.sock", "b.sock"] {
        std::os::unix::fs::symlink(&socket, runtime.join(name)).unwrap();
    }
    let place = [("XDG_RUNTIME_DIR", socket.parent().unwrap())];
    let (code, _, errors) = changeover(&["refresh"], &place);
    assert_eq!(code, Some(1));
    let one = format!("myapp, pid {}, at {}/a.sock", run.pid(), runtime.display());
    assert!(errors.contains(&one), "{errors}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_path_that_cannot_be_a_sockets_is_told_by_both_ends() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator);
    let home = supervise.home().to_owned();
    let long = home.join("x".repeat(110));
    let file = home.join("file");
    std::fs::write(&file, "mine").unwrap();
    for (path, ours, theirs) in [
        (
            &long,
            "longer than the 107 bytes",
            "longer than the 107 bytes",
        ),
        (
            &file,
            "is no socket, so nobody listens there",
            "something else than a socket lies",
        ),
        (
            &home.join("no/c.sock"),
            "no changeover listens at",
            "its directory does not exist",
        ),
    ] {
        let (code, _, errors) = ask(&["refresh"], path);
        assert_eq!(code, Some(1));
        assert!(errors.contains(ours), "{errors}");
        let supervise = Supervise::on(&simulator);
        let mut run = supervise
            .options(&format!("--control {}", path.display()))
            .script("exit 3");
        run.log(theirs);
        assert_eq!(run.exit_code(), 78, "{}", run.told());
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[test]
fn a_socket_that_nobody_listens_on_is_not_one_of_several() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options(QUICK);
    let runtime = supervise.home();
    let mut run = supervise
        .options("--check-login never")
        .env("XDG_RUNTIME_DIR", &runtime.display().to_string())
        .script(CHILD);
    run.line("up");
    drop(UnixListener::bind(runtime.join("changeover/dead.sock")).unwrap());
    let place = [("XDG_RUNTIME_DIR", runtime.as_path())];
    let (code, said, errors) = changeover(&["refresh"], &place);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{said}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_health_check_fails_while_nothing_serves() {
    let simulator = simulator();
    simulator.fault(changeover::testing::heroku::Fault::Unavailable);
    let supervise = Supervise::on(&simulator);
    let socket = supervise.home().join("c.sock");
    let mut run = supervise
        .options(&format!("--control {}", socket.display()))
        .script(CHILD);
    run.log("not answering");
    let (code, table, errors) = ask(&["status", "--check"], &socket);
    assert_eq!((code, errors.as_str()), (Some(1), ""));
    assert!(table.contains("program     none (waiting)"), "{table}");
    assert!(table.contains("FAILING for "), "{table}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_change_is_held_back_until_resume() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, QUICK);
    let (code, said, _) = ask(&["hold"], &socket);
    assert_eq!(code, Some(0), "{}", run.told());
    assert!(said.starts_with("changes are held back"), "{said}");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.log("DATABASE_URL changed");
    run.log("waits");
    let (_, table, _) = ask(&["status"], &socket);
    assert!(table.contains("serving on revision 1"), "{table}");
    assert!(table.contains("held        for "), "{table}");
    assert!(
        table.contains("change      DATABASE_URL: password, seen "),
        "{table}"
    );
    let (code, ..) = ask(&["resume"], &socket);
    assert_eq!(code, Some(0), "{}", run.told());
    assert!(run.line("up").contains("password-2@"));
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert_eq!(run.lines().len(), 2, "{}", run.told());
}

#[test]
fn what_nobody_waits_for_any_more_is_not_done() {
    let simulator = simulator();
    let (mut run, socket) = controlled(&simulator, QUICK);
    let supervisor = Process::of(run.pid());
    run.signal(nix::sys::signal::Signal::SIGSTOP);
    eventually("it is stopped", || {
        supervisor.state().as_deref() == Some("T")
    });
    // One has given up; the other has only nothing more to say.
    let mut gone = UnixStream::connect(&socket).unwrap();
    gone.write_all(b"{\"v\":1,\"verb\":\"restart\"}\n").unwrap();
    drop(gone);
    let mut waits = UnixStream::connect(&socket).unwrap();
    waits.write_all(b"{\"v\":1,\"verb\":\"hold\"}\n").unwrap();
    waits.shutdown(std::net::Shutdown::Write).unwrap();
    run.signal(nix::sys::signal::Signal::SIGCONT);
    let mut answer = String::new();
    waits.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("held back from now on"), "{answer}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert!(!run.told().contains("restart asked for"), "{}", run.told());
}

#[test]
fn one_that_lets_nobody_in_does_not_keep_who_asks() {
    use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr};
    use nix::sys::socket::{bind, connect, listen, socket};
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("c.sock");
    let address = UnixAddr::new(&path).unwrap();
    let new = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).unwrap();
    let listener = new(SockFlag::SOCK_CLOEXEC);
    bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &address).unwrap();
    listen(&listener, Backlog::new(1).unwrap()).unwrap();
    // Nobody accepts: the system says so at once to who does not wait.
    let mut waiting = Vec::new();
    loop {
        let one = new(SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK);
        if connect(std::os::fd::AsRawFd::as_raw_fd(&one), &address).is_err() {
            break;
        }
        waiting.push(one);
    }
    let (code, _, errors) = ask(&["refresh"], &path);
    assert_eq!(code, Some(1));
    assert!(errors.contains("does not answer within 10 s"), "{errors}");
}

#[test]
fn a_program_can_ask_for_itself() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options("--check-login never --interval 1h");
    let socket = supervise.home().join("c.sock");
    let mut run = supervise
        .options(&format!("--control {}", socket.display()))
        .env("BINARY", env!("CARGO_BIN_EXE_changeover"))
        .script(r#""$BINARY" refresh; "$BINARY" status --check | sed -n 2p; exec sleep 1000"#);
    run.line("Heroku is asked");
    let program = run.line("program");
    assert!(program.contains("serving on revision 1"), "{program}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}
