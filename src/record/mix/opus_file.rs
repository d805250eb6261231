//! `mix.opus`: the mix for listening, in a twentieth of the space.

use std::fs::File;
use std::io::Write;

use super::{Layout, MixFault, RATE};
use crate::record::ogg;
use crate::record::store::Folder;

const NAME: &str = "mix.opus";

/// Samples of a frame: 20 ms.
const FRAME: usize = 960;

/// Bits a second and channel: a voice is hardly told from the original.
const BITRATE: i32 = 32_000;

/// Longest packet that is asked for, in bytes.
const PACKET_BYTES_MAX: usize = 1_275;

/// See the module's words.
pub struct OpusFile<'f> {
    folder: &'f Folder,
    file: File,
    encoder: opus::Encoder,
    writer: ogg::Writer,
    channels: usize,
    /// Samples that do not fill a frame yet.
    rest: Vec<i16>,
    out: Vec<u8>,
}

impl<'f> OpusFile<'f> {
    pub fn create(folder: &'f Folder, layout: Layout) -> Result<OpusFile<'f>, MixFault> {
        let (channels, kind) = match layout {
            Layout::Stereo => (2, opus::Channels::Stereo),
            Layout::Mono | Layout::People => (1, opus::Channels::Mono),
        };
        let mut encoder = opus::Encoder::new(RATE as u32, kind, opus::Application::Audio)?;
        encoder.set_bitrate(opus::Bitrate::Bits(BITRATE * channels as i32))?;
        // Half of the work, and no ear has told the difference in speech.
        encoder.set_complexity(5)?;
        let (file, mut out) = (folder.create_anew(NAME)?, Vec::new());
        let writer = ogg::Writer::begin_with(1, channels as u8, "mix", &mut out);
        Ok(OpusFile { folder, file, encoder, writer, channels, rest: Vec::new(), out })
    }

    /// Frames of as many channels as the mix has; a mix of more than two becomes one.
    pub fn write(&mut self, frames: &[i16], channels: u16) -> Result<(), MixFault> {
        let channels = usize::from(channels);
        if channels == self.channels {
            self.rest.extend_from_slice(frames);
        } else {
            self.rest.extend(frames.chunks_exact(channels).map(|frame| {
                let sum: i32 = frame.iter().map(|sample| i32::from(*sample)).sum();
                sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16
            }));
        }
        let whole = self.rest.len() / (FRAME * self.channels) * FRAME * self.channels;
        for frame in self.rest[..whole].chunks_exact(FRAME * self.channels) {
            let payload = self.encoder.encode_vec(frame, PACKET_BYTES_MAX)?;
            self.writer.packet(&payload, FRAME as u64, &mut self.out);
        }
        self.rest.drain(..whole);
        self.writer.flush(&mut self.out);
        self.file.write_all(&self.out)?;
        self.out.clear();
        Ok(())
    }

    pub fn finish(mut self) -> Result<(), MixFault> {
        // The look-ahead is told as to be skipped, so as much follows; what fills the frame is
        // told as no part of it.
        let said = self.rest.len() / self.channels + ogg::PRE_SKIP as usize;
        let frames = said.div_ceil(FRAME);
        self.rest.resize(frames * FRAME * self.channels, 0);
        for frame in std::mem::take(&mut self.rest).chunks_exact(FRAME * self.channels) {
            let payload = self.encoder.encode_vec(frame, PACKET_BYTES_MAX)?;
            self.writer.packet(&payload, FRAME as u64, &mut self.out);
        }
        let surplus = (frames * FRAME - said) as u64;
        self.writer.end_early(surplus, &mut self.out);
        self.file.write_all(&self.out)?;
        Ok(self.folder.replace(NAME, &self.file)?)
    }
}
