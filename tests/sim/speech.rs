//! What people say: a packet's payload tells who said it and when, so that whoever hears it knows.

use std::collections::BTreeMap;

use engine::rtp::{Stamp, Template, TemplateSpec, View};
use engine::{LegId, Level, Time};

use super::replay::Replay;
use super::worker::{LEVEL_ID, PAYLOAD_TYPE};

/// The payload of a packet, as its speaker numbered it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    pub leg: LegId,
    pub ssrc: u32,
    pub index: u64,
    pub timestamp: u32,
    /// When it was said.
    pub said_at: Time,
    /// -dBov; 127 is a pause.
    pub level: u8,
}

impl Frame {
    pub fn level(&self) -> Level {
        Level::from_extension(self.level)
    }

    pub fn is_silence(&self) -> bool {
        self.level() == Level::SILENCE
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
        packet.push(self.level);
        packet
    }

    pub fn read(payload: &[u8]) -> Option<Frame> {
        let number = |at: usize| Some(u64::from_be_bytes(*payload.get(at..)?.first_chunk()?));
        let short = |at: usize| Some(u32::from_be_bytes(*payload.get(at..)?.first_chunk()?));
        let whole = payload.len() == 33;
        let frame = Frame {
            leg: LegId(number(0)?),
            index: number(8)?,
            ssrc: short(16)?,
            timestamp: short(20)?,
            said_at: Time::from_micros(number(24)?),
            level: *payload.get(32)?,
        };
        whole.then_some(frame)
    }
}

/// A microphone: numbers frames of 20 ms, silent ones too.
pub struct Mouth {
    pub ssrc: u32,
    pub index: u64,
    timestamp: u32,
    /// -dBov while it speaks.
    loudness: u8,
    /// Frames until it pauses, or speaks again; its pauses are packets too.
    left: u32,
    pauses: bool,
    seed: u64,
}

impl Mouth {
    /// First sequence below 2^15 (RFC 3711 section 3.3.1).
    pub fn new(chance: u64) -> Mouth {
        let (ssrc, index) = ((chance >> 32) as u32, chance & 0x7fff);
        let (timestamp, loudness) = ((chance >> 16) as u32, 20 + (chance % 25) as u8);
        Mouth { ssrc, index, timestamp, loudness, left: 0, pauses: true, seed: chance }
    }

    /// Talk-spurts of 0.2 to 1.4 s, pauses of 0.1 to 1.1 s.
    fn turn(&mut self) {
        if self.left > 0 {
            self.left -= 1;
            return;
        }
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.pauses = !self.pauses;
        let frames = (self.seed >> 33) as u32 % 60;
        self.left = if self.pauses { 5 + frames % 50 } else { 10 + frames };
    }

    pub fn frame(&mut self, now: Time, leg: LegId, speaks: bool) -> Option<Frame> {
        self.timestamp = self.timestamp.wrapping_add(960);
        self.turn();
        if !speaks {
            return None;
        }
        self.index += 1;
        let level = if self.pauses { 127 } else { self.loudness };
        let (ssrc, index, timestamp) = (self.ssrc, self.index, self.timestamp);
        Some(Frame { leg, ssrc, index, timestamp, said_at: now, level })
    }
}

/// A leg's receiving end: who was heard when.
#[derive(Default)]
pub struct Ears {
    windows: BTreeMap<u32, Replay>,
    pub heard: BTreeMap<LegId, Time>,
    pub packets: u64,
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
        if is_new || window.is_fresh(index) {
            self.packets += 1;
            if let Some(frame) = Frame::read(&packet[view.payload]) {
                self.heard.insert(frame.leg, now);
            }
        }
    }
}
