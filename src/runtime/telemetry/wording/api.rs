//! The wording of an API that does not answer as it should, and of what mends that.

use std::time::Duration;

use tracing::Level;

use crate::credential::phrase;
use crate::supervisor::budget::ACCOUNT;
use crate::supervisor::event::{FailureKind, FetchFailure, Remedy};
use crate::supervisor::notice::{AccountNotice, Child};

use super::{CHECK_APP, error, human, info, nothing_runs, untouched, warn};

const NEW_TOKEN: &str = "heroku authorizations:create -s read-protected";

/// Both the first line about a failing API and its heartbeat.
pub(super) fn failing(
    failure: &FetchFailure,
    running: Option<Child>,
    since: Option<(Duration, u32)>,
) -> (Level, String) {
    let detail = phrase(&failure.detail);
    let since = since.map_or(String::new(), |(lasted, attempts)| {
        format!(" for {} ({})", human(lasted), requests(attempts))
    });
    let (what, mend) = match failure.kind {
        FailureKind::Unavailable => {
            let child = running.map_or_else(nothing_runs, untouched);
            let wait = failure.retry_after.map_or(String::new(), |wait| {
                format!(" (it asks for {} of rest)", human(wait))
            });
            let what = format!("Heroku API not answering{since}: {detail}");
            return warn(format!("{what}. {child}; retrying{wait}"));
        }
        // Its text is ours: it lists the places and says what to do.
        FailureKind::NoToken | FailureKind::TokenCommandFailed => {
            let child = running.map_or_else(nothing_runs, misses_changes);
            return error(format!("{}{since}. {child}; retrying", failure.detail));
        }
        FailureKind::TokenRefused => {
            let mend = mend_while_running(failure.remedy);
            (format!("Heroku refused {detail}{since}"), mend)
        }
        FailureKind::AppNotFound => (
            format!("Heroku shows {detail}{since}"),
            CHECK_APP.to_owned(),
        ),
    };
    match running {
        // What to do is told when it is final.
        None => warn(format!("{what}. {}; trying once more", nothing_runs())),
        Some(child) => error(format!("{what}. {}. Mend: {mend}", misses_changes(child))),
    }
}

fn requests(count: u32) -> String {
    if count == 1 {
        "1 request".to_owned()
    } else {
        format!("{count} requests")
    }
}

fn misses_changes(child: Child) -> String {
    let pid = child.pid;
    format!("pid {pid} keeps running, but changes are being missed")
}

pub(super) fn recovered(lasted: Duration, attempts: u32) -> String {
    let failed = requests(attempts);
    format!(
        "Heroku API answers again after {}, {failed} failed",
        human(lasted)
    )
}

/// The account has little left, or enough again.
pub(super) fn account(notice: &AccountNotice) -> (Level, String) {
    match notice {
        AccountNotice::Scarce { left, stretched } => warn(format!(
            "only {left} of the account's {ACCOUNT} requests an hour are left: Heroku is asked every {}, and a change may \
             be seen that late. Mend: find out what else uses them, or give this host a token of another account",
            human(*stretched)
        )),
        AccountNotice::Ample { left, interval } => info(format!(
            "the account has {left} requests left again: Heroku is asked every {}",
            human(*interval)
        )),
    }
}

/// What to do about a refused token, without a word about when it is seen.
pub(super) fn mend(remedy: Option<Remedy>) -> String {
    match remedy {
        Some(Remedy::File) => format!("{NEW_TOKEN}, write it there"),
        Some(Remedy::Command) => format!("{NEW_TOKEN}, have the command print it"),
        Some(Remedy::Environment) => format!("{NEW_TOKEN}, start again with it in HEROKU_API_KEY"),
        Some(Remedy::Credential) => {
            format!(
                "{NEW_TOKEN}, write it to the file that LoadCredential= names, restart the unit"
            )
        }
        Some(Remedy::CliLogin) => "heroku login".to_owned(),
        Some(Remedy::Account) => "settle it with Heroku".to_owned(),
        None => format!("{NEW_TOKEN}, and use the new one"),
    }
}

