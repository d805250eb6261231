//! Ogg Opus, written and read (RFC 3533, RFC 7845): whole packets on whole pages, so that a file
//! that ends anywhere is good up to its last whole page.

use std::io::{self, Read};

use engine::opus::Packet;

/// Samples that a decoder gives before the first that was said: the look-ahead of libopus at
/// 48 kHz. Players leave them out, so that a track's time is the speaker's.
pub const PRE_SKIP: u64 = 312;

/// Page header without its segment table (RFC 3533 section 6).
const HEADER_BYTES: usize = 27;
const SEGMENTS_MAX: usize = 255;
/// Longest page: the header, its table, and as many whole segments.
pub const PAGE_BYTES_MAX: usize = HEADER_BYTES + SEGMENTS_MAX + SEGMENTS_MAX * 255;
/// Longest page in samples: a second, so that players need not read far (RFC 7845 section 6).
const PAGE_SAMPLES_MAX: u64 = 48_000;
const FLAG_FIRST: u8 = 2;
const FLAG_LAST: u8 = 4;

/// Makes pages of packets.
pub struct Writer {
    serial: u32,
    page: u32,
    /// Samples of all packets on finished pages.
    granule: u64,
    table: Vec<u8>,
    body: Vec<u8>,
    samples: u64,
    /// The newest packet, which goes out with the next page: so the last page is never empty.
    held: Vec<u8>,
    held_samples: u64,
}

impl Writer {
    /// A stream's beginning is written to `out`: `artist` is who is heard.
    pub fn begin(serial: u32, artist: &str, out: &mut Vec<u8>) -> Writer {
        Writer::begin_with(serial, 1, artist, out)
    }

    /// The same for 1 or 2 channels.
    pub fn begin_with(serial: u32, channels: u8, artist: &str, out: &mut Vec<u8>) -> Writer {
        let mut writer = Writer {
            serial,
            page: 0,
            granule: 0,
            table: Vec::new(),
            body: Vec::new(),
            samples: 0,
            held: Vec::new(),
            held_samples: 0,
        };
        let mut head = b"OpusHead\x01".to_vec();
        head.push(channels);
        head.extend((PRE_SKIP as u16).to_le_bytes());
        head.extend(48_000_u32.to_le_bytes());
        // No gain, mapping family 0.
        head.extend([0, 0, 0]);
        writer.lay(&head);
        writer.emit(FLAG_FIRST, out);
        let mut tags = b"OpusTags".to_vec();
        let text = |text: &str| [&(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
        tags.extend(text("voxhall"));
        tags.extend(1_u32.to_le_bytes());
        tags.extend(text(&format!("ARTIST={artist}")));
        writer.lay(&tags);
        writer.emit(0, out);
        writer
    }

    /// One packet; what does not fit on its page is written to `out`.
    pub fn packet(&mut self, payload: &[u8], samples: u64, out: &mut Vec<u8>) {
        self.lay_held(out);
        self.held.extend_from_slice(payload);
        self.held_samples = samples;
    }

    /// All packets but the newest one go out.
    pub fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.table.is_empty() {
            self.emit(0, out);
        }
    }

    /// The last page.
    pub fn end(self, out: &mut Vec<u8>) {
        self.end_early(0, out);
    }

    /// The last page, of whose sound the last `surplus` samples are no part (RFC 7845 section 4.4).
    pub fn end_early(mut self, surplus: u64, out: &mut Vec<u8>) {
        self.lay_held(out);
        self.samples = self.samples.saturating_sub(surplus);
        self.emit(FLAG_LAST, out);
    }

    fn lay_held(&mut self, out: &mut Vec<u8>) {
        if self.held_samples == 0 {
            return;
        }
        let is_full = self.table.len() + self.held.len() / 255 + 1 > SEGMENTS_MAX;
        if is_full || self.samples + self.held_samples > PAGE_SAMPLES_MAX {
            self.emit(0, out);
        }
        let held = std::mem::take(&mut self.held);
        self.lay(&held);
        self.samples += std::mem::take(&mut self.held_samples);
        self.held = held;
        self.held.clear();
    }

    fn lay(&mut self, packet: &[u8]) {
        self.table.extend(std::iter::repeat_n(255, packet.len() / 255));
        self.table.push((packet.len() % 255) as u8);
        self.body.extend_from_slice(packet);
    }

    fn emit(&mut self, flags: u8, out: &mut Vec<u8>) {
        self.granule += std::mem::take(&mut self.samples);
        let begin = out.len();
        out.extend(b"OggS\0");
        out.push(flags);
        out.extend(self.granule.to_le_bytes());
        out.extend(self.serial.to_le_bytes());
        out.extend(self.page.to_le_bytes());
        out.extend([0; 4]);
        out.push(self.table.len() as u8);
        out.append(&mut self.table);
        out.append(&mut self.body);
        seal(&mut out[begin..]);
        self.page += 1;
    }
}

/// One page, as it stands in a file.
#[derive(Clone, Copy, Debug)]
pub struct Page<'b> {
    pub granule: u64,
    pub number: u32,
    pub serial: u32,
    pub is_last: bool,
    table: &'b [u8],
    body: &'b [u8],
    /// Of the whole page.
    pub bytes: usize,
}

