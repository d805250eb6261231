//! What packets meet between a client and the worker: loss, alone and in bursts, copies, jitter
//! that reorders, a line that stops and then delivers everything at once, two paths at a time.

use std::time::Duration;

use engine::Time;

use super::chance::Chance;

/// What holds for every line of a story.
#[derive(Clone, Copy, Debug)]
pub struct Net {
    pub loss_permille: u64,
    pub duplicates_permille: u64,
    pub jitter_ms: u64,
}

/// One device's way to the worker and back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Line {
    /// Most packets are lost until then.
    pub lossy_until: Time,
    /// Nothing arrives before that time.
    pub stopped_until: Time,
    /// Some packets still take the old, longer path until then.
    pub mixed_until: Time,
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
    pub fn trips(&self, now: Time, line: Line, chance: &mut Chance) -> [Option<Duration>; 2] {
        let mut trip = || {
            let trip = chance.millis(2..3 + self.jitter_ms);
            let detour = match now < line.mixed_until && chance.permille(500) {
                true => chance.millis(30..150),
                false => Duration::ZERO,
            };
            line.stopped_until.since(now) + trip + detour
        };
        let (one, other) = (trip(), trip());
        let loss = if now < line.lossy_until { LOSS_IN_BURSTS } else { self.loss_permille };
        let arrives = !chance.permille(loss);
        let twice = arrives && chance.permille(self.duplicates_permille);
        [arrives.then_some(one), twice.then_some(other)]
    }
}

const LOSS_IN_BURSTS: u64 = 800;
