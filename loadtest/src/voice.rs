//! Voice: what a talker puts into a packet, and how a listener knows that he heard it once, whole.
//! The payload is opaque to the server (it never decodes), so it carries our own bookkeeping behind
//! a byte that looks like Opus.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// One client of the load, numbered from 0 across all calls.
pub type BotId = u32;

/// A frame every 20 ms, as browsers send Opus.
pub const FRAME: Duration = Duration::from_millis(20);

/// Samples of one frame at Opus' RTP clock of 48 kHz (RFC 7587 section 4.1).
pub const FRAME_SAMPLES: u32 = 960;

/// Payload bytes a packet: what Opus speech of about 39 kbit/s takes at 50 packets/s.
pub const PAYLOAD_BYTES: usize = 98;

/// Loudness sent with each packet, in dBov (RFC 6464): so loud that the server takes it for a voice
/// though it never wavers.
pub const LEVEL_DBOV: i8 = -20;

/// Opus TOC byte: hybrid mode, fullband, 20 ms, mono, one frame (RFC 6716 section 3.1).
const TOC: u8 = 0x78;

/// Marks a payload of ours; after it stand talker, sequence and time of sending.
const MARK: [u8; 3] = *b"vox";
const HEAD_BYTES: usize = 20;

/// The bookkeeping inside one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub talker: BotId,
    /// Counts the talker's packets from 0, whatever RTP sequence number the server gives them.
    pub seq: u32,
    /// When it was handed to the socket, in nanoseconds of [`nanos`].
    pub sent_ns: u64,
}

impl Frame {
    /// The payload that carries this frame.
    pub fn encode(&self) -> [u8; PAYLOAD_BYTES] {
        let mut bytes = [0; PAYLOAD_BYTES];
        bytes[0] = TOC;
        bytes[1..4].copy_from_slice(&MARK);
        bytes[4..8].copy_from_slice(&self.talker.to_be_bytes());
        bytes[8..12].copy_from_slice(&self.seq.to_be_bytes());
        bytes[12..HEAD_BYTES].copy_from_slice(&self.sent_ns.to_be_bytes());
        for (at, byte) in bytes.iter_mut().enumerate().skip(HEAD_BYTES) {
            *byte = filler(self.seq, at);
        }
        bytes
    }

    /// Reads a payload back; `None` when one byte of it differs from what a talker sends.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; PAYLOAD_BYTES] = bytes.try_into().ok()?;
        let frame = Self {
            talker: u32::from_be_bytes(bytes[4..8].try_into().ok()?),
            seq: u32::from_be_bytes(bytes[8..12].try_into().ok()?),
            sent_ns: u64::from_be_bytes(bytes[12..HEAD_BYTES].try_into().ok()?),
        };
        (frame.encode() == *bytes).then_some(frame)
    }
}

/// Bytes that differ from packet to packet, so that a mixed-up payload shows.
fn filler(seq: u32, at: usize) -> u8 {
    (seq as u8).wrapping_mul(31).wrapping_add(at as u8)
}

/// What one listener has heard of one talker.
#[derive(Debug, Default)]
pub struct Hearing {
    /// One above the highest sequence heard.
    next: u32,
    /// Bit n: sequence `next - 1 - n` was heard.
    heard: u128,
}

impl Hearing {
    /// Notes a packet; false when it was heard before, or is too old (2.5 s) to tell.
    pub fn is_new(&mut self, seq: u32) -> bool {
        if seq >= self.next {
            let step = seq - self.next + 1;
            self.heard = self.heard.checked_shl(step).unwrap_or(0) | 1;
            self.next = seq + 1;
            return true;
        }
        let age = self.next - 1 - seq;
        let bit = 1_u128.checked_shl(age).unwrap_or(0);
        let is_new = bit != 0 && self.heard & bit == 0;
        self.heard |= bit;
        is_new
    }
}

/// Nanoseconds since the first call of this function in the process (monotonic).
pub fn nanos(now: Instant) -> u64 {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = START.get_or_init(|| now);
    now.saturating_duration_since(*start).as_nanos() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_7: Frame = Frame { talker: 3, seq: 7, sent_ns: 1_234_567_890_123 };

    #[test]
    fn a_frame_survives_its_payload() {
        assert_eq!(Frame::decode(&FRAME_7.encode()), Some(FRAME_7));
    }

    #[test]
    fn any_byte_changed_outside_the_numbers_is_noticed() {
        for at in (0..4).chain(HEAD_BYTES..PAYLOAD_BYTES) {
            let mut bytes = FRAME_7.encode();
            bytes[at] ^= 0x10;
            assert_eq!(Frame::decode(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn a_payload_of_another_length_is_no_frame() {
        assert_eq!(Frame::decode(&FRAME_7.encode()[..PAYLOAD_BYTES - 1]), None);
    }

    #[test]
    fn a_packet_is_new_once_in_whatever_order_it_comes() {
        let mut hearing = Hearing::default();
        let new: Vec<bool> = [0, 2, 1, 1, 2, 0, 3].map(|seq| hearing.is_new(seq)).to_vec();
        assert_eq!(new, [true, true, true, false, false, false, true]);
    }

    #[test]
    fn a_packet_older_than_the_window_is_not_new() {
        let mut hearing = Hearing::default();
        assert!(hearing.is_new(500));
        assert!(hearing.is_new(373));
        assert!(!hearing.is_new(372));
    }
}
