//! The way out: one packet of a voice to every slot that holds it. Per listener: two numbers, a
//! prepared header, a copy of the payload, one seal. No allocation, no lock, no lookup by name.

use engine::routes::Route;
use engine::rtp::View;
use engine::slots::{Arrival, Voice};
use engine::{Discard, Time};

use super::batch::Outbox;
use super::leg::Leg;
use super::seats::Seats;
use super::socket::{Destination, UdpSocket};
use super::stats::Stats;

/// A voice's packet, opened and read.
pub(super) struct Heard<'a> {
    pub at: Time,
    pub index: u64,
    pub view: &'a View,
    pub payload: &'a [u8],
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

/// Sends one packet along its routes.
pub(super) fn forward(
    heard: &Heard<'_>,
    voice: Voice,
    routes: &[Route],
    seats: &mut Seats<Leg>,
    out: &mut impl Departure,
    stats: &Stats,
) {
    let arrival = Arrival {
        at: heard.at,
        index: heard.index,
        timestamp: heard.view.timestamp,
        marker: heard.view.marker,
    };
    let mut sent = 0;
    for route in routes {
        let Some(listener) = seats.at_mut(route.seat) else { continue };
        let (Some(to), Some(keys)) = (&listener.to, &listener.keys) else { continue };
        let Some(slot) = listener.slots.get_mut(usize::from(route.slot)) else { continue };
        let stamp = match slot.stream.stamp(voice, arrival, heard.payload.len()) {
            Ok(stamp) => stamp,
            Err(reason) => {
                stats.discard(reason);
                continue;
            }
        };
        let buffer = out.buffer();
        let header = slot.template.write(buffer, stamp, heard.view.level);
        let len = header + heard.payload.len();
        buffer[header..len].copy_from_slice(heard.payload);
        let roc = (stamp.index >> 16) as u32;
        let sealed = keys.sealer.seal_rtp(buffer, header, len, roc);
        out.push(sealed, to);
        sent += 1;
    }
    stats.forwarded(sent);
    if sent == 0 {
        stats.discard(Discard::NoListener);
    }
}
