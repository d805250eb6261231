//! A chat core that can be told to fail: it refuses, is a black hole, hangs, or takes facts and its
//! answer is lost. It follows the documented rule for facts and writes down what came.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

pub const SECRET: &str = "a-secret-of-thirty-two-characters";

/// How it behaves at present.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Works,
    /// It takes facts and signals go out, but no fact is acknowledged.
    Forgets,
    Refuses,
    /// The connection opens, and nothing is said on it.
    BlackHole,
    /// The WebSocket opens, and hello is never said.
    Hangs,
}

/// See the module's words.
pub struct FakeCore {
    pub url: String,
    mode: watch::Sender<Mode>,
    inner: Arc<Inner>,
    accepts: tokio::task::JoinHandle<()>,
}

struct Inner {
    id: String,
    state: Mutex<State>,
    /// Changes with everything that comes or is to be said.
    changes: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    said: u64,
    /// Not acknowledged by the node.
    waiting: VecDeque<(u64, String)>,
    node: String,
    seen: u64,
    /// Everything but facts, as it came.
    came: Vec<Value>,
    facts: BTreeMap<String, Vec<Value>>,
    /// Facts that came again and were left out.
    repeats: u64,
    links: u64,
    /// Who could not show a certificate, or did not trust ours.
    strangers: u64,
}

impl FakeCore {
    pub async fn start() -> FakeCore {
        Self::start_with(None).await
    }

    /// With `wss://`, where there is something to serve it with.
    pub async fn start_with(tls: Option<TlsAcceptor>) -> FakeCore {
        let scheme = if tls.is_some() { "wss" } else { "ws" };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (mode, modes) = watch::channel(Mode::Works);
        let inner = Arc::new(Inner {
            id: format!("core-{port}"),
            state: Mutex::default(),
            changes: watch::channel(0).0,
        });
        let own = inner.clone();
        let accepts = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(let_in(stream, tls.clone(), own.clone(), modes.clone()));
            }
        });
        FakeCore { url: format!("{scheme}://127.0.0.1:{port}/voxhall"), mode, inner, accepts }
    }

    /// Links that are open end by it.
    pub fn turns(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// With every right.
    pub fn signal(&self, actor: &str, chat: &Value, event: &str, params: &Value) -> u64 {
        let rights = json!({ "mute_all": true, "record": true, "kick": true });
        self.signal_with(actor, chat, event, params, &rights)
    }

    pub fn signal_with(
        &self,
        actor: &str,
        chat: &Value,
        event: &str,
        params: &Value,
        rights: &Value,
    ) -> u64 {
        let person = |jid: &str| json!({ "jid": jid, "display_name": jid });
        self.say(json!({
            "type": "signal", "team": { "uid": "team-1", "name": "Team" }, "chat": chat,
            "actor": person(actor), "device": "pc", "useragent": "fake",
            "rights": rights,
            "event": { "event": event, "params": params },
        }))
    }

    /// Numbered, and said again until the node has it.
    pub fn say(&self, mut message: Value) -> u64 {
        let seq = {
            let mut state = self.inner.state();
            state.said += 1;
            message["seq"] = state.said.into();
            let said = (state.said, message.to_string());
            state.waiting.push_back(said);
            state.said
        };
        self.inner.changed();
        seq
    }

    /// What became of a signal.
    pub async fn result(&self, re: u64) -> Value {
        self.wait("result", |it| it["type"] == "result" && it["re"] == re).await
    }

    /// Waits until every signal up to this one has its result.
    pub async fn results(&self, last: u64) {
        let count = || self.inner.state().came.iter().filter(|it| it["type"] == "result").count();
        self.until("every result", || count() as u64 >= last).await;
    }

    /// Waits for a message that is no fact.
    pub async fn wait(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let find = || self.inner.state().came.iter().rev().find(|it| is(it)).cloned();
        self.until(what, || find().is_some()).await;
        find().expect("just seen")
    }

    /// Messages that came, but for facts.
    pub fn count(&self) -> usize {
        self.inner.state().came.len()
    }

    /// Those behind the first so many.
    pub fn since(&self, count: usize) -> Vec<Value> {
        self.inner.state().came.iter().skip(count).cloned().collect()
    }

    pub fn any(&self, is: impl Fn(&Value) -> bool) -> bool {
        self.inner.state().came.iter().any(is)
    }

    /// Waits until something holds of what came.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let mut changes = self.inner.changes.subscribe();
        let held = async {
            while !holds() {
                changes.changed().await.expect("it lives");
            }
        };
        let held = tokio::time::timeout(super::PATIENCE, held).await;
        assert!(held.is_ok(), "{what} does not come: {:#?}", self.inner.state().came.last());
    }

    pub fn facts(&self) -> BTreeMap<String, Vec<Value>> {
        self.inner.state().facts.clone()
    }

    pub fn count_facts(&self) -> usize {
        self.inner.state().facts.values().map(Vec::len).sum()
    }

    pub fn repeats(&self) -> u64 {
        self.inner.state().repeats
    }

    pub fn links(&self) -> u64 {
        self.inner.state().links
    }

    pub fn strangers(&self) -> u64 {
        self.inner.state().strangers
    }
}

