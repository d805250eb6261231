//! One slot's outgoing stream: what sequence number and timestamp a packet gets for one
//! listener.
//!
//! Rule of tenure (DESIGN.md section 3): while one voice holds the slot, out = in + constant, so
//! the sender's loss and reorder stay visible to the receiver. At a switch or an unmute the
//! sequence goes on with the highest sent + 1, the timestamp above the highest, the marker is
//! set, and stragglers of the old tenure are dropped. No number is ever used for two packets
//! (the caller opens each packet once: SRTP's replay window).
//!
//! A tenure may begin with packets out of a ring, which are older than the moment. The timestamps
//! then run ahead of the slot's clock, and stay there: set back, every packet would look late to
//! the receiver for seconds. What he has not caught up with yet is the *lead*, a ring at most.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::ops::Range;

use crate::limits::{
    FORMER_VOICES, FRAME_SAMPLES, LEAD_SETTLES, LEAP_PACKETS, RING_BURST, RING_SPAN, RTP_HZ,
};
use crate::ring::Kept;
use crate::rtp::Stamp;
use crate::{Discard, LegId, Time};

/// A source, and how often it began anew (unmute, new SSRC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The leg, whose number is never used twice: a seat is, and so would be packet numbers.
    pub source: LegId,
    pub epoch: u32,
}

/// Who holds a slot: a voice, in its so-and-so-many-th turn there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    pub voice: Voice,
    pub turn: u32,
}

/// A packet of a voice as it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub at: Time,
    /// The sender's rollover counter and sequence number.
    pub index: u64,
    pub timestamp: u32,
    pub marker: bool,
}

/// The newest packet of a voice that is kept, and what is to be sent before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Newest {
    /// By the voice's own number.
    pub index: u64,
    /// The first that the listener has not heard of this voice, on whichever slot.
    pub unheard: u64,
    /// False where more than one packet a frame is more than can be sent.
    pub may_catch_up: bool,
}

/// The numbering of one slot.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Next free index: one above the highest sent.
    next_index: u64,
    /// Timestamp of the packet with the highest index, and when that came in.
    timestamp: u32,
    newest_at: Option<Time>,
    /// How far the timestamps run ahead, in samples.
    lead: u32,
    /// Since when it shrinks.
    led_at: Time,
    tenure: Option<Tenure>,
    /// Voices that held the slot before, the last one last, each with its first packet above all
    /// that were sent here: at most [`FORMER_VOICES`], and none where slots do not change hands.
    former: Vec<(Voice, u64)>,
    tenures: u32,
    /// The ring's packet that is sent next, while the slot catches up.
    due: Option<u64>,
    packets: u32,
    octets: u32,
}

#[derive(Clone, Debug)]
struct Tenure {
    holder: Holder,
    /// The first packet's index as it came in; older ones are stragglers.
    first: u64,
    index_offset: u64,
    timestamp_offset: u32,
}

/// What a sender report says of a slot (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    pub packets: u32,
    pub octets: u32,
    /// RTP timestamp at `now`.
    pub timestamp: u32,
    /// Tenures begun: a receiver wants a report after each.
    pub tenures: u32,
}

impl Stream {
    /// `first_sequence` below 2^15, so that a loss at the start cannot hide a wrap from the
    /// receiver (RFC 3711 section 3.3.1); both random, from the shell.
    pub fn new(first_sequence: u16, first_timestamp: u32) -> Self {
        Stream {
            next_index: u64::from(first_sequence & 0x7fff),
            timestamp: first_timestamp,
            newest_at: None,
            lead: 0,
            led_at: Time::ZERO,
            tenure: None,
            former: Vec::new(),
            tenures: 0,
            due: None,
            packets: 0,
            octets: 0,
        }
    }

    /// Whether the newest packet of this voice is next: it holds the slot and is not behind.
    pub fn is_live(&self, holder: Holder) -> bool {
        self.due.is_none() && self.is_held_by(holder)
    }

