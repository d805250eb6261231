//! Who hears whom: the routes of one call on one media worker.
//!
//! Derived from the roster and the permits after each input, never patched: mute, leave and
//! reconnect are one rule and leave no stale edge. The call says who *may* be heard (`Permits`);
//! which voice stands on which slot is decided here. Voices on the *stage* (the most
//! slots any listener has, and one person's own more) hold a slot at every listener that has
//! room; so the cost of a join is the joiner's slots, not everyone's square.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::LegId;
use crate::limits::SLOTS_HARD_MAX;
use crate::slots::Voice;

/// The call's word on who may be heard: whole, replaceable, the higher version wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permits {
    pub version: u64,
    /// Legs whose voice may be heard. A leg not named here may not.
    pub audible: Vec<LegId>,
    /// The legs of each person who has several: nobody hears himself on another device.
    pub shared: Vec<Vec<LegId>>,
}

impl Permits {
    /// Whether both are legs of one person.
    fn is_same_person(&self, one: LegId, other: LegId) -> bool {
        one == other || self.shared.iter().any(|legs| legs.contains(&one) && legs.contains(&other))
    }

    /// The most legs that one person has.
    fn devices_most(&self) -> usize {
        self.shared.iter().map(Vec::len).max().unwrap_or(1)
    }
}

/// Where a packet of a source goes: a listener, by the worker's own number for it, and its slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub seat: u32,
    pub slot: u8,
}

/// A change of who is heard where on one leg, for `server.call.tracks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracks {
    pub leg: LegId,
    pub slots: Vec<Option<LegId>>,
}

/// One call's members on a worker.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    members: BTreeMap<LegId, Member>,
    /// Voices that hold slots, in the order they came.
    stage: Vec<LegId>,
    permits: Permits,
    /// Something was derived since the tracks were last taken.
    untold: bool,
}

#[derive(Clone, Debug)]
struct Member {
    seat: u32,
    sends: bool,
    audible: bool,
    /// Rises each time the voice may be heard again: a new tenure on every slot.
    epoch: u32,
    slots: Vec<Option<LegId>>,
    told: Vec<Option<LegId>>,
    routes: Vec<Route>,
}

impl Routes {
    /// A leg comes in with its slots; `sends` is false for one that only listens.
    pub fn join(&mut self, leg: LegId, seat: u32, slots: usize, sends: bool) {
        self.join_beside(leg, seat, slots, sends, &[]);
    }

    /// The same for a person who has other legs: he does not hear himself, even before the next
    /// permits say so.
    pub fn join_beside(
        &mut self,
        leg: LegId,
        seat: u32,
        slots: usize,
        sends: bool,
        beside: &[LegId],
    ) {
        if !beside.is_empty() {
            let legs = beside.iter().copied().chain([leg]).collect();
            self.permits.shared.push(legs);
        }
        let member = Member {
            seat,
            sends,
            audible: false,
            epoch: 0,
            slots: empty(slots),
            told: Vec::new(),
            routes: Vec::new(),
        };
        self.members.insert(leg, member);
        self.derive();
    }

    /// A leg has another number of slots, or begins or ceases to send (renegotiation).
    pub fn reshape(&mut self, leg: LegId, slots: usize, sends: bool) {
        if let Some(member) = self.members.get_mut(&leg) {
            member.slots.resize(slots.min(SLOTS_HARD_MAX), None);
            member.sends = sends;
            self.derive();
        }
    }

    pub fn leave(&mut self, leg: LegId) {
        if self.members.remove(&leg).is_some() {
            self.derive();
        }
    }

    /// Replaces the permits; an older version than the present one is ignored.
    pub fn permit(&mut self, permits: Permits) {
        if permits.version >= self.permits.version {
            self.permits = permits;
            self.derive();
        }
    }

    /// A source's SSRC changed: its numbering has no constant any more.
    pub fn renew(&mut self, leg: LegId) {
        if let Some(member) = self.members.get_mut(&leg) {
            member.epoch = member.epoch.wrapping_add(1);
        }
    }

    /// Where this leg's packets go now, and the voice they carry; `None` while it may not be
    /// heard.
    pub fn of(&self, leg: LegId) -> Option<(Voice, &[Route])> {
        let member = self.members.get(&leg)?;
        let voice = Voice { source: leg, epoch: member.epoch };
        member.audible.then_some((voice, member.routes.as_slice()))
    }

    /// Who is heard on each slot of a leg; empty for a leg that is not here.
    pub fn slots(&self, leg: LegId) -> &[Option<LegId>] {
        self.members.get(&leg).map_or(&[], |member| member.slots.as_slice())
    }

