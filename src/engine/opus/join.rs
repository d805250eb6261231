//! Several packets of one voice become one (RFC 6716 section 3.2): the frames stay what they are,
//! byte for byte, under one TOC. Nothing is decoded.

use alloc::vec::Vec;

use super::{Frames, Packet, frame_samples};
use crate::limits::{BUNDLE_BYTES, OPUS_PACKET_SAMPLES};

/// Frames on their way into one packet. Its buffers stay, so that joining allocates nothing in
/// steady state.
#[derive(Clone, Debug, Default)]
pub struct Joined {
    /// Of the first packet, its code without meaning here.
    toc: u8,
    lengths: Vec<u16>,
    body: Vec<u8>,
}

impl Joined {
    /// Begins anew.
    pub fn clear(&mut self) {
        self.lengths.clear();
        self.body.clear();
    }

    /// Adds the frames of a packet. False, and nothing is added, where they cannot stand behind
    /// the others: not Opus, of another configuration, together longer than 120 ms or than
    /// [`BUNDLE_BYTES`].
    pub fn push(&mut self, payload: &[u8]) -> bool {
        let (Some(packet), Some((&toc, rest))) = (Packet::parse(payload), payload.split_first())
        else {
            return false;
        };
        let Some(frames) = Frames::split(toc & 3, rest) else { return false };
        let lengths = &frames.lengths[..usize::from(frames.count)];
        let bytes = lengths.iter().map(|length| usize::from(*length)).sum();
        let Some(body) = frames.body.get(..bytes) else { return false };
        if !self.lengths.is_empty() {
            let is_alike = toc & !3 == self.toc & !3;
            let fits = self.samples() + packet.samples() <= OPUS_PACKET_SAMPLES
                && self.body.len() + bytes <= BUNDLE_BYTES;
            if !(is_alike && fits) {
                return false;
            }
        }
        self.toc = toc;
        self.lengths.extend_from_slice(lengths);
        self.body.extend_from_slice(body);
        true
    }

    /// How many frames there are.
    pub fn frames(&self) -> usize {
        self.lengths.len()
    }

    /// Appends the packet: in code 0 for one frame, 1 or 2 for two, 3 for more.
    pub fn write(&self, out: &mut Vec<u8>) {
        let toc = self.toc & !3;
        let is_even = self.lengths.windows(2).all(|pair| pair[0] == pair[1]);
        match (&self.lengths[..], is_even) {
            ([], _) => return,
            ([_], _) => out.push(toc),
            ([_, _], true) => out.push(toc | 1),
            ([first, _], false) => {
                out.push(toc | 2);
                write_length(*first, out);
            }
            (many, true) => out.extend([toc | 3, many.len() as u8]),
            (many, false) => {
                out.extend([toc | 3, 0x80 | many.len() as u8]);
                let (_, told) = many.split_last().unwrap_or((&0, &[]));
                told.iter().for_each(|length| write_length(*length, out));
            }
        }
        out.extend_from_slice(&self.body);
    }

    fn samples(&self) -> u32 {
        u32::from(frame_samples(self.toc >> 3)) * self.lengths.len() as u32
    }
}

/// The inverse of [`super::frame_bytes`].
fn write_length(length: u16, out: &mut Vec<u8>) {
    if length < 252 {
        out.push(length as u8);
    } else {
        let first = 252 + (length & 3);
        out.extend([first as u8, ((length - first) / 4) as u8]);
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::opus::frame_bytes;

    /// 20 ms frames: CELT, full band, mono.
    const TOC: u8 = 31 << 3;

    fn packet(toc: u8, frame: &[u8]) -> Vec<u8> {
        [&[toc], frame].concat()
    }

    fn joined(packets: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut joined = Joined::default();
        let all = packets.iter().all(|packet| joined.push(packet));
        let mut out = Vec::new();
        joined.write(&mut out);
        all.then_some(out)
    }

    fn frames_of(payload: &[u8]) -> Vec<Vec<u8>> {
        let frames = Frames::split(payload[0] & 3, &payload[1..]).expect("whole");
        let mut rest = frames.body;
        let lengths = frames.lengths[..usize::from(frames.count)].iter();
        lengths
            .map(|length| {
                let (frame, after) = rest.split_at(usize::from(*length));
                rest = after;
                frame.to_vec()
            })
            .collect()
    }

    #[test]
    fn frames_come_out_as_they_went_in_whatever_their_sizes() {
        for sizes in [&[9][..], &[9, 9], &[9, 8], &[7, 7, 7], &[0, 251, 252, 255, 256], &[300, 2]] {
            let frames: Vec<Vec<u8>> =
                sizes.iter().map(|size| (0..*size).map(|byte| byte as u8).collect()).collect();
            let packets: Vec<_> = frames.iter().map(|frame| packet(TOC, frame)).collect();
            let out = joined(&packets).expect("they fit");
            let read = Packet::parse(&out).expect("Opus");
            assert_eq!(
                (read.frames() as usize, read.samples()),
                (sizes.len(), 960 * read.frames())
            );
            assert_eq!(frames_of(&out), frames, "{sizes:?}");
        }
    }

    #[test]
    fn packets_of_several_frames_are_taken_apart_first() {
        let two = joined(&[packet(TOC, &[1, 2]), packet(TOC, &[3])]).expect("they fit");
        let out = joined(&[two, packet(TOC, &[4])]).expect("they fit");
        assert_eq!(frames_of(&out), [vec![1, 2], vec![3], vec![4]]);
    }

    #[test]
    fn padding_is_left_behind() {
        let padded = vec![TOC | 3, 0x41, 2, 7, 0, 0];
        assert_eq!(joined(&[padded, packet(TOC, &[8])]), Some(vec![TOC | 1, 7, 8]));
    }

    #[test]
    fn what_cannot_stand_together_is_not_joined() {
        let celt = packet(TOC, &[1]);
        assert_eq!(joined(&[celt.clone(), packet(TOC | 4, &[1])]), None, "stereo behind mono");
        assert_eq!(joined(&[celt.clone(), packet(1 << 3, &[1])]), None, "SILK behind CELT");
        assert_eq!(joined(&[celt.clone(), vec![]]), None);
        assert!(joined(&vec![celt.clone(); 6]).is_some());
        assert_eq!(joined(&vec![celt; 7]), None, "140 ms");
        let long = packet(TOC, &vec![0; BUNDLE_BYTES / 2 + 1]);
        assert_eq!(joined(&[long.clone(), long]), None, "longer than a datagram may be");
    }

    #[test]
    fn every_length_is_read_back() {
        for length in 0..=1_275 {
            let mut out = Vec::new();
            write_length(length, &mut out);
            assert_eq!(frame_bytes(&out), Some((length, &[][..])));
        }
    }
}