fn mend_while_running(remedy: Option<Remedy>) -> String {
    let mend = mend(remedy);
    match remedy {
        Some(Remedy::File | Remedy::Command | Remedy::CliLogin | Remedy::Account) => {
            format!("{mend}; no restart needed")
        }
        Some(Remedy::Environment | Remedy::Credential) | None => mend,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{all_tell, child, failure, seconds, told};
    use super::*;
    use crate::supervisor::notice::{GaveUp, Notice};

    fn refused(remedy: Remedy) -> FetchFailure {
        FetchFailure {
            remedy: Some(remedy),
            ..failure(FailureKind::TokenRefused, "the token from /run/t (401)")
        }
    }

    #[test]
    fn an_api_that_asks_for_rest() {
        let mut throttled = failure(FailureKind::Unavailable, "429");
        throttled.retry_after = Some(seconds(30));
        all_tell(vec![(
            Notice::FetchFailing {
                failure: throttled,
                running: None,
            },
            "W Heroku API not answering: 429. Nothing runs yet; retrying (it asks for 30 s of rest)",
        )]);
    }

    #[test]
    fn an_api_that_does_not_answer() {
        let failing = |kind, detail, running| Notice::FetchFailing {
            failure: failure(kind, detail),
            running,
        };
        let running = Some(child(4242, 3));
        all_tell(vec![
            (
                failing(FailureKind::Unavailable, "503 (HTML)", running),
                "W Heroku API not answering: 503 (HTML). pid 4242 untouched on revision 3; retrying",
            ),
            (
                Notice::FetchFailing {
                    failure: refused(Remedy::File),
                    running,
                },
                "E Heroku refused the token from /run/t (401). pid 4242 keeps running, but changes are being missed. \
             Mend: heroku authorizations:create -s read-protected, write it there; no restart needed",
            ),
            (
                failing(FailureKind::AppNotFound, "no app acme (404)", running),
                "E Heroku shows no app acme (404). pid 4242 keeps running, but changes are being missed. Mend: \
             check --app, and that the token's owner has access to it",
            ),
            (
                failing(
                    FailureKind::NoToken,
                    "/run/t is empty: write it there",
                    None,
                ),
                "E /run/t is empty: write it there. Nothing runs yet; retrying",
            ),
            (
                Notice::FetchStillFailing {
                    failure: failure(FailureKind::Unavailable, "connection refused"),
                    lasted: seconds(900),
                    attempts: 12,
                    running,
                },
                "W Heroku API not answering for 15 min (12 requests): connection refused. pid 4242 untouched on revision 3; \
             retrying",
            ),
            (
                Notice::FetchRecovered {
                    lasted: seconds(125),
                    attempts: 1,
                },
                "I Heroku API answers again after 2 min 5 s, 1 request failed",
            ),
        ]);
    }

    #[test]
    fn a_refused_token_is_mended_where_it_came_from() {
        const NEW: &str = "heroku authorizations:create -s read-protected, ";
        for (remedy, mend, no_restart) in [
            (Remedy::File, "write it there", true),
            (Remedy::Command, "have the command print it", true),
            (
                Remedy::Environment,
                "start again with it in HEROKU_API_KEY",
                false,
            ),
            (Remedy::Credential, "restart the unit", false),
            (Remedy::CliLogin, "Mend: heroku login", true),
            (Remedy::Account, "Mend: settle it with Heroku", true),
        ] {
            let while_it_runs = told(&Notice::FetchFailing {
                failure: refused(remedy),
                running: Some(child(4242, 3)),
            });
            let at_the_start = told(&Notice::StartGaveUp {
                reason: GaveUp::Refused {
                    failure: refused(remedy),
                },
            });
            for line in [&while_it_runs, &at_the_start] {
                assert!(line.contains(mend), "{line}");
                assert_eq!(line.contains(NEW), !mend.contains("Mend: "), "{line}");
            }
            let says = while_it_runs.ends_with("; no restart needed");
            assert_eq!(says, no_restart, "{while_it_runs}");
            assert!(!at_the_start.contains("no restart"), "{at_the_start}");
        }
    }
}
