//! `--ready` with real processes: every way to tell that a program serves, and what follows when
//! it does not, or hangs later.

use std::process::Command;

use changeover::testing::heroku::Simulator;
use nix::sys::signal::Signal;
use tokio::net::TcpSocket;

use crate::skip::skipped;
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};

/// Sends its arguments to the socket, a datagram and 100 ms each, says which, and then `sent`.
const SEND: &str = r#"
cat >"$HOME/send" <<'END'
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for said in sys.argv[1:]:
    s.sendto(said.encode(), "\0" + os.environ["NOTIFY_SOCKET"][1:])
    print(said, flush=True)
    time.sleep(0.1)
print("sent", flush=True)
END
send() { python3 "$HOME/send" "$@"; }
trap 'exit 0' TERM
stay() { while :; do sleep 1000 & wait $!; done; }
"#;

/// Listens on the port in a file, once there is one, and answers what another file says.
const SERVE: &str = r#"
cat >"$HOME/serve" <<'END'
import http.server, os
home = os.environ["HOME"]
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(open(home + "/status").read()))
        self.end_headers()
        print("asked for", self.path, flush=True)
    def log_message(self, *_): pass
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Page).serve_forever()
END
"#;

fn start(simulator: &Simulator, options: &str, script: &str) -> Supervised {
    let supervise = Supervise::on(simulator).options(QUICK).options(options);
    supervise.script(script)
}

fn notify(simulator: &Simulator, options: &str, script: &str) -> Supervised {
    let options = format!("--ready notify {options}");
    start(simulator, options.trim_end(), &format!("{SEND}{script}"))
}

