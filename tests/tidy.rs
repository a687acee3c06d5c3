//! The architecture as tests: who may import whom, who may read a clock, how long a file and a
//! function may be, which number a scenario has. Each failure says where the thing belongs instead.
#![expect(clippy::unwrap_used, reason = "a test that fails says where it did")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A room of the house: who lives there, and what it may touch.
struct Room {
    name: &'static str,
    /// Rooms of this crate that it may use.
    rooms: &'static [&'static str],
    /// Outside crates that it may use. `std` is everybody's but the core's.
    crates: &'static [&'static str],
    /// Where to go instead.
    instead: &'static str,
}

/// The import table of the design. Additions to it: the core and the edges share `exit_code` (a
/// plain enum), those who listen `accept`, `config` speaks the core's plain types, and `runtime`
/// renders what `credential` shows.
const ROOMS: &[Room] = &[
    Room {
        name: "credential",
        rooms: &["credential"],
        crates: &["percent_encoding", "thiserror", "url", "zeroize"],
        instead: "credential is pure: what fetches belongs in heroku/, what logs in in postgres/",
    },
    Room {
        name: "supervisor",
        rooms: &["supervisor", "credential", "exit_code"],
        crates: &[],
        instead: "the core decides and touches nothing: make it an Event or an Action, and let a shell do it",
    },
    Room {
        name: "heroku",
        rooms: &["accept", "heroku", "credential"],
        crates: &[
            "base64",
            "hmac",
            "httpdate",
            "hyper",
            "hyper_util",
            "sha2",
            "shell_words",
            "reqwest",
            "rustls",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
            "url",
            "webpki_roots",
            "zeroize",
        ],
        instead: "heroku fetches: processes belong in process/, policy in supervisor/watch.rs, the meeting in runtime/",
    },
    Room {
        name: "postgres",
        rooms: &["postgres", "credential"],
        crates: &[
            "percent_encoding",
            "zeroize",
            "rustls",
            "tokio",
            "tokio_postgres",
            "tokio_postgres_rustls",
            "webpki_roots",
        ],
        instead: "postgres logs in: what a refusal means belongs in supervisor/",
    },
    Room {
        name: "process",
        rooms: &["process", "supervisor", "credential"],
        crates: &["libc", "nix", "thiserror", "tokio", "zeroize"],
        instead: "process obeys: a rule about when or why belongs in supervisor/",
    },
    Room {
        name: "readiness",
        rooms: &["readiness", "supervisor"],
        crates: &["hyper", "hyper_util", "tokio"],
        instead: "readiness asks: how long it may take belongs in supervisor/, what the child says itself in process/",
    },
    Room {
        name: "store",
        rooms: &["store", "supervisor", "credential"],
        crates: &["nix", "ring", "thiserror", "zeroize"],
        instead: "store obeys: when a file is written belongs in supervisor/, processes in process/",
    },
    Room {
        name: "accept",
        rooms: &["accept"],
        crates: &["tokio"],
        instead: "accept lets in: what is said to whom belongs in the room that listens",
    },
    Room {
        name: "admin",
        rooms: &["accept", "admin", "supervisor", "credential"],
        crates: &[
            "hyper",
            "hyper_util",
            "prometheus_client",
            "serde",
            "serde_json",
            "tokio",
        ],
        instead: "admin shows: what is done about it belongs in supervisor/, its words in runtime/telemetry",
    },
    Room {
        name: "runtime",
        rooms: &[
            "admin",
            "runtime",
            "supervisor",
            "credential",
            "heroku",
            "postgres",
            "process",
            "readiness",
            "store",
            "config",
            "exit_code",
        ],
        crates: &[
            "serde_json",
            "signal_hook",
            "tokio",
            "tracing",
            "tracing_subscriber",
            "humantime",
        ],
        instead: "runtime connects: system calls belong in process/, requests in heroku/, decisions in supervisor/",
    },
    Room {
        name: "commands",
        rooms: &[
            "admin",
            "cli",
            "commands",
            "runtime",
            "supervisor",
            "credential",
            "heroku",
            "postgres",
            "process",
            "store",
            "config",
            "exit_code",
        ],
        crates: &[
            "clap",
            "clap_complete",
            "clap_mangen",
            "serde_json",
            "thiserror",
            "tokio",
            "tracing",
        ],
        instead: "commands put together what other rooms offer",
    },
    Room {
        name: "cli",
        rooms: &["cli"],
        crates: &["clap", "clap_complete"],
        instead: "cli is what the user typed; what it means belongs in config.rs",
    },
    Room {
        name: "config",
        rooms: &["config", "cli", "credential", "supervisor", "exit_code"],
        crates: &["strsim", "clap", "humantime", "serde", "thiserror"],
        instead: "config is pure: what is typed comes in, what it means comes out",
    },
    Room {
        name: "exit_code",
        rooms: &["exit_code"],
        crates: &[],
        instead: "exit_code.rs is one enum",
    },
];

