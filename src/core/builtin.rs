//! The chat core that runs where none is configured: one team, everybody in it, a group "Lobby",
//! people and groups made on demand (PROTOCOL.md section 7). It has no passwords.
//!
//! It holds the sessions: who is there, by which devices, and what still waits for them. It knows
//! no media and no HTTP.

pub mod bucket;
pub mod mail;
mod online;
pub mod people;
pub mod repeats;
pub mod session;
mod sessions;
pub mod store;

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Instant;

use tokio::sync::{Notify, watch};
use tracing::{error, info};

use self::bucket::Pace;
use self::mail::Letter;
use self::people::{Full, Group, People};
use self::session::{Asked, ConfirmIds};
use self::sessions::Sessions;
pub use self::sessions::{Attached, TooManySockets};
use self::store::Store;
pub use self::store::StoreFault;
use super::{
    AnswerStyle, CallSummary, Chat, ChatCore, ChatKey, Deliver, Device, Jid, Node, Person,
    Question, Reader, Refusal, Reply, Rights,
};
use super::{Signal, To};
use crate::limits::{HTTP_ANSWER_MAX, MESSAGES_BURST, MESSAGES_PER_S, SOCKETS_PER_PERSON_MAX};
use crate::wire::ClientEvent;
use crate::wire::http::{ChatInfo, Team};
use crate::wire::server::JsepKind;

/// What can be set; the rest stands in `limits.rs`.
#[derive(Clone, Copy, Debug)]
pub struct CoreOptions {
    pub sockets_per_person_max: usize,
    /// Of the events that one device sends by HTTP.
    pub http_pace: Pace,
}

/// Who sends an event, and by what.
#[derive(Clone, Debug)]
pub struct Sender {
    pub person: Person,
    pub device: Device,
    pub useragent: String,
    pub answer_style: AnswerStyle,
}

/// What `Node::signal` gives.
pub type Signalled = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// See the module's words.
pub struct BuiltIn {
    options: CoreOptions,
    people: Mutex<People>,
    sessions: Mutex<Sessions>,
    /// Held while a presence is told, so that the last one told is true.
    presence: Mutex<()>,
    calls: Mutex<BTreeMap<String, CallSummary>>,
    node: OnceLock<Arc<dyn Node>>,
    ids: ConfirmIds,
    online_changed: Notify,
    /// Counts the changes of people and groups; and how many of them are on disk.
    changes: watch::Sender<u64>,
    kept: watch::Receiver<u64>,
}

impl Default for CoreOptions {
    fn default() -> Self {
        Self {
            sockets_per_person_max: SOCKETS_PER_PERSON_MAX,
            http_pace: Pace::new(MESSAGES_PER_S, MESSAGES_BURST),
        }
    }
}

