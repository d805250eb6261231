//! An Opus packet as far as it can be known without decoding (RFC 6716 section 3): how much sound
//! it stands for, and whether it can hold a voice at all. Knows no RTP and no levels.

mod join;

pub use join::Joined;

use crate::limits::{OPUS_FRAME_BYTES, OPUS_PACKET_SAMPLES, SILENT_FRAME_BYTES};

/// What the framing of one packet says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    frame_samples: u16,
    frames: u8,
    is_silence: bool,
    is_voiceless: bool,
}

impl Packet {
    /// `None` for what breaks one of the rules R1 to R7 of RFC 6716 section 3.4.
    pub fn parse(payload: &[u8]) -> Option<Packet> {
        let (&toc, rest) = payload.split_first()?;
        let frames = Frames::split(toc & 3, rest)?;
        let packet = Packet {
            frame_samples: frame_samples(toc >> 3),
            frames: frames.count,
            is_silence: frames.all(|frame| is_silent(frame, toc)),
            is_voiceless: frames.all(|frame| is_silent(frame, toc) || is_inactive(frame, toc)),
        };
        (packet.samples() <= OPUS_PACKET_SAMPLES).then_some(packet)
    }

    /// How long it sounds, in samples of 48 kHz: 120 (2.5 ms) to 5,760 (120 ms).
    pub const fn samples(self) -> u32 {
        self.frame_samples as u32 * self.frames as u32
    }

    /// 1 to 48.
    pub const fn frames(self) -> u32 {
        self.frames as u32
    }

    /// No frame can hold a voice: left out by DTX, or silence by its own flag. Padding does not
    /// count, so a packet cannot be blown up to look like voice.
    pub const fn is_silence(self) -> bool {
        self.is_silence
    }

    /// Silence, or sound in which the sender's own encoder found no voice: a fan, a street. Only
    /// SILK says so, which browsers take for speech (alone or below CELT); CELT alone never does.
    pub const fn is_voiceless(self) -> bool {
        self.is_voiceless
    }
}

/// The frames of one packet, behind the TOC and all lengths, before the padding.
struct Frames<'p> {
    lengths: [u16; FRAMES_MAX],
    count: u8,
    body: &'p [u8],
}

impl<'p> Frames<'p> {
    /// `rest` is what follows the TOC.
    fn split(code: u8, rest: &'p [u8]) -> Option<Self> {
        match code {
            0 => Frames::equal(1, rest),
            1 => Frames::equal(2, rest),
            2 => Frames::varying(2, rest, 0),
            _ => {
                let (&head, rest) = rest.split_first()?;
                let count = head & 0x3f;
                let (padding, rest) =
                    if head & 0x40 == 0 { (0, rest) } else { padding_bytes(rest)? };
                if head & 0x80 == 0 {
                    Frames::equal(count, rest.get(..rest.len().checked_sub(padding)?)?)
                } else {
                    Frames::varying(count, rest, padding)
                }
            }
        }
    }

    /// Frames of one size, which they need not tell.
    fn equal(count: u8, body: &'p [u8]) -> Option<Self> {
        if !(1..=FRAMES_MAX).contains(&usize::from(count)) {
            return None;
        }
        let length = body.len() / usize::from(count);
        if length * usize::from(count) != body.len() || length > OPUS_FRAME_BYTES {
            return None;
        }
        let mut lengths = [0; FRAMES_MAX];
        lengths[..usize::from(count)].fill(length as u16);
        Some(Frames { lengths, count, body })
    }

    /// Frames that each tell their size, but for the last, which takes what is left.
    fn varying(count: u8, mut rest: &'p [u8], padding: usize) -> Option<Self> {
        let mut lengths = [0; FRAMES_MAX];
        let (last, told) = lengths.get_mut(..usize::from(count))?.split_last_mut()?;
        let mut told_bytes = padding;
        for length in told {
            (*length, rest) = frame_bytes(rest)?;
            told_bytes += usize::from(*length);
        }
        let last_bytes = rest.len().checked_sub(told_bytes)?;
        if last_bytes > OPUS_FRAME_BYTES {
            return None;
        }
        *last = last_bytes as u16;
        Some(Frames { lengths, count, body: rest })
    }

    fn all(&self, is_so: impl Fn(&[u8]) -> bool) -> bool {
        let mut rest = self.body;
        self.lengths[..usize::from(self.count)].iter().all(|length| {
            let (frame, after) = rest.split_at_checked(usize::from(*length)).unwrap_or_default();
            rest = after;
            is_so(frame)
        })
    }
}

/// Table 2 of RFC 6716, in samples of 48 kHz.
const fn frame_samples(config: u8) -> u16 {
    match (config, config & 3) {
        (16.., size) => 120 << size,
        (12.., size) => 480 << (size & 1),
        (_, 3) => 2_880,
        (_, size) => 480 << size,
    }
}

/// Configurations without SILK's layer.
const fn is_celt(toc: u8) -> bool {
    toc >> 3 >= 16
}

