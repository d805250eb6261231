//! A worker between talkers and listeners: real datagrams over loopback sockets, virtual time,
//! chance from a seed. Every listener opens what he gets as a client does (SRTP's replay check
//! among it), takes the frames out, and compares.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use engine::opus::Packet;
use engine::routes::Permits;
use engine::rtp::View;

use super::*;
use crate::limits::PADDING_BYTES_MAX;
use crate::media::berth::{self, Berth};
use crate::media::dtls::Identity;
use crate::media::ice::Credentials;
use crate::media::outbox::SEGMENTS_MAX;
use crate::media::socket::Path;
use crate::media::srtp::{Keys, Profile};
use crate::media::{BundleSpec, PoolSpec};

const CALL: CallNo = CallNo(1);
const FRAME: Duration = Duration::from_millis(20);
const PROFILE: Profile = Profile::AeadAes128Gcm;
/// 20 ms frames: CELT, full band, mono.
const TOC: u8 = 31 << 3;
const PAYLOAD_TYPE: u8 = 111;

/// A client on its socket.
struct Client {
    leg: LegId,
    socket: UdpSocket,
    /// One for each slot: an opener knows few sources.
    openers: BTreeMap<u32, Opener>,
    keys: Keys,
    sealer: Sealer,
    /// Of what it says: sequence, and frames so far.
    index: u64,
    /// What it got, in the order it came.
    got: Vec<Got>,
}

/// A packet that was heard.
#[derive(Clone, Debug)]
struct Got {
    ssrc: u32,
    index: u64,
    timestamp: u32,
    marker: bool,
    frames: Vec<Frame>,
}

/// Whose frame, and his how-many-th.
type Frame = (u64, u64);

struct Hall {
    worker: Worker,
    clients: Vec<Client>,
    now: Time,
    version: u64,
    chance: u64,
}

impl Hall {
    /// Talkers first, then listeners, each with so many slots.
    fn of(people: usize, slots: usize, bundles: BundleSpec, seed: u64) -> Hall {
        let loopback = IpAddr::from([127, 0, 0, 1]);
        let spec = PoolSpec {
            advertised: vec![loopback],
            bind: Some(loopback),
            port: 0,
            workers: 1,
            silent_after: Duration::from_secs(10),
            clock: Clock::start(),
            tap: None,
            bundles,
        };
        let berth = Berth::new(0, &spec, Identity::generate().unwrap()).unwrap();
        let (_, boarded) = berth::board(&berth).unwrap();
        let worker = boarded.into_worker();
        let now = Time::from_micros(1_000_000);
        let mut hall = Hall { worker, clients: Vec::new(), now, version: 0, chance: seed };
        (0..people).for_each(|number| hall.join(number as u64, slots, loopback));
        hall
    }

    fn join(&mut self, number: u64, slots: usize, ip: IpAddr) {
        let leg = LegId(number);
        let slot = |slot: usize| SlotSpec {
            ssrc: 100 * (number as u32 + 1) + slot as u32,
            payload_type: PAYLOAD_TYPE,
            level_id: Some(1),
            mid_id: None,
            mid: slot.to_string(),
        };
        self.worker.open(LegSpec {
            leg,
            call: CALL,
            local: Credentials::random(),
            remote_ufrag: "peer".to_owned(),
            fingerprints: Vec::new(),
            voice: Some(VoiceSpec { payload_type: PAYLOAD_TYPE, level_id: Some(1) }),
            beside: Vec::new(),
            slots: (0..slots).map(slot).collect(),
            packet_max: Duration::from_millis(120),
            notices: Arc::new(|_| Ok(())),
        });
        let material: Vec<u8> = (0..PROFILE.exporter_bytes()).map(|b| b as u8 ^ 0x55).collect();
        let ours = Keys::from_exporter_as_server(PROFILE, &material).unwrap();
        let theirs = Keys::from_exporter_as_client(PROFILE, &material).unwrap();
        let keys = |keys: &Keys| SrtpKeys {
            opener: Opener::new(PROFILE, &keys.inbound).unwrap(),
            sealer: Sealer::new(PROFILE, &keys.outbound).unwrap(),
        };
        let socket = UdpSocket::bind(Some(ip), 0).unwrap();
        let remote = SocketAddr::new(ip, socket.port().unwrap());
        let to = self.worker.socket.destination(Path { remote, local: ip });
        let (_, seated) = self.worker.leg_mut(leg).unwrap();
        (seated.to, seated.keys) = (Some(to), Some(keys(&ours)));
        let SrtpKeys { sealer, .. } = keys(&theirs);
        let (openers, got) = (BTreeMap::new(), Vec::new());
        self.clients.push(Client { leg, socket, openers, keys: theirs, sealer, index: 0, got });
    }

