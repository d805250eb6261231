//! One bare WebSocket of a client: says what it is told, confirms what it gets, checks every
//! event as strictly as any client, and has no media.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{WebSocketStream, client_async};
use voxhall::demo::http::Stream;
use voxhall::demo::socket::Account;

use super::strict::Strict;

/// An offer of Chromium's, as captured.
pub const OFFER: &str = include_str!("../data/sdp/chromium-offer-plain.sdp");

/// A socket with a reader that never sleeps: every wait ends with what it waits for.
pub struct Raw {
    socket: WebSocketStream<Box<dyn Stream>>,
    strict: Strict,
    /// Everything that came, oldest first.
    pub seen: Vec<Value>,
    sent: u32,
}

impl Raw {
    /// A socket of the device that is named after its person.
    pub async fn connect(account: &Account) -> Self {
        Self::with(account, "device=raw").await
    }

    /// A socket whose address ends with `?query`; the token goes in the header.
    pub async fn with(account: &Account, query: &str) -> Self {
        let (authority, team) = (&account.origin.authority, &account.team_uid);
        let url = format!("ws://{authority}/messaging/{team}?{query}");
        let mut request = url.into_client_request().expect("a URL");
        let token = account.token.parse().expect("tokens are plain");
        request.headers_mut().insert("token", token);
        let stream = account.origin.connect().await.expect("the server listens");
        let (socket, _) = client_async(request, stream).await.expect("the server lets him in");
        Self { socket, strict: Strict::default(), seen: Vec::new(), sent: 0 }
    }

    /// Sends an event; returns its `confirm_id`.
    pub async fn send(&mut self, event: &str, params: Value) -> String {
        self.sent += 1;
        let confirm_id = format!("raw-{}", self.sent);
        let event = json!({ "event": event, "confirm_id": confirm_id, "params": params });
        self.send_message(Message::text(event.to_string())).await;
        confirm_id
    }

    /// Sends any message at all.
    pub async fn send_message(&mut self, message: Message) {
        self.socket.send(message).await.expect("the socket is open");
    }

    /// Starts or joins the call of `chat`; returns the params of the answer.
    pub async fn offer(&mut self, chat: &str) -> Value {
        self.send("client.call.offer", offer_of(chat, OFFER)).await;
        self.event("server.call.sdp").await
    }

    /// The params of the next event of this name.
    pub async fn event(&mut self, name: &str) -> Value {
        self.event_where(name, |_| true).await
    }

    /// The params of the next event of this name that `is_wanted` accepts.
    pub async fn event_where(&mut self, name: &str, is_wanted: impl Fn(&Value) -> bool) -> Value {
        let reading = async {
            loop {
                let event = self.next().await;
                if event["event"] == name && is_wanted(&event["params"]) {
                    return event["params"].clone();
                }
            }
        };
        let event = timeout(PATIENCE, reading).await;
        event.unwrap_or_else(|_| panic!("no such {name}; what came: {:#?}", self.seen))
    }

    /// The next state that `is_wanted` accepts.
    pub async fn state(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        self.event_where("server.call.state", is_wanted).await
    }

    /// Waits for the warning about what was just sent, and checks that it is whole.
    pub async fn warned(&mut self, code: &str, orig: &Value) {
        let warning = self.event("server.warning").await;
        assert_eq!(warning["code"], code, "{warning}");
        assert_eq!(&warning["orig"], orig);
        assert_ne!(warning["message"], "");
    }

    /// Everything that has come since the last read: up to the confirm of a ping that is sent
    /// now, and so behind all that the server has told this socket so far.
    pub async fn settle(&mut self) -> Vec<Value> {
        let from = self.seen.len();
        let id = self.send("client.ping", json!({})).await;
        self.event_where("server.confirm", |confirm| confirm["confirm_id"] == *id).await;
        self.seen[from..self.seen.len() - 1].to_vec()
    }

    /// The same, and nothing of a call was among it.
    pub async fn heard_nothing_of_calls(&mut self) {
        let events = self.settle().await;
        let of_calls = |event: &&Value| {
            let name = event["event"].as_str().unwrap_or_default();
            name.starts_with("server.call.") || name == "server.warning"
        };
        let told: Vec<_> = events.iter().filter(of_calls).collect();
        assert!(told.is_empty(), "{told:#?}");
    }

    /// The code with which the server closes the socket.
    pub async fn close_code(&mut self) -> u16 {
        let closing = async {
            loop {
                match self.socket.next().await.expect("a close frame comes first") {
                    Ok(Message::Close(Some(frame))) => return frame.code.into(),
                    Ok(_) => {}
                    Err(error) => panic!("closed without a code: {error}"),
                }
            }
        };
        timeout(PATIENCE, closing).await.expect("the server closes the socket")
    }

    /// How often an event of this name has come so far.
    pub fn count(&self, name: &str) -> usize {
        self.seen.iter().filter(|event| event["event"] == name).count()
    }

    async fn next(&mut self) -> Value {
        loop {
            let message = self.socket.next().await.expect("the socket stays open");
            let Message::Text(text) = message.expect("a WebSocket message") else { continue };
            let event: Value = serde_json::from_str(&text).expect("JSON");
            self.strict.check(&event);
            if let Some(id) = event["confirm_id"].as_str() {
                let confirm = json!({ "event": "client.confirm", "params": { "confirm_id": id } });
                self.send_message(Message::text(confirm.to_string())).await;
            }
            self.seen.push(event.clone());
            return event;
        }
    }
}

/// The params of an offer.
pub fn offer_of(chat: &str, sdp: &str) -> Value {
    json!({ "jid": chat, "sdp": sdp, "trickle": false, "muted": false })
}

/// Whether a state says that exactly these people are in the call.
pub fn holds(state: &Value, people: &[&Account]) -> bool {
    let onliners = state["onliners"].as_array().map(Vec::as_slice).unwrap_or_default();
    let has = |account: &&Account| onliners.iter().any(|onliner| onliner["jid"] == account.jid);
    onliners.len() == people.len() && people.iter().all(has)
}

/// What comes, comes in milliseconds; this forgives a machine that is busy building.
const PATIENCE: Duration = Duration::from_secs(20);
