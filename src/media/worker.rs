//! A media worker: one plain thread, one UDP socket, and every leg of the calls placed on it.
//! Sleeps until a datagram, an order or a tick comes; takes datagrams by the batch, answers
//! checks, hands handshakes to their thread, forwards voices.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::routes::Routes;
use engine::{LegId, Time};
use mio::{Events, Poll, Token};

use super::addresses::Addresses;
use super::bundles::Bundling;
use super::departing::{Departing, Extra};
use super::dtls::{Handshakes, Outcome};
use super::ice::IceLite;
use super::inbox::{BATCH, Inbox};
use super::leg::{Leg, LegSpec, Life, OutSlot, SlotSpec, Source, SrtpKeys, Told, VoiceSpec};
use super::mailbox::{Mail, Mailbox, Order};
use super::meter::Meter;
use super::outbox::Outbox;
use super::seats::Seats;
use super::socket::UdpSocket;
use super::srtp::{Opener, Sealer};
use super::stats::Stats;
use super::tap::Tap;
use super::{CallNo, Notice, NoticeSink, PROBE_LEGS, Step};
use crate::clock::Clock;
use crate::limits::{EARLY_PACKETS, TICK, TICKS_A_SWEEP};

pub(super) const SOCKET: Token = Token(0);
pub(super) const WAKER: Token = Token(1);

/// Receive batches before orders are looked at again: 1,024 datagrams, about 3 ms.
const BATCHES_A_TURN: usize = 16;

/// How a worker's thread ended, where it did not panic.
pub(super) enum Ended {
    Stopped,
    /// It cannot wait for datagrams any more.
    Deaf,
}

pub(super) struct Worker {
    pub socket: Arc<UdpSocket>,
    pub seats: Seats<Leg>,
    pub legs: HashMap<LegId, u32>,
    pub addresses: Addresses,
    pub calls: HashMap<CallNo, Routes>,
    pub outbox: Outbox,
    pub handshakes: Handshakes,
    pub stats: Arc<Stats>,
    pub silent_after: Duration,
    /// Hears the level of voices whose clients do not tell it.
    pub meter: Meter,
    /// Hands what is recorded to the recorder.
    pub tap: Option<Tap>,
    /// Packets of the batch that is being read, and of rings beside them.
    pub departing: Departing,
    pub extra: Extra,
    pub bundling: Bundling,
    /// Packets that overtook their keys, at most [`EARLY_PACKETS`] a leg.
    pub early: HashMap<LegId, Vec<Box<[u8]>>>,
    /// The answer to a check, before it is copied out.
    pub reply: Vec<u8>,
    /// Notices that their call had no room for; told again each tick.
    pub untold: Vec<(NoticeSink, Notice)>,
    /// Handshakes to close whose order did not fit the queue.
    pub unclosed: Vec<LegId>,
    pub mailbox: Arc<Mailbox>,
    pub clock: Clock,
    pub sweep: u32,
}

impl Worker {
    pub fn run(mut self, mut poll: Poll) -> Ended {
        let mut events = Events::with_capacity(4);
        let mut inbox = Inbox::default();
        let mut mail = Mail::default();
        let mut next_tick = Instant::now() + TICK;
        // Edge-triggered: what was not drained is not announced again.
        let mut undrained = false;
        loop {
            let wait = match undrained {
                true => Duration::ZERO,
                false => self.wait(next_tick),
            };
            if let Err(error) = poll.poll(&mut events, Some(wait))
                && error.kind() != io::ErrorKind::Interrupted
            {
                tracing::error!(%error, "media worker cannot poll");
                return Ended::Deaf;
            }
            self.mailbox.take(&mut mail);
            if mail.stop {
                return Ended::Stopped;
            }
            self.handle_mail(&mut mail);
            if undrained || events.iter().any(|event| event.token() == SOCKET) {
                undrained = self.drain_socket(&mut inbox);
            }
            let now = Instant::now();
            self.send_bundles(self.clock.time_at(now));
            if now >= next_tick {
                next_tick = now + TICK;
                self.handle_tick(now);
            }
            self.outbox.flush(&self.socket);
            self.stats.sent(self.outbox.sent, self.outbox.unsent);
        }
    }

    /// How long nothing is to be done but what comes in.
    fn wait(&self, next_tick: Instant) -> Duration {
        let moment = Instant::now();
        let tick = next_tick.saturating_duration_since(moment);
        let due = self.bundling.due().map(|due| due.since(self.clock.time_at(moment)));
        due.map_or(tick, |due| due.min(tick))
    }