/// CELT begins with a flag of probability 1 / 32,768 that says silence (RFC 6716 section 4.3):
/// the range coder reads it from the first 15 bits, all ones.
fn is_silent(frame: &[u8], toc: u8) -> bool {
    let is_flagged = is_celt(toc) && matches!(frame, [0xff, 0xfe | 0xff, ..]);
    is_flagged || frame.len() <= SILENT_FRAME_BYTES
}

/// SILK begins with a bit for each 20 ms that says whether there is voice, and one for its FEC;
/// in stereo once more for the other channel. A receiver may read them as plain bits (RFC 6716
/// sections 4.2.3 and 4.2.4).
fn is_inactive(frame: &[u8], toc: u8) -> bool {
    let flags = match frame_samples(toc >> 3) {
        2_880 => 0b1110_0000_u8,
        1_920 => 0b1100_0000,
        _ => 0b1000_0000,
    };
    let other = if toc & 4 == 0 { 0 } else { flags >> (flags.count_ones() + 1) };
    !is_celt(toc) && frame.first().is_some_and(|head| head & (flags | other) == 0)
}

/// Length of a frame in one or two bytes (RFC 6716 section 3.2.1), and what follows.
fn frame_bytes(rest: &[u8]) -> Option<(u16, &[u8])> {
    let (&first, rest) = rest.split_first()?;
    if first < 252 {
        return Some((u16::from(first), rest));
    }
    let (&second, rest) = rest.split_first()?;
    Some((u16::from(second) * 4 + u16::from(first), rest))
}

/// Length of the padding at the packet's end (RFC 6716 section 3.2.5), and what follows it here:
/// each 255 stands for 254 and another byte.
fn padding_bytes(mut rest: &[u8]) -> Option<(usize, &[u8])> {
    let mut padding = 0;
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        if byte < 255 {
            return Some((padding + usize::from(byte), rest));
        }
        padding += 254;
    }
}

