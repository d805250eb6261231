//! What is counted of the link to the chat core and of the facts that wait for it.

use super::families::{Family, Kind};

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Post {
    /// 1 while there is a link.
    Linked,
    Links,
    Waiting,
    Dropped,
    FactsWaiting,
    FactsKept,
    FactsCollapsed,
    FactsLost,
}

impl Post {
    /// Name, help and kind.
    pub fn family(self) -> Family {
        use Kind::{Counter, Gauge};
        let (kind, name, help) = match self {
            Self::Linked => {
                (Gauge, "voxhall_core_links", "Links to the chat core that are open: 1 or 0.")
            }
            Self::Links => (
                Counter,
                "voxhall_core_links_opened_total",
                "Links to the chat core that were opened: more than one a start is a cut.",
            ),
            Self::Waiting => (
                Gauge,
                "voxhall_core_waiting_messages",
                "Messages that the chat core has not acknowledged.",
            ),
            Self::Dropped => (
                Counter,
                "voxhall_core_dropped_messages_total",
                "Messages to a chat core that was away for so long that they found no room.",
            ),
            Self::FactsWaiting => (
                Gauge,
                "voxhall_waiting_facts",
                "Facts on the disk that the chat core has not acknowledged.",
            ),
            Self::FactsKept => {
                (Counter, "voxhall_facts_total", "Facts that were written to the disk.")
            }
            Self::FactsCollapsed => (
                Counter,
                "voxhall_facts_collapsed_total",
                "Facts of finished calls, dropped for their summary as the outbox was full.",
            ),
            Self::FactsLost => (
                Counter,
                "voxhall_facts_lost_total",
                "Facts for which the outbox had no room or no disk: look at both.",
            ),
        };
        Family { name, help, kind }
    }
}
