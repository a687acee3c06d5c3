//! Golden: every fact in its words.

use super::*;

use crate::credential::Kind;
use crate::supervisor::event::FetchFailure;
use crate::supervisor::id::Revision;
use crate::supervisor::notice::{HeldChange, Proof, StartedFor, ValueNotice};

pub(super) const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) const fn child(pid: u32, revision: u32) -> Child {
    Child {
        pid,
        revision: Revision(revision),
    }
}

pub(super) fn failure(kind: FailureKind, detail: &str) -> FetchFailure {
    FetchFailure {
        kind,
        detail: detail.to_owned(),
        retry_after: None,
        remedy: None,
    }
}

/// The level's letter and the line.
pub(super) fn told(notice: &Notice) -> String {
    let context = Context {
        app: "acme".to_owned(),
        fallback: FallbackPhase::None,
    };
    let (level, line) = render(&context, notice);
    format!("{} {line}", &level.as_str()[..1])
}

fn still_alive(names: &[&str], count: usize) -> Notice {
    let member = |(pid, name): (u32, &&str)| Member {
        pid,
        name: (*name).to_owned(),
    };
    let named = (4242..).zip(names).map(member).collect();
    Notice::StillAlive {
        pid: 4242,
        after: seconds(5),
        alive: Alive { named, count },
    }
}

pub(super) fn all_tell(facts: Vec<(Notice, &str)>) {
    for (notice, expected) in facts {
        assert_eq!(told(&notice), expected, "{notice:?}");
    }
}

#[test]
fn starts() {
    let started = |dead_time, change| Notice::Started {
        cause: StartedFor::First,
        child: child(4311, 3),
        dead_time,
        change,
    };
    all_tell(vec![
        (started(None, None), "I pid 4311 started on revision 3"),
        (
            started(
                Some(Duration::from_micros(1300)),
                Some(Duration::from_millis(3456)),
            ),
            "I pid 4311 started on revision 3; dead time 1.3 ms; change seen→applied 3.4 s",
        ),
    ]);
}

#[test]
fn starts_that_fail() {
    let failed = |error, retry_in, running| Notice::StartFailed {
        error,
        retry_in,
        running,
    };
    let detail = || "ENOEXEC".to_owned();
    all_tell(vec![
        (
            failed(SpawnError::NotFound, None, None),
            "E the program was not found: check its name and PATH; giving up",
        ),
        (
            failed(
                SpawnError::NotExecutable { detail: detail() },
                Some(seconds(2)),
                Some(child(7, 1)),
            ),
            "E the program cannot be executed (ENOEXEC): check its mode and format. pid 7 untouched on revision 1; \
             trying again in 2 s",
        ),
        (
            failed(
                SpawnError::Unwritable { detail: detail() },
                Some(seconds(1)),
                Some(child(7, 1)),
            ),
            "E ENOEXEC. pid 7 untouched on revision 1; trying again in 1 s",
        ),
        (
            failed(
                SpawnError::Failed { detail: detail() },
                Some(seconds(1)),
                None,
            ),
            "E the program could not be started: ENOEXEC; trying again in 1 s",
        ),
    ]);
}

#[test]
fn changes() {
    let one = || vec![("DATABASE_URL".to_owned(), Kind::Password)];
    let two = || {
        vec![
            ("DATABASE_URL".to_owned(), Kind::Failover),
            ("REDIS_URL".to_owned(), Kind::Other),
        ]
    };
    let with = |changed, login| Notice::Changed {
        changed,
        from: Revision(2),
        to: Revision(3),
        login,
    };
    let changed = |changed| with(changed, Proof::NotTried);
    let unproven = |outcome| Proof::Unproven { outcome };
    let (detail, code) = ("timed out".to_owned(), "28000".to_owned());
    let took = Duration::from_millis(38);
    all_tell(vec![
        (
            Notice::Settling {
                changed: one(),
                debounce: seconds(1),
            },
            "D DATABASE_URL differs: password; confirming after 1 s of quiet",
        ),
        (
            Notice::ChangeWithdrawn,
            "D the difference is gone again: nothing to do",
        ),
        (
            changed(one()),
            "I DATABASE_URL changed: password (revision 2→3)",
        ),
        (
            changed(two()),
            "I DATABASE_URL changed: failover, REDIS_URL changed: value (revision 2→3)",
        ),
        (
            with(one(), Proof::LoggedIn { took }),
            "I DATABASE_URL changed: password (revision 2→3), login ok in 38 ms",
        ),
        (
            with(one(), unproven(LoginOutcome::Unreachable { detail })),
            "I DATABASE_URL changed: password (revision 2→3), without a login, which was not possible (timed out)",
        ),
        (
            with(one(), unproven(LoginOutcome::Refused { code })),
            "I DATABASE_URL changed: password (revision 2→3), though its login was refused (28000): none from this \
             host has ever worked",
        ),
    ]);
}

