//! A line to Janus: one WebSocket with one session, requests and their answers
//! (<https://janus.conf.meetecho.com/docs/rest.html>).

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use anyhow::{Context, Result, anyhow, bail};
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// An open session.
pub struct Line {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    session: u64,
    asked: u64,
}

/// A session description, ours or Janus'.
#[derive(Debug, Deserialize, Serialize)]
pub struct Jsep {
    pub r#type: String,
    pub sdp: String,
    /// All candidates are in it.
    #[serde(default)]
    pub trickle: bool,
}

/// What the VideoRoom answered.
#[derive(Debug)]
pub struct Reply {
    pub data: Value,
    pub jsep: Option<Jsep>,
}

/// The VideoRoom does not do what it was asked.
#[derive(Debug)]
pub struct Refused {
    code: u64,
    why: String,
}

/// Anything that Janus says.
#[derive(Debug, Deserialize)]
struct Said {
    janus: String,
    transaction: Option<String>,
    data: Option<Value>,
    plugindata: Option<PluginData>,
    jsep: Option<Jsep>,
    error: Option<Value>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PluginData {
    data: Value,
}

impl Line {
    /// Opens a WebSocket and a session.
    ///
    /// # Errors
    /// When Janus refuses or cannot be reached.
    pub async fn open(url: &str) -> Result<Self> {
        let mut request = url.into_client_request()?;
        let protocol = HeaderValue::from_static("janus-protocol");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let config = WebSocketConfig::default().read_buffer_size(READ_BUFFER_BYTES);
        let opened = connect_async_with_config(request, Some(config), true).await;
        let (socket, _) = opened.with_context(|| format!("no Janus at {url}"))?;
        let mut line = Self { socket, session: 0, asked: 0 };
        line.session = line.make(json!({ "janus": "create" })).await?;
        Ok(line)
    }

    /// A handle of the VideoRoom: one PeerConnection.
    ///
    /// # Errors
    /// When Janus refuses, as where the plugin is not loaded.
    pub async fn attach(&mut self) -> Result<u64> {
        let plugin = "janus.plugin.videoroom";
        self.make(json!({ "janus": "attach", "plugin": plugin })).await
    }

    /// Asks the VideoRoom and waits for what it answers.
    ///
    /// # Errors
    /// When it refuses, or Janus hangs one of the session's PeerConnections up meanwhile.
    pub async fn ask(&mut self, handle: u64, body: Value, jsep: Option<Jsep>) -> Result<Reply> {
        let mut message = json!({ "janus": "message", "handle_id": handle, "body": body });
        if let Some(jsep) = jsep {
            message["jsep"] = serde_json::to_value(jsep)?;
        }
        let said = self.request(message).await?;
        let data = said.plugindata.context("Janus answered without the VideoRoom")?.data;
        if let Some(error) = data.get("error") {
            let code = data.get("error_code").and_then(Value::as_u64).unwrap_or(0);
            bail!(Refused { code, why: error.to_string() });
        }
        Ok(Reply { data, jsep: said.jsep })
    }

    /// Tells Janus that the session is still wanted; it forgets one after 60 s of silence.
    ///
    /// # Errors
    /// When the WebSocket is gone.
    pub async fn keep_alive(&mut self) -> Result<()> {
        self.send(json!({ "janus": "keepalive" })).await?;
        Ok(())
    }

    /// Hangs up and forgets a handle.
    ///
    /// # Errors
    /// When the WebSocket is gone.
    pub async fn detach(&mut self, handle: u64) -> Result<()> {
        self.send(json!({ "janus": "detach", "handle_id": handle })).await?;
        Ok(())
    }

    /// Takes the next thing that Janus says unasked.
    ///
    /// # Errors
    /// When it ends the session, hangs up, or the WebSocket is gone.
    pub async fn listen(&mut self) -> Result<()> {
        self.read().await.map(|_| ())
    }

    /// # Errors
    /// When the WebSocket is gone already.
    pub async fn close(&mut self) -> Result<()> {
        self.send(json!({ "janus": "destroy" })).await?;
        Ok(self.socket.close(None).await?)
    }

    async fn make(&mut self, message: Value) -> Result<u64> {
        let said = self.request(message).await?;
        let id = said.data.as_ref().and_then(|data| data.get("id")).and_then(Value::as_u64);
        id.context("Janus answered without an id")
    }

    async fn request(&mut self, message: Value) -> Result<Said> {
        let transaction = self.send(message).await?;
        loop {
            let said = self.read().await?;
            // An ack only says that the answer comes later.
            if said.transaction.as_ref() == Some(&transaction) && said.janus != "ack" {
                return Ok(said);
            }
        }
    }

