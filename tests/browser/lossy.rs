//! A line that loses packets: a relay in front of the server's media port, at an address of its
//! own and the same port. It loses voices on their way to clients, by a seed, and nothing else.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub struct Lossy {
    pub port: u16,
    /// Of a thousand packets of voice so many are lost.
    per_mille: Arc<AtomicU32>,
}

impl Lossy {
    /// Relays to `server` what comes to the same port of `ip`, until the process ends.
    pub fn start(ip: &str, server: &str) -> Self {
        let door = UdpSocket::bind((ip, 0)).expect("an address of this machine");
        let port = door.local_addr().expect("it is bound").port();
        let server = SocketAddr::new(server.parse().expect("an address"), port);
        let per_mille = Arc::new(AtomicU32::new(0));
        let lost = per_mille.clone();
        std::thread::spawn(move || relay(&door, server, &lost));
        Self { port, per_mille }
    }

    pub fn lose(&self, per_mille: u32) {
        self.per_mille.store(per_mille, Ordering::Relaxed);
    }
}

/// The server sees a port for each client, as behind a NAT.
fn relay(door: &UdpSocket, server: SocketAddr, per_mille: &Arc<AtomicU32>) {
    let mut ways: HashMap<SocketAddr, UdpSocket> = HashMap::new();
    let mut datagram = [0; 2_048];
    while let Ok((len, client)) = door.recv_from(&mut datagram) {
        let way = ways.entry(client).or_insert_with(|| {
            let way = UdpSocket::bind((server.ip(), 0)).expect("an address of this machine");
            way.connect(server).expect("a route to oneself");
            let (back, door) = (way.try_clone(), door.try_clone());
            let (back, door) = (back.expect("a descriptor"), door.expect("a descriptor"));
            let per_mille = per_mille.clone();
            std::thread::spawn(move || way_back(&back, &door, client, &per_mille));
            way
        });
        // A server that has gone is no fault of the line.
        let _ = way.send(&datagram[..len]);
    }
}

fn way_back(way: &UdpSocket, door: &UdpSocket, client: SocketAddr, per_mille: &AtomicU32) {
    let mut chance = u64::from(client.port());
    let mut datagram = [0; 2_048];
    way.set_read_timeout(Some(LIFE)).expect("a length of time");
    while let Ok(len) = way.recv(&mut datagram) {
        chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        let is_voice = matches!(datagram[..2], [128..=191, kind] if !(192..=223).contains(&kind));
        let is_lost = (chance >> 33) % 1_000 < per_mille.load(Ordering::Relaxed).into();
        if !(is_voice && is_lost) {
            let _ = door.send_to(&datagram[..len], client);
        }
    }
}

/// Longer than any test.
const LIFE: Duration = Duration::from_secs(600);