const OUTSIDE: &[&str] = &[
    "base64",
    "hmac",
    "httpdate",
    "percent_encoding",
    "prometheus_client",
    "shell_words",
    "strsim",
    "anyhow",
    "axum",
    "clap",
    "clap_complete",
    "clap_mangen",
    "humantime",
    "hyper",
    "hyper_util",
    "libc",
    "nix",
    "reqwest",
    "ring",
    "rustls",
    "serde",
    "serde_json",
    "sha2",
    "signal_hook",
    "socket2",
    "thiserror",
    "tokio",
    "tokio_postgres",
    "tokio_postgres_rustls",
    "tracing",
    "tracing_subscriber",
    "url",
    "webpki_roots",
    "zeroize",
];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 60;
const COLUMNS_MAX: usize = 100;

#[test]
fn every_import_is_in_the_table() {
    let mut wrong = String::new();
    for (path, text) in sources("src") {
        let Some(room) = room_of(&path) else { continue };
        for (number, line) in code_lines(&text) {
            for used in paths_after(line, "crate::") {
                if !room.rooms.contains(&used) && ROOMS.iter().any(|known| known.name == used) {
                    complain(
                        &mut wrong,
                        &path,
                        number,
                        &format!("{} may not use {used}: {}", room.name, room.instead),
                    );
                }
            }
            for outside in OUTSIDE.iter().filter(|name| names_crate(line, name)) {
                if !room.crates.contains(outside) {
                    complain(
                        &mut wrong,
                        &path,
                        number,
                        &format!(
                            "{} may not use the crate {outside}: {}",
                            room.name, room.instead
                        ),
                    );
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn the_core_touches_nothing() {
    let banned = [
        "std::time",
        "std::env",
        "std::fs",
        "std::net",
        "std::thread",
        "std::process",
        "HashMap",
        "HashSet",
    ];
    let mut wrong = String::new();
    for (path, text) in sources("src/supervisor")
        .into_iter()
        .chain(sources("src/credential"))
    {
        for (number, line) in code_lines(&text) {
            for name in banned.iter().filter(|name| line.contains(*name)) {
                let why = "the pure rooms take what they need as an argument (HashMap iterates in a random order: BTreeMap)";
                complain(&mut wrong, &path, number, &format!("{name}: {why}"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn one_file_reads_the_clock_and_one_is_unsafe() {
    let mut wrong = String::new();
    for (path, text) in sources("src") {
        for (number, line) in code_lines(&text) {
            let clock = ["Instant::now", "SystemTime::now", "time_since_boot()"]
                .iter()
                .any(|name| line.contains(name));
            let is_definition = line.contains("fn time_since_boot");
            if clock
                && !is_definition
                && !path.ends_with("runtime/clock.rs")
                && !path.starts_with("src/testing")
            {
                complain(
                    &mut wrong,
                    &path,
                    number,
                    "only runtime/clock.rs reads a clock: take `now` as an argument",
                );
            }
            let opens_unsafe = line.contains("unsafe {")
                || line.contains("unsafe fn")
                || line.contains("unsafe extern");
            if opens_unsafe && !path.ends_with("process/spawn.rs") {
                complain(
                    &mut wrong,
                    &path,
                    number,
                    "unsafe lives in process/spawn.rs, each block with its SAFETY paragraph",
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn files_and_functions_fit_the_reader() {
    let mut wrong = String::new();
    let folders = ["src", "examples", "benches", "tests"];
    for (path, text) in folders.into_iter().flat_map(sources) {
        if !text.starts_with("//! ") {
            complain(
                &mut wrong,
                &path,
                1,
                "a file opens with one sentence on what it is for (`//! …`)",
            );
        }
        let lines = text.lines().count();
        if path.starts_with("src") && lines > FILE_LINES_MAX {
            complain(
                &mut wrong,
                &path,
                lines,
                &format!("over {FILE_LINES_MAX} lines: give its second reason to change a file"),
            );
        }
        for (number, length) in long_functions(&text) {
            complain(
                &mut wrong,
                &path,
                number,
                &format!("a function of {length} lines: over {FUNCTION_LINES_MAX}, no screen"),
            );
        }
        for (number, line) in text.lines().enumerate() {
            let is_table = line.starts_with("//! |");
            if line.chars().count() > COLUMNS_MAX && !line.contains('"') && !is_table {
                complain(
                    &mut wrong,
                    &path,
                    number + 1,
                    &format!("over {COLUMNS_MAX} columns"),
                );
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_scenario_has_its_own_number() {
    let mut by_number = BTreeMap::<String, Vec<String>>::new();
    for entry in fs::read_dir(root().join("tests/scenarios")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let number: String = name.chars().take_while(char::is_ascii_digit).collect();
        assert!(
            !number.is_empty(),
            "{name}: a scenario's name begins with its number"
        );
        by_number.entry(number).or_default().push(name);
    }
    let twice: Vec<_> = by_number.values().filter(|names| names.len() > 1).collect();
    assert!(
        twice.is_empty(),
        "a number is used once; take the next that is free: {twice:?}"
    );
}

#[test]
fn the_top_level_holds_only_what_a_newcomer_expects() {
    let expected = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "LICENSE",
        "src",
        "examples",
        "tests",
        "benches",
        "target",
    ];
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = expected.contains(&name.as_str()) || name.starts_with('.');
        assert!(known, "{name} stands at the top level: find it a room");
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder, by its path from the root.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root()).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no Rust");
    found
}

fn room_of(path: &Path) -> Option<&'static Room> {
    let first = path.iter().nth(1)?.to_str()?;
    let name = first.strip_suffix(".rs").unwrap_or(first);
    ROOMS.iter().find(|room| room.name == name)
}

/// The lines up to the unit tests that are neither comments nor blank, numbered from 1.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line));
    lines
        .take_while(|(_, line)| *line != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
}

/// The path segment behind each occurrence of `prefix`.
fn paths_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(prefix).map(move |(at, _)| {
        let rest = &line[at + prefix.len()..];
        rest.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
            .unwrap_or_default()
    })
}

fn names_crate(line: &str, name: &str) -> bool {
    let path = format!("{name}::");
    line.match_indices(&path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':' || c == '/')
    })
}

/// The first line and the length of each function that is too long, as rustfmt lays them out.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let mut long = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in text.lines().enumerate() {
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        let is_function =
            line.contains("fn ") && !line.trim_start().starts_with("//") && !line.ends_with(';');
        match &open {
            None if is_function && !line.ends_with('}') => open = Some((number, indent)),
            Some((start, outer)) if line == format!("{outer}}}") => {
                if number - start + 1 > FUNCTION_LINES_MAX {
                    long.push((start + 1, number - start + 1));
                }
                open = None;
            }
            None | Some(_) => {}
        }
    }
    long
}

fn complain(wrong: &mut String, path: &Path, line: usize, what: &str) {
    let _ = writeln!(wrong, "{}:{line}: {what}", path.display());
}