#[test]
fn signals_and_changes_that_end_it() {
    all_tell(vec![
        (
            Notice::SignalDropped {
                signal: Signal::HUP,
            },
            "W HUP dropped: it is meant for a program, and none runs",
        ),
        (
            Notice::ExitForChange,
            "I a change ends the program (--on-change exit): code 75 asks for a new start",
        ),
    ]);
}

#[test]
fn changes_that_wait_for_a_login() {
    let held = |outcome| {
        Notice::ChangeHeld(HeldChange {
            name: "DATABASE_URL".to_owned(),
            outcome,
            running: Revision(2),
            retry_in: seconds(30),
        })
    };
    let code = "28P01".to_owned();
    let detail = "connection refused".to_owned();
    all_tell(vec![
        (
            held(LoginOutcome::Refused { code }),
            "W Postgres refuses the new DATABASE_URL (28P01). Nothing is touched on revision 2; trying again in 30 s",
        ),
        (
            held(LoginOutcome::Unreachable { detail }),
            "W no login with the new DATABASE_URL so far (connection refused). Nothing is touched on revision 2; trying again in 30 s",
        ),
    ]);
}

#[test]
fn changes_that_are_told() {
    all_tell(vec![
        (
            Notice::ChangeSignalled {
                child: child(42, 3),
                signal: Signal::HUP,
                env_file: EnvFile::None,
            },
            "I HUP sent to pid 42 for revision 3; its environment keeps the old values (no --env-file)",
        ),
        (
            Notice::ChangeSignalled {
                child: child(42, 3),
                signal: Signal::HUP,
                env_file: EnvFile::Kept,
            },
            "I env file written with revision 3, and HUP sent to pid 42",
        ),
    ]);
}

#[test]
fn ends() {
    let ended = |ended, stopping| Notice::Ended {
        child: child(4242, 2),
        ended,
        lived: seconds(90),
        stopping,
    };
    all_tell(vec![
        (
            Notice::Stopping {
                pid: 4242,
                signal: Signal::TERM,
                timeout: seconds(35),
            },
            "I stopping pid 4242: TERM, up to 35 s",
        ),
        (
            Notice::Killing {
                pid: 4242,
                after: seconds(35),
            },
            "W pid 4242 did not stop within 35 s: killing it and all its processes",
        ),
        (
            Notice::Sweeping { pid: 4242 },
            "I pid 4242 left processes behind: stopping them",
        ),
        (
            Notice::SweepFailed { pid: 4242 },
            "W processes that pid 4242 left behind survive even KILL (stuck in the kernel): going on without waiting",
        ),
        (
            ended(Ended::Code(0), Some(Duration::from_millis(2100))),
            "I pid 4242 exited 0 after 2.1 s (it ran 1 min 30 s)",
        ),
        (
            ended(Ended::Signal(Signal::KILL), None),
            "W pid 4242 was ended by KILL; it ran 1 min 30 s",
        ),
        (
            Notice::NothingFound {
                ended: Ended::Code(3),
            },
            "I no sign that its credential is why: ending as the program did, with code 3",
        ),
        (
            Notice::StopRequested {
                signal: Signal::TERM,
            },
            "I TERM received: stopping for good",
        ),
        (Notice::KillRequested, "W second INT: killing now"),
    ]);
}

#[test]
fn a_failed_child_and_its_credential() {
    let tried = |outcome| Notice::LoginTried {
        name: "DATABASE_URL".to_owned(),
        outcome,
    };
    all_tell(vec![
        (
            Notice::Asking {
                asked: Asked::Heroku,
            },
            "I the program failed: asking Heroku for a new credential",
        ),
        (
            Notice::Asking { asked: Asked::Both },
            "I the program failed: asking Heroku for a new credential, and Postgres about the old one",
        ),
        (
            tried(LoginOutcome::Accepted),
            "I login with DATABASE_URL ok: the credential works",
        ),
        (
            tried(LoginOutcome::Refused {
                code: "28P01".to_owned(),
            }),
            "W login with DATABASE_URL refused (28P01): the credential no longer works",
        ),
        (
            tried(LoginOutcome::Unreachable {
                detail: "timed out".to_owned(),
            }),
            "W login with DATABASE_URL not possible (timed out): nothing is known about the credential",
        ),
        (
            Notice::AwaitingCredential {
                timeout: seconds(60),
            },
            "W the credential died before its successor was there: waiting up to 1 min for the new one",
        ),
        (
            Notice::CredentialWorks,
            "I login ok: the credential works after all",
        ),
        (
            Notice::CredentialNeverCame {
                timeout: seconds(60),
            },
            "E no new credential came within 1 min",
        ),
    ]);
}

