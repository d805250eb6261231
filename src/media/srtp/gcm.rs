//! AES in Galois counter mode for SRTP and SRTCP: RFC 7714.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::kdf::{Channel, Purpose, derive};
use super::keys::{KeyError, MasterKey};
use super::transform::{
    E_FLAG, RTCP_HEADER_BYTES, RTCP_SSRC_AT, RTP_SSRC_AT, Report, index_of, sequence, word,
};
use super::{OpenError, Profile};

/// Session key and salt of one channel. The key schedule is the library's, which erases it.
pub(super) struct Gcm {
    key: SessionKey,
    salt: Zeroizing<[u8; NONCE_BYTES]>,
}

enum SessionKey {
    /// With its key schedule, 600 bytes of heap: for packets.
    Ready(LessSafeKey),
    /// As it is: a report a second is worth no key schedule that lies waiting.
    Bare(&'static Algorithm, Zeroizing<[u8; 32]>),
}

impl Gcm {
    /// Derives the session key and salt of `channel`.
    pub fn derive(
        profile: Profile,
        master: &MasterKey,
        channel: Channel,
    ) -> Result<Self, KeyError> {
        let key = derive::<32>(master, channel, Purpose::Encrypt)?;
        let salt = derive(master, channel, Purpose::Salt)?;
        Self::from_session(channel, &key[..profile.key_bytes()], salt)
    }

    /// From a session key of 16 or 32 bytes.
    pub fn from_session(
        channel: Channel,
        key: &[u8],
        salt: Zeroizing<[u8; NONCE_BYTES]>,
    ) -> Result<Self, KeyError> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        // Refused here or never.
        let ready = schedule(algorithm, key)?;
        let key = match channel {
            Channel::Rtp => SessionKey::Ready(ready),
            Channel::Rtcp => {
                let mut bare = Zeroizing::new([0; 32]);
                bare[..key.len()].copy_from_slice(key);
                SessionKey::Bare(algorithm, bare)
            }
        };
        Ok(Self { key, salt })
    }

    pub fn seal_rtp(&self, packet: &mut [u8], header_bytes: usize, len: usize, roc: u32) -> usize {
        let nonce = self.rtp_nonce(packet, roc);
        let (header, body) = packet[..len + TAG_BYTES].split_at_mut(header_bytes);
        self.seal(nonce, header, body);
        len + TAG_BYTES
    }

    pub fn open_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        roc: u32,
    ) -> Result<usize, OpenError> {
        let nonce = self.rtp_nonce(packet, roc);
        let (header, body) = packet.split_at_mut(header_bytes);
        Ok(header_bytes + self.open(nonce, header, body)?)
    }

    pub fn seal_rtcp(&self, packet: &mut [u8], len: usize, index: u32) -> usize {
        let end = len + TAG_BYTES;
        let trailer = (index | E_FLAG).to_be_bytes();
        let nonce = self.rtcp_nonce(packet, index);
        let associated = associated(packet, trailer);
        self.seal(nonce, &associated, &mut packet[RTCP_HEADER_BYTES..end]);
        packet[end..end + 4].copy_from_slice(&trailer);
        end + 4
    }

    pub fn open_rtcp(&self, packet: &mut [u8]) -> Result<Report, OpenError> {
        let end = packet.len() - 4;
        let trailer = word(packet, end);
        let index = index_of(trailer)?;
        let nonce = self.rtcp_nonce(packet, index);
        let associated = associated(packet, trailer.to_be_bytes());
        let body = &mut packet[RTCP_HEADER_BYTES..end];
        let len = RTCP_HEADER_BYTES + self.open(nonce, &associated, body)?;
        Ok(Report { len, index })
    }

    /// Encrypts `body` but for the last [`TAG_BYTES`], where the tag goes.
    fn seal(&self, nonce: Nonce, associated: &[u8], body: &mut [u8]) {
        match &self.key {
            SessionKey::Ready(key) => seal(key, nonce, associated, body),
            SessionKey::Bare(algorithm, key) => {
                seal(&made_ready(algorithm, key), nonce, associated, body);
            }
        }
    }

    /// Opens a body with the tag at its end; the plain length.
    fn open(&self, nonce: Nonce, associated: &[u8], body: &mut [u8]) -> Result<usize, OpenError> {
        match &self.key {
            SessionKey::Ready(key) => open(key, nonce, associated, body),
            SessionKey::Bare(algorithm, key) => {
                open(&made_ready(algorithm, key), nonce, associated, body)
            }
        }
    }

    /// RFC 7714 section 8.1: two zeros, SSRC, rollover counter, sequence number, and the salt.
    fn rtp_nonce(&self, packet: &[u8], roc: u32) -> Nonce {
        let low = u64::from(roc) << 16 | u64::from(sequence(packet));
        self.nonce(word(packet, RTP_SSRC_AT), low)
    }

    /// RFC 7714 section 9.1: two zeros, SSRC, two zeros, index, and the salt.
    fn rtcp_nonce(&self, packet: &[u8], index: u32) -> Nonce {
        self.nonce(word(packet, RTCP_SSRC_AT), u64::from(index))
    }

    /// The SSRC and 48 bits of index, under the salt.
    fn nonce(&self, ssrc: u32, index: u64) -> Nonce {
        let counted = u128::from(ssrc) << 48 | u128::from(index);
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&counted.to_be_bytes()[4..]);
        for (byte, salt) in nonce.iter_mut().zip(&*self.salt) {
            *byte ^= salt;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

/// Inlined, as `open`: a call of its own costs each packet 17 instructions.
#[inline(always)]
fn seal(key: &LessSafeKey, nonce: Nonce, associated: &[u8], body: &mut [u8]) {
    let (plain, tag) = body.split_at_mut(body.len() - TAG_BYTES);
    key.seal_in_place_scatter(nonce, Aad::from(associated), plain, &[], tag)
        .expect("a packet is below GCM's limit of 64 GiB, and the tag has its length");
}

#[inline(always)]
fn open(
    key: &LessSafeKey,
    nonce: Nonce,
    associated: &[u8],
    body: &mut [u8],
) -> Result<usize, OpenError> {
    match key.open_in_place(nonce, Aad::from(associated), body) {
        Ok(plain) => Ok(plain.len()),
        Err(_) => Err(OpenError::Unauthenticated),
    }
}

#[cold]
fn made_ready(algorithm: &'static Algorithm, key: &[u8; 32]) -> LessSafeKey {
    schedule(algorithm, &key[..algorithm.key_len()]).expect("it was taken when it was derived")
}

fn schedule(algorithm: &'static Algorithm, key: &[u8]) -> Result<LessSafeKey, KeyError> {
    let key = UnboundKey::new(algorithm, key).map_err(|_| KeyError::Refused)?;
    Ok(LessSafeKey::new(key))
}

/// What SRTCP authenticates in the clear: the first header, the SSRC and the trailer
/// (RFC 7714 section 9.2).
fn associated(packet: &[u8], trailer: [u8; 4]) -> [u8; RTCP_HEADER_BYTES + 4] {
    let mut associated = [0; RTCP_HEADER_BYTES + 4];
    associated[..RTCP_HEADER_BYTES].copy_from_slice(&packet[..RTCP_HEADER_BYTES]);
    associated[RTCP_HEADER_BYTES..].copy_from_slice(&trailer);
    associated
}

const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = Profile::AeadAes128Gcm.rtp_tag_bytes();
