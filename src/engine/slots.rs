//! One slot's outgoing stream: what sequence number and timestamp a packet gets for one
//! listener.
//!
//! Rule of tenure (DESIGN.md section 3): while one voice holds the slot, out = in + constant, so
//! the sender's loss and reorder stay visible to the receiver. At a switch or an unmute the
//! sequence goes on with the highest sent + 1, the timestamp above the highest, the marker is
//! set, and stragglers of the old tenure are dropped. No number is ever used for two packets
//! (the caller opens each packet once: SRTP's replay window).

use crate::limits::{FRAME_SAMPLES, LEAP_PACKETS, RTP_HZ};
use crate::rtp::Stamp;
use crate::{Discard, LegId, Time};

/// Who holds a slot: a source, and how often it began anew (unmute, new SSRC).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The leg, whose number is never used twice: a seat is, and so would be packet numbers.
    pub source: LegId,
    pub epoch: u32,
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

/// The numbering of one slot.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Next free index: one above the highest sent.
    next_index: u64,
    /// Timestamp of the packet with the highest index, and when it went.
    timestamp: u32,
    sent_at: Option<Time>,
    tenure: Option<Tenure>,
    packets: u32,
    octets: u32,
}

#[derive(Clone, Debug)]
struct Tenure {
    voice: Voice,
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
}

impl Stream {
    /// `first_sequence` below 2^15, so that a loss at the start cannot hide a wrap from the
    /// receiver (RFC 3711 section 3.3.1); both random, from the shell.
    pub fn new(first_sequence: u16, first_timestamp: u32) -> Self {
        Stream {
            next_index: u64::from(first_sequence & 0x7fff),
            timestamp: first_timestamp,
            sent_at: None,
            tenure: None,
            packets: 0,
            octets: 0,
        }
    }

    /// The numbers for one packet of `voice`, whose payload has `payload_bytes`.
    ///
    /// # Errors
    /// [`Discard::Straggler`] for a packet from before the tenure's first one.
    pub fn stamp(
        &mut self,
        voice: Voice,
        packet: Arrival,
        payload_bytes: usize,
    ) -> Result<Stamp, Discard> {
        let marker = match &self.tenure {
            Some(tenure) if tenure.voice == voice && !self.leaps(tenure, packet) => packet.marker,
            _ => {
                self.begin(voice, packet);
                true
            }
        };
        let tenure = self.tenure.as_ref().ok_or(Discard::Gone)?;
        if packet.index < tenure.first {
            return Err(Discard::Straggler);
        }
        let index = packet.index.wrapping_add(tenure.index_offset);
        let timestamp = packet.timestamp.wrapping_add(tenure.timestamp_offset);
        if index >= self.next_index {
            self.next_index = index + 1;
            self.timestamp = timestamp;
            self.sent_at = Some(packet.at);
        }
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload_bytes as u32);
        Ok(Stamp { index, timestamp, marker })
    }

    /// Counters and clock for a sender report; `None` while nothing was sent.
    pub fn sent(&self, now: Time) -> Option<Sent> {
        let elapsed = samples(now, self.sent_at?);
        let timestamp = self.timestamp.wrapping_add(elapsed);
        Some(Sent { packets: self.packets, octets: self.octets, timestamp })
    }

    /// The voice that holds the slot, if any.
    pub fn voice(&self) -> Option<Voice> {
        self.tenure.as_ref().map(|tenure| tenure.voice)
    }

    /// Whether the packet lies so far ahead that the receiver could not follow its number.
    fn leaps(&self, tenure: &Tenure, packet: Arrival) -> bool {
        let index = packet.index.wrapping_add(tenure.index_offset);
        packet.index >= tenure.first && index >= self.next_index + LEAP_PACKETS
    }

    fn begin(&mut self, voice: Voice, packet: Arrival) {
        let timestamp = match self.sent_at {
            Some(sent_at) => {
                self.timestamp.wrapping_add(samples(packet.at, sent_at).max(FRAME_SAMPLES))
            }
            None => self.timestamp,
        };
        self.tenure = Some(Tenure {
            voice,
            first: packet.index,
            index_offset: self.next_index.wrapping_sub(packet.index),
            timestamp_offset: timestamp.wrapping_sub(packet.timestamp),
        });
    }
}

