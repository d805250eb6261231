//! Listens to a WAV file: when does a tone begin there.

#![allow(dead_code, reason = "each test binary listens in its own way")]

use std::f64::consts::TAU;
use std::path::Path;

/// Samples of one look: 5 ms.
const LOOK: usize = 240;

/// A file of one channel.
pub struct Ear {
    samples: Vec<i16>,
}

impl Ear {
    /// The samples from one time to another.
    pub fn on(path: &Path, from_us: u64, to_us: u64) -> Ear {
        let mut wav = hound::WavReader::open(path).expect("a WAV file");
        let from = from_us * 48 / 1_000;
        let count = (to_us - from_us) * 48 / 1_000;
        wav.seek(u32::try_from(from).expect("within the file")).expect("a place in the file");
        let samples = wav.samples::<i16>().take(count as usize).map_while(Result::ok).collect();
        Ear { samples }
    }

    /// Microseconds from the beginning until the tone is as loud as half of its loudest.
    pub fn begins(&self, hz: f32) -> Option<u64> {
        // Steps of a millisecond, looks of five.
        let looks: Vec<f64> =
            self.samples.windows(LOOK).step_by(48).map(|look| strength(look, hz)).collect();
        let loudest = looks.iter().copied().fold(0.0, f64::max);
        if loudest < 0.02 {
            return None;
        }
        let at = looks.iter().position(|look| *look > loudest / 2.0)?;
        // A look that is half full is half as strong.
        Some(at as u64 * 1_000 + 2_500)
    }

    /// How loud the tone is on the average, 1 for a sine of full scale; by tenths of a second, as a
    /// packet that came late shifts its phase.
    pub fn strength(&self, hz: f32) -> f64 {
        let looks = self.samples.chunks_exact(4_800);
        let count = looks.len().max(1) as f64;
        looks.map(|look| strength(look, hz)).sum::<f64>() / count
    }
}

/// Goertzel's algorithm: the amplitude of one frequency.
fn strength(samples: &[i16], hz: f32) -> f64 {
    let step = TAU * f64::from(hz) / 48_000.0;
    let (mut re, mut im) = (0.0, 0.0);
    for (at, sample) in samples.iter().enumerate() {
        let (sin, cos) = (step * at as f64).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
    }
    2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f64 / 32_768.0
}
