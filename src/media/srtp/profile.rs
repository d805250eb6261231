//! The protection profiles we speak, and their sizes in bytes.

/// A DTLS-SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// AES counter mode with HMAC-SHA1 cut to 80 bits (RFC 3711 section 4).
    Aes128CmSha1_80,
    /// AES-128 in Galois counter mode, 128 bit tag (RFC 7714).
    AeadAes128Gcm,
    /// AES-256 in Galois counter mode, 128 bit tag (RFC 7714).
    AeadAes256Gcm,
}

impl Profile {
    /// Every profile, the strongest first.
    pub const ALL: [Self; 3] = [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::Aes128CmSha1_80];

    /// Length of the master key in bytes; the session key is as long.
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 | Self::AeadAes128Gcm => 16,
            Self::AeadAes256Gcm => 32,
        }
    }

    /// Length of the master salt in bytes; the session salt is as long.
    pub const fn salt_bytes(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 14,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 12,
        }
    }

    /// What sealing adds behind an RTP packet, in bytes: the authentication tag.
    pub const fn rtp_tag_bytes(self) -> usize {
        match self {
            Self::Aes128CmSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// What sealing adds behind an RTCP packet, in bytes: the tag, and 4 for E flag and index.
    pub const fn rtcp_overhead_bytes(self) -> usize {
        self.rtp_tag_bytes() + 4
    }

    /// Bytes to ask of the DTLS exporter: two keys and two salts (RFC 5764 section 4.2).
    pub const fn exporter_bytes(self) -> usize {
        2 * (self.key_bytes() + self.salt_bytes())
    }

    /// The profile's name as a metric's label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Aes128CmSha1_80 => "aes_cm_128_hmac_sha1_80",
            Self::AeadAes128Gcm => "aead_aes_128_gcm",
            Self::AeadAes256Gcm => "aead_aes_256_gcm",
        }
    }
}
