//! Options that can have no effect beside the others.

use super::*;

#[test]
fn who_types_it_is_told() {
    for (options, told) in [
        (
            "--order|start-first|--on-change|signal:HUP|--ready|notify",
            "--order (CHANGEOVER_ORDER) is \"start-first\" on the command line, and only --on-change restart starts a \
             program beside the old one: leave one of the two out",
        ),
        (
            "--order|start-first|--on-change|exit",
            "only --on-change restart",
        ),
        (
            "--max-restarts|5/10m",
            "--max-restarts (CHANGEOVER_MAX_RESTARTS) is \"5/10m\" on the command line, and with --restart never no \
             program that ended is started again: add --restart on-failure or always, or leave it out",
        ),
        ("--ready-timeout|5s", "add --ready, such as --ready notify"),
        (
            "--on-failover|ignore",
            "without --watch-connection nothing finds out",
        ),
        ("--no-watch|--interval|5s", "Heroku is asked only once"),
        ("--no-watch|--debounce|5s", "Heroku is asked only once"),
    ] {
        let said = refused(options);
        assert!(said.contains(told), "{options}: {said}");
    }
    // These have one.
    run("--order|stop-first|--on-change|exit");
    run("--max-restarts|5/10m|--ready|notify|--watchdog|5s");
    run("--backoff|2s..1m");
}

#[test]
fn in_the_environment_it_is_for_those_whom_it_fits() {
    let fleet = [
        ("CHANGEOVER_ORDER", "start-first"),
        ("CHANGEOVER_MAX_RESTARTS", "5/10m"),
        ("CHANGEOVER_READY_TIMEOUT", "5s"),
        ("CHANGEOVER_INTERVAL", "5s"),
    ];
    for line in ["--on-change|signal:HUP", "--on-change|exit|--no-watch"] {
        let Task::Run(run) = good(&format!("run|-a|app|{line}|--|prog"), &fleet).task else {
            panic!("{line}");
        };
        assert_eq!(run.change.order, Order::StopFirst, "{line}");
    }
    // It is still read.
    let told = bad("run|-a|app|--|prog", &[("CHANGEOVER_MAX_RESTARTS", "5")]);
    assert!(told.contains("no number of restarts"), "{told}");
}

#[test]
fn a_signal_alone_brings_no_new_value() {
    let warning = |options| run(options).warning();
    let told = warning("--on-change|signal:HUP").unwrap();
    assert!(told.contains("is signal:HUP without --env-file"), "{told}");
    for options in [
        "",
        "--on-change|exit",
        "--on-change|signal:HUP|--env-file|env",
    ] {
        assert_eq!(warning(options), None, "{options}");
    }
}
