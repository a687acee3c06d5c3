//! `--fallback cache` with the real program: a start while Heroku does not answer, on what a run
//! before it has kept; and every reason not to.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use changeover::credential::snapshot::Watched;
use changeover::credential::{LastGood, Reserved, Secret, Selection, Values};
use changeover::store::{Bound, Cache};
use changeover::testing::heroku::{Fault, Options, Simulator};
use tempfile::TempDir;

use crate::support::postgres::Postgres;
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::eventually;

const CHILD: &str = r#"echo "url=$DATABASE_URL"; exec sleep 1000"#;
const KEY: &str = "a key that is long enough";

/// A directory that outlives runs.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    /// A run that keeps its cache here.
    fn supervise(&self, simulator: &Simulator) -> Supervise {
        let cache = self.cache();
        let options = format!(
            "--start-timeout 1s --fallback cache --cache {}",
            cache.display()
        );
        Supervise::on(simulator).options(QUICK).options(&options)
    }

    /// The same, where nobody logs in.
    fn run(&self, simulator: &Simulator) -> Supervise {
        self.supervise(simulator).options("--check-login never")
    }

    /// A run that fills it; then Heroku is away.
    fn fill(&self, simulator: &Simulator, run: Supervise) {
        let mut run = run.script(CHILD);
        run.line("url=");
        self.is_filled(&run);
        assert_eq!(run.terminate(), 143);
        simulator.fault(Fault::Unavailable);
    }

    fn is_filled(&self, run: &Supervised) {
        eventually("the cache is written", || self.cache().exists());
        let metadata = fs::metadata(self.cache()).unwrap();
        assert_eq!(metadata.mode() & 0o7777, 0o600, "{}", run.told());
    }

    /// What a run of the simulator's app would have written at some time.
    fn forge(&self, simulator: &Simulator, at: SystemTime) {
        let watched = Watched {
            pattern: "DATABASE_URL".to_owned(),
            export_as: None,
        };
        let selection = Selection {
            watched: vec![watched],
            databases: Vec::new(),
            all_vars: false,
            reserved: Reserved::KeptOut,
        };
        let bound = Bound::new(&simulator.url(), "myapp", &selection);
        let value = Secret::from(url(7).as_str());
        let good = LastGood {
            watched: Values::from([("DATABASE_URL".to_owned(), value)]),
            others: Values::new(),
        };
        let token = Secret::new(Options::default().token);
        let cache = Cache::new(self.cache(), bound);
        cache.write(&token, &good, at).unwrap();
        simulator.fault(Fault::Unavailable);
    }
}

/// A start that fails, and what is told of it.
fn fails(mut run: Supervised, code: i32, why: &str) {
    run.log(why);
    assert_eq!(run.exit_code(), code, "{}", run.told());
    assert!(run.lines().is_empty(), "{}", run.told());
}

#[test]
fn what_a_run_has_kept_is_started_on_until_heroku_says_something_else() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    shelf.fill(&simulator, shelf.run(&simulator));
    let before = fs::read(shelf.cache()).unwrap();
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let mut run = shelf.run(&simulator).script(CHILD);
    run.log("ago, from the cache (--fallback)");
    assert_eq!(run.line("url="), format!("url={}", url(1)));
    // What came from the cache is not put into it.
    assert_eq!(fs::read(shelf.cache()).unwrap(), before);
    simulator.clear_faults();
    assert_eq!(run.line("url="), format!("url={}", url(2)));
    run.log("--fallback is over");
    eventually("the new value is kept", || {
        fs::read(shelf.cache()).unwrap() != before
    });
    assert_eq!(run.terminate(), 143);
    simulator.fault(Fault::Unavailable);
    let mut run = shelf.run(&simulator).script(CHILD);
    assert_eq!(run.line("url="), format!("url={}", url(2)));
}

#[test]
fn what_heroku_confirms_restarts_nothing() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    shelf.fill(&simulator, shelf.run(&simulator));
    let before = fs::read(shelf.cache()).unwrap();
    let mut run = shelf.run(&simulator).script(CHILD);
    run.line("url=");
    simulator.clear_faults();
    run.log("Heroku says the same: --fallback is over");
    eventually("it is kept as of now", || {
        fs::read(shelf.cache()).unwrap() != before
    });
    assert_eq!(run.lines().len(), 1, "{}", run.told());
}

