//! The simulated worker's way out, as `src/media/fanout.rs` goes it: one packet of a voice to every
//! slot that holds it, and to a slot that has just got the voice its ring first.

use std::collections::VecDeque;
use std::time::Duration;

use engine::LegId;
use engine::ring::Kept;
use engine::routes::Route;
use engine::rtp::{Template, TemplateSpec};
use engine::slots::{Arrival, Holder, Newest, Stream, Voice};

use super::sabotage::Sabotage;
use super::worker::{LEVEL_ID, PAYLOAD_TYPE, Sent, Worker};

pub struct OutSlot {
    pub ssrc: u32,
    template: Template,
    stream: Stream,
}

impl Worker {
    /// Of a voice that may not be heard nothing is kept.
    pub(super) fn keep_muted(&mut self, id: LegId, newest: &Kept) {
        if self.sabotage == Sabotage::RingOutlivesMute {
            self.keep(id, true, Voice { source: id, epoch: 0 }, newest);
        } else if let Some(leg) = self.leg_mut(id) {
            leg.ring = None;
        }
    }

    /// The voice's ring with its newest packet, empty where there is a slot for everybody.
    pub(super) fn keep(
        &mut self,
        id: LegId,
        scarce: bool,
        voice: Voice,
        newest: &Kept,
    ) -> VecDeque<Kept> {
        let outlives = self.sabotage == Sabotage::RingOutlivesMute;
        let voice = if outlives { Voice { epoch: 0, ..voice } } else { voice };
        let Some(leg) = self.leg_mut(id) else { return VecDeque::new() };
        if !scarce {
            leg.ring = None;
            return VecDeque::new();
        }
        let ring = leg.ring.get_or_insert_default();
        ring.keep(voice, newest.arrival, newest.level, &newest.payload);
        ring.of(voice).clone()
    }

    pub(super) fn fan_out(
        &mut self,
        id: LegId,
        voice: Voice,
        places: &[Route],
        (newest, ring): (&Kept, &VecDeque<Kept>),
    ) -> Vec<Sent> {
        let sabotage = self.sabotage;
        let mut extra = self.extra_at(newest.arrival.at.as_micros() / 20_000);
        let mut sent = Vec::new();
        for Route { seat, slot, turn, .. } in places.iter().copied() {
            let Some(listener) = self.seats[seat as usize].as_mut() else { continue };
            let (to, slot) = (listener.id, usize::from(slot));
            let unheard = listener
                .slots
                .iter()
                .chain(&listener.retired)
                .map(|it| it.stream.unheard_from(voice))
                .max();
            let Some(out) = listener.slots.get_mut(slot).filter(|_| listener.connected) else {
                continue;
            };
            let kept_turn = if sabotage == Sabotage::TenureKept { 0 } else { turn };
            let holder = Holder { voice, turn: kept_turn };
            let is_late = !ring.is_empty() && !out.stream.is_live(holder);
            let packets: Vec<&Kept> = match is_late {
                false => vec![newest],
                true if sabotage == Sabotage::RingAtOnce => ring.iter().collect(),
                true => {
                    let unheard = unheard.filter(|_| sabotage != Sabotage::RingRepeats);
                    let newest = Newest {
                        index: newest.arrival.index,
                        unheard: unheard.unwrap_or(0),
                        may_catch_up: extra > 0,
                    };
                    let owed = out.stream.owed(holder, ring, newest);
                    extra = extra.saturating_sub((owed.len() as u32).saturating_sub(1));
                    ring.range(owed).collect()
                }
            };
            for kept in packets {
                let ahead = match sabotage {
                    Sabotage::ClockRunsAhead if is_late => Duration::from_millis(300),
                    _ => Duration::ZERO,
                };
                let arrival = Arrival { at: kept.arrival.at + ahead, ..kept.arrival };
                let Ok(stamp) = out.stream.stamp(holder, arrival, kept.payload.len()) else {
                    continue;
                };
                let mut bytes = vec![0; out.template.header_bytes() + kept.payload.len()];
                let header = out.template.write(&mut bytes, stamp, kept.level);
                bytes[header..].copy_from_slice(&kept.payload);
                sent.push(Sent { source: id, listener: to, slot, turn, bytes });
            }
        }
        self.extra.1 = extra;
        sent
    }

    /// What may still be sent out of rings in this frame's time.
    fn extra_at(&mut self, frame: u64) -> u32 {
        if self.extra.0 != frame {
            self.extra = (frame, self.extra_most);
        }
        self.extra.1
    }
}

impl OutSlot {
    pub fn new(ssrc: u32, seed: u64) -> OutSlot {
        let mid = format!("s{}", ssrc & 0xff);
        let spec = TemplateSpec {
            ssrc,
            payload_type: PAYLOAD_TYPE,
            level_id: Some(LEVEL_ID),
            mid: Some((4, &mid)),
        };
        let stream = Stream::new(seed as u16, (seed >> 16) as u32);
        OutSlot { ssrc, template: Template::new(&spec), stream }
    }
}
