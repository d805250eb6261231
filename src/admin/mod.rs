//! The operator's own door: a listener that shows calls, legs and "why can't I hear", and acts on
//! them; and the same in a terminal. docs/admin.md tells operators, `openapi.json` machines.
//!
//! Decides who comes in, and how he is answered. Knows nothing of what a call does with it: his
//! deeds go to the call's task.

mod calls;
mod node;
mod pass;
mod place;
pub mod terminal;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::sync::{Notify, Semaphore};

use self::pass::Pass;
pub use self::place::{Fault, Office, Opened};
use crate::limits::{ADMIN_BODY_BYTES_MAX, ADMIN_REQUESTS_MAX, REQUEST_MAX};
use crate::registry::Registry;
use crate::signal::Guest;
use crate::signal::reply::{self, Reply};
use crate::telemetry::Verbosity;
use crate::wire::http::{ErrorCode, HttpError};

/// What the operator can ask and change.
pub struct Parts {
    pub registry: Registry,
    /// The text of `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether calls are taken; if not, why.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    pub verbosity: Verbosity,
    pub started: SystemTime,
    /// Told once the node shall end as after SIGTERM.
    pub drain: Arc<Notify>,
}

/// What every route has.
struct Desk {
    parts: Parts,
    pass: Pass,
    requests: Semaphore,
}

type Door = State<Arc<Desk>>;

/// Every route.
fn router(parts: Parts, pass: Pass) -> Router {
    let desk = Arc::new(Desk { parts, pass, requests: Semaphore::new(ADMIN_REQUESTS_MAX) });
    Router::new()
        .route("/admin/v1/calls", get(calls::list))
        .route("/admin/v1/calls/{uid}", get(calls::view))
        .route("/admin/v1/calls/{uid}/hearing", get(calls::hearing))
        .route("/admin/v1/calls/{uid}/kick", post(calls::kick))
        .route("/admin/v1/calls/{uid}/mute", post(calls::mute))
        .route("/admin/v1/calls/{uid}/record", post(calls::record))
        .route("/admin/v1/calls/{uid}/end", post(calls::end))
        .route("/admin/v1/node", get(node::view))
        .route("/admin/v1/drain", post(node::drain))
        .route("/admin/v1/log", get(node::log).put(node::set_log))
        .route("/admin/v1/metrics", get(node::metrics))
        .route("/admin/v1/openapi.json", get(node::openapi))
        .fallback(async || Reply::from(HttpError::new(ErrorCode::NotFound)))
        .layer(DefaultBodyLimit::max(ADMIN_BODY_BYTES_MAX))
        .layer(from_fn_with_state(desk.clone(), admit))
        .with_state(desk)
}

/// Nobody learns or changes anything without the token; then a request runs within its time, and
/// is answered in the envelope of every other answer.
async fn admit(State(desk): Door, request: Request, next: Next) -> Response {
    let came_at = Instant::now();
    let shown = desk.pass.check(request.headers());
    if let Some(guest) = request.extensions().get::<Guest>() {
        guest.asked();
        // A made token has 244 bits of chance: wrong ones are not counted, as that could lock the
        // operator out.
        if shown.is_ok() {
            guest.known();
        }
    }
    let response = match (shown, desk.requests.try_acquire()) {
        (Err(refusal), _) => {
            let mut response = Reply::from(HttpError::new(refusal)).into_response();
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
            response
        }
        (Ok(()), Err(_full)) => {
            let why = "too many requests are being answered";
            Reply::from(HttpError::because(ErrorCode::RateLimit, why)).into_response()
        }
        (Ok(()), Ok(_place)) => {
            let answered = tokio::time::timeout(REQUEST_MAX, next.run(request)).await;
            answered.unwrap_or_else(|_| {
                let why = "the request took too long";
                Reply::from(HttpError::because(ErrorCode::Internal, why)).into_response()
            })
        }
    };
    reply::wrapped(response, came_at.elapsed())
}
