//! What is recorded, against what the call said: nobody muted, gone or private, nothing while it
//! does not record, and everything else.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Call, Jid, LegId, Time};

use super::watch::{Complaint, Promise, broken};

/// From the call's word to the last packet against it.
const OBEYED_WITHIN: Duration = Duration::from_millis(100);

/// Which legs are to be recorded, and since when that is so.
#[derive(Default)]
pub struct Tape {
    legs: BTreeMap<LegId, (u64, bool, Time)>,
    pub taken: u64,
}

/// A fifth of the people may not be recorded.
pub fn is_private(who: &Jid) -> bool {
    who.as_str().bytes().map(u32::from).sum::<u32>() % 5 == 0
}

impl Tape {
    /// The call accepted something.
    pub fn roster(&mut self, now: Time, no: u64, call: &Call) {
        let mut wanted: BTreeMap<LegId, bool> =
            self.legs.iter().filter(|(_, it)| it.0 == no).map(|(leg, _)| (*leg, false)).collect();
        for onliner in call.onliners() {
            let free = !onliner.mute.is_muted() && !is_private(&onliner.who);
            let recorded = call.is_recording() && free;
            wanted.extend(onliner.legs.iter().map(|leg| (leg.id, recorded)));
        }
        for (leg, recorded) in wanted {
            let known = self.legs.entry(leg).or_insert((no, recorded, now));
            if known.1 != recorded {
                *known = (no, recorded, now);
            }
        }
    }

    /// The worker took a packet that may be heard: onto the tape as well, or not.
    pub fn packet(&mut self, now: Time, leg: LegId, taken: bool) -> Result<(), Complaint> {
        self.taken += u64::from(taken);
        let Some((_, wanted, since)) = self.legs.get(&leg) else { return Ok(()) };
        if *wanted == taken || now <= *since + OBEYED_WITHIN {
            return Ok(());
        }
        let what = if taken { "is recorded" } else { "is not recorded" };
        broken(Promise::RecordedAsTold, format!("leg {leg} {what}, against the call's word"))
    }
}
