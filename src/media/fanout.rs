//! The way out: what voices said at one moment, to every slot that holds one of them. Per packet:
//! two numbers, a prepared header, a copy of the payload, one seal; per listener: one message,
//! however many voices he hears. No allocation, no lock, no lookup by name.

use std::cmp::Reverse;

use arrayvec::ArrayVec;
use engine::Level;
use engine::bundles::Bundle;
use engine::ring::{Kept, Ring};
use engine::routes::Route;
use engine::rtp::{self, Stamp};
use engine::slots::{Arrival, Holder, Newest, Voice};

use super::ahead;
use super::leg::{Leg, OutSlot};
use super::outbox::{Outbox, SEGMENT_BYTES_MAX, SEGMENTS_MAX};
use super::seats::Seats;
use super::socket::{Destination, UdpSocket};
use super::srtp::Sealer;
use super::stats::Stats;
use crate::limits::PADDING_BYTES_MAX;

/// A voice's packet, opened and read.
#[derive(Clone, Copy)]
pub(super) struct Heard<'a> {
    pub arrival: Arrival,
    pub level: Option<Level>,
    pub payload: &'a [u8],
}

/// A voice about to leave.
pub(super) struct Speaking<'a> {
    pub voice: Voice,
    /// Whom it still goes to, in the order of their ranks.
    pub routes: &'a [Route],
    pub sound: Sound<'a>,
    /// Packets that were sent of it.
    pub sent: u64,
}

/// What leaves of a voice.
#[derive(Clone, Copy)]
pub(super) enum Sound<'a> {
    /// A packet as it came, and where slots are scarce the voice's last moments, itself among
    /// them: a slot that has just got the voice is sent those first.
    Packet(Heard<'a>, Option<&'a Ring>),
    /// The frames of a tick.
    Bundles(&'a [Bundle], Kin<'a>),
}

/// The packets that bundles were made of.
#[derive(Clone, Copy)]
pub(super) struct Kin<'a> {
    pub ring: &'a Ring,
    /// Slots are scarce: one that has just got the voice is sent all that is kept of it.
    pub is_scarce: bool,
}

/// Where sealed packets go: the worker's outbox, or nowhere in a bench.
pub(super) trait Departure {
    /// Room for one datagram.
    fn buffer(&mut self) -> &mut [u8];
    /// The first `len` bytes of the buffer are the next datagram of a message: as long as the one
    /// before, or the message's last.
    fn segment(&mut self, len: usize);
    /// What became a datagram since the last message is one for `to`.
    fn close(&mut self, to: &Destination);
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

    fn segment(&mut self, len: usize) {
        self.outbox.segment(len);
    }

    fn close(&mut self, to: &Destination) {
        self.outbox.close(self.socket, to);
    }
}

/// What sending takes of the worker.
pub(super) struct FanOut<'w, D> {
    pub out: D,
    pub stats: &'w Stats,
    /// Packets beyond the newest that may still be sent at this time.
    pub extra: &'w mut u32,
}

impl<'w> FanOut<'w, Leaving<'w>> {
    /// To a socket.
    pub fn of(
        (outbox, socket): (&'w mut Outbox, &'w UdpSocket),
        stats: &'w Stats,
        extra: &'w mut u32,
    ) -> Self {
        FanOut { out: Leaving { outbox, socket }, stats, extra }
    }
}

/// One packet of one listener, numbered, not yet written.
#[derive(Clone, Copy)]
struct Piece<'a> {
    slot: u8,
    /// Header and payload, in bytes.
    len: u16,
    stamp: Stamp,
    level: Option<Level>,
    payload: &'a [u8],
}

/// A packet, or several in one, from the first's arrival to the last's.
#[derive(Clone, Copy)]
struct Frames<'a> {
    heard: Heard<'a>,
    last: Arrival,
}

/// A slot, and who speaks there.
#[derive(Clone, Copy)]
struct Place {
    holder: Holder,
    slot: u8,
}

type Pieces<'a> = ArrayVec<Piece<'a>, SEGMENTS_MAX>;

