//! A person in the call, and the legs of his devices.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::input::{DeviceName, Growth};
use super::sections::Sections;
use crate::{Jid, LegId, Level, Time};

/// Why an onliner is not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mute {
    Off,
    BySelf,
    /// By whoever muted all.
    ByModerator(Jid),
    /// By the operator of the server.
    ByOperator,
}

impl Mute {
    pub const fn is_muted(&self) -> bool {
        match self {
            Mute::Off => false,
            Mute::BySelf | Mute::ByModerator(_) | Mute::ByOperator => true,
        }
    }
}

/// State of a leg's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Connecting {
        deadline: Time,
    },
    Connected,
    /// Grace: shown to others, removed at `until`.
    Lost {
        until: Time,
    },
}

/// Whether the leg's device has a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    Held,
    Lost { until: Time },
}

/// Who carries a leg's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Carrier {
    Worker,
    /// The worker is gone: what it still had to tell of the leg is not so any more.
    Gone,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onliner {
    pub who: Jid,
    pub mute: Mute,
    pub legs: Vec<Leg>,
    /// Nothing of him is recorded.
    pub no_record: bool,
    /// His mute as the facts have it.
    pub(super) noted: Mute,
    pub(super) heard: super::talk::Heard,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    pub id: LegId,
    pub device: DeviceName,
    pub useragent: Arc<str>,
    pub link: Link,
    pub socket: Socket,
    /// How loud its voice talks; `None` while it does not.
    pub talks: Option<Level>,
    pub(super) carrier: Carrier,
    pub(super) sections: Sections,
}

impl Onliner {
    pub(super) fn new(join: &super::Join, mute: Mute, leg: Leg) -> Onliner {
        Onliner {
            who: join.who.clone(),
            mute,
            legs: alloc::vec![leg],
            no_record: join.no_record,
            noted: Mute::Off,
            heard: super::talk::Heard::default(),
        }
    }

    /// How loud he talks, where he talks and may be heard.
    pub fn talks(&self) -> Option<Level> {
        let loudest = self.legs.iter().filter_map(|leg| leg.talks).min();
        loudest.filter(|_| !self.mute.is_muted())
    }

    /// The best of his legs' links: one that works is enough to be heard.
    pub fn link(&self) -> Option<Link> {
        let rank = |link: &Link| match link {
            Link::Connected => 0,
            Link::Connecting { .. } => 1,
            Link::Lost { .. } => 2,
        };
        self.legs.iter().map(|leg| leg.link).min_by_key(rank)
    }
}

impl Leg {
    /// `connect_by` is when it is removed if it never connects, `socketless_until` if no socket
    /// comes for it.
    pub(super) fn new(join: &super::Join, connect_by: Time, socketless_until: Time) -> Leg {
        Leg {
            id: join.leg,
            device: join.device.clone(),
            useragent: join.useragent.clone(),
            link: Link::Connecting { deadline: connect_by },
            socket: match join.has_socket {
                true => Socket::Held,
                false => Socket::Lost { until: socketless_until },
            },
            talks: None,
            carrier: Carrier::Worker,
            sections: match join.growth {
                Growth::ByOffer => Sections::Settled { slots: join.slots },
                Growth::Never => Sections::Fixed,
            },
        }
    }

    /// When this leg is removed if nothing more is seen of it.
    pub(super) fn deadline(&self) -> Option<Time> {
        let media = match self.link {
            Link::Connecting { deadline: until } | Link::Lost { until } => Some(until),
            Link::Connected => None,
        };
        let socket = match self.socket {
            Socket::Held => None,
            Socket::Lost { until } => Some(until),
        };
        media.into_iter().chain(socket).min()
    }
}
