//! `--env-file` and `--on-change` with real processes: a program that reads its values anew, whom
//! the file is for, and when it is gone.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use nix::unistd::{Uid, mkfifo};

use crate::skip::skipped;
use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::Process;

/// Says what the file and its environment hold, at its start and on every HUP.
const RELOADS: &str = r#"
say() { (unset DATABASE_URL; . "$HOME/run/env"; echo "pid=$$ file=$DATABASE_URL mode=$PGSSLMODE"); }
trap 'say; echo "environment=$DATABASE_URL"' HUP
trap 'exit 0' TERM
say
while :; do sleep 1000 & wait $!; done"#;

/// A directory for the file, below the test's own.
fn run_directory(supervise: &Supervise) -> PathBuf {
    let directory = supervise.home().join("run");
    fs::create_dir(&directory).unwrap();
    directory
}

fn with_file(supervise: Supervise, file: &Path) -> Supervise {
    let option = format!("--check-login never --env-file {}", file.display());
    supervise.options(QUICK).options(&option)
}

/// Everything that is in the file's directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    entries.map(|entry| name(entry.unwrap())).collect()
}

fn holds(file: &Path, number: u32) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.contains(&format!("DATABASE_URL='{}'\n", url(number)))
}

#[test]
fn a_program_that_reloads_finds_the_new_value_and_is_not_restarted() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--on-change signal:HUP");
    let directory = run_directory(&run);
    let file = directory.join("env");
    let mut run = with_file(run, &file).script(RELOADS);
    let child = Process::named(&run.line(&format!("file={} mode=require", url(1))), "pid");
    for number in 2..4 {
        simulator.set_config("DATABASE_URL", Some(&url(number)));
        let line = run.line(&format!("file={}", url(number)));
        assert_eq!(Process::named(&line, "pid"), child, "{}", run.told());
        // This is why there is a file.
        run.line(&format!("environment={}", url(1)));
        run.log(&format!(
            "env file written with revision {number}, and HUP sent to pid {}",
            child.pid
        ));
    }
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!(metadata.uid(), Uid::effective().as_raw());
    assert_eq!(names(&directory), ["env"]);
    assert_eq!(run.terminate(), 0, "{}", run.told());
    assert!(names(&directory).is_empty());
}

/// How many sockets there are whose abstract name begins so.
fn sockets(name: &str) -> usize {
    let all = fs::read_to_string("/proc/net/unix").unwrap();
    let named = all.lines().filter_map(|line| line.split(' ').next_back());
    named.filter(|found| found.starts_with(name)).count()
}

