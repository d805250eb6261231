//! What people say: a packet's payload tells who said it and when, so that whoever hears it knows.

use std::collections::BTreeMap;

use engine::rtp::{Stamp, Template, TemplateSpec, View};
use engine::{LegId, Level, Time};

use super::replay::Replay;
use super::worker::{LEVEL_ID, PAYLOAD_TYPE};

/// Loud enough to be a voice whatever the noise around it: -6 to -20 dBov.
const LOUDEST_DBOV: u8 = 6;
const LOUDNESSES: u64 = 15;

/// The payload of a packet, as its speaker numbered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub leg: LegId,
    pub ssrc: u32,
    pub index: u64,
    pub timestamp: u32,
    /// When it was said.
    pub said_at: Time,
    /// What its sender claims, in -dBov.
    pub level: u8,
    /// Whether it holds a voice at all.
    pub voiced: bool,
}

impl Frame {
    pub fn level(&self) -> Level {
        Level::from_extension(self.level)
    }

    pub fn packet(&self) -> Vec<u8> {
        let spec = TemplateSpec {
            ssrc: self.ssrc,
            payload_type: PAYLOAD_TYPE,
            level_id: Some(LEVEL_ID),
            mid: None,
        };
        let mut packet = vec![0; 64];
        let stamp = Stamp { index: self.index, timestamp: self.timestamp, marker: false };
        let header = Template::new(&spec).write(&mut packet, stamp, Some(self.level()));
        packet.truncate(header);
        packet.extend(self.leg.0.to_be_bytes());
        packet.extend(self.index.to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(self.timestamp.to_be_bytes());
        packet.extend(self.said_at.as_micros().to_be_bytes());
        packet.extend([self.level, u8::from(self.voiced)]);
        packet
    }

    pub fn read(payload: &[u8]) -> Option<Frame> {
        let number = |at: usize| Some(u64::from_be_bytes(*payload.get(at..)?.first_chunk()?));
        let short = |at: usize| Some(u32::from_be_bytes(*payload.get(at..)?.first_chunk()?));
        let whole = payload.len() == 34;
        let frame = Frame {
            leg: LegId(number(0)?),
            index: number(8)?,
            ssrc: short(16)?,
            timestamp: short(20)?,
            said_at: Time::from_micros(number(24)?),
            level: *payload.get(32)?,
            voiced: *payload.get(33)? != 0,
        };
        whole.then_some(frame)
    }
}

/// What a person does with his voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Spurts and pauses, as it comes.
    Freely,
    Talks,
    /// Packets without a voice.
    Pauses,
    /// No packets at all.
    Silent,
}

/// How a client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// A packet for each frame.
    Steady,
    /// No packets in pauses.
    Dtx,
    /// Claims to be loud, whatever it sends.
    ClaimsLoud,
    /// Claims silence, whatever it sends.
    ClaimsSilence,
    /// Claims anything.
    ClaimsAnything,
}

impl Manner {
    /// From a number drawn.
    pub fn from(drawn: u64) -> Manner {
        match drawn % 20 {
            0 => Manner::ClaimsLoud,
            1 => Manner::ClaimsSilence,
            2 => Manner::ClaimsAnything,
            3..9 => Manner::Dtx,
            _ => Manner::Steady,
        }
    }

    pub fn is_honest(self) -> bool {
        matches!(self, Manner::Steady | Manner::Dtx)
    }
}

/// A microphone: numbers frames of 20 ms.
pub struct Mouth {
    pub ssrc: u32,
    pub index: u64,
    manner: Manner,
    timestamp: u32,
    /// -dBov while it speaks.
    loudness: u8,
    /// Frames until it pauses, or speaks again.
    left: u32,
    pauses: bool,
    seed: u64,
}

impl Mouth {
    /// First sequence below 2^15 (RFC 3711 section 3.3.1).
    pub fn new(chance: u64, manner: Manner) -> Mouth {
        Mouth {
            ssrc: (chance >> 32) as u32,
            index: chance & 0x7fff,
            manner,
            timestamp: (chance >> 16) as u32,
            loudness: LOUDEST_DBOV + (chance % LOUDNESSES) as u8,
            left: 0,
            pauses: true,
            seed: chance,
        }
    }

    /// Talk-spurts of 0.2 to 1.4 s, pauses of 0.1 to 1.1 s; each spurt is as loud as it likes.
    fn turn(&mut self) {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        if self.left > 0 {
            self.left -= 1;
            return;
        }
        self.pauses = !self.pauses;
        let frames = (self.seed >> 33) as u32 % 60;
        self.left = if self.pauses { 5 + frames % 50 } else { 10 + frames };
        self.loudness = LOUDEST_DBOV + ((self.seed >> 40) % LOUDNESSES) as u8;
    }

    pub fn frame(&mut self, now: Time, leg: LegId, speech: Speech) -> Option<Frame> {
        self.timestamp = self.timestamp.wrapping_add(960);
        self.turn();
        let voiced = match speech {
            Speech::Silent => return None,
            Speech::Freely => !self.pauses,
            Speech::Talks => true,
            Speech::Pauses => false,
        };
        if !voiced && self.manner == Manner::Dtx {
            return None;
        }
        self.index += 1;
        let level = match self.manner {
            Manner::ClaimsLoud => 5,
            Manner::ClaimsSilence => 127,
            Manner::ClaimsAnything => (self.seed >> 50) as u8 & 127,
            Manner::Steady | Manner::Dtx if voiced => self.loudness,
            Manner::Steady | Manner::Dtx => 127,
        };
        let (ssrc, index, timestamp) = (self.ssrc, self.index, self.timestamp);
        Some(Frame { leg, ssrc, index, timestamp, said_at: now, level, voiced })
    }
}

/// A leg's receiving end: who was heard when.
#[derive(Default)]
pub struct Ears {
    windows: BTreeMap<u32, Replay>,
    pub heard: BTreeMap<LegId, Time>,
}

impl Ears {
    pub fn hear(&mut self, now: Time, packet: &[u8]) {
        let Ok(view) = View::parse(packet, Some(LEVEL_ID)) else { return };
        let window = self.windows.entry(view.ssrc);
        let mut is_new = false;
        let window = window.or_insert_with(|| {
            is_new = true;
            Replay::starting_at(view.sequence)
        });
        let index = window.estimate(view.sequence);
        if (is_new || window.is_fresh(index))
            && let Some(frame) = Frame::read(&packet[view.payload])
        {
            self.heard.insert(frame.leg, now);
        }
    }
}
