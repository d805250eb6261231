//! The fixed part and the length of an RTP header, read from bytes that nobody vouches for.

/// What SRTP needs of an RTP header (RFC 3550 section 5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Header {
    /// Length with contributing sources and extension.
    pub bytes: usize,
    pub sequence: u16,
    pub ssrc: u32,
}

impl Header {
    /// Reads the header; `None` if the version is not 2 or the header ends behind `packet`.
    pub fn parse(packet: &[u8]) -> Option<Self> {
        let fixed: &[u8; FIXED_BYTES] = packet.first_chunk()?;
        let first = fixed[0];
        if first >> 6 != VERSION {
            return None;
        }
        let mut bytes = FIXED_BYTES + 4 * usize::from(first & CONTRIBUTORS);
        if first & EXTENSION != 0 {
            let &[_, _, high, low] = packet.get(bytes..)?.first_chunk()?;
            bytes += 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
        }
        let header = Self {
            bytes,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
        };
        (bytes <= packet.len()).then_some(header)
    }
}

/// RTP and RTCP both carry 2 in their first two bits.
pub(super) const VERSION: u8 = 2;
/// An RTP header without contributing sources and extension.
const FIXED_BYTES: usize = 12;
/// How many contributing sources follow the fixed part.
const CONTRIBUTORS: u8 = 0x0f;
/// Set if a header extension follows the contributing sources.
const EXTENSION: u8 = 0x10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_counts_contributors_and_extension() {
        let mut packet = [0; 12 + 8 + 4 + 4 + 1];
        packet[0] = 0x92;
        packet[2..4].copy_from_slice(&0x1234_u16.to_be_bytes());
        packet[8..12].copy_from_slice(&0xdead_beef_u32.to_be_bytes());
        packet[23] = 1;
        let header = Header { bytes: 28, sequence: 0x1234, ssrc: 0xdead_beef };
        assert_eq!(Header::parse(&packet), Some(header));
    }

    #[test]
    fn header_that_ends_behind_the_packet_is_none() {
        let mut packet = [0; 28];
        packet[0] = 0x92;
        packet[23] = 1;
        assert_eq!(Header::parse(&packet).map(|header| header.bytes), Some(28));
        for len in 0..28 {
            assert_eq!(Header::parse(&packet[..len]), None, "{len}");
        }
        packet[22] = 0xff;
        assert_eq!(Header::parse(&packet), None);
    }

    #[test]
    fn only_version_two_is_rtp() {
        for first in 0..=255_u8 {
            let mut packet = [0; 128];
            packet[0] = first;
            assert_eq!(Header::parse(&packet).is_some(), first >> 6 == 2, "{first:#x}");
        }
    }
}
