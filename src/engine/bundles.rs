//! Bundles: in a large call, listeners who do not talk hear several frames of a voice in one
//! packet (RFC 6716 section 3.2), all voices of a listener at one moment, the end of the call's
//! *tick*. Frames are joined once a voice, not once a listener, and nothing is decoded.
//!
//! A packet stays in its voice's ring; the end of the tick takes from there what came within it.
//! Knows no listeners: who hears what of a bundle is the slot's affair (`slots`).

use alloc::vec::Vec;
use core::time::Duration;

use crate::limits::{BUNDLE_SLACK, BUNDLE_VOICES_MAX, FRAME_SAMPLES, RTP_HZ};
use crate::opus::{Joined, Packet};
use crate::ring::{Kept, Ring};
use crate::slots::{Arrival, Voice};
use crate::{Level, Time};

/// Frames of one voice in one packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    pub voice: Voice,
    /// The talker's.
    pub seat: u32,
    /// What the first and the last of its packets came as.
    pub first: Arrival,
    pub last: Arrival,
    /// Of the loudest.
    pub level: Option<Level>,
    pub payload: Vec<u8>,
}

/// A call's, while some of its listeners hear bundles.
#[derive(Clone, Debug)]
pub struct Bundles {
    span: Duration,
    /// When the tick ends; `None` while nobody talks.
    due: Option<Time>,
    /// Who was heard within the tick, at which seat, and since when.
    heard: Vec<(Voice, u32, Time)>,
    leaving: Vec<Bundle>,
    joined: Joined,
    /// Buffers of bundles that went: no allocation in steady state.
    spare: Vec<Vec<u8>>,
}

impl Bundles {
    /// With ticks of `span`: a multiple of 20 ms, the length of most packets.
    pub fn new(span: Duration) -> Bundles {
        let (due, joined) = (None, Joined::default());
        let (heard, leaving, spare) = (Vec::new(), Vec::new(), Vec::new());
        Bundles { span, due, heard, leaving, joined, spare }
    }

    /// The length of a tick: how much later than without it a listener may hear.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// From the next tick on.
    pub fn set_span(&mut self, span: Duration) {
        self.span = span;
    }

    /// A packet came, which its voice's ring keeps. The first after a silence sets the ticks'
    /// phase: they end as soon as the last packet of its voice is there.
    pub fn hear(&mut self, voice: Voice, seat: u32, at: Time) {
        let is_known = self.heard.iter().any(|(known, ..)| *known == voice);
        // Beyond stand voices that no listener has a slot for.
        if !is_known && self.heard.len() < BUNDLE_VOICES_MAX {
            self.heard.push((voice, seat, at));
        }
        if self.due.is_none() {
            self.due = Some(at + (self.span.saturating_sub(FRAME) + BUNDLE_SLACK));
        }
    }

    /// When the tick ends; `None` while nobody talks.
    pub fn due(&self) -> Option<Time> {
        self.due
    }

    /// What came within the tick that goes on, each packet by itself, those of one voice behind
    /// each other: for a listener who does not wait for its end.
    pub fn apart<'r>(&self, ring_of: impl Fn(u32) -> Option<&'r Ring>) -> Vec<Bundle> {
        let mut packets = Vec::new();
        for (voice, seat, since) in self.heard.iter().copied() {
            let Some(ring) = ring_of(seat) else { continue };
            for kept in ring.of(voice).iter().filter(|kept| kept.arrival.at >= since) {
                let Kept { arrival: first, level, ref payload } = *kept;
                let payload = payload.clone();
                packets.push(Bundle { voice, seat, first, last: first, level, payload });
            }
        }
        packets
    }

    /// Ends the tick: what came within it is [`leaving`](Self::leaving). `ring_of` finds the ring
    /// of the voice at a seat.
    pub fn end<'r>(&mut self, now: Time, ring_of: impl Fn(u32) -> Option<&'r Ring>) {
        self.clear();
        let next = self.due.map_or(now, |due| due + self.span).max(now);
        self.due = (!self.heard.is_empty()).then_some(next);
        let mut heard = core::mem::take(&mut self.heard);
        for (voice, seat, since) in heard.drain(..) {
            if let Some(ring) = ring_of(seat) {
                let kept = ring.of(voice).iter();
                self.join(voice, seat, kept.filter(|kept| kept.arrival.at >= since));
            }
        }
        self.heard = heard;
    }

    /// Bundles that are to be sent, those of one voice behind each other.
    pub fn leaving(&self) -> &[Bundle] {
        &self.leaving
    }

    /// What was leaving has left.
    pub fn clear(&mut self) {
        self.spare.extend(self.leaving.drain(..).map(|bundle| bundle.payload));
    }

    /// As few packets as can be: a gap, a change of the encoder or too many bytes begin another.
    fn join<'k>(&mut self, voice: Voice, seat: u32, kept: impl Iterator<Item = &'k Kept>) {
        let mut open: Option<(Arrival, &Kept, Option<Level>)> = None;
        self.joined.clear();
        for kept in kept {
            if let Some((_, last, level)) = &mut open
                && follows(last, kept)
                && self.joined.push(&kept.payload)
            {
                (*last, *level) = (kept, louder(*level, kept.level));
                continue;
            }
            if let Some((first, last, level)) = open.take() {
                self.write((voice, seat), first, last, level);
            }
            self.joined.clear();
            self.joined.push(&kept.payload);
            open = Some((kept.arrival, kept, kept.level));
        }
        if let Some((first, last, level)) = open {
            self.write((voice, seat), first, last, level);
        }
    }

    fn write(
        &mut self,
        (voice, seat): (Voice, u32),
        first: Arrival,
        newest: &Kept,
        level: Option<Level>,
    ) {
        let mut payload = self.spare.pop().unwrap_or_default();
        payload.clear();
        let last = newest.arrival;
        match first.index == last.index {
            // As it came, whatever it is.
            true => payload.extend_from_slice(&newest.payload),
            false => self.joined.write(&mut payload),
        }
        self.leaving.push(Bundle { voice, seat, first, last, level, payload });
    }
}

