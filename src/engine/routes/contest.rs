//! Who gets a slot where there are more voices than slots: those that talk, the loudest of them,
//! but nobody is cut off in the middle of a word.
//!
//! Two rounds: voices contest for the stage of the whole call, then, at each listener, voices on
//! the stage for his slots. Both know one rule ([`Grip::yields_to`]).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::{Member, Routes, Slot};
use crate::limits::{CONTEST_INTERVAL, LOUDER_DBOV, SLOT_HELD, YIELDS_AFTER};
use crate::{LegId, Level, Time};

/// How firmly a voice holds its place; the least goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grip {
    /// It may not be heard.
    Barred,
    /// Quiet for so long; the longest goes first. `Duration::MAX`: since ever.
    Quiet(Reverse<Duration>),
    /// Talks, so loud; the quietest goes first.
    Talks(Reverse<Level>),
}

impl Grip {
    fn of(member: Option<&Member>, now: Time) -> Grip {
        let Some(member) = member.filter(|member| member.audible) else { return Grip::Barred };
        let quiet = member.talking.quiet_for(now).unwrap_or(Duration::MAX);
        match quiet < YIELDS_AFTER {
            true => Grip::Talks(Reverse(member.talking.loudness(now))),
            false => Grip::Quiet(Reverse(quiet)),
        }
    }

    /// Whether a place held so, since `since`, goes to a voice that talks so loud.
    fn yields_to(self, claim: Level, since: Time, now: Time) -> bool {
        match self {
            Grip::Barred | Grip::Quiet(_) => true,
            Grip::Talks(Reverse(level)) => {
                let louder = claim.dbov().saturating_add(LOUDER_DBOV) <= level.dbov();
                louder && now.since(since) >= SLOT_HELD
            }
        }
    }
}

impl Routes {
    /// Whether somebody who could hear this voice does not, though it talks.
    pub(super) fn is_unheard(&self, leg: LegId) -> bool {
        let Some(member) = self.members.get(&leg) else { return false };
        let itself = usize::from(!member.slots.is_empty());
        if !member.is_speaking(self.now) || member.heard_by() + itself >= self.listeners {
            return false;
        }
        let hears = |own: &LegId| self.members.get(own).is_some_and(|it| !it.slots.is_empty());
        let own = self.permits.legs_of(leg).iter().filter(|own| hears(own)).count();
        member.heard_by() + own < self.listeners
    }

    /// Voices that talk and are not heard by everybody take the places of those that do not.
    pub(super) fn contest(&mut self) {
        self.next_contest = self.now + CONTEST_INTERVAL;
        let unheard = self.talkers.iter().copied().filter(|leg| self.is_unheard(*leg));
        let mut claims: Vec<(Level, LegId)> = unheard
            .filter_map(|leg| Some((self.members.get(&leg)?.talking.loudness(self.now), leg)))
            .collect();
        claims.sort_unstable();
        let mut moved = false;
        for (level, voice) in &claims {
            moved |= self.take_stage(*voice, *level);
        }
        let grips = self.grips();
        for (leg, member) in &mut self.members {
            for (level, voice) in &claims {
                let is_own = self.permits.is_same_person(*leg, *voice);
                let is_heard = member.slots.iter().any(|slot| slot.held == Some(*voice));
                if !is_own && !is_heard && self.stage.contains(voice) {
                    moved |= take_slot(&mut member.slots, *voice, *level, &grips, self.now);
                }
            }
        }
        if moved {
            self.assign();
        }
    }

    /// Voices keep their place; a free place goes to who may be heard before who may not, and
    /// who may not gives way where there is none.
    pub(super) fn derive_stage(&mut self) {
        let most = self.stage_most();
        let sends = |leg: &LegId| self.members.get(leg).is_some_and(|member| member.sends);
        self.stage.retain(sends);
        while self.stage.len() > most {
            let grip = |at: &usize| Grip::of(self.members.get(&self.stage[*at]), self.now);
            let Some(least) = (0..self.stage.len()).min_by_key(grip) else { break };
            self.stage.remove(least);
        }
        let mut others: Vec<(Reverse<Grip>, LegId)> = self
            .members
            .iter()
            .filter(|(leg, member)| member.sends && !self.stage.contains(leg))
            .map(|(leg, member)| (Reverse(Grip::of(Some(member), self.now)), *leg))
            .collect();
        others.sort_unstable();
        for (Reverse(grip), voice) in others {
            if self.stage.len() < most {
                self.stage.push(voice);
                self.note_staged(voice);
            } else if grip == Grip::Barred || !self.replace_barred(voice) {
                break;
            }
        }
    }

