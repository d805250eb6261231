//! The cipher of one channel (RTP or RTCP) in one direction, chosen by the profile.

use super::cm::Cm;
use super::gcm::Gcm;
use super::kdf::Channel;
use super::keys::{KeyError, MasterKey};
use super::{OpenError, Profile};

/// Seals and opens packets whose index is known. Keeps no state.
pub(super) enum Transform {
    Gcm(Gcm),
    /// Boxed: two key schedules and a MAC state make it twenty times as large as the other.
    Cm(Box<Cm>),
}

/// An authentic RTCP packet.
pub(super) struct Report {
    /// Length of the plain packet in bytes.
    pub len: usize,
    /// SRTCP index, 31 bits.
    pub index: u32,
}

impl Transform {
    /// Derives the session keys of `channel`.
    ///
    /// # Errors
    /// [`KeyError::Profile`] if the key is for another profile, [`KeyError::Refused`] if the
    /// library refuses it.
    pub fn new(profile: Profile, master: &MasterKey, channel: Channel) -> Result<Self, KeyError> {
        master.check(profile)?;
        match profile {
            Profile::Aes128CmSha1_80 => Ok(Self::Cm(Box::new(Cm::derive(master, channel)?))),
            Profile::AeadAes128Gcm | Profile::AeadAes256Gcm => {
                Ok(Self::Gcm(Gcm::derive(profile, master, channel)?))
            }
        }
    }

    /// Seals `packet[..len]`; the sealed length.
    pub fn seal_rtp(&self, packet: &mut [u8], header_bytes: usize, len: usize, roc: u32) -> usize {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtp(packet, header_bytes, len, roc),
            Self::Cm(cm) => cm.seal_rtp(packet, header_bytes, len, roc),
        }
    }

    /// Opens `packet`, at least header and tag long; the plain length.
    pub fn open_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        roc: u32,
    ) -> Result<usize, OpenError> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtp(packet, header_bytes, roc),
            Self::Cm(cm) => cm.open_rtp(packet, header_bytes, roc),
        }
    }

    /// Seals `packet[..len]`; the sealed length.
    pub fn seal_rtcp(&self, packet: &mut [u8], len: usize, index: u32) -> usize {
        match self {
            Self::Gcm(gcm) => gcm.seal_rtcp(packet, len, index),
            Self::Cm(cm) => cm.seal_rtcp(packet, len, index),
        }
    }

    /// Opens `packet`, at least [`RTCP_HEADER_BYTES`] and the profile's overhead long.
    pub fn open_rtcp(&self, packet: &mut [u8]) -> Result<Report, OpenError> {
        match self {
            Self::Gcm(gcm) => gcm.open_rtcp(packet),
            Self::Cm(cm) => cm.open_rtcp(packet),
        }
    }
}

/// The sequence number of an RTP packet, at least a fixed header long.
pub(super) fn sequence(packet: &[u8]) -> u16 {
    u16::from_be_bytes([packet[2], packet[3]])
}

/// The 32 bits at `at`.
pub(super) fn word(packet: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([packet[at], packet[at + 1], packet[at + 2], packet[at + 3]])
}

/// The SRTCP index of the word that follows the packet.
///
/// # Errors
/// [`OpenError::Malformed`] if the E flag is not set: nobody we talk to sends plain RTCP.
pub(super) fn index_of(word: u32) -> Result<u32, OpenError> {
    if word & E_FLAG == 0 {
        return Err(OpenError::Malformed);
    }
    Ok(word & !E_FLAG)
}

/// Where an RTP packet has its SSRC.
pub(super) const RTP_SSRC_AT: usize = 8;
/// Where an RTCP packet has its SSRC.
pub(super) const RTCP_SSRC_AT: usize = 4;
/// The part of a compound RTCP packet that stays plain: first header and SSRC.
pub(super) const RTCP_HEADER_BYTES: usize = 8;
/// Set in an SRTCP packet that is encrypted (RFC 3711 section 3.4).
pub(super) const E_FLAG: u32 = 1 << 31;
