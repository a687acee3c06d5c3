//! The private API of Heroku Postgres, as far as the Heroku CLI uses it: information, credentials,
//! rotation.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Json;
use axum::routing::{get, post};
use serde_json::{Value, json};

use super::attachment::Wanted;
use super::change::{self, Gap};
use super::platform::parse;
use super::problem::Problem;
use super::shared::Shared;

type Answer = Result<Json<Value>, Problem>;
type Sim = State<Arc<Shared>>;

pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/client/v11/databases/{database}", get(info))
        .route(
            "/client/v11/databases/{database}/wait_status",
            get(wait_status),
        )
        .route(
            "/client/v11/databases/{database}/transfer-schedules",
            get(schedules),
        )
        .route(
            "/client/v11/databases/{database}/connection-pooling",
            post(pool),
        )
        .route(
            "/client/v11/databases/{database}/credentials_rotation",
            post(rotate_all),
        )
        .route(
            "/postgres/v0/databases/{database}/credentials",
            get(credentials),
        )
        .route(
            "/postgres/v0/databases/{database}/credentials/{credential}",
            get(credential),
        )
        .route(
            "/postgres/v0/databases/{database}/credentials_rotation",
            post(rotate_all),
        )
        .route(
            "/postgres/v0/databases/{database}/credentials/{credential}/credentials_rotation",
            post(rotate_one),
        )
        .route(
            "/data/postgres/v1/{database}/rotate_credentials",
            post(rotate_all),
        )
        .route(
            "/data/postgres/v1/{database}/credentials/{credential}/rotate",
            post(rotate_one),
        )
        .route("/data/maintenances/v1/apps/{app}", get(maintenances))
}

async fn info(State(shared): Sim, Path(database): Path<String>) -> Answer {
    Ok(Json(shared.state().app.database(&database)?.info()))
}

async fn wait_status(State(shared): Sim, Path(database): Path<String>) -> Answer {
    shared.state().app.database(&database)?;
    Ok(Json(
        json!({ "waiting?": false, "message": "available", "error?": false }),
    ))
}

async fn schedules(State(shared): Sim, Path(database): Path<String>) -> Answer {
    let uuid = "1a34928a-8ae2-408d-8ab0-7c9a6cc6ff2b";
    let state = shared.state();
    let hours = state.app.database(&database)?.schedules.iter();
    let one =
        |hour| json!({ "uuid": uuid, "name": "DATABASE_URL", "hour": hour, "timezone": "UTC" });
    Ok(Json(hours.map(one).collect::<Vec<_>>().into()))
}

/// One that is always to come, for the database that was there first.
async fn maintenances(State(shared): Sim) -> Json<Value> {
    let state = shared.state();
    let database = &state.app.databases[0];
    let attached = state.app.attachments_of(&database.id);
    let attachments: Vec<_> = attached.iter().map(|one| one.name.as_str()).collect();
    let window = "Sundays 14:30 to 18:30 UTC";
    Json(json!({ "maintenances": [{
        "addon": {
            "attachments": attachments,
            "kind": "heroku-postgresql",
            "name": database.name,
            "plan": "standard-0",
            "uuid": database.id,
            "window": window,
        },
        "app": { "name": state.app.name, "uuid": state.app.id },
        "completed_at": null,
        "duration_seconds": null,
        "method": "Changeover",
        "previously_scheduled_for": null,
        "reason": "routine_maintenance",
        "required_by": "2038-12-01T00:00:00.000+00:00",
        "scheduled_for": "2038-11-28T14:30:00.000+00:00",
        "server_created_at": "2026-01-01T00:00:00.000+00:00",
        "started_at": null,
        "status": "pending",
        "window": window,
    }] }))
}

async fn credentials(State(shared): Sim, Path(database): Path<String>) -> Answer {
    let state = shared.state();
    let database = state.app.database(&database)?;
    let list = database
        .credentials
        .iter()
        .map(|one| database.credential_info(one));
    Ok(Json(list.collect::<Vec<_>>().into()))
}

async fn credential(
    State(shared): Sim,
    Path((database, credential)): Path<(String, String)>,
) -> Answer {
    let state = shared.state();
    let database = state.app.database(&database)?;
    let found = database
        .credential(&credential)
        .ok_or_else(|| Problem::not_found("credential"))?;
    Ok(Json(database.credential_info(found)))
}

async fn rotate_one(
    State(shared): Sim,
    Path((database, credential)): Path<(String, String)>,
) -> Answer {
    change::rotate(&shared, &database, Some(&credential)).await?;
    Ok(Json(json!({})))
}

async fn rotate_all(State(shared): Sim, Path(database): Path<String>) -> Answer {
    change::rotate(&shared, &database, None).await?;
    Ok(Json(json!({})))
}

/// Attaches the connection pool, whose URL is that of its credential here.
async fn pool(State(shared): Sim, Path(database): Path<String>, body: Bytes) -> Answer {
    let body = parse(&body)?;
    let text = |field: &str| body[field].as_str();
    let wanted = Wanted {
        addon_id: shared.state().app.database(&database)?.id.clone(),
        name: Some(
            text("name")
                .unwrap_or("DATABASE_CONNECTION_POOL")
                .to_owned(),
        ),
        namespace: Some(format!(
            "connection-pooling:{}",
            text("credential").unwrap_or("default")
        )),
    };
    let attached = change::attach(&shared, wanted, Gap::Awaited).await?;
    let state = shared.state();
    Ok(Json(
        attached.map(|one| state.app.attachment_json(&one)).into(),
    ))
}