#[test]
fn a_credential_that_is_refused_is_not_started_on() {
    let Some(server) = Postgres::shared() else {
        return;
    };
    let (simulator, shelf) = (server.simulator(), Shelf::new());
    let role = "cache_refused";
    simulator.set_config("DATABASE_URL", Some(&server.create_role_and_database(role)));
    shelf.fill(&simulator, shelf.supervise(&simulator));
    let mut run = shelf.supervise(&simulator).script(CHILD);
    run.line("url=");
    assert_eq!(run.terminate(), 143);
    server.sql(&format!("ALTER ROLE {role} NOLOGIN"));
    let run = shelf.supervise(&simulator).script(CHILD);
    fails(run, 75, "login with DATABASE_URL refused (28000)");
}

#[test]
fn a_cache_under_another_token_is_removed() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    shelf.fill(&simulator, shelf.run(&simulator));
    let run = shelf.run(&simulator).env("HEROKU_API_KEY", "HRKU-another");
    fails(run.script(CHILD), 75, "it was encrypted with another token");
    assert!(!shelf.cache().exists());
    let run = shelf.run(&simulator).script(CHILD);
    fails(run, 75, "there is none yet");
}

#[test]
fn a_key_file_outlives_a_token() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    let key = shelf.0.path().join("key");
    let write = |text: &str| crate::support::write(&key, 0o600, text);
    let with_key = || {
        let option = format!("--cache-key-file {}", key.display());
        let run = shelf.run(&simulator).options(&option);
        run.env("HEROKU_API_KEY", "HRKU-another")
    };
    fails(
        with_key().script(CHILD),
        78,
        "key does not exist. What is needed is a file of your own",
    );
    crate::support::write(&key, 0o620, KEY);
    fails(with_key().script(CHILD), 78, "can be written by others");
    write("short");
    fails(
        with_key().script(CHILD),
        78,
        "holds a key that can be guessed",
    );
    write(KEY);
    let token = Options::default().token;
    shelf.fill(&simulator, with_key().env("HEROKU_API_KEY", &token));
    let mut run = with_key().script(CHILD);
    assert_eq!(run.line("url="), format!("url={}", url(1)));
    assert_eq!(run.terminate(), 143);
    write(&KEY.replace('a', "b"));
    fails(with_key().script(CHILD), 75, "another key or token");
    assert!(shelf.cache().exists());
}

#[test]
fn a_cache_of_something_else_is_not_started_on() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    shelf.fill(&simulator, shelf.run(&simulator));
    for options in ["--var DATABASE_URL --var REDIS_URL", "--all-vars"] {
        let run = shelf.run(&simulator).options(options).script(CHILD);
        fails(run, 75, "it is of another app, other variables");
    }
    let address = simulator.url().replace("127.0.0.1", "localhost");
    let cache = format!("--cache {}", shelf.cache().display());
    for (app, api) in [("otherapp", simulator.url()), ("myapp", address)] {
        let run = Supervise::at(&api).only_options(&["-a", app, "--api-url", &api]);
        let run = run.options("--start-timeout 1s --fallback cache");
        fails(
            run.options(&cache).script(CHILD),
            75,
            "it is of another app",
        );
    }
    let mut bytes = fs::read(shelf.cache()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(shelf.cache(), bytes).unwrap();
    let run = shelf.run(&simulator).script(CHILD);
    fails(run, 75, "it is damaged, or was tampered with");
}

#[test]
fn a_cache_is_as_old_as_it_may_be() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    let now = changeover::runtime::clock::wall();
    let hours = |count: u64| Duration::from_secs(count * 3600);
    shelf.forge(&simulator, now - hours(23));
    let mut run = shelf.run(&simulator).script(CHILD);
    run.log("of 23 h ago, from the cache");
    assert_eq!(run.line("url="), format!("url={}", url(7)));
    let younger = shelf.run(&simulator).options("--cache-max-age 22h");
    fails(
        younger.script(CHILD),
        75,
        "only 22 h are allowed (--cache-max-age)",
    );
    shelf.forge(&simulator, now - hours(25));
    fails(shelf.run(&simulator).script(CHILD), 75, "it is 1 d 1 h old");
    shelf.forge(&simulator, now + hours(1));
    let run = shelf.run(&simulator).script(CHILD);
    fails(run, 75, "ahead of this machine's clock");
}

