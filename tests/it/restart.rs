//! `--restart` with real processes: a program that fails is started again, and one that never stays
//! is given up.

use crate::support::supervised::{QUICK, Supervise, simulator};

/// Says its number and fails, but for the third, which stays. Each start adds a line to a file.
const THIRD_TIME: &str = r#"
echo start >>"$HOME/starts"
starts=$(wc -l <"$HOME/starts")
[ "$starts" -ge 3 ] || exit 9
trap 'exit 143' TERM
echo "start $((starts))"
while :; do sleep 1000 & wait $!; done"#;

#[test]
fn a_program_that_fails_is_started_again_until_it_stays() {
    let simulator = simulator();
    let options = "--restart on-failure --backoff 100ms..1s --success-exit 143 --check-login never";
    let mut run = Supervise::on(&simulator)
        .options(QUICK)
        .options(options)
        .script(THIRD_TIME);
    for _ in 0..2 {
        run.log("exited 9");
        run.log("starting it again in");
        run.log("started on revision 1; dead time");
    }
    run.line("start 3");
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_program_that_never_stays_is_given_up_with_its_code() {
    let simulator = simulator();
    let options = "--restart always --backoff 100ms..1s --max-restarts 2/10m --check-login never";
    let start = |script: &str| {
        let supervise = Supervise::on(&simulator).options(QUICK).options(options);
        supervise.script(script)
    };
    for (script, code) in [("echo start; exit 9", 9), ("echo start", 125)] {
        let mut run = start(script);
        assert_eq!(run.exit_code(), code, "{}", run.told());
        assert_eq!(run.lines().len(), 3, "{}", run.told());
        run.log("does not stay up: it was started again 2 times in 10 min");
    }
}
