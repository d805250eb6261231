//! A person's way in: the login at the built-in core and one WebSocket of PROTOCOL.md sections 1-3.
//! Confirms what the server sends, keeps the socket alive, and logs every event. Knows no media.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::{interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::client::ClientError;
use super::events::Events;
use super::http::{Origin, Stream};

/// Who one is after the login, and which chats there are.
#[derive(Debug, Clone)]
pub struct Account {
    pub origin: Origin,
    pub token: String,
    /// Of the person: `d-` and a UUID.
    pub jid: String,
    /// Of the team: part of the WebSocket's path.
    pub team_uid: String,
    pub chats: Vec<Chat>,
}

/// A place where calls happen.
#[derive(Debug, Clone)]
pub struct Chat {
    pub jid: String,
    pub display_name: String,
}

impl Account {
    /// Logs in at the built-in core as a person called `display_name`.
    ///
    /// # Errors
    /// `url` is no `http://HOST:PORT`, nobody answers there, or not with a login.
    pub async fn login(url: &str, display_name: &str) -> Result<Self, ClientError> {
        let origin = Origin::parse(url).ok_or_else(|| ClientError::BadUrl(url.to_owned()))?;
        let body = json!({ "display_name": display_name });
        let reply = origin.post("/api/v3/demo-login", &body).await?;
        let chats = reply["chats"].as_array().ok_or(ClientError::BadReply("chats"))?;
        let chats = chats.iter().map(Chat::from_json).collect::<Option<_>>();
        Ok(Self {
            token: text(&reply["token"]).ok_or(ClientError::BadReply("token"))?,
            jid: text(&reply["me"]["jid"]).ok_or(ClientError::BadReply("me.jid"))?,
            team_uid: text(&reply["team"]["uid"]).ok_or(ClientError::BadReply("team.uid"))?,
            chats: chats.ok_or(ClientError::BadReply("chats"))?,
            origin,
        })
    }

    /// The jid of the chat called `display_name`.
    pub fn chat(&self, display_name: &str) -> Option<&str> {
        let mut chats = self.chats.iter();
        chats.find(|chat| chat.display_name == display_name).map(|chat| chat.jid.as_str())
    }
}

impl Chat {
    fn from_json(chat: &Value) -> Option<Self> {
        Some(Self { jid: text(&chat["jid"])?, display_name: text(&chat["display_name"])? })
    }
}

/// An open WebSocket. Dropping it closes it.
#[derive(Debug)]
pub struct Socket {
    outgoing: mpsc::Sender<Value>,
    /// All that the server has said; ends with the socket.
    pub events: Arc<Events>,
    next_confirm: AtomicU64,
}

impl Socket {
    /// Opens the socket of one device; a second socket of the same device takes it over.
    ///
    /// # Errors
    /// Nobody listens there, or the server refuses the token.
    pub async fn connect(account: &Account, device: &str) -> Result<Self, ClientError> {
        let (authority, team) = (&account.origin.authority, &account.team_uid);
        // The scheme of the request is not sent; the stream below is plain or TLS.
        let url = format!("ws://{authority}/messaging/{team}?device={device}");
        let mut request = url.into_client_request()?;
        let token = HeaderValue::from_str(&account.token);
        let token = token.map_err(|_| ClientError::BadReply("token"))?;
        request.headers_mut().insert("token", token);
        let opening = async {
            let stream = account.origin.connect().await?;
            tokio_tungstenite::client_async(request, stream).await
        };
        let opened = timeout(OPEN_WITHIN, opening).await;
        let (stream, _) = opened.map_err(|_| ClientError::TimedOut("the socket to open"))??;
        let events = Arc::new(Events::new());
        let (outgoing, waiting) = mpsc::channel(MAX_WAITING);
        tokio::spawn(carry(stream, waiting, Arc::clone(&events)));
        Ok(Self { outgoing, events, next_confirm: AtomicU64::new(1) })
    }

    /// Sends an event and returns the `confirm_id` it carries.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn send(&self, event: &str, params: Value) -> Result<String, ClientError> {
        let confirm_id = self.next_confirm.fetch_add(1, Ordering::Relaxed).to_string();
        let message = json!({"event": event, "confirm_id": confirm_id, "params": params});
        self.outgoing.send(message).await.map_err(|_| ClientError::SocketClosed)?;
        Ok(confirm_id)
    }
}

/// The socket's own task: ends when either side closes.
async fn carry(
    stream: WebSocketStream<Box<dyn Stream>>,
    mut waiting: mpsc::Receiver<Value>,
    events: Arc<Events>,
) {
    let (mut sink, mut source) = stream.split();
    let mut pings = interval(PING_EVERY);
    loop {
        let to_send = tokio::select! {
            incoming = source.next() => match incoming {
                Some(Ok(message)) => taken(&message, &events),
                Some(Err(_)) | None => break,
            },
            outgoing = waiting.recv() => match outgoing {
                Some(event) => Some(event),
                None => break,
            },
            _ = pings.tick() => Some(json!({"event": "client.ping", "params": {}})),
        };
        let Some(event) = to_send else { continue };
        if sink.send(Message::text(event.to_string())).await.is_err() {
            break;
        }
    }
    // A socket that breaks while it is closed is closed as well.
    let _: Result<(), WsError> = sink.close().await;
    events.close();
}

/// Logs an event; the confirmation that it asks for, if any.
fn taken(message: &Message, events: &Events) -> Option<Value> {
    let event = match message {
        Message::Text(text) => serde_json::from_str::<Value>(text).ok()?,
        Message::Binary(bytes) => serde_json::from_slice::<Value>(bytes).ok()?,
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_) => return None,
    };
    let confirm = event["confirm_id"].as_str();
    let confirm =
        confirm.map(|id| json!({"event": "client.confirm", "params": {"confirm_id": id}}));
    events.push(event);
    confirm
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Longer than any handshake on a busy machine.
const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// Half of the shortest idle time-out of common proxies (60 s), with room.
const PING_EVERY: Duration = Duration::from_secs(20);
/// Events not yet written; a full queue makes the sender wait.
const MAX_WAITING: usize = 64;