impl<D: Departure> FanOut<'_, D> {
    /// Sends to the next `most` listeners at most. The routes that are left are of those who were
    /// not served yet.
    pub fn send(&mut self, speaking: &mut [Speaking<'_>], seats: &mut Seats<Leg>, most: usize) {
        let mut pieces = Pieces::new();
        for _ in 0..most {
            let next = speaking.iter().filter_map(|one| one.routes.first());
            let Some(next) = next.min_by_key(|route| route.rank).copied() else { return };
            foresee(speaking, seats);
            let mut listener = seats.at_mut(next.seat);
            for one in speaking.iter_mut() {
                let Some((route, rest)) = one.routes.split_first() else { continue };
                if route.rank != next.rank {
                    continue;
                }
                one.routes = rest;
                if let Some(listener) = listener.as_mut().filter(|it| it.is_reached()) {
                    one.sent += self.gather(one, *route, listener, &mut pieces);
                }
            }
            if let Some(listener) = listener {
                self.depart(&mut pieces, listener);
            }
        }
    }

    /// Numbers what one listener is sent of one voice; how many packets that are.
    fn gather<'a>(
        &mut self,
        one: &Speaking<'a>,
        route: Route,
        listener: &mut Leg,
        pieces: &mut Pieces<'a>,
    ) -> u64 {
        let holder = Holder { voice: one.voice, turn: route.turn };
        let Some(slot) = listener.slots.get(usize::from(route.slot)) else { return 0 };
        let place = Place { holder, slot: route.slot };
        match one.sound {
            Sound::Packet(heard, Some(ring)) if !slot.stream.is_live(holder) => {
                let kept = ring.of(one.voice);
                let newest = Newest {
                    index: heard.arrival.index,
                    unheard: listener.unheard_from(one.voice),
                    may_catch_up: *self.extra > 0,
                };
                let Some(stream) = listener.stream_mut(route.slot) else { return 0 };
                let owed = stream.owed(holder, kept, newest);
                *self.extra = self.extra.saturating_sub((owed.len() as u32).saturating_sub(1));
                self.add_kept(kept.range(owed), place, listener, pieces)
            }
            Sound::Packet(heard, _) => self.add(Frames::from(heard), place, listener, pieces),
            Sound::Bundles(_, Kin { ring, is_scarce: true }) if !slot.stream.is_live(holder) => {
                let (kept, unheard) = (ring.of(one.voice), listener.unheard_from(one.voice));
                let Some(stream) = listener.stream_mut(route.slot) else { return 0 };
                let owed = stream.owed_whole(holder, kept, unheard);
                self.add_kept(kept.range(owed), place, listener, pieces)
            }
            Sound::Bundles(bundles, Kin { ring, .. }) => {
                let unsent = match slot.stream.unsent_from(holder) {
                    0 => listener.unheard_from(one.voice),
                    unsent => unsent,
                };
                let send = |bundle: &'a Bundle| match bundle.first.index >= unsent {
                    true => self.add(Frames::from(bundle), place, listener, pieces),
                    // He had the first of these by themselves.
                    false => {
                        let left = unsent..=bundle.last.index;
                        let kept = ring.of(one.voice).iter();
                        let kept = kept.filter(|kept| left.contains(&kept.arrival.index));
                        self.add_kept(kept, place, listener, pieces)
                    }
                };
                bundles.iter().map(send).sum()
            }
        }
    }

    /// Packets of a ring, each by itself.
    fn add_kept<'a>(
        &mut self,
        kept: impl Iterator<Item = &'a Kept>,
        place: Place,
        listener: &mut Leg,
        pieces: &mut Pieces<'a>,
    ) -> u64 {
        let frames = kept.map(|kept| Frames::from(Heard::from(kept)));
        frames.map(|frames| self.add(frames, place, listener, pieces)).sum()
    }

    fn add<'a>(
        &mut self,
        frames: Frames<'a>,
        Place { holder, slot: at }: Place,
        listener: &mut Leg,
        pieces: &mut Pieces<'a>,
    ) -> u64 {
        if pieces.is_full() {
            self.depart(pieces, listener);
        }
        let Some(slot) = listener.slots.get_mut(usize::from(at)) else { return 0 };
        let Heard { arrival, level, payload } = frames.heard;
        let stamp = match slot.stream.stamp_bundle(holder, arrival, frames.last, payload.len()) {
            Ok(stamp) => stamp,
            Err(reason) => {
                self.stats.discard(reason);
                return 0;
            }
        };
        let len = (slot.template.header_bytes() + payload.len()) as u16;
        pieces.push(Piece { slot: at, len, stamp, level, payload });
        1
    }

    /// Writes, seals and hands over what one listener is sent: datagrams of one length in one
    /// message, so that the kernel goes its way once. To make them alike they are padded.
    fn depart(&mut self, pieces: &mut Pieces<'_>, listener: &Leg) {
        let (Some(to), Some(keys)) = (&listener.to, &listener.keys) else {
            return pieces.clear();
        };
        if pieces.len() > 1 && are_of_different_slots(pieces) {
            pieces.sort_unstable_by_key(|piece| Reverse(piece.len));
        }
        let (mut longest, mut is_begun) = (0, false);
        for (at, piece) in pieces.iter().enumerate() {
            if !is_begun {
                longest = piece.len;
            }
            let next = pieces.get(at + 1).filter(|next| next.len <= longest);
            let padding = longest - piece.len;
            is_begun = next.is_some()
                && padding <= PADDING_BYTES_MAX
                && usize::from(longest) <= SEGMENT_BYTES_MAX;
            let padding = if is_begun { padding } else { 0 };
            let Some(slot) = listener.slots.get(usize::from(piece.slot)) else { continue };
            let len = write(self.out.buffer(), slot, piece, padding, &keys.sealer);
            self.out.segment(len);
            if !is_begun {
                self.out.close(to);
            }
        }
        pieces.clear();
    }
}

