//! What is counted at the doors: connections, and what was turned away before anybody acted on it.

use super::families::{Family, Kind};

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    Connections,
    /// By why.
    Turned(&'static str),
}

impl Door {
    /// Name, help and kind.
    pub fn family(self) -> Family {
        let (kind, name, help) = match self {
            Self::Connections => (
                Kind::Gauge,
                "voxhall_connections",
                "Connections to the listener, sockets among them.",
            ),
            Self::Turned(_) => (
                Kind::Counter,
                "voxhall_turned_away_total",
                "Connections and requests that a limit turned away, by which.",
            ),
        };
        Family { name, help, kind }
    }

    pub fn label(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Connections => None,
            Self::Turned(why) => Some(("limit", why)),
        }
    }
}
