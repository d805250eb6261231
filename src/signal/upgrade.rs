//! The WebSocket handshake (RFC 6455 section 4.2): refused by an HTTP error, or a socket. With
//! `?panic=1` it is refused by a socket that says why and closes, as browsers hide the error.
//!
//! No extension is negotiated: compression would make a small message a large one.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::debug;

use super::access::Caller;
use super::gate::Guest;
use super::reply::Reply;
use super::{Shell, access, socket};
use crate::core::sockets::{Attached, Sender};
use crate::limits::{READ_BUFFER_BYTES, WRITE_BUFFER_BYTES};
use crate::wire::http::{ErrorCode, HttpError};
use crate::wire::{BadField, ServerEvent};

/// `GET /messaging/{team_uid}`.
pub async fn messaging(
    State(shell): State<Shell>,
    Path(team): Path<String>,
    caller: Caller,
    mut request: Request,
) -> Response {
    let upgrade = request.extensions_mut().remove::<OnUpgrade>();
    let guest = request.extensions().get::<Guest>().cloned();
    match open(&shell, &team, &caller, &request) {
        Ok((accept, sender, attached)) => {
            if let Some(upgrade) = upgrade {
                tokio::spawn(async move {
                    run(shell, upgrade, sender, attached).await;
                    // Its place is taken until here.
                    drop(guest);
                });
            }
            switching(accept)
        }
        Err(refused) => {
            let told = access::wants_panic(request.uri()).then(|| accept(request.headers()));
            match (told.flatten(), upgrade) {
                (Some(accept), Some(upgrade)) => {
                    tokio::spawn(async move {
                        refuse(shell, upgrade, refused.panic()).await;
                        drop(guest);
                    });
                    switching(accept)
                }
                _ => Reply::from(refused.error).into_response(),
            }
        }
    }
}

/// A handshake that gets no socket.
struct Refused {
    error: HttpError,
    /// For `server.panic`: the error's word, or the product's own.
    code: &'static str,
}

impl<E: Into<HttpError>> From<E> for Refused {
    fn from(error: E) -> Self {
        let error = error.into();
        Self { code: error.code.as_str(), error }
    }
}

impl Refused {
    fn panic(&self) -> ServerEvent {
        let detail = self.error.details.first().map(BadField::to_string);
        let debug = self.error.reason.clone().or(detail).unwrap_or_default();
        ServerEvent::Panic { code: self.code.to_owned(), debug }
    }
}

fn open(
    shell: &Shell,
    team: &str,
    caller: &Caller,
    request: &Request,
) -> Result<(HeaderValue, Sender, Attached), Refused> {
    let headers = request.headers();
    if !access::is_origin_known(headers, &shell.options().origins) {
        return Err(HttpError::because(ErrorCode::AccessDenied, "a page of another origin").into());
    }
    let sender = caller.sender()?;
    access::team(&sender, team).map_err(|error| Refused { error, code: "INVALID_TEAM" })?;
    let accept = accept(headers).ok_or_else(|| BadField {
        field: "upgrade".to_owned(),
        problem: "expected a WebSocket handshake of version 13".to_owned(),
    })?;
    let attached = shell.sockets.attach(&sender.device, &sender.pass);
    let attached = attached
        .map_err(|too_many| HttpError::because(ErrorCode::RateLimit, too_many.to_string()))?;
    Ok((accept, sender, attached))
}

/// The answer to the handshake's key; `None` where the request is no handshake.
pub(super) fn accept(headers: &HeaderMap) -> Option<HeaderValue> {
    let has = |name: HeaderName, word: &str| {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|v| v.trim().eq_ignore_ascii_case(word))
    };
    let is_handshake =
        has(CONNECTION, "upgrade") && has(UPGRADE, "websocket") && has(SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    let accept = is_handshake.then(|| derive_accept_key(key.as_bytes()))?;
    HeaderValue::from_str(&accept).ok()
}

pub(super) fn switching(accept: HeaderValue) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    response
}

async fn run(shell: Shell, upgrade: OnUpgrade, sender: Sender, attached: Attached) {
    if let Some(stream) = stream(&shell, upgrade).await {
        socket::run(stream, shell, sender, attached).await;
    }
}

async fn refuse(shell: Shell, upgrade: OnUpgrade, panic: ServerEvent) {
    shell.counters.http_errors.add(1);
    if let Some(stream) = stream(&shell, upgrade).await {
        socket::refuse(stream, &panic).await;
    }
}

async fn stream(shell: &Shell, upgrade: OnUpgrade) -> Option<WebSocketStream<TokioIo<Upgraded>>> {
    let message_bytes = shell.options().message_bytes;
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(message_bytes))
        .max_frame_size(Some(message_bytes));
    stream_of(upgrade, config).await
}

/// `None`: the client went before the handshake was finished.
pub(super) async fn stream_of(
    upgrade: OnUpgrade,
    config: WebSocketConfig,
) -> Option<WebSocketStream<TokioIo<Upgraded>>> {
    let upgraded = upgrade.await.inspect_err(|error| debug!(%error, "handshake not finished"));
    let io = TokioIo::new(upgraded.ok()?);
    Some(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await)
}