/// Time passed, on the RTP clock.
fn samples(now: Time, since: Time) -> u32 {
    let micros = now.as_micros().saturating_sub(since.as_micros());
    (micros.wrapping_mul(RTP_HZ) / 1_000_000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANNA: Voice = Voice { source: LegId(1), epoch: 0 };
    const BORIS: Voice = Voice { source: LegId(2), epoch: 0 };

    fn packet(millis: u64, index: u64, timestamp: u32) -> Arrival {
        Arrival { at: Time::from_micros(millis * 1000), index, timestamp, marker: false }
    }

    fn sent(stream: &mut Stream, voice: Voice, arrival: Arrival) -> Option<(u64, u32, bool)> {
        let stamp = stream.stamp(voice, arrival, 100).ok()?;
        Some((stamp.index, stamp.timestamp, stamp.marker))
    }

    #[test]
    fn loss_and_reorder_of_the_sender_stay_visible() {
        let mut stream = Stream::new(100, 5_000);
        assert_eq!(sent(&mut stream, ANNA, packet(0, 7, 960)), Some((100, 5_000, true)));
        assert_eq!(sent(&mut stream, ANNA, packet(60, 10, 3_840)), Some((103, 7_880, false)));
        assert_eq!(sent(&mut stream, ANNA, packet(61, 9, 2_880)), Some((102, 6_920, false)));
    }

    #[test]
    fn a_switch_goes_on_above_everything_sent() {
        let mut stream = Stream::new(100, 5_000);
        sent(&mut stream, ANNA, packet(0, 7, 960));
        sent(&mut stream, ANNA, packet(20, 8, 1_920));
        let boris = sent(&mut stream, BORIS, packet(120, 40_000, 77));
        assert_eq!(boris, Some((102, 5_960 + 4_800, true)));
        assert_eq!(sent(&mut stream, BORIS, packet(121, 39_999, 0)), None);
        let next = sent(&mut stream, BORIS, packet(140, 40_001, 1_037));
        assert_eq!(next, Some((103, 11_720, false)));
    }

    #[test]
    fn a_leap_that_no_receiver_could_follow_is_a_new_tenure() {
        let mut stream = Stream::new(100, 0);
        sent(&mut stream, ANNA, packet(0, 7, 0));
        let below = sent(&mut stream, ANNA, packet(20, 7 + LEAP_PACKETS, 960));
        assert_eq!(below, Some((100 + LEAP_PACKETS, 960, false)));
        let far = 8 + 2 * LEAP_PACKETS;
        let leapt = sent(&mut stream, ANNA, packet(40, far, 5_000));
        assert_eq!(leapt, Some((101 + LEAP_PACKETS, 1_920, true)));
        assert_eq!(sent(&mut stream, ANNA, packet(41, far - 1, 4_040)), None);
    }

    #[test]
    fn an_unmute_is_a_new_tenure() {
        let mut stream = Stream::new(0, 0);
        sent(&mut stream, ANNA, packet(0, 10, 0));
        let again = Voice { epoch: 1, ..ANNA };
        assert_eq!(sent(&mut stream, again, packet(1, 500, 9)), Some((1, FRAME_SAMPLES, true)));
        assert_eq!(sent(&mut stream, again, packet(2, 499, 0)), None);
    }

    #[test]
    fn the_rollover_counter_rises_at_the_wrap() {
        let mut stream = Stream::new(0x7fff, 0);
        for step in 0..0x9000_u64 {
            let stamp = stream.stamp(ANNA, packet(step * 20, step, 0), 1).unwrap();
            assert_eq!(stamp.index, 0x7fff + step);
        }
    }

    #[test]
    fn a_sender_report_runs_on_with_the_clock() {
        let mut stream = Stream::new(0, 1_000);
        assert_eq!(stream.sent(Time::ZERO), None);
        sent(&mut stream, ANNA, packet(0, 1, 0));
        let report = stream.sent(Time::from_micros(20_000)).unwrap();
        assert_eq!(report, Sent { packets: 1, octets: 100, timestamp: 1_960 });
    }
}
