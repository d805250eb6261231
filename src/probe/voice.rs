//! The voice of a call to oneself: packets that nobody else could have said, and the ear that
//! knows them. Knows no network and no clock.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;

use crate::demo::voice::Frame;

/// One voice of one call; another one has another mark.
pub struct Voice {
    mark: u64,
}

/// Hears a voice, or does not.
pub struct Ear {
    voice: Voice,
    /// The number of the last packet, and how many before it came whole and in order.
    run: Option<(u32, u32)>,
}

impl Voice {
    /// A voice with a mark of its own: the standard library seeds every hasher anew.
    pub fn new() -> Voice {
        Voice { mark: RandomState::new().build_hasher().finish() }
    }

    /// The packet of 20 ms that stands at `number`: to a forwarder a voice, as it looks no further
    /// than the framing. Nobody decodes it.
    pub fn frame(&self, number: u32) -> Frame {
        let mut opus = Vec::with_capacity(PACKET_BYTES);
        opus.push(TOC);
        opus.extend(self.mark.to_be_bytes());
        opus.extend(number.to_be_bytes());
        // The rest is all values by turns, so that a byte that was shifted or lost is noticed.
        opus.extend((0_u8..).take(PACKET_BYTES - opus.len()));
        Frame { opus: Bytes::from(opus), level_dbov: LEVEL_DBOV, begins: number == 0 }
    }

    pub fn ear(&self) -> Ear {
        Ear { voice: Voice { mark: self.mark }, run: None }
    }
}

impl Ear {
    /// Takes a payload; true once [`ENOUGH`] in a row came byte for byte as they were said.
    pub fn hears(&mut self, payload: &[u8]) -> bool {
        let number = payload.get(NUMBER_AT..NUMBER_AT + 4).and_then(|bytes| bytes.try_into().ok());
        let number = number.map(u32::from_be_bytes);
        let said = number.filter(|number| payload == self.voice.frame(*number).opus);
        self.run = said.map(|number| match self.run {
            Some((last, before)) if last.checked_add(1) == Some(number) => (number, before + 1),
            Some(_) | None => (number, 1),
        });
        self.run.is_some_and(|(_, heard)| heard >= ENOUGH)
    }
}

/// One frame of 20 ms, CELT alone, mono (RFC 6716 section 3.1): of a packet without SILK nobody
/// can say that it holds no voice.
const TOC: u8 = 0xf8;

/// Bytes of a packet, as an encoder at 24 kbit/s makes them.
const PACKET_BYTES: usize = 60;

/// Behind the TOC and the mark.
const NUMBER_AT: usize = 1 + 8;

/// As somebody who speaks into his microphone.
const LEVEL_DBOV: u8 = 30;

/// 60 ms: one packet may be luck, three in a row are a voice.
const ENOUGH: u32 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(ear: &mut Ear, voice: &Voice, numbers: &[u32]) -> bool {
        numbers.iter().any(|number| ear.hears(&voice.frame(*number).opus))
    }

    #[test]
    fn three_packets_in_a_row_are_a_voice() {
        let voice = Voice::new();
        assert!(!heard(&mut voice.ear(), &voice, &[0, 1]));
        assert!(heard(&mut voice.ear(), &voice, &[0, 1, 2]));
        assert!(heard(&mut voice.ear(), &voice, &[4, 7, 8, 9]));
    }

    #[test]
    fn packets_with_gaps_twice_or_in_another_order_are_not() {
        let voice = Voice::new();
        for numbers in [[0, 2, 4], [0, 0, 0], [2, 1, 0], [1, 2, 2]] {
            assert!(!heard(&mut voice.ear(), &voice, &numbers), "{numbers:?}");
        }
    }

    #[test]
    fn another_voice_or_one_with_a_byte_changed_is_not_heard() {
        let (voice, other) = (Voice::new(), Voice::new());
        assert!(!heard(&mut voice.ear(), &other, &[0, 1, 2, 3]));
        let mut ear = voice.ear();
        let mut last = voice.frame(2).opus.to_vec();
        *last.last_mut().unwrap() ^= 1;
        assert!(!heard(&mut ear, &voice, &[0, 1]));
        assert!(!ear.hears(&last));
        assert!(!ear.hears(&[]));
        assert!(!heard(&mut ear, &voice, &[3, 4]) && heard(&mut ear, &voice, &[5]));
    }

    #[test]
    fn a_packet_is_one_frame_that_may_hold_a_voice() {
        let packet = engine::opus::Packet::parse(&Voice::new().frame(7).opus).unwrap();
        assert_eq!((packet.samples(), packet.frames()), (960, 1));
        assert!(!packet.is_voiceless());
    }
}