    /// True where datagrams may still be waiting.
    fn drain_socket(&mut self, inbox: &mut Inbox) -> bool {
        for _ in 0..BATCHES_A_TURN {
            let received = match inbox.receive(&self.socket) {
                Ok(received) => received,
                Err(error) => {
                    tracing::warn!(%error, "media socket cannot receive");
                    return false;
                }
            };
            let moment = Instant::now();
            let now = self.clock.time_at(moment);
            for at in 0..received {
                if let Some((datagram, path)) = inbox.datagram(at) {
                    self.handle_datagram(moment, now, datagram, path);
                }
            }
            self.depart();
            self.outbox.flush(&self.socket);
            if received < BATCH {
                return false;
            }
        }
        true
    }

    fn handle_mail(&mut self, mail: &mut Mail) {
        if mail.is_empty() {
            return;
        }
        if !(mail.orders.is_empty() && mail.permits.is_empty()) {
            self.finish_bundles();
        }
        for order in mail.orders.drain(..) {
            self.handle_order(order);
        }
        for (call, permits) in mail.permits.drain() {
            if let Some(routes) = self.calls.get_mut(&call) {
                routes.permit(permits);
            }
        }
        for outcome in mail.outcomes.drain(..) {
            self.handle_outcome(outcome);
        }
        for (leg, said) in mail.levels.drain(..) {
            let call = self.leg_mut(leg).map(|(_, leg)| leg.call);
            if let Some(routes) = call.and_then(|call| self.calls.get_mut(&call)) {
                routes.hear(leg, said);
            }
        }
        self.flush_unbundled();
        self.tell_tracks();
        self.tell_all_turns();
    }

    fn handle_order(&mut self, order: Order) {
        match order {
            Order::Open { spec, opened } => {
                let slots = self.open(*spec);
                // A call that no longer waits closes the leg itself.
                let _ = opened.send(slots);
            }
            Order::Reshape { leg, slots, voice } => self.reshape(leg, &slots, voice),
            Order::RestartIce { leg, local, remote_ufrag } => {
                let now = Instant::now();
                if let Some((seat, leg)) = self.leg_mut(leg) {
                    let ufrag = local.ufrag.clone();
                    let changes = leg.ice.restart(now, local, remote_ufrag);
                    self.addresses.name(&ufrag, seat);
                    self.follow(seat, &changes);
                }
            }
            Order::Close { leg } => self.close(leg),
            Order::Inspect { call, readings } => {
                // Whoever asked may not wait any more.
                let _ = readings.send(self.read_legs(call));
            }
            Order::Break => panic!("told to break"),
        }
    }

    fn open(&mut self, spec: LegSpec) -> Vec<Option<LegId>> {
        let now = self.clock.now().time;
        let (id, call, ufrag) = (spec.leg, spec.call, spec.local.ufrag.clone());
        let handshake_opened = self.handshakes.open(id.0, spec.fingerprints);
        let (slots, sends) = (spec.slots.len(), spec.voice.is_some());
        let seat = self.seats.seat(|_| Leg {
            id,
            call,
            handshake: id.0,
            ice: IceLite::new(spec.local, spec.remote_ufrag),
            to: None,
            keys: None,
            packet_max: spec.packet_max,
            lossy_until: Time::ZERO,
            source: Source::new(spec.voice),
            slots: spec.slots.iter().map(OutSlot::fresh).collect(),
            retired: Vec::new(),
            rtcp_index: 0,
            life: Life { seen_at: now, told: Told::Nothing, sweeps: 0, reported_highest: 0 },
            notices: spec.notices,
        });
        self.legs.insert(id, seat);
        self.stats.legs(self.legs.len());
        self.addresses.name(&ufrag, seat);
        let routes = self.calls.entry(call).or_default();
        routes.join_beside(id, seat, slots, sends, &spec.beside);
        let heard = routes.slots(id);
        if !handshake_opened {
            self.tell_link(seat, Told::Ended);
        }
        heard
    }

    fn reshape(&mut self, id: LegId, specs: &[SlotSpec], voice: Option<VoiceSpec>) {
        let Some((_, leg)) = self.leg_mut(id) else { return };
        leg.source.spec = voice;
        leg.reshape(specs);
        let call = leg.call;
        if let Some(routes) = self.calls.get_mut(&call) {
            routes.reshape(id, specs.len(), voice.is_some());
        }
    }

