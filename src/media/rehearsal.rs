//! The worker's way out without a network in front of it: talkers, many listeners, packet after
//! packet through the same code as in a call. For `benches/forward`, for the count of
//! instructions, and for the test that counts allocations.

use std::sync::Arc;
use std::time::Duration;

use engine::bundles::Bundles;
use engine::limits::BUNDLED_AFTER;
use engine::routes::{Permits, Routes};
use engine::rtp::View;
use engine::slots::Arrival;
use engine::{LegId, Time};

use super::bundles::{lines, ring_at, speak};
use super::dtls::HandshakeKey;
use super::fanout::{Departure, FanOut, Heard, Leaving, Sound, Speaking};
use super::ice::{Credentials, IceLite};
use super::leg::{Leg, Life, OutSlot, SlotSpec, Source, SrtpKeys, Told, VoiceSpec};
use super::outbox::Outbox;
use super::seats::Seats;
use super::socket::{Destination, Path, UdpSocket};
use super::srtp::{Keys, Opener, Profile, Sealer};
use super::stats::Stats;
use super::{CallNo, Notice};

/// A frame of 20 ms at 39 kbit/s: what browsers send for speech.
const PAYLOAD_BYTES: usize = 98;

/// How long a packet sounds, and when the first one comes: listeners are long quiet by then.
const FRAME: Duration = Duration::from_millis(20);
const BEGIN: Time = Time::from_micros(BUNDLED_AFTER.as_micros() as u64);

/// Talkers and those who hear them all.
pub struct Rehearsal {
    talkers: u32,
    seats: Seats<Leg>,
    routes: Routes,
    stats: Stats,
    packet: Vec<u8>,
    index: u64,
    bundles: Bundles,
    buffer: Vec<u8>,
    outbox: Outbox,
    socket: UdpSocket,
    /// Never read: the kernel drops what does not fit.
    _sink: UdpSocket,
}

/// Where packets go.
#[derive(Clone, Copy, Debug)]
pub enum To {
    /// Sealed and left there.
    Nowhere,
    /// Through the kernel.
    Sent,
}

/// The outbox, or a buffer that takes packets and sends none.
enum Out<'a> {
    Nowhere(&'a mut [u8]),
    Sent(Leaving<'a>),
}

impl Departure for Out<'_> {
    fn buffer(&mut self) -> &mut [u8] {
        match self {
            Out::Nowhere(buffer) => buffer,
            Out::Sent(leaving) => leaving.buffer(),
        }
    }

    fn segment(&mut self, len: usize) {
        match self {
            Out::Nowhere(buffer) => drop(std::hint::black_box((len, &*buffer))),
            Out::Sent(leaving) => leaving.segment(len),
        }
    }

    fn close(&mut self, to: &Destination) {
        match self {
            Out::Nowhere(_) => drop(std::hint::black_box(to)),
            Out::Sent(leaving) => leaving.close(to),
        }
    }
}

impl Rehearsal {
    /// A call in which `talkers` talk and `listeners` others hear them.
    ///
    /// # Panics
    /// Where the machine has no loopback socket or no randomness.
    pub fn new(talkers: u32, listeners: u32, profile: Profile) -> Rehearsal {
        let loopback = Some([127, 0, 0, 1].into());
        let socket = UdpSocket::bind(loopback, 0).expect("a loopback socket");
        let sink = UdpSocket::bind(loopback, 0).expect("a loopback socket");
        let port = sink.port().expect("a bound socket has a port");
        let remote = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let to = socket.destination(Path { remote, local: remote.ip() });
        let (mut seats, mut routes) = (Seats::default(), Routes::default());
        for number in 0..talkers + listeners {
            let leg = LegId(u64::from(number));
            let slots = if number < talkers { 0 } else { talkers };
            let seat = seats.seat(|_| member(leg, slots, profile, to));
            routes.join(leg, seat, slots as usize, number < talkers);
        }
        let audible = (0..talkers.into()).map(LegId).collect();
        routes.permit(Permits { version: 1, audible, ..Permits::default() });
        let packet = [&[0x80, 111, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..], &[0x78; PAYLOAD_BYTES]];
        Rehearsal {
            talkers,
            seats,
            routes,
            stats: Stats::default(),
            packet: packet.concat(),
            index: 0,
            bundles: Bundles::new(2 * FRAME),
            buffer: vec![0; 1_600],
            outbox: Outbox::default(),
            socket,
            _sink: sink,
        }
    }