    /// What to send of a voice whose last packets are `kept`, now that its packet `newest` came:
    /// positions in `kept`. A new holder begins as early as the lead allows, with nothing that the
    /// listener has heard, and catches up by one more packet each time.
    pub fn owed(&mut self, holder: Holder, kept: &VecDeque<Kept>, newest: Newest) -> Range<usize> {
        let Newest { index: newest, unheard, may_catch_up } = newest;
        let position = |index| kept.partition_point(|kept| kept.arrival.index < index);
        let begin = match (self.is_held_by(holder), self.due) {
            (true, Some(due)) if newest >= due => position(due),
            // Reordered, from before what is due; or nothing is due.
            (true, _) => return position(newest)..(position(newest) + 1).min(kept.len()),
            (false, _) => {
                let fits = |kept: &Kept| self.begin_at(kept.arrival.at).1 <= LEAD_MAX;
                let adds = |kept: &Kept| self.begin_at(kept.arrival.at).1 > self.lead;
                let begin = match kept.iter().position(fits) {
                    Some(begin) => begin,
                    // A frame later it does not. Else every switch of a busy hour adds to the lead.
                    None if kept.back().is_none_or(adds) => return 0..0,
                    None => kept.len() - 1,
                };
                begin.max(position(unheard))
            }
        };
        let burst = if may_catch_up { RING_BURST } else { 1 };
        let end = (begin + burst).min(kept.len());
        self.due = kept.get(end).map(|kept| kept.arrival.index);
        begin..end
    }

    /// What to send to a listener who gets his voices bundled: all that is kept, from where the
    /// lead allows.
    pub fn owed_whole(
        &mut self,
        holder: Holder,
        kept: &VecDeque<Kept>,
        unheard: u64,
    ) -> Range<usize> {
        let index = kept.back().map_or(0, |kept| kept.arrival.index);
        let owed = self.owed(holder, kept, Newest { index, unheard, may_catch_up: false });
        self.due = None;
        if owed.is_empty() { owed } else { owed.start..kept.len() }
    }

    /// The first packet of this holder, by its own number, that is above all that were sent.
    pub fn unsent_from(&self, holder: Holder) -> u64 {
        let held = self.tenure.as_ref().filter(|tenure| tenure.holder == holder);
        held.map_or(0, |tenure| self.unsent_of(tenure))
    }

    /// The same of a voice that holds the slot, or was one of the last that did; 0 of others.
    pub fn unheard_from(&self, voice: Voice) -> u64 {
        let held = self.tenure.as_ref().filter(|tenure| tenure.holder.voice == voice);
        let former = || self.former.iter().find(|(former, _)| *former == voice);
        let held = held.map(|tenure| self.unsent_of(tenure));
        held.or_else(|| former().map(|(_, unsent)| *unsent)).unwrap_or(0)
    }

    fn unsent_of(&self, tenure: &Tenure) -> u64 {
        self.next_index.wrapping_sub(tenure.index_offset)
    }

    /// The numbers for one packet, whose payload has `payload_bytes`.
    ///
    /// # Errors
    /// [`Discard::Straggler`] for a packet from before the tenure's first one.
    pub fn stamp(
        &mut self,
        holder: Holder,
        packet: Arrival,
        payload_bytes: usize,
    ) -> Result<Stamp, Discard> {
        self.stamp_bundle(holder, packet, packet, payload_bytes)
    }

