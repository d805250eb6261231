//! Master keys: what DTLS agreed on, for both directions. Erased on drop, never printed.

use std::fmt;

use zeroize::Zeroizing;

use super::Profile;

/// A master key with its salt, for one direction of one leg. Both are zeroed on drop.
pub struct MasterKey {
    profile: Profile,
    /// The first `profile.key_bytes()` count.
    key: Zeroizing<[u8; KEY_BYTES_MAX]>,
    /// A 96 bit salt is followed by two zeros: the form that key derivation wants
    /// (RFC 7714 section 11).
    salt: Zeroizing<[u8; SALT_BYTES_MAX]>,
}

/// The master keys of a leg as we see them.
#[derive(Debug)]
pub struct Keys {
    /// Opens what the peer sealed.
    pub inbound: MasterKey,
    /// Seals what the peer opens.
    pub outbound: MasterKey,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not as long as the profile says.
    #[error("{key} bytes of key and {salt} of salt do not fit the profile {}", profile.label())]
    Length {
        /// The profile that was asked for.
        profile: Profile,
        /// Bytes of key that were given.
        key: usize,
        /// Bytes of salt that were given.
        salt: usize,
    },
    /// The key was made for another profile.
    #[error("key for {} used with {}", made_for.label(), used_with.label())]
    Profile {
        /// The profile that the key was made for.
        made_for: Profile,
        /// The profile that it was used with.
        used_with: Profile,
    },
    /// The cryptographic library refused the key: out of memory, or a fault in it.
    #[error("key refused by the cryptographic library")]
    Refused,
}

impl MasterKey {
    /// A master key from its bytes.
    ///
    /// # Errors
    /// [`KeyError::Length`] if key or salt are not as long as the profile says.
    pub fn new(profile: Profile, key: &[u8], salt: &[u8]) -> Result<Self, KeyError> {
        if (key.len(), salt.len()) != (profile.key_bytes(), profile.salt_bytes()) {
            return Err(KeyError::Length { profile, key: key.len(), salt: salt.len() });
        }
        let mut master = Self {
            profile,
            key: Zeroizing::new([0; KEY_BYTES_MAX]),
            salt: Zeroizing::new([0; SALT_BYTES_MAX]),
        };
        master.key[..key.len()].copy_from_slice(key);
        master.salt[..salt.len()].copy_from_slice(salt);
        Ok(master)
    }

    /// Says whether the key was made for `profile`.
    pub(super) fn check(&self, profile: Profile) -> Result<(), KeyError> {
        if self.profile != profile {
            return Err(KeyError::Profile { made_for: self.profile, used_with: profile });
        }
        Ok(())
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key[..self.profile.key_bytes()]
    }

    /// The salt, 112 bits, padded with zeros on the right.
    pub(super) fn salt(&self) -> &[u8; SALT_BYTES_MAX] {
        &self.salt
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("profile", &self.profile).finish_non_exhaustive()
    }
}

impl Keys {
    /// Splits exported keying material on the side that was the DTLS server; `None` unless it is
    /// [`Profile::exporter_bytes`] long.
    pub fn from_exporter_as_server(profile: Profile, material: &[u8]) -> Option<Self> {
        let (client, server) = split(profile, material)?;
        Some(Self { inbound: client, outbound: server })
    }

    /// Splits exported keying material on the side that was the DTLS client; `None` unless it is
    /// [`Profile::exporter_bytes`] long.
    pub fn from_exporter_as_client(profile: Profile, material: &[u8]) -> Option<Self> {
        let (client, server) = split(profile, material)?;
        Some(Self { inbound: server, outbound: client })
    }
}

/// The client's and the server's write keys. Order of the material: client key, server key,
/// client salt, server salt (RFC 5764 section 4.2).
fn split(profile: Profile, material: &[u8]) -> Option<(MasterKey, MasterKey)> {
    let (keys, salts) = material.split_at_checked(2 * profile.key_bytes())?;
    let (client_key, server_key) = keys.split_at(profile.key_bytes());
    let (client_salt, server_salt) = salts.split_at_checked(profile.salt_bytes())?;
    let client = MasterKey::new(profile, client_key, client_salt).ok()?;
    let server = MasterKey::new(profile, server_key, server_salt).ok()?;
    Some((client, server))
}

/// AES-256.
const KEY_BYTES_MAX: usize = 32;
/// 112 bits: RFC 3711 section 4.3.
const SALT_BYTES_MAX: usize = 14;