/// What is no page, or not a whole one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the file ends within a page")]
    Cut,
    #[error("this is no Ogg page")]
    NoPage,
    #[error("the page's checksum does not hold")]
    Checksum,
    #[error("this is no Ogg Opus track of ours")]
    NoTrack,
    #[error("a packet that is no Opus")]
    NoOpus,
}

impl<'b> Page<'b> {
    /// The page that `bytes` begin with.
    ///
    /// # Errors
    /// There is no whole one.
    pub fn parse(bytes: &'b [u8]) -> Result<Page<'b>, Malformed> {
        let header = bytes.first_chunk::<HEADER_BYTES>().ok_or(Malformed::Cut)?;
        if !header.starts_with(b"OggS\0") {
            return Err(Malformed::NoPage);
        }
        let count = usize::from(header[26]);
        let table = bytes.get(HEADER_BYTES..HEADER_BYTES + count).ok_or(Malformed::Cut)?;
        let length: usize = table.iter().map(|segment| usize::from(*segment)).sum();
        let whole = HEADER_BYTES + count + length;
        let page = bytes.get(..whole).ok_or(Malformed::Cut)?;
        let word =
            |at: usize| u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
        if checksum(page) != word(22) {
            return Err(Malformed::Checksum);
        }
        Ok(Page {
            granule: u64::from(word(6)) | u64::from(word(10)) << 32,
            serial: word(14),
            number: word(18),
            is_last: header[5] & FLAG_LAST != 0,
            table,
            body: &page[HEADER_BYTES + count..],
            bytes: whole,
        })
    }

    /// Its packets. One that goes on over the page's end, which we never write, is left out.
    pub fn packets(&self) -> impl Iterator<Item = &'b [u8]> {
        let (mut table, mut body) = (self.table, self.body);
        std::iter::from_fn(move || {
            let segments = table.iter().position(|segment| *segment < 255)? + 1;
            let length = table[..segments].iter().map(|segment| usize::from(*segment)).sum();
            let (packet, rest) = body.split_at_checked(length)?;
            (table, body) = (&table[segments..], rest);
            Some(packet)
        })
    }
}

/// Marks a page as its stream's last one.
pub fn mark_last(page: &mut [u8]) {
    if let Some(flags) = page.get_mut(5) {
        *flags |= FLAG_LAST;
        seal(page);
    }
}

/// One packet of a track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackPacket {
    /// Where it begins on the track's axis.
    pub sample: u64,
    pub samples: u64,
    pub payload: Vec<u8>,
}

/// Reads a file page by page.
pub struct Pages<R> {
    file: R,
    buffer: Vec<u8>,
    /// Bytes of the page that was given last.
    given: usize,
}

impl<R: Read> Pages<R> {
    pub fn new(file: R) -> Pages<R> {
        Pages { file, buffer: Vec::new(), given: 0 }
    }

