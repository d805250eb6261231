//! One m= section of a client: what it carries, which way, and under which numbers.
//! Knows nothing of the other sections; those are weighed against each other in `parse.rs`.

use rtc_sdp::MediaDescription;
use rtc_sdp::description::common::Attribute;
use rtc_sdp::extmap::{AUDIO_LEVEL_URI, SDES_MID_URI};

use super::media::is_token;
use super::{
    Accepted, Body, Direction, LocalSection, Malformed, Media, Mid, Opus, Proto, SlotLine,
};

/// One m= section as a client wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its name; empty where the only section, or a rejected one, has none.
    pub mid: Mid,
    /// What it carries.
    pub media: Media,
    /// Over which protocol.
    pub proto: Proto,
    /// The first format of the m= line, a token of at most 32 characters: what a refusal repeats.
    pub format: String,
    /// Switched off by port 0 (RFC 9143 section 7.3: unless it is bundle-only).
    pub rejected: bool,
    /// Which way voice flows, from the client's side.
    pub direction: Direction,
    /// Where the section has Opus.
    pub opus: Option<Opus>,
    /// Header extension id of the loudness, 1 to 14 (RFC 6464).
    pub level_id: Option<u8>,
    /// Header extension id of the mid, 1 to 14 (RFC 9143 section 15).
    pub mid_id: Option<u8>,
    /// The synchronisation sources that the client announced, at most 8 of them. They do not mean
    /// that it sends: Firefox and aiortc name one in recvonly sections too.
    pub ssrcs: Vec<u32>,
    /// Named in the first BUNDLE group (RFC 9143).
    pub in_bundle: bool,
}

impl Section {
    /// Audio, not rejected, with Opus: a section in which voice can flow.
    pub fn is_usable(&self) -> bool {
        self.media == Media::Audio && !self.rejected && self.opus.is_some()
    }

    /// Our line for this section when voice flows in it; `None` where it is not usable.
    /// The direction is from our side.
    pub fn accept(
        &self,
        direction: Direction,
        slot: Option<SlotLine>,
        cname: &str,
    ) -> Option<LocalSection> {
        let opus = self.opus.filter(|_| self.is_usable())?;
        let accepted = Accepted {
            proto: self.proto.clone(),
            direction,
            opus,
            level_id: self.level_id,
            mid_id: self.mid_id,
            slot,
            cname: cname.to_owned(),
        };
        Some(LocalSection { mid: self.mid, body: Body::Accepted(accepted) })
    }

    /// Our line for this section when it is refused (RFC 8829 section 5.3.1: port 0).
    pub fn refuse(&self) -> LocalSection {
        let body = Body::Refused {
            media: self.media.clone(),
            proto: self.proto.clone(),
            format: self.format.clone(),
        };
        LocalSection { mid: self.mid, body }
    }

    pub(super) fn read(
        media: &MediaDescription,
        attributes: &Attributes<'_>,
        bundle: &[Mid],
    ) -> Result<Self, Malformed> {
        let mid = match attributes.own("mid") {
            Some(text) => Mid::new(text).ok_or(Malformed::BadMid)?,
            None => Mid::default(),
        };
        let in_bundle = bundle.contains(&mid);
        let bundle_only = in_bundle && attributes.has_own("bundle-only");
        let mut section = Self {
            mid,
            media: read_media(media)?,
            proto: read_proto(media)?,
            format: first_format(media)?,
            rejected: media.media_name.port.value == 0 && !bundle_only,
            direction: attributes.direction(),
            opus: None,
            level_id: None,
            mid_id: None,
            ssrcs: Vec::new(),
            in_bundle,
        };
        if section.media == Media::Audio && !section.rejected {
            section.read_audio(media, attributes)?;
        }
        Ok(section)
    }

    fn read_audio(
        &mut self,
        media: &MediaDescription,
        attributes: &Attributes<'_>,
    ) -> Result<(), Malformed> {
        if let Proto::Other(_) = self.proto {
            return Err(Malformed::Unencrypted);
        }
        self.opus = read_opus(&media.media_name.formats, attributes)?;
        (self.level_id, self.mid_id) = read_extmaps(attributes)?;
        self.ssrcs = read_ssrcs(attributes)?;
        if self.opus.is_some() && !attributes.has_own("rtcp-mux") {
            return Err(Malformed::NoRtcpMux);
        }
        Ok(())
    }
}

/// The attributes of one section, over those of the session: the section's own win.
pub(super) struct Attributes<'a> {
    pub(super) session: &'a [Attribute],
    pub(super) media: &'a [Attribute],
}

impl<'a> Attributes<'a> {
    /// The first value with this key in the section itself.
    fn own(&self, key: &str) -> Option<&'a str> {
        values(self.media, key).next()
    }

    /// The key stands in the section itself, with or without a value.
    pub(super) fn has_own(&self, key: &str) -> bool {
        self.media.iter().any(|attribute| attribute.key == key)
    }

    /// The first value with this key, else that of the session.
    pub(super) fn inherited(&self, key: &str) -> Option<&'a str> {
        self.all_inherited(key).next()
    }

    /// All values with this key in the section if it has one, else those of the session.
    pub(super) fn all_inherited(&self, key: &str) -> impl Iterator<Item = &'a str> {
        values(if self.has_own(key) { self.media } else { self.session }, key)
    }

    fn direction(&self) -> Direction {
        let first = |level: &[Attribute]| level.iter().find_map(|a| Direction::named(&a.key));
        first(self.media).or_else(|| first(self.session)).unwrap_or_default()
    }
}

fn values<'a>(level: &'a [Attribute], key: &str) -> impl Iterator<Item = &'a str> {
    level.iter().filter(move |a| a.key == key).filter_map(|a| a.value.as_deref())
}

