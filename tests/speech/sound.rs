//! Samples: where speech comes from, and what a sender makes of it. 48 kHz, mono, 1.0 is full
//! scale.

use std::f32::consts::PI;
use std::path::Path;

use voxhall::demo::voice::{Conversation, NAMES, level_dbov};

use crate::chance::Chance;

pub type Pcm = Vec<f32>;

/// 20 ms.
pub const FRAME: usize = 960;
pub const FRAMES_PER_SECOND: usize = 50;

/// The demo's lines, one after another: each speaks for four to eight seconds.
pub fn demo_lines() -> Vec<Pcm> {
    let talk = Conversation::load(NAMES.len()).expect("the clips are whole");
    let mut decoder = decoder();
    let mut lines: Vec<Pcm> = Vec::new();
    let frame = |now| (0..NAMES.len()).find_map(|speaker| talk.frame(speaker, now));
    for now in 0.. {
        let Some(frame) = frame(now) else { continue };
        if frame.begins && lines.len() == LINES {
            break;
        }
        if frame.begins {
            decoder = self::decoder();
            lines.push(Pcm::new());
        }
        let mut pcm = [0.0; FRAME];
        decoder.decode_float(&frame.opus, &mut pcm, false).expect("Opus");
        lines.last_mut().expect("a line begins").extend(pcm);
    }
    lines
}

/// Every WAV of a folder (mono, 16 bit, a rate that divides 48 kHz), by name, brought to the
/// loudness of the demo's lines.
pub fn lines_of(folder: &Path) -> Vec<Pcm> {
    let entries = std::fs::read_dir(folder).expect("a folder with speech");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "wav"));
    files.sort();
    files.iter().map(|file| line_of(file)).collect()
}

fn line_of(file: &Path) -> Pcm {
    let mut wav = hound::WavReader::open(file).expect("a WAV file");
    let spec = wav.spec();
    assert_eq!((spec.channels, 48_000 % spec.sample_rate), (1, 0), "{}", file.display());
    let samples: Pcm =
        wav.samples::<i16>().map(|sample| f32::from(sample.expect("16 bit")) / 32_768.0).collect();
    let peak = samples.iter().fold(1e-9, |peak: f32, sample| peak.max(sample.abs()));
    let times = 48_000 / spec.sample_rate as usize;
    let pairs = samples.windows(2);
    let steps = |pair: &[f32]| {
        let (from, to) = (pair[0] / peak / 2.0, pair[1] / peak / 2.0);
        (0..times).map(move |step| from + (to - from) * step as f32 / times as f32)
    };
    pairs.flat_map(steps).collect()
}

/// Lines in any order, with pauses of 0.2 to 4 s between: most are turns, some are breaths.
pub fn track(lines: &[Pcm], seconds: usize, seed: u64) -> Pcm {
    let mut chance = Chance(seed);
    let mut track = Pcm::new();
    while track.len() < seconds * FRAMES_PER_SECOND * FRAME {
        let pause = chance.of(&[200, 500, 1_000, 1_500, 2_500, 4_000]) * 48;
        track.resize(track.len() + pause, 0.0);
        track.extend(&lines[chance.below(lines.len())]);
    }
    track.resize(seconds * FRAMES_PER_SECOND * FRAME, 0.0);
    track
}

/// For each 20 ms the packet that goes out at their end, if any: its level and payload.
pub type Packets = Vec<Option<(u8, Vec<u8>)>>;

/// A browser's sender.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    /// 20 ms each.
    pub frames_a_packet: usize,
    /// Chromium encodes at 9 on a desk and at 5 on a telephone.
    pub complexity: i32,
    pub silence: Silence,
    pub word: Word,
}

/// What goes out while there is nothing to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    Sent,
    /// Only its first packet and its refreshes: DTX.
    LeftOut,
}

/// What SILK says of the voice in a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// What libopus found.
    Found,
    /// That there is some in every one, as an encoder that does not look for it.
    Always,
}

impl Sender {
    pub const DESK: Sender =
        Sender { frames_a_packet: 1, complexity: 9, silence: Silence::Sent, word: Word::Found };

    /// The level is the microphone's (RFC 6464), the payload at 32 kbit/s with in-band FEC.
    pub fn packets(self, pcm: &[f32]) -> Packets {
        let mut encoder = self.encoder();
        let mut was_left_out = false;
        let mut packets = Packets::new();
        for samples in pcm.chunks_exact(self.frames_a_packet * FRAME) {
            let mut payload = encoder.encode_vec_float(samples, 4_000).expect("up to 120 ms");
            let is_left_out = self.silence == Silence::LeftOut && payload.len() <= 2;
            if self.word == Word::Always && payload[0] < CELT && payload.len() > 1 {
                payload[1] |= 0x80;
            }
            packets.extend((1..self.frames_a_packet).map(|_| None));
            let is_sent = !(is_left_out && was_left_out);
            packets.push(is_sent.then(|| (level_dbov(samples), payload)));
            was_left_out = is_left_out;
        }
        packets
    }

    fn encoder(self) -> opus::Encoder {
        let (mono, voip) = (opus::Channels::Mono, opus::Application::Voip);
        let mut encoder = opus::Encoder::new(48_000, mono, voip).expect("48 kHz, mono");
        encoder.set_bitrate(opus::Bitrate::Bits(32_000)).expect("a usual rate");
        encoder.set_inband_fec(true).expect("FEC");
        encoder.set_packet_loss_perc(5).expect("5 %");
        encoder.set_complexity(self.complexity).expect("0 to 10");
        encoder.set_dtx(self.silence == Silence::LeftOut).expect("DTX");
        encoder
    }
}

/// The first TOC without SILK.
const CELT: u8 = 16 << 3;

/// At 16 kHz, as 16 bits, for detectors that know no other rate: a low pass (a windowed sinc at
/// 8 kHz), then every third sample.
pub fn thirds(pcm: &[f32]) -> Vec<i16> {
    let tap = |n: i32| {
        let (x, turn) = (n as f32 * PI / 3.0, n as f32 * PI / (REACH + 1) as f32);
        let sinc = if n == 0 { 1.0 } else { x.sin() / x };
        sinc * (0.5 + 0.5 * turn.cos()) / 3.0
    };
    let taps: Vec<f32> = (-REACH..=REACH).map(tap).collect();
    let reach = REACH as usize;
    let padded = [&vec![0.0; reach], pcm, &vec![0.0; reach]].concat();
    let sum = |window: &[f32]| -> f32 { window.iter().zip(&taps).map(|(a, b)| a * b).sum() };
    padded.windows(taps.len()).step_by(3).map(|window| (sum(window) * 32_767.0) as i16).collect()
}

/// Samples on either side that the low pass looks at.
const REACH: i32 = 48;

fn decoder() -> opus::Decoder {
    opus::Decoder::new(48_000, opus::Channels::Mono).expect("48 kHz, mono")
}

const LINES: usize = 6;
