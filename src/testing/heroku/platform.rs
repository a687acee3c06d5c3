//! The Platform API: apps, config vars, releases, add-ons, attachments, tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::app::App;
use super::attachment::Wanted;
use super::change::{self, Gap};
use super::made_up;
use super::problem::Problem;
use super::shared::Shared;

type Answer = Result<Json<Value>, Problem>;
type Sim = State<Arc<Shared>>;

/// Heroku's page of a list, when the client names none.
const PAGE: usize = 200;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/apps/{app}", get(app))
        .route(
            "/apps/{app}/config-vars",
            get(config_vars).patch(patch_config_vars),
        )
        .route("/apps/{app}/releases", get(releases))
        .route("/apps/{app}/releases/{release}", get(release))
        .route("/apps/{app}/formation", get(formation))
        .route("/apps/{app}/addons", get(app_addons))
        .route("/apps/{app}/addon-attachments", get(app_attachments))
        .route(
            "/apps/{app}/addon-attachments/{attachment}",
            get(app_attachment),
        )
        .route("/apps/{app}/webhooks", get(webhooks).post(add_webhook))
        .route("/addons/{addon}", get(addon))
        .route("/addons/{addon}/addon-attachments", get(addon_attachments))
        .route("/addons/{addon}/config", get(addon_config))
        .route("/addons/{addon}/config/{namespace}", get(namespace_config))
        .route("/actions/addons/resolve", post(resolve_addon))
        .route(
            "/actions/addon-attachments/resolve",
            post(resolve_attachment),
        )
        .route("/addon-attachments", post(attach))
        .route("/addon-attachments/{id}", get(attachment).delete(detach))
        .route("/account", get(account))
        .route("/account/rate-limits", get(rate_limits))
        .route("/oauth/authorizations", post(authorize))
}

/// A request's JSON body; nothing counts as `{}`.
pub(super) fn parse(body: &Bytes) -> Result<Value, Problem> {
    if body.is_empty() {
        return Ok(json!({}));
    }
    serde_json::from_slice(body).map_err(|_| Problem::bad_request("The body is not valid JSON."))
}

async fn app(State(shared): Sim) -> Json<Value> {
    let state = shared.state();
    let App { id, name, .. } = &state.app;
    Json(json!({ "id": id, "name": name, "maintenance": false }))
}

async fn config_vars(State(shared): Sim) -> Json<Value> {
    Json(shared.state().app.config.clone().into())
}

async fn patch_config_vars(State(shared): Sim, body: Bytes) -> Answer {
    let Value::Object(changes) = parse(&body)? else {
        return Err(Problem::bad_request("Config vars are a JSON object."));
    };
    if changes
        .values()
        .any(|value| !value.is_string() && !value.is_null())
    {
        return Err(Problem::invalid_params("Config vars are strings."));
    }
    let mut state = shared.state();
    state.app.merge_config(&changes);
    Ok(Json(state.app.config.clone().into()))
}

/// Newest or oldest first, in part when the client's `Range` says so. Both of the CLI's spellings
/// are understood: `version ..; order=desc,max=1` and `version ..; max=1, order=desc`.
async fn releases(State(shared): Sim, headers: HeaderMap) -> Response {
    let range = headers
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let options = range
        .split_once(';')
        .map_or("", |(_range, options)| options);
    let option = |name: &str| {
        let mut pairs = options
            .split(',')
            .filter_map(|pair| pair.trim().split_once('='));
        pairs
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim().to_owned())
    };
    let max = option("max")
        .and_then(|max| max.parse().ok())
        .unwrap_or(PAGE)
        .min(1000);
    let mut list = shared.state().app.releases.list().to_vec();
    if option("order").as_deref() == Some("desc") {
        list.reverse();
    }
    let accept_ranges = (
        HeaderName::from_static("accept-ranges"),
        "id, version".to_owned(),
    );
    if list.len() <= max {
        return ([accept_ranges], Json(list)).into_response();
    }
    let next = format!(
        "version ]{}..;{options}",
        list[max.saturating_sub(1)]["version"]
    );
    list.truncate(max);
    let headers = [accept_ranges, (HeaderName::from_static("next-range"), next)];
    (StatusCode::PARTIAL_CONTENT, headers, Json(list)).into_response()
}

