//! The simulated Heroku behaves as the recorded one did, and misbehaves as it is told.

use std::io;
use std::time::Duration;

use changeover::testing::heroku::{Fault, Injection, Options, RotationOrder, Simulator};
use serde_json::{Value, json};

use crate::raw_http::{Answer, send};

const TOKEN: &str = "HRKU-goodtoken";
const BEARER: (&str, &str) = ("authorization", "Bearer HRKU-goodtoken");
const ACCEPT: (&str, &str) = ("accept", "application/vnd.heroku+json; version=3");
const CONFIG_VARS: &str = "/apps/myapp/config-vars";
const OLD_URL: &str = "postgres://u1:p1@ec2-1.compute-1.amazonaws.com:5432/d1";
const PATIENCE: Duration = Duration::from_secs(5);

fn simulator() -> Simulator {
    let config = [("DATABASE_URL", OLD_URL), ("FOO", "it's a \"test\"\nline2")];
    let config = config.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let options = Options {
        token: TOKEN.to_owned(),
        config: config.to_vec(),
        ..Options::default()
    };
    Simulator::start(options).unwrap()
}

fn get_with(simulator: &Simulator, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    send(simulator.address(), ("GET", path), headers, "", PATIENCE)
}

fn get(simulator: &Simulator, path: &str) -> Answer {
    get_with(simulator, path, &[BEARER, ACCEPT]).unwrap()
}

fn post(simulator: &Simulator, path: &str, body: &Value) -> Answer {
    let headers = [BEARER, ACCEPT];
    send(
        simulator.address(),
        ("POST", path),
        &headers,
        &body.to_string(),
        PATIENCE,
    )
    .unwrap()
}

/// Waits for something that another thread brings about.
fn until(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("waited in vain until {what}");
}

/// Whether `path` (`addon.plan.name`, `[].id`) leads to something.
fn has(value: &Value, path: &str) -> bool {
    if path.is_empty() {
        return true;
    }
    if let Some(rest) = path.strip_prefix("[]") {
        let rest = rest.strip_prefix('.').unwrap_or(rest);
        return value
            .as_array()
            .is_some_and(|list| list.iter().any(|one| has(one, rest)));
    }
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (key, rest) = path.split_at(end);
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    value.get(key).is_some_and(|inner| has(inner, rest))
}

#[test]
fn answers_every_request_that_the_heroku_cli_was_recorded_to_send() {
    let cases: Value =
        serde_json::from_str(include_str!("fixtures/heroku_cli_exchanges.json")).unwrap();
    for case in cases.as_array().unwrap() {
        let simulator = simulator();
        simulator.set_promotion_gap(Duration::ZERO);
        for request in case["requests"].as_array().unwrap() {
            let text = |field: &str| request[field].as_str().unwrap();
            let headers = request["headers"].as_object().unwrap().iter();
            let headers: Vec<_> = headers
                .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
                .collect();
            let line = (text("method"), text("path"));
            let answer = send(simulator.address(), line, &headers, text("body"), PATIENCE).unwrap();
            let what = format!(
                "{}: {} {}: {}",
                case["command"],
                line.0,
                line.1,
                answer.text()
            );
            assert_eq!(answer.status, request["status"], "{what}");
            for path in request["answer"].as_array().unwrap() {
                let path = path.as_str().unwrap();
                assert!(has(&answer.json(), path), "{path} is missing: {what}");
            }
        }
    }
}

#[test]
fn refuses_as_heroku_does() {
    let simulator = simulator();
    let status = |headers: &[(&str, &str)], path| {
        let answer = get_with(&simulator, path, headers).unwrap();
        (
            answer.status,
            answer.json()["id"].as_str().unwrap_or_default().to_owned(),
        )
    };
    let bad = ("authorization", "Bearer undefined");
    assert_eq!(status(&[ACCEPT], CONFIG_VARS), (401, "unauthorized".into()));
    assert_eq!(
        status(&[ACCEPT, bad], CONFIG_VARS),
        (401, "unauthorized".into())
    );
    assert_eq!(
        status(&[BEARER], CONFIG_VARS),
        (406, "not_acceptable".into())
    );
    assert_eq!(
        status(&[BEARER, ACCEPT], "/apps/other/config-vars"),
        (404, "not_found".into())
    );
    assert_eq!(
        status(&[BEARER, ACCEPT], "/nothing/here"),
        (404, "not_found".into())
    );
    simulator.set_token("HRKU-next");
    assert_eq!(
        status(&[BEARER, ACCEPT], CONFIG_VARS),
        (401, "unauthorized".into())
    );
}

