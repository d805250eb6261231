//! Finds the task of a chat's call, or starts it; the node as the chat core sees it. The only
//! place for `dashmap`: it maps chats to mailboxes, never to state.

mod offers;
mod operator;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use dashmap::{DashMap, Entry};
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

pub use self::offers::OfferLimits;
use self::offers::{Offers, is_offer};
use crate::call_task::{CallTask, Message, Opening, Shared, audio_only, check_candidate};
use crate::core::{CallSummary, ChatKey, Device, Jid, Node, Presence, Question};
use crate::core::{Reader, Refusal, Reply, Signal};
use crate::limits::{CALL_MESSAGES, CALLS_MAX, PRESENCES};
use crate::media::CallNo;
use crate::metrics::Sample;
use crate::wire::ClientEvent;

/// All live calls of this node.
#[derive(Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    calls: DashMap<ChatKey, Live>,
    next: AtomicU64,
    offers: Mutex<Offers>,
    draining: AtomicBool,
    /// Who dials again is not taken here.
    moving: AtomicBool,
    /// Told to calls by one task, so that the last one told is true.
    presences: mpsc::Sender<Told>,
}

/// A presence, and the calls it concerns.
struct Told {
    device: Device,
    presence: Presence,
    mailboxes: Vec<mpsc::Sender<Message>>,
}

struct Live {
    mailbox: mpsc::Sender<Message>,
    summary: CallSummary,
}

impl Registry {
    pub fn new(shared: Arc<Shared>, offers: OfferLimits) -> Registry {
        let (calls, next) = (DashMap::new(), AtomicU64::new(1));
        let offers = Mutex::new(Offers::new(offers));
        let (draining, moving) = (AtomicBool::new(false), AtomicBool::new(false));
        let (presences, waiting) = mpsc::channel(PRESENCES);
        tokio::spawn(tell_presences(waiting));
        Registry {
            inner: Arc::new(Inner { shared, calls, next, offers, draining, moving, presences }),
        }
    }

    /// From now on no call begins; the live ones go on.
    pub fn drain(&self) {
        self.inner.draining.store(true, Ordering::Relaxed);
    }

    pub fn is_draining(&self) -> bool {
        self.inner.draining.load(Ordering::Relaxed)
    }

    /// Everybody in a call is told to dial again, and is taken here no more.
    pub fn move_people(&self) {
        self.inner.moving.store(true, Ordering::Relaxed);
        for live in &self.inner.calls {
            // One that has so much to do that this finds no room has no time to be moved either.
            let _ = live.mailbox.try_send(Message::Move);
        }
    }

    /// People in all calls together.
    pub fn onliners(&self) -> usize {
        self.inner.calls.iter().map(|live| live.summary.online_count).sum()
    }

    pub fn shared(&self) -> &Shared {
        &self.inner.shared
    }

    async fn handle(&self, signal: Signal) -> Result<(), Refusal> {
        self.offers().admit(Instant::now(), &signal.device, &signal.event)?;
        let (device, is_offer) = (signal.device.clone(), is_offer(&signal.event));
        let handled = self.pass_on(signal).await;
        if handled.is_err() && is_offer {
            self.offers().forgive(&device);
        }
        handled
    }

    async fn pass_on(&self, signal: Signal) -> Result<(), Refusal> {
        let (key, taken) = (signal.chat.key(), Instant::now());
        let begins = matches!(signal.event, ClientEvent::Offer { .. });
        if begins && self.inner.moving.load(Ordering::Relaxed) {
            return Err(closing());
        }
        // A call may finish between being found and being asked: then the next round finds none,
        // and an offer begins another.
        for _ in 0..3 {
            let mailbox = match self.mailbox(&key) {
                Some(mailbox) => mailbox,
                None if begins => self.begin(&signal)?,
                None => return without_call(&signal.event),
            };
            let (done, result) = oneshot::channel();
            let message = Message::Signal { signal: Box::new(signal.clone()), taken, done };
            if mailbox.send(message).await.is_err() {
                continue;
            }
            if let Ok(result) = result.await {
                return result;
            }
        }
        without_call(&signal.event)
    }

    fn offers(&self) -> MutexGuard<'_, Offers> {
        // Plain numbers: whoever panicked left them whole.
        self.inner.offers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn mailbox(&self, key: &ChatKey) -> Option<mpsc::Sender<Message>> {
        let live = self.inner.calls.get(key)?;
        (!live.mailbox.is_closed()).then(|| live.mailbox.clone())
    }

