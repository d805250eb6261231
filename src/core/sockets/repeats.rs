//! Which events of a device were seen already: a client sends again what was not confirmed, and
//! the second one must not be applied (PROTOCOL.md section 1).

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::time::Instant;

use crate::limits::{REPEAT_WINDOW, REPEATS_MAX};

/// Whether an event was seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    First,
    Repeat,
}

/// The confirm ids of the last two minutes, as keyed 64-bit hashes: an id may be long, and two
/// of 512 meet once in 10^14 devices.
#[derive(Debug, Default)]
pub struct Repeats {
    key: RandomState,
    seen: VecDeque<(Instant, u64)>,
}

impl Repeats {
    /// Notes the id, and says whether it was there.
    pub fn note(&mut self, now: Instant, confirm_id: &str) -> Seen {
        let is_old = |(at, _): &(Instant, u64)| is_over(*at, now);
        while self.seen.front().is_some_and(is_old) {
            self.seen.pop_front();
        }
        let hash = self.key.hash_one(confirm_id);
        if self.seen.iter().any(|(_, seen)| *seen == hash) {
            return Seen::Repeat;
        }
        if self.seen.len() == REPEATS_MAX {
            self.seen.pop_front();
        }
        self.seen.push_back((now, hash));
        Seen::First
    }

    /// Whether nothing is known any more.
    pub fn is_empty(&self, now: Instant) -> bool {
        self.seen.back().is_none_or(|(at, _)| is_over(*at, now))
    }
}

fn is_over(noted_at: Instant, now: Instant) -> bool {
    now.duration_since(noted_at) > REPEAT_WINDOW
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_repeat_is_known_for_two_minutes() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.note(start, "a"), Seen::First);
        assert_eq!(repeats.note(start + REPEAT_WINDOW, "a"), Seen::Repeat);
        assert_eq!(repeats.note(start + REPEAT_WINDOW, "b"), Seen::First);
        assert!(!repeats.is_empty(start + REPEAT_WINDOW * 2));
        let later = start + REPEAT_WINDOW + Duration::from_millis(1);
        assert_eq!(repeats.note(later, "a"), Seen::First);
    }

    #[test]
    fn the_513th_id_forgets_the_first() {
        let (mut repeats, now) = (Repeats::default(), Instant::now());
        for id in 0..REPEATS_MAX {
            repeats.note(now, &id.to_string());
        }
        assert_eq!(repeats.note(now, "0"), Seen::Repeat);
        repeats.note(now, "one more");
        assert_eq!(repeats.note(now, "0"), Seen::First);
        assert_eq!(repeats.seen.len(), REPEATS_MAX);
    }
}
