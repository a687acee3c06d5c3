//! No secret in a log, an error, a command line or an environment where it does not belong:
//! canaries, looked for in every spelling, and proven to have been used.

use std::fs;
use std::process::{Command, Stdio};

use changeover::testing::heroku::{Fault, Options, Simulator};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::canary::{Canary, percent};
use crate::support::canned::{Canned, Reply};
use crate::support::supervised::{Supervise, Supervised};
use crate::support::world::{Process, eventually};

const TOKEN: &str = "t0ken-canary-5e1f";
const OLD: &str = r#"0ld/canary+"77"#;
const NEW: &str = r#"n3w/canary+"88"#;
const MALFORMED: &str = "malf0rmed-canary-99";
const UNWATCHED: &str = "0ther-canary-aa";
const INHERITED: &str = "inher1ted-canary-bb";

/// Each with its name.
const ALL: [(&str, &str); 6] = [
    ("the token", TOKEN),
    ("the old password", OLD),
    ("the new password", NEW),
    ("a malformed value", MALFORMED),
    ("an unwatched variable", UNWATCHED),
    ("an inherited variable", INHERITED),
];

/// Says a digest of what it got, which nobody has without it.
const CHILD: &str = r#"
say() { echo "pid=$$ got=$(printf %s "$DATABASE_URL$INHERITED" | sha256sum)"; }
trap '. "$HOME/env"; say' HUP
say
echo "names: $(env | cut -d= -f1 | tr '\n' ' ')"
trap 'exit 0' TERM
sleep 1000 &
while :; do wait; done"#;

fn canaries() -> Vec<Canary> {
    let made = ALL.map(|(name, secret)| Canary::new(name, secret));
    made.into()
}

fn url(password: &str) -> String {
    format!("postgres://u1:{}@127.0.0.1:1/d1", percent(password))
}

fn simulator() -> Simulator {
    let config = [("DATABASE_URL", url(OLD)), ("UNWATCHED", UNWATCHED.into())];
    Simulator::start(Options {
        token: TOKEN.to_owned(),
        config: config.map(|(name, value)| (name.to_owned(), value)).into(),
        ..Options::default()
    })
    .unwrap()
}

