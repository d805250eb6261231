//! The way in: opens what one leg sends, once.

use std::fmt;

use super::header::{Header, VERSION};
use super::kdf::Channel;
use super::streams::Streams;
use super::transform::{RTCP_HEADER_BYTES, RTCP_SSRC_AT, Transform, word};
use super::{KeyError, MasterKey, Profile};

/// Opens packets of one leg: keys and, for each SSRC that has authenticated, its replay window.
pub struct Opener {
    profile: Profile,
    rtp: Transform,
    rtcp: Transform,
    voices: Streams,
    reports: Streams,
}

/// An RTP packet that is authentic and was not there before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Opened {
    /// Length of the header with contributing sources and extension, in bytes.
    pub header_bytes: usize,
    /// Length of the plain packet, in bytes.
    pub len: usize,
    /// Packet index: rollover counter << 16 | sequence number, 48 bits.
    pub index: u64,
}

/// Why a packet ended here. The bytes of such a packet mean nothing any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Not version 2, or shorter than its own headers, or SRTCP without the E flag.
    #[error("malformed")]
    Malformed,
    /// The tag is not that of the packet: forged, damaged, or of another leg.
    #[error("unauthenticated")]
    Unauthenticated,
    /// Authentic, but it was there before, or is too old to tell.
    #[error("replayed")]
    Replayed,
    /// Authentic, but of one SSRC more than a leg may use.
    #[error("too many ssrcs")]
    TooManySsrcs,
}

impl Opener {
    /// Derives the session keys for the way in.
    ///
    /// # Errors
    /// [`KeyError::Profile`] if the key is for another profile, [`KeyError::Refused`] if the
    /// library refuses it.
    pub fn new(profile: Profile, key: &MasterKey) -> Result<Self, KeyError> {
        Ok(Self {
            profile,
            rtp: Transform::new(profile, key, Channel::Rtp)?,
            rtcp: Transform::new(profile, key, Channel::Rtcp)?,
            voices: Streams::default(),
            reports: Streams::default(),
        })
    }

    /// The profile that this leg agreed on.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// SSRCs that a window is kept for, of RTP and RTCP together.
    pub fn ssrcs(&self) -> usize {
        self.voices.len() + self.reports.len()
    }

    /// Opens an SRTP packet in place. Any bytes may be given.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is remembered of such a packet.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<Opened, OpenError> {
        let body = packet.len().checked_sub(self.profile.rtp_tag_bytes());
        let body = body.ok_or(OpenError::Malformed)?;
        let header = Header::parse(&packet[..body]).ok_or(OpenError::Malformed)?;
        let index = self.voices.estimate(header.ssrc, header.sequence);
        let roc = (index >> 16) as u32;
        let len = self.rtp.open_rtp(packet, header.bytes, roc)?;
        self.voices.admit(header.ssrc, index)?;
        Ok(Opened { header_bytes: header.bytes, len, index })
    }

    /// Opens a compound SRTCP packet in place; the plain length in bytes. Any bytes may be given.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing is remembered of such a packet.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, OpenError> {
        let shortest = RTCP_HEADER_BYTES + self.profile.rtcp_overhead_bytes();
        if packet.len() < shortest || packet[0] >> 6 != VERSION {
            return Err(OpenError::Malformed);
        }
        let ssrc = word(packet, RTCP_SSRC_AT);
        let report = self.rtcp.open_rtcp(packet)?;
        self.reports.admit(ssrc, u64::from(report.index))?;
        Ok(report.len)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opener")
            .field("profile", &self.profile)
            .field("ssrcs", &self.ssrcs())
            .finish_non_exhaustive()
    }
}
