//! The checker of scarce slots: whoever talks alone for 300 ms is heard by everybody who has a
//! slot. It knows what came in and what went out, and nothing of contests.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::limits::{
    NOISE_LOUDEST_DBOV, NOISE_QUIETEST_DBOV, VOICE_BEGINS_ABOVE_NOISE_DB,
    VOICE_GOES_ON_ABOVE_NOISE_DB,
};
use engine::{LegId, Time};

use super::speech::Frame;
use super::watch::{Complaint, Promise, broken};

#[derive(Default)]
pub struct Solos {
    of: BTreeMap<u64, Solo>,
}

/// The voice that talks alone in a call.
struct Solo {
    voice: LegId,
    permit: u32,
    newest: Time,
    /// Who could hear it, since when.
    listeners: BTreeMap<LegId, Time>,
    heard: BTreeMap<LegId, Time>,
}

impl Solos {
    /// A new packet came in of a voice that has this permit.
    pub fn came(&mut self, now: Time, call: u64, frame: &Frame, permit: Option<u32>) {
        let is_own = self.of.get(&call).is_some_and(|solo| solo.voice == frame.leg);
        let interrupts = frame.voiced && frame.level <= MAY_BE_VOICE_DBOV;
        let talks = frame.voiced && frame.level <= IS_VOICE_DBOV;
        let (Some(permit), true) = (permit, talks) else {
            if is_own || (interrupts && permit.is_some()) {
                self.of.remove(&call);
            }
            return;
        };
        let (listeners, heard) = (BTreeMap::new(), BTreeMap::new());
        let solo = Solo { voice: frame.leg, permit, newest: now, listeners, heard };
        match self.of.get_mut(&call) {
            Some(former) if former.goes_on(&solo) => former.newest = now,
            _ => drop(self.of.insert(call, solo)),
        }
    }

    pub fn sent(&mut self, now: Time, call: u64, source: LegId, listener: LegId) {
        if let Some(solo) = self.of.get_mut(&call).filter(|solo| solo.voice == source) {
            solo.heard.insert(listener, now);
        }
    }

    /// The packet that came has gone out; `others` could hear it.
    pub fn check(&mut self, now: Time, call: u64, others: &[LegId]) -> Result<(), Complaint> {
        let Some(solo) = self.of.get_mut(&call).filter(|solo| solo.newest == now) else {
            return Ok(());
        };
        solo.listeners.retain(|leg, _| others.contains(leg));
        for leg in others {
            let since = *solo.listeners.entry(*leg).or_insert(now);
            let heard = solo.heard.get(leg).copied().unwrap_or(Time::ZERO);
            if now.since(since) >= HEARD_AFTER && now.since(heard) > HEARD_WITHIN {
                let what = format!("leg {} talks alone, and leg {leg} hears nothing", solo.voice);
                return broken(Promise::EveryVoiceIsHeard, what);
            }
        }
        Ok(())
    }

    /// The voice that talks alone now.
    pub fn voice(&self, call: u64) -> Option<LegId> {
        self.of.get(&call).map(|solo| solo.voice)
    }
}

impl Solo {
    fn goes_on(&self, next: &Solo) -> bool {
        let is_same = (self.voice, self.permit) == (next.voice, next.permit);
        is_same && next.newest.since(self.newest) <= GAP_MAX
    }
}

/// A voice, whatever the noise around it was learnt to be; and one where there is none.
const IS_VOICE_DBOV: u8 = NOISE_LOUDEST_DBOV - VOICE_BEGINS_ABOVE_NOISE_DB;
const MAY_BE_VOICE_DBOV: u8 = NOISE_QUIETEST_DBOV - VOICE_GOES_ON_ABOVE_NOISE_DB;

/// What deciding may take.
const HEARD_AFTER: Duration = Duration::from_millis(300);

/// Packets that were overtaken are not sent, a few in a row where the line is bad.
const HEARD_WITHIN: Duration = Duration::from_millis(150);

/// Longer, and it is not one talk-spurt.
const GAP_MAX: Duration = Duration::from_millis(60);
