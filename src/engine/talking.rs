//! Talking: turns the packets of one voice into "began" and "ceased" edges.
//!
//! A level (RFC 6464) is a claim: it counts for as long as the packet sounds, and not at all where
//! the packet can hold no voice. Voice is counted by the packets' own duration and silence by the
//! time since the last voice, so a burst after a stall counts like a steady stream and DTX needs
//! no packets to be silent. Knows no calls, no mute and no clock. Thresholds: `limits.rs`.

use core::time::Duration;

use crate::limits::{
    RTP_HZ, TALKING_BEGAN, TALKING_BEGAN_WITHIN, TALKING_CEASED, TALKING_GAP, VOICE_BEGINS_DBOV,
    VOICE_GOES_ON_DBOV,
};
use crate::{Level, Time};

/// What one packet says of its voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said {
    /// When it arrived.
    pub at: Time,
    /// The sender's claim.
    pub level: Level,
    /// How long it sounds, at 48 kHz.
    pub samples: u32,
    /// It can hold no voice, whatever its level says (`opus::Packet::is_silence`).
    pub is_silence: bool,
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
    /// The last packet that counted as voice, its level smoothed over about 200 ms of voice.
    voice: Option<Voice>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Turn {
    #[default]
    Silent,
    /// Some voice, not yet enough of it.
    Starting {
        since: Time,
        voiced_samples: u32,
    },
    Talking,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at: Time,
    level: Level,
}

#[derive(Clone, Copy, Debug)]
struct Voice {
    at: Time,
    /// -dBov, times 256.
    loudness_x256: u32,
}

impl Talking {
    /// Takes a packet in, in the order of arrival.
    pub fn hear(&mut self, said: Said) -> Option<Edge> {
        let edge = self.handle_timeout(said.at);
        let is_gap = self.newest.is_none_or(|it| said.at.since(it.at) > TALKING_GAP);
        if is_gap && !self.is_talking() {
            self.turn = Turn::Silent;
        }
        let level = if said.is_silence { Level::SILENCE } else { said.level };
        self.newest = Some(Heard { at: said.at, level });
        let is_voice = !said.is_silence && level.dbov() <= self.threshold_dbov();
        if is_voice {
            self.note_voice(said);
        }
        self.turn = self.turn.after(said, is_voice);
        // Whoever has just ceased begins with his next packet at the earliest: one edge at a time.
        edge.or_else(|| self.begin_if_due(is_voice))
    }

    /// Ceases a voice whose packets stopped.
    pub fn handle_timeout(&mut self, now: Time) -> Option<Edge> {
        let is_due = self.quiet_for(now).is_none_or(|quiet| quiet >= TALKING_CEASED);
        if is_due && self.is_talking() { self.cease() } else { None }
    }

    /// Muted or gone: what was heard so far counts no more. `Ceased` if it was talking.
    pub fn reset(&mut self) -> Option<Edge> {
        self.newest = None;
        self.voice = None;
        self.cease()
    }

    pub fn is_talking(&self) -> bool {
        matches!(self.turn, Turn::Talking)
    }

    /// Time since the last packet that counted as voice; `None` if there was none.
    pub fn quiet_for(&self, now: Time) -> Option<Duration> {
        self.voice.map(|voice| now.since(voice.at))
    }

    /// Loudness of its voice, smoothed over about 200 ms; the dips between words do not count.
    /// Silence when there was no voice for as long as talking takes to cease.
    pub fn loudness(&self, now: Time) -> Level {
        let lately = self.voice.filter(|voice| now.since(voice.at) < TALKING_CEASED);
        lately.map_or(Level::SILENCE, |voice| {
            Level::from_extension(((voice.loudness_x256 + 128) >> 8) as u8)
        })
    }

    /// Level of the newest packet, silence if it can hold no voice; `None` when nothing came
    /// within 200 ms.
    pub fn level(&self, now: Time) -> Option<Level> {
        let newest = self.newest.filter(|heard| now.since(heard.at) <= TALKING_GAP);
        newest.map(|heard| heard.level)
    }

    /// Where voice ends, in -dBov: harder to begin than to go on.
    fn threshold_dbov(&self) -> u8 {
        match self.turn {
            Turn::Silent | Turn::Starting { .. } => VOICE_BEGINS_DBOV,
            Turn::Talking => VOICE_GOES_ON_DBOV,
        }
    }

    fn note_voice(&mut self, said: Said) {
        let loudness_x256 = i64::from(said.level.dbov()) << 8;
        let before = self.voice.filter(|voice| said.at.since(voice.at) < TALKING_CEASED);
        let smoothed = before.map_or(loudness_x256, |voice| {
            let before = i64::from(voice.loudness_x256);
            let part = i64::from(said.samples.min(SMOOTHING_SAMPLES));
            before + (loudness_x256 - before) * part / i64::from(SMOOTHING_SAMPLES)
        });
        self.voice = Some(Voice { at: said.at, loudness_x256: smoothed as u32 });
    }

    fn cease(&mut self) -> Option<Edge> {
        let was_talking = self.is_talking();
        self.turn = Turn::Silent;
        was_talking.then_some(Edge::Ceased)
    }

    fn begin_if_due(&mut self, is_voice: bool) -> Option<Edge> {
        match self.turn {
            Turn::Starting { voiced_samples, .. }
                if is_voice && voiced_samples >= BEGAN_SAMPLES =>
            {
                self.turn = Turn::Talking;
                Some(Edge::Began)
            }
            Turn::Silent | Turn::Starting { .. } | Turn::Talking => None,
        }
    }
}

impl Turn {
    /// Counts one packet. A dip takes back half of its length, so that it does not cut a word in
    /// two and clicks do not add up.
    fn after(self, said: Said, is_voice: bool) -> Turn {
        let started = Turn::Starting { since: said.at, voiced_samples: said.samples };
        match self {
            Turn::Talking => Turn::Talking,
            Turn::Silent if is_voice => started,
            Turn::Silent => Turn::Silent,
            Turn::Starting { since, .. } if said.at.since(since) > TALKING_BEGAN_WITHIN => {
                if is_voice {
                    started
                } else {
                    Turn::Silent
                }
            }
            Turn::Starting { since, voiced_samples } if is_voice => Turn::Starting {
                since,
                voiced_samples: voiced_samples.saturating_add(said.samples),
            },
            Turn::Starting { since, voiced_samples } => {
                match voiced_samples.saturating_sub(said.samples / 2) {
                    0 => Turn::Silent,
                    left => Turn::Starting { since, voiced_samples: left },
                }
            }
        }
    }
}

/// [`TALKING_BEGAN`] on the clock of the packets.
const BEGAN_SAMPLES: u32 = (TALKING_BEGAN.as_millis() as u64 * RTP_HZ / 1_000) as u32;

/// 200 ms: about a syllable.
const SMOOTHING_SAMPLES: u32 = (RTP_HZ / 5) as u32;

#[cfg(test)]
mod tests;
