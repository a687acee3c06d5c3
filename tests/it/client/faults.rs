//! Each of the simulator's faults, as the real client sees it: what all simulations of the core in
//! virtual time take for granted (`testing::seen`).

use std::time::Duration;

use changeover::heroku::Client;
use changeover::runtime::executor::fetch;
use changeover::supervisor::event::{ETag, FailureKind, FetchOutcome};
use changeover::testing::heroku::{Fault, Injection, Simulator};
use changeover::testing::seen::{Seen, seen};

use crate::support::canned::{Canned, Reply};
use crate::support::supervised::{simulator, url};

use super::{BODY, options, with_simulators_key};

/// No fault but silence lasts so long.
const TOTAL: Duration = Duration::from_secs(2);

fn client_of(simulator: &Simulator) -> Client {
    let mut options = options(&simulator.url(), with_simulators_key());
    options.selection.all_vars = true;
    options.timeouts.total = TOTAL;
    Client::new(options).unwrap()
}

/// What an outcome is in the words of the simulations; `None`: it is the truth.
fn read(outcome: &FetchOutcome) -> Option<Seen> {
    match outcome {
        FetchOutcome::Failed(failure) if failure.detail.starts_with("no answer within") => {
            Some(Seen::Silence)
        }
        // What is left of the account then: `what_the_account_has_left_is_read_from_errors_too`.
        FetchOutcome::Failed(failure) if failure.detail.starts_with("429 ") => {
            let stay_away = failure.retry_after.is_some();
            Some(Seen::Limited { stay_away })
        }
        FetchOutcome::Failed(failure) => Some(Seen::Failure(failure.kind)),
        FetchOutcome::NotModified => Some(Seen::FalseNotModified),
        FetchOutcome::Snapshot { snapshot, .. } => {
            let nothing_else = snapshot.others.is_empty();
            match &snapshot.watched["DATABASE_URL"] {
                Ok(value) => {
                    assert_eq!(value.expose(), url(2));
                    None
                }
                Err(_) if nothing_else => Some(Seen::NoVariables),
                Err(fault) => Some(Seen::Variable(*fault)),
            }
        }
    }
}

#[tokio::test]
async fn each_fault_is_seen_as_the_simulations_have_it() {
    let all: Vec<_> = Fault::ALL
        .map(|fault| tokio::spawn(holds_for(fault)))
        .into();
    for one in all {
        one.await.unwrap();
    }
}

async fn holds_for(fault: Fault) {
    let simulator = simulator();
    simulator.set_config("OTHER", Some("x"));
    let client = client_of(&simulator);
    let FetchOutcome::Snapshot { etag, .. } = fetch(&client, None).await.0 else {
        panic!("the simulator answers well at first");
    };
    simulator.set_config("DATABASE_URL", Some(&url(2)));
    let mut injection = Injection::from(fault);
    if fault == Fault::Late {
        injection = injection.delay(Duration::from_millis(200));
    }
    simulator.fault(injection);
    let found = async |tag: Option<ETag>| read(&fetch(&client, tag).await.0);
    let asked = (found(None).await, found(etag).await);
    let seen = seen(fault);
    let expected = match seen {
        Seen::FalseNotModified => (None, Some(seen)),
        Seen::Late => (None, None),
        Seen::Failure(_)
        | Seen::Limited { .. }
        | Seen::Silence
        | Seen::Variable(_)
        | Seen::NoVariables => (Some(seen), Some(seen)),
    };
    assert_eq!(asked, expected, "{fault}");
    simulator.clear_faults();
    assert_eq!(found(None).await, None, "{fault}: it is over");
}

/// What the network does, and not Heroku.
#[tokio::test]
async fn what_the_network_does_is_no_answer_and_says_what_it_is() {
    for (reply, expected) in [
        // The proxy, or whatever stands between, dies.
        (Reply::Bytes(Vec::new()), "connection closed"),
        // Half-open: it took the request, and nothing more is heard.
        (Reply::Hang(Vec::new()), "no answer within 2 s"),
    ] {
        let server = Canned::start(vec![reply]).await;
        let mut options = options(
            &format!("http://127.0.0.1:{}", server.port),
            super::with_key(),
        );
        options.timeouts.total = TOTAL;
        let client = Client::new(options).unwrap();
        let (FetchOutcome::Failed(failure), None) = fetch(&client, None).await else {
            panic!("{expected}");
        };
        assert_eq!(failure.kind, FailureKind::Unavailable, "{expected}");
        assert!(failure.detail.contains(expected), "{failure:?}");
    }
}

/// Some proxies call every answer HTML. It is the body that counts.
#[tokio::test]
async fn the_right_answer_under_a_wrong_name_is_right() {
    for content_type in [
        "text/html",
        "text/plain; charset=utf-16",
        "nonsense",
        "image/png",
    ] {
        let headers = format!("Content-Type: {content_type}\r\n");
        let server = Canned::start(vec![Reply::answer("200 OK", &headers, BODY)]).await;
        let client = super::client(&server);
        let (FetchOutcome::Snapshot { snapshot, .. }, _) = fetch(&client, None).await else {
            panic!("{content_type}");
        };
        assert!(snapshot.watched["DATABASE_URL"].is_ok(), "{content_type}");
    }
}
