//! Talking: turns the packets of one voice into "began" and "ceased" edges.
//!
//! A level (RFC 6464) is a claim: it counts for as long as the packet sounds, against the noise
//! around it, and not where the packet can hold no voice or the sender's own encoder found none.
//! Voice is counted by the packets' own duration and silence by the time since the last voice, so
//! a burst after a stall counts like a steady stream and DTX needs no packets to be silent. Knows
//! no calls, no mute and no clock. Thresholds: `limits.rs`.

use core::time::Duration;

use crate::limits::{
    RTP_HZ, TALKING_BEGAN, TALKING_BEGAN_WITHIN, TALKING_CEASED, TALKING_COUNTED, TALKING_GAP,
    VOICE_BEGINS_ABOVE_NOISE_DB, VOICE_GOES_ON_ABOVE_NOISE_DB,
};
use crate::{Level, Time};

mod noise;

use noise::Noise;

/// What one packet says of its voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// When it arrived.
    pub at: Time,
    /// The sender's claim.
    pub level: Level,
    /// How long it sounds, at 48 kHz (`opus::Packet::samples`).
    pub samples: u32,
    /// It can hold no voice, whatever its level says (`opus::Packet::is_silence`).
    pub is_silence: bool,
    /// The sender's encoder found no voice in it (`opus::Packet::is_voiceless`).
    pub is_voiceless: bool,
}

/// A change to be told; the two alternate, beginning with `Began`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    Began,
    Ceased,
}

/// One voice's detector.
#[derive(Clone, Debug, Default)]
pub struct Talking {
    turn: Turn,
    /// The last packet, if any came.
    newest: Option<Heard>,
    /// Voice that is being counted, if any.
    spurt: Option<Spurt>,
    /// The last packet that counted as voice, if any did.
    voice: Option<Voice>,
    noise: Noise,
}

#[derive(Clone, Copy, Debug, Default)]
enum Turn {
    #[default]
    Silent,
    Talking {
        /// The last packet of a spurt: a click alone does not keep the floor.
        spoke_at: Time,
    },
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Time,
    level: Level,
}

/// Voice so far, less the dips in it.
#[derive(Clone, Copy, Debug)]
struct Spurt {
    since: Time,
    samples: u32,
}

#[derive(Clone, Copy, Debug)]
struct Voice {
    at: Time,
    /// Smoothed, in -dBov times 256.
    loudness_x256: i32,
}

impl Talking {
    /// Takes a packet in, in the order of arrival.
    pub fn hear(&mut self, said: Said) -> Option<Edge> {
        let ceased = self.handle_timeout(said.at);
        if self.newest.is_none_or(|it| said.at.since(it.at) > TALKING_GAP) {
            self.spurt = None;
        }
        let level = if said.is_silence { Level::SILENCE } else { said.level };
        self.newest = Some(Heard { at: said.at, level });
        let is_voice = self.is_voice(&said);
        self.noise.hear(&said);
        self.count(&said, is_voice);
        let is_spoken = self.spurt.is_some_and(|spurt| spurt.samples >= BEGAN_SAMPLES);
        if is_voice && (is_spoken || self.is_talking()) {
            self.note_voice(&said);
        }
        // One edge at a time: whoever has just ceased begins with his next packet.
        if is_voice && is_spoken && ceased.is_none() { self.speak(said.at) } else { ceased }
    }

    /// Ceases a voice whose packets stopped.
    pub fn handle_timeout(&mut self, now: Time) -> Option<Edge> {
        match self.turn {
            Turn::Talking { spoke_at } if now.since(spoke_at) >= TALKING_CEASED => self.cease(),
            Turn::Silent | Turn::Talking { .. } => None,
        }
    }

    /// Muted or gone: what was heard so far counts no more. `Ceased` if it was talking. The noise
    /// is still the same room's.
    pub fn reset(&mut self) -> Option<Edge> {
        let ceased = self.cease();
        *self = Talking { noise: self.noise, ..Talking::default() };
        ceased
    }

