//! A token that is revoked, and replaced in its file: told once, mended without a restart.

use std::fs;

use crate::support;
use crate::support::supervised::{QUICK, Supervise, simulator, url};
use crate::support::world::Process;

#[test]
fn a_token_that_is_replaced_in_its_file_needs_no_restart() {
    let simulator = simulator();
    let supervise = Supervise::on(&simulator).options(QUICK);
    let file = supervise.home().join("token");
    support::write(&file, 0o600, "HRKU-simulator\n");
    let option = format!("--token-file {}", file.display());
    let mut run = supervise
        .options(&option)
        .script(r#"echo "url=$DATABASE_URL pid=$$"; exec sleep 1000"#);
    let child = Process::named(&run.line(&url(1)), "pid");

    simulator.set_token("HRKU-next");
    let line = run.log("Heroku refused the token from");
    assert!(line.contains(&*file.to_string_lossy()), "{line}");
    assert!(line.contains("no restart needed"), "{line}");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    assert!(child.lives(), "{}", run.told());

    // As whoever keeps secrets does it: written elsewhere, and moved there.
    let next = file.with_extension("next");
    support::write(&next, 0o600, "HRKU-next\n");
    fs::rename(&next, &file).unwrap();
    run.log("Heroku API answers again");
    run.line(&url(2));
    assert!(!child.lives(), "{}", run.told());
    assert_eq!(run.terminate(), 143);
    let refusals = run
        .logs()
        .iter()
        .filter(|line| line.contains("refused the token"))
        .count();
    assert_eq!(refusals, 1, "{}", run.told());
    for token in ["HRKU-simulator", "HRKU-next"] {
        assert!(!run.told().contains(token), "{}", run.told());
    }
}

/// Whoever gives the token itself where a file or a program is meant finds it in no log.
#[test]
fn a_token_in_the_wrong_place_is_masked() {
    for option in ["--token-file", "--token-command"] {
        let supervise = Supervise::on(&simulator());
        let mut run = supervise
            .options(&format!("-v {option} HRKU-CANARY"))
            .script("echo started");
        assert_eq!(run.exit_code(), 78, "{}", run.told());
        run.log("HRKU-***");
        assert!(!run.told().contains("CANARY"), "{}", run.told());
    }
}
