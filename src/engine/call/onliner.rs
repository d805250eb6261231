//! A person in the call, and the legs of his devices.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::input::{DeviceName, Growth};
use super::sections::Sections;
use crate::{Jid, LegId, Time};

/// Why an onliner is not heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mute {
    Off,
    BySelf,
    ByModerator,
}

impl Mute {
    pub const fn is_muted(self) -> bool {
        match self {
            Mute::Off => false,
            Mute::BySelf | Mute::ByModerator => true,
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Onliner {
    pub who: Jid,
    pub mute: Mute,
    pub legs: Vec<Leg>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leg {
    pub id: LegId,
    pub device: DeviceName,
    pub useragent: Arc<str>,
    pub link: Link,
    pub socket: Socket,
    pub(super) sections: Sections,
}

impl Onliner {
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
    pub(super) fn new(join: &super::Join, deadline: Time) -> Leg {
        Leg {
            id: join.leg,
            device: join.device.clone(),
            useragent: join.useragent.clone(),
            link: Link::Connecting { deadline },
            socket: Socket::Held,
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
