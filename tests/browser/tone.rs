//! What a microphone hears that is a file.

use std::path::Path;

/// Two seconds of a sine: whole turns, so that it goes round without a seam.
pub fn write(path: &Path, hz: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = hound::WavWriter::create(path, spec).expect("the folder is ours");
    for sample in 0..2 * RATE {
        let turns = f64::from(hz) * f64::from(sample) / f64::from(RATE);
        let value = AMPLITUDE * (turns * std::f64::consts::TAU).sin() * f64::from(i16::MAX);
        file.write_sample(value as i16).expect("the folder is ours");
    }
    file.finalize().expect("the folder is ours");
}

const RATE: u32 = 48_000;
/// About -14 dBov: as loud as a person.
const AMPLITUDE: f64 = 0.3;
