//! The sockets of people who come to this node themselves: who is there, by which devices, what
//! still waits for them, and which calls live. Who somebody is and where he may call, the
//! `directory` says: the built-in core's people, or a token that another core signed.
//!
//! Knows no media and no HTTP.

pub mod bucket;
pub mod mail;
mod online;
mod overstay;
pub mod repeats;
pub mod session;
mod sessions;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use self::bucket::Pace;
use self::mail::Letter;
use self::repeats::Seen;
use self::session::{Asked, ConfirmIds, Session};
use self::sessions::Sessions;
pub use self::sessions::{Attached, TooManySockets};
use super::directory::{Directory, Pass};
use super::{
    AnswerStyle, CallSummary, Chat, ChatCore, Deliver, Device, Jid, Node, Question, Refusal, Reply,
    Signal,
};
use crate::limits::{HTTP_ANSWER_MAX, MESSAGES_BURST, MESSAGES_PER_S, SOCKETS_PER_PERSON_MAX};
use crate::wire::ClientEvent;
use crate::wire::server::JsepKind;

/// What can be set; the rest stands in `limits.rs`.
#[derive(Clone, Copy, Debug)]
pub struct SocketOptions {
    pub sockets_per_person_max: usize,
    /// Of the events that one device sends by HTTP.
    pub http_pace: Pace,
}

/// Who sends an event, and by what.
#[derive(Clone, Debug)]
pub struct Sender {
    pub pass: Arc<Pass>,
    pub device: Device,
    pub useragent: String,
    pub answer_style: AnswerStyle,
}

/// What `Node::signal` gives.
pub type Signalled = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// See the module's words.
pub struct Sockets {
    options: SocketOptions,
    directory: Arc<dyn Directory>,
    sessions: Mutex<Sessions>,
    /// Held while a presence is told, so that the last one told is true.
    presence: Mutex<()>,
    calls: Mutex<BTreeMap<String, CallSummary>>,
    node: OnceLock<Arc<dyn Node>>,
    ids: ConfirmIds,
    online_changed: Notify,
}

impl Default for SocketOptions {
    fn default() -> Self {
        Self {
            sockets_per_person_max: SOCKETS_PER_PERSON_MAX,
            http_pace: Pace::new(MESSAGES_PER_S, MESSAGES_BURST),
        }
    }
}

impl Sender {
    pub fn jid(&self) -> &Jid {
        &self.pass.person.jid
    }
}

