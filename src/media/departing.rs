//! Packets that came with one batch leave together, so that a listener of several voices is sent
//! one message: none waits for another, as all of them are there. At most one packet of a voice
//! waits, so that its ring holds nothing newer than what leaves.

use std::ops::Range;

use arrayvec::ArrayVec;
use engine::ring::Ring;
use engine::slots::{Arrival, Voice};
use engine::{Discard, LegId, Level, Time};

use super::CallNo;
use super::fanout::{FanOut, Heard, Sound, Speaking};
use super::inbox::BATCH;
use super::leg::Leg;
use super::seats::Seats;
use super::worker::Worker;
use crate::limits::RING_EXTRA_PACKETS;

/// The packets of a batch.
#[derive(Default)]
pub(super) struct Departing {
    packets: Vec<Parting>,
    payloads: Vec<u8>,
}

struct Parting {
    call: CallNo,
    voice: Voice,
    /// The talker's.
    seat: u32,
    arrival: Arrival,
    level: Option<Level>,
    payload: Range<usize>,
}

/// Packets out of rings that may still be sent within this frame's time.
#[derive(Default)]
pub(super) struct Extra {
    frame: u64,
    pub packets: u32,
}

/// Rings out of their talkers' seats, while packets go to others' seats.
pub(super) type Rings<const MOST: usize> = ArrayVec<Option<Box<Ring>>, MOST>;

impl Departing {
    /// Whether a packet of this voice must leave before another one of it comes.
    pub fn holds(&self, source: LegId) -> bool {
        self.packets.len() == BATCH || self.packets.iter().any(|it| it.voice.source == source)
    }

    pub fn push(&mut self, call: CallNo, voice: Voice, seat: u32, heard: Heard<'_>) {
        let begin = self.payloads.len();
        self.payloads.extend_from_slice(heard.payload);
        let payload = begin..self.payloads.len();
        let Heard { arrival, level, .. } = heard;
        self.packets.push(Parting { call, voice, seat, arrival, level, payload });
    }

    fn heard(&self, parting: &Parting) -> Heard<'_> {
        let payload = self.payloads.get(parting.payload.clone()).unwrap_or_default();
        Heard { arrival: parting.arrival, level: parting.level, payload }
    }
}

impl Worker {
    /// Sends what came: of each call everything a listener hears at once.
    pub fn depart(&mut self) {
        if self.departing.packets.is_empty() {
            return;
        }
        let mut departing = std::mem::take(&mut self.departing);
        departing.packets.sort_unstable_by_key(|it| (it.call, it.voice.source));
        for packets in departing.packets.chunk_by(|one, other| one.call == other.call) {
            self.depart_together(&departing, packets);
        }
        departing.packets.clear();
        departing.payloads.clear();
        self.departing = departing;
    }

    /// Packets of one call, each of another voice.
    fn depart_together(&mut self, departing: &Departing, packets: &[Parting]) {
        let Some((call, at)) = packets.first().map(|it| (it.call, it.arrival.at)) else { return };
        let Some(routes) = self.calls.get(&call) else { return };
        let is_scarce = routes.is_scarce();
        let mut rings = Rings::<BATCH>::new();
        if is_scarce {
            rings.extend(packets.iter().map(|it| take_ring(&mut self.seats, it.seat)));
        }
        let mut speaking = ArrayVec::<Speaking<'_>, BATCH>::new();
        for (position, packet) in packets.iter().enumerate() {
            let Some((voice, routes)) = routes.of(packet.voice.source) else { continue };
            let ring = rings.get(position).and_then(Option::as_deref);
            let sound = Sound::Packet(departing.heard(packet), ring);
            speaking.push(Speaking { voice, routes, sound, sent: 0 });
        }
        self.extra.renew(at);
        let (out, extra) = ((&mut self.outbox, &*self.socket), &mut self.extra.packets);
        FanOut::of(out, &self.stats, extra).send(&mut speaking, &mut self.seats, usize::MAX);
        for one in &speaking {
            if one.sent == 0 && !routes.has_bundles(one.voice.source) {
                self.stats.discard(Discard::NoListener);
            }
        }
        self.stats.forwarded(speaking.iter().map(|one| one.sent).sum());
        drop(speaking);
        for (packet, ring) in packets.iter().zip(rings) {
            give_ring(&mut self.seats, packet.seat, ring);
        }
    }
}

pub(super) fn take_ring(seats: &mut Seats<Leg>, seat: u32) -> Option<Box<Ring>> {
    seats.at_mut(seat).and_then(|leg| leg.source.ring.take())
}

pub(super) fn give_ring(seats: &mut Seats<Leg>, seat: u32, ring: Option<Box<Ring>>) {
    if let Some(leg) = seats.at_mut(seat).filter(|_| ring.is_some()) {
        leg.source.ring = ring;
    }
}

impl Extra {
    pub fn renew(&mut self, now: Time) {
        let frame = now.as_micros() / 20_000;
        if frame != self.frame {
            *self = Extra { frame, packets: RING_EXTRA_PACKETS };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_have_their_share_of_each_frame() {
        let (mut extra, at) = (Extra::default(), |millis: u64| Time::from_micros(millis * 1_000));
        extra.renew(at(100));
        assert_eq!(extra.packets, RING_EXTRA_PACKETS);
        extra.packets = 0;
        extra.renew(at(119));
        assert_eq!(extra.packets, 0);
        extra.renew(at(120));
        assert_eq!(extra.packets, RING_EXTRA_PACKETS);
    }
}
