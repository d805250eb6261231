//! DTLS handshakes (RFC 5763, RFC 5764) on a thread of their own: one ECDSA cannot be split by a
//! budget, and nobody's audio shall wait for another's signature. The only file that names
//! `dimpl`.
//!
//! The client is active, we are passive. Only datagrams from paths that an authenticated check
//! proved come here. Keys leave only after the peer's certificate matched the description's
//! fingerprint; a handshake that fails before that begins anew, so that a forged flight cannot
//! end a call (the ClientHello race).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use dimpl::{Config, Dtls, DtlsCertificate, Output, SecurityError, SrtpProfile};

use super::sdp::Fingerprint;
use super::socket::{Path, UdpSocket};
use super::srtp::{Keys, Profile};
use crate::threads;

#[cfg(test)]
mod tests;

/// Datagrams waiting for the thread; beyond that they are dropped and the peer resends.
const QUEUE: usize = 4_096;

/// A handshake that takes longer is over.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Failed attempts before a leg is given up.
const ATTEMPTS: u32 = 5;

/// Largest record we send, in bytes: below every path's MTU.
const MTU: usize = 1_200;

/// Our certificate: ECDSA P-256, made at start, its key never on disk.
#[derive(Clone)]
pub struct Identity {
    certificate: DtlsCertificate,
    config: Arc<Config>,
}

/// Names a leg between the worker and the thread: the number of its `LegId`.
pub type HandshakeKey = u64;

/// What the thread tells the worker.
pub enum Outcome {
    /// The peer is who its description says, and these are the keys.
    /// `fingerprint` is that of the certificate it showed: `sha-256 AA:BB:..`.
    Keys { key: HandshakeKey, profile: Profile, keys: Box<Keys>, fingerprint: String },
    /// No keys will come.
    Failed { key: HandshakeKey, reason: Failure },
    /// The peer closed the connection (close_notify).
    Closed { key: HandshakeKey },
}

/// Why a handshake gave no keys; the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    Timeout,
    Protocol,
    WrongFingerprint,
    NoSrtpProfile,
}

impl Failure {
    pub const fn label(self) -> &'static str {
        match self {
            Failure::Timeout => "timeout",
            Failure::Protocol => "protocol",
            Failure::WrongFingerprint => "wrong_fingerprint",
            Failure::NoSrtpProfile => "no_srtp_profile",
        }
    }
}

/// The worker's end of the thread. Dropping it ends the thread.
pub struct Handshakes {
    queue: SyncSender<Order>,
}

enum Order {
    Open { key: HandshakeKey, fingerprints: Vec<Fingerprint> },
    Datagram { key: HandshakeKey, path: Path, bytes: Box<[u8]> },
    Close { key: HandshakeKey },
}

/// Making the certificate failed.
#[derive(Debug, thiserror::Error)]
#[error("no DTLS certificate: {0}")]
pub struct NoIdentity(String);

impl Identity {
    /// # Errors
    /// Where the machine gives no randomness.
    pub fn generate() -> Result<Identity, NoIdentity> {
        let certificate = dimpl::certificate::generate_self_signed_certificate()
            .map_err(|error| NoIdentity(error.to_string()))?;
        let config = Config::builder()
            .mtu(MTU)
            .use_server_cookie(false)
            .require_client_certificate(true)
            .handshake_timeout(HANDSHAKE_TIMEOUT)
            .build()
            .map_err(|error| NoIdentity(error.to_string()))?;
        Ok(Identity { certificate, config: Arc::new(config) })
    }

    /// As the description says it: `sha-256 AA:BB:..`.
    pub fn fingerprint(&self) -> String {
        format!("sha-256 {}", self.certificate.fingerprint_str())
    }
}

impl Handshakes {
    /// Starts the thread; `tell` is called on it with every outcome.
    ///
    /// # Errors
    /// The machine has no thread left.
    pub fn start(
        name: String,
        identity: Identity,
        socket: Arc<UdpSocket>,
        tell: impl Fn(Outcome) + Send + 'static,
    ) -> std::io::Result<Handshakes> {
        let (queue, orders) = sync_channel(QUEUE);
        let thread = Thread { identity, socket, tell, peers: HashMap::new(), due: BTreeSet::new() };
        std::thread::Builder::new().name(name).spawn(move || thread.run(&orders))?;
        Ok(Handshakes { queue })
    }

    /// False where the queue is full: the leg's datagrams will find no peer, and the client
    /// tries again by a new offer.
    pub fn open(&self, key: HandshakeKey, fingerprints: Vec<Fingerprint>) -> bool {
        self.order(Order::Open { key, fingerprints })
    }

