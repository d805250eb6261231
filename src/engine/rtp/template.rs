//! Writing: a listener's header, prepared once per slot and stamped per packet.

use super::FIXED_HEADER_BYTES;
use crate::Level;

/// Preamble, level element, mid element of 16 characters, rounded up to words.
const EXTENSION_BYTES_MAX: usize = 4 + 20;

/// What a slot's packets have in common (all from the listener's description).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateSpec<'a> {
    pub ssrc: u32,
    pub payload_type: u8,
    /// Extension id of the audio level, 1..=14 (RFC 6464).
    pub level_id: Option<u8>,
    /// Extension id of the mid, 1..=14 (RFC 9143), and the mid, at most 16 bytes.
    pub mid: Option<(u8, &'a str)>,
}

/// What differs from packet to packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Rollover counter and sequence number: `roc << 16 | sequence`.
    pub index: u64,
    /// 48 kHz samples.
    pub timestamp: u32,
    pub marker: bool,
}

/// A prepared header: 40 bytes, no pointer.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: [u8; FIXED_HEADER_BYTES + EXTENSION_BYTES_MAX],
    len: u8,
    /// Position of the level's element, 0 where there is none.
    level_at: u8,
}

impl Template {
    /// Elements of an id outside 1..=14 and mids over 16 bytes are left out: the SSRC alone
    /// identifies a slot.
    pub fn new(spec: &TemplateSpec<'_>) -> Template {
        let mut bytes = [0; FIXED_HEADER_BYTES + EXTENSION_BYTES_MAX];
        bytes[0] = 0x80;
        bytes[1] = spec.payload_type & 0x7f;
        bytes[8..12].copy_from_slice(&spec.ssrc.to_be_bytes());
        let body = FIXED_HEADER_BYTES + 4;
        let mut at = body;
        let mut level_at = 0;
        if let Some((id, mid)) = spec.mid.filter(|(id, mid)| usable(*id) && fits(mid)) {
            bytes[at] = id << 4 | (mid.len() as u8 - 1);
            bytes[at + 1..at + 1 + mid.len()].copy_from_slice(mid.as_bytes());
            at += 1 + mid.len();
        }
        if let Some(id) = spec.level_id.filter(|id| usable(*id)) {
            level_at = at as u8;
            bytes[at] = id << 4;
            at += 2;
        }
        let mut len = FIXED_HEADER_BYTES;
        if at > body {
            let words = (at - body).div_ceil(4);
            bytes[0] |= 0x10;
            bytes[12..14].copy_from_slice(&[0xbe, 0xde]);
            bytes[15] = words as u8;
            len = body + words * 4;
        }
        Template { bytes, len: len as u8, level_at }
    }

    /// Bytes every header of this slot takes.
    pub fn header_bytes(&self) -> usize {
        usize::from(self.len)
    }

    /// Writes the header at the start of `out` and returns its length. Without a level its
    /// element becomes padding, so the length stays.
    pub fn write(&self, out: &mut [u8], stamp: Stamp, level: Option<Level>) -> usize {
        let len = self.header_bytes();
        out[..len].copy_from_slice(&self.bytes[..len]);
        out[1] |= u8::from(stamp.marker) << 7;
        out[2..4].copy_from_slice(&(stamp.index as u16).to_be_bytes());
        out[4..8].copy_from_slice(&stamp.timestamp.to_be_bytes());
        let at = usize::from(self.level_at);
        if at != 0 {
            match level {
                Some(level) => out[at + 1] = level.dbov(),
                None => out[at] = 0,
            }
        }
        len
    }
}

fn usable(id: u8) -> bool {
    (1..=14).contains(&id)
}

fn fits(mid: &str) -> bool {
    (1..=16).contains(&mid.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::View;

    const STAMP: Stamp = Stamp { index: 0x1_0007, timestamp: 4_000_000_000, marker: true };

    #[test]
    fn what_is_written_is_read_back() {
        for mid in [None, Some((4, "0")), Some((14, "sixteen-bytes-ok"))] {
            for level_id in [None, Some(1)] {
                let spec = TemplateSpec { ssrc: 9, payload_type: 109, level_id, mid };
                let template = Template::new(&spec);
                let mut out = [0xff; 64];
                let level = Level::from_extension(33);
                let header = template.write(&mut out, STAMP, Some(level));
                out[header] = 1;
                let view = View::parse(&out[..=header], level_id).unwrap();
                assert_eq!((view.ssrc, view.payload_type, view.marker), (9, 109, true));
                assert_eq!((view.sequence, view.timestamp), (7, 4_000_000_000));
                assert_eq!(view.level, level_id.map(|_| level));
                assert_eq!(view.payload, header..header + 1);
                assert_eq!(header % 4, 0);
            }
        }
    }

    #[test]
    fn a_packet_without_level_carries_none() {
        let spec =
            TemplateSpec { ssrc: 9, payload_type: 1, level_id: Some(1), mid: Some((4, "s1")) };
        let mut out = [0; 64];
        let header = Template::new(&spec).write(&mut out, STAMP, None);
        assert_eq!(View::parse(&out[..=header], Some(1)).unwrap().level, None);
    }

    #[test]
    fn unusable_ids_leave_the_extension_out() {
        let spec =
            TemplateSpec { ssrc: 9, payload_type: 1, level_id: Some(15), mid: Some((0, "a")) };
        assert_eq!(Template::new(&spec).header_bytes(), FIXED_HEADER_BYTES);
    }
}
