//! The binary as a user meets it: help, usage errors, the environment instead of options, logs that
//! nobody reads.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::ran::{Ran, alone};

fn changeover(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_changeover"));
    command.args(arguments).env_clear();
    command
}

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let Ran { code, out, errors } = alone(arguments, environment.iter().copied());
    (code, out, errors)
}

/// Lines that begin at the margin and end in a colon.
fn headings(help: &str) -> Vec<&str> {
    let heading = |line: &&str| !line.starts_with(' ') && line.ends_with(':');
    help.lines().filter(heading).collect()
}

#[test]
fn help_is_grouped_in_the_order_of_the_manual() {
    let (code, help, errors) = run(&["run", "--help"], &[]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(
        headings(&help),
        [
            "Arguments:",
            "Options:",
            "Source:",
            "Watch:",
            "Change:",
            "Crash:",
            "Ready:",
            "Database:",
            "Child:",
            "Start:",
            "Operation:",
            "Example:",
            "Environment:",
            "Exit codes:",
        ]
    );
    for (command, expected) in [
        (
            "exec",
            &["Source:", "Database:", "Child:", "Start:", "Operation:"][..],
        ),
        (
            "env",
            &[
                "Output:",
                "Source:",
                "Database:",
                "Child:",
                "Start:",
                "Operation:",
            ],
        ),
        (
            "check",
            &["Output:", "Source:", "Database:", "Start:", "Operation:"],
        ),
    ] {
        let (_, help, _) = run(&[command, "-h"], &[]);
        let general = [
            "Arguments:",
            "Options:",
            "Example:",
            "Environment:",
            "Exit codes:",
        ];
        let mut found = headings(&help);
        found.retain(|heading| !general.contains(heading));
        assert_eq!(found, expected, "{command}");
    }
}

#[test]
fn help_is_about_the_command_and_fits_a_screens_width() {
    for (command, about) in [
        (
            "run",
            "Run a program, and restart it when its credentials change",
        ),
        (
            "exec",
            "Fetch once, then become the program (no supervisor stays)",
        ),
        ("env", "Print the fetched variables, all of them or nothing"),
        (
            "check",
            "Diagnose the whole way from the token to the database",
        ),
    ] {
        let (_, help, _) = run(&[command, "--help"], &[]);
        assert_eq!(help.lines().next(), Some(about));
        for (columns, most) in [("60", 60), ("80", 80), ("200", 100)] {
            let mut command = changeover(&[command, "--help"]);
            let command = command.env("COLUMNS", columns).stdin(Stdio::null());
            let help = String::from_utf8(command.output().unwrap().stdout).unwrap();
            let longest = help.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(most), "{columns}: {longest:?}");
        }
    }
    let (code, version, _) = run(&["--version"], &[]);
    assert_eq!(code, Some(0));
    let expected = concat!("changeover ", env!("CARGO_PKG_VERSION"), " (debug, ");
    assert!(
        version.starts_with(expected) && version.ends_with(")\n"),
        "{version}"
    );
}

