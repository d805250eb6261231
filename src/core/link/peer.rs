//! One connection to the core: hello both ways, then what waits for it, and facts, each until the
//! core has them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};
use tracing::{debug, info, warn};

use super::message::{self, Broken, FromCore, Seen, VERSION};
use super::{Kind, LinkCore};
use crate::core::Presence;
use crate::limits::{CORE_DEAD, CORE_OPEN_MAX, CORE_PING, FACTS_READ_MAX};
use crate::metrics::Sample;
use crate::outbox::Kept as Fact;

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    #[error("{0}")]
    Socket(Box<tungstenite::Error>),
    #[error("the core closed it")]
    Closed,
    #[error("the core has said nothing for {} s", CORE_DEAD.as_secs())]
    Silent,
    #[error("no hello within {} s", CORE_OPEN_MAX.as_secs())]
    NoHello,
    #[error("the core breaks the contract: {0}")]
    Broken(#[from] Broken),
    #[error("a newer link took its place")]
    Replaced,
}

impl From<tungstenite::Error> for Ended {
    fn from(error: tungstenite::Error) -> Self {
        Ended::Socket(Box::new(error))
    }
}

impl Ended {
    /// The close code (RFC 6455 section 7.4; above 4000 ours).
    fn code(&self) -> Option<u16> {
        match self {
            Ended::Broken(_) | Ended::NoHello => Some(4400),
            Ended::Replaced => Some(4001),
            Ended::Silent | Ended::Socket(_) | Ended::Closed => None,
        }
    }
}

/// A link while it is open.
struct Peer<'a, S> {
    core: &'a LinkCore,
    socket: WebSocketStream<S>,
    /// Of all links.
    number: u64,
    /// The newest message that was said on it.
    said: u64,
    /// The newest fact that was said on it, and those that are not acknowledged.
    fact: i64,
    under_way: VecDeque<i64>,
    /// What was acknowledged of the core's messages.
    acked: u64,
    heard: Instant,
}

