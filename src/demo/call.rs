//! One's part in a call: takes the answer, answers the server's own offers (PROTOCOL.md section 4),
//! and notes how the call ended.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::client::{ClientError, JoinMute};
use super::events::Mark;
use super::hearing::Heard;
use super::mouth::Mouth;
use super::peer::Peer;
use super::socket::Socket;

/// One's part in a call. Dropping it closes the media connection, but the server is not told
/// that one leaves.
pub struct Call {
    pub chat: String,
    /// Packets as they arrive, of every section; whoever wants them takes it.
    pub heard: Option<mpsc::Receiver<Heard>>,
    peer: Arc<Peer>,
    socket: Arc<Socket>,
    stage: watch::Receiver<Stage>,
    following: JoinHandle<()>,
}

impl Call {
    /// Follows the call of `chat` from `from` on, the place in the log where `peer` was offered.
    pub(super) fn begin(chat: String, peer: Arc<Peer>, socket: Arc<Socket>, from: Mark) -> Self {
        let (stage_is, stage) = watch::channel(Stage::Offered);
        let follower = Follower {
            chat: chat.clone(),
            socket: Arc::clone(&socket),
            peer: Arc::clone(&peer),
            stage_is,
        };
        let following = tokio::spawn(follower.follow(from));
        Self { chat, heard: None, peer, socket, stage, following }
    }

    /// Waits for the answer to the offer.
    pub(super) async fn answered(&self) -> Result<(), ClientError> {
        let mut stage = self.stage.clone();
        let is_decided = |stage: &Stage| !matches!(stage, Stage::Offered);
        let decided = timeout(ANSWER_WITHIN, stage.wait_for(is_decided)).await;
        match decided.map_err(|_| ClientError::TimedOut("an answer"))?.as_deref() {
            Ok(Stage::Offered | Stage::Answered) => Ok(()),
            Ok(Stage::Ended(end)) => Err(ClientError::NotJoined(end.clone())),
            Err(_) => Err(ClientError::SocketClosed),
        }
    }

    /// Waits for ICE and DTLS, and returns the means to speak.
    ///
    /// # Errors
    /// The connection failed or took too long.
    pub async fn mouth(&self) -> Result<Mouth, ClientError> {
        self.peer.connected().await
    }

    /// Mutes or unmutes oneself at the server; says nothing about what one sends.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn set_mute(&self, mute: JoinMute) -> Result<(), ClientError> {
        let params = json!({"jid": self.chat, "muted": mute == JoinMute::Muted});
        self.socket.send("client.call.sound", params).await.map(drop)
    }

    /// Waits until the call is over for this client.
    pub async fn ended(&self) -> End {
        let mut stage = self.stage.clone();
        let ended = async {
            match stage.wait_for(|stage| matches!(stage, Stage::Ended(_))).await.as_deref() {
                Ok(Stage::Ended(end)) => end.clone(),
                Ok(Stage::Offered | Stage::Answered) | Err(_) => End::SocketClosed,
            }
        };
        tokio::select! {
            end = ended => end,
            () = self.peer.lost() => End::LinkLost,
        }
    }

    /// Says good-bye and closes the connection.
    ///
    /// # Errors
    /// The socket is closed already; the connection is closed all the same.
    pub async fn leave(self) -> Result<(), ClientError> {
        let said = self.socket.send("client.call.leave", json!({"jid": self.chat})).await;
        self.peer.close().await?;
        said.map(drop)
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.following.abort();
    }
}

/// Why a call is over for a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The server said server.call.leave.
    PutOut,
    /// The server lost the call's media and asks for a new offer.
    Restart,
    /// The server did not take the offer.
    Refused {
        code: String,
        message: String,
    },
    /// An SDP of the server's could not be applied.
    BadSdp(String),
    LinkLost,
    SocketClosed,
}

#[derive(Debug)]
enum Stage {
    Offered,
    Answered,
    Ended(End),
}

/// Reads what the server says about one call.
struct Follower {
    chat: String,
    socket: Arc<Socket>,
    peer: Arc<Peer>,
    stage_is: watch::Sender<Stage>,
}

impl Follower {
    async fn follow(self, from: Mark) {
        let mut from = from;
        let end = loop {
            let next = self.socket.events.next(from, |event| self.is_ours(event)).await;
            let Some((mark, event)) = next else {
                break End::SocketClosed;
            };
            from = mark;
            if let Some(end) = self.end_by(&event).await {
                break end;
            }
        };
        self.stage_is.send_replace(Stage::Ended(end));
    }

    fn is_ours(&self, event: &Value) -> bool {
        let params = &event["params"];
        match event["event"].as_str() {
            Some("server.warning") => {
                let orig = &params["orig"];
                orig["event"] == "client.call.offer" && orig["params"]["jid"] == *self.chat
            }
            Some(
                "server.call.sdp"
                | "server.call.answer"
                | "server.call.leave"
                | "server.call.restart",
            ) => params["jid"] == *self.chat,
            _ => false,
        }
    }

    /// Does what `event` asks for; the call's end if that is what it means.
    async fn end_by(&self, event: &Value) -> Option<End> {
        let params = &event["params"];
        let string = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let applied = match event["event"].as_str() {
            // Before the answer it can only mean an earlier part in the same call.
            Some("server.call.leave") if self.is_unanswered() => return None,
            Some("server.call.leave") => return Some(End::PutOut),
            Some("server.call.restart") => return Some(End::Restart),
            Some("server.warning") => {
                let (code, message) = (string(&params["code"]), string(&params["message"]));
                return Some(End::Refused { code, message });
            }
            _ if params["jsep"]["type"] == "offer" => self.answer(params).await,
            _ => self.accept(&string(&params["jsep"]["sdp"])).await,
        };
        applied.err().map(|error| End::BadSdp(error.to_string()))
    }

    fn is_unanswered(&self) -> bool {
        matches!(*self.stage_is.borrow(), Stage::Offered)
    }

    async fn accept(&self, sdp: &str) -> Result<(), ClientError> {
        self.peer.accept(sdp).await?;
        self.stage_is.send_replace(Stage::Answered);
        Ok(())
    }

    async fn answer(&self, params: &Value) -> Result<(), ClientError> {
        let offer = params["jsep"]["sdp"].as_str().unwrap_or_default();
        let sdp = self.peer.answer(offer).await?;
        let answer = json!({ "jid": params["jid"], "uid": params["uid"],
            "jsep": {"type": "answer", "sdp": sdp} });
        self.socket.send("client.call.sdp", answer).await.map(drop)
    }
}

/// A correct server answers in milliseconds; this forgives a machine that is busy building.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
