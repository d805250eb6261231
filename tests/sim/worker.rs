//! A media worker without sockets, checks and keys: engine's routes, streams, views and templates
//! used as `src/media` uses them. A leg's datagrams are known by its id.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use engine::call::Seen;
use engine::ring::{Kept, Ring};
use engine::routes::{Permits, Route, Routes, Tracks, Turn};
use engine::rtp::View;
use engine::slots::{Arrival, Voice};
use engine::talking::Said;
use engine::{LegId, Level, Time};

use super::fanout::OutSlot;
use super::replay::Replay;
use super::sabotage::Sabotage;
use super::speech::Frame;

pub const LEVEL_ID: u8 = 1;
pub const PAYLOAD_TYPE: u8 = 111;
/// Shorter than the server's, so that a story sees it often.
pub const SILENT_AFTER: Duration = Duration::from_millis(1_500);

pub struct LegSpec {
    pub leg: LegId,
    pub call: u64,
    pub ssrcs: Vec<u32>,
    pub sends: bool,
    /// Other legs of its person.
    pub beside: Vec<LegId>,
    /// Where the streams' first numbers come from.
    pub seed: u64,
}

pub enum Order {
    Reshape { leg: LegId, ssrcs: Vec<u32> },
    Close { leg: LegId },
}

#[derive(Clone, Debug)]
pub enum Notice {
    Link { leg: LegId, seen: Seen },
    Tracks(Tracks),
    Talking { leg: LegId, level: Option<Level> },
}

/// One packet on its way to a listener.
pub struct Sent {
    pub source: LegId,
    pub listener: LegId,
    pub slot: usize,
    /// How often the slot has changed hands.
    pub turn: u32,
    pub bytes: Vec<u8>,
}

#[derive(Default)]
pub struct Worker {
    pub(super) sabotage: Sabotage,
    /// Packets out of rings that may be sent in 20 ms.
    pub(super) extra_most: u32,
    pub(super) extra: (u64, u32),
    pub orders: VecDeque<Order>,
    /// The last word of each call.
    pub permits: BTreeMap<u64, Permits>,
    pub notices: Vec<(u64, Notice)>,
    /// Whether the newest packet that may be heard is recorded.
    pub taped: Option<bool>,
    pub(super) seats: Vec<Option<Leg>>,
    free: Vec<u32>,
    legs: BTreeMap<LegId, u32>,
    calls: BTreeMap<u64, Routes>,
}

pub(super) struct Leg {
    pub id: LegId,
    call: u64,
    sends: bool,
    pub connected: bool,
    opened: Vec<(u32, Replay)>,
    ssrc: Option<u32>,
    pub ring: Option<Box<Ring>>,
    pub slots: Vec<OutSlot>,
    /// Slots that a renegotiation took: their numbers go on if they come back.
    pub retired: Vec<OutSlot>,
    seed: u64,
    seen_at: Time,
    told: Option<Seen>,
}

impl Worker {
    pub fn new(sabotage: Sabotage, extra_most: u32) -> Worker {
        Worker { sabotage, extra_most, ..Worker::default() }
    }

    pub fn open(&mut self, now: Time, spec: LegSpec) {
        let seat = self.free.pop().unwrap_or(self.seats.len() as u32);
        if seat as usize == self.seats.len() {
            self.seats.push(None);
        }
        let slots = spec.ssrcs.iter().map(|ssrc| OutSlot::new(*ssrc, spec.seed)).collect();
        self.seats[seat as usize] = Some(Leg {
            id: spec.leg,
            call: spec.call,
            sends: spec.sends,
            connected: false,
            opened: Vec::new(),
            ssrc: None,
            ring: None,
            slots,
            retired: Vec::new(),
            seed: spec.seed,
            seen_at: now,
            told: None,
        });
        self.legs.insert(spec.leg, seat);
        let routes = self.calls.entry(spec.call).or_default();
        routes.join_beside(spec.leg, seat, spec.ssrcs.len(), spec.sends, &spec.beside);
    }

