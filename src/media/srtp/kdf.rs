//! Session keys from a master key: RFC 3711 section 4.3 with a key derivation rate of 0, so they
//! are derived once. AES-256 uses the 256 bit function of RFC 6188; GCM: RFC 7714 section 11.

use zeroize::Zeroizing;

use super::cm::{counter_key, xor_keystream};
use super::keys::{KeyError, MasterKey};

/// What a session key protects.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Channel {
    Rtp,
    Rtcp,
}

/// What a session key does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Encrypt,
    Authenticate,
    Salt,
}

/// The first `N` bytes of the session key for `channel` and `purpose`.
///
/// # Errors
/// [`KeyError::Refused`] if the library refuses the master key.
pub(super) fn derive<const N: usize>(
    master: &MasterKey,
    channel: Channel,
    purpose: Purpose,
) -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut block = Zeroizing::new([0; 16]);
    block[..14].copy_from_slice(master.salt());
    block[LABEL_AT] ^= label(channel, purpose);
    let mut session = Zeroizing::new([0; N]);
    xor_keystream(&counter_key(master.key())?, *block, &mut session[..]);
    Ok(session)
}

/// RFC 3711 section 4.3.1 and 4.3.2.
const fn label(channel: Channel, purpose: Purpose) -> u8 {
    let purpose = match purpose {
        Purpose::Encrypt => 0,
        Purpose::Authenticate => 1,
        Purpose::Salt => 2,
    };
    match channel {
        Channel::Rtp => purpose,
        Channel::Rtcp => 3 + purpose,
    }
}

/// The label stands before 48 bits of index, right-aligned with the 112 bits of salt.
const LABEL_AT: usize = 7;
