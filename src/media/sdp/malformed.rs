//! Why a client's description is refused: the peer's fault, in words for people and a code for
//! programs. Never repeats the client's text.

use std::fmt;

/// A description that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// One over a limit of [`super::Limits`].
    #[error("the session description has more {bound} than the {limit} allowed")]
    TooLarge {
        /// What there is too much of.
        bound: Bound,
        /// How much is allowed.
        limit: usize,
    },
    /// CR, NUL, tab or the like inside a line.
    #[error("the session description has control characters inside a line")]
    ControlCharacter,
    /// Not SDP, or SDP with a value that its RFC forbids.
    #[error("the session description cannot be read")]
    Syntax,
    /// Every audio section is missing, refused or switched off.
    #[error("the session description has no audio section")]
    NoAudio,
    /// Audio, but no Opus.
    #[error("no audio section has the codec opus/48000/2")]
    NoOpus,
    /// Unencrypted or unknown transport: there is no way to carry it here.
    #[error("audio must use UDP/TLS/RTP/SAVPF or TCP/TLS/RTP/SAVPF")]
    Unencrypted,
    /// RTCP on a port of its own (RFC 5761 section 5.1.1).
    #[error("an audio section has no a=rtcp-mux")]
    NoRtcpMux,
    /// A payload type that RTCP needs under rtcp-mux (RFC 5761 section 4), or above 127.
    #[error("payload type {0} cannot be used")]
    PayloadType(u8),
    /// Of several sections one has no a=mid (RFC 9143 section 7).
    #[error("a section has no a=mid")]
    NoMid,
    /// Not 1 to 16 token characters, or the same for two sections (RFC 5888 section 4).
    #[error("an a=mid is too long, has forbidden characters, or is used twice")]
    BadMid,
    /// Ufrag or password missing, too short, too long or with forbidden characters.
    #[error("a=ice-ufrag or a=ice-pwd is missing or not well formed")]
    NoIce,
    /// Two lite agents would wait for each other for ever.
    #[error("an ICE-lite client cannot connect: the server is ICE-lite itself")]
    IceLite,
    /// None at all, or only hashes that are no longer safe.
    #[error("no a=fingerprint with sha-256, sha-384 or sha-512")]
    NoFingerprint,
    /// The digest is not hexadecimal or not as long as its hash.
    #[error("an a=fingerprint is not well formed")]
    BadFingerprint,
    /// The client will not start the DTLS handshake, and neither will we.
    #[error("a=setup must be actpass or active")]
    BadSetup,
    /// An id out of range, used twice, or with two meanings (RFC 8285 section 6, RFC 9143
    /// section 9).
    #[error("an a=extmap is not well formed or contradicts another")]
    BadExtmap,
    /// Sections of one bundle name different transports.
    #[error("bundled sections contradict each other in {0}")]
    Contradiction(Transport),
}

impl Malformed {
    /// The `code` of the answer that a client gets.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoOpus => "no_opus",
            Self::TooLarge { .. }
            | Self::ControlCharacter
            | Self::Syntax
            | Self::NoAudio
            | Self::Unencrypted
            | Self::NoRtcpMux
            | Self::PayloadType(_)
            | Self::NoMid
            | Self::BadMid
            | Self::NoIce
            | Self::IceLite
            | Self::NoFingerprint
            | Self::BadFingerprint
            | Self::BadSetup
            | Self::BadExtmap
            | Self::Contradiction(_) => "bad_sdp",
        }
    }
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Bytes of the text.
    Bytes,
    /// Lines of the text.
    Lines,
    /// Bytes of one line.
    LineBytes,
    /// m= lines.
    Sections,
    /// Formats of one m= line.
    Formats,
    /// a=extmap lines of one section.
    Extmaps,
    /// a=candidate lines of one section.
    Candidates,
    /// a=fingerprint lines of one section.
    Fingerprints,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bytes => "bytes",
            Self::Lines => "lines",
            Self::LineBytes => "bytes in a line",
            Self::Sections => "sections",
            Self::Formats => "formats in a section",
            Self::Extmaps => "header extensions in a section",
            Self::Candidates => "candidates in a section",
            Self::Fingerprints => "fingerprints in a section",
        })
    }
}

/// The transport value in which two sections differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// a=ice-ufrag or a=ice-pwd.
    Ice,
    /// a=fingerprint.
    Fingerprint,
    /// a=setup.
    Setup,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ice => "their ICE credentials",
            Self::Fingerprint => "their fingerprints",
            Self::Setup => "a=setup",
        })
    }
}