#[test]
fn a_token_reaches_as_far_as_its_scope() {
    let simulator = simulator();
    for (scope, expected) in [("read-protected", 200), ("read", 403)] {
        let made = post(
            &simulator,
            "/oauth/authorizations",
            &json!({ "scope": [scope] }),
        );
        let token = format!(
            "Bearer {}",
            made.json()["access_token"]["token"].as_str().unwrap()
        );
        let headers = [("authorization", token.as_str()), ACCEPT];
        let answer = get_with(&simulator, CONFIG_VARS, &headers).unwrap();
        assert_eq!(answer.status, expected, "{scope}");
        assert_eq!(answer.header("oauth-scope"), Some(scope));
    }
}

#[test]
fn an_etag_is_good_until_the_value_changes() {
    let simulator = simulator();
    let etag = get(&simulator, CONFIG_VARS)
        .header("etag")
        .unwrap()
        .to_owned();
    let conditional = || {
        let headers = [BEARER, ACCEPT, ("if-none-match", etag.as_str())];
        get_with(&simulator, CONFIG_VARS, &headers).unwrap()
    };
    let unchanged = conditional();
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    simulator.set_config("FOO", Some("2"));
    assert_eq!(conditional().status, 200);
    simulator.fault(Fault::FalseNotModified);
    assert_eq!(conditional().status, 304);
    assert_eq!(get(&simulator, CONFIG_VARS).status, 200);
}

#[test]
fn each_call_costs_one_of_the_account_s_budget() {
    let simulator = simulator();
    let remaining = |answer: &Answer| answer.header("ratelimit-remaining").unwrap().to_owned();
    assert_eq!(remaining(&get(&simulator, CONFIG_VARS)), "4499");
    simulator.set_rate_limit_remaining(0);
    let answer = get(&simulator, CONFIG_VARS);
    assert_eq!(
        (answer.status, answer.json()["id"].as_str()),
        (429, Some("rate_limit"))
    );
    assert_eq!(answer.header("retry-after"), None);
    let limits = get(&simulator, "/account/rate-limits");
    assert_eq!(
        (limits.status, limits.json()["remaining"].as_u64()),
        (200, Some(0))
    );
}

#[test]
fn requests_are_recorded() {
    let simulator = simulator();
    let headers = [BEARER, ACCEPT, ("if-none-match", "\"x\"")];
    get_with(&simulator, CONFIG_VARS, &headers).unwrap();
    let records = simulator.requests();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].method.as_str(), records[0].path.as_str()),
        ("GET", CONFIG_VARS)
    );
    assert_eq!(records[0].if_none_match.as_deref(), Some("\"x\""));
    assert_eq!((records[0].status, records[0].faulted), (Some(200), None));
}

const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(20);

#[test]
fn a_rotation_may_change_the_config_var_late() {
    let simulator = simulator();
    simulator.set_rotation(RotationOrder::ConnectionsFirst, HOUR);
    simulator.rotate("default").unwrap();
    assert_eq!(
        simulator.config_var("DATABASE_URL").as_deref(),
        Some(OLD_URL)
    );
    simulator.set_rotation(RotationOrder::ConnectionsFirst, SOON);
    simulator.rotate("default").unwrap();
    until("the config var has changed", || {
        simulator.config_var("DATABASE_URL").as_deref() != Some(OLD_URL)
    });
    assert_eq!(
        simulator.releases().last().unwrap(),
        "Update DATABASE by heroku-postgresql"
    );
    assert!(simulator.rotate("nobody").is_err());
}

#[test]
fn a_promotion_leaves_a_gap_without_a_database_url() {
    let promote = |gap| {
        let simulator = simulator();
        simulator.set_promotion_gap(gap);
        simulator.promote("HEROKU_POSTGRESQL_COBALT").unwrap();
        simulator
    };
    let forever = promote(HOUR);
    assert!(
        get(&forever, CONFIG_VARS)
            .json()
            .get("DATABASE_URL")
            .is_none()
    );
    let simulator = promote(SOON);
    until("the other database is attached", || {
        simulator.config_var("DATABASE_URL").is_some()
    });
    let config = simulator.config();
    assert_eq!(
        config["DATABASE_URL"],
        config["HEROKU_POSTGRESQL_COBALT_URL"]
    );
    let releases = simulator.releases();
    let last_two = &releases[releases.len() - 2..];
    assert_eq!(
        last_two[0],
        "Detach DATABASE (@ref:postgresql-curved-12345)"
    );
    assert_eq!(last_two[1], "Attach DATABASE (@ref:postgresql-round-54321)");
}

