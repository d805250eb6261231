//! The checker of the mute gate: each packet of a voice is forwarded only under the permit under
//! which it came in. So nothing that came in while its voice was muted is ever heard, and nothing
//! from before a mute after it, in whatever ring it waited.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use engine::limits::RING_SPAN;
use engine::{LegId, Time};

use super::speech::Frame;
use super::watch::{Complaint, Promise, broken};

#[derive(Default)]
pub struct Voices {
    of: BTreeMap<LegId, Voice>,
    /// Packets that came in while their voice was muted.
    pub came_muted: u64,
}

#[derive(Default)]
struct Voice {
    /// How often it was permitted, and whether it is.
    permits: u32,
    audible: bool,
    /// The SSRC of the newest, and how often it changed.
    ssrc: Option<u32>,
    renewals: u32,
    /// The last packets that came.
    came: VecDeque<Came>,
}

/// How a packet came in.
#[derive(Clone, Copy, Debug)]
pub struct Came {
    ssrc: u32,
    index: u64,
    pub at: Time,
    pub permit: u32,
    pub renewals: u32,
    audible: bool,
}

impl Voices {
    /// The worker applied permits.
    pub fn permitted(&mut self, leg: LegId, audible: bool) {
        let voice = self.of.entry(leg).or_default();
        voice.permits += u32::from(audible && !voice.audible);
        voice.audible = audible;
    }

    /// The permit that the voice has now, if it has one.
    pub fn permit(&self, leg: LegId) -> Option<u32> {
        self.of.get(&leg).filter(|voice| voice.audible).map(|voice| voice.permits)
    }

    /// A packet came in; false where a copy of it had come before.
    pub fn came(&mut self, now: Time, frame: &Frame) -> bool {
        let voice = self.of.entry(frame.leg).or_default();
        if voice.came.iter().any(|came| came.is(frame)) {
            return false;
        }
        if voice.came.len() == CAME_MAX {
            voice.came.pop_front();
        }
        self.came_muted += u64::from(!voice.audible);
        let former = voice.ssrc.replace(frame.ssrc);
        voice.renewals += u32::from(former.is_some_and(|former| former != frame.ssrc));
        let (permit, audible, renewals) = (voice.permits, voice.audible, voice.renewals);
        let (ssrc, index) = (frame.ssrc, frame.index);
        voice.came.push_back(Came { ssrc, index, at: now, permit, renewals, audible });
        true
    }

    /// A packet goes out.
    pub fn sent(&self, now: Time, frame: &Frame) -> Result<Came, Complaint> {
        let voice = self.of.get(&frame.leg);
        let came = voice.and_then(|voice| voice.came.iter().rev().find(|came| came.is(frame)));
        let Some(came) = came.copied().filter(|came| now.since(came.at) <= KEPT_MAX) else {
            let at = came.map(|came| came.at);
            let what = format!("{frame:?}, come at {at:?}, was kept longer than a ring");
            return broken(Promise::Bounded, what);
        };
        if !came.audible {
            let what = format!("{frame:?} came in while muted, and is heard");
            return broken(Promise::MutedIsSilent, what);
        }
        if self.permit(frame.leg) != Some(came.permit) {
            let what = format!("{frame:?} is heard after a mute that came after it");
            return broken(Promise::MutedIsSilent, what);
        }
        Ok(came)
    }
}

impl Came {
    fn is(&self, frame: &Frame) -> bool {
        (self.ssrc, self.index) == (frame.ssrc, frame.index)
    }
}

const KEPT_MAX: Duration = RING_SPAN;

/// More than any ring holds.
const CAME_MAX: usize = 96;