    /// Takes all that waits; gives the permits that were applied.
    pub fn take_mail(&mut self) -> Vec<(u64, Permits)> {
        for order in std::mem::take(&mut self.orders) {
            match order {
                Order::Reshape { leg, ssrcs } => self.reshape(leg, &ssrcs),
                Order::Close { leg } if self.sabotage != Sabotage::LegsStay => self.close(leg),
                Order::Close { .. } => {}
            }
        }
        let permits: Vec<_> = std::mem::take(&mut self.permits).into_iter().collect();
        for (call, permits) in &permits {
            let ignored = self.sabotage == Sabotage::PermitsIgnored && permits.version > 4;
            if let Some(routes) = self.calls.get_mut(call).filter(|_| !ignored) {
                routes.permit(permits.clone());
            }
        }
        self.tell_routes();
        permits
    }

    /// Whose slots changed hands, and who began and ceased to talk.
    fn tell_routes(&mut self) {
        for (call, routes) in &mut self.calls {
            let changed = routes.take_tracks().into_iter();
            self.notices.extend(changed.map(|tracks| (*call, Notice::Tracks(tracks))));
        }
        for call in self.calls.keys().copied().collect::<Vec<_>>() {
            self.tell_turns(call);
        }
    }

    fn reshape(&mut self, id: LegId, ssrcs: &[u32]) {
        let keeps = self.sabotage != Sabotage::NumbersReused;
        let Some(leg) = self.leg_mut(id) else { return };
        let seed = leg.seed;
        let mut former: Vec<OutSlot> = leg.slots.drain(..).chain(leg.retired.drain(..)).collect();
        for ssrc in ssrcs {
            let known = former.iter().position(|slot| slot.ssrc == *ssrc && keeps);
            let slot = known.map(|at| former.swap_remove(at));
            leg.slots.push(slot.unwrap_or_else(|| OutSlot::new(*ssrc, seed)));
        }
        leg.retired = former;
        let (call, sends) = (leg.call, leg.sends);
        if let Some(routes) = self.calls.get_mut(&call) {
            routes.reshape(id, ssrcs.len(), sends);
        }
    }

    fn close(&mut self, id: LegId) {
        let Some(seat) = self.legs.remove(&id) else { return };
        let Some(leg) = self.seats[seat as usize].take() else { return };
        self.free.push(seat);
        if let Some(routes) = self.calls.get_mut(&leg.call) {
            routes.leave(id);
            if routes.is_empty() {
                self.calls.remove(&leg.call);
            }
        }
    }

    /// Keys came, or the peer closed.
    pub fn handle_outcome(&mut self, now: Time, id: LegId, seen: Seen) {
        if let Some(leg) = self.leg_mut(id) {
            leg.connected |= seen == Seen::Alive;
            leg.seen_at = now;
            self.tell_link(id, seen);
        }
    }

