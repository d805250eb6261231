//! A leg as its worker holds it: the way to the peer, its keys, the voice it sends, its slots.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::ring::Ring;
use engine::rtp::{Reception, Template, TemplateSpec};
use engine::slots::{Stream, Voice};
use engine::{LegId, Time};

use super::dtls::HandshakeKey;
use super::ice::{self, IceLite};
use super::sdp::Fingerprint;
use super::socket::Destination;
use super::srtp::{Opener, Sealer};
use super::{CallNo, Notice};
use crate::limits::{HANDSHAKE_DATAGRAMS_PER_S, SENDER_BYTES_PER_S, SENDER_PACKETS_PER_S};

/// Where a call hears of its legs. `Err` gives the notice back: it is told again later.
pub type NoticeSink = Arc<dyn Fn(Notice) -> Result<(), Notice> + Send + Sync>;

/// All a worker needs to know of a leg, from the client's offer and our answer.
pub struct LegSpec {
    pub leg: LegId,
    pub call: CallNo,
    pub local: ice::Credentials,
    pub remote_ufrag: String,
    pub fingerprints: Vec<Fingerprint>,
    /// `None` for a client that only listens.
    pub voice: Option<VoiceSpec>,
    /// The legs that its person has already: he does not hear himself.
    pub beside: Vec<LegId>,
    pub slots: Vec<SlotSpec>,
    /// The longest packet that its client takes.
    pub packet_max: Duration,
    pub notices: NoticeSink,
}

/// How a client numbers what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VoiceSpec {
    /// Payload type of Opus.
    pub payload_type: u8,
    /// Extension id of the audio level (RFC 6464), where it sends one.
    pub level_id: Option<u8>,
}

/// One section in which the server sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotSpec {
    pub ssrc: u32,
    pub payload_type: u8,
    pub level_id: Option<u8>,
    /// Extension id of the mid, where the client has it.
    pub mid_id: Option<u8>,
    pub mid: String,
}

pub(super) struct Leg {
    pub id: LegId,
    pub call: CallNo,
    pub handshake: HandshakeKey,
    pub ice: IceLite,
    /// Where media goes, while consent holds and a path is proved.
    pub to: Option<Destination>,
    pub keys: Option<SrtpKeys>,
    pub packet_max: Duration,
    /// Until then its line counts as bad.
    pub lossy_until: Time,
    pub source: Source,
    pub slots: Vec<OutSlot>,
    /// Slots whose section does not send at present: their numbers go on when it does again, for
    /// one SSRC under one key may not number two packets alike. As many as sections at most.
    pub retired: Vec<OutSlot>,
    pub rtcp_index: u32,
    pub life: Life,
    pub notices: NoticeSink,
}

pub(super) struct SrtpKeys {
    pub opener: Opener,
    pub sealer: Sealer,
}

/// The voice a leg sends.
pub(super) struct Source {
    pub spec: Option<VoiceSpec>,
    pub voice: Option<(u32, Reception)>,
    /// Voice packets that came, and when the last one did.
    pub packets: u64,
    pub heard_at: Time,
    /// Its last moments, where some listener has no slot for it.
    pub ring: Option<Box<Ring>>,
    pub last_report: Option<SenderReportSeen>,
    pub allowance: Allowance,
    /// Apart, for anybody who can forge the address can spend it.
    pub handshake_allowance: Allowance,
}

/// A client's sender report, for our receiver report's echo (RFC 3550 section 6.4.1).
#[derive(Clone, Copy)]
pub(super) struct SenderReportSeen {
    /// Middle 32 bits of the NTP time.
    pub middle: u32,
    pub at: Instant,
}

pub(super) struct OutSlot {
    pub ssrc: u32,
    pub template: Template,
    pub stream: Stream,
    /// What the listener reported lost last, in 256ths.
    pub lost_there: u8,
    /// Packets at the last sender report: no report for a slot that is quiet.
    pub reported: u32,
    /// Tenures at that report: a voice that is new there is reported at once.
    pub reported_tenures: u32,
}

/// Signs of life.
#[derive(Clone, Copy)]
pub(super) struct Life {
    pub seen_at: Time,
    pub told: Told,
    /// Sweeps lived through: the clock of the reports.
    pub sweeps: u32,
    /// Highest sequence of the last receiver report: none for a voice that is quiet.
    pub reported_highest: u32,
}

/// What the call was last told of this leg.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Nothing,
    Alive,
    Silent,
    /// The peer said goodbye.
    Closed,
    Ended,
}

/// Packets and bytes a sender may still send in this second.
#[derive(Clone, Copy, Default)]
pub(super) struct Allowance {
    second: u64,
    packets: u32,
    bytes: u32,
}

impl Allowance {
    /// False for one datagram of a handshake too many.
    pub fn take_handshake(&mut self, now: Time) -> bool {
        self.take(now, 0) && self.packets <= HANDSHAKE_DATAGRAMS_PER_S
    }

