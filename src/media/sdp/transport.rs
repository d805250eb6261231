//! The transport of a section: ICE credentials, certificate fingerprints, the side in DTLS.
//! Knows one section at a time; that bundled sections agree is checked in `parse.rs`.

use std::fmt;

use aws_lc_rs::digest;

use super::limits::within;
use super::section::Attributes;
use super::{Bound, Malformed};

/// Who starts the DTLS handshake (RFC 8842 section 5, RFC 4145 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// The writer starts it.
    Active,
    /// The writer waits for it.
    Passive,
    /// Offers only: the other side may choose.
    Actpass,
}

impl Setup {
    /// The attribute's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::Actpass => "actpass",
        }
    }
}

/// Hash functions that still prove a certificate (RFC 8122 section 5, without sha-1 and md5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// What every browser uses.
    Sha256,
    /// Written by aiortc beside sha-256.
    Sha384,
    /// Written by aiortc beside sha-256.
    Sha512,
}

impl HashAlgorithm {
    fn named(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// The name in a=fingerprint.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    /// Bytes of its digest.
    pub fn digest_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }
}

/// What a certificate must hash to (RFC 8122 section 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash function over the certificate's DER.
    pub algorithm: HashAlgorithm,
    /// Its result, exactly [`HashAlgorithm::digest_bytes`] long.
    pub digest: Vec<u8>,
}

impl Fingerprint {
    /// `None` for a hash that is not accepted: a client may list it beside a better one.
    fn read(value: &str) -> Result<Option<Self>, Malformed> {
        let (name, hex) = value.split_once(' ').ok_or(Malformed::BadFingerprint)?;
        let Some(algorithm) = HashAlgorithm::named(name) else {
            return Ok(None);
        };
        let digest: Option<Vec<u8>> = hex.split(':').map(hex_byte).collect();
        match digest {
            Some(digest) if digest.len() == algorithm.digest_bytes() => {
                Ok(Some(Self { algorithm, digest }))
            }
            Some(_) | None => Err(Malformed::BadFingerprint),
        }
    }
}

impl Fingerprint {
    /// A certificate's (DER).
    pub(in crate::media) fn sha256_of(der: &[u8]) -> Fingerprint {
        let digest = digest::digest(&digest::SHA256, der).as_ref().to_vec();
        Fingerprint { algorithm: HashAlgorithm::Sha256, digest }
    }

    /// Whether a certificate (DER) has this fingerprint.
    pub(in crate::media) fn is_of(&self, der: &[u8]) -> bool {
        let algorithm = match self.algorithm {
            HashAlgorithm::Sha256 => &digest::SHA256,
            HashAlgorithm::Sha384 => &digest::SHA384,
            HashAlgorithm::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, der).as_ref() == self.digest.as_slice()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.algorithm.as_str())?;
        for (index, byte) in self.digest.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { ' ' } else { ':' })?;
        }
        Ok(())
    }
}

/// What one section says of its transport; a bundled one may leave out what the first one says.
pub(super) struct Transport {
    pub(super) ice_ufrag: Option<String>,
    pub(super) ice_pwd: Option<String>,
    pub(super) fingerprints: Vec<Fingerprint>,
    pub(super) setup: Option<Setup>,
}

impl Transport {
    pub(super) fn read(attributes: &Attributes<'_>) -> Result<Self, Malformed> {
        let ice = |key, shortest: usize| match attributes.inherited(key) {
            None => Ok(None),
            Some(value) if is_ice_text(value, shortest, ICE_TEXT_MAX) => Ok(Some(value.to_owned())),
            Some(_) => Err(Malformed::NoIce),
        };
        let setup = match attributes.inherited("setup") {
            None => None,
            Some("active") => Some(Setup::Active),
            Some("passive") => Some(Setup::Passive),
            Some("actpass") => Some(Setup::Actpass),
            Some(_) => return Err(Malformed::BadSetup),
        };
        let mut fingerprints = Vec::new();
        for (index, value) in attributes.all_inherited("fingerprint").enumerate() {
            within(Bound::Fingerprints, index + 1, FINGERPRINTS_MAX)?;
            fingerprints.extend(Fingerprint::read(value)?);
        }
        Ok(Self {
            ice_ufrag: ice("ice-ufrag", UFRAG_MIN)?,
            ice_pwd: ice("ice-pwd", PWD_MIN)?,
            fingerprints,
            setup,
        })
    }
}

/// `ice-char` of RFC 8839 section 5.1, within these lengths.
pub(super) fn is_ice_text(text: &str, shortest: usize, longest: usize) -> bool {
    let is_ice_char = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    (shortest..=longest).contains(&text.len()) && text.bytes().all(is_ice_char)
}

fn hex_byte(pair: &str) -> Option<u8> {
    let is_pair = pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_pair.then(|| u8::from_str_radix(pair, 16).ok()).flatten()
}

/// RFC 8839 section 5.4: 24 random bits.
const UFRAG_MIN: usize = 4;
/// RFC 8839 section 5.4: 128 random bits.
const PWD_MIN: usize = 22;
/// RFC 8839 section 5.4.
const ICE_TEXT_MAX: usize = 256;
/// aiortc writes three, one a hash; more than a few is nobody's need.
const FINGERPRINTS_MAX: usize = 8;
