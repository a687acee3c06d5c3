//! `--user`: who the program is, what it finds in its environment, and that it is still ours to
//! signal, to sweep and to end.

use std::process::{Command, Output};

use changeover::testing::heroku::{Options, Simulator};
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};

use crate::skip::skipped;
use crate::support::supervised::{QUICK, Supervise, simulator, url};
use crate::support::world::{Process, eventually, zombies_of};

/// Ids that no database has.
const UID: &str = "54321";
const BOTH: &str = "54321:54322";

/// Says who it is, and stays.
const WHO: &str = r#"
echo "pid=$$ ids=$(id -u):$(id -g):$(id -G | tr ' ' ,) home=$HOME user=$USER logname=$LOGNAME url=$DATABASE_URL"
exec sleep 1000"#;

/// `/etc` is empty: no user database, no group database.
const NO_DATABASE: [&str; 6] = [
    "unshare",
    "--mount",
    "sh",
    "-c",
    "mount -t tmpfs none /etc && exec \"$@\"",
    "sh",
];

/// Only root becomes somebody else.
fn root() -> bool {
    let root = Uid::effective().is_root();
    if !root {
        skipped("--user: only root can become another user");
    }
    root
}

/// Whether a mount of our own can be had.
fn mounts() -> bool {
    let mut command = Command::new(NO_DATABASE[0]);
    let tried = command.args(&NO_DATABASE[1..]).arg("true").output();
    let can = root() && tried.is_ok_and(|output| output.status.success());
    if !can {
        skipped("--user: no mount namespace to be had");
    }
    can
}

fn who(supervise: Supervise, user: &str) -> String {
    let options = format!("--check-login never --user {user}");
    let run = supervise.env("USER", "outer").env("LOGNAME", "outer");
    let mut run = run.options(&options).script(WHO);
    let line = run.line("ids=");
    assert_eq!(run.terminate(), 143, "{}", run.told());
    let (_, rest) = line.split_once(' ').unwrap();
    rest.split(" url=").next().unwrap().to_owned()
}

#[test]
fn the_program_is_that_user_and_knows_it() {
    if !root() {
        return;
    }
    let simulator = simulator();
    let who = |user: &str| who(Supervise::on(&simulator), user);
    let unknown = "home=/ user=54321 logname=54321";
    assert_eq!(who(BOTH), format!("ids=54321:54322:54322 {unknown}"));
    // As `docker run --user` does it.
    assert_eq!(who(UID), format!("ids=54321:0:0 {unknown}"));
    let daemon = User::from_name("daemon").unwrap().unwrap();
    let (uid, gid) = (daemon.uid, daemon.gid);
    let home = daemon.dir.display().to_string();
    let known = format!("home={home} user=daemon logname=daemon");
    for user in ["daemon", &uid.to_string()] {
        assert_eq!(who(user), format!("ids={uid}:{gid}:{gid} {known}"));
    }
    assert_eq!(who("daemon:7"), format!("ids={uid}:7:7 {known}"));
}

#[test]
fn the_groups_are_all_that_the_database_gives() {
    if !mounts() {
        return;
    }
    let script = "mount -t tmpfs none /etc \
        && echo 'web:x:4001:4002::/srv/web:/bin/sh' >/etc/passwd \
        && printf 'web:x:4002:\nlogs:x:4003:other,web\nelse:x:4004:other\n' >/etc/group \
        && exec \"$@\"";
    let simulator = simulator();
    let run = Supervise::on(&simulator);
    let run = run.under(&["unshare", "--mount", "sh", "-c", script, "sh"]);
    let expected = "ids=4001:4002:4002,4003 home=/srv/web user=web logname=web";
    assert_eq!(who(run, "web"), expected);
}

