//! The wording of readiness, of two children at once, and of a missed watchdog.

use std::time::Duration;

use crate::credential::phrase;
use crate::supervisor::notice::{Child, Unready};
use crate::supervisor::signal::Signal;

use super::human;

pub(super) fn started_beside(child: Child, serving: Child, timeout: Duration) -> String {
    let (Child { pid, revision }, old) = (child, serving.pid);
    let timeout = human(timeout);
    format!(
        "pid {pid} started on revision {revision}; pid {old} serves until it is ready, within {timeout}"
    )
}

pub(super) fn took_over(child: Child, change: Option<Duration>) -> String {
    let Child { pid, revision } = child;
    let seen = |change| format!("; change seen→applied {}", human(change));
    let change = change.map(seen).unwrap_or_default();
    format!("pid {pid} serves now, on revision {revision}; no dead time{change}")
}

pub(super) fn took_over_early(child: Child) -> String {
    let Child { pid, revision } = child;
    format!("pid {pid}, on revision {revision}, takes its place before it is ready")
}

pub(super) fn not_ready(child: Child, unready: &Unready) -> String {
    let pid = child.pid;
    match unready {
        Unready::Late { after, why } => format!(
            "pid {pid} is not ready after {} (--ready-timeout): {}",
            human(*after),
            phrase(why)
        ),
        Unready::Never { why } => format!(
            "pid {pid} will never count as ready: {}. It goes on; have it tell when it serves (--ready)",
            phrase(why)
        ),
    }
}

pub(super) fn unheard(child: Child, why: &str) -> String {
    let (pid, why) = (child.pid, phrase(why));
    format!(
        "pid {pid} cannot be heard any more: {why}. It goes on without --watchdog until it is started again"
    )
}

pub(super) fn rolled_back(
    child: Child,
    serving: Child,
    unready: Option<&Unready>,
    retry_in: Duration,
) -> String {
    let (pid, retry_in) = (child.pid, human(retry_in));
    let how = match unready {
        None => String::new(),
        Some(Unready::Late { after, why }) => {
            let (after, why) = (human(*after), phrase(why));
            format!(" within {after} (--ready-timeout: {why})")
        }
        Some(Unready::Never { why }) => format!(", and never will: {}", phrase(why)),
    };
    format!(
        "pid {pid} did not become ready on revision {}{how}. pid {} keeps serving on revision {}; trying again in {retry_in}",
        child.revision, serving.pid, serving.revision
    )
}

pub(super) fn waits(child: Child, signal: Signal, timeout: Duration) -> String {
    let (pid, timeout) = (child.pid, human(timeout));
    format!(
        "pid {pid} is still starting up: {signal} is sent when it is ready, or in {timeout} at the latest"
    )
}

pub(super) fn superseded(child: Child) -> String {
    let Child { pid, revision } = child;
    format!("pid {pid}, on revision {revision}, is no longer wanted before it was ready")
}

pub(super) fn hung(child: Child, timeout: Duration) -> String {
    let (pid, timeout) = (child.pid, human(timeout));
    format!("pid {pid} missed its watchdog: ABRT, up to {timeout}, and it is started again")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::id::Revision;

    fn late() -> Unready {
        Unready::Late {
            after: Duration::from_secs(1),
            why: "no\u{1b} READY=1".to_owned(),
        }
    }

    fn never() -> Unready {
        Unready::Never {
            why: "it is gone\u{1b}".to_owned(),
        }
    }

    #[test]
    fn two_children_are_told_apart() {
        let child = |pid, revision| Child {
            pid,
            revision: Revision(revision),
        };
        let (new, old, second) = (child(4311, 3), child(4242, 2), Duration::from_secs(1));
        for (line, expected) in [
            (
                started_beside(new, old, second),
                "pid 4311 started on revision 3; pid 4242 serves until it is ready, within 1 s",
            ),
            (
                took_over(new, Some(Duration::from_millis(3456))),
                "pid 4311 serves now, on revision 3; no dead time; change seen→applied 3.4 s",
            ),
            (
                took_over_early(new),
                "pid 4311, on revision 3, takes its place before it is ready",
            ),
            (
                rolled_back(new, old, None, second),
                "pid 4311 did not become ready on revision 3. pid 4242 keeps serving on revision 2; \
                 trying again in 1 s",
            ),
            (
                rolled_back(new, old, Some(&late()), second),
                "pid 4311 did not become ready on revision 3 within 1 s (--ready-timeout: no\\u{1b} READY=1). pid 4242 keeps serving on \
                 revision 2; trying again in 1 s",
            ),
            (
                rolled_back(new, old, Some(&never()), second),
                "pid 4311 did not become ready on revision 3, and never will: it is gone\\u{1b}. pid 4242 keeps serving on \
                 revision 2; trying again in 1 s",
            ),
            (
                not_ready(new, &never()),
                "pid 4311 will never count as ready: it is gone\\u{1b}. It goes on; have it tell when it serves (--ready)",
            ),
            (
                unheard(new, "EIO"),
                "pid 4311 cannot be heard any more: EIO. It goes on without --watchdog until it is started again",
            ),
            (
                superseded(new),
                "pid 4311, on revision 3, is no longer wanted before it was ready",
            ),
            (
                waits(new, Signal::HUP, second),
                "pid 4311 is still starting up: HUP is sent when it is ready, or in 1 s at the latest",
            ),
            (
                hung(new, second),
                "pid 4311 missed its watchdog: ABRT, up to 1 s, and it is started again",
            ),
        ] {
            assert_eq!(line, expected);
        }
    }
}
