//! Ringing: whom the call rings, until when, and what ends it (PROTOCOL.md section 4.2).

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::{Call, DeviceName, Effect, FactKind, Finish, Phase, Place, Refusal, Ringing, Targets};
use crate::{Jid, Now, Time};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Buzz {
    caller: Jid,
    pub(super) until: Time,
    targets: Targets,
    /// Who came or refused: their devices are quiet.
    settled: Vec<Jid>,
}

/// Why nobody answers any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unanswered {
    /// By the caller.
    Cancelled,
    /// Its time is over.
    Missed,
    /// All who were rung came or refused.
    Settled,
}

impl Buzz {
    /// Whoever still rings.
    fn rest(&self) -> Targets {
        match &self.targets {
            Targets::Everyone => Targets::Everyone,
            Targets::These(these) => {
                let rest = these.iter().filter(|who| !self.settled.contains(who));
                Targets::These(rest.cloned().collect())
            }
        }
    }

    fn rings(&self, who: &Jid) -> bool {
        let meant = match &self.targets {
            Targets::Everyone => *who != self.caller,
            Targets::These(these) => these.contains(who),
        };
        meant && !self.settled.contains(who)
    }

    fn is_settled(&self) -> bool {
        match &self.targets {
            Targets::Everyone => false,
            Targets::These(these) => these.iter().all(|who| self.settled.contains(who)),
        }
    }
}

impl Call {
    /// How long this person's devices still ring, and for whom.
    pub fn rings(&self, now: Time, who: &Jid) -> Option<(&Jid, Duration)> {
        let buzz = self.buzz.as_ref().filter(|buzz| buzz.rings(who))?;
        let inside = self.onliners.iter().any(|onliner| onliner.who == *who);
        (!inside).then(|| (&buzz.caller, buzz.until.since(now)))
    }

    pub(super) fn ring(&mut self, now: Now, who: &Jid, targets: Targets) -> Result<(), Refusal> {
        if !self.onliners.iter().any(|onliner| onliner.who == *who) {
            return Err(Refusal::NotInCall);
        }
        if let (Place::Direct(pair), Targets::These(these)) = (&self.place, &targets)
            && these.iter().any(|target| !pair.contains(target))
        {
            return Err(Refusal::NotOfTheChat);
        }
        self.start_ringing(now, who, targets);
        self.changed(now);
        Ok(())
    }

    /// Rings; an earlier ringing goes on with the new one's targets and deadline.
    pub(super) fn start_ringing(&mut self, now: Now, caller: &Jid, targets: Targets) {
        let settled: Vec<Jid> = self.onliners.iter().map(|onliner| onliner.who.clone()).collect();
        let targets = match targets {
            Targets::Everyone => Targets::Everyone,
            Targets::These(mut these) => {
                these.retain(|who| !settled.contains(who));
                these.sort_unstable();
                these.dedup();
                Targets::These(these)
            }
        };
        if targets == Targets::These(Vec::new()) {
            return;
        }
        self.stop_ringing();
        let until = now.time + self.rules.buzz_timeout;
        let caller = caller.clone();
        self.buzz = Some(Buzz { caller: caller.clone(), until, targets: targets.clone(), settled });
        self.note(now, Some(&caller), FactKind::Rung { targets: targets.clone() });
        self.effects.push_back(Effect::Ring { caller, targets });
    }

    pub(super) fn cancel_ringing(&mut self, now: Now, who: &Jid) -> Result<(), Refusal> {
        match &self.buzz {
            None => return Err(Refusal::NotRung),
            Some(buzz) if buzz.caller != *who => return Err(Refusal::NotTheCaller),
            Some(_) => self.end_ringing(now, Unanswered::Cancelled),
        }
        Ok(())
    }

    pub(super) fn reject(
        &mut self,
        now: Now,
        by: Jid,
        device: DeviceName,
        reason: Arc<str>,
    ) -> Result<(), Refusal> {
        let inside = self.onliners.iter().any(|onliner| onliner.who == by);
        let buzz = self.buzz.as_mut().filter(|buzz| !inside && buzz.rings(&by));
        let buzz = buzz.ok_or(Refusal::NotRung)?;
        buzz.settled.push(by.clone());
        let (caller, settled) = (buzz.caller.clone(), buzz.is_settled());
        self.quiet(&by, &device);
        self.note(now, Some(&by), FactKind::Rejected { reason: reason.clone() });
        self.effects.push_back(Effect::Rejected { caller, by, device, reason });
        self.changed(now);
        if settled {
            self.end_ringing(now, Unanswered::Settled);
        }
        Ok(())
    }

    pub(super) fn expire_buzz(&mut self, now: Now) {
        if self.buzz.as_ref().is_some_and(|buzz| buzz.until <= now.time) {
            self.end_ringing(now, Unanswered::Missed);
        }
    }

    /// Somebody came: his other devices are quiet, and the ringing ends with the last one.
    pub(super) fn answer_ringing(&mut self, now: Now, who: &Jid, device: &DeviceName) {
        let Some(buzz) = self.buzz.as_mut().filter(|buzz| buzz.rings(who)) else { return };
        buzz.settled.push(who.clone());
        let settled = buzz.is_settled();
        self.quiet(who, device);
        let answered = FactKind::AnsweredElsewhere { device: device.clone() };
        self.note(now, Some(who), answered);
        if settled {
            self.buzz = None;
            self.changed(now);
        }
    }

    /// Ends the ringing without an answer: a direct call that never started ends with it.
    fn end_ringing(&mut self, now: Now, why: Unanswered) {
        self.note_end_of_ringing(now, why);
        self.stop_ringing();
        self.changed(now);
        if self.phase == Phase::Calling {
            self.finish(now, Finish::Left);
        }
    }

    /// Before it ends.
    pub(super) fn note_end_of_ringing(&mut self, now: Now, why: Unanswered) {
        let Some(buzz) = &self.buzz else { return };
        let (caller, targets) = (buzz.caller.clone(), buzz.rest());
        let kind = match why {
            Unanswered::Cancelled => FactKind::Cancelled { targets },
            Unanswered::Missed => FactKind::Missed { targets },
            Unanswered::Settled => return,
        };
        self.note(now, Some(&caller), kind);
    }

    pub(super) fn stop_ringing(&mut self) {
        if let Some(Buzz { targets, settled: except, .. }) = self.buzz.take() {
            let whom = Ringing::Rest { targets, except };
            self.effects.push_back(Effect::StopRinging { whom });
        }
    }

    fn quiet(&mut self, who: &Jid, device: &DeviceName) {
        let whom = Ringing::OtherDevices { who: who.clone(), device: device.clone() };
        self.effects.push_back(Effect::StopRinging { whom });
    }
}