    /// Only these may be heard.
    fn permit(&mut self, audible: &[u64]) {
        self.version += 1;
        let audible = audible.iter().copied().map(LegId).collect();
        let permits = Permits { version: self.version, audible, ..Permits::default() };
        let mut mail = Mail::default();
        mail.permits.insert(CALL, permits);
        self.worker.handle_mail(&mut mail);
        self.flush();
    }

    /// What a client says next, sealed; its payload tells whose and which frame it is.
    fn say(&mut self, who: usize) -> Vec<u8> {
        let long = self.draw(40) as usize;
        self.say_long(who, long)
    }

    /// The same in a frame of so many bytes more than it needs.
    fn say_long(&mut self, who: usize, long: usize) -> Vec<u8> {
        let client = &mut self.clients[who];
        client.index += 1;
        let index = client.index;
        let mut packet = vec![0x90, PAYLOAD_TYPE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 + who as u8];
        packet[2..4].copy_from_slice(&(index as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(index as u32 * 960).to_be_bytes());
        packet.extend([0xbe, 0xde, 0, 1, 1 << 4, 30, 0, 0]);
        let header = packet.len();
        packet.extend([TOC, who as u8, (index >> 8) as u8, index as u8]);
        packet.extend(std::iter::repeat_n(7, long));
        let len = packet.len();
        packet.resize(len + 16, 0);
        let sealed = client.sealer.seal_rtp(&mut packet, header, len, 0);
        packet.truncate(sealed);
        packet
    }

    /// A datagram of a client comes in.
    fn hear(&mut self, who: usize, mut datagram: Vec<u8>) {
        let seat = self.worker.legs[&self.clients[who].leg];
        self.worker.handle_media(Instant::now(), self.now, seat, &mut datagram);
    }

    /// The batch is read; time goes on to its end.
    fn pass(&mut self, span: Duration) {
        self.worker.depart();
        let end = self.now + span;
        while let Some(due) = self.worker.bundling.due().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.worker.send_bundles(self.now);
        }
        self.now = end;
        self.flush();
    }

    fn flush(&mut self) {
        self.worker.outbox.flush(&self.worker.socket);
        for client in &mut self.clients {
            client.take();
        }
    }

    /// 0 to `below` - 1.
    fn draw(&mut self, below: u64) -> u64 {
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.chance >> 33) % below
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.draw(100) < percent
    }
}

impl Client {
    fn take(&mut self) {
        let mut inbox = Inbox::default();
        loop {
            let count = inbox.receive(&self.socket).unwrap();
            for at in 0..count {
                let (datagram, _) = inbox.datagram(at).unwrap();
                let ssrc = u32::from_be_bytes(datagram[8..12].try_into().unwrap());
                let opener = self.openers.entry(ssrc);
                let opener =
                    opener.or_insert_with(|| Opener::new(PROFILE, &self.keys.inbound).unwrap());
                let opened = opener.open_rtp(datagram).expect("new to the listener, and true");
                let plain = &datagram[..opened.len];
                let view = View::parse(plain, Some(1)).unwrap();
                let payload = &plain[view.payload.clone()];
                assert!(Packet::parse(payload).is_some(), "{payload:?}");
                let View { ssrc, timestamp, marker, .. } = view;
                let (index, frames) = (opened.index, frames(payload));
                self.got.push(Got { ssrc, index, timestamp, marker, frames });
            }
            if count < BATCH {
                return;
            }
        }
    }

