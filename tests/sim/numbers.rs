//! The checker of numbers: reads what a listener's leg is sent, byte for byte, in the order it
//! was sent. One SSRC a slot, no number twice, out = in + constant within a tenure, everything
//! above the former at a switch, and timestamps that never run further ahead of what a receiver
//! can catch up with than a ring and a frame, and that are never set back.

use std::collections::{BTreeMap, BTreeSet};

use engine::limits::{FRAME_SAMPLES, LEAD_SETTLES, LEAP_PACKETS, RING_SPAN, RTP_HZ};
use engine::rtp::View;
use engine::{LegId, Time};

use super::speech::Frame;
use super::voices::Came;
use super::watch::{Complaint, Promise, broken};
use super::worker::{PAYLOAD_TYPE, Sent};

/// A packet as it went out, what was said in it, and how that came in.
pub type Heard<'a> = (&'a View, &'a Frame, Came);

#[derive(Default)]
pub struct Numbers {
    slots: BTreeMap<(LegId, u32), Slot>,
    ssrcs: BTreeMap<(LegId, usize), u32>,
    /// What each listener was sent of each voice, on whichever slot: by their own numbers, the
    /// newest [`REMEMBERED`].
    heard: BTreeMap<(LegId, Saying), BTreeSet<u64>>,
}

/// What of a source has one numbering: another permit or SSRC begins another.
type Saying = (LegId, u32, u32);

/// More than a ring, and than any packet is late.
const REMEMBERED: usize = 100;

/// What makes a tenure: another of any of these is another tenure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenure {
    source: LegId,
    permit: u32,
    /// How often the voice has changed its SSRC.
    renewals: u32,
    turn: u32,
}

struct Slot {
    tenure: Tenure,
    index_offset: i64,
    timestamp_offset: u32,
    first: u64,
    highest: u64,
    highest_timestamp: u32,
    /// When the highest came in.
    highest_at: Time,
    /// By how many samples the timestamps run ahead of what the receiver has caught up with.
    lead: i64,
    led_at: Time,
    /// Switches since the lead was last within a ring, and what they may have cost.
    hurried: u32,
    hurry: i64,
    used: BTreeSet<u64>,
}

impl Numbers {
    pub fn sent(&mut self, sent: &Sent, (view, frame, came): Heard<'_>) -> Result<(), Complaint> {
        let whole = view.payload_type == PAYLOAD_TYPE && view.level == Some(frame.level());
        if frame.leg != sent.source || !whole {
            return broken(Promise::Tenure, format!("{frame:?} came as {view:?}"));
        }
        let place = (sent.listener, sent.slot);
        if self.ssrcs.insert(place, view.ssrc).is_some_and(|former| former != view.ssrc) {
            return broken(Promise::Tenure, format!("another SSRC on {place:?}"));
        }
        let (source, permit, renewals) = (sent.source, came.permit, came.renewals);
        let tenure = Tenure { source, permit, renewals, turn: sent.turn };
        match self.slots.get_mut(&(sent.listener, view.ssrc)) {
            Some(slot) if slot.tenure == tenure && !slot.is_leapt_by(frame) => {
                slot.go_on(view, frame, came)?;
            }
            Some(slot) => slot.switch(tenure, (view, frame, came))?,
            None => {
                let slot = Slot::begin(tenure, (view, frame, came));
                self.slots.insert((sent.listener, view.ssrc), slot);
                check(view.marker, Promise::Tenure, || "begins without marker".into())?;
            }
        }
        self.hear_once(sent, frame, came)
    }

    fn hear_once(&mut self, sent: &Sent, frame: &Frame, came: Came) -> Result<(), Complaint> {
        let saying = (sent.source, came.permit, came.renewals);
        let heard = self.heard.entry((sent.listener, saying)).or_default();
        let fresh = heard.insert(frame.index);
        if heard.len() > REMEMBERED {
            heard.pop_first();
        }
        check(fresh, Promise::HeardOnce, || format!("{frame:?} by {:?}", sent.listener))
    }
}

impl Slot {
    fn begin(tenure: Tenure, (view, frame, came): Heard<'_>) -> Slot {
        let index = u64::from(view.sequence);
        Slot {
            tenure,
            index_offset: index as i64 - frame.index as i64,
            timestamp_offset: view.timestamp.wrapping_sub(frame.timestamp),
            first: frame.index,
            highest: index,
            highest_timestamp: view.timestamp,
            highest_at: came.at,
            lead: 0,
            led_at: came.at,
            hurried: 0,
            hurry: 0,
            used: BTreeSet::from([index]),
        }
    }

