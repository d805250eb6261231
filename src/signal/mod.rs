//! HTTP and WebSocket: the door of the built-in core, and the page.
//!
//! Decides who a request is from, how fast he may send, and in which words he is answered. Knows
//! no calls: events go to the core, which asks the node.

mod access;
mod api;
mod counters;
mod downloads;
mod gate;
mod link;
mod long;
mod page;
mod range;
mod recordings;
pub(crate) mod reply;
mod serve;
mod socket;
mod tls;
mod turn;
mod upgrade;

use std::ops::Deref;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use self::counters::{Counter, Counters, Ended, Gauge, Refused};
pub use self::downloads::Downloads;
pub use self::gate::{Gate, GateLimits, Guest, Turned, per_minute};
pub use self::link::{LinkParts, route as link_route, router as link_router};
pub use self::serve::{serve, serve_people};
pub use self::tls::{Tls, TlsFault, of_files, self_signed};
pub use self::turn::turn_servers;
use crate::config::Turn;
use crate::core::builtin::BuiltIn;
use crate::core::sockets::Sockets;
use crate::core::sockets::bucket::Pace;
use crate::core::{AnswerStyle, Jid};
use crate::limits::{MESSAGE_BYTES_MAX, MESSAGES_BURST, MESSAGES_PER_S};
use crate::record::archive::Archive;
use crate::wire::http::Features;

/// Speaking people for somebody who is alone (`/api/v3/demo`).
pub trait Demo: Send + Sync {
    fn is_running(&self) -> bool;
    /// Sends them into `chat` (absent = the Lobby). Returns how many.
    ///
    /// # Errors
    /// A text for people.
    fn start(&self, chat: Option<Jid>) -> Result<usize, String>;
}

/// What can be set; the rest stands in `limits.rs`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Other origins whose pages may come, as browsers write them: `https://chat.example`.
    pub origins: Vec<String>,
    /// For sockets that do not say `?answer=`.
    pub default_answer: AnswerStyle,
    /// Longest message of a socket, longest body of a request.
    pub message_bytes: usize,
    /// How fast one socket may send.
    pub pace: Pace,
    pub features: Features,
    /// Servers that each person is given a password for.
    pub turn: Turn,
}

/// All that the routes need.
pub struct Parts {
    pub sockets: Arc<Sockets>,
    /// Of the built-in core; `None` where a token of another's lets people in.
    pub people: Option<Arc<BuiltIn>>,
    pub counters: Arc<Counters>,
    pub gate: Arc<Gate>,
    /// Whoever comes may read `/metrics`.
    pub shows_metrics: bool,
    /// The text of `/metrics`.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
    /// Whether calls are taken; if not, why.
    pub ready: Arc<dyn Fn() -> Result<(), String> + Send + Sync>,
    pub demo: Option<Arc<dyn Demo>>,
    /// `None` where nothing is recorded.
    pub archive: Option<Arc<Archive>>,
    pub downloads: Downloads,
    /// Ends a media worker by its number, for tests: only debug builds have a route to it.
    pub break_worker: Arc<dyn Fn(usize) -> bool + Send + Sync>,
}

/// The parts, shared by every request, and what of them is replaced while they run.
#[derive(Clone)]
pub struct Shell(Arc<Inner>);

struct Inner {
    parts: Parts,
    options: RwLock<Arc<Options>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            default_answer: AnswerStyle::Sdp,
            message_bytes: MESSAGE_BYTES_MAX,
            pace: Pace::new(MESSAGES_PER_S, MESSAGES_BURST),
            features: Features::default(),
            turn: Turn::default(),
        }
    }
}

impl Shell {
    pub fn new(parts: Parts, options: Options) -> Self {
        Self(Arc::new(Inner { parts, options: RwLock::new(Arc::new(options)) }))
    }

    pub fn options(&self) -> Arc<Options> {
        self.0.options.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From the next request on; sockets that are open keep their pace.
    pub fn renew(&self, options: Options) {
        *self.0.options.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(options);
    }
}

impl Deref for Shell {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0.parts
    }
}

/// Every route.
pub fn router(shell: Shell) -> Router {
    let message_bytes = shell.options().message_bytes;
    let faults = Router::new();
    #[cfg(debug_assertions)]
    let faults = faults.route("/api/v3/debug/media/{worker}/break", post(api::break_worker));
    let routes = Router::new()
        .merge(faults)
        .route("/messaging/{team}", get(upgrade::messaging))
        .route("/api/v3/ping", get(api::ping).post(api::ping))
        .route("/api/v3/time", get(api::time))
        .route("/api/v3/demo-login", post(api::demo_login))
        .route("/api/v3/me", get(api::who_am_i))
        .route("/api/v3/demo", get(api::demo).post(api::start_demo))
        .route("/api/v3/teams/{team}/chats", get(api::chats))
        .route("/api/v3/teams/{team}/groups", post(api::add_group))
        .route("/api/v3/teams/{team}/calls", get(api::calls))
        .route("/api/v3/teams/{team}/calls/{uid}", get(api::call))
        .route("/api/v3/teams/{team}/calls/{uid}/legs", get(api::legs))
        .route("/api/v3/teams/{team}/calls/{uid}/record", post(api::record))
        .route("/api/v3/teams/{team}/calls/{uid}/kick", post(api::kick))
        .route("/api/v3/teams/{team}/ws/{event}", post(api::event))
        .route("/api/v3/teams/{team}/recordings", get(recordings::list))
        .route(
            "/api/v3/teams/{team}/recordings/{id}",
            get(recordings::view).post(recordings::change).delete(recordings::delete),
        )
        .route("/api/v3/teams/{team}/recordings/{id}/files/{name}", get(recordings::file))
        .route("/features.json", get(api::features))
        .route("/healthz", get(api::healthz))
        .route("/readyz", get(api::readyz))
        .layer(DefaultBodyLimit::max(message_bytes));
    let routes = match shell.shows_metrics {
        true => routes.route("/metrics", get(api::metrics)),
        false => routes,
    };
    let routes = match shell.people {
        Some(_) => routes.fallback(page::serve),
        // The page makes people, whom here another core knows.
        None => routes.fallback(page::none),
    };
    routes
        .layer(from_fn_with_state(shell.clone(), access::knock))
        .layer(from_fn_with_state(shell.clone(), reply::envelope))
        .layer(other_origins(shell.clone()))
        .with_state(shell)
}

const TOKEN: HeaderName = HeaderName::from_static("token");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Pages of the chat whose people come to this node may read its answers (Fetch standard, CORS).
fn other_origins(shell: Shell) -> CorsLayer {
    let is_known = move |origin: &HeaderValue, _: &_| {
        let origin = origin.to_str().unwrap_or_default();
        access::is_allowed(origin, &shell.options().origins)
    };
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_known))
        .allow_methods([Method::GET, Method::POST, Method::DELETE])
        .allow_headers([CONTENT_TYPE, TOKEN, IDEMPOTENCY_KEY])
        .max_age(Duration::from_secs(3_600))
}

#[cfg(test)]
mod tests;

/// How long a test waits for what must come.
#[cfg(test)]
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
