//! Who speaks when, by the sound itself: the same detector as in the call, with the edges put back
//! to where the voice was.

use engine::limits::{RTP_HZ, TALKING_BEGAN};
use engine::opus::Packet;
use engine::talking::{Edge, Said, Talking};
use engine::timeline::Sound;
use engine::{Level, Time};

use crate::record::report::Segment;

/// Silence for ears: below this nothing of a room is heard.
const SILENT_DBOV: u8 = 70;

/// One voice's segments, as they grow.
#[derive(Default)]
pub struct Talk {
    talking: Talking,
    segments: Vec<Segment>,
    open: Option<Open>,
    /// End of the newest piece, in samples of the mix.
    end: u64,
}

/// A segment that goes on.
struct Open {
    from: u64,
    /// The end of the last piece that sounded like a voice.
    spoke: u64,
    power: f64,
    pieces: u32,
}

/// What [`Talk`] gives at the end; nobody is named yet.
pub struct TalkSegments(pub Vec<Segment>);

impl Talk {
    /// A decoded packet that was said at `at` (samples of the mix).
    pub fn hear(&mut self, packet: &Packet, samples: &[i16], at: i64) -> Sound {
        let power = power(samples);
        let level = level(power);
        let (begin, length) = (u64::try_from(at).unwrap_or(0), samples.len() as u64);
        self.end = begin + length;
        let said = Said {
            at: time_of(self.end),
            level,
            samples: samples.len() as u32,
            is_silence: packet.is_silence() && level.dbov() >= SILENT_DBOV,
            is_voiceless: packet.is_voiceless(),
        };
        match self.talking.hear(said) {
            Some(Edge::Began) => {
                let before = samples_of(TALKING_BEGAN);
                let from = self.end.saturating_sub(before.max(length));
                let from = from.max(self.segments.last().map_or(0, |last| last.to_ms * 48));
                self.open = Some(Open { from, spoke: self.end, power: 0.0, pieces: 0 });
            }
            Some(Edge::Ceased) => self.close(),
            None => {}
        }
        if let Some(open) = &mut self.open
            && self.talking.quiet_for(said.at) == Some(core::time::Duration::ZERO)
        {
            (open.spoke, open.power, open.pieces) = (self.end, open.power + power, open.pieces + 1);
        }
        match (self.talking.is_talking(), level.dbov() >= SILENT_DBOV) {
            (_, true) => Sound::Silence,
            (false, false) => Sound::Room,
            (true, false) => Sound::Voice,
        }
    }

    /// The track is over; nothing lies behind `samples`.
    pub fn finish(mut self, samples: u64) -> TalkSegments {
        self.close();
        let most = samples / 48;
        for segment in &mut self.segments {
            segment.to_ms = segment.to_ms.min(most);
        }
        self.segments.retain(|segment| segment.from_ms < segment.to_ms);
        TalkSegments(self.segments)
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let mean = level(open.power / f64::from(open.pieces.max(1)));
        let (from_ms, to_ms) = (open.from / 48, open.spoke / 48);
        let jid = String::new();
        self.segments.push(Segment { jid, from_ms, to_ms, level_dbov: mean.dbov() });
    }
}

/// Mean square of the samples, 1 for full scale.
fn power(samples: &[i16]) -> f64 {
    let sum: i64 = samples.iter().map(|sample| i64::from(*sample).pow(2)).sum();
    sum as f64 / samples.len().max(1) as f64 / 32_768_f64.powi(2)
}

/// -dBov, as RFC 6464 appendix A computes it.
fn level(power: f64) -> Level {
    Level::from_extension((-10.0 * power.log10()).round().clamp(0.0, 127.0) as u8)
}

fn time_of(sample: u64) -> Time {
    Time::from_micros(sample * 1_000_000 / RTP_HZ)
}

fn samples_of(span: core::time::Duration) -> u64 {
    span.as_micros() as u64 * RTP_HZ / 1_000_000
}
