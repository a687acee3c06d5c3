//! The README, held against the program: its commands are run, its tables compared with `--help`
//! and the enum.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use changeover::admin::word;
use changeover::cli::{self, Cli};
use changeover::config::DEFAULTS;
use changeover::exit_code::ExitCode;
use changeover::supervisor::status::{ChangePhase, ConnectionPhase, ServicePhase};
use changeover::testing::heroku::{Options, Simulator};
use tempfile::TempDir;

use crate::raw_http;
use crate::support;
use crate::support::postgres::Postgres;
use crate::support::supervised::Supervise;

const README: &str = include_str!("../../README.md");
const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Those that fetch, and so have options.
const COMMANDS: [&str; 4] = ["run", "exec", "env", "check"];
const OTHER_COMMANDS: [&str; 4] = [
    "status [--json] [--check]",
    "refresh` · `restart [--force]` · `stop` · `hold` · `resume",
    "completions SHELL",
    "man",
];
/// What cargo needs to find its way.
const PASSED_ON: [&str; 6] = [
    "CARGO_HOME",
    "CARGO_TARGET_DIR",
    "HOME",
    "RUSTFLAGS",
    "RUSTUP_HOME",
    "USER",
];

/// Stand-ins for what a reader has and a test has not. Each refuses what it does not know.
const STAND_INS: [(&str, &str); 6] = [
    (
        "heroku",
        r#"case "$*" in
            "config:get DATABASE_URL -a my-app") echo "postgres://u:p@127.0.0.1:1/d" ;;
            "authorizations:create -s read-protected -S") echo HRKU-simulator ;;
            "webhooks:add -a my-app -i api:release -l sync -s "[!\ ]*" -u https://hooks.example.com/webhook") ;;
            *) exit 64 ;;
        esac"#,
    ),
    ("bundle", r#"[ "$*" = "exec puma" ] && [ -n "$CACHE_URL" ]"#),
    (
        "gunicorn",
        r#"case "$*" in app:app | "--preload app:app") ;; *) exit 64 ;; esac
            [ "$LISTEN_FDS $LISTEN_PID" = "1 $$" ] && [ -S /dev/fd/3 ]"#,
    ),
    (
        "psql",
        r#"case "$1" in postgres://*) ;; *) exit 64 ;; esac"#,
    ),
    // Installing is a release build: all but that is tried.
    (
        "cargo",
        r#"cd "$ROOT" && case "$*" in
            "install --path .") exec "$CARGO" metadata --no-deps --offline --format-version 1 ;;
            "run --example quickstart") exec "$CARGO" run --quiet --example quickstart ;;
            *) exit 64 ;;
        esac"#,
    ),
    ("tests/run", r#"exec "$ROOT/tests/run" --help"#),
];

/// A directory in which the README's commands work: `./serve`, `tests/run`, and the stand-ins in
/// PATH.
fn workplace() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("bin")).unwrap();
    fs::create_dir_all(place.path().join("tests")).unwrap();
    let script = |path: &str, text: &str| {
        let text = format!("#!/bin/sh\n{text}\n");
        support::write(&place.path().join(path), 0o755, &text);
    };
    script(
        "serve",
        r#"case "$DATABASE_URL" in postgres://*) ;; *) exit 64 ;; esac"#,
    );
    for (name, text) in STAND_INS {
        let folder = if name.contains('/') { "" } else { "bin/" };
        script(&format!("{folder}{name}"), text);
    }
    place
}

/// Runs a script as a reader would, on a simulated Heroku. Whether a reader's port is free here is
/// not known: another one is.
fn run_script(script: &str, place: &Path, heroku: &(Simulator, &str)) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_changeover"));
    let system = std::env::var("PATH").unwrap();
    let path = format!(
        "{}:{}:{system}",
        place.join("bin").display(),
        binary.parent().unwrap().display()
    );
    let mut command = Command::new("sh");
    command
        .args(["-euc", &on_free_ports(script)])
        .current_dir(place)
        .env_clear();
    for name in PASSED_ON {
        command.envs(std::env::var_os(name).map(|value| (name, value)));
    }
    command
        .env("PATH", path)
        .env("ROOT", ROOT)
        .env("CARGO", env!("CARGO"))
        .env("HEROKU_HOST", heroku.0.url())
        .env("HEROKU_API_KEY", "HRKU-simulator")
        .env("CHANGEOVER_CHECK_LOGIN", heroku.1)
        .output()
        .unwrap()
}

