//! A worker's place: what outlives its thread, and how another worker takes its place.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Waker};

use super::addresses::Addresses;
use super::bundles::Bundling;
use super::departing::{Departing, Extra};
use super::dtls::{Handshakes, Identity, NoIdentity};
use super::mailbox::Mailbox;
use super::meter::Meter;
use super::outbox::Outbox;
use super::seats::Seats;
use super::socket::UdpSocket;
use super::stats::Stats;
use super::tap::{Tap, TapSink};
use super::worker::{Ended, SOCKET, WAKER, Worker};
use super::{BundleSpec, PoolSpec, WorkerHandle};
use crate::clock::Clock;

/// Why the media plane cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartFault {
    #[error("cannot listen for media on UDP port {port}: {cause}")]
    Bind { port: u16, cause: io::Error },
    #[error("cannot start a media thread: {0}")]
    Thread(#[from] io::Error),
    #[error(transparent)]
    Identity(#[from] NoIdentity),
}

/// What outlives a worker's thread: the socket that clients know, our certificate, the counters.
pub(super) struct Berth {
    pub number: usize,
    identity: Identity,
    socket: Arc<UdpSocket>,
    stats: Arc<Stats>,
    candidates: Arc<[SocketAddr]>,
    silent_after: Duration,
    clock: Clock,
    tap: Option<TapSink>,
    bundles: BundleSpec,
}

/// A worker about to run.
pub(super) struct Boarded {
    worker: Worker,
    poll: Poll,
}

impl Berth {
    /// Binds the socket of worker `number`.
    pub fn new(number: usize, spec: &PoolSpec, identity: Identity) -> Result<Berth, StartFault> {
        let port = if spec.port == 0 { 0 } else { spec.port.saturating_add(number as u16) };
        let bind = UdpSocket::bind(spec.bind, port);
        let socket = Arc::new(bind.map_err(|cause| StartFault::Bind { port, cause })?);
        let port = socket.port()?;
        let candidates = spec.advertised.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        let (stats, clock) = (Arc::default(), spec.clock);
        let silent_after = spec.silent_after;
        let (tap, bundles) = (spec.tap.clone(), spec.bundles);
        Ok(Berth { number, identity, socket, stats, candidates, silent_after, clock, tap, bundles })
    }
}

/// A new worker in a berth, without legs, and how calls reach it.
pub(super) fn board(berth: &Berth) -> Result<(WorkerHandle, Boarded), StartFault> {
    let poll = Poll::new()?;
    let fd = berth.socket.as_raw_fd();
    poll.registry().register(&mut SourceFd(&fd), SOCKET, Interest::READABLE)?;
    let mailbox = Arc::new(Mailbox::new(Waker::new(poll.registry(), WAKER)?));
    let tell = mailbox.clone();
    let (name, socket) = (format!("dtls-{}", berth.number), berth.socket.clone());
    let handshakes =
        Handshakes::start(name, berth.identity.clone(), socket.clone(), move |outcome| {
            tell.outcome(outcome);
        })?;
    let tell = mailbox.clone();
    let meter = Meter::start(format!("meter-{}", berth.number), move |leg, said| {
        tell.level(leg, said);
    })?;
    berth.stats.legs(0);
    let worker = Worker {
        socket,
        seats: Seats::default(),
        legs: HashMap::new(),
        addresses: Addresses::default(),
        calls: HashMap::new(),
        outbox: Outbox::default(),
        handshakes,
        stats: berth.stats.clone(),
        silent_after: berth.silent_after,
        meter,
        tap: berth.tap.clone().map(Tap::new),
        departing: Departing::default(),
        extra: Extra::default(),
        bundling: Bundling::new(berth.bundles),
        early: HashMap::new(),
        reply: Vec::new(),
        untold: Vec::new(),
        unclosed: Vec::new(),
        mailbox: mailbox.clone(),
        clock: berth.clock,
        sweep: 0,
    };
    let (stats, candidates) = (berth.stats.clone(), berth.candidates.clone());
    Ok((WorkerHandle { mailbox, stats, candidates }, Boarded { worker, poll }))
}

impl Boarded {
    pub fn mailbox(&self) -> Arc<Mailbox> {
        self.worker.mailbox.clone()
    }

    /// The worker alone, for a test that is its thread.
    #[cfg(test)]
    pub fn into_worker(self) -> Worker {
        self.worker
    }

    pub fn run(self) -> Ended {
        self.worker.run(self.poll)
    }
}
