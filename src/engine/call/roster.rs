//! Coming, going, mute, and what a leg's media and socket do to its onliner.

use super::onliner::Carrier;
use super::{
    Call, DeviceName, Effect, FactKind, Finish, Join, Leg, LegEnd, Link, Mute, Onliner, Phase,
    Place, Refusal,
};
use super::{Seen, Socket};
use crate::limits::{CLOSED_GRACE, DEVICES_PER_ONLINER};
use crate::{Jid, LegId, Now, Time};

impl Call {
    pub(super) fn join(&mut self, now: Now, join: &Join) -> Result<(), Refusal> {
        self.admits(&join.who)?;
        let first = self.onliners.is_empty();
        let connect_by = now.time + self.rules.connect_timeout;
        let leg = Leg::new(join, connect_by, now.time + self.rules.socketless_max);
        match self.onliners.iter().position(|onliner| onliner.who == join.who) {
            Some(known) => self.add_leg(now, known, join, leg),
            None => {
                let mute = self.mute_on_entry(&join.who, join.muted);
                if mute.is_muted() != join.muted {
                    self.effects.push_back(Effect::Sound { who: join.who.clone(), muted: true });
                }
                self.onliners.push(Onliner::new(join, mute, leg));
                self.effects.push_back(Effect::Listed);
                if first && self.place == Place::Group {
                    self.note(now, Some(&join.who), FactKind::Started);
                }
                self.note(now, Some(&join.who), FactKind::Joined);
            }
        }
        self.tell_talkers(&join.who, &join.device);
        self.answer_ringing(now, &join.who, &join.device);
        match (&self.place, self.phase) {
            (Place::Direct(pair), Phase::Calling) if first => {
                let other = if pair[0] == join.who { &pair[1] } else { &pair[0] };
                let targets = super::Targets::These(alloc::vec![other.clone()]);
                self.start_ringing(now, &join.who, targets);
            }
            (_, Phase::Calling) if self.onliners.len() > 1 => {
                self.phase = Phase::Live { start: now.wall };
                self.note(now, Some(&join.who), FactKind::Started);
                self.effects.push_back(Effect::Listed);
            }
            (_, Phase::Calling | Phase::Live { .. } | Phase::Finished { .. }) => {}
        }
        self.record_by_rule(now);
        self.roster_changed(now);
        Ok(())
    }

    /// Another leg of somebody who is here: the same onliner, with the same mute.
    fn add_leg(&mut self, now: Now, known: usize, join: &Join, leg: Leg) {
        if join.muted && !self.onliners[known].mute.is_muted() {
            self.onliners[known].mute = Mute::BySelf;
            self.changed(now);
        }
        let onliner = &mut self.onliners[known];
        onliner.no_record = join.no_record;
        let (replaced, mut others): (alloc::vec::Vec<Leg>, alloc::vec::Vec<Leg>) =
            onliner.legs.drain(..).partition(|old| old.device == join.device);
        let kept = if self.rules.only_one_device { 0 } else { DEVICES_PER_ONLINER - 1 };
        let put_out: alloc::vec::Vec<Leg> =
            others.drain(..others.len().saturating_sub(kept)).collect();
        others.push(leg);
        onliner.legs = others;
        for old in replaced {
            let reason = LegEnd::Replaced;
            self.effects.push_back(Effect::CloseLeg { leg: old.id, reason });
        }
        for old in put_out {
            self.put_out(&join.who, old, LegEnd::OtherDevice);
        }
    }

    pub(super) fn sound(&mut self, now: Now, who: &Jid, muted: bool) -> Result<(), Refusal> {
        let may_speak = self.check_may_speak(who);
        let onliner = self.onliners.iter_mut().find(|onliner| onliner.who == *who);
        let onliner = onliner.ok_or(Refusal::NotInCall)?;
        if !muted {
            may_speak?;
        }
        if onliner.mute.is_muted() != muted {
            onliner.mute = if muted { Mute::BySelf } else { Mute::Off };
            self.changed(now);
        }
        self.effects.push_back(Effect::Sound { who: who.clone(), muted });
        Ok(())
    }

    pub(super) fn leave(&mut self, now: Now, who: &Jid, device: &str) -> Result<(), Refusal> {
        let leg = self.leg_of(who, device).ok_or(Refusal::NotInCall)?;
        self.remove_leg(now, leg, LegEnd::Left);
        Ok(())
    }

    /// What was told of talking while a device had no socket is lost: one that is back is told
    /// again who talks.
    pub(super) fn socket(&mut self, now: Now, who: &Jid, device: &DeviceName, held: bool) {
        let until = now.time + self.rules.socketless_max;
        let Some(leg) = self.leg_of(who, device).and_then(|id| self.leg_mut(id)) else { return };
        leg.socket = match (held, leg.socket) {
            (true, _) => Socket::Held,
            (false, Socket::Lost { until }) => Socket::Lost { until },
            (false, Socket::Held) => Socket::Lost { until },
        };
        if held {
            self.tell_talkers(who, device);
        }
    }

