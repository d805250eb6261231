//! HTTP and WebSocket: the door of the built-in core, and the page.
//!
//! Decides who a request is from, how fast he may send, and in which words he is answered. Knows
//! no calls: events go to the core, which asks the node.

mod access;
mod api;
mod counters;
mod downloads;
mod link;
mod page;
mod pieces;
mod range;
mod recordings;
mod reply;
mod serve;
mod socket;
mod tls;
mod upgrade;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

pub use self::counters::{Counter, Counters, Ended, Gauge, Refused};
pub use self::downloads::Downloads;
pub use self::link::{LinkParts, router as link_router};
pub use self::serve::{serve, serve_people};
pub use self::tls::{Tls, TlsFault, of_files, self_signed};
use crate::core::builtin::BuiltIn;
use crate::core::builtin::bucket::Pace;
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
}

/// All that the routes need.
pub struct Parts {
    pub core: Arc<BuiltIn>,
    pub options: Options,
    pub counters: Arc<Counters>,
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

/// The parts, shared by every request.
#[derive(Clone)]
pub struct Shell(Arc<Parts>);

impl Default for Options {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            default_answer: AnswerStyle::Sdp,
            message_bytes: MESSAGE_BYTES_MAX,
            pace: Pace::new(MESSAGES_PER_S, MESSAGES_BURST),
            features: Features::default(),
        }
    }
}

impl Shell {
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Shell {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// Every route.
pub fn router(shell: Shell) -> Router {
    let message_bytes = shell.options.message_bytes;
    let faults = Router::new();
    #[cfg(debug_assertions)]
    let faults = faults.route("/api/v3/debug/media/{worker}/break", post(api::break_worker));
    Router::new()
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
        .route("/metrics", get(api::metrics))
        .fallback(page::serve)
        .layer(DefaultBodyLimit::max(message_bytes))
        .layer(from_fn_with_state(shell.clone(), reply::envelope))
        .with_state(shell)
}

#[cfg(test)]
mod tests;

/// How long a test waits for what must come.
#[cfg(test)]
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);