async fn release(State(shared): Sim, Path((_app, wanted)): Path<(String, String)>) -> Answer {
    let state = shared.state();
    let version = wanted.trim_start_matches('v').parse().ok();
    let is_it = |one: &&Value| one["id"] == *wanted || one["version"].as_u64() == version;
    let found = state.app.releases.list().iter().find(is_it);
    found
        .cloned()
        .map(Json)
        .ok_or_else(|| Problem::not_found("release"))
}

async fn formation() -> Json<Value> {
    Json(json!([{ "type": "web", "quantity": 1 }]))
}

fn addon_json(app: &App, id_or_name: &str) -> Result<Value, Problem> {
    let database = app.database(id_or_name)?;
    let attached = app.attachments_of(&database.id);
    let config_vars: Vec<_> = attached.iter().map(|one| one.config_var()).collect();
    Ok(database.addon(&app.reference(), &config_vars))
}

async fn app_addons(State(shared): Sim) -> Answer {
    let state = shared.state();
    let own = state.app.databases.iter();
    let own = own.filter(|database| database.billed_to.is_none());
    let ids = own.map(|database| &database.id);
    let addons: Result<Vec<_>, _> = ids.map(|id| addon_json(&state.app, id)).collect();
    Ok(Json(addons?.into()))
}

async fn addon(State(shared): Sim, Path(addon): Path<String>) -> Answer {
    addon_json(&shared.state().app, &addon).map(Json)
}

async fn resolve_addon(State(shared): Sim, body: Bytes) -> Answer {
    let body = parse(&body)?;
    let wanted = body["addon"].as_str().unwrap_or_default();
    let state = shared.state();
    let by_attachment = || {
        state
            .app
            .resolve(wanted)
            .ok()?
            .first()
            .map(|one| one.addon_id.clone())
    };
    let id = match state.app.database(wanted) {
        Ok(database) => database.id.clone(),
        Err(problem) => by_attachment().ok_or(problem)?,
    };
    Ok(Json(json!([addon_json(&state.app, &id)?])))
}

async fn addon_attachments(State(shared): Sim, Path(addon): Path<String>) -> Answer {
    let state = shared.state();
    let attached = state.app.attachments_of(&state.app.database(&addon)?.id);
    let list: Vec<_> = attached
        .into_iter()
        .map(|one| state.app.attachment_json(one))
        .collect();
    Ok(Json(list.into()))
}

async fn addon_config(State(shared): Sim, Path(addon): Path<String>) -> Answer {
    namespace_config(
        State(shared),
        Path((addon, "credential:default".to_owned())),
    )
    .await
}

async fn namespace_config(
    State(shared): Sim,
    Path((addon, namespace)): Path<(String, String)>,
) -> Answer {
    let state = shared.state();
    let name = namespace
        .split_once(':')
        .map_or("default", |(_kind, name)| name);
    let credential = state.app.database(&addon)?.credential(name);
    let url = &credential
        .ok_or_else(|| Problem::not_found("credential"))?
        .url;
    Ok(Json(json!([{ "name": "url", "value": url }])))
}

async fn app_attachments(State(shared): Sim) -> Json<Value> {
    let state = shared.state();
    let list = state
        .app
        .attachments
        .iter()
        .map(|one| state.app.attachment_json(one));
    Json(list.collect::<Vec<_>>().into())
}

async fn app_attachment(State(shared): Sim, Path((_app, name)): Path<(String, String)>) -> Answer {
    attachment(State(shared), Path(name)).await
}

async fn attachment(State(shared): Sim, Path(name): Path<String>) -> Answer {
    let state = shared.state();
    let found = state
        .app
        .attachments
        .iter()
        .find(|one| one.name == name || one.id == name);
    let found = found.ok_or_else(|| Problem::not_found("add on attachment"))?;
    Ok(Json(state.app.attachment_json(found)))
}

async fn resolve_attachment(State(shared): Sim, body: Bytes) -> Answer {
    let body = parse(&body)?;
    let state = shared.state();
    if body["app"].as_str().is_some_and(|app| !state.app.is(app)) {
        return Err(Problem::not_found("app"));
    }
    let found = state
        .app
        .resolve(body["addon_attachment"].as_str().unwrap_or_default())?;
    let list: Vec<_> = found
        .into_iter()
        .map(|one| state.app.attachment_json(one))
        .collect();
    Ok(Json(list.into()))
}

