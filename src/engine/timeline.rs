//! A recording's time: each recorded voice has a sample axis of its own ([`Axis`]), made while
//! its packets come, and a map from that axis to the call's time ([`ClockMap`]), by which a mix
//! places it ([`Placement`]).
//!
//! Knows no files and decodes nothing. Packets come in; what is to be written, in order and without
//! holes, goes out: the packets themselves, and between them so much to conceal or so much silence
//! (RFC 7845 section 4.1).

mod clock;
mod place;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use core::time::Duration;

pub use clock::{ClockMap, ClockPoint};
pub use place::{Placement, Sound, Step};

use crate::limits::{
    ANEW_INTERVAL, AXIS_AHEAD_MAX, AXIS_BEHIND_MAX, AXIS_REORDER_WAIT, AXIS_WAITING_MAX,
    CLOCK_WINDOW, CONCEALED_DTX_SAMPLES, CONCEALED_LOST_SAMPLES, FILL_STEP_SAMPLES, FRAME_SAMPLES,
    OPUS_PACKET_SAMPLES, RTP_HZ, STOOD_STILL_US, UNMUTE_SLIP_MAX,
};
use crate::slots::Arrival;
use crate::{LegId, Time};

/// A packet of a voice that is recorded, as its worker hands it on; `P` is its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken<P = Box<[u8]>> {
    pub leg: LegId,
    /// Rises with each unmute and each new SSRC ([`crate::slots::Voice`]).
    pub epoch: u32,
    pub arrival: Arrival,
    /// How long it sounds, in samples of 48 kHz.
    pub samples: u32,
    pub payload: P,
}

impl<P> Taken<P> {
    /// The same with the payload kept elsewhere.
    pub fn map<Q>(self, payload: impl FnOnce(P) -> Q) -> Taken<Q> {
        let Taken { leg, epoch, arrival, samples, payload: held } = self;
        Taken { leg, epoch, arrival, samples, payload: payload(held) }
    }
}

/// What follows on the axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<P = Box<[u8]>> {
    Packet(Taken<P>),
    /// Nothing came, and the decoder shall go on from what it heard: a loss, or DTX.
    Conceal {
        samples: u64,
        why: Gap,
    },
    /// Nothing came for longer than can be concealed; `sample` is where the silence begins.
    Silence {
        sample: u64,
        samples: u64,
        why: Gap,
    },
}

/// Why nothing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Packet numbers are missing, so many that they can have filled the gap.
    Lost,
    /// The sender sent nothing: DTX, or a mute.
    Unsent,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is on the axis, or will be.
    Kept,
    /// Its place was given away: it came later than [`AXIS_REORDER_WAIT`] allows.
    Late,
}

/// One voice's sample axis.
#[derive(Clone, Debug)]
pub struct Axis<P = Box<[u8]>> {
    /// Packets that may still be overtaken, by index.
    waiting: BTreeMap<u64, Taken<P>>,
    head: Option<Head>,
    /// When a sample of the axis was said, by the packets of a while ago.
    anchor: Option<ClockPoint>,
    /// Samples that went out: where the next piece begins.
    end: u64,
    pieces: VecDeque<Piece<P>>,
    points: VecDeque<ClockPoint>,
    window: Option<Window>,
    /// When a clock last began anew.
    anew_at: Option<Time>,
}

/// How the packets' numbers lie on the axis.
#[derive(Clone, Copy, Debug)]
struct Head {
    epoch: u32,
    /// The next packet's index, if none is lost.
    index: u64,
    /// A timestamp and the sample it stands at.
    timestamp: u32,
    sample: u64,
}

/// The packet that was least delayed within a few seconds.
#[derive(Clone, Copy, Debug)]
struct Window {
    until: Time,
    /// Where its first packet began.
    begin: u64,
    best: ClockPoint,
}

impl<P> Default for Axis<P> {
    fn default() -> Self {
        Axis {
            waiting: BTreeMap::new(),
            head: None,
            anchor: None,
            end: 0,
            pieces: VecDeque::new(),
            points: VecDeque::new(),
            window: None,
            anew_at: None,
        }
    }
}

