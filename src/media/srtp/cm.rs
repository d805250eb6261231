//! AES in counter mode with HMAC-SHA1 cut to 80 bits: RFC 3711 sections 4.1.1 and 4.2.1.

use aws_lc_rs::cipher::{AES_128, AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use zeroize::Zeroizing;

use super::kdf::{Channel, Purpose, derive};
use super::keys::{KeyError, MasterKey};
use super::transform::{
    E_FLAG, RTCP_HEADER_BYTES, RTCP_SSRC_AT, RTP_SSRC_AT, Report, index_of, sequence, word,
};
use super::{OpenError, Profile};

/// Session keys and salt of one channel. Key schedule and MAC state are the library's, which
/// erases them.
pub(super) struct Cm {
    cipher: EncryptingKey,
    mac: hmac::Key,
    salt: Zeroizing<[u8; SALT_BYTES]>,
}

impl Cm {
    /// Derives the session keys and salt of `channel`.
    pub fn derive(master: &MasterKey, channel: Channel) -> Result<Self, KeyError> {
        let key = derive::<16>(master, channel, Purpose::Encrypt)?;
        let mac = derive::<20>(master, channel, Purpose::Authenticate)?;
        let salt = derive(master, channel, Purpose::Salt)?;
        Ok(Self {
            cipher: counter_key(&key[..])?,
            mac: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &mac[..]),
            salt,
        })
    }

    pub fn seal_rtp(&self, packet: &mut [u8], header_bytes: usize, len: usize, roc: u32) -> usize {
        let block = self.rtp_block(packet, roc);
        let (sealed, tag) = packet[..len + TAG_BYTES].split_at_mut(len);
        xor_keystream(&self.cipher, block, &mut sealed[header_bytes..]);
        let mac = self.mac(sealed, roc);
        tag.copy_from_slice(&mac.as_ref()[..TAG_BYTES]);
        len + TAG_BYTES
    }

    pub fn open_rtp(
        &self,
        packet: &mut [u8],
        header_bytes: usize,
        roc: u32,
    ) -> Result<usize, OpenError> {
        let len = packet.len() - TAG_BYTES;
        let (sealed, tag) = packet.split_at_mut(len);
        check(&self.mac(sealed, roc), tag)?;
        xor_keystream(&self.cipher, self.rtp_block(sealed, roc), &mut sealed[header_bytes..]);
        Ok(len)
    }

    pub fn seal_rtcp(&self, packet: &mut [u8], len: usize, index: u32) -> usize {
        let block = self.rtcp_block(packet, index);
        let (sealed, rest) = packet[..len + 4 + TAG_BYTES].split_at_mut(len);
        xor_keystream(&self.cipher, block, &mut sealed[RTCP_HEADER_BYTES..]);
        let mac = self.mac(sealed, index | E_FLAG);
        rest[..4].copy_from_slice(&(index | E_FLAG).to_be_bytes());
        rest[4..].copy_from_slice(&mac.as_ref()[..TAG_BYTES]);
        len + 4 + TAG_BYTES
    }

    pub fn open_rtcp(&self, packet: &mut [u8]) -> Result<Report, OpenError> {
        let len = packet.len() - TAG_BYTES - 4;
        let trailer = word(packet, len);
        let index = index_of(trailer)?;
        let (sealed, rest) = packet.split_at_mut(len);
        check(&self.mac(sealed, trailer), &rest[4..])?;
        let block = self.rtcp_block(sealed, index);
        xor_keystream(&self.cipher, block, &mut sealed[RTCP_HEADER_BYTES..]);
        Ok(Report { len, index })
    }

    /// The MAC of a sealed packet and the 32 bits behind it: the rollover counter of RTP, the
    /// trailer of RTCP (RFC 3711 section 4.2).
    fn mac(&self, sealed: &[u8], behind: u32) -> hmac::Tag {
        let mut mac = hmac::Context::with_key(&self.mac);
        mac.update(sealed);
        mac.update(&behind.to_be_bytes());
        mac.sign()
    }

    fn rtp_block(&self, packet: &[u8], roc: u32) -> [u8; BLOCK_BYTES] {
        let index = u64::from(roc) << 16 | u64::from(sequence(packet));
        first_block(&self.salt, word(packet, RTP_SSRC_AT), index)
    }

    fn rtcp_block(&self, packet: &[u8], index: u32) -> [u8; BLOCK_BYTES] {
        first_block(&self.salt, word(packet, RTCP_SSRC_AT), u64::from(index))
    }
}

/// The first counter block of a packet: salt, SSRC and 48 bits of index, and 16 bits that count
/// blocks (RFC 3711 section 4.1.1).
pub(super) fn first_block(salt: &[u8; SALT_BYTES], ssrc: u32, index: u64) -> [u8; BLOCK_BYTES] {
    let mut block = (u128::from(ssrc) << 64 | u128::from(index) << 16).to_be_bytes();
    for (byte, salt) in block.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    block
}

/// A key for counter mode, of 16 or 32 bytes.
pub(super) fn counter_key(key: &[u8]) -> Result<EncryptingKey, KeyError> {
    let algorithm = if key.len() == 32 { &AES_256 } else { &AES_128 };
    let key = UnboundCipherKey::new(algorithm, key).map_err(|_| KeyError::Refused)?;
    EncryptingKey::ctr(key).map_err(|_| KeyError::Refused)
}

/// Encrypts or decrypts `data` with the keystream that starts at `block`. Does not allocate.
pub(super) fn xor_keystream(key: &EncryptingKey, block: [u8; BLOCK_BYTES], data: &mut [u8]) {
    key.less_safe_encrypt(data, EncryptionContext::Iv128(FixedLength::from(block)))
        .expect("counter mode takes any length and a block of 128 bits");
}

/// Compares in constant time.
fn check(mac: &hmac::Tag, tag: &[u8]) -> Result<(), OpenError> {
    verify_slices_are_equal(&mac.as_ref()[..TAG_BYTES], tag).map_err(|_| OpenError::Unauthenticated)
}

const BLOCK_BYTES: usize = 16;
const SALT_BYTES: usize = Profile::Aes128CmSha1_80.salt_bytes();
const TAG_BYTES: usize = Profile::Aes128CmSha1_80.rtp_tag_bytes();
