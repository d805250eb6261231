//! Who hears whom: the routes of one call on one media worker.
//!
//! Derived from the roster and the permits after each input, never patched: mute, leave and
//! reconnect are one rule and leave no stale edge. The call says who *may* be heard (`Permits`);
//! which voice stands on which slot is decided here. Voices on the *stage* (the most
//! slots any listener has, and one person's own more) hold a slot at every listener that has
//! room; so the cost of a join is the joiner's slots, not everyone's square. Where there are more
//! voices than slots, those that talk get them (`contest`).

mod bundled;
mod contest;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::limits::SLOTS_HARD_MAX;
use crate::slots::Voice;
use crate::talking::{Edge, Said, Talking};
use crate::{LegId, Level, Time};

/// The call's word on who may be heard: whole, replaceable, the higher version wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permits {
    pub version: u64,
    /// Legs whose voice may be heard. A leg not named here may not.
    pub audible: Vec<LegId>,
    /// The legs of each person who has several: nobody hears himself on another device.
    pub shared: Vec<Vec<LegId>>,
    /// Legs whose voice is recorded, of those that may be heard.
    pub recorded: Vec<LegId>,
}

impl Permits {
    /// Whether both are legs of one person.
    fn is_same_person(&self, one: LegId, other: LegId) -> bool {
        one == other || self.shared.iter().any(|legs| legs.contains(&one) && legs.contains(&other))
    }

    /// All legs of this one's person.
    fn legs_of(&self, leg: LegId) -> Vec<LegId> {
        let shared = self.shared.iter().find(|legs| legs.contains(&leg));
        shared.cloned().unwrap_or_else(|| alloc::vec![leg])
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
    /// The listener's place among all members: routes stand in its order.
    pub rank: u32,
    pub slot: u8,
    /// How often the slot has changed hands: another turn is another tenure.
    pub turn: u32,
}

/// A change of who is heard where on one leg, for `server.call.tracks`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracks {
    pub leg: LegId,
    pub slots: Vec<Option<LegId>>,
}

/// A voice began, as loud as that, or ceased (`None`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    pub leg: LegId,
    pub level: Option<Level>,
}

/// One call's members on a worker.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    members: BTreeMap<LegId, Member>,
    /// Voices that hold slots, in the order they came.
    stage: Vec<LegId>,
    /// Who talks at this moment.
    talkers: Vec<LegId>,
    /// What of them is still to be told.
    turns: Vec<Turn>,
    permits: Permits,
    /// The newest time that came in.
    now: Time,
    /// Slots may change hands again from then on.
    next_contest: Time,
    /// Some listener has fewer slots than there are voices.
    scarce: bool,
    /// Legs that hear at all.
    listeners: usize,
    /// Something was derived since the tracks were last taken.
    untold: bool,
    /// Listeners whose voices were bundled and are no more, until they are asked for.
    unbundled: Vec<LegId>,
}

#[derive(Clone, Debug)]
struct Member {
    seat: u32,
    sends: bool,
    audible: bool,
    recorded: bool,
    /// Rises each time the voice may be heard again: a new tenure on every slot.
    epoch: u32,
    talking: Talking,
    /// Since when it stands on the stage.
    staged_at: Time,
    slots: Vec<Slot>,
    told: Vec<Option<LegId>>,
    /// To those who hear each packet as it comes.
    routes: Vec<Route>,
    /// To those who hear several in one.
    bundles: Vec<Route>,
    /// It hears several in one.
    bundled: bool,
    /// When it was last one who may be heard, or came.
    spoke_at: Time,
}

/// One slot of a listener.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    held: Option<LegId>,
    since: Time,
    turn: u32,
}

