//! Chance from a seed, and what is to come in virtual time. The same seed is the same story on
//! every machine.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use engine::Time;

/// Splitmix64.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed)
    }

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn within(&mut self, range: Range<u64>) -> u64 {
        range.start + self.draw() % (range.end - range.start)
    }

    /// One of them; there must be some.
    pub fn pick<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.within(0..all.len() as u64) as usize].clone()
    }

    pub fn permille(&mut self, chance: u64) -> bool {
        self.draw() % 1_000 < chance
    }

    pub fn millis(&mut self, range: Range<u64>) -> Duration {
        Duration::from_micros(self.within(range.start * 1_000..range.end * 1_000))
    }
}

/// What is to come, in order; what is due at the same moment comes in the order it was noted.
pub struct Agenda<E> {
    due: BTreeMap<(Time, u64), E>,
    noted: u64,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Agenda { due: BTreeMap::new(), noted: 0 }
    }
}

impl<E> Agenda<E> {
    pub fn note(&mut self, at: Time, event: E) {
        self.noted += 1;
        self.due.insert((at, self.noted), event);
    }

    pub fn next(&mut self, until: Time) -> Option<(Time, E)> {
        let entry = self.due.first_entry().filter(|entry| entry.key().0 <= until)?;
        let ((at, _), event) = entry.remove_entry();
        Some((at, event))
    }
}
