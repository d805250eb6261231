//! How loud it was when, small enough for a picture.

use crate::record::report::Peaks;

/// Values of one curve, at most: a wide screen's pixels.
const VALUES_MAX: u64 = 2_000;

/// Shortest time that one value stands for, in milliseconds: a frame.
const INTERVAL_MIN_MS: u64 = 20;

/// People with curves of their own. Beyond: the mix's alone.
const CURVES_MAX: usize = 256;

/// See the module's words.
pub struct PeakMeter {
    interval: u64,
    values: usize,
    mix: Vec<u8>,
    people: Vec<Vec<u8>>,
}

impl PeakMeter {
    pub fn new(duration_ms: u64, people: usize) -> PeakMeter {
        let interval_ms = duration_ms.div_ceil(VALUES_MAX).max(INTERVAL_MIN_MS);
        let values = duration_ms.div_ceil(interval_ms) as usize;
        let people = vec![Vec::new(); people.min(CURVES_MAX)];
        PeakMeter { interval: interval_ms * 48, values, mix: vec![0; values], people }
    }

    pub fn mix(&mut self, at: u64, samples: &[i32], channels: usize) {
        note(
            &mut self.mix,
            self.interval,
            at,
            samples
                .chunks_exact(channels)
                .map(|frame| frame.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)),
        );
    }

    pub fn person(&mut self, person: usize, at: u64, samples: &[i32]) {
        let Some(curve) = self.people.get_mut(person) else { return };
        curve.resize(self.values, 0);
        note(curve, self.interval, at, samples.iter().map(|sample| sample.unsigned_abs()));
    }

    pub fn finish(self) -> Peaks {
        Peaks { interval_ms: self.interval / 48, mix: self.mix, people: self.people }
    }
}

fn note(curve: &mut [u8], interval: u64, at: u64, samples: impl Iterator<Item = u32>) {
    for (sample, loud) in (at..).zip(samples) {
        if let Some(value) = curve.get_mut((sample / interval) as usize) {
            *value = (*value).max((loud >> 7).min(255) as u8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_never_longer_than_a_screen_is_wide() {
        for duration_ms in [0, 1, 19, 40_000, 40_001, 7_200_000, 43_200_000] {
            let peaks = PeakMeter::new(duration_ms, 1).finish();
            assert!(peaks.mix.len() <= 2_000, "{duration_ms}");
            assert!(peaks.mix.len() as u64 * peaks.interval_ms >= duration_ms);
        }
    }

    #[test]
    fn the_loudest_sample_of_an_interval_counts() {
        let mut meter = PeakMeter::new(60, 1);
        meter.person(0, 960, &[0, -32_768, 100]);
        meter.mix(0, &[128, -256], 2);
        let peaks = meter.finish();
        assert_eq!((peaks.mix, &*peaks.people[0]), (vec![2, 0, 0], &[0, 255, 0][..]));
    }
}
