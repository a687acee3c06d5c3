//! What is asked of one add-on: its plan, and when it is backed up.

use changeover::heroku::{Backup, Client, FetchError};
use changeover::testing::heroku::{Fault, Injection, Options, Simulator};

use super::{options, with_key};

/// The simulator's first add-on.
const ADDON: &str = "5ca1ab1e-0000-4000-8000-000000000001";
const NAME: &str = "postgresql-curved-12345";

fn simulator() -> (Simulator, Client) {
    let simulator = Simulator::start(Options {
        token: "HRKU-CANARY".to_owned(),
        ..Options::default()
    })
    .unwrap();
    let client = Client::new(options(&simulator.url(), with_key())).unwrap();
    (simulator, client)
}

#[tokio::test]
async fn its_plan_and_its_backups() {
    let (simulator, client) = simulator();
    let plan = client.plan(ADDON).await.unwrap();
    assert_eq!(plan, "heroku-postgresql:standard-0");
    simulator.set_plan(NAME, "heroku-postgresql:shield-2");
    let plan = client.plan(ADDON).await.unwrap();
    assert_eq!(plan, "heroku-postgresql:shield-2");
    let backup = |hour: &str| Backup {
        hour: hour.to_owned(),
        timezone: "UTC".to_owned(),
    };
    assert_eq!(client.backups(ADDON).await, Ok(vec![backup("2")]));
    simulator.set_backups(NAME, &[]);
    assert_eq!(client.backups(ADDON).await, Ok(Vec::new()));
}

#[tokio::test]
async fn no_answer_is_an_error_that_names_what_was_asked() {
    let (simulator, client) = simulator();
    let unknown = client.plan("postgresql-none").await.unwrap_err();
    assert!(
        matches!(&unknown, FetchError::Unavailable { detail, .. } if detail.starts_with("404 not_found")),
        "{unknown:?}"
    );
    simulator.fault(Injection::from(Fault::Forbidden).on("transfer-schedules"));
    let refused = client.backups(ADDON).await.unwrap_err();
    assert!(matches!(
        refused,
        FetchError::TokenRefused { status: 403, .. }
    ));
    assert!(
        refused.to_string().contains("for transfer-schedules"),
        "{refused}"
    );
    for (fault, expected) in [
        (Fault::EmptyBody, "200 (empty)"),
        (Fault::Garbage, "200, but not transfer-schedules"),
        (Fault::Unavailable, "503 (HTML) for transfer-schedules"),
    ] {
        simulator.fault(Injection::from(fault).on("transfer-schedules"));
        let error = client.backups(ADDON).await.unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let elsewhere = options("https://gateway.corp", with_key());
    let error = Client::new(elsewhere).unwrap().backups(ADDON).await;
    let error = error.unwrap_err().to_string();
    assert_eq!(error, "no data API is known beside this API's address");
}