    fn heard(&self) -> Vec<Frame> {
        self.got.iter().flat_map(|got| got.frames.iter().copied()).collect()
    }
}

/// The frames of a payload. By the letter of RFC 6716 section 3.2, and not with the code that is
/// tested.
fn frames(payload: &[u8]) -> Vec<Frame> {
    let (code, rest) = (payload[0] & 3, &payload[1..]);
    let lengths: Vec<usize> = match code {
        0 => vec![rest.len()],
        1 => vec![rest.len() / 2; 2],
        2 => vec![rest[0].into(), rest.len() - 1 - usize::from(rest[0])],
        _ => {
            let (count, varying) = (usize::from(rest[0] & 63), rest[0] & 128 != 0);
            let told: Vec<usize> = rest[1..count].iter().map(|byte| (*byte).into()).collect();
            let last = rest.len() - count - told.iter().sum::<usize>();
            match varying {
                true => told.into_iter().chain([last]).collect(),
                false => vec![(rest.len() - 1) / count; count],
            }
        }
    };
    let mut at = rest.len() - lengths.iter().sum::<usize>();
    let frame = |length: usize| {
        let bytes = &rest[at..at + length];
        at += length;
        assert!(bytes[3..].iter().all(|byte| *byte == 7));
        (u64::from(bytes[0]), u64::from(bytes[1]) << 8 | u64::from(bytes[2]))
    };
    lengths.into_iter().map(frame).collect()
}

const ON: BundleSpec =
    BundleSpec { listeners_40: 1, listeners_60: 0, busy_percent_60: 0, loss_percent: 5 };
const OFF: BundleSpec = BundleSpec { listeners_40: 0, ..ON };

/// Long enough for whoever is muted to hear bundles.
const QUIET: Duration = Duration::from_secs(4);

#[test]
fn voices_of_one_batch_leave_in_one_message() {
    let mut hall = Hall::of(5, 3, OFF, 1);
    hall.permit(&[0, 1, 2]);
    for _ in 0..10 {
        for who in 0..3 {
            let said = hall.say(who);
            hall.hear(who, said);
        }
        hall.pass(FRAME);
    }
    for listener in &hall.clients[3..] {
        assert_eq!(BTreeSet::from_iter(listener.heard()).len(), 30);
    }
    // A talker hears two, the two others three voices: one message for each of the five.
    assert_eq!(hall.worker.outbox.sent, 50);
    assert_eq!(hall.worker.stats.read().forwarded, 10 * (3 * 2 + 2 * 3));
}

#[test]
fn packets_are_padded_up_to_a_bound() {
    let mut hall = Hall::of(4, 3, OFF, 6);
    hall.permit(&[0, 1, 2]);
    let most = usize::from(PADDING_BYTES_MAX);
    // The last of a message need not be as long.
    for (long, messages) in [([most, 0, 0], 1), ([most + 1, 0, 0], 2)] {
        let before = hall.worker.outbox.sent;
        for (who, long) in long.into_iter().enumerate() {
            let said = hall.say_long(who, long);
            hall.hear(who, said);
        }
        hall.pass(FRAME);
        // Each of the talkers hears two others, and the shorter may be last.
        assert_eq!(hall.worker.outbox.sent - before, 3 + messages);
    }
    assert_eq!(hall.clients[3].heard().len(), 6);
}

