//! `benches/peers/run` as a user meets it; what it measures takes minutes, and is not repeated
//! here.

use std::process::Command;

fn run(argument: &str) -> (Option<i32>, String, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/run");
    let output = Command::new(script).arg(argument).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (said, errors) = (text(output.stdout), text(output.stderr));
    (output.status.code(), said, errors)
}

#[test]
fn it_says_what_it_does() {
    let (code, help, errors) = run("--help");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    for option in ["--peers", "--rows", "--rounds", "--no-install"] {
        assert!(help.contains(option), "{option} is not in:\n{help}");
    }
}

#[test]
fn an_unknown_option_is_a_usage_error() {
    let (code, said, errors) = run("--fast");
    assert_eq!((code, said.as_str()), (Some(2), ""));
    assert!(errors.contains("unknown option --fast"), "{errors}");
}