#[test]
fn faults_are_controlled_over_http_and_recorded() {
    let simulator = simulator();
    let order = json!({ "fault": "503_html", "times": 1, "retry_after": 7 });
    assert_eq!(post(&simulator, "/simulator/faults", &order).status, 200);
    let answer = get(&simulator, CONFIG_VARS);
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (503, Some("7"))
    );
    assert_eq!(get(&simulator, CONFIG_VARS).status, 200);
    assert_eq!(
        post(&simulator, "/simulator/faults", &json!({ "fault": "no" })).status,
        422
    );
    post(&simulator, "/simulator/faults", &json!({ "fault": "500" }));
    send(
        simulator.address(),
        ("DELETE", "/simulator/faults"),
        &[],
        "",
        PATIENCE,
    )
    .unwrap();
    assert_eq!(get(&simulator, CONFIG_VARS).status, 200);

    let log = get(&simulator, "/simulator/requests").json();
    assert_eq!(
        (log["total"].as_u64(), log["faulted"].as_u64()),
        (Some(3), Some(1))
    );
    assert_eq!(log["requests"][0]["faulted"], "503_html");
}

#[test]
fn a_fault_hits_what_it_is_on_and_an_add_on_is_changed_over_http() {
    let simulator = simulator();
    let addon = "5ca1ab1e-0000-4000-8000-000000000001";
    let schedules = format!("/client/v11/databases/{addon}/transfer-schedules");
    let addon_path = format!("/addons/{addon}");
    for (on, path) in [("addons", &addon_path), ("transfer-schedules", &schedules)] {
        let order = json!({ "fault": "403", "on": on });
        assert_eq!(post(&simulator, "/simulator/faults", &order).status, 200);
        assert_eq!(get(&simulator, path).status, 403);
        assert_eq!(get(&simulator, CONFIG_VARS).status, 200);
    }
    let order = json!({ "fault": "403", "on": "everything" });
    assert_eq!(post(&simulator, "/simulator/faults", &order).status, 422);
    simulator.clear_faults();

    assert_eq!(get(&simulator, &schedules).json()[0]["hour"], 2);
    let name = "postgresql-curved-12345";
    let order = json!({ "addon": name, "plan": "heroku-postgresql:private-0", "backups": [3, 15] });
    assert_eq!(post(&simulator, "/simulator/addon", &order).status, 200);
    assert_eq!(get(&simulator, &schedules).json()[1]["hour"], 15);
    let plan = &get(&simulator, &addon_path).json()["plan"]["name"];
    assert_eq!(plan, "heroku-postgresql:private-0");
    let order = json!({ "addon": "postgresql-none" });
    assert_eq!(post(&simulator, "/simulator/addon", &order).status, 404);
}

#[test]
fn databases_config_vars_and_the_token_are_controlled_over_http() {
    let simulator = simulator();
    let before = simulator.config_var("DATABASE_URL");
    post(&simulator, "/simulator/rotate", &json!({}));
    assert_ne!(simulator.config_var("DATABASE_URL"), before);
    post(
        &simulator,
        "/simulator/pace",
        &json!({ "promotion_gap_ms": 0 }),
    );
    post(
        &simulator,
        "/simulator/promote",
        &json!({ "attachment": "HEROKU_POSTGRESQL_COBALT" }),
    );
    let config = simulator.config();
    assert_eq!(
        config["DATABASE_URL"],
        config["HEROKU_POSTGRESQL_COBALT_URL"]
    );

    post(
        &simulator,
        "/simulator/config",
        &json!({ "FOO": null, "BAR": "1" }),
    );
    post(&simulator, "/simulator/config/raw", &json!({ "BAZ": 5 }));
    let config = get(&simulator, "/simulator/config").json();
    assert_eq!((&config["BAR"], &config["BAZ"]), (&json!("1"), &json!(5)));
    assert_eq!(config.get("FOO"), None);

    post(
        &simulator,
        "/simulator/token",
        &json!({ "token": "HRKU-next" }),
    );
    assert_eq!(get(&simulator, CONFIG_VARS).status, 401);
}

#[test]
fn listens_on_loopback_only() {
    let options = Options {
        listen: ([0, 0, 0, 0], 0).into(),
        ..Options::default()
    };
    let error = Simulator::start(options).err().unwrap();
    assert!(error.to_string().contains("loopback"), "{error}");
}

#[test]
fn a_dropped_simulator_answers_no_more() {
    let simulator = simulator();
    let address = simulator.address();
    drop(simulator);
    assert!(send(address, ("GET", CONFIG_VARS), &[], "", PATIENCE).is_err());
}