    /// False for one packet too many.
    pub fn take(&mut self, now: Time, bytes: usize) -> bool {
        let second = now.as_micros() / 1_000_000;
        if second != self.second {
            *self = Allowance { second, packets: 0, bytes: 0 };
        }
        self.packets += 1;
        self.bytes = self.bytes.saturating_add(bytes as u32);
        self.packets <= SENDER_PACKETS_PER_S && self.bytes <= SENDER_BYTES_PER_S
    }
}

impl Source {
    pub fn new(spec: Option<VoiceSpec>) -> Source {
        Source {
            spec,
            voice: None,
            packets: 0,
            heard_at: Time::ZERO,
            ring: None,
            last_report: None,
            allowance: Allowance::default(),
            handshake_allowance: Allowance::default(),
        }
    }
}

impl Leg {
    /// Whether it may be sent packets so long, of which each one lost is a longer gap.
    pub fn takes_bundles(&self, now: Time, span: Duration) -> bool {
        now >= self.lossy_until && self.packet_max >= span
    }

    pub fn stream_mut(&mut self, slot: u8) -> Option<&mut Stream> {
        self.slots.get_mut(usize::from(slot)).map(|slot| &mut slot.stream)
    }

    /// The first packet of a voice, by its own number, above all that it was sent, on whichever
    /// slot.
    pub fn unheard_from(&self, voice: Voice) -> u64 {
        let slots = self.slots.iter().chain(&self.retired);
        slots.map(|slot| slot.stream.unheard_from(voice)).max().unwrap_or(0)
    }

    /// Takes over the sections of a renegotiation: a slot that was there, or was once, keeps its
    /// stream.
    pub fn reshape(&mut self, specs: &[SlotSpec]) {
        self.retired.append(&mut self.slots);
        for spec in specs {
            let kept = self.retired.iter().position(|slot| slot.ssrc == spec.ssrc);
            self.slots.push(match kept {
                Some(at) => OutSlot { template: template(spec), ..self.retired.swap_remove(at) },
                None => OutSlot::fresh(spec),
            });
        }
    }
}

impl OutSlot {
    /// A slot with random first numbers (RFC 3550 section 5.1).
    pub fn fresh(spec: &SlotSpec) -> OutSlot {
        let mut random = [0; 6];
        aws_lc_rs::rand::fill(&mut random)
            .expect("aws-lc ends the process rather than fail to draw");
        let [a, b, c, d, e, f] = random;
        OutSlot::new(spec, u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))
    }

    pub fn new(spec: &SlotSpec, first_sequence: u16, first_timestamp: u32) -> OutSlot {
        OutSlot {
            ssrc: spec.ssrc,
            template: template(spec),
            stream: Stream::new(first_sequence, first_timestamp),
            lost_there: 0,
            reported: 0,
            reported_tenures: 0,
        }
    }
}

fn template(spec: &SlotSpec) -> Template {
    Template::new(&TemplateSpec {
        ssrc: spec.ssrc,
        payload_type: spec.payload_type,
        level_id: spec.level_id,
        mid: spec.mid_id.map(|id| (id, spec.mid.as_str())),
    })
}

#[cfg(test)]
mod tests {
    use engine::slots::{Arrival, Holder};

    use super::*;
    use crate::media::rehearsal;

    #[test]
    fn a_section_held_and_taken_up_again_numbers_on() {
        let mut leg = rehearsal::member_for_test();
        let spec = |ssrc| SlotSpec {
            ssrc,
            payload_type: 111,
            level_id: None,
            mid_id: None,
            mid: String::new(),
        };
        let mut index = 0;
        let mut send = |leg: &mut Leg, slot: usize| {
            index += 1;
            let holder = Holder { voice: Voice { source: LegId(9), epoch: 1 }, turn: 1 };
            let arrival =
                Arrival { at: Time::ZERO, index, timestamp: index as u32 * 960, marker: false };
            leg.slots[slot].stream.stamp(holder, arrival, 1).unwrap().index
        };
        leg.reshape(&[spec(1), spec(2), spec(3)]);
        let before = send(&mut leg, 2);
        leg.reshape(&[spec(1), spec(2)]);
        leg.reshape(&[spec(3), spec(1)]);
        assert_eq!(leg.slots.iter().map(|slot| slot.ssrc).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(send(&mut leg, 0), before + 1);
        assert_eq!(leg.slots.len() + leg.retired.len(), 4, "the first one, 1, 2 and 3");
    }

    #[test]
    fn a_sender_gets_its_allowance_each_second_and_not_one_more() {
        let mut allowance = Allowance::default();
        let now = Time::from_micros(5_000_000);
        let taken = (0..SENDER_PACKETS_PER_S + 10).filter(|_| allowance.take(now, 100)).count();
        assert_eq!(taken, SENDER_PACKETS_PER_S as usize);
        assert!(allowance.take(Time::from_micros(6_000_000), 100));
        let big = SENDER_BYTES_PER_S as usize;
        assert!(!allowance.take(Time::from_micros(6_000_001), big));
    }
}
