//! The node itself: how it stands, what it logs, and its end.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tracing::{info, warn};

use super::calls::{Body, bad, object};
use super::{Desk, Door};
use crate::config::LogLevel;
use crate::core::Node as _;
use crate::limits::UID_CHARS_MAX;
use crate::signal::reply::{self, Reply};
use crate::wire::admin::NodeView;
use crate::wire::fields::Fields;
use crate::wire::http::{self, ErrorCode, HttpError};
use crate::wire::time;

pub async fn view(State(desk): Door) -> Reply {
    Reply(Ok(http::value(&node(&desk))))
}

fn node(desk: &Desk) -> NodeView {
    let parts = &desk.parts;
    let ready = (parts.ready)();
    let since = parts.started.duration_since(UNIX_EPOCH).unwrap_or_default();
    NodeView {
        version: env!("CARGO_PKG_VERSION"),
        started: time::format(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)),
        uptime_s: SystemTime::now().duration_since(parts.started).unwrap_or_default().as_secs(),
        draining: parts.registry.is_draining(),
        ready: ready.is_ok(),
        reason: ready.err().unwrap_or_default(),
        workers: parts.registry.shared().pool.ports().len(),
        calls: parts.registry.calls().len(),
        onliners: parts.registry.onliners(),
    }
}

/// As after SIGTERM; once more changes nothing.
pub async fn drain(State(desk): Door, body: Body) -> Reply {
    let drain = || {
        object(body, &[])?;
        if !desk.parts.registry.is_draining() {
            info!("the operator drains the node");
            // Here, too, so that the answer is true.
            desk.parts.registry.drain();
            desk.parts.drain.notify_one();
        }
        Ok(http::value(&node(&desk)))
    };
    Reply(drain())
}

pub async fn log(State(desk): Door) -> Reply {
    Reply(Ok(told(desk.parts.verbosity.level())))
}

/// `{level}`, until the node ends.
pub async fn set_log(State(desk): Door, body: Body) -> Reply {
    let set = || {
        let body = object(body, &["level"])?;
        let word = Fields::of(Some(&body), "body", "")?.word("level", UID_CHARS_MAX)?.to_owned();
        let level = LEVELS.iter().find(|(level, _)| *level == word).map(|(_, level)| *level);
        let level = level.ok_or_else(|| bad("level", "error, warn, info, debug or trace"))?;
        desk.parts.verbosity.set(level).map_err(|gone| {
            warn!(%gone, "log level not changed");
            HttpError::new(ErrorCode::Internal)
        })?;
        info!(level = word, "the operator changed the log level");
        Ok(told(level))
    };
    Reply(set())
}

fn told(level: LogLevel) -> Value {
    let word = LEVELS.iter().find(|(_, it)| *it == level).map_or("", |(word, _)| word);
    json!({ "level": word })
}

pub async fn metrics(State(desk): Door) -> Response {
    reply::metrics((desk.parts.metrics)())
}

pub async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], OPENAPI).into_response()
}

/// What machines read; a test compares it with what is answered.
pub(super) const OPENAPI: &str = include_str!("openapi.json");

const LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];