#[test]
fn where_others_could_put_a_cache_nothing_is_started() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    let mode = |bits| fs::set_permissions(shelf.0.path(), fs::Permissions::from_mode(bits));
    mode(0o777).unwrap();
    let run = shelf.run(&simulator).script(CHILD);
    fails(run, 78, "can be written by others (mode 0777)");
    mode(0o700).unwrap();
    symlink("/etc/hostname", shelf.cache()).unwrap();
    let run = shelf.run(&simulator).script(CHILD);
    fails(run, 78, "links are not followed");
    fs::remove_file(shelf.cache()).unwrap();
    fs::write(shelf.cache(), "precious").unwrap();
    let run = shelf.run(&simulator).script(CHILD);
    fails(run, 78, "would be lost");
    assert_eq!(fs::read_to_string(shelf.cache()).unwrap(), "precious");
}

#[test]
fn a_cache_that_cannot_be_written_is_told_and_nothing_else() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    let mode = |bits| fs::set_permissions(shelf.0.path(), fs::Permissions::from_mode(bits));
    let mut run = shelf.run(&simulator).script(CHILD);
    run.line("url=");
    shelf.is_filled(&run);
    mode(0o777).unwrap();
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    assert_eq!(run.line("url="), format!("url={}", url(2)));
    run.log("cannot be written: ");
    mode(0o700).unwrap();
    simulator.set_config("DATABASE_URL", Some(&url(3)));
    assert_eq!(run.line("url="), format!("url={}", url(3)));
    run.log("the cache is written again");
    assert_eq!(run.terminate(), 143);
}

/// `changeover COMMAND` on a simulator's app and a cache.
fn once(command: &[&str], simulator: &Simulator, cache: &Path, end: &[&str]) -> Output {
    let mut once = Command::new(env!("CARGO_BIN_EXE_changeover"));
    once.env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HEROKU_API_KEY", Options::default().token)
        .args(command)
        .args(["-a", "myapp", "--api-url", &simulator.url()])
        .args(["--check-login", "never", "--start-timeout", "1s"])
        .args(["--fallback", "cache", "--cache"])
        .arg(cache)
        .args(end);
    once.output().unwrap()
}

#[test]
fn exec_and_env_keep_it_and_start_on_it_too() {
    let (simulator, shelf) = (simulator(), Shelf::new());
    let say = ["--", "sh", "-c", r#"echo "DATABASE_URL=$DATABASE_URL""#];
    let expected = format!("DATABASE_URL={}\n", url(1));
    let both: [(&[&str], &[&str]); 2] = [(&["exec"], &say), (&["env", "--format", "docker"], &[])];
    for (command, end) in both {
        for away in [false, true] {
            match away {
                true => simulator.fault(Fault::Unavailable),
                false => simulator.clear_faults(),
            }
            let output = once(command, &simulator, &shelf.cache(), end);
            let (stdout, stderr) = (output.stdout, output.stderr);
            let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).unwrap());
            assert!(stdout.contains(&expected), "{command:?} {away}: {stderr}");
            assert_eq!(stderr.contains("from the cache"), away, "{stderr}");
        }
        fs::remove_file(shelf.cache()).unwrap();
    }
    // What cannot be kept is told, and no reason to start nothing.
    simulator.clear_faults();
    let nowhere = Path::new("/nowhere/cache");
    let output = once(&["exec"], &simulator, nowhere, &say);
    assert_eq!(output.status.code(), Some(78));
}

#[test]
fn a_program_that_ends_at_once_leaves_a_whole_cache_and_nothing_else() {
    let simulator = simulator();
    let shelf = Shelf::new();
    for _ in 0..10 {
        let mut run = shelf.run(&simulator).program(&["true"]);
        assert_eq!(run.exit_code(), 0, "{}", run.told());
        let there: Vec<_> = fs::read_dir(shelf.0.path()).unwrap().collect();
        let there: Vec<_> = there
            .into_iter()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(there, [shelf.cache()]);
        fs::remove_file(shelf.cache()).unwrap();
    }
}