    pub fn handle_check(&mut self, now: Time, id: LegId) {
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.connected) else { return };
        leg.seen_at = now;
        if leg.told == Some(Seen::Silent) {
            self.tell_link(id, Seen::Alive);
        }
    }

    pub fn sweep(&mut self, now: Time) {
        let is_silent =
            |leg: &&Leg| leg.told == Some(Seen::Alive) && now.since(leg.seen_at) >= SILENT_AFTER;
        let silent: Vec<LegId> =
            self.seats.iter().flatten().filter(is_silent).map(|leg| leg.id).collect();
        for leg in silent {
            self.tell_link(leg, Seen::Silent);
        }
        self.calls.values_mut().for_each(|routes| routes.handle_timeout(now));
        self.tell_routes();
    }

    fn tell_link(&mut self, id: LegId, seen: Seen) {
        let Some(leg) = self.leg_mut(id) else { return };
        if leg.told == Some(seen) || leg.told == Some(Seen::Ended) {
            return;
        }
        leg.told = Some(seen);
        let call = leg.call;
        self.notices.push((call, Notice::Link { leg: id, seen }));
    }

    /// One datagram of a leg, to everyone who hears it.
    pub fn handle_rtp(&mut self, now: Time, id: LegId, packet: &[u8]) -> Vec<Sent> {
        let sabotage = self.sabotage;
        let Some(leg) = self.leg_mut(id).filter(|leg| leg.connected) else { return Vec::new() };
        let Ok(view) = View::parse(packet, Some(LEVEL_ID)) else { return Vec::new() };
        let Some(index) = leg.open_rtp(&view, sabotage) else { return Vec::new() };
        let renewed = leg.ssrc.replace(view.ssrc).is_some_and(|former| former != view.ssrc);
        let call = leg.call;
        self.handle_check(now, id);
        let Some(routes) = self.calls.get_mut(&call) else { return Vec::new() };
        if renewed {
            routes.renew(id);
        }
        let payload = &packet[view.payload.clone()];
        let (timestamp, marker) = (view.timestamp, view.marker);
        let arrival = Arrival { at: now, index, timestamp, marker };
        let newest = Kept { arrival, level: view.level, payload: payload.to_vec() };
        if routes.of(id).is_none() {
            self.keep_muted(id, &newest);
            return Vec::new();
        }
        let level = view.level.unwrap_or(Level::SILENCE);
        let is_silence = Frame::read(payload).is_none_or(|frame| !frame.voiced)
            || sabotage == Sabotage::ContestsLost;
        routes.hear(id, Said { at: now, level, samples: 960, is_silence, is_voiceless: false });
        let scarce = routes.is_scarce();
        self.taped = Some(routes.is_recorded(id) || sabotage == Sabotage::TapeRuns);
        let Some((voice, routed)) = routes.of(id) else { return Vec::new() };
        let mut places = routed.to_vec();
        let voice = match sabotage {
            Sabotage::TenureKept => Voice { source: LegId(0), epoch: 0 },
            _ => voice,
        };
        match sabotage {
            Sabotage::SelfHeard => {
                places.push(Route { seat: self.legs[&id], rank: 0, slot: 0, turn: 0 })
            }
            Sabotage::VoiceLost => drop(places.pop()),
            _ => {}
        }
        let ring = self.keep(id, scarce, voice, &newest);
        let sent = self.fan_out(id, voice, &places, (&newest, &ring));
        self.tell_turns(call);
        sent
    }

    /// Tracks are told at the next tick.
    fn tell_turns(&mut self, call: u64) {
        let turns = self.calls.get_mut(&call).map(Routes::take_turns).unwrap_or_default();
        for Turn { leg, level } in turns {
            self.notices.push((call, Notice::Talking { leg, level }));
        }
    }

    /// Whether keys are there for this leg.
    pub fn is_connected(&self, leg: LegId) -> bool {
        let seat = self.legs.get(&leg).map(|seat| *seat as usize);
        seat.and_then(|seat| self.seats[seat].as_ref()).is_some_and(|leg| leg.connected)
    }

    /// Legs of a call that have keys and slots.
    pub fn listeners(&self, call: u64) -> impl Iterator<Item = LegId> + '_ {
        let here = self.seats.iter().flatten().filter(move |leg| leg.call == call);
        here.filter(|leg| leg.connected && !leg.slots.is_empty()).map(|leg| leg.id)
    }

    pub fn is_scarce(&self, call: u64) -> bool {
        self.calls.get(&call).is_some_and(Routes::is_scarce)
    }

    pub fn holds(&self, leg: LegId) -> bool {
        self.legs.contains_key(&leg)
    }

    /// Who is heard on the slots of a leg.
    pub fn slots(&self, call: u64, leg: LegId) -> Vec<Option<LegId>> {
        self.calls.get(&call).map(|routes| routes.slots(leg)).unwrap_or_default()
    }

    pub fn legs(&self) -> impl Iterator<Item = LegId> + '_ {
        self.legs.keys().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.legs.is_empty() && self.calls.is_empty() && self.seats.iter().all(Option::is_none)
    }

    pub(super) fn leg_mut(&mut self, id: LegId) -> Option<&mut Leg> {
        self.seats[*self.legs.get(&id)? as usize].as_mut()
    }
}

impl Leg {
    /// The packet's index, where it is fresh (SRTP's replay window).
    fn open_rtp(&mut self, view: &View, sabotage: Sabotage) -> Option<u64> {
        let known = self.opened.iter_mut().find(|(ssrc, _)| *ssrc == view.ssrc);
        let Some((_, replay)) = known else {
            self.opened.push((view.ssrc, Replay::starting_at(view.sequence)));
            return Some(u64::from(view.sequence));
        };
        let index = replay.estimate(view.sequence);
        (replay.is_fresh(index) || sabotage == Sabotage::ReplaysPass).then_some(index)
    }
}
