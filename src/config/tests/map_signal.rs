//! `--map-signal`.

use super::*;

fn rules(options: &str) -> Vec<(Signal, Mapped)> {
    run(options).change.signals.0
}

#[test]
fn rules_by_name_number_and_list() {
    let to = |from, to| (Signal(from), Mapped::To(Signal(to)));
    assert_eq!(rules("--map-signal|TERM:QUIT"), [to(15, 3)]);
    assert_eq!(rules("--map-signal|sigterm:3"), [to(15, 3)]);
    assert_eq!(
        rules("--map-signal|INT:none|--map-signal|HUP:RTMIN+1,USR1:USR1"),
        [(Signal::INT, Mapped::Swallowed), to(1, 35), to(10, 10)]
    );
    let variable = ("CHANGEOVER_MAP_SIGNAL", "TERM:QUIT, HUP:none");
    let Task::Run(run) = good("run|-a|app|--|prog", &[variable]).task else {
        panic!();
    };
    assert_eq!(
        run.change.signals.0,
        [to(15, 3), (Signal::HUP, Mapped::Swallowed)]
    );
}

#[test]
fn what_is_no_rule() {
    assert_eq!(
        refused("--map-signal|KILL:TERM"),
        "--map-signal (CHANGEOVER_MAP_SIGNAL) is \"KILL:TERM\" on the command line, and KILL cannot be \
         caught, so it cannot become another: leave it out"
    );
    for (rule, part) in [
        ("STOP:none", "STOP cannot be caught"),
        ("CHLD:USR1", "never passed on"),
        ("TREM:QUIT", "\"TREM\" is no signal"),
        ("TERM:QIUT", "\"QIUT\" is no signal"),
        ("TERM:", "\"\" is no signal"),
        (":none", "\"\" is no signal"),
        ("TERM", "no rule for a signal"),
        ("", "no rule for a signal"),
        ("TERM:QUIT:INT", "\"QUIT:INT\" is no signal"),
        ("TERM:QUIT,SIGTERM:none", "already has a rule for TERM"),
    ] {
        let error = refused(&format!("--map-signal|{rule}"));
        assert!(error.contains(part), "{rule}: {error}");
    }
}