    fn close(&mut self, id: LegId) {
        let Some(seat) = self.legs.remove(&id) else { return };
        self.stats.legs(self.legs.len());
        self.early.remove(&id);
        self.untold.retain(|(_, notice)| notice.leg() != id);
        self.meter.close(id);
        let Some(leg) = self.seats.rise(seat) else { return };
        self.addresses.forget(&leg.ice, seat);
        if !self.handshakes.close(leg.handshake) {
            self.unclosed.push(id);
        }
        if let Some(routes) = self.calls.get_mut(&leg.call) {
            routes.leave(id);
            if routes.is_empty() {
                self.calls.remove(&leg.call);
                self.bundling.close(leg.call);
            }
        }
    }

    fn handle_outcome(&mut self, outcome: Outcome) {
        let moment = Instant::now();
        let now = self.clock.time_at(moment);
        match outcome {
            Outcome::Keys { key, profile, keys, fingerprint } => {
                let id = LegId(key);
                let Some((seat, leg)) = self.leg_mut(id) else { return };
                let opener = Opener::new(profile, &keys.inbound);
                let sealer = Sealer::new(profile, &keys.outbound);
                let (Ok(opener), Ok(sealer)) = (opener, sealer) else {
                    return self.tell_link(seat, Told::Ended);
                };
                leg.keys = Some(SrtpKeys { opener, sealer });
                leg.life.seen_at = now;
                if is_counted(id) {
                    self.stats.connected(profile);
                }
                self.tell_step(seat, Step::Keys);
                self.tell_link(seat, Told::Alive);
                self.tell_certificate(seat, fingerprint);
                for mut packet in self.early.remove(&id).unwrap_or_default() {
                    self.handle_media(moment, now, seat, &mut packet);
                }
                self.depart();
            }
            Outcome::Failed { key, reason } => {
                if is_counted(LegId(key)) {
                    self.stats.handshake_failed(reason);
                }
                let Some((seat, _)) = self.leg_mut(LegId(key)) else { return };
                self.tell_step(seat, Step::NoKeys(reason.label()));
                self.tell_link(seat, Told::Ended);
            }
            Outcome::Closed { key } => {
                if let Some((seat, _)) = self.leg_mut(LegId(key)) {
                    self.tell_link(seat, Told::Closed);
                }
            }
        }
    }

    /// Keeps a packet that came before its keys: a client may speak right behind its last
    /// flight, and the first syllable shall be heard.
    pub fn keep_early(&mut self, id: LegId, datagram: &[u8]) -> bool {
        let kept = self.early.entry(id).or_default();
        let room = kept.len() < EARLY_PACKETS;
        if room {
            kept.push(datagram.into());
        }
        room
    }

    fn handle_tick(&mut self, moment: Instant) {
        let now = self.clock.time_at(moment);
        self.retell();
        if let Some(tap) = &mut self.tap {
            tap.handle_tick(now);
        }
        for routes in self.calls.values_mut() {
            routes.handle_timeout(now);
        }
        self.tell_all_turns();
        // Slots that changed hands in a contest since the last tick.
        self.tell_tracks();
        let handshakes = &self.handshakes;
        self.unclosed.retain(|leg| !handshakes.close(leg.0));
        self.sweep = (self.sweep + 1) % TICKS_A_SWEEP;
        if self.sweep == 0 {
            self.count_links();
            self.choose_bundles(now);
        }
        let mut seat = self.sweep;
        while seat < self.seats.width() {
            self.sweep_leg(moment, now, seat);
            seat += TICKS_A_SWEEP;
        }
    }

    fn count_links(&self) {
        let legs = (0..self.seats.width()).filter_map(|seat| self.seats.at(seat));
        self.stats.links(legs.filter(|leg| is_counted(leg.id)).map(|leg| leg.life.told));
    }

    pub fn leg_mut(&mut self, id: LegId) -> Option<(u32, &mut Leg)> {
        let seat = *self.legs.get(&id)?;
        Some((seat, self.seats.at_mut(seat)?))
    }
}

/// Legs and handshakes of the probe are not those of people: an alert on a share of them would not
/// come on a node where the probe's are the most.
fn is_counted(leg: LegId) -> bool {
    leg.0 < PROBE_LEGS
}

#[cfg(test)]
mod tests;
