//! The worker's way out without a network in front of it: one talker, many listeners, packet
//! after packet through the same code as in a call. For `benches/forward`, and for the test that
//! counts allocations.

use std::sync::Arc;
use std::time::Duration;

use engine::routes::{Permits, Routes};
use engine::rtp::View;
use engine::slots::Arrival;
use engine::{LegId, Time};

use super::batch::Outbox;
use super::dtls::HandshakeKey;
use super::fanout::{Departure, Heard, Leaving, Way, forward};
use super::ice::{Credentials, IceLite};
use super::leg::{Leg, Life, OutSlot, SlotSpec, Source, SrtpKeys, Told, VoiceSpec};
use super::seats::Seats;
use super::socket::{Destination, Path, UdpSocket};
use super::srtp::{Keys, Opener, Profile, Sealer};
use super::stats::Stats;
use super::{CallNo, Notice};

/// A frame of 20 ms at 39 kbit/s: what browsers send for speech.
const PAYLOAD_BYTES: usize = 98;

/// One talker and his listeners.
pub struct Rehearsal {
    seats: Seats<Leg>,
    routes: Routes,
    stats: Stats,
    packet: Vec<u8>,
    index: u64,
    outbox: Outbox,
    socket: UdpSocket,
    /// Never read: the kernel drops what does not fit.
    _sink: UdpSocket,
}

/// Takes packets and sends none.
struct Nowhere([u8; 1_600]);

impl Departure for Nowhere {
    fn buffer(&mut self) -> &mut [u8] {
        &mut self.0
    }

    fn push(&mut self, len: usize, to: &Destination) {
        std::hint::black_box((len, to, &self.0));
    }
}

impl Rehearsal {
    /// A call in which seat 0 talks and `listeners` others hear him.
    ///
    /// # Panics
    /// Where the machine has no loopback socket or no randomness.
    pub fn new(listeners: u32, profile: Profile) -> Rehearsal {
        let loopback = Some([127, 0, 0, 1].into());
        let socket = UdpSocket::bind(loopback, 0).expect("a loopback socket");
        let sink = UdpSocket::bind(loopback, 0).expect("a loopback socket");
        let port = sink.port().expect("a bound socket has a port");
        let remote = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let to = socket.destination(Path { remote, local: remote.ip() });
        let (mut seats, mut routes) = (Seats::default(), Routes::default());
        for number in 0..=listeners {
            let leg = LegId(u64::from(number));
            let seat = seats.seat(|_| member(leg, profile, to));
            routes.join(leg, seat, 1, true);
        }
        routes.permit(Permits { version: 1, audible: vec![LegId(0)], ..Permits::default() });
        let packet = [&[0x80, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0x78; PAYLOAD_BYTES]];
        Rehearsal {
            seats,
            routes,
            stats: Stats::default(),
            packet: packet.concat(),
            index: 0,
            outbox: Outbox::default(),
            socket,
            _sink: sink,
        }
    }

    /// One packet of the talker to everyone, sealed and left there. Returns how many were sent
    /// since the start.
    pub fn forward_nowhere(&mut self) -> u64 {
        let mut nowhere = Nowhere([0; 1_600]);
        let heard = next_packet(&mut self.packet, &mut self.index);
        talk(&heard, &self.packet, &self.routes, &mut self.seats, &mut nowhere, &self.stats);
        self.stats.read_forwarded()
    }

    /// The same through the kernel.
    pub fn forward_sent(&mut self) -> u64 {
        let heard = next_packet(&mut self.packet, &mut self.index);
        let mut leaving = Leaving { outbox: &mut self.outbox, socket: &self.socket };
        talk(&heard, &self.packet, &self.routes, &mut self.seats, &mut leaving, &self.stats);
        self.outbox.flush(&self.socket);
        self.stats.read_forwarded()
    }
}

/// Counts the packet on; its index and view.
fn next_packet(packet: &mut [u8], index: &mut u64) -> (u64, View) {
    *index += 1;
    packet[2..4].copy_from_slice(&(*index as u16).to_be_bytes());
    packet[4..8].copy_from_slice(&(*index as u32 * 960).to_be_bytes());
    (*index, View::parse(packet, Some(1)).expect("a packet of our own"))
}

fn talk(
    (index, view): &(u64, View),
    packet: &[u8],
    routes: &Routes,
    seats: &mut Seats<Leg>,
    out: &mut impl Departure,
    stats: &Stats,
) {
    let at = Time::ZERO + Duration::from_millis(20 * index);
    let (timestamp, marker) = (view.timestamp, view.marker);
    let arrival = Arrival { at, index: *index, timestamp, marker };
    let heard = Heard { arrival, level: view.level, payload: &packet[view.payload.clone()] };
    let (voice, routes) = routes.of(LegId(0)).expect("the talker is permitted");
    let way = Way { voice, routes, ring: None, extra: &mut 0 };
    forward(heard, way, seats, out, stats);
}

/// A leg with keys that sends nowhere.
#[cfg(test)]
pub(super) fn member_for_test() -> Leg {
    let loopback = Some([127, 0, 0, 1].into());
    let socket = UdpSocket::bind(loopback, 0).expect("a loopback socket");
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let to = socket.destination(Path { remote: nowhere, local: nowhere.ip() });
    member(LegId(1), Profile::AeadAes256Gcm, to)
}

fn member(id: LegId, profile: Profile, to: Destination) -> Leg {
    let material: Vec<u8> = (0..profile.exporter_bytes()).map(|byte| byte as u8).collect();
    let keys = Keys::from_exporter_as_server(profile, &material).expect("as long as it must be");
    let slot = SlotSpec {
        ssrc: 1_000 + id.0 as u32,
        payload_type: 111,
        level_id: Some(1),
        mid_id: Some(4),
        mid: "0".to_owned(),
    };
    Leg {
        id,
        call: CallNo(1),
        handshake: id.0 as HandshakeKey,
        ice: IceLite::new(Credentials::random(), "peer".to_owned()),
        to: Some(to),
        keys: Some(SrtpKeys {
            opener: Opener::new(profile, &keys.inbound).expect("keys of this profile"),
            sealer: Sealer::new(profile, &keys.outbound).expect("keys of this profile"),
        }),
        source: Source::new(Some(VoiceSpec { payload_type: 111, level_id: Some(1) })),
        slots: vec![OutSlot::new(&slot, 0, 0)],
        retired: Vec::new(),
        rtcp_index: 0,
        life: Life { seen_at: Time::ZERO, told: Told::Alive, sweeps: 0, reported_highest: 0 },
        notices: Arc::new(|_: Notice| Ok(())),
    }
}
