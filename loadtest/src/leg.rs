//! One leg: a str0m client with a UDP socket of its own, because the server tells legs apart by
//! their source address. Knows SDP, ICE, DTLS and SRTP through str0m only; signalling brings the
//! answer, the media thread brings datagrams and the time.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::config::DtlsCert;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionValues, RtpWrite};
use str0m::{Candidate, Event, Input, Output, Rtc};

use crate::light::Header;
use crate::network::{Fate, Network, Way};
use crate::voice::{self, BotId, FRAME_SAMPLES, Frame, LEVEL_DBOV, nanos};

/// What a leg reports while it is driven.
pub enum Happening {
    /// The keys are ready: packets may be sent.
    Connected,
    /// A packet passed SRTP: its payload.
    Heard(Arc<[u8]>),
    /// The leg is over.
    Closed(String),
}

/// A leg whose offer has not been answered yet.
pub struct Offered {
    leg: Leg,
    pending: SdpPendingOffer,
    pub sdp: String,
}

/// An answered leg.
pub struct Leg {
    pub bot: BotId,
    /// Number of the call it is in, from 0.
    pub call: usize,
    pub is_talker: bool,
    /// Counts among those who hear the call.
    pub is_listener: bool,
    /// Decrypts one packet in so many, and sends no reports of what it has received: they would
    /// be wrong.
    pub light: Option<u32>,
    /// One voice each.
    pub sections: usize,
    /// RTP packets that the simulated network lost on their way out.
    pub lost_packets: u32,
    /// When its offer was handed to the WebSocket, and when the answer was read.
    pub offered_at: Instant,
    pub answered_at: Instant,
    /// When str0m wants to be driven next, whatever arrives.
    pub wake_at: Instant,
    pub socket: UdpSocket,
    local: SocketAddr,
    rtc: Rtc,
    mid: Mid,
    pt: Pt,
    /// Of its next frame; a bot that comes back counts on.
    pub next_seq: u32,
    packets: u64,
    time: u32,
}

/// What a leg is to be.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    pub is_talker: bool,
    /// m=audio sections it offers, one voice each.
    pub sections: usize,
    pub light: Option<u32>,
}

/// First RTP sequence number of a talker: not 0, so that the server's rewriting shows.
const FIRST_SEQUENCE: u64 = 1_000;

impl Leg {
    /// Opens a socket towards `server` and makes an offer of its audio sections: the first to speak
    /// and hear, the others only to hear, so that nothing is renegotiated later.
    pub fn offer(bot: BotId, call: usize, role: Role, server: SocketAddr) -> Result<Offered> {
        let mut leg = Self::open(bot, call, role, server)?;
        let mut changes = leg.rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        for _ in 1..role.sections {
            changes.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        }
        let (offer, pending) = changes.apply().context("str0m made no offer")?;
        leg.mid = mid;
        Ok(Offered { leg, pending, sdp: offer.to_sdp_string() })
    }

    /// Answers an offer that a server made, read now: a leg that only hears, and the answer's SDP.
    ///
    /// # Errors
    /// When the offer cannot be read.
    pub fn accept(
        bot: BotId,
        call: usize,
        role: Role,
        server: SocketAddr,
        sdp: &str,
    ) -> Result<(Self, String)> {
        let mut leg = Self::open(bot, call, role, server)?;
        let offer = SdpOffer::from_sdp_string(&one_path(sdp, server.ip()))?;
        let answer = leg.rtc.sdp_api().accept_offer(offer)?;
        Ok((leg, answer.to_sdp_string()))
    }

    /// A leg before any description.
    fn open(bot: BotId, call: usize, role: Role, server: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind((source_towards(server)?, 0)).context("no UDP socket")?;
        socket.set_nonblocking(true)?;
        let local = socket.local_addr()?;
        let now = Instant::now();
        let mut rtc = Rtc::builder()
            .set_rtp_mode(true)
            .set_dtls_cert(shared_certificate()?)
            .clear_codecs()
            .enable_opus(true, false)
            .clear_extension_map()
            .set_extension(1, Extension::AudioLevel)
            .set_extension(4, Extension::RtpMid)
            .build(now);
        rtc.add_local_candidate(Candidate::host(local, Protocol::Udp)?);
        Ok(Self {
            bot,
            call,
            is_talker: role.is_talker,
            is_listener: true,
            light: role.light,
            sections: role.sections,
            lost_packets: 0,
            offered_at: now,
            answered_at: now,
            wake_at: now,
            socket,
            local,
            rtc,
            // Nobody's: whoever only hears has no section to speak in.
            mid: Mid::new(),
            pt: Pt::from(0),
            next_seq: 0,
            packets: 0,
            time: 0,
        })
    }

