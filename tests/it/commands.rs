//! `exec` and `env` against a simulated Heroku.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use changeover::testing::heroku::{Fault, Options, Simulator};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::ran::{Ran, changeover};
use crate::support::world::{UNSHARE, can_unshare, children_of, eventually};

const URL: &str = "postgres://u:it's-CANARY@127.0.0.1:1/d";

fn simulator(config: &[(&str, &str)]) -> Simulator {
    let config = config
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let options = Options {
        config,
        ..Options::default()
    };
    Simulator::start(options).expect("a free port")
}

/// Code, stdout and stderr of a run with everything from the environment.
fn run(
    simulator: &Simulator,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> (Option<i32>, String, String) {
    let Ran { code, out, errors } = changeover(simulator, arguments, environment);
    (code, out, errors)
}

#[test]
fn exec_becomes_the_program_with_the_fetched_environment() {
    let heroku = simulator(&[("API_URL", "https://a.example"), ("OTHER", "1")]);
    let script = "echo \"$API $OTHER $HEROKU_API_KEY $CHANGEOVER_VAR $KEPT\"; exit 7";
    let environment = [
        ("CHANGEOVER_VAR", "API_URL=API"),
        ("KEPT", "kept"),
        ("CHANGEOVER_INTERVAL", "60"),
    ];
    let (code, out, errors) = run(&heroku, &["exec", "--", "sh", "-c", script], &environment);
    assert_eq!(
        (code, out.as_str(), errors.as_str()),
        (Some(7), "https://a.example    kept\n", "")
    );
    let all = ["exec", "--all-vars", "--", "sh", "-c", "echo $OTHER"];
    assert_eq!(run(&heroku, &all, &environment).1, "1\n");
}

#[test]
fn exec_asks_nobody_when_the_program_does_not_exist() {
    let heroku = simulator(&[("DATABASE_URL", URL)]);
    let (code, _, errors) = run(&heroku, &["exec", "--", "no-such-program"], &[]);
    assert_eq!(code, Some(127), "{errors}");
    assert_eq!(heroku.request_count(), 0);
}

#[test]
fn env_prints_what_was_fetched_and_nothing_else() {
    let heroku = simulator(&[("A", "it's"), ("B", "a\nb")]);
    let (code, out, errors) = run(&heroku, &["env", "--var", "A,B"], &[("KEPT", "kept")]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(out, "export A='it'\\''s'\nexport B='a\nb'\n");
    let (code, out, errors) = run(&heroku, &["env", "--var", "A,B", "--format", "docker"], &[]);
    assert_eq!((code, out.as_str()), (Some(78), ""));
    assert!(
        errors.contains("\"B\" cannot be written as docker"),
        "{errors}"
    );
}

#[test]
fn what_is_missing_is_told_when_the_time_is_over() {
    let heroku = simulator(&[("OTHER", "1")]);
    let arguments = ["env", "--var", "NONE", "--start-timeout", "500ms"];
    let (code, out, errors) = run(&heroku, &arguments, &[]);
    assert_eq!((code, out.as_str()), (Some(78), ""), "{errors}");
    assert!(errors.contains("NONE of app myapp is missing"), "{errors}");
    heroku.fault(Fault::Unavailable);
    let (code, _, errors) = run(
        &heroku,
        &["env", "--var", "OTHER", "--start-timeout", "500ms"],
        &[],
    );
    assert_eq!(code, Some(75), "{errors}");
    assert!(
        errors.contains("WARN Heroku API not answering: 503 (HTML). Nothing runs yet; retrying"),
        "{errors}"
    );
    assert!(
        errors.ends_with("Start again later, or raise --start-timeout\n"),
        "{errors}"
    );
    heroku.clear_faults();
    heroku.fault(changeover::testing::heroku::Injection::from(Fault::Unavailable).times(1));
    let (code, out, errors) = run(&heroku, &["env", "--var", "OTHER"], &[]);
    assert_eq!(
        (code, out.as_str()),
        (Some(0), "export OTHER='1'\n"),
        "{errors}"
    );
}

#[test]
fn a_refused_token_is_final_at_the_second_time() {
    let heroku = simulator(&[("A", "1")]);
    let (code, _, errors) = run(
        &heroku,
        &["env", "--var", "A"],
        &[("HEROKU_API_KEY", "HRKU-CANARY")],
    );
    assert_eq!(code, Some(78), "{errors}");
    assert!(
        errors.contains("refused the token from HEROKU_API_KEY"),
        "{errors}"
    );
    assert!(!errors.contains("CANARY"), "{errors}");
}

/// In a container without another init they are PID 1.
#[test]
fn as_pid_1_they_do_the_same() {
    if !can_unshare() {
        return;
    }
    let heroku = simulator(&[("A", "1"), ("DATABASE_URL", URL)]);
    let as_pid_1 = |arguments: &[&str]| {
        let output = Command::new(UNSHARE[0])
            .args(&UNSHARE[1..])
            .arg(env!("CARGO_BIN_EXE_changeover"))
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HEROKU_APP", "myapp")
            .env("HEROKU_API_KEY", "HRKU-simulator")
            .env("CHANGEOVER_API_URL", heroku.url())
            .env("CHANGEOVER_CHECK_LOGIN", "never")
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (out, errors) = (text(output.stdout), text(output.stderr));
        (output.status.code(), out, errors)
    };
    let (code, out, errors) = as_pid_1(&["env", "--var", "A"]);
    assert_eq!(
        (code, out.as_str(), errors.as_str()),
        (Some(0), "export A='1'\n", "")
    );
    let (code, out, errors) = as_pid_1(&["check"]);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{out}");
    assert!(
        out.contains("ok       url       postgres://u:***@"),
        "{out}"
    );
    let (code, out, _) = as_pid_1(&["check", "--app", "other"]);
    assert_eq!(code, Some(78), "{out}");
    let script = "echo pid=$$; exit 7";
    let (code, out, errors) = as_pid_1(&["exec", "--var", "A", "--", "sh", "-c", script]);
    assert_eq!(
        (code, out.as_str(), errors.as_str()),
        (Some(7), "pid=1\n", "")
    );
}

/// To PID 1 no signal does by itself what it does to everybody else.
#[test]
fn before_the_first_answer_a_signal_ends_it_as_pid_1_too() {
    let ordinary: &[&str] = &["env"];
    let first = can_unshare().then_some(&UNSHARE[..]);
    for start in [Some(ordinary), first].into_iter().flatten() {
        for command in [&["exec", "--", "true"][..], &["env"]] {
            for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGQUIT] {
                let heroku = simulator(&[]);
                heroku.fault(Fault::Hang);
                let mut process = Command::new(start[0])
                    .args(&start[1..])
                    .args(["env", "--default-signal", env!("CARGO_BIN_EXE_changeover")])
                    .args(command)
                    .env("HEROKU_APP", "myapp")
                    .env("HEROKU_API_KEY", "HRKU-simulator")
                    .env("CHANGEOVER_API_URL", heroku.url())
                    .stderr(Stdio::null())
                    .spawn()
                    .unwrap();
                eventually("the fetch hangs", || heroku.faulted_count() == 1);
                let below = children_of(process.id()).first().copied();
                let target = below.unwrap_or(process.id());
                kill(Pid::from_raw(target.cast_signed()), signal).unwrap();
                let status = process.wait().unwrap();
                // What a shell reports.
                let code = status.code().or(status.signal().map(|signal| 128 + signal));
                assert_eq!(
                    code,
                    Some(128 + signal as i32),
                    "{start:?} {command:?} {signal}"
                );
            }
        }
    }
}
