//! Every fault of the API, at the start and at run time: what is started, what is left alone, what
//! arrives afterwards.
//!
//! Each fault has its own simulator and supervisor, on its own thread: failed requests back off for
//! seconds, and a hang lasts ten.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{self, Child, Command, Stdio};
use std::time::Duration;

use changeover::testing::heroku::{Fault, Injection, Options, Simulator};
use nix::unistd::Uid;

use crate::skip::skipped;

use crate::support::supervised::{QUICK, Supervise, Supervised, simulator, url};
use crate::support::world::{Process, eventually};

const CHILD: &str = r#"echo "url=$DATABASE_URL pid=$$"; exec sleep 1000"#;

/// No quicker than this: at most so many requests within a second, whatever goes wrong.
const REQUESTS_PER_SECOND_MAX: usize = 4;

/// What a supervisor can make of a fault's answers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    /// Nothing: the old value stays until the fault is over.
    Unusable,
    /// They refuse us: at the start it is no use to wait.
    Refusals,
    /// They are good, but for the variable.
    BadValue,
    /// The truth, sooner or later.
    TrueInTheEnd,
}

fn answers(fault: Fault) -> Answers {
    match fault {
        Fault::Unauthorized | Fault::Forbidden | Fault::NotFound => Answers::Refusals,
        Fault::EmptyMap
        | Fault::MissingKey
        | Fault::Null
        | Fault::EmptyString
        | Fault::Number
        | Fault::MalformedUrl => Answers::BadValue,
        Fault::Late | Fault::FalseNotModified => Answers::TrueInTheEnd,
        Fault::RateLimited
        | Fault::RetryAfterSeconds
        | Fault::RetryAfterDate
        | Fault::ServerError
        | Fault::Unavailable
        | Fault::Garbage
        | Fault::EmptyBody
        | Fault::HugeBody
        | Fault::SlowBody
        | Fault::TruncatedBody
        | Fault::Reset
        | Fault::Hang
        | Fault::Redirect => Answers::Unusable,
    }
}

/// Processes that count against their user's limit.
struct Crowd(Vec<Child>);

impl Crowd {
    fn of(user: &[&str]) -> Self {
        let one = |_| {
            let mut one = Command::new(user[0]);
            one.args(&user[1..]).args(["sleep", "1000"]);
            one.stdout(Stdio::null()).stderr(Stdio::null());
            one.spawn().unwrap()
        };
        Self((0..20).map(one).collect())
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        for one in &mut self.0 {
            one.kill().unwrap();
            one.wait().unwrap();
        }
    }
}