impl BuiltIn {
    /// Reads what `data` keeps and starts the core's two tasks, which end with it.
    ///
    /// # Errors
    /// The folder or its file cannot be used.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn open(data: &Path, options: CoreOptions) -> Result<Arc<Self>, StoreFault> {
        let store = Store::open(data)?;
        let people = match store.load()? {
            Some(stored) => People::restored(&stored).ok_or_else(|| store.garbled())?,
            None => People::founded(),
        };
        store.save(&people.stored())?;
        let (changes, changed) = watch::channel(0);
        let (kept_sender, kept) = watch::channel(0);
        let core = Arc::new(Self {
            options,
            people: Mutex::new(people),
            sessions: Mutex::new(Sessions::default()),
            presence: Mutex::new(()),
            calls: Mutex::new(BTreeMap::new()),
            node: OnceLock::new(),
            ids: ConfirmIds::new(uuid::Uuid::new_v4().simple().to_string()),
            online_changed: Notify::new(),
            changes,
            kept,
        });
        tokio::spawn(keep(Arc::downgrade(&core), store, changed, kept_sender));
        tokio::spawn(online::announce(Arc::downgrade(&core)));
        Ok(core)
    }

    /// The node that events go to. The first one stays.
    pub fn join(&self, node: Arc<dyn Node>) {
        for summary in node.calls() {
            self.call_changed(summary);
        }
        let _ = self.node.set(node);
    }

    /// A new person and the token, once it will survive a restart.
    ///
    /// # Errors
    /// There are too many people.
    pub async fn login(
        &self,
        display_name: String,
        no_record: bool,
    ) -> Result<(String, Person), Full> {
        let (token, person) = self.people().add_person(display_name, no_record)?;
        info!(jid = %person.jid, "person added");
        self.keep_change().await;
        Ok((token, person))
    }

    /// A new group, once it will survive a restart.
    ///
    /// # Errors
    /// There are too many groups.
    pub async fn add_group(&self, display_name: String) -> Result<Group, Full> {
        let group = self.people().add_group(display_name)?;
        info!(chat = %group.jid, "group added");
        self.keep_change().await;
        Ok(group)
    }

    /// Whose token it is.
    pub fn by_token(&self, token: &str) -> Option<Person> {
        self.people().by_token(token).cloned()
    }

    /// The one team.
    pub fn team(&self) -> Team {
        let people = self.people();
        Team { uid: people.team_uid.clone(), name: people.team_name.clone() }
    }

    /// The chats in somebody's list.
    pub fn chats(&self, reader: &Person) -> Vec<ChatInfo> {
        self.people().chats(&reader.jid)
    }

    /// The chat that `jid` names when `actor` says it.
    ///
    /// # Errors
    /// `no_such_chat`.
    pub fn chat(&self, actor: &Person, jid: &str) -> Result<Chat, Refusal> {
        self.people().chat(actor, jid)
    }

    /// What somebody may read: everybody is in every group.
    pub fn reader(&self, person: &Jid) -> Reader {
        Reader { jid: person.clone(), groups: self.people().group_jids() }
    }

    /// What somebody may do with what is kept of a chat; `None` where he may not know of it. Who
    /// may read may do everything.
    pub fn rights(&self, reader: &Reader, chat: &ChatKey) -> Option<Rights> {
        reader.reads(chat).then_some(Rights::ALL)
    }

    /// How a person or a group is called.
    pub fn name_of(&self, jid: &Jid) -> Option<String> {
        self.people().name_of(jid).map(str::to_owned)
    }

    /// Passes a client's event to the node. Events without a chat end here.
    pub fn signal(&self, sender: &Sender, event: ClientEvent) -> Signalled {
        let Some(jid) = event.jid() else { return Box::pin(async { Ok(()) }) };
        let chat = match self.chat(&sender.person, jid) {
            Ok(chat) => chat,
            Err(refusal) => return Box::pin(async { Err(refusal) }),
        };
        let Some(node) = self.node.get() else {
            return Box::pin(async { Err(Refusal::new("draining", "the server is starting")) });
        };
        let has_socket = self.sessions().is_connected(&sender.device);
        node.signal(Signal {
            team: self.team(),
            chat,
            actor: sender.person.clone(),
            device: sender.device.clone(),
            useragent: sender.useragent.clone(),
            answer_style: sender.answer_style,
            rights: Rights::ALL,
            has_socket,
            event,
        })
    }

    /// The same by HTTP: what the event produced for the sender's device comes back as JSON text,
    /// where there is such a thing; the sockets get it as well.
    ///
    /// # Errors
    /// The node's or the core's refusal, or `too_fast`.
    pub async fn act(
        &self,
        sender: &Sender,
        event: ClientEvent,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let session = self.session_of(&sender.device);
        let _one_at_a_time = session.acting.lock().await;
        let asked = asked(&event);
        if !session.ask(Instant::now(), asked) {
            session.unask();
            return Err(Refusal::new("too_fast", "too many events a second"));
        }
        let acted = self.signal(sender, event).await;
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
    pub async fn ask(&self, reader: &Jid, uid: &str, question: Question) -> Option<Reply> {
        self.chat_of_call(reader, uid)?;
        self.node.get()?.ask(uid, reader, question).await
    }

    /// The chat of a live call, as the reader names it; `None` where it is none of his.
    pub fn chat_of_call(&self, reader: &Jid, uid: &str) -> Option<String> {
        self.calls_of(reader).into_iter().find(|call| call.uid == uid).map(|call| call.jid)
    }

    async fn keep_change(&self) {
        self.changes.send_modify(|changes| *changes += 1);
        let change = *self.changes.borrow();
        let _ = self.kept.clone().wait_for(|kept| *kept >= change).await;
    }

    fn people(&self) -> MutexGuard<'_, People> {
        self.people.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<String, CallSummary>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatCore for BuiltIn {
    fn deliver(&self, deliver: Deliver) {
        let event = deliver.event;
        let readers = match &deliver.to {
            To::Members(group) | To::OtherMembers { chat: group, .. }
                if self.people().group(group).is_none() =>
            {
                Vec::new()
            }
            to => self.sessions().readers(to),
        };
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

/// Writes people and groups whenever they changed; changes that come meanwhile share one write.
async fn keep(
    core: Weak<BuiltIn>,
    store: Store,
    mut changed: watch::Receiver<u64>,
    kept: watch::Sender<u64>,
) {
    while changed.changed().await.is_ok() {
        let change = *changed.borrow_and_update();
        let Some(stored) = core.upgrade().map(|core| core.people().stored()) else { return };
        let store = store.clone();
        match tokio::task::spawn_blocking(move || store.save(&stored)).await {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => error!(%fault, "people not kept"),
            Err(fault) => error!(%fault, "people not kept"),
        }
        kept.send_replace(change);
    }
}

#[cfg(test)]
mod tests;
