//! A core elsewhere whose people may come to this node too: an event goes to whoever has its
//! reader's socket, and to both where either may.

use std::sync::Arc;

use super::link::LinkCore;
use super::sockets::Sockets;
use super::{CallSummary, ChatCore, Deliver, To};

/// See the module's words.
pub struct Mixed {
    pub link: Arc<LinkCore>,
    pub sockets: Arc<Sockets>,
}

impl ChatCore for Mixed {
    fn deliver(&self, deliver: Deliver) {
        let Deliver { to, event } = deliver;
        let (here, there) = match to {
            To::Device(device) if self.sockets.holds(&device) => (Some(To::Device(device)), None),
            To::Device(device) => (None, Some(To::Device(device))),
            To::Devices(devices) => {
                let (here, there): (Vec<_>, Vec<_>) =
                    devices.into_iter().partition(|device| self.sockets.holds(device));
                let some = |devices: Vec<_>| (!devices.is_empty()).then_some(To::Devices(devices));
                (some(here), some(there))
            }
            // A person may have a device at either.
            to => (Some(to.clone()), Some(to)),
        };
        if let Some(to) = here {
            self.sockets.deliver(Deliver { to, event: event.clone() });
        }
        if let Some(to) = there {
            self.link.deliver(Deliver { to, event });
        }
    }

    fn call_changed(&self, summary: CallSummary) {
        self.sockets.call_changed(summary.clone());
        self.link.call_changed(summary);
    }
}
