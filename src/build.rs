//! Runs before the crate is compiled (cargo's build script): tells `--version` which build this is.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=src/build.rs");
    let mut facts = vec![origin()];
    facts.extend(env::var("TARGET"));
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    if features.split(',').any(|feature| feature == "crt-static") {
        facts.push("static".to_owned());
    }
    println!("cargo:rustc-env=CHANGEOVER_BUILD={}", facts.join(", "));
}

/// The commit of a release build, where there is a repository. A debug build would be compiled anew
/// after each commit for nothing.
fn origin() -> String {
    if env::var("PROFILE").as_deref() != Ok("release") {
        return "debug".to_owned();
    }
    for moves in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", moves]) {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["describe", "--always", "--dirty", "--abbrev=9"])
        .map_or_else(|| "release".to_owned(), |commit| format!("commit {commit}"))
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}