/// Whether a packet is the next one, and its sound goes on where the other's ends.
fn follows(one: &Kept, next: &Kept) -> bool {
    let Some(packet) = Packet::parse(&one.payload) else { return false };
    next.arrival.index == one.arrival.index + 1
        && next.arrival.timestamp == one.arrival.timestamp.wrapping_add(packet.samples())
}

/// Levels count down from the loudest.
fn louder(one: Option<Level>, other: Option<Level>) -> Option<Level> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// What most packets hold.
const FRAME: Duration = Duration::from_millis(FRAME_SAMPLES as u64 * 1_000 / RTP_HZ);

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;
    use crate::LegId;

    const ANNA: Voice = Voice { source: LegId(1), epoch: 1 };
    const BORIS: Voice = Voice { source: LegId(2), epoch: 1 };
    /// 20 ms frames: CELT, full band, mono.
    const TOC: u8 = 31 << 3;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1_000)
    }

    /// A packet whose only byte is its index.
    fn say(bundles: &mut Bundles, ring: &mut Ring, voice: Voice, millis: u64, index: u64) {
        let timestamp = index as u32 * 960;
        let arrival = Arrival { at: at(millis), index, timestamp, marker: false };
        let level = Level::from_extension(100 - index as u8);
        ring.keep(voice, arrival, Some(level), &[TOC, index as u8]);
        bundles.hear(voice, voice.source.0 as u32, at(millis));
    }

    fn payloads(bundles: &Bundles) -> Vec<Vec<u8>> {
        bundles.leaving().iter().map(|bundle| bundle.payload.clone()).collect()
    }

    #[test]
    fn a_tick_ends_with_the_last_packet_of_the_voice_that_began_it() {
        let (mut bundles, mut ring) = (Bundles::new(2 * FRAME), Ring::default());
        for (millis, index) in [(100, 5), (120, 6)] {
            say(&mut bundles, &mut ring, ANNA, millis, index);
        }
        assert_eq!(bundles.due(), Some(at(120) + BUNDLE_SLACK));
        bundles.end(at(122), |_| Some(&ring));
        assert_eq!(payloads(&bundles), [[TOC | 1, 5, 6]]);
        let bundle = &bundles.leaving()[0];
        assert_eq!((bundle.first.index, bundle.last.index), (5, 6));
        assert_eq!(bundle.level, Some(Level::from_extension(94)), "the louder one's");
        assert_eq!(bundles.due(), Some(at(160) + BUNDLE_SLACK));
    }

    #[test]
    fn ticks_are_common_to_all_voices_and_end_with_them() {
        let (mut bundles, mut anna, mut boris) =
            (Bundles::new(3 * FRAME), Ring::default(), Ring::default());
        for index in 0..6 {
            say(&mut bundles, &mut anna, ANNA, 100 + index * 20, index);
            say(&mut bundles, &mut boris, BORIS, 113 + index * 20, index);
            let now = at(113 + index * 20);
            if bundles.due().is_some_and(|due| due <= now) {
                bundles.end(now, |seat| Some(if seat == 1 { &anna } else { &boris }));
                assert_eq!(bundles.leaving().len(), 2);
            }
        }
        bundles.end(at(300), |seat| Some(if seat == 1 { &anna } else { &boris }));
        bundles.end(at(400), |_| None);
        assert_eq!((bundles.due(), bundles.leaving().len()), (None, 0));
    }

    #[test]
    fn a_gap_stays_one() {
        let (mut bundles, mut ring) = (Bundles::new(3 * FRAME), Ring::default());
        for (millis, index) in [(100, 5), (110, 8), (120, 6)] {
            say(&mut bundles, &mut ring, ANNA, millis, index);
        }
        bundles.end(at(140), |_| Some(&ring));
        assert_eq!(payloads(&bundles), [vec![TOC | 1, 5, 6], vec![TOC, 8]]);
    }

    #[test]
    fn what_was_said_before_a_mute_is_not_sent_after_it() {
        let (mut bundles, mut ring) = (Bundles::new(2 * FRAME), Ring::default());
        say(&mut bundles, &mut ring, ANNA, 100, 5);
        let again = Voice { epoch: 2, ..ANNA };
        say(&mut bundles, &mut ring, again, 120, 6);
        bundles.end(at(122), |_| Some(&ring));
        assert_eq!(payloads(&bundles), [[TOC, 6]]);
    }

    #[test]
    fn what_is_no_opus_is_sent_as_it_came() {
        let (mut bundles, mut ring) = (Bundles::new(2 * FRAME), Ring::default());
        for (index, payload) in [(1, &[TOC | 3][..]), (2, &[TOC, 1]), (3, b"")] {
            let timestamp = index as u32 * 960;
            let arrival = Arrival { at: at(index), index, timestamp, marker: false };
            ring.keep(ANNA, arrival, None, payload);
            bundles.hear(ANNA, 1, at(index));
        }
        bundles.end(at(40), |_| Some(&ring));
        assert_eq!(payloads(&bundles), [&[TOC | 3][..], &[TOC, 1], b""]);
    }
}