#[test]
fn without_a_user_database_numbers_work() {
    if !mounts() {
        return;
    }
    let simulator = simulator();
    let nowhere = || Supervise::on(&simulator).under(&NO_DATABASE);
    let unknown = "home=/ user=54321 logname=54321";
    assert_eq!(
        who(nowhere(), BOTH),
        format!("ids=54321:54322:54322 {unknown}")
    );
    assert_eq!(who(nowhere(), UID), format!("ids=54321:0:0 {unknown}"));
    let mut run = nowhere().options("--user daemon").script(WHO);
    assert_eq!(run.exit_code(), 78, "{}", run.told());
    run.log(r#"names "daemon", and the user database has no such name"#);
}

#[test]
fn keep_and_fetched_variables_win() {
    if !root() {
        return;
    }
    let simulator = Simulator::start(Options {
        config: [("DATABASE_URL", url(1)), ("LOGNAME", "fetched".to_owned())]
            .map(|(name, value)| (name.to_owned(), value))
            .into(),
        ..Options::default()
    })
    .unwrap();
    let run = Supervise::on(&simulator)
        .options("--keep USER --var DATABASE_URL --var LOGNAME --allow-reserved");
    let expected = "ids=54321:54322:54322 home=/ user=outer logname=fetched";
    assert_eq!(who(run, BOTH), expected);
}

fn exec(simulator: &Simulator, under: &[&str], user: &str) -> Output {
    let mut words: Vec<&str> = under.to_vec();
    words.extend([env!("CARGO_BIN_EXE_changeover"), "exec", "-a", "myapp"]);
    let api = simulator.url();
    words.extend(["--api-url", &api, "--user", user, "--", "sh", "-c"]);
    let mut command = Command::new(words[0]);
    command
        .args(&words[1..])
        .arg("echo $(id -u) $(id -G) $HOME $USER $LOGNAME")
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HEROKU_API_KEY", Options::default().token)
        .output()
        .unwrap()
}

#[test]
fn exec_becomes_the_user_too() {
    if !root() {
        return;
    }
    let output = exec(&simulator(), &[], BOTH);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, "54321 54322 / 54321 54321\n");
}

#[test]
fn who_is_not_there_and_who_may_not_be_become() {
    let simulator = simulator();
    let refused = |under: &[&str], user: &str| {
        let output = exec(&simulator, under, user);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{told}");
        assert!(told.contains("so nothing was started"), "{told}");
        told
    };
    let told = refused(&[], "no-such-user");
    assert!(told.contains("getent passwd"), "{told}");
    let told = refused(&[], "0:no-such-group");
    assert!(told.contains("getent group"), "{told}");
    if root() {
        let other = [
            "setpriv",
            "--reuid=54321",
            "--regid=54322",
            "--clear-groups",
        ];
        let told = refused(&other, "54323");
        assert!(told.contains("start it as root"), "{told}");
        let output = exec(&simulator, &other, BOTH);
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, "54321 54322 / 54321 54321\n", "nothing changes");
    }
    assert_eq!(simulator.request_count(), usize::from(root()));
}

/// A deaf family of the other user, one of it in a session of its own.
const FAMILY: &str = r#"
trap 'exit 0' TERM
(setsid sh -c 'trap "" TERM; echo "deaf pid=$$"; while :; do sleep 1000; done' &)
sleep 0 &
echo "leader pid=$$ uid=$(id -u) url=$DATABASE_URL"
while :; do sleep 1000 & wait $!; done"#;

#[test]
fn the_supervisor_still_rules_the_tree() {
    if !root() {
        return;
    }
    let simulator = simulator();
    let run = Supervise::on(&simulator).options(QUICK);
    let run = run.options(&format!("--check-login never --user {BOTH}"));
    let mut run = run.script(FAMILY);
    let family = |run: &crate::support::supervised::Supervised, from: usize| -> Vec<Process> {
        eventually("the family speaks", || run.lines().len() >= from + 2);
        let lines = run.lines();
        let named = lines[from..].iter().map(|line| Process::named(line, "pid"));
        named.collect()
    };
    let first = family(&run, 0);
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    run.log("left processes behind");
    let second = family(&run, 2);
    assert!(first.iter().all(|one| !one.lives()), "{}", run.told());
    let supervisor = run.pid();
    eventually("every zombie is reaped", || {
        zombies_of(supervisor).is_empty()
    });
    assert_eq!(run.terminate(), 0, "{}", run.told());
    assert!(second.iter().all(|one| !one.lives()), "{}", run.told());
}

#[test]
fn the_program_ends_with_a_supervisor_that_is_killed() {
    if !root() {
        return;
    }
    let simulator = simulator();
    let run = Supervise::on(&simulator).options(&format!("--user {BOTH}"));
    let mut run = run.script("trap '' TERM; echo \"pid=$$\"; while :; do wait; done & wait");
    let child = Process::named(&run.line("pid="), "pid");
    run.signal(Signal::SIGKILL);
    eventually("the program is gone", || !child.lives());
}