    /// False where the queue is full and the datagram was dropped.
    pub fn datagram(&self, key: HandshakeKey, path: Path, bytes: &[u8]) -> bool {
        self.order(Order::Datagram { key, path, bytes: bytes.into() })
    }

    pub fn close(&self, key: HandshakeKey) -> bool {
        self.order(Order::Close { key })
    }

    fn order(&self, order: Order) -> bool {
        match self.queue.try_send(order) {
            Ok(()) => true,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => false,
        }
    }
}

struct Thread<T> {
    identity: Identity,
    socket: Arc<UdpSocket>,
    tell: T,
    peers: HashMap<HandshakeKey, Box<Peer>>,
    /// Deadlines in order; a peer's present one stands in it.
    due: BTreeSet<(Instant, HandshakeKey)>,
}

struct Peer {
    dtls: Dtls,
    stage: Stage,
    fingerprints: Vec<Fingerprint>,
    /// Of the certificate that matched, as a description would say it.
    certificate: String,
    path: Option<Path>,
    due: Option<Instant>,
}

/// How far a peer's handshake is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Handshaking {
        attempts: u32,
    },
    /// The certificate matched; keys may leave.
    Verified {
        attempts: u32,
    },
    Connected,
}

/// What one round of output said.
enum Said {
    Nothing,
    Keys(Profile, Box<Keys>),
    Failed(Failure),
    Closed,
}

impl<T: Fn(Outcome)> Thread<T> {
    fn run(mut self, orders: &Receiver<Order>) {
        threads::stand_back();
        let mut buffer = vec![0; 2_048];
        loop {
            let now = Instant::now();
            let wait = self.due.first().map(|(at, _)| at.saturating_duration_since(now));
            match orders.recv_timeout(wait.unwrap_or(Duration::from_secs(3_600))) {
                Ok(order) => self.handle(order, &mut buffer),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            self.handle_timeouts(Instant::now(), &mut buffer);
        }
    }

    fn handle(&mut self, order: Order, buffer: &mut Vec<u8>) {
        match order {
            Order::Open { key, fingerprints } => {
                let peer = Peer::new(self.identity.server(Instant::now()), fingerprints);
                self.peers.insert(key, Box::new(peer));
            }
            Order::Datagram { key, path, bytes } => {
                let Some(peer) = self.peers.get_mut(&key) else { return };
                peer.path = Some(path);
                let failed = peer.feed(Instant::now(), &bytes).err();
                self.drain(key, failed, buffer);
            }
            Order::Close { key } => self.close(key, buffer),
        }
    }

    fn handle_timeouts(&mut self, now: Instant, buffer: &mut Vec<u8>) {
        while let Some((at, key)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, key));
            let Some(peer) = self.peers.get_mut(&key) else { continue };
            peer.due = None;
            let failed = peer.dtls.handle_timeout(now).err();
            self.drain(key, failed, buffer);
        }
    }

    /// Sends what the peer has to send, tells what it has to tell.
    fn drain(&mut self, key: HandshakeKey, failed: Option<dimpl::Error>, buffer: &mut Vec<u8>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let before = peer.due.take();
        let said = match failed {
            Some(error) => Said::Failed(Failure::of(&error)),
            None => {
                let (path, socket) = (peer.path, &self.socket);
                peer.drain(buffer, |packet| {
                    if let Some(path) = path {
                        // Lost like any datagram: the flight's timer sends it again.
                        let _ = socket.send(packet, path);
                    }
                })
            }
        };
        if let Some(at) = before {
            self.due.remove(&(at, key));
        }
        match said {
            Said::Nothing => {}
            Said::Keys(profile, keys) => {
                let fingerprint = peer.certificate.clone();
                (self.tell)(Outcome::Keys { key, profile, keys, fingerprint });
            }
            Said::Closed => {
                (self.tell)(Outcome::Closed { key });
                self.peers.remove(&key);
                return;
            }
            Said::Failed(reason) => {
                if peer.is_given_up(reason) {
                    let stage = peer.stage;
                    self.peers.remove(&key);
                    if stage != Stage::Connected {
                        (self.tell)(Outcome::Failed { key, reason });
                    }
                    return;
                }
                peer.dtls = self.identity.server(Instant::now());
            }
        }
        if let Some(at) = self.peers.get(&key).and_then(|peer| peer.due) {
            self.due.insert((at, key));
        }
    }

    fn close(&mut self, key: HandshakeKey, buffer: &mut [u8]) {
        let Some(mut peer) = self.peers.remove(&key) else { return };
        if let Some(at) = peer.due {
            self.due.remove(&(at, key));
        }
        // A close_notify is a courtesy: the client's socket tells it the same.
        if peer.stage == Stage::Connected && peer.dtls.close().is_ok() {
            while let Output::Packet(packet) = peer.dtls.poll_output(buffer) {
                if let Some(path) = peer.path {
                    let _ = self.socket.send(packet, path);
                }
            }
        }
    }
}

