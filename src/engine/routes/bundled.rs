//! Who hears several frames of a voice in one packet: in large calls, whoever may not be heard
//! himself. What he hears comes later, which nobody notices who does not answer.

use alloc::vec::Vec;

use super::{Route, Routes};
use crate::limits::BUNDLED_AFTER;
use crate::slots::Voice;
use crate::{LegId, Time};

impl Routes {
    /// Chooses anew who hears bundles: who is `fit` (by his seat) and has not been one to be heard
    /// for a while.
    pub fn bundle(&mut self, now: Time, fit: impl Fn(u32) -> bool) {
        self.now = self.now.max(now);
        let mut is_changed = false;
        for (leg, member) in &mut self.members {
            let rests = now.since(member.spoke_at) >= BUNDLED_AFTER;
            let bundled = !member.audible && rests && fit(member.seat);
            if member.bundled && !bundled {
                self.unbundled.push(*leg);
            }
            is_changed |= member.bundled != bundled;
            member.bundled = bundled;
        }
        if is_changed {
            self.derive_routes();
        }
    }

    /// Where this leg's packets go bundled, and the voice they carry; `None` while it may not be
    /// heard.
    pub fn bundles_of(&self, leg: LegId) -> Option<(Voice, &[Route])> {
        self.audible(leg).map(|(voice, member)| (voice, member.bundles.as_slice()))
    }

    /// Whether somebody hears this leg bundled.
    pub fn has_bundles(&self, leg: LegId) -> bool {
        self.bundles_of(leg).is_some_and(|(_, routes)| !routes.is_empty())
    }

    /// Everybody who hears this leg, in whatever way.
    pub fn heard_by(&self, leg: LegId) -> impl Iterator<Item = &Route> {
        let member = self.audible(leg).into_iter();
        member.flat_map(|(_, member)| member.routes.iter().chain(&member.bundles))
    }

    /// Legs that hear at all.
    pub fn listeners(&self) -> usize {
        self.listeners
    }

    /// Whether a leg hears bundles.
    pub fn is_bundled(&self, leg: LegId) -> bool {
        self.members.get(&leg).is_some_and(|member| member.bundled)
    }

    /// How many legs hear bundles.
    pub fn bundled(&self) -> usize {
        self.members.values().filter(|member| member.bundled).count()
    }

    /// Who heard bundles and hears each packet from now on: what waits for him is due.
    pub fn take_unbundled(&mut self) -> Vec<LegId> {
        core::mem::take(&mut self.unbundled)
    }
}
