//! The way out: one packet of a voice to every slot that holds it. Per listener: two numbers, a
//! prepared header, a copy of the payload, one seal. No allocation, no lock, no lookup by name.

use std::collections::VecDeque;
use std::ops::Range;

use engine::ring::{Kept, Ring};
use engine::routes::Route;
use engine::slots::{Arrival, Holder, Voice};
use engine::{Discard, Level};

use super::batch::Outbox;
use super::leg::Leg;
use super::seats::Seats;
use super::socket::{Destination, UdpSocket};
use super::stats::Stats;

/// A voice's packet, opened and read.
#[derive(Clone, Copy)]
pub(super) struct Heard<'a> {
    pub arrival: Arrival,
    pub level: Option<Level>,
    pub payload: &'a [u8],
}

/// Whose packet it is, where it goes, and what came before it.
pub(super) struct Way<'a> {
    pub voice: Voice,
    pub routes: &'a [Route],
    /// The voice's last moments, this packet among them, where slots are scarce.
    pub ring: Option<&'a Ring>,
    /// Packets beyond the newest that may still be sent at this time.
    pub extra: &'a mut u32,
}

/// Where sealed packets go: the worker's outbox, or nowhere in a bench.
pub(super) trait Departure {
    /// Room for one datagram.
    fn buffer(&mut self) -> &mut [u8];
    /// The first `len` bytes of the buffer are a datagram for `to`.
    fn push(&mut self, len: usize, to: &Destination);
}

/// The outbox of a socket.
pub(super) struct Leaving<'a> {
    pub outbox: &'a mut Outbox,
    pub socket: &'a UdpSocket,
}

impl Departure for Leaving<'_> {
    fn buffer(&mut self) -> &mut [u8] {
        self.outbox.buffer()
    }

    fn push(&mut self, len: usize, to: &Destination) {
        self.outbox.push(self.socket, len, to);
    }
}

/// Sends one packet along its routes; to a slot that has just got the voice, its ring first.
pub(super) fn forward(
    heard: Heard<'_>,
    way: Way<'_>,
    seats: &mut Seats<Leg>,
    out: &mut impl Departure,
    stats: &Stats,
) {
    let mut sent = 0;
    for route in way.routes {
        let Some(listener) = seats.at_mut(route.seat) else { continue };
        let holder = Holder { voice: way.voice, turn: route.turn };
        match way.ring {
            Some(ring) if !listener.is_live(*route, holder) => {
                let kept = ring.of(holder.voice);
                let owed = listener.owed(*route, holder, kept, (heard, &mut *way.extra));
                for kept in kept.range(owed) {
                    sent += send(Heard::from(kept), *route, holder, listener, out, stats);
                }
            }
            Some(_) | None => sent += send(heard, *route, holder, listener, out, stats),
        }
    }
    stats.forwarded(sent);
    if sent == 0 {
        stats.discard(Discard::NoListener);
    }
}

/// One packet to one slot: 1 where it was sent.
fn send(
    heard: Heard<'_>,
    route: Route,
    holder: Holder,
    listener: &mut Leg,
    out: &mut impl Departure,
    stats: &Stats,
) -> u64 {
    let (Some(to), Some(keys)) = (&listener.to, &listener.keys) else { return 0 };
    let Some(slot) = listener.slots.get_mut(usize::from(route.slot)) else { return 0 };
    let stamp = match slot.stream.stamp(holder, heard.arrival, heard.payload.len()) {
        Ok(stamp) => stamp,
        Err(reason) => {
            stats.discard(reason);
            return 0;
        }
    };
    let buffer = out.buffer();
    let header = slot.template.write(buffer, stamp, heard.level);
    let len = header + heard.payload.len();
    buffer[header..len].copy_from_slice(heard.payload);
    let roc = (stamp.index >> 16) as u32;
    let sealed = keys.sealer.seal_rtp(buffer, header, len, roc);
    out.push(sealed, to);
    1
}

impl Leg {
    fn is_live(&self, route: Route, holder: Holder) -> bool {
        let slot = self.slots.get(usize::from(route.slot));
        slot.is_none_or(|slot| slot.stream.is_live(holder))
    }

    /// What of `kept` a slot that is behind is sent now.
    fn owed(
        &mut self,
        route: Route,
        holder: Holder,
        kept: &VecDeque<Kept>,
        (heard, extra): (Heard<'_>, &mut u32),
    ) -> Range<usize> {
        let slot = self.slots.get_mut(usize::from(route.slot));
        let (newest, may) = (heard.arrival.index, *extra > 0);
        let owed = slot.map_or(0..0, |slot| slot.stream.owed(holder, kept, newest, may));
        *extra = extra.saturating_sub((owed.len() as u32).saturating_sub(1));
        owed
    }
}

impl<'a> From<&'a Kept> for Heard<'a> {
    fn from(kept: &'a Kept) -> Self {
        Heard { arrival: kept.arrival, level: kept.level, payload: &kept.payload }
    }
}