#[test]
fn what_was_prepared_and_is_not_started_is_not_kept() {
    let simulator = simulator();
    let run = Supervise::on(&simulator)
        .options("--on-change signal:HUP --ready notify --ready-timeout 1s");
    let file = run_directory(&run).join("env");
    let script = r#"trap 'exit 0' TERM; trap '' HUP; echo "socket=$NOTIFY_SOCKET"
        while :; do sleep 1000 & wait $!; done"#;
    let mut run = with_file(run, &file).script(script);
    let line = run.line("socket=@changeover/");
    let (ours, _) = line["socket=".len()..].rsplit_once('.').unwrap();
    for number in 2..4 {
        assert_eq!(sockets(ours), 1, "{}", run.told());
        simulator.set_config("DATABASE_URL", Some(&url(number)));
        run.log(&format!("with revision {number}, and HUP sent"));
    }
    assert_eq!(sockets(ours), 1, "{}", run.told());
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn without_a_file_the_log_says_that_the_environment_stays_old() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options(QUICK);
    let run = run.options("--on-change signal:USR1");
    let mut run =
        run.script("trap 'echo told' USR1; echo up; while :; do sleep 1000 & wait $!; done");
    run.line("up");
    run.log("is signal:USR1 without --env-file");
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.line("told");
    run.log("its environment keeps the old values");
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

#[test]
fn with_a_restart_the_file_is_new_before_the_new_program_starts() {
    let simulator = simulator();
    let run = Supervise::on(&simulator);
    let file = run_directory(&run).join("env");
    let mut run = with_file(run, &file).script(
        r#"started=$DATABASE_URL; . "$HOME/run/env"
        trap 'exit 7' TERM
        [ "$started" = "$DATABASE_URL" ] && echo "same $started"
        while :; do sleep 1000 & wait $!; done"#,
    );
    for number in 1..4 {
        simulator.set_config("DATABASE_URL", Some(&url(number)));
        run.line(&format!("same {}", url(number)));
    }
    assert_eq!(run.terminate(), 7, "{}", run.told());
    assert!(!file.exists());
}

#[test]
fn the_file_is_the_other_users() {
    if !Uid::effective().is_root() {
        return skipped("--user: only root can become another user");
    }
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--user 54321:54322");
    let directory = run_directory(&run);
    let file = directory.join("env");
    // The other user must be able to come near.
    for open in [run.home(), directory] {
        fs::set_permissions(open, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let script = format!(
        r#"id -u; . "{}" && echo "read $DATABASE_URL"; exec sleep 1000"#,
        file.display()
    );
    let mut run = with_file(run, &file).script(&script);
    run.line("54321");
    run.line(&format!("read {}", url(1)));
    let metadata = fs::metadata(&file).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (54_321, 54_322));
    assert_eq!(metadata.mode() & 0o7777, 0o600);
    assert_eq!(run.terminate(), 143, "{}", run.told());
    assert!(!file.exists());
}

fn refused(supervise: Supervise, file: &Path) -> (i32, Supervised) {
    let mut run = with_file(supervise, file).script("echo started");
    (run.exit_code(), run)
}

#[test]
fn a_place_that_is_not_safe_is_told_before_heroku_is_asked() {
    let simulator = simulator();
    type Spoil<'a> = &'a dyn Fn(&Path);
    let cases: [(&str, Spoil); 6] = [
        ("can be written by others (mode 0777)", &|directory| {
            fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
        }),
        ("its directory does not exist", &|directory| {
            fs::remove_dir(directory).unwrap();
        }),
        ("links are not followed", &|directory| {
            fs::write(directory.join("../precious"), "precious").unwrap();
            symlink("../precious", directory.join("env")).unwrap();
        }),
        ("no regular file", &|directory| {
            mkfifo(&directory.join("env"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        }),
        ("would be lost", &|directory| {
            fs::write(directory.join("env"), "MY_OWN=1\n").unwrap();
        }),
        ("no regular file", &|directory| {
            fs::create_dir(directory.join("env")).unwrap();
        }),
    ];
    for (expected, prepare) in cases {
        let run = Supervise::on(&simulator);
        let directory = run_directory(&run);
        let precious = directory.join("../precious");
        prepare(&directory);
        let before = fs::read_dir(&directory).is_ok().then(|| names(&directory));
        let (code, mut run) = refused(run, &directory.join("env"));
        assert_eq!(code, 78, "{}", run.told());
        run.log(expected);
        assert!(run.logs()[0].contains("nothing was started"));
        let after = fs::read_dir(&directory).is_ok().then(|| names(&directory));
        assert_eq!(after, before, "{}", run.told());
        let untouched = fs::read_to_string(precious);
        assert!(untouched.is_err() || untouched.is_ok_and(|text| text == "precious"));
    }
    assert_eq!(simulator.request_count(), 0);
}

#[test]
fn a_value_that_no_file_can_hold_ends_the_first_start_and_postpones_a_signal() {
    let simulator = simulator();
    simulator.set_config("DATABASE_URL", Some("postgres://u:${x}@h/d"));
    let run = Supervise::on(&simulator);
    let file = run_directory(&run).join("env");
    let (code, mut run) = refused(run, &file);
    assert_eq!(code, 78, "{}", run.told());
    run.log("DATABASE_URL cannot be in it");
    assert!(run.lines().is_empty() && !file.exists());

    simulator.set_config("DATABASE_URL", Some(&url(1)));
    let run = Supervise::on(&simulator).options("--on-change signal:HUP");
    let file = run_directory(&run).join("env");
    let mut run = with_file(run, &file).script(RELOADS);
    let child = Process::named(&run.line("file="), "pid");
    simulator.set_config("DATABASE_URL", Some("postgres://u:${x}@h/d"));
    run.log("untouched on revision 1; trying again in 1 s");
    run.log("untouched on revision 1; trying again in 2 s");
    assert!(holds(&file, 1) && child.lives() && run.lines().len() == 1);
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let line = run.line(&format!("file={}", url(2)));
    assert_eq!(Process::named(&line, "pid"), child);
    assert_eq!(run.terminate(), 0, "{}", run.told());
}

#[test]
fn a_directory_that_is_spoilt_later_does_the_program_no_harm() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--on-change signal:HUP");
    let directory = run_directory(&run);
    let file = directory.join("env");
    let mut run = with_file(run, &file).script(RELOADS);
    let child = Process::named(&run.line("file="), "pid");
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).unwrap();
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.log("can be written by others (mode 0777)");
    run.log("trying again in");
    assert!(child.lives() && holds(&file, 1), "{}", run.told());
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o700)).unwrap();
    let line = run.line(&format!("file={}", url(2)));
    assert_eq!(Process::named(&line, "pid"), child);
    assert_eq!(run.terminate(), 0, "{}", run.told());
    assert!(!file.exists());
}

