//! The last moments of a voice that not everybody hears: kept so that whoever gives it a slot
//! hears its first syllable (DESIGN: 120 ms, behind the mute gate).
//!
//! Holds packets of one voice only: an unmute is another voice, so nothing said before a mute is
//! ever heard after it. Knows no slots and no clock but the packets' own arrivals.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::Level;
use crate::limits::{RING_PACKETS, RING_SPAN};
use crate::slots::{Arrival, Voice};

/// One packet that is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub arrival: Arrival,
    pub level: Option<Level>,
    pub payload: Vec<u8>,
}

/// See the module's words.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    voice: Option<Voice>,
    /// By index, the oldest first.
    kept: VecDeque<Kept>,
    /// Buffers of packets that went, for those to come: no allocation in steady state.
    spare: Vec<Vec<u8>>,
}

impl Ring {
    /// Keeps a packet of `voice`; those of another voice go, and those too old.
    pub fn keep(&mut self, voice: Voice, arrival: Arrival, level: Option<Level>, payload: &[u8]) {
        if self.voice != Some(voice) {
            self.empty();
            self.voice = Some(voice);
        }
        while let Some(at) = self.goes_for(arrival) {
            let Some(gone) = self.kept.remove(at) else { break };
            self.spare.push(gone.payload);
        }
        let mut bytes = self.spare.pop().unwrap_or_default();
        bytes.clear();
        bytes.extend_from_slice(payload);
        let at = self.kept.partition_point(|kept| kept.arrival.index < arrival.index);
        self.kept.insert(at, Kept { arrival, level, payload: bytes });
    }

    /// Forgets every packet: muted, or there is a slot for everybody.
    pub fn empty(&mut self) {
        self.voice = None;
        self.spare.clear();
        self.kept.clear();
    }

    /// The packets kept of this voice, by index.
    pub fn of(&self, voice: Voice) -> &VecDeque<Kept> {
        const NONE: &VecDeque<Kept> = &VecDeque::new();
        if self.voice == Some(voice) { &self.kept } else { NONE }
    }

    /// The next that goes when `newest` comes: too old, be it behind one that came late, or the
    /// first where there are too many.
    fn goes_for(&self, newest: Arrival) -> Option<usize> {
        let is_old = |kept: &Kept| newest.at.since(kept.arrival.at) >= RING_SPAN;
        let is_full = self.kept.len() >= RING_PACKETS;
        self.kept.iter().position(is_old).or(is_full.then_some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LegId, Time};

    const ANNA: Voice = Voice { source: LegId(1), epoch: 0 };

    fn arrival(millis: u64, index: u64) -> Arrival {
        let at = Time::from_micros(millis * 1_000);
        Arrival { at, index, timestamp: index as u32 * 960, marker: false }
    }

    fn indices(ring: &Ring, voice: Voice) -> Vec<u64> {
        ring.of(voice).iter().map(|kept| kept.arrival.index).collect()
    }

    #[test]
    fn the_last_120_ms_are_kept_in_their_order() {
        let mut ring = Ring::default();
        for index in [0, 1, 2, 4, 3, 5, 6, 7, 8] {
            ring.keep(ANNA, arrival(index * 20, index), None, &[index as u8]);
        }
        assert_eq!(indices(&ring, ANNA), [3, 4, 5, 6, 7, 8]);
        assert!(ring.of(ANNA).iter().all(|kept| kept.payload == [kept.arrival.index as u8]));
    }

    #[test]
    fn short_packets_are_bounded_by_number_and_slow_ones_by_age() {
        let mut ring = Ring::default();
        for index in 0..100 {
            ring.keep(ANNA, arrival(index, index), None, &[0]);
        }
        assert_eq!(ring.of(ANNA).len(), RING_PACKETS);
        ring.keep(ANNA, arrival(1_000, 100), None, &[0]);
        assert_eq!(indices(&ring, ANNA), [100]);
    }

    #[test]
    fn an_old_packet_goes_though_one_before_it_came_late() {
        let mut ring = Ring::default();
        ring.keep(ANNA, arrival(0, 6), None, &[6]);
        ring.keep(ANNA, arrival(100, 5), None, &[5]);
        ring.keep(ANNA, arrival(200, 12), None, &[12]);
        assert_eq!(indices(&ring, ANNA), [5, 12]);
    }

    #[test]
    fn nothing_of_before_an_unmute_is_kept_after_it() {
        let mut ring = Ring::default();
        ring.keep(ANNA, arrival(0, 0), None, &[1]);
        let again = Voice { epoch: 1, ..ANNA };
        ring.keep(again, arrival(20, 1), None, &[2]);
        assert_eq!(indices(&ring, ANNA), []);
        assert_eq!(indices(&ring, again), [1]);
        ring.empty();
        assert_eq!(indices(&ring, again), []);
    }
}