/// 120 ms of frames of 2.5 ms.
const FRAMES_MAX: usize = 48;

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    fn told(payload: &[u8]) -> Option<(u32, u32, bool)> {
        Packet::parse(payload).map(|it| (it.samples(), it.frames(), it.is_silence()))
    }

    /// A TOC of 20 ms frames: CELT, full band, mono.
    const CELT: u8 = 31 << 3;
    /// A TOC of 20 ms frames: SILK, narrow band, mono.
    const SILK: u8 = 1 << 3;

    #[test]
    fn every_configuration_has_its_duration() {
        let silk = [480, 960, 1_920, 2_880];
        let celt = [120, 240, 480, 960];
        for config in 0..32_u8 {
            let size = usize::from(config & 3);
            let frame = match config {
                0..12 => silk[size],
                12..16 => silk[size & 1],
                _ => celt[size],
            };
            for stereo in [0, 4] {
                let toc = config << 3 | stereo;
                assert_eq!(told(&[toc]), Some((frame, 1, true)), "{config}");
                assert_eq!(told(&[toc | 1, 1, 2]), Some((2 * frame, 2, true)), "{config}");
                let most = (5_760 / frame) as u8;
                let body = [toc | 3, most];
                assert_eq!(told(&body), Some((5_760, u32::from(most), true)), "{config}");
                assert_eq!(told(&[toc | 3, most + 1]), None, "{config}");
            }
        }
    }

    #[test]
    fn one_frame_is_the_whole_packet() {
        let mut packet = Vec::from([SILK]);
        packet.resize(1 + 1_275, 7);
        assert_eq!(told(&packet), Some((960, 1, false)));
        packet.push(7);
        assert_eq!(told(&packet), None);
    }

    #[test]
    fn two_equal_frames_need_an_even_number_of_bytes() {
        assert_eq!(told(&[CELT | 1, 1, 2, 3, 4, 5, 6]), Some((1_920, 2, false)));
        assert_eq!(told(&[CELT | 1, 1, 2, 3, 4, 5]), None);
    }

    #[test]
    fn two_frames_of_their_own_size() {
        assert_eq!(told(&[CELT | 2, 3, 1, 2, 3]), Some((1_920, 2, false)));
        assert_eq!(told(&[CELT | 2, 0, 1, 2, 3]), Some((1_920, 2, false)));
        assert_eq!(told(&[CELT | 2, 2, 1, 2, 3]), Some((1_920, 2, true)));
        assert_eq!(told(&[CELT | 2, 4, 1, 2, 3]), None);
        assert_eq!(told(&[CELT | 2]), None);
        assert_eq!(told(&[CELT | 2, 252]), None);
        let mut long = Vec::from([CELT | 2, 253, 1]);
        long.resize(3 + 257, 0);
        assert_eq!(told(&long), Some((1_920, 2, false)));
        long.pop();
        assert_eq!(told(&long), None);
    }

    #[test]
    fn many_frames_equal_or_not() {
        assert_eq!(told(&[CELT | 3, 3, 1, 2, 3, 4, 5, 6, 7, 8, 9]), Some((2_880, 3, false)));
        assert_eq!(told(&[CELT | 3, 3, 1, 2, 3, 4, 5, 6, 7, 8]), None);
        assert_eq!(told(&[CELT | 3, 0x80 | 3, 1, 2, 9, 9, 9, 9, 9]), Some((2_880, 3, true)));
        assert_eq!(told(&[CELT | 3, 0x80 | 3, 1, 2, 9, 9, 9, 9, 9, 9]), Some((2_880, 3, false)));
        assert_eq!(told(&[CELT | 3, 0x80 | 3, 1, 2, 9, 9]), None);
        assert_eq!(told(&[CELT | 3, 0]), None);
        assert_eq!(told(&[CELT | 3, 0x80]), None);
        assert_eq!(told(&[CELT | 3]), None);
    }

    #[test]
    fn padding_is_no_voice() {
        let mut padded = Vec::from([CELT | 3, 0x40 | 1, 255, 0]);
        padded.resize(4 + 254, 0xaa);
        assert_eq!(told(&padded), Some((960, 1, true)));
        padded.extend([1, 2]);
        assert_eq!(told(&padded), Some((960, 1, true)));
        padded.push(3);
        assert_eq!(told(&padded), Some((960, 1, false)));
        assert_eq!(told(&[CELT | 3, 0x40 | 1, 255, 0, 1]), None);
        assert_eq!(told(&[CELT | 3, 0x40 | 1, 255]), None);
        let varying = [CELT | 3, 0xc0 | 2, 3, 1, 9, 9, 0, 0, 0];
        assert_eq!(told(&varying), Some((1_920, 2, true)));
        assert_eq!(told(&[CELT | 3, 0xc0 | 2, 3, 3, 9, 9, 0, 0]), None);
    }

    #[test]
    fn the_silence_that_clients_send_is_silence() {
        assert_eq!(told(&[0xf8, 0xff, 0xfe]), Some((960, 1, true)));
        assert_eq!(told(&[0xfc, 0xff, 0xfe]), Some((960, 1, true)));
        // At a constant bitrate the flag stands at the head of a full frame.
        let mut constant = Vec::from([0xf8, 0xff, 0xfe]);
        constant.resize(160, 0);
        assert_eq!(told(&constant), Some((960, 1, true)));
        constant[2] = 0xfd;
        assert_eq!(told(&constant), Some((960, 1, false)));
        constant[0] = SILK;
        constant[2] = 0xfe;
        assert_eq!(told(&constant), Some((960, 1, false)));
    }

    #[test]
    fn silk_says_whether_there_is_voice() {
        let is_voiceless = |toc: u8, head: u8| {
            let packet = Packet::parse(&[toc, head, 1, 2, 3]).unwrap();
            assert!(!packet.is_silence());
            packet.is_voiceless()
        };
        // Configuration and stereo; the bits that say voice.
        let (ten, twenty, forty, sixty) = (0, 1 << 3, 2 << 3, 3 << 3);
        let hybrid = 15 << 3;
        for (toc, voice) in [
            (ten, 0b1000_0000),
            (twenty, 0b1000_0000),
            (forty, 0b1100_0000),
            (sixty, 0b1110_0000),
            (hybrid, 0b1000_0000),
            (twenty | 4, 0b1010_0000),
            (forty | 4, 0b1101_1000),
            (sixty | 4, 0b1110_1110),
            (hybrid | 4, 0b1010_0000),
        ] {
            for bit in 0..8 {
                let head = 1 << bit;
                assert_eq!(is_voiceless(toc, head), head & voice == 0, "{toc:#x} {head:#b}");
            }
            assert!(is_voiceless(toc, 0));
        }
        assert!(!is_voiceless(CELT, 0));
        assert!(Packet::parse(&[CELT]).unwrap().is_voiceless());
    }

    #[test]
    fn no_short_packet_panics_or_sounds_longer_than_120_ms() {
        let check = |payload: &[u8]| {
            if let Some(packet) = Packet::parse(payload) {
                assert!((120..=5_760).contains(&packet.samples()), "{payload:x?}");
                assert!((1..=48).contains(&packet.frames()), "{payload:x?}");
                // Too short for a frame of three bytes behind the TOC.
                assert!(packet.is_silence() || payload.len() > 3, "{payload:x?}");
            }
        };
        check(&[]);
        for one in 0..=255 {
            check(&[one]);
            for two in 0..=255 {
                check(&[one, two]);
                for three in 0..=255 {
                    check(&[one, two, three]);
                }
            }
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut packet = Vec::new();
        for code in 0..4 {
            for head in 0..=255 {
                for fill in [0, 1, 3, 20, 251, 252, 254, 255] {
                    packet.clear();
                    packet.extend([CELT | code, head]);
                    packet.resize(300, fill);
                    for end in 0..packet.len() {
                        let told = Packet::parse(&packet[..end]);
                        assert!(told.is_none_or(|it| it.samples() <= 5_760));
                    }
                }
            }
        }
    }
}