impl<P> Axis<P> {
    pub fn handle_packet(&mut self, now: Time, taken: Taken<P>) -> Fate {
        if let Some(head) = self.head {
            if taken.epoch != head.epoch {
                self.flush();
            } else if taken.arrival.index < head.index {
                return Fate::Late;
            } else if taken.arrival.index == head.index && self.waiting.is_empty() {
                self.put(taken);
                return Fate::Kept;
            }
        }
        self.waiting.insert(taken.arrival.index, taken);
        self.handle_timeout(now);
        Fate::Kept
    }

    /// Gives up waiting for packets that are overdue.
    pub fn handle_timeout(&mut self, now: Time) {
        while let Some((index, first)) = self.waiting.first_key_value() {
            // The first one of a voice waits for nothing: what it overtook is late.
            let is_next =
                self.head.is_none_or(|head| head.epoch != first.epoch || head.index == *index);
            let is_overdue = now >= first.arrival.at + AXIS_REORDER_WAIT;
            if !is_next && !is_overdue && self.waiting.len() <= AXIS_WAITING_MAX {
                return;
            }
            if let Some((_, taken)) = self.waiting.pop_first() {
                self.put(taken);
            }
        }
    }

    /// Everything that waits goes out: the voice is over.
    pub fn flush(&mut self) {
        while let Some((_, taken)) = self.waiting.pop_first() {
            self.put(taken);
        }
        self.close_window();
    }

    pub fn poll_piece(&mut self) -> Option<Piece<P>> {
        self.pieces.pop_front()
    }

    pub fn poll_point(&mut self) -> Option<ClockPoint> {
        self.points.pop_front()
    }

    /// Samples of all pieces until now, those to be polled included.
    pub fn end(&self) -> u64 {
        self.end
    }

    fn put(&mut self, taken: Taken<P>) {
        let place = self.place(&taken);
        let expected = self.expected(&taken);
        let gap = place.sample.saturating_sub(self.end) / FILL_STEP_SAMPLES * FILL_STEP_SAMPLES;
        let is_same = self.head.is_none_or(|head| head.epoch == taken.epoch);
        self.fill(gap, place.why, is_same);
        let (begin, samples, arrival) = (self.end, u64::from(taken.samples), taken.arrival);
        self.end += samples;
        let sample = if place.is_anew { begin } else { place.base.sample };
        let timestamp = if place.is_anew { arrival.timestamp } else { place.base.timestamp };
        self.head = Some(Head { epoch: taken.epoch, index: arrival.index + 1, timestamp, sample });
        if place.is_anew {
            self.begin_anew(begin, expected, samples, arrival.at);
        }
        self.note_clock(begin, begin + samples, arrival.at);
        self.pieces.push_back(Piece::Packet(taken));
    }

    /// Where a packet belongs: by its timestamp, unless that contradicts the time it came at.
    fn place(&self, taken: &Taken<P>) -> Place {
        let arrival = taken.arrival;
        let anew = |sample| Place {
            sample,
            why: Gap::Unsent,
            is_anew: true,
            base: Base { timestamp: arrival.timestamp, sample },
        };
        let Some(head) = self.head else { return anew(self.end) };
        let expected = self.expected(taken);
        // A timestamp's distance is at most half its range (RFC 3550 section 5.1).
        let distance = arrival.timestamp.wrapping_sub(head.timestamp) as i32;
        let told = head.sample.checked_add_signed(i64::from(distance));
        let is_same = taken.epoch == head.epoch;
        let (behind, ahead) = if is_same {
            (samples_in(AXIS_BEHIND_MAX), samples_in(AXIS_AHEAD_MAX))
        } else {
            (samples_in(UNMUTE_SLIP_MAX), samples_in(UNMUTE_SLIP_MAX))
        };
        let overlap_max = u64::from(FRAME_SAMPLES);
        let fits = |sample: &u64| {
            sample + behind >= expected
                && *sample <= expected.saturating_add(ahead)
                && sample + overlap_max >= self.end
        };
        match told.filter(fits) {
            Some(sample) => Place {
                sample,
                why: if is_same { self.why(head, arrival.index, sample) } else { Gap::Unsent },
                is_anew: false,
                // The newest one, as half a timestamp's range is twelve hours only.
                base: Base { timestamp: arrival.timestamp, sample },
            },
            None => anew(expected.max(self.end)),
        }
    }

