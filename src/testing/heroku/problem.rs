//! The API's errors: a status and the JSON body `{"id", "message"}`.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// An error answer.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    body: Value,
}

impl Problem {
    pub(super) fn new(status: StatusCode, id: &str, message: &str) -> Self {
        Self {
            status,
            body: json!({ "id": id, "message": message }),
        }
    }

    fn with(mut self, field: &str, value: &str) -> Self {
        self.body[field] = value.into();
        self
    }

    pub(super) fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }

    pub(super) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "Invalid credentials provided.",
        )
    }

    pub(super) fn forbidden(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    /// `resource` in Heroku's words: "app", "add-on"…
    pub(super) fn not_found(resource: &str) -> Self {
        let message = format!("Couldn't find that {resource}.");
        Self::new(StatusCode::NOT_FOUND, "not_found", &message).with("resource", resource)
    }

    pub(super) fn no_such_endpoint() -> Self {
        let message =
            "The requested API endpoint was not found. Are you using the right HTTP verb?";
        Self::new(StatusCode::NOT_FOUND, "not_found", message)
    }

    pub(super) fn not_acceptable() -> Self {
        let message = "The `Accept` header should be `application/vnd.heroku+json; version=3`.";
        Self::new(StatusCode::NOT_ACCEPTABLE, "not_acceptable", message)
    }

    pub(super) fn invalid_params(message: &str) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_params", message)
    }

    pub(super) fn rate_limit() -> Self {
        let message = "Your account reached the API rate limit. \
                       Please wait a few minutes before making new requests";
        let url = "https://devcenter.heroku.com/articles/platform-api-reference#rate-limits";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit", message).with("url", url)
    }

    pub(super) fn server_error(message: &str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal_server_error",
            message,
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}
