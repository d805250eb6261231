//! What one onliner, or the operator, may do to others: mute all, keep them muted, put one out.
//! Whether an onliner holds the right is the core's word, asked before.

use super::{Call, Effect, LegEnd, Mute, Refusal};
use crate::{Jid, Now};

/// Who keeps the others muted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    Onliner(Jid),
    Operator,
}

impl Call {
    /// Whether others may not unmute themselves at present.
    pub fn is_mute_sticky(&self) -> bool {
        self.sticky.is_some()
    }

    pub(super) fn mute_all_by(&mut self, now: Now, by: &Jid, sticky: bool) -> Result<(), Refusal> {
        self.check_inside(by)?;
        self.mute_all(now, Keeper::Onliner(by.clone()), sticky);
        Ok(())
    }

    pub(super) fn mute_all(&mut self, now: Now, by: Keeper, sticky: bool) {
        let others = self.onliners.iter_mut().filter(|onliner| by.binds(&onliner.who));
        for onliner in others.filter(|onliner| !onliner.mute.is_muted()) {
            onliner.mute = by.mute();
        }
        self.changed(now);
        self.effects.push_back(Effect::MutedAll { by: by.onliner().cloned() });
        if sticky {
            self.sticky = Some(by);
        }
    }

    pub(super) fn lift_mute_by(&mut self, now: Now, by: &Jid) -> Result<(), Refusal> {
        self.check_inside(by)?;
        self.lift_mute(now);
        Ok(())
    }

    pub(super) fn lift_mute(&mut self, now: Now) {
        if self.sticky.take().is_some() {
            self.changed(now);
        }
    }

    pub(super) fn kick_by(&mut self, now: Now, by: &Jid, who: &Jid) -> Result<(), Refusal> {
        self.check_inside(by)?;
        self.kick(now, who)
    }

    pub(super) fn kick(&mut self, now: Now, who: &Jid) -> Result<(), Refusal> {
        let onliner = self.onliners.iter().find(|onliner| onliner.who == *who);
        let onliner = onliner.ok_or(Refusal::NoSuchOnliner)?;
        let legs: alloc::vec::Vec<_> = onliner.legs.iter().map(|leg| leg.id).collect();
        for leg in legs {
            self.remove_leg(now, leg, LegEnd::Kicked);
        }
        self.changed(now);
        Ok(())
    }

    /// The mute of somebody who comes in: a sticky one binds him too.
    pub(super) fn mute_on_entry(&self, who: &Jid, muted: bool) -> Mute {
        match (&self.sticky, muted) {
            (Some(by), _) if by.binds(who) => by.mute(),
            (_, true) => Mute::BySelf,
            (_, false) => Mute::Off,
        }
    }

    /// # Errors
    /// A sticky mute of somebody else binds him.
    pub(super) fn check_may_speak(&self, who: &Jid) -> Result<(), Refusal> {
        match &self.sticky {
            Some(by) if by.binds(who) => Err(Refusal::MutedByModerator),
            Some(_) | None => Ok(()),
        }
    }

    fn check_inside(&self, who: &Jid) -> Result<(), Refusal> {
        let inside = self.onliners.iter().any(|onliner| onliner.who == *who);
        if inside { Ok(()) } else { Err(Refusal::NotInCall) }
    }
}

impl Keeper {
    /// Whoever keeps others muted is not bound himself.
    fn binds(&self, who: &Jid) -> bool {
        self.onliner() != Some(who)
    }

    fn mute(&self) -> Mute {
        match self {
            Keeper::Onliner(by) => Mute::ByModerator(by.clone()),
            Keeper::Operator => Mute::ByOperator,
        }
    }

    fn onliner(&self) -> Option<&Jid> {
        match self {
            Keeper::Onliner(by) => Some(by),
            Keeper::Operator => None,
        }
    }
}