    fn begin(&self, signal: &Signal) -> Result<mpsc::Sender<Message>, Refusal> {
        if self.is_draining() {
            return Err(closing());
        }
        if self.inner.calls.len() >= CALLS_MAX {
            return Err(Refusal::new("overloaded", "this server has all the calls it can take"));
        }
        let key = signal.chat.key();
        match self.inner.calls.entry(key.clone()) {
            Entry::Occupied(live) if !live.get().mailbox.is_closed() => {
                Ok(live.get().mailbox.clone())
            }
            entry => {
                let (mailbox, inbox) = mpsc::channel(CALL_MESSAGES);
                let uid: Arc<str> = Arc::from(uuid::Uuid::new_v4().to_string());
                let summary = CallSummary {
                    chat: key.clone(),
                    uid: uid.to_string(),
                    start: None,
                    online_count: 0,
                    finished: false,
                };
                entry.insert(Live { mailbox: mailbox.clone(), summary });
                let no = CallNo(self.inner.next.fetch_add(1, Ordering::Relaxed));
                let own = mailbox.downgrade();
                let (team, chat) = (signal.team.clone(), signal.chat.clone());
                let worker = self.inner.shared.pool.place();
                let opening = Opening { team, chat, uid: uid.clone(), no, worker, own };
                let task = CallTask::new(self.inner.shared.clone(), opening);
                tokio::spawn(self.clone().attend(key, uid, task, inbox));
                Ok(mailbox)
            }
        }
    }

    /// Runs a call to its end and takes it out of the list.
    async fn attend(
        self,
        key: ChatKey,
        uid: Arc<str>,
        task: CallTask,
        mut inbox: mpsc::Receiver<Message>,
    ) {
        task.run(&mut inbox, |summary| self.list(&key, summary)).await;
        inbox.close();
        self.inner.calls.remove_if(&key, |_, live| *live.summary.uid == *uid);
        // Whoever wrote while the call finished is told that it has.
        while let Some(message) = inbox.recv().await {
            if let Message::Signal { signal, done, .. } = message
                && !matches!(signal.event, ClientEvent::Offer { .. })
            {
                let _ = done.send(without_call(&signal.event));
            }
        }
    }

    fn list(&self, key: &ChatKey, summary: CallSummary) {
        if let Some(mut live) = self.inner.calls.get_mut(key)
            && live.summary.uid == summary.uid
        {
            live.summary = summary.clone();
        }
        self.inner.shared.core.call_changed(summary);
    }
}

impl Node for Registry {
    fn signal(&self, signal: Signal) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>> {
        let registry = self.clone();
        Box::pin(async move {
            let metrics = registry.inner.shared.metrics.clone();
            metrics.count(Sample::Signals(signal.event.name()));
            let handled = registry.handle(signal).await;
            if let Err(refusal) = &handled {
                metrics.count(Sample::Refusals(refusal.code));
            }
            handled
        })
    }

    fn presence(&self, device: &Device, presence: Presence, reader: &Reader) {
        // Whoever has left a group may have a leg in its call all the same.
        let concerns = |key: &ChatKey| match presence {
            Presence::Connected => reader.reads(key),
            Presence::Lost => !key.is_direct() || reader.reads(key),
        };
        let live = self.inner.calls.iter().filter(|live| concerns(live.key()));
        let mailboxes: Vec<_> = live.map(|live| live.mailbox.clone()).collect();
        if mailboxes.is_empty() {
            return;
        }
        let told = Told { device: device.clone(), presence, mailboxes };
        if self.inner.presences.try_send(told).is_err() {
            warn!(jid = %device.jid, ?presence, "presence lost: too many wait");
        }
    }

    fn ask(
        &self,
        uid: &str,
        reader: &Jid,
        question: Question,
    ) -> Pin<Box<dyn Future<Output = Option<Reply>> + Send>> {
        let live = self.inner.calls.iter().find(|live| live.summary.uid == uid);
        let mailbox = live.map(|live| live.mailbox.clone());
        let reader = reader.clone();
        Box::pin(async move {
            let (answer, reply) = oneshot::channel();
            mailbox?.send(Message::Question { reader, question, answer }).await.ok()?;
            reply.await.ok()?
        })
    }

    fn tell_all(&self) {
        for live in &self.inner.calls {
            // One that has so much to do tells it soon anyway.
            let _ = live.mailbox.try_send(Message::TellAll);
        }
    }

    fn calls(&self) -> Vec<CallSummary> {
        let live = self.inner.calls.iter().filter(|live| live.summary.online_count > 0);
        live.map(|live| live.summary.clone()).collect()
    }
}

async fn tell_presences(mut waiting: mpsc::Receiver<Told>) {
    while let Some(Told { device, presence, mailboxes }) = waiting.recv().await {
        for mailbox in mailboxes {
            // A call that has finished needs to know nothing.
            let _ = mailbox.send(Message::Presence { device: device.clone(), presence }).await;
        }
    }
}

fn closing() -> Refusal {
    Refusal::new("draining", "this server is closing: no new calls")
}

/// An event for a chat without a call. A candidate may overtake its offer: it is checked for
/// form, and needed by nobody. Video is refused as within a call.
fn without_call(event: &ClientEvent) -> Result<(), Refusal> {
    match event {
        ClientEvent::Trickle { candidate, .. } => check_candidate(candidate),
        ClientEvent::Video { .. } | ClientEvent::Screenshare { .. } => Err(audio_only()),
        _ => Err(Refusal::new("no_such_call", "there is no call in this chat")),
    }
}