impl Sockets {
    /// Starts the task that tells who is online, which ends with it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(directory: Arc<dyn Directory>, options: SocketOptions) -> Arc<Self> {
        let sockets = Arc::new(Self {
            options,
            directory,
            sessions: Mutex::new(Sessions::default()),
            presence: Mutex::new(()),
            calls: Mutex::new(BTreeMap::new()),
            node: OnceLock::new(),
            ids: ConfirmIds::new(uuid::Uuid::new_v4().simple().to_string()),
            online_changed: Notify::new(),
        });
        tokio::spawn(online::announce(Arc::downgrade(&sockets)));
        sockets
    }

    /// The node that events go to. The first one stays.
    pub fn join(&self, node: Arc<dyn Node>) {
        for summary in node.calls() {
            self.call_changed(summary);
        }
        let _ = self.node.set(node);
    }

    pub fn directory(&self) -> &dyn Directory {
        &*self.directory
    }

    /// Passes an event of a device's socket to the node. Events without a chat end here.
    pub fn signal(&self, sender: &Sender, event: ClientEvent) -> Signalled {
        let session = self.sessions().find(&sender.device).cloned();
        let pass = session.as_ref().map_or_else(|| sender.pass.clone(), |it| it.pass());
        self.pass_on(sender, session.as_deref(), &pass, event)
    }

    /// Acts on an event by the word of one pass.
    fn pass_on(
        &self,
        sender: &Sender,
        session: Option<&Session>,
        pass: &Pass,
        event: ClientEvent,
    ) -> Signalled {
        let Some(jid) = event.jid() else { return Box::pin(async { Ok(()) }) };
        let chat = match self.directory.chat(pass, jid) {
            Ok(chat) => chat,
            Err(refusal) => return Box::pin(async { Err(refusal) }),
        };
        if let Some(session) = session {
            match &event {
                ClientEvent::Offer { .. } => session.join(&chat),
                ClientEvent::Leave { .. } => session.leave(&chat.key()),
                _ => {}
            }
        }
        let has_socket = session.is_some_and(Session::is_connected);
        self.tell_node(sender, has_socket, pass, chat, event)
    }

    fn tell_node(
        &self,
        sender: &Sender,
        has_socket: bool,
        pass: &Pass,
        chat: Chat,
        event: ClientEvent,
    ) -> Signalled {
        let Some(node) = self.node.get() else {
            return Box::pin(async { Err(Refusal::new("draining", "the server is starting")) });
        };
        node.signal(Signal {
            team: pass.team.clone(),
            chat,
            actor: pass.person.clone(),
            device: sender.device.clone(),
            useragent: sender.useragent.clone(),
            answer_style: sender.answer_style,
            rights: pass.rights,
            has_socket,
            event,
        })
    }

    /// The same by HTTP: what the event produced for the sender's device comes back as JSON text,
    /// where there is such a thing; the sockets get it as well. One that came under the same `key`
    /// is not acted on again.
    ///
    /// # Errors
    /// The node's or the core's refusal, or `too_fast`.
    pub async fn act(
        &self,
        sender: &Sender,
        event: ClientEvent,
        key: Option<&str>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let session = self.session_of(&sender.device, &sender.pass);
        let _one_at_a_time = session.acting.lock().await;
        if key.is_some_and(|key| session.note(Instant::now(), key) == Seen::Repeat) {
            return Ok(None);
        }
        let asked = asked(&event);
        if !session.ask(Instant::now(), asked) {
            session.unask();
            return Err(Refusal::new("too_fast", "too many events a second"));
        }
        // By what was shown now: a device's name is no secret, and lends nobody its token's rights.
        let acted = self.pass_on(sender, Some(&session), &sender.pass, event).await;
        if acted.is_ok() && asked == Asked::Answer {
            let _ = tokio::time::timeout(HTTP_ANSWER_MAX, async {
                loop {
                    let changed = session.changed();
                    if session.answer().is_some() {
                        return;
                    }
                    changed.await;
                }
            })
            .await;
        }
        let answer = session.answer();
        session.unask();
        acted.map(|()| answer)
    }

    /// How a live call in one of the reader's chats stands.
    pub async fn ask(&self, reader: &Pass, uid: &str, question: Question) -> Option<Reply> {
        self.chat_of_call(reader, uid)?;
        self.node.get()?.ask(uid, &reader.person.jid, question).await
    }

    /// The chat of a live call, as the reader names it; `None` where it is none of his.
    pub fn chat_of_call(&self, reader: &Pass, uid: &str) -> Option<String> {
        self.calls_of(reader).into_iter().find(|call| call.uid == uid).map(|call| call.jid)
    }

    /// Whether a socket here is this device's, or was within the time in which it may resume.
    pub fn holds(&self, device: &Device) -> bool {
        let now = Instant::now();
        self.sessions().find(device).is_some_and(|session| session.is_awaited(now))
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, CallSummary>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatCore for Sockets {
    fn deliver(&self, deliver: Deliver) {
        let event = deliver.event;
        let is_member = |pass: &Pass, group: &Jid| self.directory.is_member(pass, group);
        let readers = self.sessions().readers(&deliver.to, is_member);
        if readers.is_empty() {
            return;
        }
        let (letter, now) = (Letter::new(&event), Instant::now());
        for session in readers {
            session.push(now, &event, &letter, &self.ids);
        }
    }

    fn call_changed(&self, summary: CallSummary) {
        if summary.finished {
            self.calls().remove(&summary.uid);
        } else {
            self.calls().insert(summary.uid.clone(), summary);
        }
        self.online_changed.notify_one();
    }
}

/// What of a device's events is the result of `event`.
fn asked(event: &ClientEvent) -> Asked {
    match event {
        ClientEvent::Offer { .. } => Asked::Answer,
        ClientEvent::Sdp { jsep, .. } if jsep.kind == JsepKind::Offer => Asked::Answer,
        ClientEvent::Sound { .. } => Asked::Named("server.call.sound"),
        ClientEvent::Leave { .. } => Asked::Named("server.call.leave"),
        ClientEvent::Reject { .. } => Asked::Named("server.call.reject"),
        _ => Asked::Named("server.call.state"),
    }
}

#[cfg(test)]
mod tests;
