//! One socket: reads a client's events one at a time, writes what its session holds.
//!
//! Rules: PROTOCOL.md section 1. A confirm goes out before the event's effects; a repeat is
//! confirmed and not applied; what is wrong is answered by a warning, to this socket only.

use std::future::ready;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message, Utf8Bytes};
use tracing::debug;

use super::Shell;
use super::counters::{Ended, Refused};
use super::long::{LongMessage, TAIL};
use crate::core::Refusal;
use crate::core::sockets::bucket::Bucket;
use crate::core::sockets::mail::Outgoing;
use crate::core::sockets::repeats::Seen;
use crate::core::sockets::session::{Closing, Step};
use crate::core::sockets::{Attached, Sender, Signalled};
use crate::limits::{FLOOD_REFUSED_MAX, LINGER, PING_EVERY, SOCKET_DEAD_AFTER, WRITE_BUFFER_BYTES};
use crate::wire::{ClientEvent, Envelope, Frame, ServerEvent, Unusable};

/// A client's event on its way through the node.
struct Acting {
    signalled: Signalled,
    orig: Value,
}

struct Socket<S> {
    stream: WebSocketStream<S>,
    shell: Shell,
    sender: Sender,
    attached: Attached,
    bucket: Bucket,
    refused_in_row: u32,
    heard_at: Instant,
    acting: Option<Acting>,
    /// What is being written past `stream`: nothing else goes out before its end.
    unfinished: Option<LongMessage>,
}

