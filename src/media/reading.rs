//! How the legs of a call are doing, as their worker sees it: for "why can't I hear".

use std::net::SocketAddr;
use std::time::Duration;

use engine::{LegId, Level};

use super::CallNo;
use super::worker::Worker;

/// One leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegReading {
    pub leg: LegId,
    /// Whether the client offers a voice at all.
    pub sends: bool,
    pub talks: bool,
    /// Of the newest packet; `None` where none came lately.
    pub level: Option<Level>,
    /// Voice packets that came, and how long ago the last one did.
    pub packets_in: u64,
    pub last_packet: Option<Duration>,
    /// Of its voice, lost on the way here since the last report, in 256ths.
    pub lost_in: u8,
    /// Our address and the peer's, once a check has proved them.
    pub path: Option<(SocketAddr, SocketAddr)>,
    /// How long packets it hears, where those are longer than they came: so much later it may
    /// hear.
    pub bundled: Option<Duration>,
    pub slots: Vec<SlotReading>,
}

/// One section in which the leg hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotReading {
    pub heard: Option<LegId>,
    pub packets_out: u32,
    /// What the listener last reported lost, in 256ths.
    pub lost_there: u8,
}

impl Worker {
    /// Every leg of the call, in the order they came; nothing for a call that is not here.
    pub fn read_legs(&self, call: CallNo) -> Vec<LegReading> {
        let Some(routes) = self.calls.get(&call) else { return Vec::new() };
        let (now, span) = (self.clock.now().time, self.bundling.span(call));
        let reading = |(id, seat): (LegId, u32)| {
            let leg = self.seats.at(seat)?;
            let heard = routes.slots(id).into_iter().chain(std::iter::repeat(None));
            let slots = leg.slots.iter().zip(heard).map(|(slot, heard)| SlotReading {
                heard,
                packets_out: slot.stream.packets(),
                lost_there: slot.lost_there,
            });
            let remote = leg.ice.path();
            let port = self.socket.port().unwrap_or_default();
            let path = remote.and_then(|remote| {
                Some((SocketAddr::new(self.addresses.local_of(remote, seat)?, port), remote))
            });
            let voice = leg.source.voice.as_ref().map(|(_, reception)| reception);
            let talking = routes.talking(id);
            Some(LegReading {
                leg: id,
                sends: leg.source.spec.is_some(),
                talks: talking.is_some_and(|talking| talking.is_talking()),
                level: talking.and_then(|talking| talking.level(now)),
                packets_in: leg.source.packets,
                last_packet: voice.map(|_| now.since(leg.source.heard_at)),
                lost_in: voice.map_or(0, |voice| voice.lost_lately()),
                path,
                bundled: span.filter(|_| routes.is_bundled(id)),
                slots: slots.collect(),
            })
        };
        routes.seats().filter_map(reading).collect()
    }
}