/// The answer to one `GET config-vars` that suffers a fault. The next one is true again.
fn faulted(injection: impl Into<Injection>) -> io::Result<Answer> {
    let simulator = simulator();
    simulator.fault(injection.into().times(1));
    let headers = [BEARER, ACCEPT, ("if-none-match", "\"old\"")];
    let line = ("GET", CONFIG_VARS);
    let patience = Duration::from_secs(1);
    let answer = send(simulator.address(), line, &headers, "", patience);
    assert_eq!(simulator.faulted_count(), 1);
    let healthy = get(&simulator, CONFIG_VARS);
    assert_eq!(
        (healthy.status, &healthy.json()["DATABASE_URL"]),
        (200, &json!(OLD_URL))
    );
    answer
}

#[test]
fn refusals_carry_heroku_s_status_and_id() {
    for (fault, status, id, retry_after) in [
        (Fault::Unauthorized, 401, "unauthorized", None),
        (Fault::Forbidden, 403, "forbidden", None),
        (Fault::NotFound, 404, "not_found", None),
        (Fault::RateLimited, 429, "rate_limit", None),
        (Fault::RetryAfterSeconds, 429, "rate_limit", Some("5")),
        (Fault::ServerError, 500, "internal_server_error", None),
    ] {
        let answer = faulted(fault).unwrap();
        assert_eq!(
            (answer.status, answer.json()["id"].as_str()),
            (status, Some(id)),
            "{fault}"
        );
        assert_eq!(answer.header("retry-after"), retry_after, "{fault}");
    }
    let answer = faulted(Fault::RetryAfterDate).unwrap();
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").unwrap().ends_with(" GMT"));
}

#[test]
fn a_bad_value_comes_in_a_good_answer() {
    for (fault, expected) in [
        (Fault::MissingKey, None),
        (Fault::Null, Some(Value::Null)),
        (Fault::EmptyString, Some(json!(""))),
        (Fault::Number, Some(json!(5432))),
        (
            Fault::MalformedUrl,
            Some(json!("postgres://user:pass word@:not-a-port/%zz")),
        ),
    ] {
        let answer = faulted(fault).unwrap();
        assert_eq!(answer.status, 200, "{fault}");
        assert_eq!(
            answer.json().get("DATABASE_URL"),
            expected.as_ref(),
            "{fault}"
        );
        assert!(answer.json().get("FOO").is_some(), "{fault}");
    }
    assert_eq!(faulted(Fault::EmptyMap).unwrap().json(), json!({}));
}

#[test]
fn a_body_may_be_no_json_at_all() {
    let answer = faulted(Fault::Unavailable).unwrap();
    assert_eq!(answer.status, 503);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    assert!(answer.text().contains("<html>"));
    let answer = faulted(Fault::EmptyBody).unwrap();
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    let answer = faulted(Fault::Garbage).unwrap();
    assert_eq!(answer.status, 200);
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[test]
fn a_huge_body_is_good_json_of_untold_length() {
    let answer = faulted(Fault::HugeBody).unwrap();
    assert!(answer.body.len() > 1 << 20 && !answer.cut);
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.json()["DATABASE_URL"], OLD_URL);
}

#[test]
fn a_truncated_body_ends_in_the_middle() {
    let answer = faulted(Fault::TruncatedBody).unwrap();
    assert!(answer.cut && !answer.body.is_empty(), "{answer:?}");
}

#[test]
fn a_reset_is_a_reset_and_a_hang_gives_nothing() {
    let error = faulted(Fault::Reset).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    let error = faulted(Fault::Hang).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
}

#[test]
fn a_redirect_leads_to_another_host() {
    let answer = faulted(Fault::Redirect).unwrap();
    assert_eq!(answer.status, 302);
    assert!(
        answer
            .header("location")
            .unwrap()
            .starts_with("http://elsewhere.invalid/")
    );
    let injection = Injection::from(Fault::Redirect).location("http://127.0.0.1:9/");
    assert_eq!(
        faulted(injection).unwrap().header("location"),
        Some("http://127.0.0.1:9/")
    );
}

#[test]
fn a_false_304_comes_although_the_value_changed() {
    assert_eq!(faulted(Fault::FalseNotModified).unwrap().status, 304);
}

#[test]
fn slow_and_late_answers_are_true_and_take_their_time() {
    for (fault, delay_ms) in [(Fault::SlowBody, 1), (Fault::Late, 300)] {
        let simulator = simulator();
        let delay = Duration::from_millis(delay_ms);
        simulator.fault(Injection::from(fault).delay(delay).times(1));
        let answer = get(&simulator, CONFIG_VARS);
        get(&simulator, "/account");
        assert_eq!((answer.status, answer.cut), (200, false), "{fault}");
        assert_eq!(answer.json()["DATABASE_URL"], OLD_URL, "{fault}");
        let records = simulator.requests();
        let took = records[1].at - records[0].at;
        assert!(took >= Duration::from_millis(200), "{fault}: {took:?}");
    }
}
