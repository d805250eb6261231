//! The way out: one packet of a voice to every slot that holds it. Per listener: two numbers, a
//! prepared header, a copy of the payload, one seal. No allocation, no lock, no lookup by name.

use engine::rtp::View;
use engine::slots::Arrival;
use engine::{Discard, Time};

use super::leg::Leg;
use super::seats::Seats;
use super::socket::{Outbox, UdpSocket};
use super::stats::Stats;
use engine::routes::Route;
use engine::slots::Voice;

/// A voice's packet, opened and read.
pub(super) struct Heard<'a> {
    pub at: Time,
    pub index: u64,
    pub view: &'a View,
    pub payload: &'a [u8],
}

/// Sends one packet along its routes.
pub(super) fn forward(
    heard: &Heard<'_>,
    voice: Voice,
    routes: &[Route],
    seats: &mut Seats<Leg>,
    outbox: &mut Outbox,
    socket: &UdpSocket,
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
        let buffer = outbox.buffer();
        let header = slot.template.write(buffer, stamp, heard.view.level);
        let len = header + heard.payload.len();
        buffer[header..len].copy_from_slice(heard.payload);
        let roc = (stamp.index >> 16) as u32;
        let sealed = keys.sealer.seal_rtp(buffer, header, len, roc);
        outbox.push(socket, sealed, to);
        sent += 1;
    }
    stats.forwarded(sent);
    if sent == 0 {
        stats.discard(Discard::NoListener);
    }
}
