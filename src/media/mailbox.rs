//! What others leave for a worker: orders, permits, keys. One short lock a wake, none a packet.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::LegId;
use engine::routes::Permits;
use engine::talking::Said;
use mio::Waker;
use tokio::sync::{oneshot, watch};

use super::dtls::Outcome;
use super::leg::{LegSpec, SlotSpec, VoiceSpec};
use super::{CallNo, LegReading, ice};
use crate::limits::WORKER_ORDERS;

/// One order of a call to its worker.
pub enum Order {
    /// Open a leg; answered with who is heard on its slots at this moment.
    Open {
        spec: Box<LegSpec>,
        opened: oneshot::Sender<Vec<Option<LegId>>>,
    },
    /// The leg's sections changed (renegotiation); slots it has already keep their stream.
    Reshape {
        leg: LegId,
        slots: Vec<SlotSpec>,
        voice: Option<VoiceSpec>,
    },
    /// New credentials, by the client's offer.
    RestartIce {
        leg: LegId,
        local: ice::Credentials,
        remote_ufrag: String,
    },
    Close {
        leg: LegId,
    },
    /// How each leg of a call is doing.
    Inspect {
        call: CallNo,
        readings: oneshot::Sender<Vec<LegReading>>,
    },
    /// Panic, to see what becomes of the calls.
    Break,
}

/// The queue is full or its worker is gone: the machine is overloaded, or worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the media worker takes no more orders")]
pub struct Full;

/// Everything that waits.
#[derive(Default)]
pub struct Mail {
    pub orders: VecDeque<Order>,
    /// The last word of each call: replaced, never queued, so that no mute is ever lost.
    pub permits: HashMap<CallNo, Permits>,
    pub outcomes: Vec<Outcome>,
    /// What the meter heard.
    pub levels: Vec<(LegId, Said)>,
    pub stop: bool,
    /// The thread has ended: nobody will read this any more.
    pub gone: bool,
}

impl Mail {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.orders.is_empty()
            && self.permits.is_empty()
            && self.outcomes.is_empty()
            && self.levels.is_empty()
    }
}

pub struct Mailbox {
    mail: Mutex<Mail>,
    waker: Waker,
    gone: watch::Sender<bool>,
}

impl Mailbox {
    pub fn new(waker: Waker) -> Mailbox {
        Mailbox { mail: Mutex::default(), waker, gone: watch::Sender::default() }
    }

    /// # Errors
    /// Beyond [`WORKER_ORDERS`] no new leg is taken, and none at all by a worker that is gone.
    /// What concerns a leg that is there is always taken: each is one message of its client.
    pub fn order(&self, order: Order) -> Result<(), Full> {
        let mut mail = self.lock();
        let is_new = matches!(order, Order::Open { .. });
        if mail.gone || (is_new && mail.orders.len() >= WORKER_ORDERS) {
            return Err(Full);
        }
        mail.orders.push_back(order);
        drop(mail);
        self.wake();
        Ok(())
    }

    pub fn permit(&self, call: CallNo, permits: Permits) {
        self.lock().permits.insert(call, permits);
        self.wake();
    }

    pub fn outcome(&self, outcome: Outcome) {
        self.lock().outcomes.push(outcome);
        self.wake();
    }

    /// Bounded by the meter's own queue.
    pub fn level(&self, leg: LegId, said: Said) {
        self.lock().levels.push((leg, said));
        self.wake();
    }

    pub fn stop(&self) {
        self.lock().stop = true;
        self.wake();
    }

    /// The thread ends. Orders that wait are dropped, and whoever awaits them learns it.
    pub fn abandon(&self) {
        let mut mail = self.lock();
        mail.gone = true;
        mail.orders.clear();
    }

    /// Whoever waits for it learns that the thread has ended.
    pub fn tell_gone(&self) {
        self.gone.send_replace(true);
    }

    /// Resolves once that was told.
    pub async fn gone(&self) {
        // The sender lives as long as the mailbox.
        let _ = self.gone.subscribe().wait_for(|gone| *gone).await;
    }

    pub fn is_abandoned(&self) -> bool {
        self.lock().gone
    }

    /// Takes everything, leaving `empty` in its place.
    pub fn take(&self, empty: &mut Mail) {
        std::mem::swap(&mut *self.lock(), empty);
    }

    fn lock(&self) -> MutexGuard<'_, Mail> {
        // A poisoned lock guards plain data: whoever panicked left it whole.
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        let woken: io::Result<()> = self.waker.wake();
        if let Err(error) = woken {
            tracing::error!(%error, "media worker cannot be woken");
        }
    }
}
