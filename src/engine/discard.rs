//! Why a datagram ended here. A packet is never an error: it is forwarded, or discarded with one
//! of these, which is also the metric's label.

macro_rules! discards {
    ($($(#[$doc:meta])* $name:ident => $label:literal,)*) => {
        /// Reason why a packet was not forwarded.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Discard { $($(#[$doc])* $name,)* }

        impl Discard {
            pub const ALL: &'static [Discard] = &[$(Discard::$name,)*];

            /// The metric's label.
            pub const fn label(self) -> &'static str {
                match self { $(Discard::$name => $label,)* }
            }
        }
    };
}

discards! {
    /// First byte of no protocol we speak (RFC 7983).
    UnknownProtocol => "unknown_protocol",
    /// Media or DTLS from an address no authenticated check came from.
    UnknownAddress => "unknown_address",
    /// A connectivity check that does not authenticate.
    UnauthenticatedCheck => "unauthenticated_check",
    /// More checks a second than a leg may send.
    TooManyChecks => "too_many_checks",
    /// Media before the handshake gave keys.
    NoKeys => "no_keys",
    /// Not RTP, or lengths that contradict each other.
    Malformed => "malformed",
    /// Authentication tag does not hold.
    Unauthenticated => "unauthenticated",
    /// Seen before, or older than the replay window.
    Replayed => "replayed",
    /// More SSRCs than a leg may send.
    TooManySources => "too_many_sources",
    /// Another payload type than the negotiated Opus.
    WrongPayloadType => "wrong_payload_type",
    /// More packets a second than a voice needs.
    TooFast => "too_fast",
    /// The onliner is muted, or not (any more) permitted to speak.
    Muted => "muted",
    /// Nobody listens on any slot.
    NoListener => "no_listener",
    /// Belongs to a tenure of a slot that has ended.
    Straggler => "straggler",
    /// The handshake thread's queue is full.
    HandshakeQueueFull => "handshake_queue_full",
    /// The leg left while its packet was on the way.
    Gone => "gone",
}

impl Discard {
    /// Position in [`Discard::ALL`], for counters kept in an array.
    pub const fn index(self) -> usize {
        self as usize
    }

    pub const COUNT: usize = Discard::ALL.len();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_stands_at_its_index() {
        for (index, reason) in Discard::ALL.iter().enumerate() {
            assert_eq!(reason.index(), index);
        }
    }
}