/// A port that nobody else gets: it stays bound without listening, which another socket with
/// `SO_REUSEADDR` may do.
fn port() -> (TcpSocket, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

#[test]
fn a_grandchild_may_say_that_the_program_serves() {
    let simulator = simulator();
    let script =
        r#"(setsid sh -c 'python3 "$HOME/send" STATUS=warm READY=1; sleep 1000' &) ; stay"#;
    let mut run = notify(&simulator, "-v", script);
    run.line("sent");
    run.log("says: warm");
    run.log("is ready after");
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn the_programs_socket_is_its_own() {
    let simulator = simulator();
    let script =
        r#"echo "socket=$NOTIFY_SOCKET usec=$WATCHDOG_USEC pid=$WATCHDOG_PID"; send READY=1; stay"#;
    let options = "--ready notify --watchdog 1h --keep NOTIFY_SOCKET";
    let mut run = Supervise::on(&simulator)
        .options(QUICK)
        .options(options)
        .env("NOTIFY_SOCKET", "/outer")
        .env("WATCHDOG_USEC", "1")
        .env("WATCHDOG_PID", "1")
        .script(&format!("{SEND}{script}"));
    let first = run.line("socket=@changeover/");
    assert!(first.ends_with(" usec=3600000000 pid="), "{first}");
    run.log("is ready after");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let second = run.line("socket=@changeover/");
    assert_ne!(first, second);
    run.log("is ready after");
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_newline_on_a_descriptor_and_nothing_else_before_it() {
    let simulator = simulator();
    let script = r#"trap 'exit 0' TERM
        printf half >&7; echo half
        while [ ! -e "$HOME/go" ]; do sleep 0.05; done
        printf '\n' >&7; exec 7>&-
        while :; do sleep 1000 & wait $!; done"#;
    let mut run = start(&simulator, "--ready fd:7", script);
    run.line("half");
    assert!(!run.logs().iter().any(|line| line.contains("is ready")));
    std::fs::write(run.home().join("go"), "").unwrap();
    run.log("is ready after");
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_descriptor_that_is_closed_without_a_newline_is_told() {
    let simulator = simulator();
    let script = "trap 'exit 0' TERM; exec 3>&-; while :; do sleep 1000 & wait $!; done";
    let mut run = start(&simulator, "--ready fd:3 --ready-timeout 1h", script);
    run.log("will never count as ready: it closed the descriptor of --ready without a newline");
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_new_program_that_will_never_be_ready_is_not_waited_for() {
    let simulator = simulator();
    let script = r#"trap 'exit 0' TERM; case $DATABASE_URL in *FIRST*) echo >&3;; esac; exec 3>&-
        while :; do sleep 1000 & wait $!; done"#;
    let script = script.replace("FIRST", &url(1));
    let options = "--order start-first --ready fd:3 --ready-timeout 1h";
    let mut run = start(&simulator, options, &script);
    run.log("is ready after");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.log("and never will: it closed the descriptor of --ready without a newline");
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_port_that_accepts() {
    let simulator = simulator();
    let (_reserved, port) = port();
    let script = format!("{SERVE}echo 200 >$HOME/status; exec python3 $HOME/serve");
    let mut run = Supervise::on(&simulator)
        .options(&format!("--ready tcp:localhost:{port} -v"))
        .env("PORT", &port.to_string())
        .script(&script);
    run.log(&format!(
        "not ready yet: tcp:localhost:{port}: connection refused"
    ));
    run.log("is ready after");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_page_that_answers_503_and_then_200() {
    let simulator = simulator();
    let (_reserved, port) = port();
    let script = format!("{SERVE}echo 503 >$HOME/status; exec python3 $HOME/serve");
    let mut run = Supervise::on(&simulator)
        .options(&format!("--ready http://127.0.0.1:{port}/up?a=1 -v"))
        .env("PORT", &port.to_string())
        .script(&script);
    run.line("asked for /up?a=1");
    run.log(&format!(
        "not ready yet: http://127.0.0.1:{port}/up?a=1: 503"
    ));
    assert!(!run.logs().iter().any(|line| line.contains("is ready")));
    let (new, status) = (run.home().join("new"), run.home().join("status"));
    std::fs::write(&new, "200").unwrap();
    std::fs::rename(new, status).unwrap();
    run.log("is ready after");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

/// And not a millisecond.
fn a_second(ready: &str) {
    assert!(ready.ends_with(" s"), "{ready}");
}

#[test]
fn a_time_that_has_passed() {
    let simulator = simulator();
    let script = r#"trap 'echo "stopping $DATABASE_URL"; exit 0' TERM
        echo "up $DATABASE_URL"; while :; do sleep 1000 & wait $!; done"#;
    let options = "--order start-first --ready delay:1s";
    let mut run = start(&simulator, options, script);
    run.line(&format!("up {}", url(1)));
    a_second(&run.log("is ready after 1"));
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line(&format!("up {}", url(2)));
    let stopping = format!("stopping {}", url(1));
    a_second(&run.log("is ready after 1"));
    run.line(&stopping);
    assert_eq!(run.terminate(), 0, "{}", run.told());
    // One that ends before is never ready.
    let script = "case $DATABASE_URL in *password-2@*) exit 3 ;; esac; sleep 1000";
    let options = format!("{options} --check-login never");
    let mut run = start(&simulator, &options, script);
    assert_eq!(run.exit_code(), 3, "{}", run.told());
    assert!(!run.told().contains("is ready"), "{}", run.told());
}

#[test]
fn a_program_that_is_not_ready_in_time_is_told_about_and_goes_on() {
    let simulator = simulator();
    let mut run = notify(&simulator, "--ready-timeout 1s", "echo up; stay");
    run.line("up");
    run.log("is not ready after 1 s (--ready-timeout): no READY=1");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("up");
    assert_eq!(run.terminate(), 0, "{}", run.told());
    let (_socket, port) = port();
    let options = format!("--ready tcp:127.0.0.1:{port} --ready-timeout 1s");
    let mut run = start(&simulator, &options, "sleep 1000");
    let told = run.log("is not ready after 1 s (--ready-timeout)");
    let why = format!(": tcp:127.0.0.1:{port}: connection refused");
    assert!(told.ends_with(&why), "{told}");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn a_program_that_needs_longer_says_so() {
    let simulator = simulator();
    let script = r#"send EXTEND_TIMEOUT_USEC=3600000000; sleep 6; send READY=1; stay"#;
    let mut run = notify(&simulator, "--ready-timeout 5s", script);
    let ready = run.log("ready after");
    assert!(ready.contains("is ready after"), "{}", run.told());
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_program_that_hangs_gets_abrt_and_is_started_again() {
    let simulator = simulator();
    let script = r#"trap 'echo aborted; touch "$HOME/hung"; exit 7' ABRT
        send READY=1; echo up; [ -e "$HOME/hung" ] || stay
        exec python3 "$HOME/send" $(yes WATCHDOG=1 | head -n 1000)"#;
    let mut run = notify(&simulator, "--watchdog 3s --check-login never", script);
    run.log("is ready after");
    run.line("aborted");
    run.log("missed its watchdog: ABRT");
    run.line("up");
    // Longer than the watchdog.
    for _ in 0..40 {
        run.line("WATCHDOG=1");
    }
    assert_eq!(run.terminate(), 143, "{}", run.told());
    let hung = |line: &String| line.contains("missed its watchdog");
    assert_eq!(run.logs().iter().filter(|line| hung(line)).count(), 1);
}

#[test]
fn a_program_that_is_heard_of_in_time_outlives_a_supervisor_that_is_stopped() {
    let simulator = simulator();
    let script = r#"exec python3 "$HOME/send" READY=1 $(yes WATCHDOG=1 | head -n 1000)"#;
    let mut run = notify(&simulator, "--watchdog 3s --check-login never", script);
    run.log("is ready after");
    let pings = |run: &mut Supervised, count| (0..count).for_each(|_| drop(run.line("WATCHDOG=1")));
    pings(&mut run, 1);
    run.signal(Signal::SIGSTOP);
    // Longer than the watchdog. The socket takes ten or more pings; then the program waits, too.
    assert!(Command::new("sleep").arg("4").status().unwrap().success());
    run.signal(Signal::SIGCONT);
    pings(&mut run, 50);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert!(!run.told().contains("watchdog"), "{}", run.told());
}

#[test]
fn the_new_program_serves_before_the_old_one_ends() {
    let simulator = simulator();
    let script = r#"trap 'echo "stopping $DATABASE_URL"; exit 0' TERM
        echo "up $DATABASE_URL"; send READY=1; stay"#;
    let mut run = notify(&simulator, "--order start-first", script);
    run.line(&format!("up {}", url(1)));
    run.log("is ready after");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line(&format!("up {}", url(2)));
    run.line(&format!("stopping {}", url(1)));
    assert_eq!(run.terminate(), 0, "{}", run.told());
    let lines = run.lines();
    let stops = lines.iter().filter(|line| line.starts_with("stopping"));
    assert_eq!(stops.count(), 2, "{}", run.told());
}

/// A title written over the environment takes the mark away by which instances are told apart.
#[test]
fn a_new_program_that_hides_its_environment_is_not_swept_with_the_old_one() {
    if !Command::new("perl")
        .arg("-v")
        .output()
        .is_ok_and(|it| it.status.success())
    {
        return skipped("a program that writes a title over its environment: no perl");
    }
    let simulator = simulator();
    let script = r#"exec perl -e '
        $| = 1; my $url = $ENV{DATABASE_URL};
        $SIG{TERM} = sub { print "stopping $url\n"; exit 0 };
        $0 = "title" x 4000;
        open(my $ready, ">&=", 3); print "up $url\n"; syswrite($ready, "\n");
        sleep 1 while 1;'"#;
    let mut run = start(&simulator, "--order start-first --ready fd:3", script);
    run.line(&format!("up {}", url(1)));
    run.log("is ready after");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line(&format!("up {}", url(2)));
    run.line(&format!("stopping {}", url(1)));
    run.log("exited 0 after");
    assert_eq!(run.terminate(), 0, "{}", run.told());
    let swept = run
        .logs()
        .iter()
        .any(|line| line.contains("left processes behind"));
    assert!(!swept, "{}", run.told());
}

#[test]
fn a_descriptor_beside_the_sockets_of_listen() {
    let simulator = simulator();
    let script = r#"trap 'exit 0' TERM; [ -S /proc/self/fd/3 ] && [ -p /proc/self/fd/4 ] && echo >&4
        exec 4>&-; while :; do sleep 1000 & wait $!; done"#;
    let mut run = start(&simulator, "--ready fd:4 --listen 127.0.0.1:0", script);
    run.log("is ready after");
    assert_eq!(run.terminate(), 0, "{}", run.told());
    let mut run = start(&simulator, "--ready fd:3 --listen 127.0.0.1:0", script);
    run.log("there the program finds a socket");
    assert_eq!(run.exit_code(), 2, "{}", run.told());
}

#[test]
fn another_user_and_another_process_namespace_are_heard() {
    let words = ["--pid", "--fork", "systemd-notify", "--version"];
    let tried = Command::new("unshare").args(words).output();
    if !tried.is_ok_and(|output| output.status.success()) {
        return skipped("--ready notify: no systemd-notify, or no process namespace to be had");
    }
    let simulator = simulator();
    let stay = "while :; do sleep 1000 & wait $!; done";
    for (options, notify) in [
        (
            "--user 54321",
            "systemd-notify --ready --status=uid=$(id -u)",
        ),
        (
            "--sweep tree",
            "unshare --pid --fork sh -c 'systemd-notify --ready --status=pid=$$; :'",
        ),
    ] {
        let options = format!("-v --ready notify {options}");
        let mut run = start(
            &simulator,
            &options,
            &format!("trap 'exit 0' TERM; {notify}; echo done; {stay}"),
        );
        // It does not hang.
        run.line("done");
        run.log("is ready after");
        assert_eq!(run.terminate(), 0, "{}", run.told());
    }
}

#[test]
fn a_program_that_talks_without_end_is_stopped_like_any_other() {
    let simulator = simulator();
    let script = r#"exec python3 -c '
import os, signal, socket
signal.signal(signal.SIGTERM, signal.SIG_IGN)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect("\0" + os.environ["NOTIFY_SOCKET"][1:])
print("talking", flush=True)
while True:
    s.send(b"STATUS=more\nREADY=1\nEXTEND_TIMEOUT_USEC=0\n" * 60)'"#;
    let mut run = notify(&simulator, "--stop-timeout 2s", script);
    run.line("talking");
    run.log("is ready after");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("talking");
    assert_eq!(run.terminate(), 137, "{}", run.told());
}

#[test]
fn a_new_program_that_is_not_ready_in_time_ends_and_the_old_one_serves_on() {
    let simulator = simulator();
    let script = r#"trap 'echo "stopping $DATABASE_URL"; exit 0' TERM
        echo "up $DATABASE_URL"; case $DATABASE_URL in *-1@*) send READY=1 ;; esac; stay"#;
    let options = "--order start-first --ready-timeout 3s --backoff 100ms..1s";
    let mut run = notify(&simulator, options, script);
    run.line(&format!("up {}", url(1)));
    run.log("is ready after");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    for _ in 0..2 {
        run.line(&format!("up {}", url(2)));
        run.log("did not become ready on revision 2 within 3 s");
        run.line(&format!("stopping {}", url(2)));
    }
    let stopped = format!("stopping {}", url(1));
    assert!(!run.lines().contains(&stopped), "{}", run.told());
    assert_eq!(run.terminate(), 0, "{}", run.told());
    assert!(run.lines().contains(&stopped), "{}", run.told());
}
