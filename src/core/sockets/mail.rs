//! What goes to one device: the queue of its socket, and the events it has not confirmed.
//!
//! Knows no socket and no clock: time comes in. The rules are PROTOCOL.md section 1: unconfirmed
//! events are sent again on resume, in order, under the same confirm id, superseded states left
//! out. Every bound stands in `limits.rs`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::limits::{
    QUEUE_BYTES_MAX, QUEUE_MESSAGES_MAX, UNCONFIRMED_AGE_MAX, UNCONFIRMED_BYTES_MAX,
    UNCONFIRMED_MAX,
};
use crate::wire::{Frame, ServerEvent};

/// An event on its way: its text, and what it makes superfluous.
#[derive(Clone, Debug)]
pub struct Letter {
    pub frame: Frame,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// To be confirmed, and sent again where it was not.
    Kept,
    /// The same, and it supersedes the earlier ones of this event about this call: states, tracks.
    Latest(&'static str, Arc<str>),
    /// True for a moment: sent once.
    Passing,
    /// Sent once, and it supersedes the one that still waits.
    Online,
}

/// One message for the socket to write.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub frame: Frame,
    pub confirm_id: Option<Arc<str>>,
    kind: Kind,
}

impl Outgoing {
    /// What it counts in a bound. Of a call only the newest state waits, and who was there when it
    /// was told shares its text: however large a call is, its state takes no other event's room.
    fn bytes(&self) -> usize {
        match self.kind {
            Kind::Latest(..) => 0,
            Kind::Kept | Kind::Passing | Kind::Online => self.frame.params.len(),
        }
    }
}

/// The device reads more slowly than it is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overflow;

/// Whether a socket takes what is pushed, or only the unconfirmed are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Connected,
    Away,
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Mail {
    /// Sent again first; bounded by `UNCONFIRMED_MAX`.
    again: VecDeque<Outgoing>,
    queue: VecDeque<Outgoing>,
    queue_bytes: usize,
    unconfirmed: VecDeque<(Instant, Outgoing)>,
    unconfirmed_bytes: usize,
    /// Events for whose confirm nobody waits any more, as a newer one took their place: it may
    /// come all the same, one each.
    overtaken: u32,
}

impl Letter {
    pub fn new(event: &ServerEvent) -> Self {
        let kind = match event {
            ServerEvent::State(state) => Kind::Latest(event.name(), Arc::from(state.uid.as_str())),
            ServerEvent::Tracks { uid, .. } => Kind::Latest(event.name(), Arc::from(uid.as_str())),
            ServerEvent::Online { .. } => Kind::Online,
            other if other.wants_confirm() => Kind::Kept,
            _ => Kind::Passing,
        };
        Self { frame: event.encode(), kind }
    }

    /// Whether it goes out under a confirm id.
    pub fn wants_confirm(&self) -> bool {
        matches!(self.kind, Kind::Kept | Kind::Latest(..))
    }
}

impl Mail {
    /// Takes an event. `confirm_id` is used where the event wants one.
    ///
    /// # Errors
    /// The queue is full; the event is kept for the resume.
    pub fn push(
        &mut self,
        now: Instant,
        letter: &Letter,
        confirm_id: impl FnOnce() -> Arc<str>,
        link: Link,
    ) -> Result<(), Overflow> {
        let confirm_id = letter.wants_confirm().then(confirm_id);
        let Letter { frame, kind } = letter.clone();
        let outgoing = Outgoing { frame, confirm_id, kind };
        if outgoing.confirm_id.is_some() {
            self.keep(now, outgoing.clone());
        }
        match link {
            Link::Away => Ok(()),
            Link::Connected => self.enqueue(outgoing),
        }
    }

    /// The client has it. `false`: no such event is waiting for it, nor was one lately.
    pub fn confirm(&mut self, confirm_id: &str) -> bool {
        let is_it =
            |(_, kept): &(Instant, Outgoing)| kept.confirm_id.as_deref() == Some(confirm_id);
        match self.unconfirmed.iter().position(is_it) {
            Some(index) => self.forget(index),
            None if self.overtaken > 0 => self.overtaken -= 1,
            None => return false,
        }
        true
    }