/// What the child's `sha256sum` says of this URL.
fn digest(url: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-c", r#"printf %s "$ONE$TWO" | sha256sum"#]);
    command.env("ONE", url).env("TWO", INHERITED);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn supervise(api: &str) -> Supervise {
    Supervise::at(api)
        .env("HEROKU_API_KEY", TOKEN)
        .env("INHERITED", INHERITED)
        .env("CHANGEOVER_INTERVAL", "1s")
        .env("CHANGEOVER_DEBOUNCE", "100ms")
}

fn clean(run: &Supervised) {
    let told = run.told();
    for canary in canaries() {
        canary.is_not_in(&told, "what was said");
    }
}

fn clean_command_lines(run: &Supervised) {
    let processes = run.processes();
    for canary in canaries() {
        canary.is_in_no_command_line(&processes);
    }
}

/// Of each kind one; those that repeat what they know are below.
const FAULTS: [Fault; 4] = [
    Fault::Unauthorized,
    Fault::Unavailable,
    Fault::TruncatedBody,
    Fault::Redirect,
];

#[test]
fn a_whole_life_tells_nothing() {
    std::thread::scope(|scope| {
        for options in [
            "-vv --log-format text",
            "-vv --log-format json",
            "-q --sslmode require",
            "-vv --env-file {}/env",
            "-vv --fallback cache --cache {}/cache",
            "-vv --on-change signal:HUP --env-file {}/env",
        ] {
            scope.spawn(move || whole_life(options));
        }
    });
}

fn whole_life(options: &str) {
    let simulator = simulator();
    let run = supervise(&simulator.url());
    let file = run.home().join("env");
    let options = &options.replace("{}", run.home().to_str().unwrap());
    let mut run = run.options(options).script(CHILD);
    let suffix = if options.contains("require") {
        "?sslmode=require"
    } else {
        ""
    };
    run.line(&digest(&format!("{}{suffix}", url(OLD))));
    let names = run.line("names: ");
    let of_ours = |name: &&str| name.starts_with("CHANGEOVER_") || name.starts_with("HEROKU_");
    let ours: Vec<_> = names.split(' ').filter(of_ours).collect();
    assert_eq!(ours, ["CHANGEOVER_INSTANCE"], "{names}");
    clean_command_lines(&run);
    let malformed = format!("postgres://u1:{MALFORMED}@127.0.0.1:x/%zz");
    simulator.set_raw("DATABASE_URL", malformed.into());
    eventually("the malformed value is told", || {
        run.logs().iter().any(|line| line.contains("not a URL"))
    });
    for fault in FAULTS {
        let before = simulator.faulted_count();
        simulator.fault(fault);
        // Back to a good answer each time, or the pauses between requests would grow.
        eventually("a faulted answer", || simulator.faulted_count() > before);
        simulator.clear_faults();
        let before = simulator.request_count();
        eventually("a good answer", || simulator.request_count() > before + 1);
    }
    simulator.set_raw("DATABASE_URL", url(NEW).into());
    let line = run.line(&digest(&format!("{}{suffix}", url(NEW))));
    let child = Process::named(&line, "pid");
    clean_command_lines(&run);
    let holds_it = |text: String| text.contains(&url(NEW));
    assert_eq!(
        fs::read_to_string(&file).is_ok_and(holds_it),
        options.contains("--env-file")
    );
    // Its failure is looked into: a fetch and a login.
    kill(Pid::from_raw(child.pid.cast_signed()), Signal::SIGKILL).unwrap();
    assert_eq!(run.exit_code(), 137, "{}", run.told());
    assert!(!file.exists());
    if options.contains("--cache") {
        let sealed = fs::read(run.home().join("cache")).unwrap();
        for canary in canaries() {
            canary.is_not_in(&String::from_utf8_lossy(&sealed), "the cache");
        }
    }
    assert!(simulator.config().values().any(|value| value == UNWATCHED));
    assert!(
        simulator
            .requests()
            .iter()
            .any(|one| one.status == Some(200))
    );
    clean(&run);
}

#[tokio::test]
async fn a_server_that_repeats_secrets_is_not_repeated() {
    let url = format!("postgres://u1:{MALFORMED}@h/d");
    let json = "Content-Type: application/json\r\n";
    let location = format!("Location: https://u1:{MALFORMED}@elsewhere.invalid/{TOKEN}\r\n");
    let answers = [
        (
            "401 X",
            json,
            format!(r#"{{"id":"unauthorized","message":"{TOKEN} is bad"}}"#),
        ),
        (
            "403 X",
            json,
            format!(r#"{{"id":"{TOKEN}","message":"not for {TOKEN}"}}"#),
        ),
        (
            "429 X",
            json,
            format!(r#"{{"id":"rate_limit","message":"of {url} {TOKEN}"}}"#),
        ),
        ("500 X", json, format!(r#"{{"error":"{url} and {TOKEN}"}}"#)),
        ("503 X", "", format!("<html>{TOKEN} {MALFORMED}</html>")),
        ("200 OK", json, format!("\"{MALFORMED}\"")),
        ("200 OK", json, format!(r#"["{MALFORMED}", "{TOKEN}"]"#)),
        (
            "200 OK",
            json,
            format!(r#"{{"DATABASE_URL":{{"{MALFORMED}":"{TOKEN}"}}}}"#),
        ),
        ("200 OK", json, format!(r#"{{"DATABASE_URL":"{url}"#)),
        (
            "200 OK",
            json,
            format!(r#"{{"DATABASE_URL":"postgres://u:{MALFORMED}@:x/%zz"}}"#),
        ),
        ("302 X", location.as_str(), String::new()),
    ];
    for (status, headers, body) in answers {
        let server = Canned::start(vec![Reply::answer(status, headers, &body)]).await;
        let api = format!("http://127.0.0.1:{}", server.port);
        let ended = tokio::task::spawn_blocking(move || {
            let run = supervise(&api).options("-vv --start-timeout 500ms");
            let mut run = run.script("echo started");
            (run.exit_code(), run)
        });
        let (code, run) = ended.await.unwrap();
        assert!([75, 78].contains(&code), "{status} {body}: {code}");
        assert!(!run.logs().is_empty() && run.lines().is_empty());
        clean(&run);
        let asked = server.requests();
        assert!(asked[0].contains(TOKEN), "the token was never used");
    }
}

/// Options that make no sense, each with something secret in it.
const MISTAKES: &[&[&str]] = &[
    &[
        "-a",
        "myapp",
        "--interval",
        "60",
        "--token-command",
        "echo t0ken-canary-5e1f",
    ],
    &["-a", "myapp", "--token-command", "echo 't0ken-canary-5e1f"],
    &[
        "-a",
        "myapp",
        "--token-command",
        "/nowhere t0ken-canary-5e1f",
        "--start-timeout",
        "1s",
    ],
    &[
        "-a",
        "myapp",
        "--token-command",
        "false t0ken-canary-5e1f",
        "--start-timeout",
        "1s",
    ],
    &[
        "-a",
        "myapp",
        "--api-url",
        "http://u:t0ken-canary-5e1f@example.com",
    ],
    &["-a", "myapp", "--api-url", "https://u:t0ken-canary-5e1f@:x"],
    &["-a", "postgres://u:malf0rmed-canary-99@h/d"],
    &["-a", "myapp", "--token=t0ken-canary-5e1f"],
    &[
        "-a",
        "myapp",
        "--token-file",
        "/nowhere",
        "--token-command",
        "echo t0ken-canary-5e1f",
    ],
];

#[test]
fn mistakes_are_told_without_what_was_typed_in_secret() {
    for options in MISTAKES {
        let mut supervise = supervise("http://127.0.0.1:1");
        supervise = supervise.only_options(options);
        let mut run = supervise.script("echo started");
        let code = run.exit_code();
        assert!(
            [2, 75, 78].contains(&code),
            "{options:?}: {code} {}",
            run.told()
        );
        assert!(
            !run.logs().is_empty() && run.lines().is_empty(),
            "{}",
            run.told()
        );
        clean(&run);
    }
}

#[test]
fn mistakes_in_variables_are_told_without_what_they_hold() {
    for (variable, value) in [
        ("HEROKU_HOST", "https://u:t0ken-canary-5e1f@example.com"),
        (
            "CHANGEOVER_API_URL",
            "http://u:t0ken-canary-5e1f@example.com",
        ),
        ("CHANGEOVER_TOKEN_COMMAND", "echo 't0ken-canary-5e1f"),
        ("CHANGEOVER_TOKEN", "t0ken-canary-5e1f"),
        ("HTTPS_PROXY", "nonsense://u:t0ken-canary-5e1f@:x"),
    ] {
        let supervise = supervise("http://127.0.0.1:1").only_options(&["-a", "myapp"]);
        let supervise = supervise.env("CHANGEOVER_START_TIMEOUT", "500ms");
        let supervise = supervise.env("HEROKU_HOST", "http://127.0.0.1:1");
        let mut run = supervise.env(variable, value).script("echo started");
        let code = run.exit_code();
        assert!(
            [2, 75, 78].contains(&code),
            "{variable}: {code} {}",
            run.told()
        );
        assert!(
            !run.logs().is_empty() && run.lines().is_empty(),
            "{}",
            run.told()
        );
        clean(&run);
    }
}

#[test]
fn a_program_that_cannot_start_tells_nothing() {
    let simulator = simulator();
    let supervise = || supervise(&simulator.url()).options("-vv");
    let as_a_variable = format!("DATABASE_URL={}", url(MALFORMED));
    for (program, expected) in [
        ("/nowhere", 127),
        ("/etc", 126),
        (as_a_variable.as_str(), 127),
    ] {
        let mut run = supervise().program(&[program, "--password=inher1ted"]);
        assert_eq!(run.exit_code(), expected, "{program}: {}", run.told());
        clean(&run);
    }
    let supervise = supervise();
    let file = supervise.home().join("program");
    crate::support::write(&file, 0o755, &format!("#!/bin/sh\n{CHILD}"));
    let mut run = supervise.program(&[file.to_str().unwrap()]);
    run.line(&digest(&url(OLD)));
    fs::write(&file, "#!/nowhere/interpreter\n").unwrap();
    simulator.set_config("DATABASE_URL", Some(&url(NEW)));
    eventually("the failed start is told", || {
        run.logs()
            .iter()
            .any(|line| line.contains("cannot be executed"))
    });
    assert_eq!(run.terminate(), 0, "{}", run.told());
    clean(&run);
}