    async fn send(&mut self, mut message: Value) -> Result<String> {
        self.asked += 1;
        let transaction = self.asked.to_string();
        message["transaction"] = transaction.clone().into();
        if self.session != 0 {
            message["session_id"] = self.session.into();
        }
        self.socket.send(Message::text(message.to_string())).await?;
        Ok(transaction)
    }

    async fn read(&mut self) -> Result<Said> {
        loop {
            let message = self.socket.next().await.context("Janus closed the WebSocket")??;
            let Message::Text(text) = message else {
                continue;
            };
            let said: Said = serde_json::from_str(&text).context("not Janus' JSON")?;
            let why = |what: &str| anyhow!("{what}: {}", said.reason.as_deref().unwrap_or("-"));
            return match said.janus.as_str() {
                "error" => Err(anyhow!("Janus refused: {}", said.error.unwrap_or_default())),
                "timeout" => Err(why("Janus ended the session")),
                "hangup" => Err(why("Janus hung up")),
                _ => Ok(said),
            };
        }
    }
}

impl Refused {
    /// Nobody publishes under that number (`JANUS_VIDEOROOM_ERROR_NO_SUCH_FEED`).
    pub fn is_no_such_feed(&self) -> bool {
        self.code == 428
    }
}

impl Display for Refused {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "the VideoRoom refused: {} ({})", self.why, self.code)
    }
}

impl Error for Refused {}

impl Jsep {
    /// A description of ours, whole.
    pub fn new(r#type: &str, sdp: String) -> Self {
        Self { r#type: r#type.to_owned(), sdp, trickle: false }
    }
}

/// As for Voxhall's sockets.
const READ_BUFFER_BYTES: usize = 8 << 10;

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;
    use tokio_tungstenite::accept_hdr_async;
    use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

    use super::*;

    /// A Janus that gives session and handle, then says `said` to a message, with its transaction.
    #[expect(clippy::result_large_err, reason = "the handshake's callback is made so")]
    async fn janus(listener: TcpListener, said: Vec<Value>) {
        let (stream, _) = listener.accept().await.expect("the line comes");
        let speaks = |request: &Request, mut response: Response| {
            let protocol = request.headers()["sec-websocket-protocol"].clone();
            response.headers_mut().insert("sec-websocket-protocol", protocol);
            Ok(response)
        };
        let mut socket = accept_hdr_async(stream, speaks).await.expect("it upgrades");
        let id = json!({ "janus": "success", "data": { "id": 7 } });
        for answers in [vec![id.clone()], vec![id], said] {
            let asked = socket.next().await.expect("open").expect("whole");
            let asked: Value = serde_json::from_str(asked.to_text().expect("text")).expect("JSON");
            for mut answer in answers {
                answer["transaction"] = asked["transaction"].clone();
                socket.send(Message::text(answer.to_string())).await.expect("open");
            }
        }
    }

    async fn asked(said: Vec<Value>) -> Result<Reply> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has ports");
        let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
        let serving = tokio::spawn(janus(listener, said));
        let mut line = Line::open(&url).await.expect("it is let in");
        let handle = line.attach().await.expect("it has a handle");
        let reply = line.ask(handle, json!({ "request": "join" }), None).await;
        serving.await.expect("no panic");
        reply
    }

    #[tokio::test]
    async fn an_answer_is_what_comes_behind_the_ack() {
        let data = json!({ "videoroom": "joined" });
        let jsep = json!({ "type": "answer", "sdp": "v=0" });
        let event = json!({ "janus": "event", "plugindata": { "data": data }, "jsep": jsep });
        let reply = asked(vec![json!({ "janus": "ack" }), event]).await.expect("it is answered");
        assert_eq!(reply.data["videoroom"], "joined");
        assert!(reply.jsep.is_some_and(|jsep| jsep.sdp == "v=0" && jsep.r#type == "answer"));
    }

    #[tokio::test]
    async fn a_talker_who_does_not_publish_yet_is_told_from_other_refusals() {
        for (code, wanted) in [(428, true), (426, false)] {
            let data = json!({ "videoroom": "event", "error_code": code, "error": "No such" });
            let event = json!({ "janus": "event", "plugindata": { "data": data } });
            let error = asked(vec![event]).await.expect_err("it is refused");
            let refused = error.downcast_ref::<Refused>().expect("by the VideoRoom");
            assert_eq!(refused.is_no_such_feed(), wanted, "{refused}");
        }
    }
}
