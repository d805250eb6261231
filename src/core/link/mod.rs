//! A chat core elsewhere, over one WebSocket (docs/core.md): what it says goes to the node, what
//! the node says waits here until the core has it. A link that is lost loses nothing but time.
//!
//! Knows no calls and no people; `peer` carries one connection, `dial` makes them.

pub mod dial;
mod kept;
mod lanes;
mod message;
pub mod peer;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use tokio::sync::Notify;

use self::kept::{Kept, Kind};
use self::lanes::Lanes;
use self::message::Seen;
pub use self::message::chat_value;
use super::{CallSummary, ChatCore, Deliver, Node};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::wire::ServerEvent;

/// See the module's words.
pub struct LinkCore {
    /// This process's life.
    id: String,
    /// `None` where facts go elsewhere.
    outbox: Option<Arc<Outbox>>,
    metrics: Arc<Metrics>,
    node: OnceLock<Arc<dyn Node>>,
    lanes: OnceLock<Lanes>,
    state: Mutex<State>,
    /// Something new waits for the link.
    wake: Notify,
    counts: Counts,
}

#[derive(Default)]
struct State {
    kept: Kept,
    /// What we have taken of the core's messages.
    seen: Seen,
    /// The newest link: an older one ends.
    link: u64,
    is_linked: bool,
}

#[derive(Default)]
struct Counts {
    links: AtomicU64,
    dropped: AtomicU64,
}

/// One reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub is_linked: bool,
    /// Links that were open, ever.
    pub links: u64,
    /// Messages that the core has not acknowledged.
    pub waiting: u64,
    /// Messages that found no room while the core was away.
    pub dropped: u64,
}

impl LinkCore {
    pub fn new(outbox: Option<Arc<Outbox>>, metrics: Arc<Metrics>) -> Arc<LinkCore> {
        Arc::new(LinkCore {
            id: uuid::Uuid::new_v4().simple().to_string(),
            outbox,
            metrics,
            node: OnceLock::new(),
            lanes: OnceLock::new(),
            state: Mutex::default(),
            wake: Notify::new(),
            counts: Counts::default(),
        })
    }

    /// The node that signals go to. The first one stays.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn join(self: &Arc<Self>, node: Arc<dyn Node>) {
        let _ = self.lanes.set(Lanes::start(&node, self));
        let _ = self.node.set(node);
    }

    pub fn read(&self) -> Reading {
        let state = self.state();
        Reading {
            is_linked: state.is_linked,
            links: self.counts.links.load(Ordering::Relaxed),
            waiting: state.kept.len() as u64,
            dropped: self.counts.dropped.load(Ordering::Relaxed),
        }
    }

    fn say(&self, kind: Kind, message: impl FnOnce(u64) -> String) {
        let dropped = self.state().kept.push(Instant::now(), kind, message);
        self.counts.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.wake.notify_one();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A poisoned lock guards plain data: whoever panicked left it whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatCore for LinkCore {
    fn deliver(&self, deliver: Deliver) {
        let kind = match &deliver.event {
            ServerEvent::State(state) => Kind::State(format!("{}@{:?}", state.uid, deliver.to)),
            ServerEvent::Sdp { .. } | ServerEvent::Answer { .. } => Kind::Description,
            // What is so for a moment only is nothing to a core that is away.
            ServerEvent::Talking { .. } if !self.state().is_linked => return,
            _ => Kind::Lasting,
        };
        self.say(kind, |seq| message::deliver(seq, &deliver.to, &deliver.event));
    }

    fn call_changed(&self, summary: CallSummary) {
        let kind = Kind::State(format!("{} listed", summary.uid));
        self.say(kind, |seq| message::call(seq, &summary));
    }
}