fn on_free_ports(script: &str) -> String {
    let ports = ["127.0.0.1:8000", "127.0.0.1:9000"];
    ports.into_iter().fold(script.to_owned(), |script, port| {
        script.replace(port, "127.0.0.1:0")
    })
}

/// Its databases are real ones where Postgres is installed, and else nobody logs in.
fn simulator() -> (Simulator, &'static str) {
    let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let mut options = Options {
        app: "my-app".to_owned(),
        config: vec![variable("REDIS_URL", "redis://127.0.0.1:1")],
        ..Options::default()
    };
    let mut check_login = "auto";
    match Postgres::shared() {
        Some(server) => options.postgres = Some(server.superuser_url()),
        None => check_login = "never",
    }
    (Simulator::start(options).unwrap(), check_login)
}

/// The README's fenced blocks in this language.
fn blocks(language: &str) -> Vec<&'static str> {
    blocks_of(README, language)
}

fn blocks_of<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("\n```{language}\n");
    let block = |(at, opening): (usize, &str)| {
        let text = &page[at + opening.len()..];
        text.split("```").next().unwrap()
    };
    page.match_indices(&opening).map(block).collect()
}

/// The guides' pages, by name.
fn guides() -> Vec<(String, String)> {
    let folder = Path::new(ROOT).join("src/guide");
    let pages = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    pages
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn every_command_and_variable_of_the_guides_works() {
    let heroku = simulator();
    let place = workplace();
    let (pages, mut scripts) = (guides(), 0);
    assert_eq!(pages.len(), 5);
    for (name, page) in &pages {
        for script in blocks_of(page, "sh") {
            let output = run_script(script, place.path(), &heroku);
            assert!(output.status.success(), "{name}: {script}\n{output:?}");
            scripts += 1;
        }
        let files = ["ini", "yaml", "dockerfile"].map(|language| blocks_of(page, language));
        for line in files.concat().concat().lines() {
            if let Some(command) = line.split_once(": changeover ") {
                let words = shell_words::split(&format!("changeover {}", command.1)).unwrap();
                let words = words.into_iter().map(OsString::from);
                Cli::read(words).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
            for (at, _) in line.match_indices("CHANGEOVER_") {
                let option = line[at + "CHANGEOVER_".len()..].split('=').next().unwrap();
                let option = option.to_lowercase().replace('_', "-");
                assert!(cli::options().contains(&option), "{name}: {line}");
            }
        }
        // What is an option somewhere in the text is one in the program.
        for word in page.split(|c: char| !(c.is_ascii_lowercase() || c == '-')) {
            if let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) {
                let foreign = ["from", "init", "rewrite"].contains(&option);
                assert!(
                    foreign || cli::options().contains(&option.to_owned()),
                    "{name}: --{option}"
                );
            }
        }
    }
    assert!(scripts >= 5, "{scripts}");
}

/// A line without what differs from run to run: the time in front, numbers, units, the kind of
/// change.
fn shape(line: &str) -> String {
    let (_, fact) = line.trim().split_once("Z ").unwrap_or_default();
    let word = |word: &str| {
        let bare = word.trim_end_matches([';', ',']);
        let number = bare.starts_with(|c: char| c.is_ascii_digit());
        let unit = ["ms", "µs", "s"].contains(&bare);
        !number && !unit
    };
    let words: Vec<_> = fact.split(' ').filter(|one| word(one)).collect();
    let letters = |c: char| !c.is_ascii_digit();
    words.join(" ").chars().filter(|c| letters(*c)).collect()
}

#[test]
fn every_shell_command_works() {
    let heroku = simulator();
    let place = workplace();
    let scripts = blocks("sh");
    assert!(scripts.len() > 4, "{scripts:?}");
    for script in scripts {
        let output = run_script(script, place.path(), &heroku);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, errors) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{script}\n{out}\n{errors}");
        if script.contains("quickstart") {
            assert_eq!(out.matches("\n✓ ").count(), 5, "{out}");
            let said: BTreeSet<_> = out.lines().map(shape).collect();
            for line in blocks("text").concat().lines() {
                // Its databases are made up; `rotation` sees this of a real one.
                let line = line.split(", login ok in ").next().unwrap();
                assert!(said.contains(&shape(line)), "nobody says {line:?}: {out}");
            }
        }
    }
}

