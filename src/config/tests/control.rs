//! Where the control socket is, for both ends.

use super::*;
use crate::cli::Target;
use crate::config::{ControlSocket, Whom};

fn control(options: &str, variables: &[(&str, &str)]) -> ControlSocket {
    let line = format!("run|-a|my-app|{options}|--|prog").replace("||", "|");
    let Task::Run(run) = good(&line, variables).task else {
        panic!("{line}");
    };
    run.control
}

#[test]
fn it_listens_at_the_usual_place_if_there_is_one() {
    let usual = |path: &str| ControlSocket::Usual(path.into());
    let unit = ("RUNTIME_DIRECTORY", "/run/a:/run/b");
    let user = ("XDG_RUNTIME_DIR", "/run/user/7");
    assert_eq!(control("", &[]), ControlSocket::Off);
    assert_eq!(control("", &[("XDG_RUNTIME_DIR", "x")]), ControlSocket::Off);
    assert_eq!(
        control("", &[user]),
        usual("/run/user/7/changeover/my-app.sock")
    );
    assert_eq!(control("", &[unit, user]), usual("/run/a/my-app.sock"));
}

#[test]
fn a_chosen_place_counts_and_none_is_none() {
    let user = ("XDG_RUNTIME_DIR", "/run/user/7");
    let chosen = |path: &str| ControlSocket::Chosen(path.into());
    assert_eq!(control("--control|/c", &[user]), chosen("/c"));
    let listen = ("CHANGEOVER_CONTROL_LISTEN", "/d");
    assert_eq!(control("", &[user, listen]), chosen("/d"));
    // That is where an outer changeover listens.
    let outer = ("CHANGEOVER_CONTROL", "/e");
    assert_eq!(control("", &[outer]), ControlSocket::Off);
    assert_eq!(control("--control|none", &[user]), ControlSocket::Off);
}

#[test]
fn who_asks_finds_it() {
    let whom = |target: Target, variables: &[(&str, &str)]| {
        Whom::new(target, &inherited(variables)).unwrap()
    };
    let at = |path: &str| Whom::At {
        path: path.into(),
        app: None,
    };
    let inside = ("CHANGEOVER_CONTROL", "/e");
    assert_eq!(whom(Target::default(), &[inside]), at("/e"));
    let named = || Target {
        control: Some("/c".into()),
        app: None,
    };
    assert_eq!(whom(named(), &[inside]), at("/c"));
    let both = Target {
        control: Some("/c".into()),
        app: Some("my-app".into()),
    };
    let expected = Whom::At {
        path: "/c".into(),
        app: Some("my-app".to_owned()),
    };
    assert_eq!(whom(both, &[("HEROKU_APP", "other")]), expected);
    assert_eq!(whom(named(), &[("HEROKU_APP", "other")]), at("/c"));
    let container = ("CHANGEOVER_CONTROL_LISTEN", "/d");
    assert_eq!(whom(Target::default(), &[container]), at("/d"));
    assert_eq!(whom(Target::default(), &[container, inside]), at("/e"));
    let user = ("XDG_RUNTIME_DIR", "/run/user/7");
    let app = ("HEROKU_APP", "my-app");
    let places = [
        "/run/user/7/changeover",
        "/run/changeover",
        "/run/changeover/*",
    ];
    let expected = Whom::In {
        directories: places.map(PathBuf::from).to_vec(),
        app: Some("my-app".to_owned()),
    };
    assert_eq!(whom(Target::default(), &[user, app]), expected);
}
