//! The controls over HTTP, under `/simulator`: what [`super::Simulator`] offers to Rust, for
//! everything else.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::Json;
use axum::routing::{get, post};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::change::{self, Gap};
use super::database::RotationOrder;
use super::fault::Fault;
use super::injection::Injection;
use super::problem::Problem;
use super::shared::{RequestRecord, Shared};

type Answer = Result<Json<Value>, Problem>;
type Sim = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/simulator", get(overview))
        .route(
            "/simulator/faults",
            get(faults).post(add_fault).delete(clear_faults),
        )
        .route("/simulator/rotate", post(rotate))
        .route("/simulator/promote", post(promote))
        .route("/simulator/addon", post(set_addon))
        .route("/simulator/pace", post(set_pace))
        .route("/simulator/config", get(config).post(merge_config))
        .route("/simulator/config/raw", post(set_raw))
        .route("/simulator/token", post(set_token))
        .route("/simulator/rate-limit", post(set_budget))
        .route("/simulator/requests", get(requests))
}

/// The body, whatever its content type says (curl's is that of a form); nothing counts as `{}`.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Problem> {
    let body: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|why| Problem::bad_request(&why.to_string()))
}

fn done() -> Json<Value> {
    Json(json!({ "ok": true }))
}

async fn overview(State(shared): Sim) -> Json<Value> {
    let now = shared.now();
    let mut state = shared.state();
    let remaining = state.budget.remaining(now);
    let release = state.app.releases.list().last();
    Json(json!({
        "app": state.app.name,
        "config_vars": state.app.config.keys().collect::<Vec<_>>(),
        "release": release,
        "rate_limit_remaining": remaining,
        "requests": state.log.total(),
        "faulted": state.log.faulted,
        "faults": Fault::ALL.map(Fault::name),
        "webhooks": state.webhooks,
    }))
}

/// `{"fault": "503_html", "times": 3, "retry_after": 5, "delay_ms": 100, "key": "DATABASE_URL",
/// "location": URL, "on": "addon-attachments", "everywhere": true, "then": true}`; only `fault` is
/// needed. `then` queues it behind the present ones.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaultOrder {
    fault: String,
    times: Option<u32>,
    retry_after: Option<u64>,
    delay_ms: Option<u64>,
    key: Option<String>,
    location: Option<String>,
    on: Option<String>,
    #[serde(default)]
    everywhere: bool,
    #[serde(default)]
    then: bool,
}

async fn add_fault(State(shared): Sim, body: Bytes) -> Answer {
    let order: FaultOrder = read(&body)?;
    let fault: Fault = order
        .fault
        .parse()
        .map_err(|why: String| Problem::invalid_params(&why))?;
    let mut injection = Injection::from(fault);
    injection.times = order.times;
    injection.retry_after = order.retry_after;
    injection.delay = order.delay_ms.map(Duration::from_millis);
    injection.location = order.location;
    injection.everywhere = order.everywhere;
    if let Some(name) = order.on {
        let found = Injection::LISTS.into_iter().find(|list| *list == name);
        let unknown = || Problem::invalid_params(&Injection::LISTS.join(", "));
        injection.list = found.ok_or_else(unknown)?;
    }
    if let Some(key) = order.key {
        injection.key = key;
    }
    let mut state = shared.state();
    if order.then {
        state.faults.then(injection)
    } else {
        state.faults.replace(injection)
    }
    Ok(done())
}

async fn faults(State(shared): Sim) -> Json<Value> {
    let state = shared.state();
    let list = state
        .faults
        .iter()
        .map(|one| json!({ "fault": one.fault.name(), "times": one.times }));
    Json(list.collect::<Vec<_>>().into())
}

async fn clear_faults(State(shared): Sim) -> Json<Value> {
    shared.state().faults.clear();
    done()
}

/// `{"credential": "default", "database": "postgresql-curved-12345"}`; both may be left out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateOrder {
    credential: Option<String>,
    database: Option<String>,
}

