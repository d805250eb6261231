//! Ogg, as far as the embedded clips need it: pages in, whole packets out (RFC 3533 section 6).
//! Knows no Opus. One logical stream a file; checksums are left to whoever made the file.

use bytes::Bytes;

/// The packets of an Ogg file with one logical stream, in order, headers included.
///
/// # Errors
/// The bytes are no Ogg file, end inside a page, or end inside a packet.
pub fn packets(mut file: &[u8]) -> Result<Vec<Bytes>, Malformed> {
    let mut packets = Vec::new();
    let mut unfinished: Vec<u8> = Vec::new();
    let mut is_open = false;
    while !file.is_empty() {
        let (page, rest) = Page::split_from(file)?;
        file = rest;
        let mut body = page.body;
        for &lace in page.lacing {
            let (segment, after) = body.split_at(usize::from(lace));
            body = after;
            unfinished.extend_from_slice(segment);
            is_open = lace == FULL_SEGMENT;
            if !is_open {
                packets.push(Bytes::from(std::mem::take(&mut unfinished)));
            }
        }
    }
    if is_open { Err(Malformed::PacketCut) } else { Ok(packets) }
}

/// Why a file could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("no Ogg page where one must begin")]
    NoPage,
    #[error("the file ends inside a page")]
    PageCut,
    #[error("the file ends inside a packet")]
    PacketCut,
}

struct Page<'a> {
    /// One length a segment; a packet ends at the first one below 255.
    lacing: &'a [u8],
    /// As long as the sum of `lacing`.
    body: &'a [u8],
}

impl<'a> Page<'a> {
    fn split_from(file: &'a [u8]) -> Result<(Self, &'a [u8]), Malformed> {
        if !file.starts_with(CAPTURE) {
            return Err(Malformed::NoPage);
        }
        let segments = usize::from(*file.get(SEGMENT_COUNT_AT).ok_or(Malformed::PageCut)?);
        let (lacing, rest) =
            file[SEGMENT_COUNT_AT + 1..].split_at_checked(segments).ok_or(Malformed::PageCut)?;
        let body_bytes = lacing.iter().copied().map(usize::from).sum();
        let (body, rest) = rest.split_at_checked(body_bytes).ok_or(Malformed::PageCut)?;
        Ok((Self { lacing, body }, rest))
    }
}

/// Every page begins with these bytes and version 0.
const CAPTURE: &[u8] = b"OggS\0";
/// Offset of the segment count: after capture, version, flags, granule, serial, number, checksum.
const SEGMENT_COUNT_AT: usize = 26;
/// A segment of this length continues in the next one.
const FULL_SEGMENT: u8 = 255;

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lacing: &[u8], body: &[u8]) -> Vec<u8> {
        let mut page = CAPTURE.to_vec();
        page.resize(SEGMENT_COUNT_AT, 0);
        page.push(u8::try_from(lacing.len()).unwrap());
        page.extend_from_slice(lacing);
        page.extend_from_slice(body);
        page
    }

    #[test]
    fn packet_over_two_pages_comes_out_whole() {
        let mut file = page(&[3, 255], &[7; 258]);
        file.extend(page(&[2, 0], &[8; 2]));
        let lengths: Vec<usize> = packets(&file).unwrap().iter().map(Bytes::len).collect();
        assert_eq!(lengths, [3, 257, 0]);
    }

    #[test]
    fn file_cut_anywhere_is_refused_and_never_panics() {
        let file = page(&[3, 255, 1], &[7; 259]);
        for length in 1..file.len() {
            assert!(packets(&file[..length]).is_err(), "cut at {length}");
        }
        assert_eq!(packets(&page(&[255], &[1; 255])), Err(Malformed::PacketCut));
        assert_eq!(packets(b"RIFF").unwrap_err(), Malformed::NoPage);
    }
}