    /// Takes one datagram that arrived at `at`.
    ///
    /// # Errors
    /// When str0m gives the leg up.
    pub fn handle_datagram(&mut self, at: Instant, source: SocketAddr, bytes: &[u8]) -> Result<()> {
        let Ok(receive) = Receive::new(Protocol::Udp, source, self.local, bytes) else {
            return Ok(());
        };
        Ok(self.rtc.handle_input(Input::Receive(at, receive))?)
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// When str0m gives the leg up.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<()> {
        Ok(self.rtc.handle_input(Input::Timeout(now))?)
    }

    /// Queues the talker's next packet of `frames`, stamped `now`, after `silent` frames in which
    /// he said nothing.
    ///
    /// # Errors
    /// When the answer left the talker no section to speak in.
    pub fn speak(&mut self, now: Instant, frames: u32, silent: u32) -> Result<()> {
        let sent_ns = nanos(now);
        let frame = |seq| Frame { talker: self.bot, seq, sent_ns };
        let said: Vec<Frame> = (self.next_seq..self.next_seq + frames).map(frame).collect();
        let level = ExtensionValues {
            audio_level: Some(LEVEL_DBOV),
            voice_activity: Some(true),
            ..ExtensionValues::default()
        };
        self.time = self.time.wrapping_add(silent * FRAME_SAMPLES);
        let number = (FIRST_SEQUENCE + self.packets).into();
        let write = RtpWrite::new(self.pt, number, self.time, now, voice::payload(&said));
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).context("the answer takes no voice")?;
        stream.write_rtp(write.ext_vals(level).marker(self.packets == 0 || silent > 0));
        self.next_seq += frames;
        self.packets += 1;
        self.time = self.time.wrapping_add(frames * FRAME_SAMPLES);
        self.handle_timeout(now)
    }

    /// Begins to say goodbye: close_notify leaves with the next [`Leg::drive`].
    ///
    /// # Errors
    /// When str0m had given the leg up before.
    pub fn close(&mut self) -> Result<()> {
        Ok(self.rtc.close()?)
    }

    /// Sends what is to be sent and tells what happened, until str0m only waits.
    pub fn drive(&mut self, network: &mut Network, mut tell: impl FnMut(Happening)) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake_at = at;
                    return;
                }
                Ok(Output::Transmit(datagram)) => {
                    self.send(network, datagram.destination, &datagram.contents);
                }
                Ok(Output::Event(Event::Connected)) => tell(Happening::Connected),
                Ok(Output::Event(Event::RtpPacket(packet))) => {
                    tell(Happening::Heard(packet.payload));
                }
                Ok(Output::Event(Event::Closed)) => {
                    tell(Happening::Closed("the server closed DTLS".into()));
                }
                Ok(Output::Event(_)) => {}
                Err(error) => {
                    tell(Happening::Closed(error.to_string()));
                    return;
                }
            }
        }
    }
}

impl Leg {
    fn send(&mut self, network: &mut Network, to: SocketAddr, bytes: &[u8]) {
        if self.light.is_some() && is_rtcp(bytes) {
            return;
        }
        match network.fate() {
            // A datagram the kernel has no room for is lost like one on the way.
            Fate::Passes => drop(self.socket.send_to(bytes, to)),
            Fate::Late(by) => network.keep(Instant::now() + by, self.bot, Way::To(to), bytes),
            Fate::Lost => self.lost_packets += u32::from(Header::read(bytes).is_some()),
        }
    }
}

/// By its first two bytes (RFC 7983, RFC 5761 section 4).
fn is_rtcp(bytes: &[u8]) -> bool {
    matches!(bytes, [128..=191, 192..=223, ..])
}

