//! What others leave for a worker: orders, permits, keys. One short lock a wake, none a packet.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use engine::LegId;
use engine::routes::Permits;
use mio::Waker;
use tokio::sync::oneshot;

use super::dtls::Outcome;
use super::leg::{LegSpec, SlotSpec};
use super::{CallNo, ice};
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
        sends: bool,
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
}

/// The queue is full: the machine is overloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the media worker has more orders than it can take")]
pub struct Full;

/// Everything that waits.
#[derive(Default)]
pub struct Mail {
    pub orders: VecDeque<Order>,
    /// The last word of each call: replaced, never queued, so that no mute is ever lost.
    pub permits: HashMap<CallNo, Permits>,
    pub outcomes: Vec<Outcome>,
    pub stop: bool,
}

pub struct Mailbox {
    mail: Mutex<Mail>,
    waker: Waker,
}

impl Mailbox {
    pub fn new(waker: Waker) -> Mailbox {
        Mailbox { mail: Mutex::default(), waker }
    }

    /// # Errors
    /// Beyond [`WORKER_ORDERS`]. Closing is always taken: there is one for each leg that came.
    pub fn order(&self, order: Order) -> Result<(), Full> {
        let mut mail = self.lock();
        if mail.orders.len() >= WORKER_ORDERS && !matches!(order, Order::Close { .. }) {
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

    pub fn stop(&self) {
        self.lock().stop = true;
        self.wake();
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
