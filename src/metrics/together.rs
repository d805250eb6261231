//! The numbers of what leaves together: several datagrams in a message, several frames in a
//! packet.

use super::families::{Family, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Together {
    /// Messages to the kernel.
    Messages,
    /// Packets at a tick's end.
    Bundles,
    /// By the milliseconds of their packets.
    Legs(&'static str),
}

impl Together {
    pub(super) fn family(self) -> Family {
        let (kind, name, help) = match self {
            Self::Messages => (
                Kind::Counter,
                "voxhall_media_messages_total",
                "Messages that the operating system took: one may hold several datagrams.",
            ),
            Self::Bundles => (
                Kind::Counter,
                "voxhall_rtp_bundled_total",
                "Of the voice packets sent, those that hold what came within a tick.",
            ),
            Self::Legs(_) => (
                Kind::Gauge,
                "voxhall_bundled_legs",
                "Legs that hear long packets, and as much later, by milliseconds.",
            ),
        };
        Family { name, help, kind }
    }

    pub(super) fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Legs(millis) => Some(("packet_ms", millis)),
            Self::Messages | Self::Bundles => None,
        }
    }
}