    /// `None` at the file's end.
    ///
    /// # Errors
    /// The file cannot be read, or has no whole page here.
    pub fn page(&mut self) -> Result<Option<Page<'_>>, ReadFault> {
        self.buffer.drain(..std::mem::take(&mut self.given));
        loop {
            match Page::parse(&self.buffer) {
                Ok(page) => {
                    self.given = page.bytes;
                    break;
                }
                Err(Malformed::Cut) => {}
                Err(malformed) => return Err(malformed.into()),
            }
            let room = PAGE_BYTES_MAX as u64;
            if (&mut self.file).take(room).read_to_end(&mut self.buffer)? == 0 {
                let is_over = self.buffer.is_empty();
                return if is_over { Ok(None) } else { Err(Malformed::Cut.into()) };
            }
        }
        Ok(Some(Page::parse(&self.buffer)?))
    }
}

/// Reads a track's packets in order.
pub struct Reader<R> {
    pages: Pages<R>,
    packets: std::collections::VecDeque<TrackPacket>,
    sample: u64,
}

impl<R: Read> Reader<R> {
    /// # Errors
    /// It does not begin as a track of ours.
    pub fn open(file: R) -> Result<Reader<R>, ReadFault> {
        let mut pages = Pages::new(file);
        for begins in [b"OpusHead", b"OpusTags"] {
            let page = pages.page()?.ok_or(Malformed::Cut)?;
            if !page.packets().next().is_some_and(|packet| packet.starts_with(begins)) {
                return Err(Malformed::NoTrack.into());
            }
        }
        Ok(Reader { pages, packets: Default::default(), sample: 0 })
    }

    /// `None` at its end.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged from here on.
    pub fn packet(&mut self) -> Result<Option<TrackPacket>, ReadFault> {
        while self.packets.is_empty() {
            let Some(page) = self.pages.page()? else { return Ok(None) };
            for payload in page.packets() {
                let samples = Packet::parse(payload).ok_or(Malformed::NoOpus)?.samples();
                let (sample, samples) = (self.sample, u64::from(samples));
                self.packets.push_back(TrackPacket { sample, samples, payload: payload.to_vec() });
                self.sample += samples;
            }
        }
        Ok(self.packets.pop_front())
    }

    /// All packets up to its end, or to where it is damaged.
    pub fn into_packets(mut self) -> impl Iterator<Item = TrackPacket> {
        std::iter::from_fn(move || self.packet().ok().flatten())
    }
}

/// Why a track cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFault {
    #[error(transparent)]
    Malformed(#[from] Malformed),
    #[error(transparent)]
    File(#[from] io::Error),
}

fn seal(page: &mut [u8]) {
    if let Some(field) = page.get_mut(22..26) {
        field.fill(0);
        let sum = checksum(page).to_le_bytes();
        page[22..26].copy_from_slice(&sum);
    }
}

/// CRC-32 of polynomial 04c11db7, neither reflected nor inverted (RFC 3533 section 6), the field
/// itself taken as zero.
fn checksum(page: &[u8]) -> u32 {
    let (before, field) = page.split_at(page.len().min(22));
    let after = field.get(4..).unwrap_or_default();
    let empty = &[0; 4][..field.len().min(4)];
    [before, empty, after].into_iter().fold(0, add_to_sum)
}

/// Four bytes at a time: each one's share of the sum is looked up where it ends up.
fn add_to_sum(sum: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<4>();
    let sum = words.iter().fold(sum, |sum, word| {
        let [a, b, c, d] = (sum ^ u32::from_be_bytes(*word)).to_be_bytes().map(usize::from);
        TABLES[3][a] ^ TABLES[2][b] ^ TABLES[1][c] ^ TABLES[0][d]
    });
    rest.iter()
        .fold(sum, |sum, byte| (sum << 8) ^ TABLES[0][usize::from((sum >> 24) as u8 ^ *byte)])
}

/// What a byte adds to the sum once 0 to 3 more bytes have followed it.
const TABLES: [[u32; 256]; 4] = {
    let mut tables = [[0; 256]; 4];
    let mut at = 0;
    while at < 256 {
        let (mut sum, mut bit) = ((at as u32) << 24, 0);
        while bit < 32 {
            sum = if sum >> 31 == 1 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
            bit += 1;
            if bit % 8 == 0 {
                tables[bit / 8 - 1][at] = sum;
            }
        }
        at += 1;
    }
    tables
};

#[cfg(test)]
mod tests;
