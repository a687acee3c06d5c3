//! Under a service manager that listens, as systemd does for `Type=notify`: here a socket of the
//! test's own stands for it.

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::support::supervised::{QUICK, Supervise, simulator, url};

/// What the service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    /// Waits for the next message that begins so; returns those before it.
    fn until(&self, start: &str) -> Vec<String> {
        let mut before = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            let bytes = self.0.recv(&mut buffer);
            let bytes = bytes.unwrap_or_else(|error| panic!("no {start}: {error}; {before:?}"));
            let text = String::from_utf8_lossy(&buffer[..bytes]).into_owned();
            if text.starts_with(start) {
                return before;
            }
            before.push(text);
        }
    }
}

/// A supervisor with these options, and whoever it reports to.
fn managed(supervise: Supervise, options: &str) -> (Supervise, Manager) {
    let path = supervise.home().join("manager");
    let socket = UnixDatagram::bind(&path).unwrap();
    let patience = Duration::from_secs(60);
    socket.set_read_timeout(Some(patience)).unwrap();
    let supervise = supervise
        .options(QUICK)
        .options(options)
        .env("NOTIFY_SOCKET", &path.display().to_string());
    (supervise, Manager(socket))
}

#[test]
fn it_hears_when_the_program_serves_and_nothing_of_a_restart() {
    let simulator = simulator();
    let options = "--check-login never --ready delay:1s";
    let (supervise, manager) = managed(Supervise::on(&simulator), options);
    let supervise = supervise.env("WATCHDOG_USEC", "1000000");
    let mut run = supervise.script(r#"echo "up $NOTIFY_SOCKET $WATCHDOG_USEC."; exec sleep 1000"#);
    assert_eq!(
        run.line("up"),
        "up  .",
        "the manager's is not the program's"
    );
    let before = manager.until("READY=1");
    let extends = |message: &String| message.starts_with("EXTEND_TIMEOUT_USEC=");
    assert!(before.iter().any(extends), "{before:?}");
    manager.until("WATCHDOG=1");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let mut after = manager.until("STATUS=pid ");
    run.line("up");
    after.extend(manager.until("WATCHDOG=1"));
    after.extend(manager.until("WATCHDOG=1"));
    assert_eq!(run.terminate(), 143, "{}", run.told());
    after.extend(manager.until("STOPPING=1"));
    let expected = |message: &String| message.starts_with("STATUS=") || message == "WATCHDOG=1";
    assert!(after.iter().all(expected), "{after:?}");
}

#[test]
fn a_manager_that_cannot_be_reached_is_told_of() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).env("NOTIFY_SOCKET", "vsock:2:9");
    let mut run = supervise.options(QUICK).script("exit 3");
    run.log("WARN NOTIFY_SOCKET names no socket that changeover can write to");
    assert_eq!(run.exit_code(), 3, "{}", run.told());
}