/// A field that is either `"text"` or `{"name": "text"}` or `{"id": "text"}`.
fn reference<'a>(body: &'a Value, field: &str) -> &'a str {
    let value = &body[field];
    let texts = [value, &value["name"], &value["id"]];
    texts
        .into_iter()
        .find_map(Value::as_str)
        .unwrap_or_default()
}

/// Answers when the attachment is there, as the CLI's user expects; the gap of a promotion lies
/// before.
async fn attach(State(shared): Sim, body: Bytes) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = parse(&body)?;
    let text = |field: &str| body[field].as_str().map(str::to_owned);
    let wanted = {
        let state = shared.state();
        let app = reference(&body, "app");
        if !state.app.is(app) {
            return Err(Problem::not_found("app"));
        }
        let name = text("name");
        let taken = state
            .app
            .attachments
            .iter()
            .any(|one| Some(&one.name) == name.as_ref());
        if taken && body["confirm"].as_str() != Some(app) {
            let message = "An attachment of that name exists; confirm with the app's name.";
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Err(Problem::new(status, "confirmation_required", message));
        }
        let addon_id = state.app.database(reference(&body, "addon"))?.id.clone();
        Wanted {
            addon_id,
            name,
            namespace: text("namespace"),
        }
    };
    let attached = change::attach(&shared, wanted, Gap::Awaited).await?;
    let state = shared.state();
    let json = attached.map(|attachment| state.app.attachment_json(&attachment));
    Ok((StatusCode::CREATED, Json(json.into())))
}

async fn detach(State(shared): Sim, Path(id): Path<String>) -> Answer {
    let mut state = shared.state();
    let attachment = state.app.detach(&id)?;
    Ok(Json(state.app.attachment_json(&attachment)))
}

async fn webhooks(State(shared): Sim) -> Json<Value> {
    Json(shared.state().webhooks.clone().into())
}

/// The secret is told once, in a header of this answer only.
async fn add_webhook(State(shared): Sim, body: Bytes) -> Result<Response, Problem> {
    let body = parse(&body)?;
    if !body["url"].is_string() {
        return Err(Problem::invalid_params("A webhook needs a url."));
    }
    let now = made_up::timestamp();
    let webhook = json!({
        "id": made_up::uuid(),
        "include": body["include"],
        "level": body["level"],
        "url": body["url"],
        "created_at": now,
        "updated_at": now,
    });
    let generated = || made_up::alphanumeric(64);
    let secret = body["secret"]
        .as_str()
        .map_or_else(generated, str::to_owned);
    shared.state().webhooks.push(webhook.clone());
    let headers = [(HeaderName::from_static("heroku-webhook-secret"), secret)];
    Ok((StatusCode::CREATED, headers, Json(webhook)).into_response())
}

async fn account() -> Json<Value> {
    Json(json!({
        "id": "01234567-89ab-cdef-0123-456789abcdef",
        "email": "dev@example.com",
        "name": "Dev",
        "two_factor_authentication": false,
        "suspended_at": null,
        "delinquent_at": null,
        "created_at": "2026-01-01T12:00:00Z",
    }))
}

async fn rate_limits(State(shared): Sim) -> Json<Value> {
    let now = shared.now();
    Json(json!({ "remaining": shared.state().budget.remaining(now) }))
}

/// A new token, accepted from now on within its scope.
async fn authorize(State(shared): Sim, body: Bytes) -> Result<(StatusCode, Json<Value>), Problem> {
    let body = parse(&body)?;
    let global = || Ok(vec!["global".to_owned()]);
    let named = body.get("scope").filter(|scope| !scope.is_null());
    let scope = named.map_or_else(global, |list| serde_json::from_value(list.clone()));
    let scope = scope.map_err(|_| Problem::invalid_params("scope is a list of texts"))?;
    let token = shared.state().tokens.issue(scope);
    let now = made_up::timestamp();
    let expires_in = body.get("expires_in").cloned().unwrap_or(Value::Null);
    let answer = json!({
        "id": made_up::uuid(),
        "description": body["description"],
        "scope": token.scope,
        "access_token": { "id": made_up::uuid(), "token": token.text, "expires_in": expires_in },
        "client": null,
        "grant": null,
        "refresh_token": null,
        "user": { "id": "01234567-89ab-cdef-0123-456789abcdef", "email": "dev@example.com" },
        "created_at": now,
        "updated_at": now,
    });
    Ok((StatusCode::CREATED, Json(answer)))
}