async fn rotate(State(shared): Sim, body: Bytes) -> Answer {
    let order: RotateOrder = read(&body)?;
    let database = order
        .database
        .unwrap_or_else(|| change::main_addon(&shared));
    let credential = order.credential.unwrap_or_else(|| "default".to_owned());
    change::rotate(&shared, &database, Some(&credential)).await?;
    Ok(done())
}

/// `{"attachment": "HEROKU_POSTGRESQL_COBALT"}`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PromoteOrder {
    attachment: String,
}

async fn promote(State(shared): Sim, body: Bytes) -> Answer {
    let order: PromoteOrder = read(&body)?;
    change::promote(&shared, &order.attachment, Gap::InBackground).await?;
    Ok(done())
}

/// `{"addon": "postgresql-round-54321", "plan": "heroku-postgresql:private-0", "backups": [2]}`;
/// what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AddonOrder {
    addon: String,
    plan: Option<String>,
    backups: Option<Vec<u8>>,
}

async fn set_addon(State(shared): Sim, body: Bytes) -> Answer {
    let order: AddonOrder = read(&body)?;
    let mut state = shared.state();
    let database = state.app.database_mut(&order.addon)?;
    if let Some(plan) = order.plan {
        database.plan = plan;
    }
    if let Some(hours) = order.backups {
        database.schedules = hours;
    }
    Ok(done())
}

/// `{"rotation_order": "connections_first", "rotation_delay_ms": 5000, "promotion_gap_ms": 300}`;
/// what is left out stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PaceOrder {
    rotation_order: Option<String>,
    rotation_delay_ms: Option<u64>,
    promotion_gap_ms: Option<u64>,
}

async fn set_pace(State(shared): Sim, body: Bytes) -> Answer {
    let order: PaceOrder = read(&body)?;
    let mut state = shared.state();
    if let Some(name) = order.rotation_order {
        let found = RotationOrder::NAMES
            .iter()
            .find(|(known, _)| *known == name);
        let unknown =
            || Problem::invalid_params("connections_first, config_first or config_before_password");
        state.pace.order = found.ok_or_else(unknown)?.1;
    }
    if let Some(delay) = order.rotation_delay_ms {
        state.pace.rotation_delay = Duration::from_millis(delay);
    }
    if let Some(gap) = order.promotion_gap_ms {
        state.pace.promotion_gap = Duration::from_millis(gap);
    }
    Ok(done())
}

async fn config(State(shared): Sim) -> Json<Value> {
    Json(shared.state().app.config.clone().into())
}

async fn merge_config(State(shared): Sim, body: Bytes) -> Answer {
    shared.state().app.merge_config(&read(&body)?);
    Ok(done())
}

async fn set_raw(State(shared): Sim, body: Bytes) -> Answer {
    let values: Map<String, Value> = read(&body)?;
    shared.state().app.config.extend(values);
    Ok(done())
}

#[derive(Deserialize)]
struct TokenOrder {
    token: String,
}

async fn set_token(State(shared): Sim, body: Bytes) -> Answer {
    let order: TokenOrder = read(&body)?;
    shared.state().tokens = super::account::Tokens::only(&order.token);
    Ok(done())
}

#[derive(Deserialize)]
struct BudgetOrder {
    remaining: u32,
}

async fn set_budget(State(shared): Sim, body: Bytes) -> Answer {
    let order: BudgetOrder = read(&body)?;
    let now = shared.now();
    shared.state().budget.set(now, order.remaining);
    Ok(done())
}

async fn requests(State(shared): Sim) -> Json<Value> {
    let state = shared.state();
    let list: Vec<_> = state.log.records().iter().map(record_json).collect();
    Json(json!({ "total": state.log.total(), "faulted": state.log.faulted, "requests": list }))
}

fn record_json(record: &RequestRecord) -> Value {
    json!({
        "at_ms": u64::try_from(record.at.as_millis()).unwrap_or(u64::MAX),
        "method": record.method,
        "path": record.path,
        "if_none_match": record.if_none_match,
        "status": record.status,
        "faulted": record.faulted.map(Fault::name),
    })
}