/// Serves the socket until it ends.
pub async fn run<S>(stream: WebSocketStream<S>, shell: Shell, sender: Sender, attached: Attached)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let now = Instant::now();
    let bucket = Bucket::new(now, shell.options().pace);
    let counters = shell.counters.clone();
    counters.sockets.up();
    counters.resent.add(attached.resent);
    let mut socket = Socket {
        stream,
        shell,
        sender,
        attached,
        bucket,
        refused_in_row: 0,
        heard_at: now,
        acting: None,
        unfinished: None,
    };
    let ended = socket.talk().await.unwrap_or_else(|ended| ended);
    counters.ended(ended).add(1);
    debug!(jid = %socket.sender.jid(), reason = ended.as_str(), "socket ends");
    let Socket { mut stream, attached, acting, unfinished, .. } = socket;
    drop(attached);
    close(&mut stream, unfinished, ended).await;
    counters.sockets.down();
    drop(stream);
    if let Some(acting) = acting {
        // What the client asked for is finished, though he does not hear of it.
        let _ = acting.signalled.await;
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    /// Never `Ok`: a socket ends, for a reason.
    async fn talk(&mut self) -> Result<Ended, Ended> {
        let mut tick = interval_at(tokio::time::Instant::now() + PING_EVERY, PING_EVERY);
        let session = self.attached.session.clone();
        loop {
            let changed = session.changed();
            let began = Instant::now();
            let more = self.write_all().await?;
            // Nothing is read while something is written, so silence says nothing then.
            self.heard_at += began.elapsed();
            tokio::select! {
                () = changed => {}
                () = ready(()), if more => {}
                _ = tick.tick() => self.ping().await?,
                () = run_out(session.pass().until) => {
                    let is_over = |until| until <= Instant::now();
                    if session.pass().until.is_some_and(is_over) {
                        session.close(Closing::PassRanOut);
                    }
                }
                outcome = acted(&mut self.acting) => self.finish(outcome),
                message = self.stream.next(), if self.acting.is_none() => {
                    self.read(message.unwrap_or(Err(Error::ConnectionClosed)))?;
                }
            }
        }
    }

    /// Writes what waits, within the time after which a socket that takes nothing is dead. True
    /// after a long message, behind which more may wait: a client who is sent one after the other
    /// is to be heard too.
    async fn write_all(&mut self) -> Result<bool, Ended> {
        let (session, socket) = (self.attached.session.clone(), self.attached.socket);
        let mut was_long = false;
        while !was_long {
            let outgoing = match session.step(socket) {
                Step::Write(outgoing) => outgoing,
                Step::Close(closing) => return Err(closing.into()),
                Step::Wait => break,
            };
            tokio::select! {
                written = self.write(outgoing) => was_long = written?,
                closing = session.closed(socket) => return Err(closing.into()),
            }
        }
        let flushed = timeout(SOCKET_DEAD_AFTER, self.stream.flush());
        tokio::select! {
            flushed = flushed => flushed.map_err(|_| Ended::Dead)?.map_err(|_| Ended::ByClient)?,
            closing = session.closed(socket) => return Err(closing.into()),
        }
        Ok(was_long)
    }

    /// Writes a message; true for a long one.
    async fn write(&mut self, outgoing: Outgoing) -> Result<bool, Ended> {
        let Frame { params, .. } = &outgoing.frame;
        let head = outgoing.frame.head(outgoing.confirm_id.as_deref());
        if head.len() + params.len() + TAIL.len() <= WRITE_BUFFER_BYTES {
            let text = [head.as_str(), params, TAIL].concat();
            let fed = timeout(SOCKET_DEAD_AFTER, self.stream.feed(Message::text(text))).await;
            fed.map_err(|_| Ended::Dead)?.map_err(|_| Ended::ByClient)?;
            return Ok(false);
        }
        // What the stream holds goes first.
        let flushed = timeout(SOCKET_DEAD_AFTER, self.stream.flush()).await;
        flushed.map_err(|_| Ended::Dead)?.map_err(|_| Ended::ByClient)?;
        let message = self.unfinished.insert(LongMessage::new(head, params.clone()));
        while !message.is_written() {
            let written = timeout(SOCKET_DEAD_AFTER, message.write_some(self.stream.get_mut()));
            written.await.map_err(|_| Ended::Dead)?.map_err(|_| Ended::ByClient)?;
        }
        self.unfinished = None;
        Ok(true)
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        // Nothing is read while an event acts, so silence says nothing then.
        if self.acting.is_none() && self.heard_at.elapsed() >= SOCKET_DEAD_AFTER {
            return Err(Ended::Dead);
        }
        let ping = self.stream.send(Message::Ping(Bytes::new()));
        let sent = timeout(SOCKET_DEAD_AFTER, ping).await.map_err(|_| Ended::Dead)?;
        sent.map_err(|_| Ended::ByClient)
    }

    fn read(&mut self, message: Result<Message, Error>) -> Result<(), Ended> {
        self.heard_at = Instant::now();
        match message {
            Ok(Message::Text(text)) => self.hear(text.as_bytes()),
            Ok(Message::Binary(bytes)) => self.hear(&bytes),
            Ok(Message::Close(_)) => Err(Ended::ByClient),
            // tungstenite answers a ping by itself; it counts like any message.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {
                self.admit(|| Value::Null).map(drop)
            }
            Err(Error::Capacity(_)) => Err(Ended::TooBig),
            Err(Error::Protocol(_) | Error::Utf8(_)) => Err(Ended::Malformed),
            Err(_) => Err(Ended::ByClient),
        }
    }

    /// One message. `Err` only ends the socket; whatever is wrong in it becomes a warning.
    fn hear(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.shell.counters.messages.add(1);
        let envelope = match Envelope::parse(bytes) {
            Ok(envelope) => envelope,
            Err(not_json) => {
                if self.admit(|| Value::Null)? {
                    self.warn_unusable(not_json.into(), Value::Null);
                }
                return Ok(());
            }
        };
        if let Ok(ClientEvent::Confirm { confirm_id }) = &envelope.event
            && self.attached.session.confirm(confirm_id)
        {
            // Free of the pace: the server itself asked for it.
            return Ok(());
        }
        let Envelope { confirm_id, orig, event } = envelope;
        if !self.admit(|| orig.clone())? {
            return Ok(());
        }
        if self.confirm(confirm_id, &event) == Seen::Repeat {
            self.shell.counters.repeats.add(1);
            return Ok(());
        }
        match event {
            Err(unusable) => self.warn_unusable(unusable, orig),
            Ok(event) => {
                let signalled = self.shell.sockets.signal(&self.sender, event);
                self.acting = Some(Acting { signalled, orig });
            }
        }
        Ok(())
    }

    /// Whether a message is within the pace; `too_fast` is told where it is not.
    fn admit(&mut self, orig: impl FnOnce() -> Value) -> Result<bool, Ended> {
        if self.bucket.take(Instant::now()) {
            self.refused_in_row = 0;
            return Ok(true);
        }
        self.refused_in_row += 1;
        if self.refused_in_row >= FLOOD_REFUSED_MAX {
            return Err(Ended::Flood);
        }
        self.shell.counters.refused(Refused::TooFast).add(1);
        self.warn("too_fast", "too many messages a second: send it again later", orig());
        Ok(false)
    }

    /// Confirms an event that asks for it, before its effects, and says whether it came before.
    fn confirm(&mut self, id: Option<String>, event: &Result<ClientEvent, Unusable>) -> Seen {
        let Some(confirm_id) = id else { return Seen::First };
        let seen = match event {
            // Without effects: nothing to remember.
            Ok(event) if event.jid().is_none() => Seen::First,
            _ => self.attached.session.note(Instant::now(), &confirm_id),
        };
        self.answer(&ServerEvent::Confirm { confirm_id });
        seen
    }

    fn finish(&mut self, outcome: Result<(), Refusal>) {
        let Some(Acting { orig, .. }) = self.acting.take() else { return };
        if let Err(refusal) = outcome {
            self.shell.counters.refused(Refused::ByCore).add(1);
            self.warn(refusal.code, &refusal.message, orig);
        }
    }

    fn warn_unusable(&mut self, unusable: Unusable, orig: Value) {
        let reason = match unusable.code {
            "bad_json" => Refused::BadJson,
            "unknown_event" => Refused::UnknownEvent,
            _ => Refused::BadParams,
        };
        self.shell.counters.refused(reason).add(1);
        self.warn(unusable.code, &unusable.message, orig);
    }

    fn warn(&mut self, code: &'static str, message: &str, orig: Value) {
        self.answer(&ServerEvent::warning(code, message, orig));
    }

    fn answer(&mut self, event: &ServerEvent) {
        self.shell.sockets.answer(&self.attached.session, event);
    }
}