#[test]
fn who_does_not_talk_hears_two_frames_a_packet_until_he_may_talk() {
    let mut hall = Hall::of(3, 2, ON, 2);
    hall.permit(&[0, 1]);
    hall.pass(QUIET);
    hall.worker.choose_bundles(hall.now);
    let talk = |hall: &mut Hall, frames: usize| {
        for _ in 0..frames {
            for who in 0..2 {
                let said = hall.say(who);
                hall.hear(who, said);
            }
            hall.pass(FRAME);
        }
    };
    talk(&mut hall, 20);
    let packets: Vec<usize> = hall.clients[2].got.iter().map(|got| got.frames.len()).collect();
    assert_eq!(packets, [2; 20], "two voices, ten ticks");
    assert!(hall.clients[0].got.iter().all(|got| got.frames.len() == 1), "he talks himself");
    // In the middle of a tick he unmutes: what waits for him comes at once, and the rest as it
    // comes.
    let said = hall.say(0);
    hall.hear(0, said);
    hall.pass(Duration::ZERO);
    hall.permit(&[0, 1, 2]);
    assert_eq!(hall.clients[2].got.last().unwrap().frames, [(0, 21)]);
    let before = hall.clients[2].got.len();
    talk(&mut hall, 10);
    let after = &hall.clients[2].got[before..];
    assert!(after.len() == 20 && after.iter().all(|got| got.frames.len() == 1));
    let heard = hall.clients[2].heard();
    assert_eq!(heard.len(), BTreeSet::from_iter(&heard).len());
    assert_eq!(heard.len(), 20 + 20 + 1 + 20);
}

#[test]
fn more_than_a_message_holds_goes_in_two() {
    let talkers = SEGMENTS_MAX / 2 + 1;
    let mut hall = Hall::of(talkers + 1, talkers, ON, 7);
    let mut audible: Vec<u64> = (0..talkers as u64).collect();
    hall.permit(&audible);
    hall.pass(QUIET);
    hall.worker.choose_bundles(hall.now);
    for frame in 0..2 {
        for who in 0..talkers {
            let said = hall.say(who);
            hall.hear(who, said);
        }
        hall.pass(FRAME * (1 - frame));
    }
    // All of it waits for the listener, who may speak now.
    assert_eq!(hall.clients[talkers].heard(), []);
    let before = hall.worker.outbox.sent;
    audible.push(talkers as u64);
    hall.permit(&audible);
    assert_eq!(hall.clients[talkers].heard().len(), 2 * talkers);
    assert!(hall.worker.outbox.sent - before >= 2);
}

#[test]
fn a_stall_of_the_machine_loses_nothing_of_a_tick() {
    let mut hall = Hall::of(2, 1, ON, 5);
    hall.permit(&[0]);
    hall.pass(QUIET);
    hall.worker.choose_bundles(hall.now);
    for _ in 0..2 {
        let said = hall.say(0);
        hall.hear(0, said);
        hall.pass(Duration::ZERO);
        // The thread does not run, and its tick is long over.
        hall.now = hall.now + Duration::from_millis(200);
    }
    hall.pass(FRAME);
    assert_eq!(hall.clients[1].heard(), [(0, 1), (0, 2)]);
}

#[test]
fn a_bad_line_is_sent_packets_as_they_came() {
    let mut hall = Hall::of(3, 2, ON, 3);
    hall.permit(&[0]);
    hall.pass(QUIET);
    hall.worker.choose_bundles(hall.now);
    assert_eq!(hall.worker.calls[&CALL].bundled(), 2);
    assert!(hall.worker.bundling.is_lossy(13) && !hall.worker.bundling.is_lossy(12));
    let until = hall.now + crate::limits::BUNDLE_LOSSY;
    hall.worker.leg_mut(LegId(1)).unwrap().1.lossy_until = until;
    hall.worker.choose_bundles(hall.now);
    assert_eq!(hall.worker.calls[&CALL].bundled(), 1);
    hall.worker.choose_bundles(until);
    assert_eq!(hall.worker.calls[&CALL].bundled(), 2);
    // His client takes no such packets at all.
    hall.worker.leg_mut(LegId(2)).unwrap().1.packet_max = Duration::from_millis(20);
    hall.worker.choose_bundles(until);
    assert_eq!(hall.worker.calls[&CALL].bundled(), 1);
}

