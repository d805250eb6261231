//! SRTP and SRTCP (RFC 3711, RFC 7714): seals what a leg is sent, opens what it sends.
//! Decides what is authentic and what is fresh. Knows no sockets, no calls and no clock; the
//! rollover counter and the SRTCP index of what is sent are the caller's.
//! Order on the way in: authenticate, then replay window, then state. So forged packets cost one
//! check each and leave nothing behind.

mod cm;
mod gcm;
mod header;
mod kdf;
mod keys;
mod open;
mod profile;
mod seal;
mod streams;
mod transform;
mod window;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use keys::{KeyError, Keys, MasterKey};
pub use open::{OpenError, Opened, Opener};
pub use profile::Profile;
pub use seal::Sealer;
pub use streams::SSRCS_MAX;
pub use window::WINDOW_PACKETS;
