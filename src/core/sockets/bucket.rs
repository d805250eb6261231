//! How fast one sender may send: a token bucket. Knows no clock: time comes in.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

use crate::limits::BUCKETS_MAX;

/// A sender's allowance: one message every `refill`, `burst` of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    pub refill: Duration,
    pub burst: u32,
}

/// Holds up to `burst` tokens; a message takes one.
#[derive(Debug)]
pub struct Bucket {
    pace: Pace,
    tokens: u32,
    refilled_at: Instant,
}

impl Pace {
    /// `per_s` messages a second (at least one), `burst` at once.
    pub fn new(per_s: u32, burst: u32) -> Self {
        Self { refill: Duration::from_secs(1) / per_s.max(1), burst }
    }
}

impl Bucket {
    pub fn new(now: Instant, pace: Pace) -> Self {
        Self { pace, tokens: pace.burst, refilled_at: now }
    }

    /// Takes a token; `false` where there is none.
    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let has = self.tokens > 0;
        self.tokens -= u32::from(has);
        has
    }

    /// The token that was taken last was not used.
    pub fn give_back(&mut self) {
        self.tokens = self.pace.burst.min(self.tokens + 1);
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens == self.pace.burst
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.duration_since(self.refilled_at);
        let due = passed.as_nanos() / self.pace.refill.as_nanos().max(1);
        let room = self.pace.burst - self.tokens;
        match u32::try_from(due) {
            Ok(due) if due < room => {
                self.tokens += due;
                self.refilled_at += self.pace.refill * due;
            }
            _ => {
                self.tokens = self.pace.burst;
                self.refilled_at = now;
            }
        }
    }
}

/// A bucket for each of many senders, of whom nothing is kept once his is full again.
#[derive(Debug)]
pub struct Buckets<K> {
    pace: Pace,
    of: HashMap<K, Bucket>,
    /// From when on the full ones are looked for.
    swept: Instant,
}

impl<K: Eq + Hash> Buckets<K> {
    pub fn new(now: Instant, pace: Pace) -> Self {
        Self { pace, of: HashMap::new(), swept: now }
    }

    /// Takes a token of `who`; `false` where there is none. Where there are more senders at once
    /// than are told apart, a new one is let pass.
    pub fn take(&mut self, now: Instant, who: K) -> bool {
        if self.of.len() >= BUCKETS_MAX && !self.of.contains_key(&who) {
            if now >= self.swept + self.pace.refill {
                self.swept = now;
                self.of.retain(|_, bucket| !bucket.is_full(now));
            }
            if self.of.len() >= BUCKETS_MAX {
                return true;
            }
        }
        self.of.entry(who).or_insert_with(|| Bucket::new(now, self.pace)).take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifty_messages_pass_at_once_and_the_51st_does_not() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now, Pace::new(20, 50));
        assert!((0..50).all(|_| bucket.take(now)));
        assert!(!bucket.take(now));
    }

    #[test]
    fn twenty_a_second_pass_for_ever_and_twenty_one_do_not() {
        let passed_of = |per_s: u32| {
            let start = Instant::now();
            let mut bucket = Bucket::new(start, Pace::new(20, 50));
            let at = |message| start + Duration::from_secs(1) / per_s * message;
            (0..per_s * 100).filter(|message| bucket.take(at(*message))).count()
        };
        assert_eq!(passed_of(20), 2000);
        assert!(passed_of(21) < 2100);
    }

    #[test]
    fn senders_have_buckets_of_their_own_and_those_that_are_full_make_room() {
        let now = Instant::now();
        let pace = Pace { refill: Duration::from_secs(1), burst: 1 };
        let mut buckets = Buckets::new(now, pace);
        assert!((0..BUCKETS_MAX).all(|who| buckets.take(now, who)));
        assert!((0..BUCKETS_MAX).all(|who| !buckets.take(now, who)));
        // One more is not told apart from any other, and nobody pays for it.
        assert!((0..2).all(|_| buckets.take(now, BUCKETS_MAX)));
        let later = now + pace.refill;
        assert!(buckets.take(later, BUCKETS_MAX));
        assert!(!buckets.take(later, BUCKETS_MAX));
        assert_eq!(buckets.of.len(), 1);
    }

    #[test]
    fn a_long_pause_fills_no_more_than_the_burst() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now, Pace::new(20, 50));
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(later)).count(), 50);
    }
}
