//! Writes our offers and answers from a model: audio by Opus, ICE-lite, one bundled transport.
//! The form is the one that Chromium, Firefox and aiortc were seen to take.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rtc_sdp::extmap::{AUDIO_LEVEL_URI, SDES_MID_URI};

use super::media::is_token;
use super::{Direction, Media, Mid, Opus, Proto, Setup};

/// Our description.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// The same for all descriptions of one leg, below 2^63 (RFC 8829 section 5.2.1).
    pub session_id: u64,
    /// One more with each description of a leg that differs (RFC 3264 section 8).
    pub version: u64,
    /// Our half of the STUN user name.
    pub ice_ufrag: String,
    /// The password of checks sent to us.
    pub ice_pwd: String,
    /// Of our certificate, as in a=fingerprint: `sha-256 AA:BB...`.
    pub fingerprint: String,
    /// Passive in answers, actpass in offers.
    pub setup: Setup,
    /// Our UDP addresses, the preferred one first.
    pub candidates: Vec<SocketAddr>,
    /// Every m= line of this leg, in the order of its first appearance.
    pub sections: Vec<LocalSection>,
}

/// One m= section of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSection {
    /// Its name; empty where the client gave none.
    pub mid: Mid,
    /// What we say of it.
    pub body: Body,
}

/// Taken or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Voice can flow.
    Accepted(Accepted),
    /// Port 0.
    Refused {
        /// As the client wrote it.
        media: Media,
        /// As the client wrote it.
        proto: Proto,
        /// One of the client's formats.
        format: String,
    },
}

/// A section in which voice can flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The protocol that the client wrote; [`Proto::UdpTlsRtpSavpf`] in our offers.
    pub proto: Proto,
    /// Which way voice flows, from our side.
    pub direction: Direction,
    /// The client's payload type, and whether it offered DTX.
    pub opus: Opus,
    /// The client's id for the loudness, where it has one.
    pub level_id: Option<u8>,
    /// The client's id for the mid, where it has one.
    pub mid_id: Option<u8>,
    /// What we send here; Chromium rebuilds its stream at each renegotiation without it.
    pub slot: Option<SlotLine>,
    /// Ties our sources together (RFC 7022).
    pub cname: String,
}

/// The stable names of what we send in a section: of the slot, not of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLine {
    /// Source of the packets.
    pub ssrc: u32,
    /// First word of a=msid: `streams[0].id` in a browser.
    pub stream: String,
    /// Second word of a=msid.
    pub track: String,
}

/// The text of our description.
pub fn write(local: &Local) -> String {
    let mut text = Text(String::with_capacity(256 + 1024 * local.sections.len()));
    let Local { session_id, version, .. } = local;
    text.line(format_args!("v=0"));
    text.line(format_args!("o=- {session_id} {version} IN IP4 127.0.0.1"));
    text.line(format_args!("s=-"));
    text.line(format_args!("t=0 0"));
    text.line(format_args!("a=ice-lite"));
    let is_bundled = |s: &&LocalSection| matches!(s.body, Body::Accepted(_)) && !s.mid.is_empty();
    let mids: Vec<&str> =
        local.sections.iter().filter(is_bundled).map(|s| s.mid.as_str()).collect();
    if !mids.is_empty() {
        text.line(format_args!("a=group:BUNDLE {}", mids.join(" ")));
    }
    text.line(format_args!("a=msid-semantic: WMS *"));
    for section in &local.sections {
        match &section.body {
            Body::Accepted(accepted) => {
                text.media_line(accepted, &local.candidates);
                text.transport(local);
                text.mid(section.mid);
                text.codec(accepted);
                text.slot(accepted);
                text.candidates(&local.candidates);
            }
            Body::Refused { media, proto, format } => {
                let (media, proto) = (media.as_str(), proto.as_str());
                text.line(format_args!("m={media} 0 {proto} {}", token(format)));
                text.line(format_args!("c=IN IP4 0.0.0.0"));
                text.mid(section.mid);
                text.line(format_args!("a=inactive"));
            }
        }
    }
    text.0
}

struct Text(String);

impl Text {
    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("a String takes any text");
        self.0.push_str("\r\n");
    }

    fn media_line(&mut self, accepted: &Accepted, candidates: &[SocketAddr]) {
        let first = candidates.first().copied().unwrap_or(NO_ADDRESS);
        let (port, proto) = (first.port(), accepted.proto.as_str());
        self.line(format_args!("m=audio {port} {proto} {}", accepted.opus.payload_type));
        let family = if first.is_ipv4() { "IP4" } else { "IP6" };
        self.line(format_args!("c=IN {family} {}", first.ip()));
    }

    fn transport(&mut self, local: &Local) {
        self.line(format_args!("a=rtcp-mux"));
        self.line(format_args!("a=rtcp-rsize"));
        self.line(format_args!("a=ice-ufrag:{}", local.ice_ufrag));
        self.line(format_args!("a=ice-pwd:{}", local.ice_pwd));
        self.line(format_args!("a=fingerprint:{}", local.fingerprint));
        self.line(format_args!("a=setup:{}", local.setup.as_str()));
    }

    fn mid(&mut self, mid: Mid) {
        if !mid.is_empty() {
            self.line(format_args!("a=mid:{mid}"));
        }
    }

    fn codec(&mut self, accepted: &Accepted) {
        let Opus { payload_type, usedtx, .. } = accepted.opus;
        let dtx = if usedtx { ";usedtx=1" } else { "" };
        self.line(format_args!("a={}", accepted.direction.as_str()));
        self.line(format_args!("a=rtpmap:{payload_type} opus/48000/2"));
        self.line(format_args!("a=fmtp:{payload_type} minptime=10;useinbandfec=1{dtx}"));
        if let Some(id) = accepted.level_id {
            self.line(format_args!("a=extmap:{id} {AUDIO_LEVEL_URI}"));
        }
        if let Some(id) = accepted.mid_id {
            self.line(format_args!("a=extmap:{id} {SDES_MID_URI}"));
        }
    }

    fn slot(&mut self, accepted: &Accepted) {
        if let Some(SlotLine { ssrc, stream, track }) = &accepted.slot {
            self.line(format_args!("a=msid:{} {}", token(stream), token(track)));
            self.line(format_args!("a=ssrc:{ssrc} cname:{}", token(&accepted.cname)));
        }
    }

    fn candidates(&mut self, candidates: &[SocketAddr]) {
        for (index, address) in candidates.iter().enumerate() {
            let same_ip = |other: &SocketAddr| other.ip() == address.ip();
            let foundation = 1 + candidates.iter().position(same_ip).unwrap_or(index);
            let rank = u32::try_from(index).unwrap_or(u32::MAX).saturating_mul(1 << 8);
            let priority = HOST_PRIORITY.saturating_sub(rank);
            let (ip, port) = (address.ip(), address.port());
            self.line(format_args!(
                "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host"
            ));
        }
        self.line(format_args!("a=end-of-candidates"));
    }
}

/// A name may not end its line: what is no token is left out of the description.
fn token(name: &str) -> &str {
    if is_token(name) { name } else { "-" }
}

/// JSEP's address of a section that has no candidate yet (RFC 8829 section 5.2.1).
const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 9);
/// Type preference 126 (host), local preference 65535, component 1 (RFC 8445 section 5.1.2).
const HOST_PRIORITY: u32 = (126 << 24) | (65_535 << 8) | 255;
