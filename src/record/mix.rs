//! The mix: every track decoded once, placed by its clock, added up a second at a time. What is
//! seen on the way (who speaks when, how loud it was) is kept for the report.

mod opus_file;
mod peaks;
mod talk;
mod voice;
mod wav;

use std::io;

use engine::limits::RTP_HZ;
use engine::timeline::ClockMap;

use super::history::{History, Unreadable};
use super::ogg::ReadFault;
use super::report::{Peaks, Segment};
use super::store::Folder;
use super::track::track_name;
use opus_file::OpusFile;
use peaks::PeakMeter;
use voice::Voice;
use wav::WavFiles;

pub use crate::config::Mix as Layout;

/// Samples a second of everything here.
pub const RATE: u64 = RTP_HZ;

/// What is mixed at once: a second.
const BLOCK: usize = RATE as usize;

/// What a mix is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    pub layout: Layout,
    /// `mix.opus` as well.
    pub opus: bool,
}

/// What was learnt on the way.
#[derive(Clone, Debug, Default)]
pub struct Mixed {
    pub segments: Vec<Segment>,
    pub peaks: Peaks,
    /// When each track begins and ends, in samples of the mix, in the order of the history's.
    pub spans: Vec<(u64, u64)>,
}

/// Why there is no mix.
#[derive(Debug, thiserror::Error)]
pub enum MixFault {
    #[error(transparent)]
    History(#[from] Unreadable),
    #[error(transparent)]
    Track(#[from] ReadFault),
    #[error("mix: {0}")]
    File(#[from] io::Error),
    #[error("mix.wav: {0}")]
    Wav(#[from] hound::Error),
    #[error("Opus: {0}")]
    Opus(#[from] opus::Error),
    #[error("stopped")]
    Stopped,
}

/// Mixes a recording into its folder. `go_on` hears the share that is done, 0 to 1, after each
/// second of the call; false ends it.
///
/// # Errors
/// The disk fails, or `go_on` said so.
pub fn mix(
    folder: &Folder,
    history: &History,
    options: Options,
    go_on: &mut dyn FnMut(f32) -> bool,
) -> Result<Mixed, MixFault> {
    let samples = samples(history);
    let mut desk = Desk::open(history, options.layout)?;
    let mut wav = WavFiles::create(folder, desk.channels)?;
    let mut small = match options.opus {
        true => Some(OpusFile::create(folder, options.layout)?),
        false => None,
    };
    let channels = desk.channels;
    desk.run(folder, samples, |block, done| {
        wav.write(block)?;
        if let Some(small) = &mut small {
            small.write(block, channels)?;
        }
        if go_on(done) { Ok(()) } else { Err(MixFault::Stopped) }
    })?;
    wav.finish()?;
    small.map(|small| small.finish()).transpose()?;
    Ok(desk.close(history, samples))
}

/// One person's voice alone, placed as in the mix and as long as it, in a WAV file.
///
/// # Errors
/// The disk fails.
pub fn aligned(
    folder: &Folder,
    history: &History,
    person: usize,
    to: &std::path::Path,
    told: &mut dyn FnMut(f32),
) -> Result<(), MixFault> {
    let mut desk = Desk::open(history, Layout::Mono)?;
    desk.voices.retain(|voice| voice.person == person);
    let mut wav = hound::WavWriter::create(to, wav::spec(1))?;
    desk.run(folder, samples(history), |block, done| {
        for sample in block {
            wav.write_sample(*sample)?;
        }
        told(done);
        Ok(())
    })?;
    Ok(wav.finalize()?)
}

/// How long a mix is: as long as its recording.
pub fn samples(history: &History) -> u64 {
    history.duration_us * RATE / 1_000_000
}

/// All voices of a call.
struct Desk {
    voices: Vec<Voice>,
    channels: u16,
    layout: Layout,
    people: usize,
    peaks: PeakMeter,
    sum: Vec<i32>,
}

impl Desk {
    fn open(history: &History, layout: Layout) -> Result<Desk, MixFault> {
        let mut voices = Vec::new();
        for track in &history.tracks {
            let map = ClockMap::new(&track.points);
            let person = history.people.iter().position(|person| person.jid == track.jid);
            voices.push(Voice::new(track_name(track.number), map, person.unwrap_or(0)));
        }
        let people = history.people.len().max(1);
        let channels = layout.channels(people);
        let duration_ms = history.duration_us / 1_000;
        let peaks = PeakMeter::new(duration_ms, people);
        Ok(Desk { voices, channels, layout, people, peaks, sum: Vec::new() })
    }

    /// Mixes block by block; `each` hears a block and the share that is done, 0 to 1.
    fn run(
        &mut self,
        folder: &Folder,
        samples: u64,
        mut each: impl FnMut(&[i16], f32) -> Result<(), MixFault>,
    ) -> Result<(), MixFault> {
        let mut at = 0;
        while at < samples {
            let length = BLOCK.min((samples - at) as usize);
            let block = self.block(folder, at, length)?;
            at += length as u64;
            each(&block, at as f32 / samples as f32)?;
        }
        Ok(())
    }

    /// The next `length` samples from `at` on, channels interleaved.
    fn block(&mut self, folder: &Folder, at: u64, length: usize) -> Result<Vec<i16>, MixFault> {
        let channels = usize::from(self.channels);
        self.sum.clear();
        self.sum.resize(length * channels, 0);
        let mut alone = vec![0_i32; length];
        for voice in &mut self.voices {
            voice.fill(folder, at + length as u64)?;
            let is_heard = voice.take(at, &mut alone);
            if !is_heard {
                continue;
            }
            self.peaks.person(voice.person, at, &alone);
            let gains = gains(self.layout, channels, voice.person, self.people);
            for (frame, sample) in self.sum.chunks_exact_mut(channels).zip(&mut alone) {
                for (sum, gain) in frame.iter_mut().zip(&gains) {
                    *sum += (*sample * gain) >> GAIN_BITS;
                }
                *sample = 0;
            }
        }
        self.peaks.mix(at, &self.sum, channels);
        let saturated = |sum: &i32| (*sum).clamp(i16::MIN.into(), i16::MAX.into()) as i16;
        Ok(self.sum.iter().map(saturated).collect())
    }

    fn close(self, history: &History, samples: u64) -> Mixed {
        let mut mixed = Mixed { peaks: self.peaks.finish(), ..Mixed::default() };
        for voice in self.voices {
            let heard = voice.close(samples);
            mixed.spans.push(heard.span);
            let jid = history.people.get(heard.person).map(|it| it.jid.clone());
            let said = heard
                .segments
                .into_iter()
                .map(|segment| Segment { jid: jid.clone().unwrap_or_default(), ..segment });
            mixed.segments.extend(said);
        }
        mixed.segments.sort_by_key(|segment| (segment.from_ms, segment.to_ms));
        mixed
    }
}

impl Layout {
    /// Channels of a mix of so many people.
    pub fn channels(self, people: usize) -> u16 {
        match self {
            Layout::Mono => 1,
            Layout::Stereo => 2,
            Layout::People => u16::try_from(people.max(1)).unwrap_or(u16::MAX).min(CHANNELS_MAX),
        }
    }
}

/// Gains have so many bits behind the point.
const GAIN_BITS: u32 = 12;
const FULL: i32 = 1 << GAIN_BITS;

/// How loud a person is in each channel.
fn gains(layout: Layout, channels: usize, person: usize, people: usize) -> Vec<i32> {
    match layout {
        Layout::Mono => vec![FULL],
        // From a quarter left to a quarter right, of equal power.
        Layout::Stereo => {
            let place = match people {
                0 | 1 => 0.5,
                _ => 0.25 + 0.5 * person as f32 / (people - 1) as f32,
            };
            let angle = place * std::f32::consts::FRAC_PI_2;
            let gain = |part: f32| (part * FULL as f32).round() as i32;
            vec![gain(angle.cos()), gain(angle.sin())]
        }
        Layout::People => {
            (0..channels).map(|at| if at == person % channels { FULL } else { 0 }).collect()
        }
    }
}

/// Channels of a WAV file, beyond which people share: what readers take.
const CHANNELS_MAX: u16 = 64;