/// Loss and reorder, mutes and unmutes, good lines and bad ones, ticks in the midst of everything.
#[test]
fn whatever_happens_each_frame_is_heard_once_at_its_time_and_losses_show() {
    let mut bundled = 0;
    for seed in 0..60 {
        let (talkers, listeners) = (3, 3);
        // With two slots there are too few.
        let slots = 2 + seed as usize % 4;
        let mut hall = Hall::of(talkers + listeners, slots, ON, seed);
        hall.permit(&[0, 1, 2]);
        hall.pass(QUIET);
        let mut late: Vec<(usize, Vec<u8>)> = Vec::new();
        let mut lost = BTreeSet::new();
        for _ in 0..400 {
            for who in 0..talkers {
                let said = hall.say(who);
                match hall.draw(100) {
                    0..3 => drop(lost.insert((who as u64, hall.clients[who].index))),
                    3..8 => late.push((who, said)),
                    _ => hall.hear(who, said),
                }
                if hall.chance(20) {
                    hall.pass(Duration::from_millis(3));
                }
            }
            if hall.chance(70) {
                for (who, said) in std::mem::take(&mut late) {
                    hall.hear(who, said);
                }
            }
            hall.pass(Duration::from_millis(14));
            if hall.chance(3) {
                let audible: Vec<u64> = (0..6).filter(|_| hall.draw(3) > 0).collect();
                hall.permit(&audible);
            }
            if hall.chance(3) {
                let (who, now) = (LegId(3 + hall.draw(3)), hall.now);
                hall.worker.leg_mut(who).unwrap().1.lossy_until = now + FRAME;
                hall.worker.choose_bundles(now);
            }
            if hall.chance(2) {
                // For longer than a mute takes to count.
                hall.pass(QUIET);
                hall.worker.choose_bundles(hall.now);
            }
        }
        hall.pass(QUIET);
        let got = hall.clients.iter().flat_map(|client| &client.got);
        bundled += got.filter(|got| got.frames.len() > 1).count();
        hall.clients.iter().for_each(|client| check(client, &lost, seed));
    }
    assert!(bundled > 10_000, "{bundled}");
}

/// What a receiver could know to be wrong.
fn check(client: &Client, lost: &BTreeSet<Frame>, seed: u64) {
    let heard = client.heard();
    let once = BTreeSet::from_iter(heard.iter().copied());
    assert_eq!(heard.len(), once.len(), "seed {seed}: a frame came twice");
    assert!(once.is_disjoint(lost));
    assert!(heard.iter().all(|(who, _)| *who != client.leg.0), "seed {seed}: he hears himself");
    let mut slots: BTreeMap<u32, BTreeMap<u64, &Got>> = BTreeMap::new();
    for got in &client.got {
        slots.entry(got.ssrc).or_default().insert(got.index, got);
    }
    for packets in slots.values() {
        for ((index, one), (next_index, next)) in packets.iter().zip(packets.iter().skip(1)) {
            let samples = one.frames.len() as u32 * 960;
            let passed = next.timestamp.wrapping_sub(one.timestamp);
            assert!(passed < 1 << 31, "seed {seed}: time runs backwards: {one:?} {next:?}");
            let goes_on = one
                .frames
                .last()
                .is_some_and(|(who, frame)| next.frames.first() == Some(&(*who, frame + 1)));
            if goes_on && !next.marker {
                assert_eq!(passed, samples, "seed {seed}: {one:?} {next:?}");
                assert_eq!(index + 1, *next_index, "seed {seed}: a loss that was none");
            }
            if next_index == &(index + 1) && !next.marker {
                assert!(goes_on, "seed {seed}: a loss that does not show: {one:?} {next:?}");
            }
            let within =
                one.frames.windows(2).all(|it| it[0].0 == it[1].0 && it[0].1 + 1 == it[1].1);
            assert!(within, "seed {seed}: {one:?}");
        }
    }
}
