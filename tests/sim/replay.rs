//! SRTP's packet index and replay window (RFC 3711 sections 3.3.1 and 3.3.2), for both ends of
//! the simulated network.

use std::collections::BTreeSet;

const WINDOW_PACKETS: u64 = 1024;

pub struct Replay {
    highest: u64,
    seen: BTreeSet<u64>,
}

impl Replay {
    pub fn starting_at(sequence: u16) -> Replay {
        let highest = u64::from(sequence);
        Replay { highest, seen: BTreeSet::from([highest]) }
    }

    /// The index of this sequence number that lies nearest to the highest.
    pub fn estimate(&self, sequence: u16) -> u64 {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.saturating_add_signed(i64::from(ahead))
    }

    /// Notes the index; false for one that was there or is too old to tell.
    pub fn is_fresh(&mut self, index: u64) -> bool {
        self.highest = self.highest.max(index);
        let oldest = self.highest.saturating_sub(WINDOW_PACKETS - 1);
        while self.seen.first().is_some_and(|first| *first < oldest) {
            self.seen.pop_first();
        }
        index >= oldest && self.seen.insert(index)
    }
}
