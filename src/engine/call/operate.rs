//! What the operator of the server does to a call. He needs no right of the core's and no place in
//! the call; people are told what happened to them, as if one of them had done it.

use super::moderate::Keeper;
use super::{Call, Deed, Effect, Finish, Mute, Refusal};
use crate::{Jid, Now};

impl Call {
    pub(super) fn operate(&mut self, now: Now, deed: Deed) -> Result<(), Refusal> {
        match deed {
            Deed::Kick { who } => self.kick(now, &who)?,
            Deed::Mute { who } => self.mute_one(now, &who)?,
            Deed::MuteAll { sticky } => self.mute_all(now, Keeper::Operator, sticky),
            Deed::LiftMute => self.lift_mute(now),
            Deed::Record { on } => self.record(now, None, on),
            Deed::End => self.finish(now, Finish::Ended),
        }
        Ok(())
    }

    fn mute_one(&mut self, now: Now, who: &Jid) -> Result<(), Refusal> {
        let onliner = self.onliners.iter_mut().find(|onliner| onliner.who == *who);
        let onliner = onliner.ok_or(Refusal::NoSuchOnliner)?;
        if onliner.mute.is_muted() {
            return Ok(());
        }
        onliner.mute = Mute::ByOperator;
        self.changed(now);
        self.effects.push_back(Effect::Sound { who: who.clone(), muted: true });
        Ok(())
    }
}