impl Drop for FakeCore {
    fn drop(&mut self) {
        self.accepts.abort();
    }
}

impl Inner {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no test panics with it")
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

#[allow(clippy::result_large_err, reason = "the library's own type")]
fn lets_in(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    let shown = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    match shown == Some(&format!("Bearer {SECRET}")) {
        true => Ok(response),
        false => {
            let mut refused = ErrorResponse::new(None);
            *refused.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::UNAUTHORIZED;
            Err(refused)
        }
    }
}

async fn let_in(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    inner: Arc<Inner>,
    modes: watch::Receiver<Mode>,
) {
    let Some(tls) = tls else { return serve(stream, inner, modes).await };
    match tls.accept(stream).await {
        Ok(stream) => serve(stream, inner, modes).await,
        Err(_) => {
            inner.state().strangers += 1;
            inner.changed();
        }
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

async fn serve(stream: impl Stream, inner: Arc<Inner>, mut modes: watch::Receiver<Mode>) {
    let mode = *modes.borrow_and_update();
    match mode {
        Mode::Refuses => {}
        Mode::BlackHole => drop(modes.changed().await),
        Mode::Works | Mode::Forgets | Mode::Hangs => {
            let Ok(socket) = accept_hdr_async(stream, lets_in).await else { return };
            match mode {
                Mode::Hangs => {
                    let _open_until_then = socket;
                    let _ = modes.changed().await;
                }
                _ => drop(talk(socket, &inner, modes, mode == Mode::Works).await),
            }
        }
    }
}

/// `None` at the link's end.
async fn talk(
    mut socket: WebSocketStream<impl Stream>,
    inner: &Inner,
    mut modes: watch::Receiver<Mode>,
    acknowledges: bool,
) -> Option<()> {
    let hello = next(&mut socket).await?;
    let mut said = {
        let mut state = inner.state();
        if state.node != hello["node"] {
            state.node = hello["node"].as_str()?.to_owned();
            state.seen = 0;
        }
        state.links += 1;
        if hello["seen"]["core"] == inner.id { hello["seen"]["seq"].as_u64()? } else { 0 }
    };
    let own = {
        let state = inner.state();
        json!({ "type": "hello", "version": 1, "core": inner.id,
            "seen": { "node": state.node, "seq": state.seen } })
    };
    socket.send(Message::text(own.to_string())).await.ok()?;
    inner.changed();
    let mut changes = inner.changes.subscribe();
    loop {
        let waiting: Vec<(u64, String)> =
            inner.state().waiting.iter().filter(|(seq, _)| *seq > said).cloned().collect();
        for (seq, text) in waiting {
            said = seq;
            socket.send(Message::text(text)).await.ok()?;
        }
        tokio::select! {
            message = next(&mut socket) => {
                if let Some(answer) = take(inner, message?).filter(|it| {
                    acknowledges || it["type"] != "fact_ack"
                }) {
                    socket.send(Message::text(answer.to_string())).await.ok()?;
                }
            }
            _ = changes.changed() => {}
            _ = modes.changed() => return None,
        }
    }
}

/// Takes a message as docs/core.md says; what is to be answered.
fn take(inner: &Inner, message: Value) -> Option<Value> {
    let answer = {
        let mut state = inner.state();
        match message["type"].as_str()? {
            "ack" => {
                let seq = message["seq"].as_u64()?;
                state.waiting.retain(|(waiting, _)| *waiting > seq);
                None
            }
            "fact" => {
                let id = message["id"].clone();
                let taken =
                    state.facts.entry(message["call_uid"].as_str()?.to_owned()).or_default();
                let last = taken.last().and_then(|fact| fact["call_seq"].as_u64()).unwrap_or(0);
                if message["call_seq"].as_u64()? > last {
                    taken.push(message);
                } else {
                    state.repeats += 1;
                }
                Some(json!({ "type": "fact_ack", "id": id }))
            }
            _ => {
                let seq = message["seq"].as_u64()?;
                if seq > state.seen {
                    state.seen = seq;
                    state.came.push(message);
                }
                Some(json!({ "type": "ack", "seq": seq }))
            }
        }
    };
    inner.changed();
    answer
}

async fn next(socket: &mut WebSocketStream<impl Stream>) -> Option<Value> {
    loop {
        match socket.next().await? {
            Ok(Message::Text(text)) => return serde_json::from_str(&text).ok(),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}
