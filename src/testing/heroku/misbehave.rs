//! What each fault makes of an answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use hyper::body::{Frame, SizeHint};
use serde_json::{Map, Value};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::connection::Connection;
use super::fault::Fault;
use super::injection::Injection;
use super::made_up;
use super::problem::Problem;

const HUGE_PART: usize = 64 * 1024;
const HUGE_PARTS: usize = 256;

/// Answers a request that suffers a fault. `truth` is the answer that it would have had.
pub(super) async fn answer(
    injection: &Injection,
    connection: &Connection,
    truth: impl Future<Output = Response>,
) -> Response {
    let fault = injection.fault;
    let waits_before = fault != Fault::SlowBody;
    if let Some(delay) = injection.delay.filter(|_| waits_before) {
        tokio::time::sleep(delay).await;
    }
    match fault {
        Fault::Unauthorized => Problem::unauthorized().into_response(),
        Fault::Forbidden => {
            Problem::forbidden("You do not have access to the app.").into_response()
        }
        Fault::NotFound => Problem::not_found("app").into_response(),
        Fault::RateLimited
        | Fault::RetryAfterSeconds
        | Fault::RetryAfterDate
        | Fault::ServerError
        | Fault::Unavailable => not_now(injection),
        Fault::Garbage => (JSON, "{\"DATABASE_URL\": <!-- not JSON").into_response(),
        Fault::EmptyBody => (JSON, "").into_response(),
        Fault::EmptyMap
        | Fault::MissingKey
        | Fault::Null
        | Fault::EmptyString
        | Fault::Number
        | Fault::MalformedUrl => with_map(truth.await, |map| spoil(injection, map)).await,
        Fault::HugeBody | Fault::SlowBody | Fault::TruncatedBody => {
            with_strange_body(truth.await, injection, connection).await
        }
        Fault::Late => {
            if injection.delay.is_none() {
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
            truth.await
        }
        Fault::Reset => {
            connection.reset();
            Body::empty().into_response()
        }
        Fault::Hang => std::future::pending().await,
        Fault::Redirect => redirect(injection),
        Fault::FalseNotModified => StatusCode::NOT_MODIFIED.into_response(),
    }
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/json")];

/// The answers that a `Retry-After` may go with.
fn not_now(injection: &Injection) -> Response {
    let fault = injection.fault;
    let mut response = if fault == Fault::ServerError {
        Problem::server_error("Internal server error.").into_response()
    } else if fault == Fault::Unavailable {
        let page = Html("<!DOCTYPE html>\n<html><title>503</title>Service Unavailable</html>\n");
        (StatusCode::SERVICE_UNAVAILABLE, page).into_response()
    } else {
        Problem::rate_limit().into_response()
    };
    let seconds = injection.retry_after;
    let retry_after = if fault == Fault::RetryAfterDate {
        let then = made_up::now() + Duration::from_secs(seconds.unwrap_or(5));
        Some(httpdate::fmt_http_date(then))
    } else if fault == Fault::RetryAfterSeconds {
        Some(seconds.unwrap_or(5).to_string())
    } else {
        seconds.map(|seconds| seconds.to_string())
    };
    if let Some(value) = retry_after.and_then(|text| HeaderValue::from_str(&text).ok()) {
        response.headers_mut().insert(header::RETRY_AFTER, value);
    }
    response
}

fn redirect(injection: &Injection) -> Response {
    let elsewhere = "http://elsewhere.invalid/apps/other/config-vars";
    let location = injection.location.as_deref().unwrap_or(elsewhere);
    (StatusCode::FOUND, [(header::LOCATION, location)]).into_response()
}

fn spoil(injection: &Injection, map: &mut Map<String, Value>) {
    let fault = injection.fault;
    if fault == Fault::EmptyMap {
        map.clear();
    } else if fault == Fault::MissingKey {
        map.remove(&injection.key);
    } else {
        let value = if fault == Fault::Null {
            Value::Null
        } else if fault == Fault::EmptyString {
            "".into()
        } else if fault == Fault::Number {
            5432.into()
        } else {
            "postgres://user:pass word@:not-a-port/%zz".into()
        };
        map.insert(injection.key.clone(), value);
    }
}

/// Changes the JSON map that a good answer carries; any other answer stays.
async fn with_map(truth: Response, change: impl FnOnce(&mut Map<String, Value>)) -> Response {
    if truth.status() != StatusCode::OK {
        return truth;
    }
    let bytes = whole(truth.into_body()).await;
    let mut map = serde_json::from_slice(&bytes).unwrap_or_default();
    change(&mut map);
    axum::Json(map).into_response()
}

async fn with_strange_body(
    truth: Response,
    injection: &Injection,
    connection: &Connection,
) -> Response {
    if truth.status() != StatusCode::OK {
        return truth;
    }
    let bytes = whole(truth.into_body()).await;
    let body = if injection.fault == Fault::SlowBody {
        let pause = injection.delay.unwrap_or(Duration::from_millis(200));
        let parts = (0..bytes.len()).map(move |at| bytes.slice(at..=at));
        Body::new(Trickle::new(parts, Some(pause), None))
    } else if injection.fault == Fault::TruncatedBody {
        let half = [bytes.slice(..bytes.len() / 2)];
        let pause = Some(Duration::from_millis(20));
        Body::new(Trickle::new(
            half.into_iter(),
            pause,
            Some(connection.clone()),
        ))
    } else {
        Body::new(Trickle::new(padded(&bytes), None, None))
    };
    (JSON, body).into_response()
}

/// The map with one more variable, as long as it gets.
fn padded(bytes: &Bytes) -> impl Iterator<Item = Bytes> + Send + use<> {
    let open = bytes.strip_suffix(b"}").unwrap_or(bytes);
    let comma = if open == b"{" { "" } else { "," };
    let start = [open, comma.as_bytes(), b"\"PADDING\":\""].concat();
    let filling = Bytes::from(vec![b'x'; HUGE_PART]);
    let filling = std::iter::repeat_n(filling, HUGE_PARTS);
    std::iter::once(Bytes::from(start))
        .chain(filling)
        .chain([Bytes::from_static(b"\"}")])
}

/// The whole body: the simulator's own true answers are small.
pub(super) async fn whole(body: Body) -> Bytes {
    axum::body::to_bytes(body, usize::MAX)
        .await
        .unwrap_or_default()
}

/// A body in parts, of a length that is not told beforehand.
struct Trickle<I> {
    parts: I,
    ticks: Option<Interval>,
    /// Reset after the last part, so that the end never comes.
    then_reset: Option<Connection>,
}

impl<I: Iterator<Item = Bytes>> Trickle<I> {
    fn new(parts: I, pause: Option<Duration>, then_reset: Option<Connection>) -> Self {
        let ticks = pause.map(|pause| {
            let mut ticks = interval(pause.max(Duration::from_millis(1)));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        Self {
            parts,
            ticks,
            then_reset,
        }
    }
}

impl<I: Iterator<Item = Bytes> + Unpin> HttpBody for Trickle<I> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(ticks) = &mut self.ticks {
            ready!(ticks.poll_tick(context));
        }
        let part = self.parts.next();
        if part.is_none()
            && let Some(connection) = &self.then_reset
        {
            connection.reset();
        }
        Poll::Ready(part.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
