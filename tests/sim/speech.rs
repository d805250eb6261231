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
}

impl Frame {
    pub fn level(&self) -> Level {
        Level::from_extension(self.index as u8)
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
        packet
    }

    pub fn read(payload: &[u8]) -> Option<Frame> {
        let number = |at: usize| Some(u64::from_be_bytes(*payload.get(at..)?.first_chunk()?));
        let short = |at: usize| Some(u32::from_be_bytes(*payload.get(at..)?.first_chunk()?));
        let whole = payload.len() == 24;
        let frame = Frame {
            leg: LegId(number(0)?),
            index: number(8)?,
            ssrc: short(16)?,
            timestamp: short(20)?,
        };
        whole.then_some(frame)
    }
}

/// A microphone: numbers frames of 20 ms, silent ones too.
pub struct Mouth {
    pub ssrc: u32,
    pub index: u64,
    timestamp: u32,
}

impl Mouth {
    /// First sequence below 2^15 (RFC 3711 section 3.3.1).
    pub fn new(chance: u64) -> Mouth {
        let (ssrc, index) = ((chance >> 32) as u32, chance & 0x7fff);
        Mouth { ssrc, index, timestamp: (chance >> 16) as u32 }
    }

    pub fn frame(&mut self, leg: LegId, speaks: bool) -> Option<Frame> {
        self.timestamp = self.timestamp.wrapping_add(960);
        if !speaks {
            return None;
        }
        self.index += 1;
        Some(Frame { leg, ssrc: self.ssrc, index: self.index, timestamp: self.timestamp })
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