    pub fn is_talking(&self) -> bool {
        matches!(self.turn, Turn::Talking { .. })
    }

    /// Time since the last packet that counted as voice, in a spurt or while talking; `None` if
    /// there was none.
    pub fn quiet_for(&self, now: Time) -> Option<Duration> {
        self.voice.map(|voice| now.since(voice.at))
    }

    /// Loudness of its voice, smoothed over about 200 ms; the dips between words do not count.
    /// Silence when there was no voice for as long as talking takes to cease.
    pub fn loudness(&self, now: Time) -> Level {
        let lately = self.voice.filter(|voice| now.since(voice.at) < TALKING_CEASED);
        let rounded = |voice: Voice| ((voice.loudness_x256 + 128) >> 8) as u8;
        lately.map_or(Level::SILENCE, |voice| Level::from_extension(rounded(voice)))
    }

    /// Level of the newest packet, silence if it can hold no voice; `None` when nothing came
    /// within 200 ms.
    pub fn level(&self, now: Time) -> Option<Level> {
        let newest = self.newest.filter(|heard| now.since(heard.at) <= TALKING_GAP);
        newest.map(|heard| heard.level)
    }

    /// Whether the packet sounds like a voice: harder to begin than to go on.
    fn is_voice(&self, said: &Said) -> bool {
        let above_db = match self.turn {
            Turn::Silent => VOICE_BEGINS_ABOVE_NOISE_DB,
            Turn::Talking { .. } => VOICE_GOES_ON_ABOVE_NOISE_DB,
        };
        let is_audible = !said.is_voiceless && self.noise.is_below(said.level, above_db);
        !said.is_silence && (is_audible || Noise::is_always_below(said.level, above_db))
    }

    /// A dip takes back as much as it is long, so that it does not cut a word in two and clicks
    /// do not add up.
    fn count(&mut self, said: &Said, is_voice: bool) {
        let is_old = |spurt: &Spurt| said.at.since(spurt.since) > TALKING_BEGAN_WITHIN;
        let is_talking = self.is_talking();
        let before = self.spurt.filter(|spurt| is_talking || !is_old(spurt));
        let Spurt { since, samples } = before.unwrap_or(Spurt { since: said.at, samples: 0 });
        let samples = if is_voice {
            samples.saturating_add(said.samples).min(COUNTED_SAMPLES)
        } else {
            samples.saturating_sub(said.samples)
        };
        self.spurt = (samples > 0).then_some(Spurt { since, samples });
    }

    fn note_voice(&mut self, said: &Said) {
        let level_x256 = i32::from(said.level.dbov()) << 8;
        let before = self.voice.filter(|voice| said.at.since(voice.at) < TALKING_CEASED);
        let before_x256 = before.map_or(level_x256, |voice| voice.loudness_x256);
        let part = said.samples.min(SMOOTHING_SAMPLES) as i32;
        let change_x256 = (level_x256 - before_x256) * part / SMOOTHING_SAMPLES as i32;
        self.voice = Some(Voice { at: said.at, loudness_x256: before_x256 + change_x256 });
    }

    fn speak(&mut self, at: Time) -> Option<Edge> {
        let was_talking = self.is_talking();
        self.turn = Turn::Talking { spoke_at: at };
        (!was_talking).then_some(Edge::Began)
    }

    fn cease(&mut self) -> Option<Edge> {
        let was_talking = self.is_talking();
        self.turn = Turn::Silent;
        if was_talking {
            self.spurt = None;
        }
        was_talking.then_some(Edge::Ceased)
    }
}

const fn samples(span: Duration) -> u32 {
    (span.as_millis() as u64 * RTP_HZ / 1_000) as u32
}

const BEGAN_SAMPLES: u32 = samples(TALKING_BEGAN);
const COUNTED_SAMPLES: u32 = samples(TALKING_COUNTED);

/// 200 ms: about a syllable.
const SMOOTHING_SAMPLES: u32 = samples(Duration::from_millis(200));

#[cfg(test)]
mod tests;
