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

/// What packets meet between a client and the worker.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    pub loss_permille: u64,
    pub duplicates_permille: u64,
    pub jitter_ms: u64,
}

impl Net {
    pub const PERFECT: Net = Net { loss_permille: 0, duplicates_permille: 0, jitter_ms: 0 };

    pub fn from(chance: &mut Chance) -> Net {
        Net {
            loss_permille: chance.within(0..250),
            duplicates_permille: chance.within(0..100),
            jitter_ms: chance.within(0..70),
        }
    }

    /// How long each copy of a packet takes: none where it is lost, two where it is doubled.
    pub fn trips(&self, chance: &mut Chance) -> [Option<Duration>; 2] {
        let mut trip = || chance.millis(2..3 + self.jitter_ms);
        let (one, other) = (trip(), trip());
        let arrives = !chance.permille(self.loss_permille);
        let twice = arrives && chance.permille(self.duplicates_permille);
        [arrives.then_some(one), twice.then_some(other)]
    }
}