/// Asks for the memory of the listeners who come next: of the one after the next where it stands,
/// of the next what that refers to.
#[inline]
fn foresee(speaking: &[Speaking<'_>], seats: &Seats<Leg>) {
    let Some(one) = speaking.first() else { return };
    if let Some(leg) = one.routes.get(2).and_then(|route| seats.at(route.seat)) {
        ahead::fetch(&leg.to);
        ahead::fetch(&leg.slots);
        ahead::fetch(&leg.keys);
    }
    if let Some(route) = one.routes.get(1)
        && let Some(leg) = seats.at(route.seat)
        && let Some(slot) = leg.slots.get(usize::from(route.slot))
    {
        ahead::fetch(slot);
    }
}

/// One datagram, sealed; its length.
fn write(
    out: &mut [u8],
    slot: &OutSlot,
    piece: &Piece<'_>,
    padding: u16,
    sealer: &Sealer,
) -> usize {
    let header = slot.template.write(out, piece.stamp, piece.level);
    let mut len = header + piece.payload.len();
    out[header..len].copy_from_slice(piece.payload);
    if padding > 0 {
        len = rtp::pad(out, len, padding as u8);
    }
    let roc = (piece.stamp.index >> 16) as u32;
    sealer.seal_rtp(out, header, len, roc)
}

/// Packets of one slot stay in their order.
fn are_of_different_slots(pieces: &[Piece<'_>]) -> bool {
    let mut seen = 0_u64;
    pieces.iter().all(|piece| {
        let bit = 1 << (piece.slot & 63);
        let is_new = seen & bit == 0;
        seen |= bit;
        is_new
    })
}

impl Leg {
    /// Whether something can be sent to it.
    fn is_reached(&self) -> bool {
        self.to.is_some() && self.keys.is_some()
    }
}

impl<'a> From<&'a Kept> for Heard<'a> {
    fn from(kept: &'a Kept) -> Self {
        Heard { arrival: kept.arrival, level: kept.level, payload: &kept.payload }
    }
}

impl<'a> From<Heard<'a>> for Frames<'a> {
    fn from(heard: Heard<'a>) -> Self {
        Frames { heard, last: heard.arrival }
    }
}

impl<'a> From<&'a Bundle> for Frames<'a> {
    fn from(bundle: &'a Bundle) -> Self {
        let Bundle { first, last, level, payload, .. } = bundle;
        Frames { heard: Heard { arrival: *first, level: *level, payload }, last: *last }
    }
}
