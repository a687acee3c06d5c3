//! Every rule of the configuration, in the words that a user reads.

use crate::supervisor::signal::Signal;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use crate::cli::{self, Cli, Command, Fetching};
use crate::credential::environment::SslPolicy;
use crate::credential::{Family, Secret, SslMode, Values};

use super::*;

mod admin;
mod connection;
mod control;
mod crash;
mod database;
mod fallback;
mod idle;
mod map_signal;
mod on_change;
mod ready;
mod shown;
mod webhook;

fn inherited(variables: &[(&str, &str)]) -> Inherited {
    variables
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

/// A command line with `|` between its words.
pub(super) fn fetching(line: &str) -> Fetching {
    let words = ["changeover"].into_iter().chain(line.split('|'));
    let cli = Cli::read(words.map(OsString::from)).unwrap();
    let Command::Fetch(fetching) = cli.command else {
        panic!("{line}");
    };
    fetching
}

fn read(line: &str, variables: &[(&str, &str)]) -> Result<Config, UsageError> {
    Config::new(fetching(line), &inherited(variables))
}

fn good(line: &str, variables: &[(&str, &str)]) -> Config {
    read(line, variables).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn bad(line: &str, variables: &[(&str, &str)]) -> String {
    read(line, variables).err().unwrap().to_string()
}

/// `run -a app OPTIONS -- prog`, options separated by `|`.
fn run(options: &str) -> Run {
    let line = format!("run|-a|app|{options}|--|prog").replace("||", "|");
    let Task::Run(run) = good(&line, &[]).task else {
        panic!("{line}");
    };
    *run
}

fn refused(options: &str) -> String {
    bad(&format!("run|-a|app|{options}|--|prog"), &[])
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn the_defaults() {
    let config = good("run|-a|app|--|prog|--flag", &[]);
    let Task::Run(run) = config.task else {
        panic!();
    };
    assert_eq!(run.child.program, ["prog", "--flag"]);
    assert_eq!((run.child.user, run.child.chdir), (None, None));
    assert_eq!(
        run.watch,
        Watch {
            interval: Some(seconds(60)),
            debounce: seconds(1),
            connection: ConnectionWatch::Off,
            webhook: None,
        }
    );
    assert_eq!(
        run.change,
        Change {
            order: Order::StopFirst,
            on_change: OnChange::Restart,
            env_file: None,
            stop: StopSequence(vec![StopStep {
                signal: Signal::TERM,
                wait: seconds(35)
            }]),
            scope: Scope::Process,
            signals: SignalMap::default(),
            leftovers: LeftoverPolicy::Sweep,
            splay: Duration::ZERO,
        }
    );
    assert_eq!(config.start_timeout, seconds(60));
    assert_eq!(config.check_login, CheckLogin::Auto);
    assert_eq!(config.source.app, "app");
    assert!(config.source.token.is_none() && config.source.ca_file.is_none());
    let environment = config.environment;
    assert_eq!(environment.sslmode, SslPolicy::Env);
    assert_eq!(environment.scheme, None);
    assert_eq!(environment.selection.watched[0].pattern, "DATABASE_URL");
    assert!(!environment.selection.all_vars && !environment.clear);
}

#[test]
fn help_shows_every_default() {
    for command in cli::whole().get_subcommands() {
        for argument in command.get_arguments() {
            let default = |(known, _): &&(&str, &str)| argument.get_long() == Some(known);
            let Some((option, text)) = DEFAULTS.iter().find(default) else {
                continue;
            };
            let help = argument.get_help().unwrap().to_string();
            assert!(
                help.contains(&format!("[default: {text}]")),
                "--{option}: {help}"
            );
        }
    }
}

#[test]
fn everything_can_come_from_the_environment() {
    let from_environment = good(
        "run|--|prog",
        &[
            ("CHANGEOVER_APP", "app"),
            ("CHANGEOVER_VAR", "DATABASE_URL=DB, REDIS_*"),
            ("CHANGEOVER_ALL_VARS", "Yes"),
            ("CHANGEOVER_TOKEN_FILE", "/run/token"),
            ("CHANGEOVER_CA_FILE", "/ca.pem"),
            ("CHANGEOVER_API_URL", "http://127.0.0.1:1"),
            ("CHANGEOVER_NO_WATCH", "1"),
            ("CHANGEOVER_DEBOUNCE", "2s"),
            ("CHANGEOVER_ON_CHANGE", "signal:HUP"),
            ("CHANGEOVER_STOP_SEQUENCE", "TSTP 60s TERM 35s KILL"),
            ("CHANGEOVER_STOP_SCOPE", "group"),
            ("CHANGEOVER_SWEEP", "none"),
            ("CHANGEOVER_SPLAY", "1m30s"),
            ("CHANGEOVER_SSLMODE", "verify-full"),
            ("CHANGEOVER_SCHEME", "postgresql+asyncpg"),
            ("CHANGEOVER_EXPAND", "pg, spring"),
            ("CHANGEOVER_CHECK_LOGIN", "never"),
            ("CHANGEOVER_USER", "app:web"),
            ("CHANGEOVER_CHDIR", "/srv"),
            ("CHANGEOVER_CLEAR_ENV", "TRUE"),
            ("CHANGEOVER_KEEP", "PATH,HOME"),
            ("CHANGEOVER_UNSET", "A"),
            ("CHANGEOVER_START_TIMEOUT", "5s"),
            ("CHANGEOVER_LISTEN", ":80, web=/run/web.sock"),
        ],
    );
    let Task::Run(run) = from_environment.task else {
        panic!();
    };
    assert_eq!(run.watch.interval, None);
    assert_eq!(run.watch.debounce, seconds(2));
    assert_eq!(run.change.on_change, OnChange::Signal(Signal::HUP));
    assert_eq!(run.change.stop.0.len(), 2);
    assert_eq!(run.change.scope, Scope::Group);
    assert_eq!(run.change.leftovers, LeftoverPolicy::Leave);
    assert_eq!(run.change.splay, seconds(90));
    assert_eq!(run.child.user.unwrap().group.as_deref(), Some("web"));
    assert_eq!(run.child.chdir, Some("/srv".into()));
    assert_eq!(run.listen.len(), 2);
    let source = from_environment.source;
    assert!(source.token == Some(Token::File("/run/token".into())));
    assert_eq!(source.ca_file, Some("/ca.pem".into()));
    assert_eq!(source.api_url.as_deref(), Some("http://127.0.0.1:1"));
    let environment = from_environment.environment;
    assert_eq!(environment.keep, ["PATH", "HOME"]);
    assert_eq!(environment.unset, ["A"]);
    assert_eq!(environment.sslmode, SslPolicy::Append(SslMode::VerifyFull));
    assert_eq!(environment.scheme.as_deref(), Some("postgresql+asyncpg"));
    assert_eq!(environment.expand, [Family::Pg, Family::Spring]);
    assert!(environment.clear && environment.selection.all_vars);
    let watched = environment.selection.watched;
    assert_eq!(watched[0].export_as.as_deref(), Some("DB"));
    assert_eq!(watched[1].pattern, "REDIS_*");
    assert_eq!(from_environment.start_timeout, seconds(5));
    assert_eq!(from_environment.check_login, CheckLogin::Never);
}

#[test]
fn what_is_typed_wins_and_an_empty_variable_is_unset() {
    let app = |line, variables: &[_]| good(line, variables).source.app;
    let heroku = ("HEROKU_APP", "third");
    let own = ("CHANGEOVER_APP", "second");
    assert_eq!(app("env|-a|first", &[own, heroku]), "first");
    assert_eq!(app("env", &[own, heroku]), "second");
    assert_eq!(app("env", &[("CHANGEOVER_APP", ""), heroku]), "third");
    let error = bad("env", &[("CHANGEOVER_APP", ""), ("HEROKU_APP", "")]);
    assert_eq!(
        error,
        "--app (CHANGEOVER_APP or HEROKU_APP) is given nowhere, so there is nothing to fetch: write -a with the \
         app's name, as `heroku apps` lists it"
    );
    let vars = good("env|-a|app|--var|A|--var|B,C", &[("CHANGEOVER_VAR", "D")]);
    let names: Vec<_> = vars
        .environment
        .selection
        .required()
        .map(String::from)
        .collect();
    assert_eq!(names, ["A", "B", "C"]);
}

#[test]
fn other_groups_are_ignored_in_the_environment_of_exec_env_and_check() {
    let nonsense = [
        ("CHANGEOVER_INTERVAL", "60"),
        ("CHANGEOVER_ON_CHANGE", "dance"),
        ("CHANGEOVER_RESTART", "always"),
        ("CHANGEOVER_LISTEN", "nowhere"),
    ];
    for line in ["exec|-a|app|--|prog", "env|-a|app", "check|-a|app"] {
        assert!(read(line, &nonsense).is_ok(), "{line}");
    }
    assert!(bad("run|-a|app|--|prog", &nonsense).contains("CHANGEOVER_"));
}

#[test]
fn durations() {
    assert_eq!(run("--interval|1s").watch.interval, Some(seconds(1)));
    assert_eq!(run("--interval|1h 5m").watch.interval, Some(seconds(3900)));
    assert_eq!(run("--debounce|0s").watch.debounce, Duration::ZERO);
    assert_eq!(
        refused("--interval|60"),
        "--interval (CHANGEOVER_INTERVAL) is \"60\" on the command line, and a number without a unit could be \
         seconds or minutes: write 60s for seconds, or 60m for minutes"
    );
    assert_eq!(
        bad("run|-a|app|--|prog", &[("CHANGEOVER_INTERVAL", "500ms")]),
        "--interval (CHANGEOVER_INTERVAL) is \"500ms\" in the environment, which is too short to work: write 1s or \
         more"
    );
    for (options, part) in [
        ("--interval|", "no duration"),
        ("--debounce|soon", "no duration"),
        ("--splay|-5s", "no duration"),
        ("--splay|1.5", "without a unit"),
        ("--splay|99999999999999999999s", "no duration"),
        ("--stop-timeout|400d", "longer than a year"),
        ("--start-timeout|0s", "too short"),
        ("--fallback|always", "none, inherited, cache"),
        (
            "--fallback|inherited",
            "no usable DATABASE_URL in the environment",
        ),
    ] {
        let options = options.replace("|", "=");
        let error = refused(&options);
        assert!(error.contains(part), "{options}: {error}");
    }
}

#[test]
fn how_a_program_is_stopped() {
    let stop = |options| run(options).change.stop.0;
    let step = |number, wait| StopStep {
        signal: Signal(number),
        wait: seconds(wait),
    };
    assert_eq!(stop("--stop-signal|INT"), [step(2, 35)]);
    assert_eq!(stop("--stop-timeout|5s"), [step(15, 5)]);
    assert_eq!(
        stop("--stop-sequence|TSTP 60s SIGTERM 35s KILL"),
        [step(20, 60), step(15, 35)]
    );
    assert_eq!(stop("--stop-sequence|KILL"), []);
    assert_eq!(stop("--stop-signal|KILL"), []);
    for (sequence, part) in [
        ("", "nothing would ever stop"),
        ("TERM 35s", "never stop"),
        ("TERM KILL", "is missing"),
        ("35s KILL", "is missing"),
        ("TERM 35 KILL", "in the place of a wait"),
        ("35s TERM KILL", "in a signal's place"),
        ("TREM 35s KILL", "in a signal's place"),
        ("KILL 1s KILL", "not only at the end"),
    ] {
        let error = refused(&format!("--stop-sequence|{sequence}"));
        assert!(error.contains(part), "{sequence}: {error}");
        assert!(error.contains("TERM 35s KILL"), "{sequence}: {error}");
    }
    assert!(refused("--stop-signal|TREM").contains("no signal"));
}

#[test]
fn a_stop_sequence_contradicts_its_shorthand_unless_one_is_typed_and_one_inherited() {
    let error = refused("--stop-sequence|TERM 1s KILL|--stop-timeout|5s");
    assert_eq!(
        error,
        "--stop-sequence (CHANGEOVER_STOP_SEQUENCE) and --stop-timeout (CHANGEOVER_STOP_TIMEOUT) are both given and \
         contradict each other, so neither can be trusted: leave one of them out"
    );
    let sequence = ("CHANGEOVER_STOP_SEQUENCE", "TERM 1s KILL");
    let timeout = ("CHANGEOVER_STOP_TIMEOUT", "5s");
    assert!(read("run|-a|app|--|prog", &[sequence, timeout]).is_err());
    for (line, variable, expected) in [
        ("run|-a|app|--stop-sequence|INT 2s KILL|--|prog", timeout, 2),
        ("run|-a|app|--stop-timeout|3s|--|prog", sequence, 3),
    ] {
        let Task::Run(run) = good(line, &[variable]).task else {
            panic!();
        };
        assert_eq!(run.change.stop.0[0].wait, seconds(expected), "{line}");
    }
}

#[test]
fn words_of_which_there_are_few() {
    for options in [
        "--order|sideways",
        "--stop-scope|tree",
        "--sweep|all",
        "--restart|sometimes",
        "--sslmode|disable",
        "--expand|java",
        "--check-login|yes",
    ] {
        let error = refused(options);
        assert!(
            error.contains("does not know: write "),
            "{options}: {error}"
        );
    }
    assert!(bad("env|-a|app|--format|xml", &[]).contains("write shell, dotenv"));
    let switch = bad("env|-a|app", &[("CHANGEOVER_ALL_VARS", "on")]);
    assert!(switch.contains("write 1, true or yes"), "{switch}");
    let Config { task, .. } = good("env|-a|app", &[("CHANGEOVER_FORMAT", "json")]);
    assert!(matches!(
        task,
        Task::Env {
            format: Format::Json
        }
    ));
}

#[test]
fn variables_to_export() {
    for (options, part) in [
        ("--var=", "no config var"),
        ("--var=A B", "no config var"),
        ("--var=A-B", "no config var"),
        ("--var=A,", "no config var"),
        ("--var=A=", "no name for an environment variable"),
        ("--var=A=1B", "no name for an environment variable"),
        ("--var=A=B=C", "no name for an environment variable"),
        ("--var=A_*=B", "several variables would get one name"),
        ("--var=A=HEROKU_API_KEY", "changeover's own"),
        ("--var=PATH", "add --allow-reserved"),
        ("--var=A=LD_PRELOAD", "add --allow-reserved"),
        ("--database=violet=HOME", "add --allow-reserved"),
        ("--var=A=CHANGEOVER_CONTROL", "changeover's own"),
        (
            "--var=A|--var=B=A",
            "already gives the program a variable A",
        ),
        ("--var=A|--var=A", "already gives the program a variable A"),
        ("--var=A=X|--var=A=Y", "exports the same config var"),
        ("--keep=A=1", "no environment variable"),
        ("--unset=", "no environment variable"),
        ("--unset=A*", "no environment variable"),
    ] {
        let error = refused(options);
        assert!(error.contains(part), "{options}: {error}");
    }
    let shown = refused("--var=postgres://u:CANARY@h/d");
    assert!(!shown.contains("CANARY"), "{shown}");
}

#[test]
fn names_that_go_elsewhere() {
    for app in ["my-app", "a1", "01234567-89ab-cdef-0123-456789abcdef"] {
        assert_eq!(good(&format!("env|-a|{app}"), &[]).source.app, app);
    }
    for app in ["", "a/b", "a b", "../x", "ä", "a?b", "a.b"] {
        let error = bad(&format!("env|--app={app}"), &[]);
        assert!(error.contains("no Heroku app"), "{app}: {error}");
    }
    assert!(bad("env", &[("HEROKU_APP", "a/b")]).contains("in HEROKU_APP"));
    assert!(refused("--scheme|postgresql://").contains("no URL scheme"));
    for user in ["", ":g", "u:", "u:g:h", "a b"] {
        assert!(
            refused(&format!("--user={user}")).contains("names no user"),
            "{user}"
        );
    }
    assert!(bad("run|-a|app|--|", &[]).contains("COMMAND is empty"));
    let both = refused("--token-file|/t|--token-command|echo CANARY");
    assert!(
        both.contains("contradict") && !both.contains("CANARY"),
        "{both}"
    );
}

#[test]
fn what_was_inherited_is_kept_byte_for_byte() {
    let mut variables = inherited(&[("CHANGEOVER_APP", "app"), ("PATH", "/bin")]);
    let odd = OsString::from_vec(vec![b'x', 0xff]);
    variables.insert(odd.clone(), odd.clone());
    let config = Config::new(fetching("env"), &variables).ok().unwrap();
    let values = Values::from([("DATABASE_URL".to_owned(), Secret::from("postgres://h/d"))]);
    let environment = config.environment.build(None, &values, &Values::new());
    assert!(environment.iter().any(|pair| pair == (&odd, &odd)));
    assert_eq!(environment.get("CHANGEOVER_APP"), None);

    variables.insert("CHANGEOVER_FORMAT".into(), odd);
    let error = Config::new(fetching("env"), &variables).err().unwrap();
    assert!(error.to_string().contains("not UTF-8"), "{error}");
}

#[test]
fn how_much_is_logged() {
    let log =
        |line: &str, variables: &[_]| Log::new(fetching(line).operate(), &inherited(variables));
    let level = |line, variables: &[_]| log(line, variables).unwrap().verbosity;
    let quiet = ("CHANGEOVER_QUIET", "1");
    assert_eq!(level("env", &[]), Verbosity::Normal);
    assert_eq!(level("env|-v", &[quiet]), Verbosity::Debug);
    assert_eq!(level("env|-vvv", &[]), Verbosity::Trace);
    assert_eq!(
        level("env|-q", &[("CHANGEOVER_VERBOSE", "2")]),
        Verbosity::Quiet
    );
    assert_eq!(level("env", &[quiet]), Verbosity::Quiet);
    assert_eq!(
        level("env", &[("CHANGEOVER_VERBOSE", "2")]),
        Verbosity::Trace
    );
    assert_eq!(
        level("env", &[("CHANGEOVER_VERBOSE", "yes")]),
        Verbosity::Debug
    );
    assert_eq!(
        level("env", &[quiet, ("CHANGEOVER_VERBOSE", "0")]),
        Verbosity::Quiet
    );
    assert!(log("env", &[quiet, ("CHANGEOVER_VERBOSE", "1")]).is_err());
    assert!(log("env", &[("CHANGEOVER_LOG_FORMAT", "xml")]).is_err());
    assert_eq!(
        log("env|--log-format|json", &[]).unwrap().format,
        LogFormat::Json
    );
}

#[test]
fn a_variable_that_means_nothing_is_told() {
    let warnings = unknown_variables(&inherited(&[
        ("CHANGEOVER_APP", "app"),
        ("CHANGEOVER_INTERVALL", "5s"),
        ("CHANGEOVER_COLOUR", "red"),
        ("CHANGEOVER_FOO", "bar"),
        ("CHANGEOVER_TOKENFILE", "/run/t"),
        ("CHANGEOVER_SERVICE_HOST", "10.0.0.1"),
        ("CHANGEOVER_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("CHANGEOVER_INSTANCE", "x"),
        ("CHANGEOVER_CONTROL", "/run/x"),
        ("CHANGEOVER_CONTROL_LISTEN", "/run/x"),
    ]));
    assert_eq!(
        warnings,
        [
            "CHANGEOVER_COLOUR is no option's variable and is ignored: see `changeover run --help` for the options",
            "CHANGEOVER_FOO is no option's variable and is ignored: see `changeover run --help` for the options",
            "CHANGEOVER_INTERVALL is no option's variable and is ignored: did you mean CHANGEOVER_INTERVAL?",
            "CHANGEOVER_TOKENFILE is no option's variable and is ignored: did you mean CHANGEOVER_TOKEN_FILE?",
        ]
    );
}