#[test]
fn a_killed_supervisor_leaves_the_file_and_the_next_replaces_it() {
    let simulator = simulator();
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("env");
    let supervise = || with_file(Supervise::on(&simulator), &file);
    let child = "echo up; exec sleep 1000";
    let mut killed = supervise().script(child);
    killed.line("up");
    killed.signal(Signal::SIGKILL);
    killed.status();
    assert!(holds(&file, 1));
    // As a crash in the middle of a write would leave it.
    let half = place.path().join("env.changeover-new");
    symlink("/nowhere", &half).unwrap();
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let mut next = supervise().script(child);
    next.line("up");
    assert!(holds(&file, 2) && !half.is_symlink());
    assert_eq!(next.terminate(), 143);
    assert!(names(place.path()).is_empty());
}

#[test]
fn a_relative_path_counts_from_where_we_were_started() {
    let simulator = simulator();
    let run = Supervise::on(&simulator).options("--chdir /");
    let home = run.home();
    let under = ["env", "-C", home.to_str().unwrap()];
    let mut run = with_file(run.under(&under), Path::new("relative"));
    run = run.options("--on-change restart");
    let mut run = run.script("pwd; exec sleep 1000");
    run.line("/");
    let file = home.join("relative");
    assert!(holds(&file, 1), "{}", run.told());
    assert_eq!(run.terminate(), 143);
    assert!(!file.exists());
}

/// Ends on TERM when it is let.
const SLOW_TO_END: &str = r#"
trap 'echo stopping; while [ ! -e "$HOME/end" ]; do sleep 0.05; done; exit 5' TERM
echo up
while :; do sleep 1000 & wait $!; done"#;

#[test]
fn on_change_exit_is_75_for_a_change_and_the_programs_code_for_a_stop() {
    let simulator = simulator();
    for (stopped, code) in [(false, 75), (true, 5)] {
        simulator.set_config("DATABASE_URL", Some(&url(1)));
        let run = Supervise::on(&simulator).options("-vv --on-change exit");
        let file = run_directory(&run).join("env");
        let mut run = with_file(run, &file).script(SLOW_TO_END);
        run.line("up");
        simulator.set_config("DATABASE_URL", Some(&url(2)));
        run.log("--on-change exit");
        run.line("stopping");
        assert!(holds(&file, 1), "{}", run.told());
        if stopped {
            run.signal(Signal::SIGTERM);
            run.log("Signal { signal: TERM");
        }
        fs::write(run.home().join("end"), "").unwrap();
        assert_eq!(run.exit_code(), code, "{}", run.told());
        assert!(!file.exists());
    }
}