    pub(super) fn link(&mut self, now: Now, id: LegId, seen: Seen) {
        let until = now.time + self.rules.lost_grace;
        let Some(leg) = self.carried_mut(id) else { return };
        let link = match (seen, leg.link) {
            (Seen::Ended, _) => return self.remove_leg(now, id, LegEnd::MediaEnded),
            (Seen::Closed, _) => Link::Lost { until: now.time + CLOSED_GRACE },
            (Seen::Alive, _) => Link::Connected,
            (Seen::Silent, Link::Connected) => Link::Lost { until },
            (Seen::Silent, link @ (Link::Connecting { .. } | Link::Lost { .. })) => link,
        };
        if leg.link != link {
            leg.link = link;
            self.roster_changed(now);
        }
    }

    /// Its legs are lost on our side: their devices are asked to dial again, and stay who they
    /// are meanwhile.
    pub(super) fn media_gone(&mut self, now: Now) {
        let until = now.time + self.rules.lost_grace;
        for onliner in &mut self.onliners {
            for leg in &mut onliner.legs {
                leg.link = Link::Lost { until };
                (leg.talks, leg.carrier) = (None, Carrier::Gone);
                let (who, device) = (onliner.who.clone(), leg.device.clone());
                self.effects.push_back(Effect::Restart { who, device });
            }
        }
        self.roster_changed(now);
    }

    pub(super) fn answered(&mut self, id: LegId, slots: usize) {
        if let Some(leg) = self.leg_mut(id) {
            leg.sections.answered(slots);
        }
    }

    /// Whether the client's own offer would be answered now.
    ///
    /// # Errors
    /// The refusal it would get; nothing changes.
    pub fn admits_reoffer(&self, now: Time, id: LegId) -> Result<(), Refusal> {
        let mut legs = self.onliners.iter().flat_map(|onliner| &onliner.legs);
        let leg = legs.find(|leg| leg.id == id).ok_or(Refusal::NotInCall)?;
        leg.sections.clone().reoffered(now, 0)
    }

    pub(super) fn reoffered(&mut self, now: Now, id: LegId, slots: usize) -> Result<(), Refusal> {
        self.leg_mut(id).ok_or(Refusal::NotInCall)?.sections.reoffered(now.time, slots)
    }

    pub(super) fn expire_legs(&mut self, now: Now) {
        while let Some((id, reason)) = self.expired_leg(now) {
            self.remove_leg(now, id, reason);
        }
    }

    fn expired_leg(&self, now: Now) -> Option<(LegId, LegEnd)> {
        let legs = self.onliners.iter().flat_map(|onliner| &onliner.legs);
        let mut due = legs.filter(|leg| leg.deadline().is_some_and(|at| at <= now.time));
        let leg = due.next()?;
        let reason = match leg.socket {
            Socket::Lost { until } if until <= now.time => LegEnd::SocketLost,
            Socket::Lost { .. } | Socket::Held => LegEnd::MediaLost,
        };
        Some((leg.id, reason))
    }

    /// Takes a leg out; the onliner goes with his last leg, the call with its last onliner.
    pub(super) fn remove_leg(&mut self, now: Now, id: LegId, reason: LegEnd) {
        let holds = |onliner: &Onliner| onliner.legs.iter().any(|leg| leg.id == id);
        let Some(at) = self.onliners.iter().position(holds) else { return };
        let onliner = &mut self.onliners[at];
        let who = onliner.who.clone();
        let gone: alloc::vec::Vec<Leg> = onliner.legs.extract_if(.., |leg| leg.id == id).collect();
        if onliner.legs.is_empty() {
            let onliner = self.onliners.remove(at);
            self.cease(&onliner);
            self.note(now, Some(&who), FactKind::Left { reason });
            self.effects.push_back(Effect::Listed);
        }
        for leg in gone {
            self.put_out(&who, leg, reason);
        }
        self.roster_changed(now);
        if self.onliners.is_empty() {
            self.finish(now, Finish::Left);
        }
    }

    pub(super) fn put_out(&mut self, who: &Jid, leg: Leg, reason: LegEnd) {
        self.effects.push_back(Effect::CloseLeg { leg: leg.id, reason });
        self.effects.push_back(Effect::PutOut { who: who.clone(), device: leg.device, reason });
    }

    fn leg_of(&self, who: &Jid, device: &str) -> Option<LegId> {
        let onliner = self.onliners.iter().find(|onliner| onliner.who == *who)?;
        onliner.legs.iter().find(|leg| *leg.device == *device).map(|leg| leg.id)
    }

    /// A leg of which a worker has something to tell.
    pub(super) fn carried_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.leg_mut(id).filter(|leg| leg.carrier == Carrier::Worker)
    }

    pub(super) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        let mut legs = self.onliners.iter_mut().flat_map(|onliner| &mut onliner.legs);
        legs.find(|leg| leg.id == id)
    }
}