#[test]
fn neither_help_nor_errors_show_what_was_inherited() {
    let secrets = [
        ("CHANGEOVER_TOKEN_COMMAND", "CANARY"),
        ("HEROKU_API_KEY", "CANARY"),
    ];
    for arguments in [
        &["run", "--help"][..],
        &["run"],
        &["env", "--interval"],
        &[],
    ] {
        let (_, out, errors) = run(arguments, &secrets);
        assert!(
            !format!("{out}{errors}").contains("CANARY"),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_command_line_without_sense_ends_with_code_2_and_a_sentence() {
    for (arguments, part) in [
        (&["run", "-a", "app"][..], "COMMAND"),
        (&["run", "-a", "app", "--"], "COMMAND"),
        (
            &["run", "--", "true"],
            "--app (CHANGEOVER_APP or HEROKU_APP) is given nowhere",
        ),
        (
            &["run", "-a", "app", "--interval", "60", "--", "true"],
            "write 60s",
        ),
        (
            &["run", "-a", "app", "--intervall", "60s", "--", "true"],
            "'--interval'",
        ),
        (
            &["exec", "-a", "app", "--interval", "60s", "--", "true"],
            "no meaning for this command",
        ),
        (
            &["env", "-a", "app", "--restart=never"],
            "no meaning for this command",
        ),
        (&["env", "-a", "app", "-q", "-v"], "cannot be used with"),
        (&["dance"], "dance"),
    ] {
        let (code, out, errors) = run(arguments, &[]);
        assert_eq!((code, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(errors.contains(part), "{arguments:?}: {errors}");
    }
}

#[test]
fn a_variable_counts_like_its_option() {
    let entrypoint = ["run", "--", "true"];
    let app = ("HEROKU_APP", "app");
    let (code, _, errors) = run(&entrypoint, &[app, ("CHANGEOVER_INTERVAL", "60")]);
    assert_eq!(code, Some(2));
    let sentence = "ERROR --interval (CHANGEOVER_INTERVAL) is \"60\" in the environment, and a number without a unit \
                    could be seconds or minutes: write 60s for seconds, or 60m for minutes\n";
    assert!(errors.ends_with(sentence), "{errors}");
    let nonsense = [
        app,
        ("CHANGEOVER_INTERVAL", "60"),
        ("CHANGEOVER_LOG_FORMAT", "xml"),
    ];
    let (code, _, errors) = run(&entrypoint, &nonsense);
    assert_eq!(code, Some(2));
    assert!(
        errors.contains("--log-format (CHANGEOVER_LOG_FORMAT)"),
        "{errors}"
    );
}

#[test]
fn a_slip_in_a_variables_name_is_told() {
    let environment = [
        ("CHANGEOVER_INTERVALL", "60s"),
        ("CHANGEOVER_SERVICE_HOST", "10.0.0.1"),
        ("CHANGEOVER_PORT", "tcp://10.0.0.1:80"),
        ("CHANGEOVER_LOG_FORMAT", "json"),
    ];
    let (code, _, errors) = run(&["run", "--", "true"], &environment);
    assert_eq!(code, Some(2));
    let lines: Vec<serde_json::Value> = errors
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2, "{errors}");
    assert_eq!(lines[0]["level"], "WARN");
    let message = "CHANGEOVER_INTERVALL is no option's variable and is ignored: did you mean CHANGEOVER_INTERVAL?";
    assert_eq!(lines[0]["message"], message);
    assert_eq!(lines[1]["level"], "ERROR");
}

#[test]
fn a_log_line_for_the_journal_has_a_priority_and_no_time() {
    use std::os::unix::fs::MetadataExt;
    let file = tempfile::tempfile().unwrap();
    let found = file.metadata().unwrap();
    let stream = format!("{}:{}", found.dev(), found.ino());
    let status = changeover(&["run", "--", "true"])
        .env("JOURNAL_STREAM", stream)
        .stderr(file.try_clone().unwrap())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(2));
    let mut file = file;
    let mut text = String::new();
    std::io::Seek::rewind(&mut file).unwrap();
    std::io::Read::read_to_string(&mut file, &mut text).unwrap();
    assert!(text.starts_with("<3>ERROR --app"), "{text}");
}

#[test]
fn a_broken_stderr_changes_nothing() {
    let code = |stderr: Stdio| {
        let mut command = changeover(&["run", "--", "true"]);
        command.env("CHANGEOVER_INTERVALL", "60s").stderr(stderr);
        command.status().unwrap().code()
    };
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    assert_eq!(code(writer.into()), Some(2), "nobody is there");

    let full = std::fs::File::options().write(true).open("/dev/full");
    assert_eq!(code(full.unwrap().into()), Some(2), "the disk is full");

    let (reader, mut writer) = std::io::pipe().unwrap();
    // A pipe's whole capacity on Linux (pipe(7)).
    writer.write_all(&[b'x'; 65_536]).unwrap();
    assert_eq!(code(writer.into()), Some(2), "nobody reads");
    drop(reader);
}

#[test]
fn completions_and_the_manual_come_from_the_definition() {
    let (code, manual, errors) = run(&["man"], &[]);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    for part in [
        ".TH changeover 1",
        ".SH \"CHANGEOVER RUN\"",
        "stop\\-timeout",
        ".SH \"EXIT CODES\"",
        "126  the program cannot be executed",
    ] {
        assert!(manual.contains(part), "{part}: {manual}");
    }
    for (shell, part) in [
        ("bash", "complete -F _changeover"),
        ("zsh", "#compdef changeover"),
        ("fish", "complete -c changeover"),
    ] {
        let (code, script, errors) = run(&["completions", shell], &[]);
        assert_eq!((code, errors.as_str()), (Some(0), ""), "{shell}");
        assert!(script.contains(part), "{script}");
        assert!(script.contains("stop-timeout"), "{shell}");
        assert!(
            script.contains("verify-full"),
            "no words are completed in {shell}"
        );
    }
    let (code, _, errors) = run(&["completions", "csh"], &[]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("bash"), "{errors}");
}

#[test]
fn the_configuration_is_shown_and_nothing_started() {
    let environment = [
        ("HEROKU_APP", "app"),
        ("CHANGEOVER_STOP_TIMEOUT", "7s"),
        ("CHANGEOVER_PRINT_CONFIG", "1"),
    ];
    let (code, table, errors) = run(&["run", "--debounce", "2s", "--", "false"], &environment);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let row = |option: &str| -> Vec<&str> {
        let mut rows = table.lines().map(|line| line.split_whitespace().collect());
        rows.find(|row: &Vec<_>| row[0] == option).unwrap()
    };
    assert_eq!(row("--app"), ["--app", "app", "HEROKU_APP"]);
    assert_eq!(row("--debounce"), ["--debounce", "2s", "typed"]);
    assert_eq!(row("--interval"), ["--interval", "60s", "default"]);
    let timeout = ["--stop-timeout", "7s", "CHANGEOVER_STOP_TIMEOUT"];
    assert_eq!(row("--stop-timeout"), timeout);

    let api_url = ["--api-url", "https://api.heroku.com", "default"];
    assert_eq!(row("--api-url"), api_url);
    let host = [("HEROKU_HOST", "herokai.com"), environment[0]];
    let (_, table, _) = run(&["run", "--print-config", "--", "false"], &host);
    let line = table.lines().find(|line| line.starts_with("--api-url"));
    let words: Vec<_> = line.unwrap().split_whitespace().collect();
    assert_eq!(words[1..], ["https://api.herokai.com", "HEROKU_HOST"]);

    let wrong = ["run", "--print-config", "--interval", "5", "--", "false"];
    let (code, table, errors) = run(&wrong, &environment);
    assert_eq!((code, table.as_str()), (Some(2), ""));
    assert!(errors.contains("--interval"), "{errors}");
}