    fn index(&self, view: &View) -> u64 {
        let ahead = view.sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.saturating_add_signed(i64::from(ahead))
    }

    fn note(&mut self, index: u64, view: &View, came: Came) -> Result<(), Complaint> {
        if index > self.highest {
            self.highest = index;
            self.highest_timestamp = view.timestamp;
            self.highest_at = came.at;
        }
        let tenure = self.tenure;
        let fresh = self.used.insert(index);
        check(fresh, Promise::NumberUsedOnce, || format!("{index} of {tenure:?}"))
    }

    /// A leap that no receiver could follow begins anew.
    fn is_leapt_by(&self, frame: &Frame) -> bool {
        let ahead = frame.index as i64 + self.index_offset - self.highest as i64;
        ahead > LEAP_PACKETS as i64
    }

    fn go_on(&mut self, view: &View, frame: &Frame, came: Came) -> Result<(), Complaint> {
        let index = self.index(view);
        self.note(index, view, came)?;
        let same = index as i64 - frame.index as i64 == self.index_offset
            && view.timestamp.wrapping_sub(frame.timestamp) == self.timestamp_offset
            && frame.index >= self.first;
        check(same, Promise::Tenure, || format!("{frame:?} came as {index} {view:?}"))
    }

    fn switch(&mut self, tenure: Tenure, (view, frame, came): Heard<'_>) -> Result<(), Complaint> {
        let index = self.index(view);
        let (former, highest) = (self.tenure, self.highest);
        let ahead = view.timestamp.wrapping_sub(self.highest_timestamp) as i32;
        let passed = samples(came.at) - samples(self.highest_at);
        self.tenure = tenure;
        self.note(index, view, came)?;
        self.first = frame.index;
        self.index_offset = index as i64 - frame.index as i64;
        self.timestamp_offset = view.timestamp.wrapping_sub(frame.timestamp);
        check(index == highest + 1 && ahead > 0 && view.marker, Promise::Tenure, || {
            format!("{former:?} at {highest} to {tenure:?} at {index}, {ahead} samples on")
        })?;
        let gained = i64::from(ahead) - passed;
        check(gained >= -ROUNDED_SAMPLES, Promise::Tenure, || {
            format!("{tenure:?} sets the slot's clock back by {}", -gained)
        })?;
        let ring = samples(Time::ZERO + RING_SPAN);
        let since = samples(came.at) - samples(self.led_at);
        let settled = since.max(0) * ring / samples(Time::ZERO + LEAD_SETTLES);
        self.lead = (self.lead - settled).max(0) + gained.max(0);
        self.led_at = self.led_at.max(came.at);
        let is_renewal = Tenure { renewals: tenure.renewals, ..former } == tenure;
        self.check_lead((-passed).max(0), is_renewal)
    }

    /// A tenure may begin as early as a ring reaches; each that begins at once after that costs
    /// a frame more, and what reorder puts before the last, until the clock has caught up.
    fn check_lead(&mut self, reordered: i64, is_renewal: bool) -> Result<(), Complaint> {
        let ring = samples(Time::ZERO + RING_SPAN) + ROUNDED_SAMPLES;
        if self.lead <= ring {
            (self.hurried, self.hurry) = (0, 0);
            return Ok(());
        }
        // A client that changes its SSRC to and fro may do so as often as it likes.
        self.hurried += u32::from(!is_renewal);
        self.hurry += i64::from(FRAME_SAMPLES) + reordered.min(ring);
        let (lead, most, tenure) = (self.lead, ring + self.hurry, self.tenure);
        check(lead <= most && self.hurried <= HURRIED_MAX, Promise::Tenure, || {
            format!("{tenure:?} begins {lead} samples ahead of the slot's clock")
        })
    }
}

fn samples(at: Time) -> i64 {
    (at.as_micros() * RTP_HZ / 1_000_000) as i64
}

fn check(holds: bool, promise: Promise, what: impl FnOnce() -> String) -> Result<(), Complaint> {
    if holds { Ok(()) } else { broken(promise, what()) }
}

/// Times are whole microseconds, timestamps whole samples.
const ROUNDED_SAMPLES: i64 = 48;

/// Switches in a row for which there was no time: people who change devices and mute all at once.
const HURRIED_MAX: u32 = 8;
