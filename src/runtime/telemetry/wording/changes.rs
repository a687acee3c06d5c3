//! The words for a change on its way.

use std::time::Duration;

use crate::credential::{Kind, phrase};
use crate::supervisor::event::LoginOutcome;
use crate::supervisor::id::Revision;
use crate::supervisor::notice::{HeldChange, Proof, Splay};

use super::human;

/// No line names more variables.
const NAMES_MAX: usize = 20;

/// It is confirmed.
pub(super) fn confirmed(
    changed: &[(String, Kind)],
    from: Revision,
    to: Revision,
    login: &Proof,
) -> String {
    let (changed, proof) = (differences(changed, "changed"), proof(login));
    format!("{changed} (revision {from}→{to}){proof}")
}

pub(super) fn settling(changed: &[(String, Kind)], debounce: Duration) -> String {
    let differences = differences(changed, "differs");
    format!(
        "{differences}; confirming after {} of quiet",
        human(debounce)
    )
}

pub(super) fn deferred(changed: &[(String, Kind)], splay: Splay) -> String {
    let differences = differences(changed, "changed");
    match splay {
        Splay::Begins(delay) => format!("{differences}; acting in {} (--splay)", human(delay)),
        Splay::CutShort(left) => format!(
            "{differences}; acting now, not in {} (--splay), because the old credential works no more",
            human(left)
        ),
    }
}

/// `DATABASE_URL changed: password, REDIS_URL changed: value`.
fn differences(changed: &[(String, Kind)], verb: &str) -> String {
    let one = |(name, kind): &(String, Kind)| format!("{} {verb}: {kind}", phrase(name));
    let told: Vec<_> = changed.iter().take(NAMES_MAX).map(one).collect();
    let told = told.join(", ");
    match changed.len().saturating_sub(NAMES_MAX) {
        0 => told,
        more => format!("{told}, and {more} more"),
    }
}

fn proof(login: &Proof) -> String {
    let outcome = match login {
        Proof::LoggedIn { took } => return format!(", login ok in {}", human(*took)),
        Proof::NotTried => return String::new(),
        Proof::Unproven { outcome } => outcome,
    };
    match outcome {
        LoginOutcome::Accepted => String::new(),
        // Only where a refusal decides nothing.
        LoginOutcome::Refused { code } => {
            format!(
                ", though its login was refused ({}): none from this host has ever worked",
                phrase(code)
            )
        }
        LoginOutcome::Unreachable { detail } => {
            format!(
                ", without a login, which was not possible ({})",
                phrase(detail)
            )
        }
    }
}

pub(super) fn held(change: &HeldChange) -> String {
    let (name, running) = (phrase(&change.name), change.running);
    let retry_in = human(change.retry_in);
    let why = match &change.outcome {
        LoginOutcome::Accepted => format!("the new {name} waits"),
        LoginOutcome::Refused { code } => {
            format!("Postgres refuses the new {name} ({})", phrase(code))
        }
        LoginOutcome::Unreachable { detail } => {
            format!("no login with the new {name} so far ({})", phrase(detail))
        }
    };
    format!(
        "{why}. Nothing is touched on revision {running}; trying again in {}",
        retry_in
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_tell, seconds};
    use super::*;
    use crate::supervisor::notice::Notice;

    #[test]
    fn a_splay_and_its_early_end() {
        let deferred = |splay| Notice::Splay {
            changed: vec![("DATABASE_URL".to_owned(), Kind::Password)],
            splay,
        };
        all_tell(vec![
            (
                deferred(Splay::Begins(seconds(12))),
                "I DATABASE_URL changed: password; acting in 12 s (--splay)",
            ),
            (
                deferred(Splay::CutShort(seconds(7))),
                "I DATABASE_URL changed: password; acting now, not in 7 s (--splay), because the old credential works \
                 no more",
            ),
        ]);
    }

    #[test]
    fn a_huge_change_is_one_short_line() {
        let changed = |count: u32| {
            let one = |number| (format!("V{number}"), Kind::Other);
            (0..count).map(one).collect::<Vec<_>>()
        };
        assert!(differences(&changed(20), "differs").ends_with(", V19 differs: value"));
        let told = differences(&changed(3000), "differs");
        assert!(
            told.ends_with(", V19 differs: value, and 2980 more"),
            "{told}"
        );
    }
}