impl Peer {
    fn new(dtls: Dtls, fingerprints: Vec<Fingerprint>) -> Peer {
        let stage = Stage::Handshaking { attempts: 1 };
        let certificate = String::new();
        Peer { dtls, stage, fingerprints, certificate, path: None, due: None }
    }

    fn feed(&mut self, now: Instant, datagram: &[u8]) -> Result<(), dimpl::Error> {
        self.dtls.handle_timeout(now)?;
        match self.dtls.handle_packet(datagram) {
            // Before the keys nothing says who sent it: whoever can forge the address could end a
            // handshake with one datagram. dimpl refuses it before it changes anything.
            Err(dimpl::Error::SecurityError(SecurityError::FatalAlert { .. }))
                if self.stage != Stage::Connected =>
            {
                Ok(())
            }
            fed => fed,
        }
    }

    fn drain(&mut self, buffer: &mut Vec<u8>, mut send: impl FnMut(&[u8])) -> Said {
        let mut said = Said::Nothing;
        loop {
            match self.dtls.poll_output(buffer) {
                Output::Packet(packet) => send(packet),
                Output::BufferTooSmall { needed } => buffer.resize(needed, 0),
                Output::Timeout(at) => {
                    self.due = Some(at);
                    return said;
                }
                Output::PeerCert(der) => {
                    if !self.fingerprints.iter().any(|known| known.is_of(der)) {
                        return Said::Failed(Failure::WrongFingerprint);
                    }
                    self.certificate = Fingerprint::sha256_of(der).to_string();
                    if let Stage::Handshaking { attempts } = self.stage {
                        self.stage = Stage::Verified { attempts };
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    said = match (self.stage, profile_of(profile)) {
                        (Stage::Verified { .. }, Some(profile)) => {
                            match Keys::from_exporter_as_server(profile, &material) {
                                Some(keys) => Said::Keys(profile, Box::new(keys)),
                                None => return Said::Failed(Failure::NoSrtpProfile),
                            }
                        }
                        (Stage::Verified { .. }, None) => {
                            return Said::Failed(Failure::NoSrtpProfile);
                        }
                        (Stage::Handshaking { .. } | Stage::Connected, _) => {
                            return Said::Failed(Failure::WrongFingerprint);
                        }
                    };
                    self.stage = Stage::Connected;
                }
                Output::CloseNotify => return Said::Closed,
                // No data channels: what a peer sends there is for nobody.
                Output::Connected | Output::ApplicationData(_) => {}
                _ => {}
            }
        }
    }

    /// Whether this failure ends the leg's handshakes; else the next attempt begins.
    fn is_given_up(&mut self, reason: Failure) -> bool {
        match self.stage {
            Stage::Connected => true,
            Stage::Handshaking { attempts } | Stage::Verified { attempts } => {
                self.stage = Stage::Handshaking { attempts: attempts + 1 };
                attempts >= ATTEMPTS || reason == Failure::Timeout
            }
        }
    }
}

impl Identity {
    /// DTLS 1.2: there dimpl picks the SRTP profile by our order, GCM first. In 1.3 it takes the
    /// client's first, and Chromium's first is AES_CM_128_HMAC_SHA1_80.
    fn server(&self, now: Instant) -> Dtls {
        Dtls::new_12(self.config.clone(), self.certificate.clone(), now)
    }
}

impl Failure {
    fn of(error: &dimpl::Error) -> Failure {
        match error {
            dimpl::Error::Timeout(_) => Failure::Timeout,
            _ => Failure::Protocol,
        }
    }
}

fn profile_of(profile: SrtpProfile) -> Option<Profile> {
    match profile {
        SrtpProfile::AEAD_AES_256_GCM => Some(Profile::AeadAes256Gcm),
        SrtpProfile::AEAD_AES_128_GCM => Some(Profile::AeadAes128Gcm),
        SrtpProfile::AES128_CM_SHA1_80 => Some(Profile::Aes128CmSha1_80),
        _ => None,
    }
}
