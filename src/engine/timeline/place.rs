//! Where a decoded piece of a voice goes in the mix. Its clock drifts against the mix's: that is
//! put right where nothing is heard, a little at a time; only a voice that never pauses is cut.

use crate::limits::{PLACE_BLEND_SAMPLES, PLACE_CUT_SAMPLES, PLACE_SLACK_SAMPLES};

/// What a piece sounds like: how a correction is heard in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sound {
    /// Nothing: a piece of it more or less is not heard.
    Silence,
    /// A room without a voice: a blend is not heard.
    Room,
    /// A blend may be heard.
    Voice,
}

/// How the next piece joins what was placed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Right behind it.
    Join,
    /// After so many samples of silence.
    Pad(u64),
    /// Without so many of its first samples.
    Skip(u64),
    /// A cut in sound: so many samples are heard twice, blended.
    Stretch(u64),
    /// A cut in sound: so many samples are left out, blended.
    Shrink(u64),
}

/// The place that one track has reached in the mix.
#[derive(Clone, Copy, Debug, Default)]
pub struct Placement {
    /// Where the next sample would go, in samples of the mix; 0 before the first one.
    next: u64,
}

impl Placement {
    /// A piece of `samples` that was said at `said` (samples of the mix; what was said before its
    /// beginning is left out).
    pub fn place(&mut self, said: i64, samples: u64, sound: Sound) -> Step {
        let error = said.saturating_sub_unsigned(self.next);
        let off = error.unsigned_abs();
        let is_late = error > 0;
        // Beyond what a drift can be something is missing, or comes twice: no blending helps.
        let is_silent = sound == Sound::Silence;
        let is_free = is_silent || self.next == 0 || off > PLACE_BLEND_SAMPLES;
        let half = samples / 2;
        let step = match () {
            () if off <= PLACE_SLACK_SAMPLES && self.next > 0 => Step::Join,
            () if is_free && is_late => Step::Pad(off),
            () if is_free => Step::Skip(off.min(samples)),
            () if sound == Sound::Voice && off <= PLACE_CUT_SAMPLES => Step::Join,
            () if is_late => Step::Stretch(off.min(half)),
            () => Step::Shrink(off.min(half)),
        };
        self.next += match step {
            Step::Join => samples,
            Step::Pad(more) | Step::Stretch(more) => samples + more,
            Step::Skip(less) | Step::Shrink(less) => samples - less,
        };
        step
    }

    /// Where the next sample would go.
    pub fn next(&self) -> u64 {
        self.next
    }
}