    /// One number that is missing over a long pause was not the whole of it.
    fn why(&self, head: Head, index: u64, sample: u64) -> Gap {
        let missing = index.saturating_sub(head.index);
        let most = missing.saturating_mul(u64::from(OPUS_PACKET_SAMPLES));
        let is_loss = missing > 0 && sample.saturating_sub(self.end) <= most;
        if is_loss { Gap::Lost } else { Gap::Unsent }
    }

    /// Where a packet belongs by the time it came at, if it was as little delayed as the anchor.
    fn expected(&self, taken: &Taken<P>) -> u64 {
        self.anchor.map_or(self.end, |anchor| {
            let passed = samples_in(taken.arrival.at.since(anchor.at));
            (anchor.sample + passed).saturating_sub(u64::from(taken.samples))
        })
    }

    fn fill(&mut self, gap: u64, why: Gap, is_same: bool) {
        let most = match (is_same, why) {
            (true, Gap::Lost) => CONCEALED_LOST_SAMPLES,
            (true, Gap::Unsent) => CONCEALED_DTX_SAMPLES,
            // What was said while muted is told by the next packet (in-band FEC): not even that.
            (false, _) => 0,
        };
        // Before the first packet there is nothing to go on from.
        let concealed = if self.head.is_some() { gap.min(most) } else { 0 };
        if concealed > 0 {
            self.pieces.push_back(Piece::Conceal { samples: concealed, why });
        }
        if gap > concealed {
            let (sample, samples) = (self.end + concealed, gap - concealed);
            self.pieces.push_back(Piece::Silence { sample, samples, why });
        }
        self.end += gap;
    }

    /// The clock of what was before ends. Where the axis has run ahead of the time, it may not
    /// run on from there.
    fn begin_anew(&mut self, begin: u64, expected: u64, samples: u64, at: Time) {
        // Whoever sets his timestamps anew all the time has no clock: let it go on.
        if self.anew_at.is_some_and(|last| at.since(last) < ANEW_INTERVAL) {
            return;
        }
        self.anew_at = Some(at);
        self.close_window();
        let sounded = samples * 1_000_000 / RTP_HZ;
        let at = Time::from_micros(at.as_micros().saturating_sub(sounded));
        self.anchor = Some(ClockPoint { sample: begin.min(expected), at, is_anew: true });
        self.points.push_back(ClockPoint { sample: begin, at, is_anew: true });
    }

    /// A packet's sound ended, at the latest, when it came: of a few seconds the one that was
    /// least delayed tells the clock.
    fn note_clock(&mut self, begin: u64, end: u64, at: Time) {
        let point = ClockPoint { sample: end, at, is_anew: false };
        match &mut self.window {
            Some(window) if at < window.until => {
                if delay_us(&point) < delay_us(&window.best) {
                    window.best = point;
                }
            }
            Some(_) | None => {
                self.close_window();
                self.window = Some(Window { until: at + CLOCK_WINDOW, begin, best: point });
            }
        }
    }

    fn close_window(&mut self) {
        let Some(window) = self.window.take() else { return };
        let former = self.anchor.replace(window.best);
        // A network that stalled catches up within the window; a microphone that stood still does
        // not, and all of it was said so much later.
        let later = former.map_or(0, |former| delay_us(&window.best) - delay_us(&former));
        if later > STOOD_STILL_US {
            let at = sample_us(window.begin) + delay_us(&window.best);
            let at = Time::from_micros(u64::try_from(at).unwrap_or(0));
            self.points.push_back(ClockPoint { sample: window.begin, at, is_anew: true });
        }
        self.points.push_back(window.best);
    }
}

/// Where a packet goes, and how the ones after it are numbered from.
struct Place {
    sample: u64,
    why: Gap,
    /// Its timestamp says nothing: the axis begins anew.
    is_anew: bool,
    base: Base,
}

struct Base {
    timestamp: u32,
    sample: u64,
}

fn delay_us(point: &ClockPoint) -> i64 {
    point.at.as_micros() as i64 - sample_us(point.sample)
}

fn sample_us(sample: u64) -> i64 {
    (u128::from(sample) * 1_000_000 / u128::from(RTP_HZ)) as i64
}

fn samples_in(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX).saturating_mul(RTP_HZ) / 1_000_000
}
