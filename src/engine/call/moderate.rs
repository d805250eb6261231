//! What one onliner may do to others: mute all, keep them muted, put one out. Whether he holds
//! the right is the core's word, asked before.

use super::{Call, Effect, LegEnd, Mute, Refusal};
use crate::{Jid, Now};

impl Call {
    /// Whether others may not unmute themselves at present.
    pub fn is_mute_sticky(&self) -> bool {
        self.sticky.is_some()
    }

    pub(super) fn mute_all(&mut self, now: Now, who: &Jid, sticky: bool) -> Result<(), Refusal> {
        self.check_inside(who)?;
        let others = self.onliners.iter_mut().filter(|onliner| onliner.who != *who);
        for onliner in others.filter(|onliner| !onliner.mute.is_muted()) {
            onliner.mute = Mute::ByModerator(who.clone());
        }
        if sticky {
            self.sticky = Some(who.clone());
        }
        self.changed(now);
        self.effects.push_back(Effect::MutedAll { by: who.clone() });
        Ok(())
    }

    pub(super) fn lift_mute(&mut self, now: Now, who: &Jid) -> Result<(), Refusal> {
        self.check_inside(who)?;
        if self.sticky.take().is_some() {
            self.changed(now);
        }
        Ok(())
    }

    pub(super) fn kick(&mut self, now: Now, by: &Jid, who: &Jid) -> Result<(), Refusal> {
        self.check_inside(by)?;
        let onliner = self.onliners.iter().find(|onliner| onliner.who == *who);
        let onliner = onliner.ok_or(Refusal::NoSuchOnliner)?;
        let legs: alloc::vec::Vec<_> = onliner.legs.iter().map(|leg| leg.id).collect();
        for leg in legs {
            self.remove_leg(now, leg, LegEnd::Kicked);
        }
        Ok(())
    }

    /// The mute of somebody who comes in: a sticky one binds him too.
    pub(super) fn mute_on_entry(&self, who: &Jid, muted: bool) -> Mute {
        match (&self.sticky, muted) {
            (Some(by), _) if by != who => Mute::ByModerator(by.clone()),
            (_, true) => Mute::BySelf,
            (_, false) => Mute::Off,
        }
    }

    /// # Errors
    /// A sticky mute of somebody else binds him.
    pub(super) fn check_may_speak(&self, who: &Jid) -> Result<(), Refusal> {
        match &self.sticky {
            Some(by) if by != who => Err(Refusal::MutedByModerator),
            Some(_) | None => Ok(()),
        }
    }

    fn check_inside(&self, who: &Jid) -> Result<(), Refusal> {
        let inside = self.onliners.iter().any(|onliner| onliner.who == *who);
        if inside { Ok(()) } else { Err(Refusal::NotInCall) }
    }
}
