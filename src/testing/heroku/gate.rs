//! What every API request passes: the log, the budget, the faults, the token, and the headers of
//! every answer.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use md5::{Digest, Md5};

use super::account::{Token, scopes_accepted};
use super::connection::Connection;
use super::fault::Fault;
use super::injection::Injection;
use super::misbehave;
use super::problem::Problem;
use super::shared::{RequestRecord, Shared};
use super::{app::App, made_up};

/// A request, as far as the gate cares.
struct Call {
    method: Method,
    path: String,
    headers: HeaderMap,
}

impl Call {
    fn of(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            headers: request.headers().clone(),
        }
    }

    fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The private API of Heroku Postgres, on a host of its own in real life.
    fn is_data_api(&self) -> bool {
        ["/client/", "/postgres/", "/data/"]
            .iter()
            .any(|prefix| self.path.starts_with(prefix))
    }

    fn costs_a_call(&self) -> bool {
        !self.is_data_api() && self.path != "/account/rate-limits"
    }
}

/// The middleware around both APIs.
pub(super) async fn gate(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let call = Call::of(&request);
    let arrival = arrive(&shared, &call);
    let truth = truth(&shared, &call, &arrival, request, next);
    let (mut response, faulted) = match &arrival.injection {
        None => (truth.await, None),
        Some(injection) => {
            let response = misbehave::answer(injection, &connection, truth).await;
            (response, Some(injection.fault))
        }
    };
    let streamed = [
        Some(Fault::HugeBody),
        Some(Fault::SlowBody),
        Some(Fault::TruncatedBody),
    ];
    if !streamed.contains(&faulted) {
        response = conditional(&call, response).await;
    }
    common_headers(&shared, &call, &mut response);
    if faulted != Some(Fault::Reset) {
        shared
            .state()
            .log
            .answered(arrival.number, response.status().as_u16());
    }
    response
}

/// What was decided when the request came in.
struct Arrival {
    number: usize,
    injection: Option<Injection>,
    within_budget: bool,
}

fn arrive(shared: &Shared, call: &Call) -> Arrival {
    let now = shared.now();
    let mut state = shared.state();
    let within_budget = !call.costs_a_call() || state.budget.take(now);
    let if_none_match = call.header(&header::IF_NONE_MATCH).map(str::to_owned);
    let injection = state
        .faults
        .take(&call.method, &call.path, if_none_match.is_some());
    let number = state.log.arrived(RequestRecord {
        at: now,
        method: call.method.to_string(),
        path: call.path.clone(),
        if_none_match,
        status: None,
        faulted: injection.as_ref().map(|injection| injection.fault),
    });
    Arrival {
        number,
        injection,
        within_budget,
    }
}

/// The answer without any fault.
async fn truth(
    shared: &Shared,
    call: &Call,
    arrival: &Arrival,
    request: Request,
    next: Next,
) -> Response {
    match admit(shared, call, arrival.within_budget) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn admit(shared: &Shared, call: &Call, within_budget: bool) -> Result<(), Problem> {
    let state = shared.state();
    let token = state.tokens.presented(&call.headers)?;
    if !within_budget {
        return Err(Problem::rate_limit());
    }
    let accept = call.header(&header::ACCEPT).unwrap_or_default();
    let versioned = accept.contains("application/vnd.heroku+json") && accept.contains("version=3");
    if !versioned && !call.is_data_api() {
        return Err(Problem::not_acceptable());
    }
    check_app(&state.app, &call.path)?;
    check_scope(&token, call)
}

fn check_app(app: &App, path: &str) -> Result<(), Problem> {
    let named = path
        .strip_prefix("/apps/")
        .and_then(|rest| rest.split('/').next());
    match named {
        Some(name) if !app.is(name) => Err(Problem::not_found("app")),
        Some(_) | None => Ok(()),
    }
}

fn check_scope(token: &Token, call: &Call) -> Result<(), Problem> {
    let accepted = scopes_accepted(&call.method, &call.path);
    if token
        .scope
        .iter()
        .any(|scope| accepted.contains(&scope.as_str()))
    {
        return Ok(());
    }
    let message = "The scopes in this OAuth token don't permit accessing this endpoint.";
    Err(Problem::forbidden(message))
}

/// Gives a good answer to a GET its ETag, and turns it into 304 when the client has that already.
/// Lists that came in part (206) have none.
async fn conditional(call: &Call, response: Response) -> Response {
    if call.method != Method::GET || response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let bytes = misbehave::whole(body).await;
    let digest = Md5::digest(&bytes);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let etag = format!("\"{hex}\"");
    let known = call.header(&header::IF_NONE_MATCH).unwrap_or_default();
    let fresh = known
        .split(',')
        .any(|one| one.trim().trim_start_matches("W/") == etag);
    if let Ok(value) = HeaderValue::from_str(&etag) {
        parts.headers.insert(header::ETAG, value);
    }
    if !fresh {
        return Response::from_parts(parts, bytes.into());
    }
    parts.status = StatusCode::NOT_MODIFIED;
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::CONTENT_TYPE);
    Response::from_parts(parts, axum::body::Body::empty())
}

/// The headers of a real answer, as far as clients could look at them.
fn common_headers(shared: &Shared, call: &Call, response: &mut Response) {
    let (remaining, scope) = {
        let now = shared.now();
        let mut state = shared.state();
        let token = state.tokens.presented(&call.headers);
        (
            state.budget.remaining(now),
            token.map(|token| token.scope.join(" ")).ok(),
        )
    };
    let own_id = made_up::uuid();
    let request_id = match call.header(&HeaderName::from_static("request-id")) {
        Some(theirs) => format!("{own_id},{theirs}"),
        None => own_id,
    };
    let mut set = |name: &'static str, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set("request-id", &request_id);
    set("cache-control", "private, no-cache");
    set("vary", "Authorization,Accept-Encoding");
    set("via", "1.1 changeover-simulator");
    set("x-content-type-options", "nosniff");
    set("x-runtime", "0.001");
    if call.is_data_api() {
        return;
    }
    set("ratelimit-remaining", &remaining.to_string());
    set("ratelimit-multiplier", "1");
    set(
        "oauth-scope-accepted",
        &scopes_accepted(&call.method, &call.path).join(" "),
    );
    if let Some(scope) = scope {
        set("oauth-scope", &scope);
    }
}