#[test]
fn try_it_is_two_commands() {
    let section = README.split("## Try it").nth(1).unwrap();
    let block = section.split("```").nth(1).unwrap();
    assert_eq!(block, "sh\ncargo run --example quickstart\ntests/run\n");
}

/// One of the README's `curl` command lines, on a simulator that listens elsewhere.
fn curl(line: &str, heroku: &Simulator) {
    let words = shell_words::split(line).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ["curl", "-sX", method, url, rest @ ..] = &words[..] else {
        panic!("{line}");
    };
    let path = url.strip_prefix("$HEROKU_HOST").unwrap();
    let body = match rest {
        [] => "",
        ["-d", body] => body,
        _ => panic!("{line}"),
    };
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let address = heroku.address();
    let answer = raw_http::send(
        address,
        (method, path),
        &headers,
        body,
        Duration::from_secs(10),
    );
    assert_eq!(answer.unwrap().json()["ok"], true, "{line}");
}

#[test]
fn a_heroku_to_try_ones_own_program_with() {
    let mut scripts = blocks("bash").into_iter();
    let script = scripts.find(|script| script.contains("heroku_simulator"));
    let lines: Vec<&str> = script.unwrap().lines().collect();
    let [start, exports, run, requests @ .., end] = &lines[..] else {
        panic!("{lines:?}");
    };
    // What these say is what the simulator below does by itself.
    assert_eq!(
        [*start, *exports, *end],
        [
            "cargo run --example heroku_simulator -- --listen 127.0.0.1:8080 &",
            "export HEROKU_HOST=http://127.0.0.1:8080 HEROKU_API_KEY=HRKU-simulator",
            "kill %2 %1; unset HEROKU_HOST HEROKU_API_KEY"
        ]
    );
    let heroku = Simulator::start(Options::default()).unwrap();
    let words = shell_words::split(run.strip_suffix(" &").unwrap()).unwrap();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (options, program) = words.split_at(words.iter().rposition(|word| *word == "--").unwrap());
    assert_eq!(options[..4], ["cargo", "run", "--", "run"]);
    let mut run = Supervise::nowhere()
        .only_options(&options[4..])
        .env("HEROKU_HOST", &heroku.url())
        .program(&program[1..]);
    let first = run.line("postgres://");
    let expected = ["", "Heroku API not answering: 503 (HTML)", "answers again"];
    assert_eq!(requests.len(), expected.len());
    for (request, expected) in requests.iter().zip(expected) {
        curl(request, &heroku);
        if expected.is_empty() {
            assert_ne!(run.line("postgres://"), first);
        } else {
            run.log(expected);
        }
    }
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn the_idea_in_bash_is_bash() {
    for script in blocks("bash") {
        let output = Command::new("bash").args(["-nc", script]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}

/// Container and unit files cannot be run here; their command lines and variables are read as
/// changeover reads them.
#[test]
fn what_stands_in_files_is_understood() {
    let read = |words: Vec<String>| {
        let words = words.into_iter().map(OsString::from);
        Cli::read(words).unwrap_or_else(|error| panic!("{error}"));
    };
    for line in blocks("dockerfile").concat().lines() {
        if let Some(entrypoint) = line.strip_prefix("ENTRYPOINT ") {
            let mut words: Vec<String> = serde_json::from_str(entrypoint).unwrap();
            words.push("bundle".to_owned());
            read(words);
        }
        let pairs = line.strip_prefix("ENV ").unwrap_or_default().split(' ');
        let ours = pairs.filter_map(|pair| pair.split('=').next()?.strip_prefix("CHANGEOVER_"));
        for name in ours {
            let option = name.to_lowercase().replace('_', "-");
            assert!(cli::options().contains(&option), "{name}");
        }
    }
    for line in blocks("ini").concat().lines() {
        if let Some(start) = line.strip_prefix("ExecStart=") {
            read(shell_words::split(start).unwrap());
        }
    }
    assert_eq!((blocks("dockerfile").len(), blocks("ini").len()), (1, 2));
}

/// Heading → options, each with its default where there is one.
type Groups = BTreeMap<String, BTreeMap<String, Option<String>>>;

/// The options of a command as `--help` shows them.
fn helped(command: &str) -> Groups {
    let output = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .args([command, "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let mut groups = Groups::new();
    let mut heading = String::new();
    for line in help.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
            name.clone_into(&mut heading);
        }
        let option = line.trim_start().split("--").nth(1);
        let is_option = line.trim_start().starts_with('-');
        if let Some(option) = option.filter(|_| is_option) {
            let name = option
                .split([' ', '.', '<'])
                .next()
                .unwrap_or_default()
                .to_owned();
            let default = DEFAULTS.iter().find(|(known, _)| *known == name);
            let default = default.map(|(_, default)| (*default).to_owned());
            groups
                .entry(heading.clone())
                .or_default()
                .insert(name, default);
        }
    }
    groups.remove("Options");
    groups
}

/// The options of a command as the README's tables show them.
fn documented(command: &str) -> Groups {
    let mut groups = Groups::new();
    for section in README.split("\n### ").skip(1) {
        let Some((heading, commands)) = section.lines().next().unwrap().split_once(": ") else {
            continue;
        };
        if !commands.split(", ").any(|one| one == command) {
            continue;
        }
        let rows = section.split("\n## ").next().unwrap().lines();
        for row in rows.filter(|row| row.starts_with("| `-")) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            let name = cells[1].split("--").nth(1).unwrap();
            let name = name.split([' ', '`']).next().unwrap().to_owned();
            let has_default = DEFAULTS.iter().any(|(known, _)| *known == name);
            let default = has_default.then(|| cells[2].trim_matches('`').to_owned());
            groups
                .entry(heading.to_owned())
                .or_default()
                .insert(name, default);
        }
    }
    groups
}

#[test]
fn the_tables_hold_every_option_its_command_and_its_default() {
    for command in COMMANDS {
        assert_eq!(documented(command), helped(command), "{command}");
    }
}

#[test]
fn the_table_of_commands_holds_every_command() {
    for command in COMMANDS {
        let row = format!("| `changeover {command} -a APP [OPTIONS]");
        assert!(README.contains(&row), "{command}");
    }
    for command in OTHER_COMMANDS {
        let row = format!("| `changeover {command}`");
        assert!(README.contains(&row), "{command}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_changeover"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help.split("Commands:").nth(1).unwrap();
    let listed = listed.split("\n\n").next().unwrap();
    let listed: Vec<_> = listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let others = [
        "status",
        "refresh",
        "restart",
        "stop",
        "hold",
        "resume",
        "completions",
        "man",
    ];
    assert_eq!(listed, [&COMMANDS[..], &others].concat());
}

#[test]
fn the_table_of_the_status_holds_every_word() {
    let words: [(&str, Vec<String>); 3] = [
        ("phase", ServicePhase::ALL.iter().map(word).collect()),
        ("change", ChangePhase::ALL.iter().map(word).collect()),
        (
            "connection",
            ConnectionPhase::ALL.iter().map(word).collect(),
        ),
    ];
    for (field, words) in words {
        let begins = format!("| `{field}` |");
        let row = README.lines().find(|line| line.starts_with(&begins));
        let row = row.unwrap_or_else(|| panic!("no row for {field}"));
        for word in words {
            assert!(
                row.contains(&format!("`{word}`")),
                "{word} is not in the row of {field}"
            );
        }
    }
}

#[test]
fn the_table_of_exit_codes_is_the_enum() {
    let known: BTreeSet<u8> = [
        ExitCode::Refused,
        ExitCode::Usage,
        ExitCode::NoAnswer,
        ExitCode::Changed,
        ExitCode::Config,
        ExitCode::Internal,
        ExitCode::NotExecutable,
        ExitCode::NotFound,
    ]
    .into_iter()
    .map(ExitCode::number)
    .collect();
    let section = README.split("## Exit codes").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let numbers = section.lines().filter_map(|row| {
        let cell = row.strip_prefix("| ")?.split(" |").next()?;
        cell.parse().ok()
    });
    assert_eq!(numbers.collect::<BTreeSet<u8>>(), known);
}
