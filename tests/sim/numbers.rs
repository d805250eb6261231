//! The checker of numbers: reads what a listener's leg is sent, byte for byte, in the order it
//! was sent. One SSRC a slot, no number twice, out = in + constant within a tenure, everything
//! above the former at a switch.

use std::collections::{BTreeMap, BTreeSet};

use engine::limits::{LEAP_PACKETS, SLOT_REST};
use engine::rtp::View;
use engine::{LegId, Time};

use super::speech::Frame;
use super::watch::{Complaint, Promise, broken};
use super::worker::{LEVEL_ID, PAYLOAD_TYPE, Sent};

#[derive(Default)]
pub struct Numbers {
    /// How often each voice became audible, and whether it is.
    audible: BTreeMap<LegId, (u32, bool)>,
    slots: BTreeMap<(LegId, u32), Slot>,
    ssrcs: BTreeMap<(LegId, usize), u32>,
}

/// What makes a tenure: another of any of these is another tenure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tenure {
    source: LegId,
    ssrc: u32,
    permit: u32,
    turn: u32,
}

struct Slot {
    sent_at: Time,
    tenure: Tenure,
    index_offset: i64,
    timestamp_offset: u32,
    first: u64,
    highest: u64,
    highest_timestamp: u32,
    used: BTreeSet<u64>,
}

impl Numbers {
    pub fn permitted(&mut self, leg: LegId, audible: bool) {
        let entry = self.audible.entry(leg).or_default();
        if audible && !entry.1 {
            entry.0 += 1;
        }
        entry.1 = audible;
    }

    pub fn sent(&mut self, sent: &Sent) -> Result<(), Complaint> {
        let Ok(view) = View::parse(&sent.bytes, Some(LEVEL_ID)) else {
            return broken(Promise::Tenure, "a packet that is none");
        };
        let Some(frame) = Frame::read(&sent.bytes[view.payload.clone()]) else {
            return broken(Promise::Tenure, "a payload that nobody said");
        };
        let whole = view.payload_type == PAYLOAD_TYPE && view.level == Some(frame.level());
        if frame.leg != sent.source || !whole {
            return broken(Promise::Tenure, format!("{frame:?} came as {view:?}"));
        }
        let place = (sent.listener, sent.slot);
        if self.ssrcs.insert(place, view.ssrc).is_some_and(|former| former != view.ssrc) {
            return broken(Promise::Tenure, format!("another SSRC on {place:?}"));
        }
        let permit = self.audible.get(&sent.source).map_or(0, |(times, _)| *times);
        let tenure = Tenure { source: sent.source, ssrc: frame.ssrc, permit, turn: sent.turn };
        match self.slots.get_mut(&(sent.listener, view.ssrc)) {
            Some(slot)
                if slot.tenure == tenure
                    && !slot.is_leapt_by(&frame)
                    && !slot.has_rested(sent.at, &view, &frame) =>
            {
                slot.sent_at = sent.at;
                slot.go_on(&view, &frame)
            }
            Some(slot) => {
                slot.sent_at = sent.at;
                slot.switch(tenure, &view, &frame)
            }
            None => {
                let slot = Slot::begin(sent.at, tenure, &view, &frame);
                self.slots.insert((sent.listener, view.ssrc), slot);
                check(view.marker, Promise::Tenure, || "begins without marker".into())
            }
        }
    }
}

impl Slot {
    fn begin(sent_at: Time, tenure: Tenure, view: &View, frame: &Frame) -> Slot {
        let index = u64::from(view.sequence);
        Slot {
            sent_at,
            tenure,
            index_offset: index as i64 - frame.index as i64,
            timestamp_offset: view.timestamp.wrapping_sub(frame.timestamp),
            first: frame.index,
            highest: index,
            highest_timestamp: view.timestamp,
            used: BTreeSet::from([index]),
        }
    }

    fn index(&self, view: &View) -> u64 {
        let ahead = view.sequence.wrapping_sub(self.highest as u16) as i16;
        self.highest.saturating_add_signed(i64::from(ahead))
    }

    fn note(&mut self, index: u64, view: &View) -> Result<(), Complaint> {
        if index > self.highest {
            self.highest = index;
            self.highest_timestamp = view.timestamp;
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

    /// After a silence the slot's clock may be set back: then it is as good as a switch.
    fn has_rested(&self, now: Time, view: &View, frame: &Frame) -> bool {
        let same = view.timestamp.wrapping_sub(frame.timestamp) == self.timestamp_offset;
        !same && view.marker && now.since(self.sent_at) >= SLOT_REST
    }

    fn go_on(&mut self, view: &View, frame: &Frame) -> Result<(), Complaint> {
        let index = self.index(view);
        self.note(index, view)?;
        let same = index as i64 - frame.index as i64 == self.index_offset
            && view.timestamp.wrapping_sub(frame.timestamp) == self.timestamp_offset
            && frame.index >= self.first;
        check(same, Promise::Tenure, || format!("{frame:?} came as {index} {view:?}"))
    }

    fn switch(&mut self, tenure: Tenure, view: &View, frame: &Frame) -> Result<(), Complaint> {
        let index = self.index(view);
        let (former, highest) = (self.tenure, self.highest);
        let ahead = view.timestamp.wrapping_sub(self.highest_timestamp) as i32;
        self.tenure = tenure;
        self.note(index, view)?;
        self.first = frame.index;
        self.index_offset = index as i64 - frame.index as i64;
        self.timestamp_offset = view.timestamp.wrapping_sub(frame.timestamp);
        check(index == highest + 1 && ahead > 0 && view.marker, Promise::Tenure, || {
            format!("{former:?} at {highest} to {tenure:?} at {index}, {ahead} samples on")
        })
    }
}

fn check(holds: bool, promise: Promise, what: impl FnOnce() -> String) -> Result<(), Complaint> {
    if holds { Ok(()) } else { broken(promise, what()) }
}
