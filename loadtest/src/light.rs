//! Light: counts what a leg gets by the headers of its packets alone (RFC 3550 section 5.1), so
//! that one process carries thousands of listeners. Numbers tell what is missing; how many frames
//! a packet holds is told by its length, or by the next packet's time where that says fewer.

use crate::hearing::{Gaps, Hearing};
use crate::voice::{BotId, FRAME_BYTES, FRAME_SAMPLES, Frame};

/// The ears of a light leg.
#[derive(Debug)]
pub struct Light {
    /// One packet in so many of each voice is to be decrypted.
    one_in: u32,
    streams: Vec<(u32, Stream)>,
    /// The header of the packet that is being decrypted.
    opened: Option<Header>,
}

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub ssrc: u32,
    sequence: u16,
    time: u32,
    marker: bool,
    /// Sealed payload, authentication tag included.
    sealed_bytes: usize,
}

/// What a packet counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub is_new: bool,
    /// Frames in it, less those that the packet before had been given too many.
    pub frames: i64,
}

#[derive(Debug, Default)]
struct Stream {
    hearing: Hearing,
    highest: u32,
    time: u32,
    frames: u32,
    /// Until the next one that is to be decrypted.
    skipped: u32,
    origin: Option<Origin>,
}

/// Of the last packet of a stream that was decrypted.
#[derive(Clone, Copy, Debug)]
struct Origin {
    talker: BotId,
    sent_ns: u64,
    time: u32,
}

impl Light {
    pub fn new(one_in: u32) -> Self {
        Self { one_in, streams: Vec::new(), opened: None }
    }

    /// Whether the next packet is to be decrypted: the first one of each voice and spurt is.
    pub fn is_to_decrypt(&mut self, header: Header) -> bool {
        let known = self.streams.iter_mut().find(|(ssrc, _)| *ssrc == header.ssrc);
        let is_due = known.is_none_or(|(_, stream)| {
            stream.skipped = (stream.skipped + 1) % self.one_in;
            stream.skipped == 0
        });
        // Where a talk-spurt begins, it may be another's voice.
        let is_opened = is_due || header.marker;
        self.opened = is_opened.then_some(header);
        is_opened
    }

    /// Learns from a packet that was decrypted who speaks in its stream, and since when.
    pub fn learn(&mut self, frame: Frame) {
        let Some(Header { ssrc, time, .. }) = self.opened.take() else { return };
        let origin = Origin { talker: frame.talker, sent_ns: frame.sent_ns, time };
        for (_, stream) in self.streams.iter_mut().filter(|(of, _)| *of == ssrc) {
            stream.origin = Some(origin);
        }
    }

    /// Who said a packet, and about when, by its time; `None` where that is not known yet: at the
    /// beginning of a stream or a talk-spurt.
    pub fn origin(&self, header: Header) -> Option<(BotId, u64)> {
        if header.marker {
            return None;
        }
        let (_, stream) = self.streams.iter().find(|(ssrc, _)| *ssrc == header.ssrc)?;
        let Origin { talker, sent_ns, time } = stream.origin?;
        let passed_ns = i64::from(header.time.wrapping_sub(time) as i32) * NS_IN_48_SAMPLES / 48;
        Some((talker, sent_ns.saturating_add_signed(passed_ns)))
    }

    pub fn note(&mut self, header: Header, gaps: &mut Gaps) -> Counted {
        let frames = header.frames();
        let at = self.streams.iter().position(|(ssrc, _)| *ssrc == header.ssrc);
        let at = at.unwrap_or_else(|| {
            let highest = ONE_ROUND + u32::from(header.sequence) - 1;
            // Not all listeners decrypt the same packet.
            let skipped = header.ssrc % self.one_in;
            self.streams.push((header.ssrc, Stream { highest, skipped, ..Stream::default() }));
            self.streams.len() - 1
        });
        let stream = &mut self.streams[at].1;
        let ahead = header.sequence.wrapping_sub(stream.highest as u16) as i16;
        let number = stream.highest.wrapping_add_signed(ahead.into());
        if !stream.hearing.is_new(number, gaps) {
            return Counted::default();
        }
        let mut counted = Counted { is_new: true, frames: frames.into() };
        if ahead == 1 && !header.marker {
            let passed = header.time.wrapping_sub(stream.time) / FRAME_SAMPLES;
            counted.frames -= i64::from(stream.frames.saturating_sub(passed.max(1)));
        }
        if ahead > 0 {
            (stream.highest, stream.time, stream.frames) = (number, header.time, frames);
        }
        counted
    }

    /// What was heard of each stream.
    pub fn hearings(&mut self) -> impl Iterator<Item = &mut Hearing> {
        self.streams.iter_mut().map(|(_, stream)| &mut stream.hearing)
    }
}

