//! Reading: what forwarding needs of an authenticated packet, and not one bit more.

use core::ops::Range;

use super::FIXED_HEADER_BYTES;
use crate::{Discard, Level};

/// A parsed packet; positions refer to the bytes it was parsed from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    pub payload_type: u8,
    pub marker: bool,
    pub sequence: u16,
    /// 48 kHz samples.
    pub timestamp: u32,
    pub ssrc: u32,
    /// The sender's claim, where the extension was negotiated and is there.
    pub level: Option<Level>,
    /// The Opus packet, padding cut off.
    pub payload: Range<usize>,
}

impl View {
    /// Parses a decrypted packet. `level_id` is the extension's id in the sender's description.
    ///
    /// # Errors
    /// [`Discard::Malformed`] for anything but a whole RTP packet with a payload.
    pub fn parse(packet: &[u8], level_id: Option<u8>) -> Result<View, Discard> {
        let fixed: &[u8; FIXED_HEADER_BYTES] = packet.first_chunk().ok_or(Discard::Malformed)?;
        if fixed[0] >> 6 != 2 {
            return Err(Discard::Malformed);
        }
        let extension_at = FIXED_HEADER_BYTES + usize::from(fixed[0] & 0x0f) * 4;
        let mut header_end = extension_at;
        let mut level = None;
        if fixed[0] & 0x10 != 0 {
            let preamble = packet.get(extension_at..extension_at + 4).ok_or(Discard::Malformed)?;
            let words = usize::from(u16::from_be_bytes([preamble[2], preamble[3]]));
            header_end = extension_at + 4 + words * 4;
            let elements = packet.get(extension_at + 4..header_end).ok_or(Discard::Malformed)?;
            let profile = u16::from_be_bytes([preamble[0], preamble[1]]);
            level = level_id.and_then(|id| find_level(profile, elements, id));
        }
        let payload_end = packet.len() - padding_bytes(fixed[0] & 0x20 != 0, packet, header_end)?;
        if payload_end <= header_end {
            return Err(Discard::Malformed);
        }
        Ok(View {
            payload_type: fixed[1] & 0x7f,
            marker: fixed[1] & 0x80 != 0,
            sequence: u16::from_be_bytes([fixed[2], fixed[3]]),
            timestamp: u32::from_be_bytes([fixed[4], fixed[5], fixed[6], fixed[7]]),
            ssrc: u32::from_be_bytes([fixed[8], fixed[9], fixed[10], fixed[11]]),
            level,
            payload: header_end..payload_end,
        })
    }
}

/// The padding's length stands in its last byte and counts itself (RFC 3550 section 5.1).
fn padding_bytes(padded: bool, packet: &[u8], header_end: usize) -> Result<usize, Discard> {
    if !padded {
        return Ok(0);
    }
    let claimed = usize::from(*packet.last().ok_or(Discard::Malformed)?);
    let room = packet.len().saturating_sub(header_end);
    if (1..=room).contains(&claimed) { Ok(claimed) } else { Err(Discard::Malformed) }
}

/// Both forms of RFC 8285: one-byte elements (4.2) and two-byte elements (4.3).
fn find_level(profile: u16, elements: &[u8], id: u8) -> Option<Level> {
    let one_byte = profile == 0xbede;
    if !one_byte && profile & 0xfff0 != 0x1000 {
        return None;
    }
    let mut rest = elements;
    while let Some((&first, after)) = rest.split_first() {
        if first == 0 {
            rest = after;
            continue;
        }
        let (found, length, data) = if one_byte {
            if first >> 4 == 15 {
                return None;
            }
            (first >> 4, usize::from(first & 0x0f) + 1, after)
        } else {
            let (&length, data) = after.split_first()?;
            (first, usize::from(length), data)
        };
        let value = data.get(..length)?;
        if found == id {
            return value.first().map(|&byte| Level::from_extension(byte));
        }
        rest = &data[length..];
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn packet(first: u8, tail: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::from([first, 0x80 | 111, 0x12, 0x34, 0, 0, 3, 192, 0xde, 0xad, 0, 1]);
        bytes.extend_from_slice(tail);
        bytes
    }

    #[test]
    fn a_plain_packet_shows_its_fields() {
        let view = View::parse(&packet(0x80, &[1, 2, 3]), Some(1)).unwrap();
        assert_eq!((view.payload_type, view.marker, view.sequence), (111, true, 0x1234));
        assert_eq!((view.timestamp, view.ssrc, view.level), (960, 0xdead_0001, None));
        assert_eq!(view.payload, 12..15);
    }

    #[test]
    fn the_level_is_found_in_both_extension_forms() {
        let one = packet(0x90, &[0xbe, 0xde, 0, 1, 0x10, 0x80 | 42, 0x40, b'0', 9]);
        assert_eq!(View::parse(&one, Some(1)).unwrap().level.unwrap().dbov(), 42);
        assert_eq!(View::parse(&one, Some(2)).unwrap().level, None);
        let two = packet(0x90, &[0x10, 0, 0, 1, 7, 1, 33, 0, 9]);
        assert_eq!(View::parse(&two, Some(7)).unwrap().level.unwrap().dbov(), 33);
        assert_eq!(View::parse(&two, None).unwrap().level, None);
    }

    #[test]
    fn padding_is_cut_and_a_lie_about_it_is_malformed() {
        assert_eq!(View::parse(&packet(0xa0, &[1, 2, 0, 2]), None).unwrap().payload, 12..14);
        for lie in [0, 4, 5, 255] {
            assert_eq!(View::parse(&packet(0xa0, &[1, 2, 3, lie]), None), Err(Discard::Malformed));
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let whole = packet(0xbf, &[0xbe, 0xde, 0, 2, 0x1f, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        for end in 0..whole.len() {
            let _ = View::parse(&whole[..end], Some(1));
            for byte in 0..=255 {
                let mut mutated = whole[..end].to_vec();
                if let Some(last) = mutated.last_mut() {
                    *last = byte;
                }
                let _ = View::parse(&mutated, Some(1));
            }
        }
    }
}