#[test]
fn values_without_use() {
    let bad = |running| {
        Notice::Value(ValueNotice::Bad {
            name: "DATABASE_URL".to_owned(),
            fault: Fault::Missing,
            running,
        })
    };
    all_tell(vec![
        (
            bad(Some(child(4242, 3))),
            "W DATABASE_URL of app acme is missing. pid 4242 untouched on revision 3, with the last good value",
        ),
        (
            bad(None),
            "W DATABASE_URL of app acme is missing. Nothing runs yet; waiting for a usable value",
        ),
        (
            Notice::Value(ValueNotice::StillBad {
                name: "DATABASE_URL".to_owned(),
                fault: Fault::Missing,
                lasted: seconds(904),
                answers: 16,
                running: Some(child(4242, 3)),
            }),
            "W DATABASE_URL of app acme is missing for 15 min 4 s (16 answers). pid 4242 untouched on revision 3, with the last good value",
        ),
        (
            Notice::Value(ValueNotice::Good {
                name: "DATABASE_URL".to_owned(),
                lasted: seconds(2),
                answers: 1,
            }),
            "I DATABASE_URL is usable again after 2 s (1 answer)",
        ),
        (
            Notice::Replaced {
                names: vec!["PGHOST".to_owned(), "PGUSER".to_owned()],
            },
            "I --expand sets PGHOST, PGUSER anew; --keep NAME keeps what was there",
        ),
    ]);
}

#[test]
fn starts_that_never_came() {
    let gave_up = |reason| Notice::StartGaveUp { reason };
    let refused = |kind, detail| {
        gave_up(GaveUp::Refused {
            failure: failure(kind, detail),
        })
    };
    all_tell(vec![
        (
            gave_up(GaveUp::NoAnswer {
                last: Some(failure(FailureKind::Unavailable, "503 (HTML)")),
                timeout: seconds(60),
            }),
            "E nothing started: no good answer from Heroku within 1 min (last: 503 (HTML)). Start again later, or raise \
             --start-timeout",
        ),
        (
            gave_up(GaveUp::NoAnswer {
                last: None,
                timeout: seconds(5),
            }),
            "E nothing started: no good answer from Heroku within 5 s (last: no request ended). Start again later, or \
             raise --start-timeout",
        ),
        (
            refused(FailureKind::NoToken, "there is no token: give one"),
            "E nothing started on app acme: there is no token: give one",
        ),
        (
            refused(FailureKind::TokenRefused, "the token from /t (401)"),
            "E nothing started on app acme: Heroku refused the token from /t (401). Mend: heroku authorizations:create -s \
             read-protected, and use the new one",
        ),
        (
            refused(FailureKind::AppNotFound, "no app acme (404)"),
            "E nothing started on app acme: Heroku shows no app acme (404). Mend: check --app, and that the \
             token's owner has access to it",
        ),
        (
            gave_up(GaveUp::Unusable {
                faults: vec![("DATABASE_URL".to_owned(), Fault::Missing)],
                timeout: seconds(60),
            }),
            "E nothing started: DATABASE_URL is missing on app acme, for 1 min. Mend: heroku config -a acme shows what \
             there is; name it with --var or --database",
        ),
    ]);
}

#[test]
fn durations_as_people_say_them() {
    for (duration, expected) in [
        (Duration::ZERO, "0 s"),
        (Duration::from_micros(40), "40 µs"),
        (Duration::from_micros(1390), "1.3 ms"),
        (Duration::from_millis(5), "5 ms"),
        (Duration::from_millis(38), "38 ms"),
        (Duration::from_micros(999_999), "999 ms"),
        (Duration::from_millis(3499), "3.4 s"),
        (seconds(35), "35 s"),
        (Duration::from_millis(59_999), "59.9 s"),
        (seconds(60), "1 min"),
        (seconds(125), "2 min 5 s"),
        (seconds(3599), "59 min 59 s"),
        (seconds(3661), "1 h 1 min"),
        (seconds(86_400), "1 d"),
        (seconds(187_200), "2 d 4 h"),
    ] {
        assert_eq!(human(duration), expected);
    }
}

#[test]
fn ends_that_take_long() {
    all_tell(vec![
        (
            Notice::WentToBackground {
                pid: 4242,
                lived: Duration::from_millis(120),
            },
            "W pid 4242 ended after 120 ms and left processes in the background: stopping them, because only a program in the foreground can be supervised; run it there (nginx -g 'daemon off;', redis-server --daemonize no)",
        ),
        (
            still_alive(&["sh", "ruby\\n"], 2),
            "I pid 4242 is not gone after 5 s; still alive: sh (pid 4242), ruby\\n (pid 4243)",
        ),
        (
            still_alive(&["sh"], 8),
            "I pid 4242 is not gone after 5 s; still alive: sh (pid 4242) and 7 more",
        ),
    ]);
}
