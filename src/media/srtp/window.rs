//! Packet index and replay window of one SSRC (RFC 3711 sections 3.3.1 and 3.3.2).

/// How far behind the highest packet another one is still taken, in packets. 1,024 are 20 s of
/// 20 ms frames: later than any player waits.
pub const WINDOW_PACKETS: u64 = 1024;

/// Which of the last [`WINDOW_PACKETS`] packets were there.
pub(super) struct Window {
    /// The highest index that was noted.
    highest: u64,
    /// Bit `index % WINDOW_PACKETS` says whether that packet was noted.
    seen: [u64; WORDS],
}

impl Window {
    /// The window of an SSRC whose first packet has `index`; that packet is noted.
    pub fn starting_at(index: u64) -> Self {
        let mut window = Self { highest: index, seen: [0; WORDS] };
        window.set(index);
        window
    }

    /// The index of a packet with `sequence`: the one of three rollovers that lies nearest to the
    /// highest (RFC 3711 appendix A).
    pub fn estimate(&self, sequence: u16) -> u64 {
        let rollover = self.highest >> 16;
        let highest = self.highest & 0xffff;
        let sequence = u64::from(sequence);
        let former = highest < HALF && sequence > highest + HALF;
        let next = highest >= HALF && sequence < highest - HALF;
        // In rollover 0 there is no former one: then it is a leap forward. After the last one
        // the key is spent: the packet keeps a wrong index and will not authenticate.
        let rollover = if former {
            rollover.saturating_sub(1)
        } else if next {
            (rollover + 1).min(u64::from(u32::MAX))
        } else {
            rollover
        };
        rollover << 16 | sequence
    }

    /// Notes `index`; false if it was noted before, or lies behind the window.
    pub fn note(&mut self, index: u64) -> bool {
        if index > self.highest {
            self.advance(index);
        } else if self.highest - index >= WINDOW_PACKETS || self.is_set(index) {
            return false;
        }
        self.set(index);
        true
    }

    /// Moves the window's end to `index` and forgets what now lies behind it.
    fn advance(&mut self, index: u64) {
        if index - self.highest >= WINDOW_PACKETS {
            self.seen = [0; WORDS];
        } else {
            for passed in self.highest + 1..=index {
                self.seen[word(passed)] &= !bit(passed);
            }
        }
        self.highest = index;
    }

    fn is_set(&self, index: u64) -> bool {
        self.seen[word(index)] & bit(index) != 0
    }

    fn set(&mut self, index: u64) {
        self.seen[word(index)] |= bit(index);
    }
}

const fn word(index: u64) -> usize {
    (index % WINDOW_PACKETS / 64) as usize
}

const fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

const WORDS: usize = WINDOW_PACKETS as usize / 64;
/// Half of the sequence number's range.
const HALF: u64 = 1 << 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimate_finds_the_nearest_rollover() {
        let check = |highest: u64, sequence: u16, expect: u64| {
            let estimate = Window::starting_at(highest).estimate(sequence);
            assert_eq!(estimate, expect, "{highest:#x} {sequence:#x}");
        };
        check(0x0000_0005, 0x0006, 0x0000_0006);
        check(0x0000_ffff, 0x0000, 0x0001_0000);
        check(0x0001_0000, 0xffff, 0x0000_ffff);
        check(0x0003_0000, 0x8000, 0x0003_8000);
        check(0x0003_0000, 0x8001, 0x0002_8001);
        check(0x0003_8000, 0x0000, 0x0003_0000);
        check(0x0003_8001, 0x0000, 0x0004_0000);
        check(0x0000_0005, 0xfff0, 0x0000_fff0);
        check(0xffff_ffff_ffff, 0x0000, 0xffff_ffff_0000);
    }

    #[test]
    fn every_index_is_noted_once() {
        let mut window = Window::starting_at(70_000);
        assert!(!window.note(70_000));
        for index in [70_001, 70_003, 70_002, 71_000, 70_999, 69_977, 80_000, 79_000] {
            assert!(window.note(index), "{index}");
            assert!(!window.note(index), "{index}");
        }
    }

    #[test]
    fn behind_the_window_nothing_is_noted() {
        let mut window = Window::starting_at(WINDOW_PACKETS);
        assert!(!window.note(0));
        assert!(window.note(1));
        assert!(window.note(WINDOW_PACKETS + 5));
        assert!(!window.note(5));
        assert!(window.note(6));
    }

    #[test]
    fn window_agrees_with_a_set_of_all_seen() {
        let mut window = Window::starting_at(0);
        let mut seen = std::collections::BTreeSet::from([0]);
        let mut state = 1_u64;
        for _ in 0..50_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let highest = *seen.last().expect("0 is in it");
            let reach = if state >> 60 == 0 { 3000 } else { 1300 };
            let index = (highest + 60 + (state >> 33) % reach).saturating_sub(1200);
            let fresh = index + WINDOW_PACKETS > highest && !seen.contains(&index);
            assert_eq!(window.note(index), fresh, "{index} {highest}");
            if fresh {
                seen.insert(index);
            }
        }
    }
}