impl Header {
    /// Reads a datagram's RTP header; `None` where it is something else (RFC 7983, RFC 5761
    /// section 4).
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [first @ 128..=191, kind, ..] = *bytes else { return None };
        if (64..96).contains(&(kind & 0x7f)) {
            return None;
        }
        let fixed: &[u8; 12] = bytes.first_chunk()?;
        let mut head = 12 + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            let extension = bytes.get(head..head + 4)?;
            head += 4 + 4 * usize::from(u16::from_be_bytes([extension[2], extension[3]]));
        }
        Some(Self {
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            time: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            marker: kind & 0x80 != 0,
            sealed_bytes: bytes.len().checked_sub(head)?,
        })
    }

    /// Frames by the payload's length: with padding too many, never too few.
    pub fn frames(self) -> u32 {
        (self.sealed_bytes.saturating_sub(TAG_BYTES) / FRAME_BYTES).clamp(1, 6) as u32
    }
}

/// The shortest authentication tag of SRTP in use (RFC 3711; AES-GCM's has 16): with a longer one
/// six frames are still less than seven.
const TAG_BYTES: usize = 10;

/// A millisecond of Opus' RTP clock.
const NS_IN_48_SAMPLES: i64 = 1_000_000;

/// Sequence numbers are counted on from here, so that one before the first is still above 0.
const ONE_ROUND: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voice;

    /// A packet of `frames`, sealed with GCM, with `padding` bytes more.
    fn packet(sequence: u16, time: u32, frames: usize, padding: usize) -> Vec<u8> {
        let mut bytes = vec![0x90, 111];
        bytes.extend(sequence.to_be_bytes());
        bytes.extend(time.to_be_bytes());
        bytes.extend(9_u32.to_be_bytes());
        bytes.extend([0xbe, 0xde, 0, 1, 0x10, 0, 0, 0]);
        bytes.extend(voice::payload(&vec![Frame { talker: 0, seq: 0, sent_ns: 0 }; frames]));
        bytes.resize(bytes.len() + 16 + padding, 0);
        bytes
    }

    fn heard(packets: &[Vec<u8>]) -> (i64, Gaps) {
        let (mut light, mut gaps) = (Light::new(10), Gaps::default());
        let headers = packets.iter().map(|bytes| Header::read(bytes).expect("RTP"));
        let frames = headers.map(|header| light.note(header, &mut gaps).frames).sum();
        for hearing in light.hearings() {
            hearing.mark();
            hearing.settle(&mut gaps);
        }
        (frames, gaps)
    }

    #[test]
    fn frames_are_counted_by_length() {
        for frames in 1..=6 {
            let header = Header::read(&packet(7, 0, frames, 0)).expect("RTP");
            assert_eq!(header.frames(), frames as u32);
        }
    }

    #[test]
    fn padding_is_found_out_by_the_next_packets_time() {
        let packets = [packet(1, 0, 1, 200), packet(2, 960, 3, 0), packet(3, 3840, 1, 0)];
        assert_eq!(heard(&packets), (5, Gaps::default()));
    }

    #[test]
    fn what_is_missing_shows_across_the_end_of_the_numbers_and_nothing_counts_twice() {
        let numbers = [65_534, 65_535, 2, 1, 1, 3];
        let packets: Vec<_> =
            numbers.map(|seq| packet(seq, u32::from(seq.wrapping_add(9)) * 960, 1, 0)).into();
        assert_eq!(heard(&packets), (5, Gaps { lost: 1, count: 0, longest: 0 }));
    }

    #[test]
    fn of_each_voice_the_first_packet_is_decrypted_and_one_in_ten() {
        let mut light = Light::new(10);
        let mut gaps = Gaps::default();
        let decrypted = (0..1000_u16).filter(|seq| {
            let header = Header::read(&packet(*seq, 0, 1, 0)).expect("RTP");
            let is_decrypted = light.is_to_decrypt(header);
            light.note(header, &mut gaps);
            is_decrypted
        });
        assert_eq!(decrypted.count(), 101, "the first, and of the others one in ten");
    }

    #[test]
    fn who_said_a_packet_and_when_is_known_from_one_that_was_decrypted() {
        let (mut light, mut gaps) = (Light::new(100), Gaps::default());
        let headers = [(1, 960), (2, 1920)].map(|(seq, time)| {
            let header = Header::read(&packet(seq, time, 1, 0)).expect("RTP");
            light.is_to_decrypt(header);
            light.note(header, &mut gaps);
            light.learn(Frame { talker: 4, seq: 0, sent_ns: 1_000 });
            header
        });
        assert_eq!(headers.map(|it| light.origin(it)), [Some((4, 1_000)), Some((4, 20_001_000))]);
    }

    #[test]
    fn stun_dtls_and_rtcp_have_no_header() {
        for first in [[0, 1], [22, 254], [0x80, 200]] {
            assert_eq!(Header::read(&[&first[..], &[0; 30]].concat()), None);
        }
    }
}
