//! Voice: what a talker puts into a packet, and how a listener knows that he heard it once, whole.
//! The payload is opaque to the server (it never decodes), so each frame carries our own
//! bookkeeping. It stands behind the TOC byte: a server may put several frames into one packet.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::bundle;

/// One client of the load, numbered from 0 across all calls.
pub type BotId = u32;

/// A frame every 20 ms, as browsers send Opus.
pub const FRAME: Duration = Duration::from_millis(20);

/// Samples of one frame at Opus' RTP clock of 48 kHz (RFC 7587 section 4.1).
pub const FRAME_SAMPLES: u32 = 960;

/// Bytes of a frame: with its TOC byte 98, what Opus speech of about 39 kbit/s takes each 20 ms.
pub const FRAME_BYTES: usize = 97;

/// Loudness sent with each packet, in dBov (RFC 6464): so loud that the server takes it for a voice
/// though it never wavers.
pub const LEVEL_DBOV: i8 = -20;

/// Opus TOC byte: hybrid mode, fullband, 20 ms, mono, one frame (RFC 6716 section 3.1).
const TOC: u8 = 0x78;

/// Marks a frame of ours; after it stand talker, sequence and time of sending.
const MARK: [u8; 3] = *b"vox";
const HEAD_BYTES: usize = 19;

/// The bookkeeping inside one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub talker: BotId,
    /// Counts the talker's frames from 0, whatever RTP sequence number the server gives them.
    pub seq: u32,
    /// When it was handed to the socket, in nanoseconds of [`nanos`].
    pub sent_ns: u64,
}

impl Frame {
    /// The frame's bytes, its TOC byte not among them.
    pub fn encode(&self) -> [u8; FRAME_BYTES] {
        let mut bytes = [0; FRAME_BYTES];
        bytes[..3].copy_from_slice(&MARK);
        bytes[3..7].copy_from_slice(&self.talker.to_be_bytes());
        bytes[7..11].copy_from_slice(&self.seq.to_be_bytes());
        bytes[11..HEAD_BYTES].copy_from_slice(&self.sent_ns.to_be_bytes());
        for (at, byte) in bytes.iter_mut().enumerate().skip(HEAD_BYTES) {
            *byte = filler(self.seq, at);
        }
        bytes
    }

    /// Reads a frame back; `None` when one byte of it differs from what a talker sends.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; FRAME_BYTES] = bytes.try_into().ok()?;
        let frame = Self {
            talker: u32::from_be_bytes(bytes[3..7].try_into().ok()?),
            seq: u32::from_be_bytes(bytes[7..11].try_into().ok()?),
            sent_ns: u64::from_be_bytes(bytes[11..HEAD_BYTES].try_into().ok()?),
        };
        (frame.encode() == *bytes).then_some(frame)
    }
}

/// The payload of one packet that carries `frames`, at most six (RFC 6716 section 3.2).
pub fn payload(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = match frames.len() {
        0 | 1 => vec![TOC],
        2 => vec![TOC | 1],
        count => vec![TOC | 3, count as u8],
    };
    bytes.extend(frames.iter().flat_map(Frame::encode));
    bytes
}

/// Reads a packet's payload: each frame, or `None` for one that a talker did not send; `None` for
/// all where the payload is not his packing of frames.
pub fn heard(payload: &[u8]) -> Option<impl Iterator<Item = Option<Frame>>> {
    let is_ours = payload.first().is_some_and(|toc| toc & !3 == TOC);
    let frames = if is_ours { bundle::frames(payload) } else { None };
    frames.map(|frames| frames.into_iter().map(Frame::decode))
}

/// Bytes that differ from frame to frame, so that a mixed-up payload shows.
fn filler(seq: u32, at: usize) -> u8 {
    (seq as u8).wrapping_mul(31).wrapping_add(at as u8)
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
    fn frames_survive_their_payload_however_many() {
        for count in 1..=6 {
            let frames: Vec<Frame> = (0..count).map(|seq| Frame { seq, ..FRAME_7 }).collect();
            let heard: Option<Vec<Frame>> = heard(&payload(&frames)).expect("ours").collect();
            assert_eq!(heard, Some(frames));
        }
    }

    #[test]
    fn a_broken_frame_leaves_the_others_of_its_packet_whole() {
        let mut bytes = payload(&[FRAME_7, FRAME_7, FRAME_7]);
        bytes[2 + FRAME_BYTES + 40] ^= 1;
        let heard: Vec<_> = heard(&bytes).expect("ours").collect();
        assert_eq!(heard, [Some(FRAME_7), None, Some(FRAME_7)]);
    }

    #[test]
    fn another_toc_is_not_ours() {
        let mut bytes = payload(&[FRAME_7]);
        bytes[0] = 0x08;
        assert!(heard(&bytes).is_none());
    }

    #[test]
    fn any_byte_changed_outside_the_numbers_is_noticed() {
        for at in (0..3).chain(HEAD_BYTES..FRAME_BYTES) {
            let mut bytes = FRAME_7.encode();
            bytes[at] ^= 0x10;
            assert_eq!(Frame::decode(&bytes), None, "byte {at}");
        }
    }

    #[test]
    fn bytes_of_another_length_are_no_frame() {
        assert_eq!(Frame::decode(&FRAME_7.encode()[..FRAME_BYTES - 1]), None);
    }
}
