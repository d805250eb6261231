//! Who a datagram belongs to: checks by our own user name fragment, everything else by an
//! address that a check has proved.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::ice::IceLite;
use super::socket::Path;

/// Who a datagram belongs to.
#[derive(Default)]
pub(super) struct Addresses {
    /// By our own user name fragment, for checks.
    ufrags: HashMap<Box<[u8]>, u32>,
    /// By proved remote address, for everything else; with the local address it came to.
    proved: HashMap<SocketAddr, (u32, IpAddr)>,
}

impl Addresses {
    pub fn name(&mut self, ufrag: &str, seat: u32) {
        self.ufrags.insert(ufrag.as_bytes().into(), seat);
    }

    pub fn unname(&mut self, ufrag: &str) {
        self.ufrags.remove(ufrag.as_bytes());
    }

    /// True where the address is new, or was another's.
    pub fn prove(&mut self, path: Path, seat: u32) -> bool {
        let entry = (seat, path.local);
        self.proved.insert(path.remote, entry) != Some(entry)
    }

    /// Takes an address back, unless another leg has proved it since.
    pub fn disprove(&mut self, remote: SocketAddr, seat: u32) {
        if self.proved.get(&remote).is_some_and(|(owner, _)| *owner == seat) {
            self.proved.remove(&remote);
        }
    }

    pub fn forget(&mut self, ice: &IceLite, seat: u32) {
        self.unname(&ice.local().ufrag);
        if let Some(former) = ice.former_ufrag() {
            self.unname(former);
        }
        for remote in ice.addresses() {
            self.disprove(remote, seat);
        }
    }

    /// The seat that proved this address.
    pub fn owner(&self, remote: SocketAddr) -> Option<u32> {
        self.proved.get(&remote).map(|(seat, _)| *seat)
    }

    /// The seat whose checks name this ufrag.
    pub fn named(&self, ufrag: &[u8]) -> Option<u32> {
        self.ufrags.get(ufrag).copied()
    }

    /// The local address to which this seat's datagrams from `remote` come.
    pub fn local_of(&self, remote: SocketAddr, seat: u32) -> Option<IpAddr> {
        let proved = self.proved.get(&remote).filter(|(owner, _)| *owner == seat);
        proved.map(|(_, local)| *local)
    }
}
