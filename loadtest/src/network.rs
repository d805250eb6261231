//! Network: loses and delays datagrams on purpose, in both directions, the same way for the same
//! seed. Knows neither legs nor RTP; what is delayed comes back by time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::voice::BotId;

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Passes,
    Late(Duration),
    Lost,
}

/// Loss and jitter, and the datagrams that are late.
pub struct Network {
    rng: fastrand::Rng,
    /// Of 1.
    loss: f64,
    jitter: Duration,
    late: BinaryHeap<Reverse<Late>>,
    order: u64,
}

/// A datagram that is due at a time; of two at the same time the older one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Late {
    pub due: Instant,
    order: u64,
    pub bot: BotId,
    pub way: Way,
    pub bytes: Vec<u8>,
}

/// Where a late datagram comes from, or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    From(SocketAddr),
    To(SocketAddr),
}

impl Network {
    pub fn new(loss_percent: f64, jitter_ms: f64, seed: u64) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            loss: loss_percent / 100.0,
            jitter: Duration::from_secs_f64(jitter_ms / 1e3),
            late: BinaryHeap::new(),
            order: 0,
        }
    }

    /// Draws a datagram's lot. Each is lost, or late by anything up to the jitter, by itself.
    pub fn fate(&mut self) -> Fate {
        if self.loss > 0.0 && self.rng.f64() < self.loss {
            Fate::Lost
        } else if self.jitter > Duration::ZERO {
            Fate::Late(self.jitter.mul_f64(self.rng.f64()))
        } else {
            Fate::Passes
        }
    }

    /// Keeps a datagram until it is due.
    pub fn keep(&mut self, due: Instant, bot: BotId, way: Way, bytes: &[u8]) {
        self.order += 1;
        let late = Late { due, order: self.order, bot, way, bytes: bytes.to_vec() };
        self.late.push(Reverse(late));
    }

    /// When the next one is due.
    pub fn due(&self) -> Option<Instant> {
        self.late.peek().map(|Reverse(late)| late.due)
    }

    /// The next one that is due by `now`.
    pub fn poll(&mut self, now: Instant) -> Option<Late> {
        if self.due()? > now {
            return None;
        }
        self.late.pop().map(|Reverse(late)| late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_lost_and_the_rest_is_late_within_the_jitter() {
        let mut network = Network::new(2.0, 10.0, 7);
        let fates: Vec<Fate> = (0..100_000).map(|_| network.fate()).collect();
        let lost = fates.iter().filter(|fate| **fate == Fate::Lost).count();
        assert!((1_800..2_200).contains(&lost), "{lost}");
        let most = Duration::from_millis(10);
        assert!(fates.iter().all(|fate| !matches!(fate, Fate::Late(by) if *by > most)));
        assert!(!fates.contains(&Fate::Passes));
    }

    #[test]
    fn a_whole_network_passes_everything() {
        let mut network = Network::new(0.0, 0.0, 7);
        assert!((0..1000).all(|_| network.fate() == Fate::Passes));
    }

    #[test]
    fn late_datagrams_come_back_in_the_order_of_their_times() {
        let mut network = Network::new(0.0, 10.0, 7);
        let (start, way) = (Instant::now(), Way::From(([127, 0, 0, 1], 9).into()));
        let at = |ms| start + Duration::from_millis(ms);
        for (ms, byte) in [(5, 2), (3, 1), (5, 3)] {
            network.keep(at(ms), 0, way, &[byte]);
        }
        assert_eq!(network.poll(at(2)), None);
        let bytes: Vec<u8> =
            std::iter::from_fn(|| network.poll(at(9))).map(|l| l.bytes[0]).collect();
        assert_eq!(bytes, [1, 2, 3]);
    }
}
