//! How fast one sender may send: a token bucket. Knows no clock: time comes in.

use std::time::{Duration, Instant};

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
    fn a_long_pause_fills_no_more_than_the_burst() {
        let now = Instant::now();
        let mut bucket = Bucket::new(now, Pace::new(20, 50));
        let later = now + Duration::from_secs(3600);
        assert_eq!((0..100).filter(|_| bucket.take(later)).count(), 50);
    }
}
