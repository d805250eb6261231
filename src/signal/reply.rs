//! Answers: every one has the JSON envelope of PROTOCOL.md section 6, whoever refuses.

use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::gate::Turned;
use super::{Shell, access};
use crate::limits::REQUEST_MAX;
use crate::wire::http::{ErrorCode, HttpError, body};

/// What a handler answers; the envelope is put around it on its way out.
#[derive(Clone, Debug)]
pub struct Reply(pub Result<Value, HttpError>);

impl<E: Into<HttpError>> From<Result<Value, E>> for Reply {
    fn from(outcome: Result<Value, E>) -> Self {
        Self(outcome.map_err(Into::into))
    }
}

impl From<HttpError> for Reply {
    fn from(error: HttpError) -> Self {
        Self(Err(error))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        if let Err(error) = &self.0 {
            *response.status_mut() = status(error.code);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// 503 while no calls are taken.
pub fn readiness(ready: Result<(), String>) -> Response {
    match ready {
        Ok(()) => Reply(Ok("ready".into())).into_response(),
        Err(reason) => {
            let reply = Reply::from(HttpError::because(ErrorCode::Internal, reason));
            let mut response = reply.into_response();
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response
        }
    }
}

pub fn metrics(text: String) -> Response {
    ([("content-type", "text/plain; version=0.0.4")], text).into_response()
}

/// Runs a request within its time, and puts the envelope around what comes out.
pub async fn envelope(State(shell): State<Shell>, request: Request, next: Next) -> Response {
    let came_at = Instant::now();
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let response =
        if changes && !access::is_origin_known(request.headers(), &shell.options().origins) {
            Reply::from(HttpError::new(ErrorCode::AccessDenied)).into_response()
        } else {
            let too_slow = || HttpError::because(ErrorCode::Internal, "the request took too long");
            let answered = tokio::time::timeout(REQUEST_MAX, next.run(request)).await;
            answered.unwrap_or_else(|_| {
                shell.gate.turn(Turned::Slow);
                Reply::from(too_slow()).into_response()
            })
        };
    if response.status().is_client_error() || response.status().is_server_error() {
        shell.counters.http_errors.add(1);
    }
    wrapped(response, came_at.elapsed())
}

pub fn wrapped(mut response: Response, took: Duration) -> Response {
    let reply = response.extensions_mut().remove::<Reply>();
    let outcome = match reply {
        Some(Reply(outcome)) => outcome,
        None => match code(response.status()) {
            Some(code) => Err(HttpError::new(code)),
            None => return response,
        },
    };
    let is_exact = [StatusCode::SERVICE_UNAVAILABLE, StatusCode::RANGE_NOT_SATISFIABLE];
    if let Err(error) = &outcome
        && !is_exact.contains(&response.status())
    {
        *response.status_mut() = status(error.code);
    }
    *response.body_mut() = Body::from(body(&outcome, took));
    let headers = response.headers_mut();
    headers.remove(axum::http::header::CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn status(code: ErrorCode) -> StatusCode {
    StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// The code for a refusal of the HTTP layer itself; `None` where it refused nothing.
fn code(status: StatusCode) -> Option<ErrorCode> {
    match status {
        StatusCode::NOT_FOUND => Some(ErrorCode::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(ErrorCode::InvalidMethod),
        status if status.is_client_error() => Some(ErrorCode::InvalidData),
        status if status.is_server_error() => Some(ErrorCode::Internal),
        _ => None,
    }
}