fn read_media(media: &MediaDescription) -> Result<Media, Malformed> {
    match media.media_name.media.as_str() {
        "audio" => Ok(Media::Audio),
        other if is_token(other) => Ok(Media::Other(other.to_owned())),
        _ => Err(Malformed::Syntax),
    }
}

fn read_proto(media: &MediaDescription) -> Result<Proto, Malformed> {
    let proto = media.media_name.protos.join("/");
    match proto.as_str() {
        "UDP/TLS/RTP/SAVPF" => Ok(Proto::UdpTlsRtpSavpf),
        "TCP/TLS/RTP/SAVPF" => Ok(Proto::TcpTlsRtpSavpf),
        _ if proto.len() <= WORD_MAX && proto.split('/').all(is_token) => Ok(Proto::Other(proto)),
        _ => Err(Malformed::Syntax),
    }
}

fn first_format(media: &MediaDescription) -> Result<String, Malformed> {
    let first = media.media_name.formats.first().ok_or(Malformed::Syntax)?;
    let is_word = first.len() <= WORD_MAX && is_token(first);
    if is_word { Ok(first.clone()) } else { Err(Malformed::Syntax) }
}

/// Opus by the first format that maps to it; the client's order is its preference.
fn read_opus(formats: &[String], attributes: &Attributes<'_>) -> Result<Option<Opus>, Malformed> {
    let mut is_opus = [false; 128];
    for value in values(attributes.media, "rtpmap") {
        let (number, codec) = value.split_once(' ').ok_or(Malformed::Syntax)?;
        if codec.trim().eq_ignore_ascii_case("opus/48000/2") {
            is_opus[usize::from(payload_type(number)?)] = true;
        }
    }
    let mut opus = None;
    for format in formats {
        let payload_type = payload_type(format)?;
        if opus.is_none() && is_opus[usize::from(payload_type)] {
            let usedtx = has_usedtx(payload_type, attributes);
            let maxptime = values(attributes.media, "maxptime").next().and_then(decimal);
            let maxptime_ms = maxptime.unwrap_or(OPUS_MAXPTIME_MS);
            opus = Some(Opus { payload_type, usedtx, maxptime_ms });
        }
    }
    Ok(opus)
}

/// A number that may be used beside RTCP on one port: 0 to 63 and 96 to 127.
fn payload_type(text: &str) -> Result<u8, Malformed> {
    let number = decimal(text).and_then(|number| u8::try_from(number).ok());
    match number {
        None => Err(Malformed::Syntax),
        Some(number @ (64..=95 | 128..)) => Err(Malformed::PayloadType(number)),
        Some(number) => Ok(number),
    }
}

fn has_usedtx(payload_type: u8, attributes: &Attributes<'_>) -> bool {
    values(attributes.media, "fmtp")
        .filter_map(|value| value.split_once(' '))
        .filter(|(number, _)| decimal(number) == Some(u32::from(payload_type)))
        .flat_map(|(_, parameters)| parameters.split(';'))
        .any(|parameter| parameter.trim().eq_ignore_ascii_case("usedtx=1"))
}

/// The ids of the level and of the mid, where the client offers them both ways and low enough for
/// the one-byte form (RFC 8285 sections 4.2 and 6).
fn read_extmaps(attributes: &Attributes<'_>) -> Result<(Option<u8>, Option<u8>), Malformed> {
    let (mut level, mut mid) = (None, None);
    let mut seen = Vec::new();
    for value in attributes.all_inherited("extmap") {
        let mut words = value.split_whitespace();
        let (Some(head), Some(uri)) = (words.next(), words.next()) else {
            return Err(Malformed::BadExtmap);
        };
        let (id, direction) = head.split_once('/').unwrap_or((head, "sendrecv"));
        let id = decimal(id).filter(|id| EXTMAP_IDS.contains(id)).ok_or(Malformed::BadExtmap)?;
        if seen.contains(&id) {
            return Err(Malformed::BadExtmap);
        }
        seen.push(id);
        let one_byte = u8::try_from(id).ok().filter(|id| *id <= ONE_BYTE_ID_MAX);
        let usable = one_byte.filter(|_| direction == "sendrecv");
        match uri {
            AUDIO_LEVEL_URI => level = level.or(usable),
            SDES_MID_URI => mid = mid.or(usable),
            _ => {}
        }
    }
    Ok((level, mid))
}

fn read_ssrcs(attributes: &Attributes<'_>) -> Result<Vec<u32>, Malformed> {
    let mut ssrcs = Vec::new();
    for value in values(attributes.media, "ssrc") {
        let number = value.split(' ').next().and_then(decimal).ok_or(Malformed::Syntax)?;
        if ssrcs.len() < SSRCS_MAX && !ssrcs.contains(&number) {
            ssrcs.push(number);
        }
    }
    Ok(ssrcs)
}

/// Digits only: `str::parse` would take a leading plus.
pub(super) fn decimal(text: &str) -> Option<u32> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

/// Bounds what a refusal repeats: the longest registered protocol has 23 characters.
const WORD_MAX: usize = 32;
/// RFC 7587 section 6.1.
const OPUS_MAXPTIME_MS: u32 = 120;
/// RFC 8285 section 4.2: 15 is reserved.
const ONE_BYTE_ID_MAX: u8 = 14;
/// RFC 8285 section 6: the two-byte form ends at 255, ids above 4095 are placeholders of an offer.
const EXTMAP_IDS: std::ops::RangeInclusive<u32> = 1..=4351;
/// A voice has one source; a few more are kept for clients that changed theirs.
const SSRCS_MAX: usize = 8;
