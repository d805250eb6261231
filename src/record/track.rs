//! One leg's voice on its way to a file: from the axis to pages.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use engine::Time;
use engine::timeline::{Axis, Fate, Gap, Piece, Taken};

use super::append::Append;
use super::line::Event;
use super::store::Folder;
use super::{fill, ogg};
use crate::limits::{RECORD_GAP_TOLD_SAMPLES, RECORD_TRACK_SAMPLES_MAX};

/// See the module's words.
pub struct Track {
    pub number: u32,
    name: String,
    axis: Axis<Bytes>,
    writer: ogg::Writer,
    file: Append,
    /// First byte of the newest packet: how a gap behind it sounds.
    toc: u8,
    packets: u64,
    lost_samples: u64,
    late: u64,
    /// Samples of a loss that were concealed just before what is laid next.
    concealed: u64,
}

/// What a track has to tell, with its time.
pub type Told = (Time, Event);

impl Track {
    /// # Errors
    /// The file cannot be made.
    pub fn begin(folder: &Folder, number: u32, artist: &str) -> io::Result<Track> {
        let name = track_name(number);
        let mut file = Append::new(folder.create(&name)?);
        let writer = ogg::Writer::begin(number, artist, &mut file.buffer);
        let axis = Axis::default();
        Ok(Track {
            number,
            name,
            axis,
            writer,
            file,
            toc: 0,
            packets: 0,
            lost_samples: 0,
            late: 0,
            concealed: 0,
        })
    }

    pub fn handle_packet(&mut self, now: Time, taken: Taken<Bytes>) {
        self.late += u64::from(self.axis.handle_packet(now, taken) == Fate::Late);
    }

    pub fn handle_timeout(&mut self, now: Time) {
        self.axis.handle_timeout(now);
    }

    /// Lays what the axis gave on pages; what is to be told of it goes to `tell`.
    pub fn drain(&mut self, at: Time, tell: &mut impl FnMut(Told)) {
        while let Some(piece) = self.axis.poll_piece() {
            let out = &mut self.file.buffer;
            let writer = &mut self.writer;
            let concealed = std::mem::take(&mut self.concealed);
            match piece {
                Piece::Packet(taken) => {
                    self.packets += 1;
                    self.toc = taken.payload.first().copied().unwrap_or(self.toc);
                    writer.packet(&taken.payload, u64::from(taken.samples), out);
                }
                Piece::Conceal { samples, why } => {
                    self.concealed = if why == Gap::Lost { samples } else { 0 };
                    self.lost_samples += self.concealed;
                    fill::conceal(self.toc, samples, |payload, samples| {
                        writer.packet(payload, samples, out);
                    });
                }
                Piece::Silence { sample, samples, why } => {
                    if why == Gap::Lost {
                        self.lost_samples += samples;
                        if samples >= RECORD_GAP_TOLD_SAMPLES {
                            // All of it, with what the concealment hides.
                            let (sample, samples) = (sample - concealed, samples + concealed);
                            tell((at, Event::Gap { track: self.number, sample, samples }));
                        }
                    }
                    fill::silence(samples, |payload, samples| {
                        writer.packet(payload, samples, out);
                    });
                }
            }
        }
        let mut passed = false;
        while let Some(point) = self.axis.poll_point() {
            let (track, sample, anew) = (self.number, point.sample, point.is_anew);
            tell((point.at, Event::Clock { track, sample, anew }));
            passed |= !anew;
        }
        if passed {
            tell((at, self.counts()));
        }
    }

    /// Told now and then, so that a recording that is cut off has them.
    fn counts(&self) -> Event {
        let (track, packets, lost_samples, late) =
            (self.number, self.packets, self.lost_samples, self.late);
        Event::TrackCounts { track, packets, lost_samples, late }
    }

    /// Writes whole pages.
    ///
    /// # Errors
    /// The disk fails or is full.
    pub fn flush(&mut self) -> io::Result<()> {
        self.writer.flush(&mut self.file.buffer);
        self.file.flush()
    }

    pub fn take_dirty(&mut self) -> Option<Arc<File>> {
        self.file.take_dirty()
    }

    /// Longer than a file may be: another one goes on.
    pub fn is_full(&self) -> bool {
        self.axis.end() >= RECORD_TRACK_SAMPLES_MAX
    }

    /// The last page, and the file's name. A file that cannot be finished stays as it is, and is
    /// mended later.
    ///
    /// # Errors
    /// The disk fails or is full.
    pub fn end(mut self, folder: &Folder, at: Time, mut tell: impl FnMut(Told)) -> io::Result<()> {
        self.axis.flush();
        self.drain(at, &mut tell);
        tell((at, self.counts()));
        tell((at, Event::TrackEnded { track: self.number, samples: self.axis.end() }));
        self.writer.end(&mut self.file.buffer);
        self.file.flush()?;
        folder.finish(&self.name, self.file.file())
    }
}

/// The file of a track.
pub fn track_name(number: u32) -> String {
    format!("track-{number}.opus")
}

/// The number in a track's file name.
pub fn track_number(name: &str) -> Option<u32> {
    name.strip_prefix("track-")?.strip_suffix(".opus")?.parse().ok()
}