impl From<Closing> for Ended {
    fn from(closing: Closing) -> Self {
        match closing {
            Closing::TakenOver => Self::TakenOver,
            Closing::TooSlow => Self::TooSlow,
            Closing::GoingAway => Self::GoingAway,
            Closing::PassRanOut => Self::PassRanOut,
        }
    }
}

/// The end of what its device showed; a newer pass may have come meanwhile.
async fn run_out(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

/// The end of the event under way; never, where there is none.
async fn acted(acting: &mut Option<Acting>) -> Result<(), Refusal> {
    match acting {
        Some(acting) => acting.signalled.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Tells a client whose handshake was refused, and closes.
pub async fn refuse<S>(mut stream: WebSocketStream<S>, panic: &ServerEvent)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let text = Message::text(panic.encode().to_text(None));
    if let Ok(Ok(())) = timeout(LINGER, stream.send(text)).await {
        dismiss(&mut stream, REFUSED, "refused").await;
    }
}

async fn close<S>(stream: &mut WebSocketStream<S>, unfinished: Option<LongMessage>, ended: Ended)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if let Some(mut message) = unfinished
        && !matches!(timeout(LINGER, message.end_fragment(stream.get_mut())).await, Ok(Ok(())))
    {
        // Within a fragment a close frame would be read as its text.
        return;
    }
    let Some((code, reason)) = code(ended) else {
        // Tungstenite's answer to a client's close frame still has to go out.
        let _ = timeout(LINGER, stream.flush()).await;
        return;
    };
    dismiss(stream, code, reason).await;
}

/// Says why, and waits a moment for the client to read it: closing at once, with bytes of his
/// unread, would reset the connection before the close frame arrives.
async fn dismiss<S>(stream: &mut WebSocketStream<S>, code: u16, reason: &'static str)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
    let _ = timeout(LINGER, async {
        if stream.close(Some(frame)).await.is_err() {
            let _ = stream.flush().await;
        }
        // Past tungstenite: after a refused message it would read that message to its end.
        let mut rest = [0; 1024];
        while stream.get_mut().read(&mut rest).await.is_ok_and(|length| length > 0) {}
    })
    .await;
}

fn code(ended: Ended) -> Option<(u16, &'static str)> {
    match ended {
        Ended::ByClient | Ended::Dead => None,
        Ended::GoingAway => Some((Closing::GoingAway.code(), "the server stops")),
        Ended::PassRanOut => {
            Some((Closing::PassRanOut.code(), "the token has run out: come with another"))
        }
        Ended::Malformed => Some((1002, "not a WebSocket message")),
        Ended::Flood => Some((1008, "too many messages")),
        Ended::TooBig => Some((1009, "message too big")),
        Ended::TooSlow => Some((Closing::TooSlow.code(), "too slow a reader")),
        Ended::TakenOver => Some((Closing::TakenOver.code(), "taken over by a newer socket")),
    }
}

/// Close code after `server.panic`, beside the contract's 4001.
const REFUSED: u16 = 4003;