    /// Seats of every member, in the order they joined.
    pub fn seats(&self) -> impl Iterator<Item = (LegId, u32)> + '_ {
        self.members.iter().map(|(leg, member)| (*leg, member.seat))
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The legs whose slots changed since they were last told, each once.
    pub fn take_tracks(&mut self) -> Vec<Tracks> {
        if !core::mem::take(&mut self.untold) {
            return Vec::new();
        }
        let changed = self.members.iter_mut().filter(|(_, member)| member.told != member.slots);
        changed
            .map(|(leg, member)| {
                member.told.clone_from(&member.slots);
                Tracks { leg: *leg, slots: member.slots.clone() }
            })
            .collect()
    }

    fn derive(&mut self) {
        self.derive_audible();
        self.derive_stage();
        for (leg, member) in &mut self.members {
            assign(*leg, &mut member.slots, &self.stage, &self.permits);
            member.routes.clear();
        }
        self.derive_routes();
        self.untold = true;
    }

    fn derive_audible(&mut self) {
        self.permits.audible.sort_unstable();
        for (leg, member) in &mut self.members {
            let audible = member.sends && self.permits.audible.binary_search(leg).is_ok();
            if audible && !member.audible {
                member.epoch = member.epoch.wrapping_add(1);
            }
            member.audible = audible;
        }
    }

    /// Voices keep their place; a free place goes to who may be heard before who may not, and
    /// who may not gives way where there is none.
    fn derive_stage(&mut self) {
        let members = &self.members;
        let slots_most = members.values().map(|member| member.slots.len()).max().unwrap_or(0);
        let most = slots_most + self.permits.devices_most();
        self.stage.retain(|leg| members.get(leg).is_some_and(|member| member.sends));
        self.stage.truncate(most);
        for wanted in [true, false] {
            for (leg, member) in members {
                if !member.sends || member.audible != wanted || self.stage.contains(leg) {
                    continue;
                }
                if self.stage.len() < most {
                    self.stage.push(*leg);
                } else if !wanted {
                    break;
                } else if let Some(silent) = self.stage.iter_mut().find(|on| !heard(members, on)) {
                    *silent = *leg;
                } else {
                    break;
                }
            }
        }
    }

    fn derive_routes(&mut self) {
        let stage = core::mem::take(&mut self.stage);
        for source in &stage {
            let mut routes = match self.members.get_mut(source) {
                Some(member) if member.audible => core::mem::take(&mut member.routes),
                _ => continue,
            };
            for member in self.members.values() {
                if let Some(slot) = member.slots.iter().position(|held| *held == Some(*source)) {
                    routes.push(Route { seat: member.seat, slot: slot as u8 });
                }
            }
            if let Some(member) = self.members.get_mut(source) {
                member.routes = routes;
            }
        }
        self.stage = stage;
    }
}

fn empty(slots: usize) -> Vec<Option<LegId>> {
    alloc::vec![None; slots.min(SLOTS_HARD_MAX)]
}

fn heard(members: &BTreeMap<LegId, Member>, leg: &LegId) -> bool {
    members.get(leg).is_some_and(|member| member.audible)
}