/// The machine, or the container, has no thread left (`EAGAIN`), and the token is read again.
#[test]
fn no_thread_is_left() {
    if !Uid::effective().is_root() {
        skipped("no thread left: only root can become a user who has a limit");
        return;
    }
    let simulator = simulator();
    let shelf = tempfile::tempdir().unwrap();
    fs::set_permissions(shelf.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let token = shelf.path().join("token");
    crate::support::write(&token, 0o644, &Options::default().token);
    let option = format!("--check-login never --token-file {}", token.display());
    let run = Supervise::on(&simulator).options(QUICK).options(&option);
    // Of its own, whatever else runs on this machine.
    let id = 1_000_000 + process::id();
    let [uid, gid] = ["--reuid", "--regid"].map(|option| format!("{option}={id}"));
    let user = ["setpriv", &uid, &gid, "--clear-groups"];
    let limited = [&["prlimit", "--nproc=20"], &user[..]].concat();
    let mut run = run.under(&limited).script(CHILD);
    run.line("url=");
    let crowd = Crowd::of(&user);
    for _ in 0..2 {
        let before = simulator.faulted_count();
        simulator.fault(Fault::Unauthorized);
        let refused = || simulator.faulted_count() > before + 1;
        eventually("the token is refused", refused);
        simulator.clear_faults();
        let before = simulator.request_count();
        let asked = || simulator.request_count() > before + 1;
        eventually("Heroku is asked again", asked);
    }
    drop(crowd);
    assert!(!run.told().contains("panicked"), "{}", run.told());
    assert_eq!(run.terminate(), 143, "{}", run.told());
}

/// So many faulted answers are enough to see what comes of them.
fn rounds(fault: Fault) -> usize {
    // Ten seconds each.
    let slow = matches!(fault, Fault::Hang | Fault::SlowBody);
    if slow { 2 } else { 3 }
}

/// Runs a test's body for these faults at once; a failure says which.
fn each(faults: impl IntoIterator<Item = Fault>, body: impl Fn(Fault) + Sync) {
    std::thread::scope(|scope| {
        let body = &body;
        let runs: Vec<_> = faults
            .into_iter()
            .map(|fault| (fault, scope.spawn(move || body(fault))))
            .collect();
        let failed: Vec<_> = runs
            .into_iter()
            .filter_map(|(fault, run)| run.join().is_err().then_some(fault.name()))
            .collect();
        assert!(failed.is_empty(), "{failed:?}");
    });
}

fn with(answers_are: &[Answers]) -> Vec<Fault> {
    let chosen = |fault: &Fault| answers_are.contains(&answers(*fault));
    Fault::ALL.into_iter().filter(chosen).collect()
}

fn wait_for_faults(simulator: &Simulator, count: usize) {
    eventually("so many faulted answers", || {
        simulator.faulted_count() >= count
    });
}

fn started(run: &mut Supervised) -> Process {
    Process::named(&run.line("pid="), "pid")
}

fn no_storm(simulator: &Simulator) {
    let times: Vec<Duration> = simulator.requests().iter().map(|one| one.at).collect();
    let second = Duration::from_secs(1);
    for from in &times {
        let within = |at: &&Duration| *at >= from && **at - *from < second;
        let count = times.iter().filter(within).count();
        assert!(count <= REQUESTS_PER_SECOND_MAX, "{count} after {from:?}");
    }
}

#[test]
fn no_fault_touches_a_running_child_and_none_hides_a_change_for_ever() {
    let faults = [Answers::Unusable, Answers::Refusals, Answers::BadValue];
    each(with(&faults), |fault| {
        let simulator = simulator();
        let mut run = Supervise::on(&simulator).options(QUICK).script(CHILD);
        let child = started(&mut run);
        simulator.fault(fault);
        simulator.set_config("DATABASE_URL", Some(&url(2)));
        wait_for_faults(&simulator, rounds(fault));
        assert!(child.lives(), "{fault}: {}", run.told());
        assert_eq!(run.lines().len(), 1, "{fault}: {}", run.told());
        simulator.set_config("DATABASE_URL", Some(&url(3)));
        simulator.clear_faults();
        run.line(&url(3));
        assert!(!child.lives(), "{fault}: {}", run.told());
        assert_eq!(run.lines().len(), 2, "{fault}: {}", run.told());
        assert_eq!(run.terminate(), 143, "{fault}: {}", run.told());
        no_storm(&simulator);
    });
}

#[test]
fn late_answers_and_false_304s_delay_a_change_and_no_more() {
    each(with(&[Answers::TrueInTheEnd]), |fault| {
        let simulator = simulator();
        let mut run = Supervise::on(&simulator).options(QUICK).script(CHILD);
        let child = started(&mut run);
        let mut injection = Injection::from(fault);
        if fault == Fault::Late {
            injection = injection.delay(Duration::from_secs(2));
        }
        simulator.fault(injection);
        wait_for_faults(&simulator, 3);
        assert!(child.lives(), "{fault}: {}", run.told());
        simulator.set_config("DATABASE_URL", Some(&url(2)));
        run.line(&url(2));
        assert_eq!(run.lines().len(), 2, "{fault}: {}", run.told());
        assert_eq!(run.terminate(), 143, "{fault}: {}", run.told());
        no_storm(&simulator);
    });
}

#[test]
fn a_start_waits_until_the_fault_is_over() {
    each(Fault::ALL, |fault| {
        let simulator = simulator();
        let refuses = answers(fault) == Answers::Refusals;
        simulator.fault(if refuses {
            Injection::from(fault).times(1)
        } else {
            fault.into()
        });
        let mut run = Supervise::on(&simulator).options(QUICK).script(CHILD);
        // A first request carries no tag, so that nothing can be answered falsely with 304.
        if fault != Fault::FalseNotModified {
            wait_for_faults(&simulator, 1);
            assert!(run.lines().is_empty(), "{fault}: {}", run.told());
        }
        simulator.set_config("DATABASE_URL", Some(&url(2)));
        simulator.clear_faults();
        run.line(&url(2));
        assert_eq!(run.terminate(), 143, "{fault}: {}", run.told());
        no_storm(&simulator);
    });
}

#[test]
fn a_start_that_never_gets_an_answer_ends_with_a_documented_code() {
    let faults = Fault::ALL
        .into_iter()
        .filter(|fault| *fault != Fault::FalseNotModified);
    each(faults, |fault| {
        let simulator = simulator();
        simulator.fault(fault);
        // Long enough for the answers that decide, on a busy machine.
        let (expected, timeout) = match answers(fault) {
            Answers::Refusals => (78, "60s"),
            Answers::BadValue => (78, "10s"),
            Answers::Unusable | Answers::TrueInTheEnd => (75, "3s"),
        };
        let run = Supervise::on(&simulator).options(QUICK);
        let run = run.options(&format!("--start-timeout {timeout}"));
        let mut run = run.script(CHILD);
        assert_eq!(run.exit_code(), expected, "{fault}: {}", run.told());
        run.log("nothing started");
        assert!(run.lines().is_empty(), "{fault}: {}", run.told());
        let requests = simulator.request_count();
        if answers(fault) == Answers::Refusals {
            assert_eq!(requests, 2, "{fault}: the second refusal is the last");
        }
        no_storm(&simulator);
    });
}
