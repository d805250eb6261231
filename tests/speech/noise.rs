//! Backgrounds that are no voice, at an RMS of 1.

use crate::chance::Chance;
use crate::sound::{FRAME, FRAMES_PER_SECOND, Pcm};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// Hiss: all frequencies alike.
    White,
    /// A fan, a street: as much in each octave.
    Pink,
    /// A dozen people far off: others' speech.
    Babble,
    /// Strokes of a few milliseconds, four to ten a second, and nothing between.
    Typing,
}

impl Noise {
    pub const ALL: [Noise; 4] = [Noise::White, Noise::Pink, Noise::Babble, Noise::Typing];

    pub fn make(self, samples: usize, lines: &[Pcm], seed: u64) -> Pcm {
        let mut chance = Chance(seed);
        let mut pcm = match self {
            Noise::White => (0..samples).map(|_| chance.sample()).collect(),
            Noise::Pink => pink(samples, &mut chance),
            Noise::Babble => babble(samples, lines, &mut chance),
            Noise::Typing => typing(samples, &mut chance),
        };
        let rms = rms(&pcm);
        pcm.iter_mut().for_each(|sample| *sample /= rms);
        pcm
    }
}

pub fn rms(pcm: &[f32]) -> f32 {
    let power: f64 = pcm.iter().map(|sample| f64::from(sample * sample)).sum();
    (power / pcm.len().max(1) as f64).sqrt() as f32
}

/// White noise through one low pass an octave, 12 Hz to 24 kHz: each adds as much as the last.
fn pink(samples: usize, chance: &mut Chance) -> Pcm {
    let mut octaves = [0.0_f32; 12];
    let sample = |_| {
        for (octave, held) in octaves.iter_mut().enumerate() {
            let part = 1.0 - (-core::f32::consts::TAU * 0.5 / (1 << octave) as f32).exp();
            // A slow low pass lets less through: the root of its part makes octaves alike.
            *held += part * (chance.sample() / part.sqrt() - *held);
        }
        octaves.iter().sum()
    };
    (0..samples).map(sample).collect()
}

fn babble(samples: usize, lines: &[Pcm], chance: &mut Chance) -> Pcm {
    let mut pcm = vec![0.0; samples];
    for _ in 0..TALKERS {
        let mut at = 0;
        let mut skip = chance.below(5 * FRAMES_PER_SECOND * FRAME);
        while at < samples {
            let line = &lines[chance.below(lines.len())];
            let part = &line[skip.min(line.len() / 2)..];
            let room = &mut pcm[at..];
            room.iter_mut().zip(part).for_each(|(sum, sample)| *sum += sample);
            at += part.len() + chance.below(FRAMES_PER_SECOND * FRAME);
            skip = 0;
        }
    }
    pcm
}

fn typing(samples: usize, chance: &mut Chance) -> Pcm {
    let mut pcm = vec![0.0; samples];
    let mut at = 0;
    while at + STROKE < samples {
        let strength = 0.3 + 0.7 * chance.sample().abs();
        for (age, sample) in pcm[at..at + STROKE].iter_mut().enumerate() {
            *sample = strength * chance.sample() * (-(age as f32) / DECAY).exp();
        }
        at += 48 * (100 + chance.below(150));
    }
    pcm
}

const TALKERS: usize = 12;
/// 30 ms in which a stroke dies away, by a factor of e each 5 ms.
const STROKE: usize = 1_440;
const DECAY: f32 = 240.0;