    /// Gives every listener's free slots to the stage; slots of voices that left it are free.
    pub(super) fn assign(&mut self) {
        let grips = self.grips();
        let mut stage: Vec<LegId> = self.stage.clone();
        stage.sort_by_key(|voice| Reverse(grips.get(voice).copied()));
        for (leg, member) in &mut self.members {
            let is_other = |voice: &LegId| !self.permits.is_same_person(*leg, *voice);
            for slot in &mut member.slots {
                if slot.held.is_some_and(|voice| !is_other(&voice) || !stage.contains(&voice)) {
                    slot.held = None;
                }
            }
            for voice in stage.iter().filter(|voice| is_other(voice)) {
                if !member.slots.iter().any(|slot| slot.held == Some(*voice)) {
                    fill(&mut member.slots, *voice, &grips, self.now);
                }
            }
        }
        self.derive_routes();
    }

    /// Every listener finds as many others on the stage as he has slots.
    fn stage_most(&self) -> usize {
        let slots_most = self.members.values().map(|member| member.slots.len()).max();
        slots_most.unwrap_or(0) + self.permits.devices_most()
    }

    fn take_stage(&mut self, voice: LegId, level: Level) -> bool {
        if self.stage.contains(&voice) {
            return false;
        }
        let place = |at: usize| (Grip::of(self.members.get(&self.stage[at]), self.now), at);
        let Some((grip, at)) = (0..self.stage.len()).map(place).min() else { return false };
        let since = self.members.get(&self.stage[at]).map_or(Time::ZERO, |it| it.staged_at);
        if !grip.yields_to(level, since, self.now) {
            return false;
        }
        self.stage[at] = voice;
        self.note_staged(voice);
        true
    }

    fn replace_barred(&mut self, voice: LegId) -> bool {
        let barred = |on: &LegId| Grip::of(self.members.get(on), self.now) == Grip::Barred;
        let Some(at) = self.stage.iter().position(barred) else { return false };
        self.stage[at] = voice;
        self.note_staged(voice);
        true
    }

    fn note_staged(&mut self, voice: LegId) {
        if let Some(member) = self.members.get_mut(&voice) {
            member.staged_at = self.now;
        }
    }

    fn grips(&self) -> BTreeMap<LegId, Grip> {
        let grip = |voice: &LegId| (*voice, Grip::of(self.members.get(voice), self.now));
        self.stage.iter().map(grip).collect()
    }
}

impl Member {
    /// Whether it talks and does not pause at this moment: in its pauses a voice keeps what it
    /// has and claims nothing, or two that pause would take a slot from each other by turns.
    fn is_speaking(&self, now: Time) -> bool {
        self.talking.is_talking() && matches!(Grip::of(Some(self), now), Grip::Talks(_))
    }
}

/// A voice that talks takes the weakest slot of a listener, if that yields.
fn take_slot(
    slots: &mut [Slot],
    voice: LegId,
    level: Level,
    grips: &BTreeMap<LegId, Grip>,
    now: Time,
) -> bool {
    let grip = |slot: &Slot| grip_on(slot, grips);
    let Some(weakest) = slots.iter_mut().min_by_key(|slot| grip(slot)) else { return false };
    let yields = grip(weakest).yields_to(level, weakest.since, now);
    if yields {
        weakest.give(voice, now);
    }
    yields
}

/// A voice that may be heard takes a free slot or one of a voice that may not; any other a free
/// one only.
fn fill(slots: &mut [Slot], voice: LegId, grips: &BTreeMap<LegId, Grip>, now: Time) {
    let may_be_heard = grips.get(&voice).is_some_and(|grip| *grip != Grip::Barred);
    let free = slots.iter().position(|slot| slot.held.is_none());
    let barred = || slots.iter().position(|slot| grip_on(slot, grips) == Grip::Barred);
    if let Some(place) = free.or_else(|| barred().filter(|_| may_be_heard)) {
        slots[place].give(voice, now);
    }
}

/// Nobody's slot, and that of a voice that left the stage, goes first.
fn grip_on(slot: &Slot, grips: &BTreeMap<LegId, Grip>) -> Grip {
    slot.held.and_then(|voice| grips.get(&voice).copied()).unwrap_or(Grip::Barred)
}
