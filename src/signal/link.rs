//! The door of a node whose chat core is elsewhere: no page and no people, but health, numbers and,
//! where the core dials, its link.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::upgrade::OnUpgrade;
use sha2::{Digest, Sha256};
use tracing::{debug, info, warn};

use super::gate::Guest;
use super::reply::{self, Reply};
use super::upgrade;
use crate::core::link::{LinkCore, dial, peer};
use crate::wire::http::{ErrorCode, HttpError};

/// All that its routes need.
pub struct LinkParts {
    pub core: Arc<LinkCore>,
    /// What the core must show; `None` where it does not dial.
    pub secret: Option<String>,
    /// It must have shown a certificate too.
    pub is_mutual: bool,
}

type Door = State<Arc<LinkParts>>;

/// What a node serves that nobody comes to but its core.
pub fn router(
    link: Option<LinkParts>,
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
) -> Router {
    Router::new()
        .route("/healthz", get(super::api::healthz))
        .route("/readyz", get(move || async move { reply::readiness(ready()) }))
        .route("/metrics", get(move || async move { reply::metrics(metrics()) }))
        .route("/api/v3/ping", get(super::api::ping).post(super::api::ping))
        .route("/api/v3/time", get(super::api::time))
        .layer(from_fn(envelope))
        .merge(route(link))
}

/// Where the core dials us, if it does.
pub fn route(link: Option<LinkParts>) -> Router {
    let Some(parts) = link else { return Router::new() };
    let route = Router::new().route("/api/v3/core", get(dialled));
    route.layer(from_fn(envelope)).with_state(Arc::new(parts))
}

async fn envelope(request: Request, next: Next) -> Response {
    let came_at = Instant::now();
    if let Some(guest) = request.extensions().get::<Guest>() {
        guest.asked();
    }
    reply::wrapped(next.run(request).await, came_at.elapsed())
}

/// The core dials: `docs/core.md`.
async fn dialled(State(door): Door, mut request: Request) -> Response {
    let guest = request.extensions().get::<Guest>().cloned();
    let Some(secret) = &door.secret else {
        return Reply::from(HttpError::new(ErrorCode::NotFound)).into_response();
    };
    if !shows(request.headers(), secret) {
        warn!("a core link was refused: wrong secret");
        let failed = guest.as_ref().map(|it| it.gate().fail(it.origin(request.headers())));
        let refused = failed.and_then(Result::err);
        let refused = refused.unwrap_or_else(|| HttpError::new(ErrorCode::InvalidToken));
        return Reply::from(refused).into_response();
    }
    if door.is_mutual && !guest.as_ref().is_some_and(Guest::is_certified) {
        warn!("a core link was refused: no certificate");
        let why = "show a certificate that core.ca has signed";
        return Reply::from(HttpError::because(ErrorCode::AccessDenied, why)).into_response();
    }
    if let Some(guest) = &guest {
        guest.known();
    }
    let on_upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let (Some(accept), Some(on_upgrade)) = (upgrade::accept(request.headers()), on_upgrade) else {
        let why = "expected a WebSocket handshake of version 13";
        return Reply::from(HttpError::because(ErrorCode::InvalidData, why)).into_response();
    };
    let core = door.core.clone();
    tokio::spawn(async move {
        if let Some(socket) = upgrade::stream_of(on_upgrade, dial::socket_config()).await {
            let ended = peer::run(&core, socket).await;
            info!(%ended, "core link lost");
        } else {
            debug!("the core went before the handshake was finished");
        }
        // Its place is taken until here.
        drop(guest);
    });
    upgrade::switching(accept)
}

/// Compared by digests, so that the time it takes tells nothing.
fn shows(headers: &HeaderMap, secret: &str) -> bool {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    Sha256::digest(shown) == Sha256::digest(secret)
}
