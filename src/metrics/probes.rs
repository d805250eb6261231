//! What is counted of the calls that the node places to itself.

use super::families::{Family, Kind};

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// By how far they came.
    Calls(&'static str),
    /// In a row, until now.
    Failures,
}

impl Probe {
    /// Name, help and kind.
    pub fn family(self) -> Family {
        use Kind::{Counter, Gauge};
        let (kind, name, help) = match self {
            Self::Calls(_) => (
                Counter,
                "voxhall_probe_calls_total",
                "Calls that the node placed to itself, by result: heard, or the stage that failed. \
                 Their packets are in voxhall_rtp_*, their legs and handshakes in no other number.",
            ),
            Self::Failures => (
                Gauge,
                "voxhall_probe_failures",
                "Calls to itself that failed in a row until now: from 2 on /readyz is 503.",
            ),
        };
        Family { name, help, kind }
    }

    /// The label's name and value.
    pub fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Calls(result) => Some(("result", result)),
            Self::Failures => None,
        }
    }
}
