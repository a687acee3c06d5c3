//! `--on-change` and `--env-file`.

use super::*;

#[test]
fn on_change() {
    assert_eq!(run("--on-change|exit").change.on_change, OnChange::Exit);
    let usr2 = OnChange::Signal(Signal(12));
    assert_eq!(run("--on-change|signal:usr2").change.on_change, usr2);
    for word in ["signal", "signal:", "signal:KILL", "signal:STOP", "reload"] {
        assert!(
            refused(&format!("--on-change|{word}")).contains("signal:HUP"),
            "{word}"
        );
    }
}

#[test]
fn env_file() {
    let path = |text: &str| run(&format!("--env-file|{text}")).change.env_file;
    for text in ["/run/app/env", "env", "../env"] {
        assert_eq!(path(text), Some(text.into()));
    }
    for directory in ["/", "run/", "..", "run/.."] {
        let told = refused(&format!("--env-file|{directory}"));
        assert!(told.contains("which is a directory"), "{told}");
    }
}
