//! `run --print-config`: each value, and where it came from.

use super::*;
use crate::config::shown::{Place, shown};

fn found(line: &str, variables: &[(&str, &str)], option: &str) -> (String, Place) {
    let words = ["changeover"].into_iter().chain(line.split('|'));
    let cli = Cli::read(words.map(OsString::from)).unwrap();
    let all = shown(&cli.typed, &inherited(variables));
    let one = all.into_iter().find(|one| one.option == option).unwrap();
    (one.value, one.place)
}

#[test]
fn what_is_typed_wins_over_the_environment_and_that_over_the_default() {
    let line = "run|-a|app|--interval=5s|--var|A|--var|B=C|--no-watch|--|prog";
    let environment = [
        ("HEROKU_APP", "other"),
        ("CHANGEOVER_INTERVAL", "7s"),
        ("CHANGEOVER_DEBOUNCE", "2s"),
        ("CHANGEOVER_SPLAY", ""),
    ];
    let variable = |name: &str| Place::Variable(name.to_owned());
    for (option, value, place) in [
        ("app", "app", Place::Typed),
        ("interval", "5s", Place::Typed),
        ("var", "A,B=C", Place::Typed),
        ("no-watch", "on", Place::Typed),
        ("debounce", "2s", variable("CHANGEOVER_DEBOUNCE")),
        ("splay", "0s", Place::Default),
        ("quiet", "off", Place::Default),
        ("user", "none", Place::Default),
    ] {
        let expected = (value.to_owned(), place);
        assert_eq!(found(line, &environment, option), expected, "{option}");
    }
    let app = found("run|--|prog", &environment, "app");
    assert_eq!(app, ("other".to_owned(), variable("HEROKU_APP")));
}

#[test]
fn the_usual_place_of_the_socket_is_shown() {
    let user = ("XDG_RUNTIME_DIR", "/run/user/7");
    let of = |line, variables: &[_]| found(line, variables, "control");
    let usual = "/run/user/7/changeover/my-app.sock".to_owned();
    let shown = of("run|-a|my-app|--|prog", &[user]);
    assert_eq!(shown, (usual, Place::Default));
    let none = ("none".to_owned(), Place::Default);
    assert_eq!(of("run|-a|my-app|--|prog", &[]), none);
    assert_eq!(of("run|--|prog", &[user]), none);
    let typed = of("run|-a|my-app|--control|/c|--|prog", &[user]);
    assert_eq!(typed, ("/c".to_owned(), Place::Typed));
}

#[test]
fn no_secret_is_shown() {
    let line = "run|-a|app|--token-command=echo CANARY|--api-url=http://u:CANARY@127.0.0.1|\
                --ready=http://127.0.0.1:80/x?password=CANARY|--|prog";
    for option in ["token-command", "api-url", "ready"] {
        let (value, _) = found(line, &[], option);
        assert!(value.contains("***"), "{value}");
        assert!(!value.contains("CANARY"), "{value}");
    }
}

#[test]
fn every_option_of_run_is_shown_once_in_the_order_of_its_help() {
    let all = shown(&Typed::new(), &Inherited::new());
    let names: Vec<_> = all.iter().map(|one| one.option.as_str()).collect();
    assert_eq!((names[0], *names.last().unwrap()), ("app", "quiet"));
    assert_eq!(names.len(), cli::options_of_run().len() - 1);
}
