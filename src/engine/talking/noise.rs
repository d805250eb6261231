//! The noise around a voice: what its packets' levels fall back to when it pauses. Quick to fall,
//! slow to rise, so that a sentence does not pass for noise.

use super::{Said, samples};
use crate::Level;
use crate::limits::{
    NOISE_FALLS, NOISE_LOUDEST_DBOV, NOISE_QUIETEST_DBOV, NOISE_RISES_DB, NOISE_RISES_VOICELESS_DB,
    RTP_HZ,
};

/// Quiet until something else is heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    /// -dBov times 65,536, from [`NOISE_LOUDEST_DBOV`] to [`NOISE_QUIETEST_DBOV`].
    level_x65536: i64,
}

impl Default for Noise {
    fn default() -> Self {
        Noise { level_x65536: x65536(NOISE_QUIETEST_DBOV) }
    }
}

impl Noise {
    /// Takes a packet's level in, voice or not. One that can hold no voice makes nothing louder:
    /// its level may be a lie.
    pub(super) fn hear(&mut self, said: &Said) {
        let heard_x65536 = x65536(said.level.dbov().clamp(NOISE_LOUDEST_DBOV, NOISE_QUIETEST_DBOV));
        let change_x65536 = heard_x65536 - self.level_x65536;
        let span = i64::from(said.samples);
        if change_x65536 >= 0 {
            let most = i64::from(FALL_SAMPLES);
            self.level_x65536 += change_x65536 * span.min(most) / most;
        } else if !said.is_silence {
            let db_a_second =
                if said.is_voiceless { NOISE_RISES_VOICELESS_DB } else { NOISE_RISES_DB };
            let most_x65536 = x65536(db_a_second) * span / RTP_HZ as i64;
            self.level_x65536 -= most_x65536.min(-change_x65536);
        }
    }

    /// Whether `level` is at least so much louder than the noise.
    pub(super) fn is_below(&self, level: Level, above_db: u8) -> bool {
        x65536(level.dbov()) + x65536(above_db) <= self.level_x65536
    }

    /// Whether `level` is at least so much louder than any noise that is believed.
    pub(super) fn is_always_below(level: Level, above_db: u8) -> bool {
        level.dbov() + above_db <= NOISE_LOUDEST_DBOV
    }
}

fn x65536(db: u8) -> i64 {
    i64::from(db) << 16
}

const FALL_SAMPLES: u32 = samples(NOISE_FALLS);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;

    fn said(dbov: u8, samples: u32) -> Said {
        let level = Level::from_extension(dbov);
        Said { at: Time::ZERO, level, samples, is_silence: false, is_voiceless: false }
    }

    fn after(said: Said, seconds: u32) -> Noise {
        let mut noise = Noise::default();
        (0..seconds * 48_000 / said.samples).for_each(|_| noise.hear(&said));
        noise
    }

    fn dbov(noise: Noise) -> i64 {
        (noise.level_x65536 + (1 << 15)) >> 16
    }

    #[test]
    fn noise_rises_slowly_and_faster_where_there_is_no_voice() {
        for samples in [120, 480, 960, 2_880, 5_760] {
            assert_eq!(dbov(after(said(40, samples), 3)), 56, "{samples}");
            assert_eq!(dbov(after(said(40, samples), 30)), 40);
            let voiceless = Said { is_voiceless: true, ..said(40, samples) };
            assert!((45..=46).contains(&dbov(after(voiceless, 1))), "{samples}");
        }
    }

    #[test]
    fn noise_falls_in_a_few_frames() {
        let mut noise = after(said(40, 960), 30);
        (0..4).for_each(|_| noise.hear(&said(60, 960)));
        assert_eq!(dbov(noise), 54);
        noise.hear(&said(63, 5_760));
        assert_eq!(dbov(noise), 63);
    }

    #[test]
    fn one_frame_of_silence_does_not_end_a_noise() {
        let mut noise = after(said(40, 960), 30);
        noise.hear(&said(127, 960));
        assert_eq!(dbov(noise), 46);
    }

    #[test]
    fn noise_keeps_its_bounds() {
        assert_eq!(dbov(after(said(0, 960), 60)), i64::from(NOISE_LOUDEST_DBOV));
        assert_eq!(dbov(after(said(127, 960), 60)), i64::from(NOISE_QUIETEST_DBOV));
    }

    #[test]
    fn what_holds_no_voice_makes_no_noise_but_may_end_one() {
        let silence = |dbov| Said { is_silence: true, is_voiceless: true, ..said(dbov, 960) };
        assert_eq!(dbov(after(silence(0), 60)), i64::from(NOISE_QUIETEST_DBOV));
        let mut noise = after(said(40, 960), 30);
        (0..50).for_each(|_| noise.hear(&silence(0)));
        assert_eq!(dbov(noise), 40);
        (0..50).for_each(|_| noise.hear(&silence(127)));
        assert_eq!(dbov(noise), i64::from(NOISE_QUIETEST_DBOV));
    }
}
