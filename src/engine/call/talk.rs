//! Who is told that somebody talks: `server.call.talking`, at a pace that a page can follow.
//!
//! The worker says which leg talks; whether others may know it, and whether they know it already,
//! is decided here. Told as a difference, so every began has its ceased, however the mute, the
//! worker's word and the pace overtake each other.

use super::effect::Audience;
use super::{Call, DeviceName, Effect, Onliner};
use crate::limits::{BEGAN_INTERVAL, TALKING_INTERVAL};
use crate::{Jid, LegId, Level, Now, Time};

/// What others were told of an onliner's voice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// As loud as he was told to talk; `None` where he was told to be quiet.
    pub told: Option<Level>,
    /// Not told again that he began before this time.
    next_began: Time,
}

impl Heard {
    /// From when on the difference may be told; `None` where there is none.
    fn due(&self, talks: bool) -> Option<Time> {
        match (self.told.is_some(), talks) {
            (false, true) => Some(self.next_began),
            (true, false) => Some(Time::ZERO),
            (true, true) | (false, false) => None,
        }
    }
}

impl Call {
    pub(super) fn talking(&mut self, leg: LegId, level: Option<Level>) {
        if let Some(leg) = self.carried_mut(leg) {
            leg.talks = level;
        }
    }

    /// Tells what is due, one difference an interval; a voice that ceased goes first, then one
    /// of whom nothing was told for longest.
    pub(super) fn tell_talking(&mut self, now: Now) {
        if self.next_talking > now.time {
            return;
        }
        let due = |onliner: &&mut Onliner| {
            let due = onliner.heard.due(onliner.talks().is_some());
            due.is_some_and(|at| at <= now.time)
        };
        let differing = self.onliners.iter_mut().filter(due);
        let turn =
            |onliner: &&mut Onliner| (onliner.heard.told.is_none(), onliner.heard.next_began);
        let Some(onliner) = differing.min_by_key(turn) else { return };
        let level = onliner.talks();
        onliner.heard.told = level;
        if level.is_some() {
            onliner.heard.next_began = now.time + BEGAN_INTERVAL;
        }
        self.next_talking = now.time + TALKING_INTERVAL;
        let (who, to) = (onliner.who.clone(), Audience::Call);
        self.effects.push_back(Effect::Talking { who, level, to });
    }

    /// When `tell_talking` has something to tell.
    pub(super) fn talking_due(&self) -> Option<Time> {
        let due = |onliner: &Onliner| onliner.heard.due(onliner.talks().is_some());
        let first = self.onliners.iter().filter_map(due).min()?;
        Some(first.max(self.next_talking))
    }

    /// He is gone: whoever was told that he talks is told that he does not, at once.
    pub(super) fn cease(&mut self, onliner: &Onliner) {
        if onliner.heard.told.is_some() {
            let (who, to) = (onliner.who.clone(), Audience::Call);
            self.effects.push_back(Effect::Talking { who, level: None, to });
        }
    }

    /// Tells one device that has just come, or come back, who talks. Whoever has ceased and is
    /// still told to talk is among them: if he goes on, nobody hears of it again.
    pub(super) fn tell_talkers(&mut self, who: &Jid, device: &DeviceName) {
        for onliner in &self.onliners {
            if let Some(level) = onliner.heard.told {
                let to = Audience::Device { who: who.clone(), device: device.clone() };
                let (who, level) = (onliner.who.clone(), Some(onliner.talks().unwrap_or(level)));
                self.effects.push_back(Effect::Talking { who, level, to });
            }
        }
    }
}