impl Offered {
    /// Whether an answer is to this offer, and not to another one of the same bot: it names our
    /// sections (RFC 3264 section 6), which no two offers name alike.
    pub fn is_answered_by(&self, sdp: &str) -> bool {
        let mut mids = sdp.lines().filter(|line| line.starts_with("a=mid:")).peekable();
        mids.peek().is_some() && mids.all(|mid| self.sdp.lines().any(|own| own == mid))
    }

    /// Completes the leg with the server's answer.
    ///
    /// # Errors
    /// When the answer cannot be read, or refuses the first section or Opus.
    pub fn answer(self, sdp: &str, server: IpAddr, offered_at: Instant) -> Result<Leg> {
        let Self { mut leg, pending, .. } = self;
        let answered_at = Instant::now();
        let answer = SdpAnswer::from_sdp_string(&one_path(sdp, server))?;
        leg.rtc.sdp_api().accept_answer(pending, answer)?;
        let media = leg.rtc.media(leg.mid).context("the answer lacks the first section")?;
        let Some(pt) = media.remote_pts().first() else {
            bail!("the answer has no Opus");
        };
        leg.pt = *pt;
        leg.offered_at = offered_at;
        leg.answered_at = answered_at;
        leg.wake_at = answered_at;
        Ok(leg)
    }
}

/// Keeps the UDP candidates at `server`, the address that signalling reached, if there are any:
/// one path to check is the quickest, and no packet goes where nobody asked it to.
fn one_path(sdp: &str, server: IpAddr) -> String {
    let at_server = |line: &str| {
        let mut words = line.split_ascii_whitespace().skip(2);
        let is_udp = words.next().is_some_and(|word| word.eq_ignore_ascii_case("udp"));
        let address = words.nth(1).and_then(|word| word.parse::<IpAddr>().ok());
        is_udp && address == Some(server)
    };
    let is_candidate = |line: &str| line.starts_with("a=candidate:");
    if !sdp.lines().any(|line| is_candidate(line) && at_server(line)) {
        return sdp.to_owned();
    }
    let kept = sdp.lines().filter(|line| !is_candidate(line) || at_server(line));
    kept.flat_map(|line| [line, "\r\n"]).collect()
}

/// The local address from which packets to `server` leave.
fn source_towards(server: SocketAddr) -> Result<IpAddr> {
    let any: IpAddr = if server.is_ipv4() { [0; 4].into() } else { [0; 16].into() };
    let probe = UdpSocket::bind((any, 0))?;
    probe.connect(server)?;
    Ok(probe.local_addr()?.ip())
}

/// One certificate for all bots: making an ECDSA key for each would cost the generator, not the
/// server.
fn shared_certificate() -> Result<DtlsCert> {
    static CERTIFICATE: OnceLock<Option<DtlsCert>> = OnceLock::new();
    let made = CERTIFICATE
        .get_or_init(|| str0m::crypto::from_feature_flags().dtls_provider.generate_certificate());
    made.clone().context("no DTLS certificate could be made")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=candidate:1 1 udp 2130706431 10.0.0.5 7880 typ host\r\n\
        a=candidate:2 1 udp 2130706430 127.0.0.1 7880 typ host\r\n\
        a=candidate:3 1 tcp 1 127.0.0.1 7880 typ host tcptype passive\r\na=end-of-candidates\r\n";

    #[test]
    fn only_the_candidate_at_the_servers_address_is_checked() {
        let kept = one_path(ANSWER, [127, 0, 0, 1].into());
        assert_eq!(
            kept,
            "v=0\r\na=candidate:2 1 udp 2130706430 127.0.0.1 7880 typ host\r\n\
             a=end-of-candidates\r\n"
        );
    }

    #[test]
    fn candidates_elsewhere_are_all_kept() {
        assert_eq!(one_path(ANSWER, [192, 0, 2, 1].into()), ANSWER);
    }

    const ROLE: Role = Role { is_talker: true, sections: 3, light: None };

    #[test]
    fn an_offer_has_one_section_to_speak_in_and_the_rest_to_hear() {
        let server = SocketAddr::from(([127, 0, 0, 1], 9));
        let offered = Leg::offer(0, 0, ROLE, server).expect("loopback has sockets");
        let lines = |wanted: &str| offered.sdp.lines().filter(|line| *line == wanted).count();
        assert_eq!((lines("a=sendrecv"), lines("a=recvonly")), (1, 2));
    }
}