/// Runs a link to its end.
pub async fn run<S>(core: &Arc<LinkCore>, socket: WebSocketStream<S>) -> Ended
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let number = {
        let mut state = core.state();
        state.link += 1;
        state.link
    };
    // The older one, if there is one, sees that it is not the newest.
    core.wake.notify_waiters();
    let heard = Instant::now();
    let (said, fact, under_way, acked) = (0, 0, VecDeque::new(), 0);
    let mut peer = Peer { core, socket, number, said, fact, under_way, acked, heard };
    let ended = match peer.open().await {
        Ok(()) => peer.talk().await,
        Err(ended) => ended,
    };
    {
        let mut state = core.state();
        state.is_linked &= state.link != number;
    }
    // It may have been woken in a newer one's place.
    core.wake.notify_one();
    if let Some(code) = ended.code() {
        let reason: String = ended.to_string().chars().take(100).collect();
        let frame = CloseFrame { code: CloseCode::from(code), reason: reason.into() };
        let _ = timeout(CORE_OPEN_MAX, peer.socket.close(Some(frame))).await;
    }
    ended
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<'_, S> {
    async fn open(&mut self) -> Result<(), Ended> {
        let hello = message::hello(&self.core.id, &self.core.state().seen);
        self.write(hello).await?;
        let first = timeout(CORE_OPEN_MAX, self.read()).await.map_err(|_| Ended::NoHello)??;
        let FromCore::Hello { version, core, seen } = first else {
            return Err(Broken("the first message is not hello".to_owned()).into());
        };
        if version != VERSION {
            return Err(Broken(format!("version {version}, and this node speaks {VERSION}")).into());
        }
        let is_same = seen.id == self.core.id;
        info!(core, resumes = is_same, "core linked");
        {
            let mut state = self.core.state();
            if state.seen.id != core {
                state.seen = Seen { id: core, seq: 0 };
                // They answer numbers that now mean something else.
                state.kept.forget_results();
            }
            self.acked = state.seen.seq;
            if is_same {
                state.kept.taken(seen.seq);
            }
            state.kept.weed(Instant::now());
            state.is_linked = state.link == self.number;
        }
        self.core.counts.links.fetch_add(1, Ordering::Relaxed);
        // What the core had of calls it may have lost.
        if let Some(node) = self.core.node.get() {
            node.tell_all();
        }
        Ok(())
    }

    async fn talk(&mut self) -> Ended {
        let mut pings = interval(CORE_PING);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let outbox = self.core.outbox.clone();
        loop {
            if let Err(ended) = self.say_all().await {
                return ended;
            }
            let room = FACTS_READ_MAX.saturating_sub(self.under_way.len());
            let after = self.fact;
            let facts = async {
                match &outbox {
                    Some(outbox) => outbox.next(after, room).await,
                    None => std::future::pending().await,
                }
            };
            let done = tokio::select! {
                heard = self.socket.next() => match heard {
                    Some(Ok(message)) => self.handle(message).await,
                    Some(Err(error)) => Err(error.into()),
                    None => Err(Ended::Closed),
                },
                () = self.core.wake.notified() => Ok(()),
                facts = facts, if room > 0 => self.say_facts(facts).await,
                _ = pings.tick() => self.ping().await,
            };
            if let Err(ended) = done {
                return ended;
            }
        }
    }

    /// Everything that waits for the core, and what we have taken of it.
    async fn say_all(&mut self) -> Result<(), Ended> {
        loop {
            let (next, seen) = {
                let state = self.core.state();
                if state.link != self.number {
                    return Err(Ended::Replaced);
                }
                (state.kept.after(self.said), state.seen.seq)
            };
            if seen > self.acked {
                self.acked = seen;
                self.feed(message::ack(seen)).await?;
            }
            let Some((seq, text)) = next else { break };
            self.said = seq;
            self.feed(text.to_string()).await?;
        }
        Ok(timeout(CORE_DEAD, self.socket.flush()).await.map_err(|_| Ended::Silent)??)
    }

    async fn say_facts(&mut self, facts: Vec<Fact>) -> Result<(), Ended> {
        for fact in facts {
            self.fact = fact.id;
            self.under_way.push_back(fact.id);
            self.feed(message::fact(&fact.body)).await?;
        }
        Ok(())
    }

    async fn ping(&mut self) -> Result<(), Ended> {
        if self.heard.elapsed() >= CORE_DEAD {
            return Err(Ended::Silent);
        }
        let ping = self.socket.send(Message::Ping(Bytes::new()));
        Ok(timeout(CORE_DEAD, ping).await.map_err(|_| Ended::Silent)??)
    }

    async fn handle(&mut self, message: Message) -> Result<(), Ended> {
        self.heard = Instant::now();
        match message {
            Message::Text(text) => {
                let message = FromCore::parse(&text)?;
                self.act(message).await;
                Ok(())
            }
            Message::Binary(_) => Err(Broken("a binary message".to_owned()).into()),
            Message::Close(_) => Err(Ended::Closed),
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => Ok(()),
        }
    }

    async fn act(&mut self, message: FromCore) {
        match message {
            FromCore::Signal { seq, signal } => {
                if !self.takes(seq) {
                    return;
                }
                let lanes = self.core.lanes.get();
                let put = signal.and_then(|signal| lanes.map_or(Ok(()), |it| it.put(seq, signal)));
                if let Err(refusal) = put {
                    // The node never saw it: so it is counted here.
                    self.core.metrics.count(Sample::Refusals(refusal.code));
                    debug!(seq, %refusal, "a signal is refused at the link");
                    let refused = Err(refusal);
                    self.core.say(Kind::Result, |own| message::result(own, seq, &refused));
                }
            }
            FromCore::Presence { seq, device, connected, reader } => {
                if let Some(node) = self.core.node.get().filter(|_| self.takes(seq)) {
                    let presence = if connected { Presence::Connected } else { Presence::Lost };
                    node.presence(&device, presence, &reader);
                }
            }
            FromCore::Useless { seq, why } => {
                if self.takes(seq) {
                    warn!(%why, "a message of the core is of no use");
                }
            }
            FromCore::Ack { seq } => self.core.state().kept.taken(seq),
            FromCore::FactAck { id } => {
                while self.under_way.front().is_some_and(|first| *first <= id) {
                    self.under_way.pop_front();
                }
                // Never what it was not told.
                if let Some(outbox) = &self.core.outbox {
                    outbox.taken(id.min(self.fact)).await;
                }
            }
            FromCore::Hello { .. } => warn!("the core says hello twice"),
            FromCore::Unknown => debug!("a message of the core is not known here"),
        }
    }

    /// False for what was taken already: the core said it again.
    fn takes(&self, seq: u64) -> bool {
        let mut state = self.core.state();
        let is_new = seq > state.seen.seq;
        state.seen.seq = state.seen.seq.max(seq);
        is_new
    }

    async fn read(&mut self) -> Result<FromCore, Ended> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Ok(FromCore::parse(&text)?),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_)) | None => return Err(Ended::Closed),
                Some(Err(error)) => return Err(error.into()),
            }
        }
    }

    async fn write(&mut self, text: String) -> Result<(), Ended> {
        self.feed(text).await?;
        Ok(timeout(CORE_DEAD, self.socket.flush()).await.map_err(|_| Ended::Silent)??)
    }

    /// Written with the next flush, or as the buffer fills.
    async fn feed(&mut self, text: String) -> Result<(), Ended> {
        let fed = self.socket.feed(Message::Text(Utf8Bytes::from(text)));
        Ok(timeout(CORE_DEAD, fed).await.map_err(|_| Ended::Silent)??)
    }
}