    /// The next message to write.
    pub fn pop(&mut self) -> Option<Outgoing> {
        if let Some(outgoing) = self.again.pop_front() {
            return Some(outgoing);
        }
        let outgoing = self.queue.pop_front()?;
        self.queue_bytes -= outgoing.bytes();
        if self.queue.is_empty() {
            self.queue.shrink_to(QUEUE_KEPT);
        }
        Some(outgoing)
    }

    /// The socket is gone: what waited for it goes, what it did not confirm stays.
    pub fn disconnect(&mut self) {
        self.again = VecDeque::new();
        self.queue = VecDeque::new();
        self.queue_bytes = 0;
        self.overtaken = 0;
    }

    /// A new socket: it first gets what the last one did not confirm. Returns how many that are.
    pub fn resume(&mut self, now: Instant) -> usize {
        self.disconnect();
        self.drop_old(now);
        self.again = self.unconfirmed.iter().map(|(_, kept)| kept.clone()).collect();
        self.again.len()
    }

    fn enqueue(&mut self, outgoing: Outgoing) -> Result<(), Overflow> {
        if matches!(outgoing.kind, Kind::Latest(..) | Kind::Online) {
            self.drop_queued(&outgoing.kind);
        }
        self.queue_bytes += outgoing.bytes();
        self.queue.push_back(outgoing);
        if self.is_overfull() { Err(Overflow) } else { Ok(()) }
    }

    fn is_overfull(&self) -> bool {
        self.queue.len() > QUEUE_MESSAGES_MAX || self.queue_bytes > QUEUE_BYTES_MAX
    }

    fn drop_queued(&mut self, superseded: &Kind) {
        self.again.retain(|waiting| waiting.kind != *superseded);
        if let Some(index) = self.queue.iter().position(|queued| queued.kind == *superseded)
            && let Some(dropped) = self.queue.remove(index)
        {
            self.queue_bytes -= dropped.bytes();
        }
    }

    fn keep(&mut self, now: Instant, outgoing: Outgoing) {
        self.drop_old(now);
        if matches!(outgoing.kind, Kind::Latest(..)) {
            let older = self.unconfirmed.iter().position(|(_, kept)| kept.kind == outgoing.kind);
            if let Some(index) = older {
                self.forget(index);
                // Of one that never left no confirm comes.
                let mut waiting = self.again.iter().chain(&self.queue);
                let waits = waiting.any(|waiting| waiting.kind == outgoing.kind);
                self.overtaken = (self.overtaken + u32::from(!waits)).min(OVERTAKEN_MAX);
            }
        }
        self.unconfirmed_bytes += outgoing.bytes();
        self.unconfirmed.push_back((now, outgoing));
        while self.unconfirmed.len() > UNCONFIRMED_MAX
            || (self.unconfirmed_bytes > UNCONFIRMED_BYTES_MAX && self.unconfirmed.len() > 1)
        {
            self.forget(0);
        }
    }

    fn drop_old(&mut self, now: Instant) {
        let is_old = |(at, _): &(Instant, Outgoing)| now.duration_since(*at) > UNCONFIRMED_AGE_MAX;
        while self.unconfirmed.front().is_some_and(is_old) {
            self.forget(0);
        }
    }

    fn forget(&mut self, index: usize) {
        if let Some((_, kept)) = self.unconfirmed.remove(index) {
            self.unconfirmed_bytes -= kept.bytes();
        }
        if self.unconfirmed.is_empty() {
            self.unconfirmed.shrink_to(QUEUE_KEPT);
        }
    }
}

/// Confirms that may still come beyond those that are waited for: as many as a queue may hold.
const OVERTAKEN_MAX: u32 = QUEUE_MESSAGES_MAX as u32;

/// Places an empty queue keeps: enough for a quiet call, and no more memory than a short SDP.
const QUEUE_KEPT: usize = 8;

#[cfg(test)]
mod tests;
