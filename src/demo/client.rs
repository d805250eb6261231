//! A whole client: a logged-in person with a socket, who starts and joins calls. Knows no voices.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite;

use super::call::{Call, End};
use super::events::Events;
use super::http::HttpError;
use super::mouth::LEVEL_URI;
use super::peer::{Outlets, Peer, Sections};
use super::socket::{Account, Socket};

/// A logged-in person with an open socket.
pub struct Client {
    pub account: Account,
    socket: Arc<Socket>,
    local: IpAddr,
}

/// How to join a call.
#[derive(Debug, Clone, Copy)]
pub struct Join {
    pub sections: Sections,
    pub mute: JoinMute,
    pub candidates: Candidates,
    pub levels: Levels,
}

/// Whether one can be heard at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JoinMute {
    Muted,
    Unmuted,
}

/// How the server learns the client's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Candidates {
    /// All of them stand in the offer.
    InOffer,
    /// Each in a `client.call.trickle` of its own, then an empty one.
    Trickle,
}

/// Whether each packet says how loud it is (RFC 6464).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Levels {
    Told,
    /// As a client that does not know of it: the server has to listen.
    Untold,
}

impl Client {
    /// Opens the socket of `device` (at most 64 characters) for a logged-in person.
    ///
    /// # Errors
    /// As `Socket::connect`; or this machine has no way to the server.
    pub async fn connect(account: Account, device: &str) -> Result<Self, ClientError> {
        let socket = Arc::new(Socket::connect(&account, device).await?);
        let local = address_towards(&account.origin.authority)?;
        Ok(Self { account, socket, local })
    }

    /// All that the server has said on this socket.
    pub fn events(&self) -> &Events {
        &self.socket.events
    }

    /// Sends any event; returns its `confirm_id`.
    ///
    /// # Errors
    /// The socket is closed.
    pub async fn send(&self, event: &str, params: Value) -> Result<String, ClientError> {
        self.socket.send(event, params).await
    }

    /// Starts or joins the call of `chat`, and returns once the server has answered.
    ///
    /// # Errors
    /// The server refuses or does not answer, or its SDP does not fit.
    pub async fn join(&self, chat: &str, how: Join) -> Result<Call, ClientError> {
        let (peer, outlets) = Peer::new(self.local, how.sections).await?;
        let peer = Arc::new(peer);
        let Outlets { heard, candidates } = outlets;
        let trickle = how.candidates == Candidates::Trickle;
        let sdp = if trickle { peer.offer_trickling().await? } else { peer.offer().await? };
        let sdp = match how.levels {
            Levels::Told => sdp,
            Levels::Untold => without(&sdp, LEVEL_URI),
        };

        let from = self.events().mark();
        let muted = how.mute == JoinMute::Muted;
        let offer = json!({ "jid": chat, "sdp": sdp, "trickle": trickle, "muted": muted,
            "enabled_audio": !muted, "enabled_video": false, "call_type": "audio" });
        self.send("client.call.offer", offer).await?;
        if trickle {
            let socket = Arc::clone(&self.socket);
            tokio::spawn(trickle_all(socket, chat.to_owned(), candidates));
        }
        let socket = Arc::clone(&self.socket);
        let mut call = Call::begin(chat.to_owned(), peer, socket, from);
        call.heard = Some(heard);
        call.answered().await?;
        Ok(call)
    }
}

/// A description without the lines that name `what`.
fn without(sdp: &str, what: &str) -> String {
    let lines = sdp.split_inclusive('\n');
    lines.filter(|line| !line.contains(what)).collect()
}

async fn trickle_all(socket: Arc<Socket>, chat: String, mut candidates: mpsc::Receiver<String>) {
    loop {
        let candidate = candidates.recv().await;
        let is_last = candidate.is_none();
        let params = json!({ "jid": chat, "candidate": candidate.unwrap_or_default(),
            "sdp_mline_index": 0 });
        if socket.send("client.call.trickle", params).await.is_err() || is_last {
            return;
        }
    }
}

/// The address of this machine from which `authority` is reached. Sends nothing.
fn address_towards(authority: &str) -> Result<IpAddr, ClientError> {
    let is_v6 = authority.starts_with('[');
    let any =
        if is_v6 { IpAddr::from(Ipv6Addr::UNSPECIFIED) } else { Ipv4Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).map_err(HttpError::from)?;
    socket.connect(authority).map_err(HttpError::from)?;
    Ok(socket.local_addr().map_err(HttpError::from)?.ip())
}

/// What went wrong for a client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("{0:?} is not http://HOST:PORT")]
    BadUrl(String),
    #[error(transparent)]
    Http(#[from] HttpError),
    #[error("the login reply lacks {0}")]
    BadReply(&'static str),
    #[error("socket: {0}")]
    WebSocket(Box<tungstenite::Error>),
    #[error("the socket is closed")]
    SocketClosed,
    #[error("not in the call: {0:?}")]
    NotJoined(End),
    #[error("no Opus was negotiated")]
    NoOpus,
    #[error("the media connection failed")]
    LinkFailed,
    #[error("media: {0}")]
    Media(Box<webrtc::error::Error>),
    #[error("waited too long for {0}")]
    TimedOut(&'static str),
}

impl From<tungstenite::Error> for ClientError {
    fn from(error: tungstenite::Error) -> Self {
        Self::WebSocket(Box::new(error))
    }
}

impl From<webrtc::error::Error> for ClientError {
    fn from(error: webrtc::error::Error) -> Self {
        Self::Media(Box::new(error))
    }
}