    /// One packet of each talker to everyone. Returns how many were sent since the start.
    #[inline(never)]
    pub fn forward(&mut self, to: To) -> u64 {
        let view = self.next_packet();
        let heard = heard(self.index, &view, &self.packet);
        let speaking = |leg: u32| {
            let (voice, routes) = self.routes.of(LegId(leg.into()))?;
            Some(Speaking { voice, routes, sound: Sound::Packet(heard, None), sent: 0 })
        };
        let mut speaking: arrayvec::ArrayVec<_, 16> =
            (0..self.talkers).filter_map(speaking).collect();
        let out = to.out(&mut self.buffer, &mut self.outbox, &self.socket);
        let mut fan_out = FanOut { out, stats: &self.stats, extra: &mut 0 };
        fan_out.send(&mut speaking, &mut self.seats, usize::MAX);
        self.stats.forwarded(speaking.iter().map(|one| one.sent).sum());
        self.outbox.flush(&self.socket);
        self.stats.read_forwarded()
    }

    /// `frames` packets of each talker, and the end of a tick, to everyone. Returns how many were
    /// sent since the start: one a talker and listener.
    #[inline(never)]
    pub fn forward_bundled(&mut self, to: To, frames: u32) -> u64 {
        if self.routes.bundled() == 0 {
            self.routes.bundle(BEGIN, |_| true);
        }
        for _ in 0..frames {
            let view = self.next_packet();
            let Heard { arrival, level, payload } = heard(self.index, &view, &self.packet);
            for seat in 0..self.talkers {
                let voice = self.routes.of(LegId(seat.into()));
                let (Some((voice, _)), Some(leg)) = (voice, self.seats.at_mut(seat)) else {
                    continue;
                };
                leg.source.ring.get_or_insert_default().keep(voice, arrival, level, payload);
                self.bundles.hear(voice, seat, arrival.at);
            }
        }
        let now = BEGIN + FRAME * self.index as u32;
        self.bundles.end(now, |seat| ring_at(&self.seats, seat));
        let lines = lines(self.bundles.leaving(), |leg| Some(self.routes.bundles_of(leg)?.1));
        let out = to.out(&mut self.buffer, &mut self.outbox, &self.socket);
        let mut fan_out = FanOut { out, stats: &self.stats, extra: &mut 0 };
        speak(&lines, false, usize::MAX, &mut self.seats, &mut fan_out);
        self.outbox.flush(&self.socket);
        self.stats.read_forwarded()
    }

    /// Counts the packet on.
    fn next_packet(&mut self) -> View {
        self.index += 1;
        self.packet[2..4].copy_from_slice(&(self.index as u16).to_be_bytes());
        self.packet[4..8].copy_from_slice(&(self.index as u32 * 960).to_be_bytes());
        View::parse(&self.packet, Some(1)).expect("a packet of our own")
    }
}

fn heard<'p>(index: u64, view: &View, packet: &'p [u8]) -> Heard<'p> {
    let at = BEGIN + FRAME * index as u32;
    let (timestamp, marker) = (view.timestamp, view.marker);
    let arrival = Arrival { at, index, timestamp, marker };
    Heard { arrival, level: view.level, payload: &packet[view.payload.clone()] }
}

impl To {
    fn out<'a>(
        self,
        buffer: &'a mut [u8],
        outbox: &'a mut Outbox,
        socket: &'a UdpSocket,
    ) -> Out<'a> {
        match self {
            To::Nowhere => Out::Nowhere(buffer),
            To::Sent => Out::Sent(Leaving { outbox, socket }),
        }
    }
}

/// A leg with keys that sends nowhere.
#[cfg(test)]
pub(super) fn member_for_test() -> Leg {
    let loopback = Some([127, 0, 0, 1].into());
    let socket = UdpSocket::bind(loopback, 0).expect("a loopback socket");
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let to = socket.destination(Path { remote: nowhere, local: nowhere.ip() });
    member(LegId(1), 1, Profile::AeadAes256Gcm, to)
}

fn member(id: LegId, slots: u32, profile: Profile, to: Destination) -> Leg {
    let material: Vec<u8> = (0..profile.exporter_bytes()).map(|byte| byte as u8).collect();
    let keys = Keys::from_exporter_as_server(profile, &material).expect("as long as it must be");
    let slot = |number: u32| SlotSpec {
        ssrc: 1_000 * (number + 1) + id.0 as u32,
        payload_type: 111,
        level_id: Some(1),
        mid_id: Some(4),
        mid: number.to_string(),
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
        packet_max: Duration::from_millis(120),
        lossy_until: Time::ZERO,
        slots: (0..slots).map(|number| OutSlot::new(&slot(number), 0, 0)).collect(),
        retired: Vec::new(),
        rtcp_index: 0,
        life: Life { seen_at: Time::ZERO, told: Told::Alive, sweeps: 0, reported_highest: 0 },
        notices: Arc::new(|_: Notice| Ok(())),
    }
}