    /// The numbers for one packet that holds all frames from the packet `packet` to `last`. The
    /// next one is numbered as if they had been one: so what is missing before or behind a bundle
    /// stays visible, and what is inside of it is not taken for lost.
    ///
    /// # Errors
    /// [`Discard::Straggler`] for what was sent already, or is from before the tenure.
    pub fn stamp_bundle(
        &mut self,
        holder: Holder,
        packet: Arrival,
        last: Arrival,
        payload_bytes: usize,
    ) -> Result<Stamp, Discard> {
        let marker = match &self.tenure {
            Some(tenure) if tenure.holder == holder && !self.leaps(tenure, packet) => packet.marker,
            _ => {
                self.begin(holder, packet);
                true
            }
        };
        let tenure = self.tenure.as_mut().ok_or(Discard::Gone)?;
        if packet.index < tenure.first {
            return Err(Discard::Straggler);
        }
        let index = packet.index.wrapping_add(tenure.index_offset);
        let timestamp = packet.timestamp.wrapping_add(tenure.timestamp_offset);
        if index >= self.next_index {
            self.next_index = index + 1;
            self.timestamp = last.timestamp.wrapping_add(tenure.timestamp_offset);
            self.newest_at = Some(last.at);
        }
        if last.index > packet.index {
            // Inside of the bundle nothing has a number of its own any more.
            tenure.first = last.index + 1;
            tenure.index_offset = tenure.index_offset.wrapping_sub(last.index - packet.index);
        }
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload_bytes as u32);
        Ok(Stamp { index, timestamp, marker })
    }

    /// Counters and clock for a sender report; `None` while nothing was sent.
    pub fn sent(&self, now: Time) -> Option<Sent> {
        let elapsed = samples_between(self.newest_at?, now) as u32;
        let timestamp = self.timestamp.wrapping_add(elapsed);
        let (packets, octets, tenures) = (self.packets, self.octets, self.tenures);
        Some(Sent { packets, octets, timestamp, tenures })
    }

    /// Packets sent since the start.
    pub fn packets(&self) -> u32 {
        self.packets
    }

    fn is_held_by(&self, holder: Holder) -> bool {
        self.tenure.as_ref().is_some_and(|tenure| tenure.holder == holder)
    }

    /// Whether the packet lies so far ahead that the receiver could not follow its number.
    fn leaps(&self, tenure: &Tenure, packet: Arrival) -> bool {
        let index = packet.index.wrapping_add(tenure.index_offset);
        packet.index >= tenure.first && index >= self.next_index + LEAP_PACKETS
    }

    fn begin(&mut self, holder: Holder, packet: Arrival) {
        let (timestamp, lead) = self.begin_at(packet.at);
        (self.lead, self.led_at) = (lead, self.led_at.max(packet.at));
        self.tenures = self.tenures.wrapping_add(1);
        self.note_former(holder.voice);
        self.tenure = Some(Tenure {
            holder,
            first: packet.index,
            index_offset: self.next_index.wrapping_sub(packet.index),
            timestamp_offset: timestamp.wrapping_sub(packet.timestamp),
        });
    }

    /// The present holder gives the slot to `next`. Of one source only the newest voice may come
    /// back, so one is kept.
    fn note_former(&mut self, next: Voice) {
        let Some(tenure) = &self.tenure else { return };
        let (voice, unsent) = (tenure.holder.voice, self.unsent_of(tenure));
        let is_over =
            |former: &Voice| former.source == voice.source || former.source == next.source;
        self.former.retain(|(former, _)| !is_over(former));
        if voice.source != next.source {
            if self.former.len() == FORMER_VOICES {
                self.former.remove(0);
            }
            self.former.push((voice, unsent));
        }
    }

    /// Timestamp and lead of a tenure that begins with a packet that came in at `at`.
    fn begin_at(&self, at: Time) -> (u32, u32) {
        let Some(newest) = self.newest_at else { return (self.timestamp, 0) };
        let passed = samples_between(newest, at);
        let step = passed.max(i64::from(FRAME_SAMPLES));
        let settled = samples_between(self.led_at, at).max(0) * i64::from(LEAD_MAX) / SETTLES;
        let left = (i64::from(self.lead) - settled).max(0);
        (self.timestamp.wrapping_add(step as u32), (left + step - passed) as u32)
    }
}

/// Time from one moment to another on the RTP clock; negative where it runs backwards.
fn samples_between(from: Time, to: Time) -> i64 {
    let micros = to.as_micros() as i64 - from.as_micros() as i64;
    micros.saturating_mul(RTP_HZ as i64) / 1_000_000
}

/// [`LEAD_SETTLES`] on the RTP clock.
const SETTLES: i64 = (LEAD_SETTLES.as_millis() as u64 * RTP_HZ / 1_000) as i64;

/// A ring on the RTP clock.
const LEAD_MAX: u32 = (RING_SPAN.as_millis() as u64 * RTP_HZ / 1_000) as u32;

#[cfg(test)]
mod tests;