impl Slot {
    fn give(&mut self, voice: LegId, now: Time) {
        *self = Slot { held: Some(voice), since: now, turn: self.turn.wrapping_add(1) };
    }
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
            recorded: false,
            epoch: 0,
            talking: Talking::default(),
            staged_at: self.now,
            slots: alloc::vec![Slot::default(); slots.min(SLOTS_HARD_MAX)],
            told: Vec::new(),
            routes: Vec::new(),
            bundles: Vec::new(),
            bundled: false,
            spoke_at: self.now,
        };
        self.members.insert(leg, member);
        self.derive();
    }

    /// A leg has another number of slots, or begins or ceases to send (renegotiation).
    pub fn reshape(&mut self, leg: LegId, slots: usize, sends: bool) {
        if let Some(member) = self.members.get_mut(&leg) {
            member.slots.resize(slots.min(SLOTS_HARD_MAX), Slot::default());
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

    /// What a packet of this leg says of its voice. Whoever may not be heard does not talk.
    /// Slots may change hands, so ask `of` afterwards.
    pub fn hear(&mut self, leg: LegId, said: Said) {
        self.now = self.now.max(said.at);
        let Some(member) = self.members.get_mut(&leg).filter(|member| member.audible) else {
            return;
        };
        match member.talking.hear(said) {
            Some(Edge::Began) => {
                self.turns.push(Turn { leg, level: Some(member.talking.loudness(said.at)) });
                self.talkers.push(leg);
            }
            Some(Edge::Ceased) => self.note_ceased(leg),
            None => {}
        }
        if self.scarce && self.now >= self.next_contest && self.is_unheard(leg) {
            self.contest();
        }
    }

    /// Ceases the voices whose packets stopped.
    pub fn handle_timeout(&mut self, now: Time) {
        self.now = self.now.max(now);
        for leg in self.talkers.clone() {
            let member = self.members.get_mut(&leg);
            if member.is_none_or(|member| member.talking.handle_timeout(now).is_some()) {
                self.note_ceased(leg);
            }
        }
    }

    /// Where this leg's packets go as they come, and the voice they carry; `None` while it may
    /// not be heard.
    pub fn of(&self, leg: LegId) -> Option<(Voice, &[Route])> {
        self.audible(leg).map(|(voice, member)| (voice, member.routes.as_slice()))
    }

    /// Whether what this leg says now is recorded.
    pub fn is_recorded(&self, leg: LegId) -> bool {
        // Most calls are not.
        !self.permits.recorded.is_empty()
            && self.members.get(&leg).is_some_and(|member| member.recorded)
    }

    /// Whether some voices have no slot at some listener: then each keeps its last moments.
    pub fn is_scarce(&self) -> bool {
        self.scarce
    }

    /// Who is heard on each slot of a leg; nothing for a leg that is not here.
    pub fn slots(&self, leg: LegId) -> Vec<Option<LegId>> {
        self.members.get(&leg).map(Member::held).unwrap_or_default()
    }

    /// The voice of a leg; `None` for a leg that is not here.
    pub fn talking(&self, leg: LegId) -> Option<&Talking> {
        self.members.get(&leg).map(|member| &member.talking)
    }

    /// Seats of every member, in the order they joined.
    pub fn seats(&self) -> impl Iterator<Item = (LegId, u32)> + '_ {
        self.members.iter().map(|(leg, member)| (*leg, member.seat))
    }

    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether `take_turns` has something.
    pub fn has_turns(&self) -> bool {
        !self.turns.is_empty()
    }

    /// Who began and who ceased since this was last asked, in order.
    pub fn take_turns(&mut self) -> Vec<Turn> {
        core::mem::take(&mut self.turns)
    }

    /// The legs whose slots changed since they were last told, each once.
    pub fn take_tracks(&mut self) -> Vec<Tracks> {
        if !core::mem::take(&mut self.untold) {
            return Vec::new();
        }
        let changed = self.members.iter_mut().filter(|(_, member)| !member.is_told());
        changed
            .map(|(leg, member)| {
                member.told = member.held();
                Tracks { leg: *leg, slots: member.told.clone() }
            })
            .collect()
    }

    /// A leg that may be heard, and the voice that its packets carry.
    fn audible(&self, leg: LegId) -> Option<(Voice, &Member)> {
        let member = self.members.get(&leg).filter(|member| member.audible)?;
        Some((Voice { source: leg, epoch: member.epoch }, member))
    }

    fn derive(&mut self) {
        self.derive_audible();
        self.derive_scarcity();
        self.derive_stage();
        self.assign();
    }

    fn derive_audible(&mut self) {
        self.permits.audible.sort_unstable();
        self.permits.recorded.sort_unstable();
        for (leg, member) in &mut self.members {
            let audible = member.sends && self.permits.audible.binary_search(leg).is_ok();
            if audible && !member.audible {
                member.epoch = member.epoch.wrapping_add(1);
            }
            if audible || member.audible {
                member.spoke_at = self.now;
            }
            if audible && core::mem::take(&mut member.bundled) {
                self.unbundled.push(*leg);
            }
            if !audible && member.talking.reset().is_some() {
                self.turns.push(Turn { leg: *leg, level: None });
            }
            member.audible = audible;
            member.recorded = audible && self.permits.recorded.binary_search(leg).is_ok();
        }
        let members = &self.members;
        let talks = |leg: &LegId| members.get(leg).is_some_and(|it| it.talking.is_talking());
        self.talkers.retain(talks);
    }

    fn derive_scarcity(&mut self) {
        let voices = self.members.values().filter(|member| member.sends).count();
        let hears = |member: &&Member| !member.slots.is_empty();
        self.listeners = self.members.values().filter(hears).count();
        let is_short = |(leg, member): (&LegId, &Member)| {
            let own = self.permits.legs_of(*leg);
            let own = own.iter().filter(|leg| self.members.get(leg).is_some_and(|it| it.sends));
            !member.slots.is_empty() && member.slots.len() < voices - own.count().min(voices)
        };
        self.scarce = self.members.iter().any(is_short);
    }

    fn note_ceased(&mut self, leg: LegId) {
        self.talkers.retain(|talker| *talker != leg);
        self.turns.push(Turn { leg, level: None });
    }

    fn derive_routes(&mut self) {
        self.untold = true;
        for member in self.members.values_mut() {
            member.routes.clear();
            member.bundles.clear();
        }
        for source in &self.stage {
            let (mut routes, mut bundles) = match self.members.get_mut(source) {
                Some(member) if member.audible => {
                    (core::mem::take(&mut member.routes), core::mem::take(&mut member.bundles))
                }
                _ => continue,
            };
            for (rank, member) in (0..).zip(self.members.values()) {
                let held = member.slots.iter().position(|slot| slot.held == Some(*source));
                if let Some(slot) = held {
                    let turn = member.slots[slot].turn;
                    let route = Route { seat: member.seat, rank, slot: slot as u8, turn };
                    if member.bundled { bundles.push(route) } else { routes.push(route) }
                }
            }
            if let Some(member) = self.members.get_mut(source) {
                (member.routes, member.bundles) = (routes, bundles);
            }
        }
    }
}

impl Member {
    fn held(&self) -> Vec<Option<LegId>> {
        self.slots.iter().map(|slot| slot.held).collect()
    }

    /// How many hear it.
    fn heard_by(&self) -> usize {
        self.routes.len() + self.bundles.len()
    }

    fn is_told(&self) -> bool {
        self.slots.iter().map(|slot| slot.held).eq(self.told.iter().copied())
    }
}

#[cfg(test)]
mod tests;
