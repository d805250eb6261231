//! The way out: seals what one leg is sent.

use std::fmt;

use super::kdf::Channel;
use super::transform::{E_FLAG, Transform};
use super::{KeyError, MasterKey, Profile};

/// Seals packets to one leg. Holds keys and no state: no allocation and no lock per packet.
pub struct Sealer {
    profile: Profile,
    rtp: Transform,
    rtcp: Transform,
}

impl Sealer {
    /// Derives the session keys for the way out.
    ///
    /// # Errors
    /// [`KeyError::Profile`] if the key is for another profile, [`KeyError::Refused`] if the
    /// library refuses it.
    pub fn new(profile: Profile, key: &MasterKey) -> Result<Self, KeyError> {
        Ok(Self {
            profile,
            rtp: Transform::new(profile, key, Channel::Rtp)?,
            rtcp: Transform::new(profile, key, Channel::Rtcp)?,
        })
    }

    /// The profile that this leg agreed on.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Seals the plain RTP packet in `packet[..len]`, whose header with contributing sources and
    /// extension takes `header_bytes`; the sealed length. `roc` is the rollover counter: how often
    /// the sequence number of this SSRC has wrapped. The caller never seals two packets with the
    /// same SSRC, sequence number and rollover counter.
    ///
    /// # Panics
    /// If `header_bytes` is not in 12..=`len`, or `packet` has less than
    /// [`Profile::rtp_tag_bytes`] of room behind `len`.
    pub fn seal_rtp(&self, packet: &mut [u8], header_bytes: usize, len: usize, roc: u32) -> usize {
        assert!((12..=len).contains(&header_bytes), "the header lies inside of the packet");
        self.rtp.seal_rtp(packet, header_bytes, len, roc)
    }

    /// Seals the compound RTCP packet in `packet[..len]`; the sealed length. `index` has 31 bits,
    /// and the caller never uses one twice.
    ///
    /// # Panics
    /// If `len` is less than 8, `index` is 2^31 or more, or `packet` has less than
    /// [`Profile::rtcp_overhead_bytes`] of room behind `len`.
    pub fn seal_rtcp(&self, packet: &mut [u8], len: usize, index: u32) -> usize {
        assert!(index < E_FLAG, "an SRTCP index has 31 bits");
        self.rtcp.seal_rtcp(packet, len, index)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("profile", &self.profile).finish_non_exhaustive()
    }
}