/// One listener's slots: a voice on the stage keeps its slot; a new one takes a free slot, or,
/// if it may be heard, the slot of one that may not.
fn assign(own: LegId, slots: &mut [Option<LegId>], stage: &[LegId], permits: &Permits) {
    let is_other = |leg: &LegId| !permits.is_same_person(own, *leg);
    for slot in slots.iter_mut() {
        if slot.is_some_and(|leg| !is_other(&leg) || !stage.contains(&leg)) {
            *slot = None;
        }
    }
    let may_be_heard = |leg: &LegId| permits.audible.binary_search(leg).is_ok();
    for wanted in [true, false] {
        for voice in stage.iter().filter(|leg| is_other(leg) && may_be_heard(leg) == wanted) {
            if slots.contains(&Some(*voice)) {
                continue;
            }
            let free = slots.iter().position(Option::is_none);
            let taken = || slots.iter().position(|held| held.is_some_and(|l| !may_be_heard(&l)));
            let place = if wanted { free.or_else(taken) } else { free };
            if let Some(place) = place {
                slots[place] = Some(*voice);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(version: u64, audible: &[u64]) -> Permits {
        let audible = audible.iter().map(|id| LegId(*id)).collect();
        Permits { version, audible, shared: Vec::new() }
    }

    fn call(legs: &[u64], slots: usize) -> Routes {
        let mut routes = Routes::default();
        for leg in legs {
            routes.join(LegId(*leg), *leg as u32, slots, true);
        }
        routes.permit(permits(1, legs));
        routes
    }

    fn listeners(routes: &Routes, leg: u64) -> Vec<u32> {
        let routes = routes.of(LegId(leg)).map(|(_, routes)| routes.to_vec());
        routes.unwrap_or_default().iter().map(|route| route.seat).collect()
    }

    #[test]
    fn everyone_hears_everyone_but_himself() {
        let routes = call(&[1, 2, 3], 2);
        assert_eq!(listeners(&routes, 1), [2, 3]);
        assert_eq!(listeners(&routes, 2), [1, 3]);
        assert_eq!(listeners(&routes, 3), [1, 2]);
    }

    #[test]
    fn a_leg_without_a_permit_is_heard_by_nobody() {
        let mut routes = call(&[1, 2], 1);
        routes.permit(permits(2, &[2]));
        assert!(routes.of(LegId(1)).is_none());
        assert_eq!(listeners(&routes, 2), [1]);
    }

    #[test]
    fn an_older_permit_does_not_undo_a_mute() {
        let mut routes = call(&[1, 2], 1);
        routes.permit(permits(5, &[2]));
        routes.permit(permits(4, &[1, 2]));
        assert!(routes.of(LegId(1)).is_none());
    }

    #[test]
    fn a_voice_keeps_its_slot_when_others_come_and_go() {
        let mut routes = call(&[1, 2, 3], 3);
        let before = routes.slots(LegId(1)).to_vec();
        routes.join(LegId(4), 4, 3, true);
        assert_eq!(routes.slots(LegId(1))[..2], before[..2]);
        routes.leave(LegId(2));
        let three = before.iter().position(|held| *held == Some(LegId(3)));
        let still = routes.slots(LegId(1)).iter().position(|held| *held == Some(LegId(3)));
        assert_eq!(three, still);
    }

    #[test]
    fn a_silent_one_gives_way_where_there_is_no_room() {
        let mut routes = call(&[1, 2, 3, 4, 5], 1);
        routes.permit(permits(2, &[5]));
        assert_eq!(listeners(&routes, 5), [1, 2, 3, 4]);
    }

    #[test]
    fn an_unmute_is_a_new_epoch_and_a_mute_of_another_is_not() {
        let mut routes = call(&[1, 2], 1);
        let epoch = |routes: &Routes| routes.of(LegId(1)).map(|(voice, _)| voice.epoch);
        let first = epoch(&routes);
        routes.permit(permits(2, &[1]));
        assert_eq!(epoch(&routes), first);
        routes.permit(permits(3, &[]));
        routes.permit(permits(4, &[1]));
        assert_ne!(epoch(&routes), first);
    }

    #[test]
    fn the_next_on_a_seat_is_another_voice() {
        let mut routes = call(&[1, 2], 1);
        let former = routes.of(LegId(2)).map(|(voice, _)| voice);
        routes.leave(LegId(2));
        routes.join(LegId(3), 2, 1, true);
        routes.permit(permits(2, &[1, 3]));
        let next = routes.of(LegId(3)).map(|(voice, _)| voice);
        assert_ne!(former, next);
    }

    #[test]
    fn nobody_hears_himself_on_another_device() {
        let mut routes = call(&[1, 2, 3], 1);
        let shared = alloc::vec![alloc::vec![LegId(1), LegId(2)]];
        routes.permit(Permits { shared, ..permits(2, &[1, 2, 3]) });
        assert_eq!(listeners(&routes, 1), [3]);
        assert_eq!(listeners(&routes, 3), [1, 2]);
    }

    #[test]
    fn a_second_leg_of_one_person_gets_the_others_on_its_slots_at_once() {
        let mut routes = call(&[1, 2], 1);
        routes.join_beside(LegId(3), 3, 1, true, &[LegId(1)]);
        assert_eq!(routes.slots(LegId(3)), [Some(LegId(2))]);
    }

    #[test]
    fn tracks_are_told_once_for_each_change() {
        let mut routes = call(&[1, 2], 1);
        let told = routes.take_tracks();
        assert_eq!(told[0], Tracks { leg: LegId(1), slots: alloc::vec![Some(LegId(2))] });
        assert_eq!(told[1], Tracks { leg: LegId(2), slots: alloc::vec![Some(LegId(1))] });
        assert_eq!(routes.take_tracks(), []);
    }

    #[test]
    fn three_talkers_reach_three_hundred_listeners() {
        let mut routes = Routes::default();
        for leg in 0..300 {
            routes.join(LegId(leg), leg as u32, 3, true);
        }
        routes.permit(permits(1, &[0, 100, 299]));
        for talker in [0, 100, 299] {
            assert_eq!(listeners(&routes, talker).len(), 299);
        }
    }
}
