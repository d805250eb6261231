//! Session descriptions: reads what a client offers or answers into [`Remote`], and writes ours
//! from [`Local`].
//!
//! Decides which descriptions are acceptable (audio by Opus over one bundled DTLS-SRTP transport)
//! and what ours look like. Must not know calls, slots or sockets, and never copies a line of the
//! client into an answer. Rules: RFC 8866 (SDP), 8829 (JSEP), 9143 (BUNDLE), 8839 (ICE), 8842 and
//! 8122 (DTLS), 8285 (header extensions), 5761 (RTP and RTCP on one port).

mod candidate;
mod limits;
mod malformed;
mod media;
mod parse;
mod section;
#[cfg(test)]
mod tests;
mod transport;
mod write;

pub use candidate::candidate_ok;
pub use limits::Limits;
pub use malformed::{Bound, Malformed};
pub use media::{Direction, Media, Mid, Opus, Proto};
pub use parse::{parse, parse_answer};
pub use section::Section;
pub use transport::{Fingerprint, HashAlgorithm, Setup};
pub use write::{Accepted, Body, Local, LocalSection, SlotLine, write};

/// What a client's description says, as far as it concerns a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// The client's half of the STUN user name, 4 to 256 characters (RFC 8839 section 5.4).
    pub ice_ufrag: String,
    /// The client's ICE password, 22 to 256 characters (RFC 8839 section 5.4). A lite agent sends
    /// no checks and so never needs it.
    pub ice_pwd: String,
    /// What the certificate of the client must hash to, at least one (RFC 8122 section 5).
    pub fingerprints: Vec<Fingerprint>,
    /// The client's side of the DTLS handshake (RFC 8842 section 5).
    pub setup: Setup,
    /// Every m= line, in the order in which the other side has to repeat them.
    pub sections: Vec<Section>,
    /// The client will trickle no further candidates (RFC 8838 section 8.2).
    pub end_of_candidates: bool,
    /// The client only answers checks, as we do: such a pair never connects (RFC 8445 section
    /// 6.1.1).
    pub ice_lite: bool,
}
