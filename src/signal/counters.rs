//! What the signalling counts. Plain atomics: whoever renders metrics reads them.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// Why a client's message was not applied; the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    BadJson,
    BadParams,
    UnknownEvent,
    TooFast,
    /// By the node or the core: a chat, a call or a right was missing.
    ByCore,
}

/// Why a socket ended; the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client closed it, or its connection broke.
    ByClient,
    /// Nothing came from it for 30 s.
    Dead,
    /// Close 1001: the server stops.
    GoingAway,
    /// Close 1002 or 1007: not RFC 6455.
    Malformed,
    /// Close 1008.
    Flood,
    /// Close 1009.
    TooBig,
    /// Close 1013.
    TooSlow,
    /// Close 4001.
    TakenOver,
    /// Close 4002.
    PassRanOut,
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Counters {
    /// Sockets open now.
    pub sockets: Gauge,
    /// Messages that came in, refused ones included.
    pub messages: Counter,
    /// Events confirmed again and not applied again.
    pub repeats: Counter,
    /// Unconfirmed events sent again to a device that came back.
    pub resent: Counter,
    /// Handshakes and requests answered with an error body.
    pub http_errors: Counter,
    refused: [Counter; Refused::ALL.len()],
    ended: [Counter; Ended::ALL.len()],
}

/// A count that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

/// A number of things there are.
#[derive(Debug, Default)]
pub struct Gauge(watch::Sender<u64>);

impl Refused {
    pub const ALL: [Self; 5] =
        [Self::BadJson, Self::BadParams, Self::UnknownEvent, Self::TooFast, Self::ByCore];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadJson => "bad_json",
            Self::BadParams => "bad_params",
            Self::UnknownEvent => "unknown_event",
            Self::TooFast => "too_fast",
            Self::ByCore => "by_core",
        }
    }
}

impl Ended {
    pub const ALL: [Self; 9] = [
        Self::ByClient,
        Self::Dead,
        Self::GoingAway,
        Self::Malformed,
        Self::Flood,
        Self::TooBig,
        Self::TooSlow,
        Self::TakenOver,
        Self::PassRanOut,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ByClient => "by_client",
            Self::Dead => "dead",
            Self::GoingAway => "going_away",
            Self::Malformed => "malformed",
            Self::Flood => "flood",
            Self::TooBig => "too_big",
            Self::TooSlow => "too_slow",
            Self::TakenOver => "taken_over",
            Self::PassRanOut => "pass_ran_out",
        }
    }
}

impl Counters {
    /// Messages refused, by reason.
    pub fn refused(&self, reason: Refused) -> &Counter {
        &self.refused[reason as usize]
    }

    /// Sockets ended, by reason.
    pub fn ended(&self, reason: Ended) -> &Counter {
        &self.ended[reason as usize]
    }
}

impl Counter {
    pub fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }

    pub fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Gauge {
    pub fn up(&self) {
        self.0.send_modify(|number| *number += 1);
    }

    pub fn down(&self) {
        self.0.send_modify(|number| *number = number.saturating_sub(1));
    }

    pub fn read(&self) -> u64 {
        *self.0.borrow()
    }

    /// Resolves once there is none.
    pub async fn none_left(&self) {
        let _ = self.0.subscribe().wait_for(|number| *number == 0).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_its_own_counter() {
        let counters = Counters::default();
        for (index, reason) in Ended::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            counters.ended(reason).add(index);
        }
        for (index, reason) in Refused::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            counters.refused(reason).add(index);
        }
        assert!(Ended::ALL.into_iter().all(|r| counters.ended(r).read() == r as u64));
        assert!(Refused::ALL.into_iter().all(|r| counters.refused(r).read() == r as u64));
    }
}
