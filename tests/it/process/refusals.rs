//! Preparing and failing: where a command is looked for, and what is said when there is no process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::fs;
use std::path::Path;

use changeover::process::{Program, prepare, spawn};
use changeover::supervisor::event::{Ended, SpawnError};

use super::kit::{Reaper, alone, environment, executable, program, start};

fn refusal(program: &Program) -> SpawnError {
    let environment = environment(None, &[("PATH", "/nowhere::/usr/bin:/bin")]);
    match prepare(program, &environment) {
        Ok(mut prepared) => spawn(&mut prepared).unwrap_err(),
        Err(error) => error,
    }
}

fn not_executable(error: SpawnError) -> String {
    match error {
        SpawnError::NotExecutable { detail } => detail,
        other @ (SpawnError::NotFound
        | SpawnError::Failed { .. }
        | SpawnError::Unwritable { .. }) => panic!("{other:?}"),
    }
}

alone!(what_cannot_be_started_is_told_apart, {
    let directory = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &[u8], mode| {
        executable(&directory.path().join(name), content, mode);
        directory.path().join(name).to_str().unwrap().to_owned()
    };
    for missing in [
        "no-such-program",
        "/no/such/program",
        "./no-such",
        "",
        "/etc/passwd/x",
    ] {
        assert_eq!(
            refusal(&program(missing, &[])),
            SpawnError::NotFound,
            "{missing}"
        );
    }
    let plain = put("plain", b"#!/bin/sh\n", 0o644);
    assert!(not_executable(refusal(&program(&plain, &[]))).contains("no permission"));
    assert!(not_executable(refusal(&program("/tmp", &[]))).contains("not a file"));
    let orphan = put("script", b"#! /no/such/interpreter -x\n", 0o755);
    assert!(not_executable(refusal(&program(&orphan, &[]))).contains("/no/such/interpreter"));
    let windows = put("windows", b"#!/bin/sh\r\necho\r\n", 0o755);
    assert!(not_executable(refusal(&program(&windows, &[]))).contains("Windows line ends"));
    let text = put("text", b"echo hello\n", 0o755);
    let told = not_executable(refusal(&program(&text, &[])));
    assert!(told.contains(&text) && told.contains("#!/bin/sh"), "{told}");
    let script = put("good", b"#!/bin/sh\nexit 3\n", 0o755);
    let mut reaper = Reaper::new();
    assert_eq!(
        reaper.end_of(start(&program(&script, &[]), None).pid),
        Ended::Code(3)
    );
    reaper.empty();
    assert_eq!(
        reaper.ended.len(),
        1,
        "a failed start leaves nothing to reap"
    );
});

alone!(a_program_that_goes_away_after_it_was_prepared, {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("script");
    executable(&path, b"#!/bin/sh\n", 0o755);
    let program = program(path.to_str().unwrap(), &[]);
    let mut prepared = prepare(&program, &environment(None, &[])).unwrap();
    fs::remove_file(&path).unwrap();
    assert_eq!(spawn(&mut prepared).unwrap_err(), SpawnError::NotFound);
    executable(&path, b"#!/bin/no\n", 0o755);
    assert!(not_executable(spawn(&mut prepared).unwrap_err()).contains("/bin/no"));
    fs::remove_file(&path).unwrap();
    executable(&path, b"#!/bin/sh\nexit 5\n", 0o755);
    let mut reaper = Reaper::new();
    let child = spawn(&mut prepared).unwrap();
    assert_eq!(
        reaper.end_of(child.pid),
        Ended::Code(5),
        "prepared once, started when it can be"
    );
});

alone!(a_relative_command_counts_from_the_childs_directory, {
    let directory = tempfile::tempdir().unwrap();
    executable(
        &directory.path().join("here"),
        b"#!/bin/sh\nexit 4\n",
        0o755,
    );
    let mut reaper = Reaper::new();
    let base = Program {
        directory: Some(directory.path().into()),
        ..program("./here", &[])
    };
    assert_eq!(reaper.end_of(start(&base, None).pid), Ended::Code(4));
    let named = Program {
        command: "here".into(),
        ..base.clone()
    };
    let mut prepared = prepare(&named, &environment(None, &[("PATH", "/bin:")])).unwrap();
    assert_eq!(
        reaper.end_of(spawn(&mut prepared).unwrap().pid),
        Ended::Code(4)
    );
    let gone = Program {
        directory: Some(Path::new("/no/such").into()),
        ..program("true", &[])
    };
    let SpawnError::Failed { detail } = refusal(&gone) else {
        panic!("not a failure")
    };
    assert!(
        detail.contains("--chdir") && detail.contains("/no/such"),
        "{detail}"
    );
});
