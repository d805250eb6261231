//! Media: everything that touches a UDP socket. Plain threads, no async; the only folder that
//! names the protocol crates.
//!
//! A call lives on one worker ([`Pool::place`]); its task gives orders and permits and hears
//! notices.

mod addresses;
mod batch;
pub mod dialogue;
pub mod dtls;
mod fanout;
pub mod ice;
mod ingress;
mod leg;
mod mailbox;
pub mod rehearsal;
mod reports;
pub mod sdp;
mod seats;
pub mod socket;
pub mod srtp;
pub mod stats;
mod telling;
mod worker;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use engine::LegId;
use engine::call::Seen;
use engine::routes::Permits;
use tokio::sync::oneshot;

pub use leg::{LegSpec, NoticeSink, SlotSpec, VoiceSpec};
pub use mailbox::{Full, Order};
pub use worker::StartFault;

use crate::clock::Clock;
use dtls::Identity;
use mailbox::Mailbox;
use stats::{Reading, Stats};

/// Names a call on its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallNo(pub u64);

/// What a worker tells a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Link {
        leg: LegId,
        seen: Seen,
    },
    /// Who is heard on the leg's slots now.
    Tracks {
        leg: LegId,
        slots: Vec<Option<LegId>>,
    },
}

/// Where and how the workers listen.
#[derive(Clone, Debug)]
pub struct PoolSpec {
    /// Addresses told to clients.
    pub advertised: Vec<IpAddr>,
    /// `None`: every address of both families.
    pub bind: Option<IpAddr>,
    /// The first worker's port, the others follow; 0 = each takes a free one.
    pub port: u16,
    pub workers: usize,
    /// Without an authenticated packet or check for so long a leg counts as silent.
    pub silent_after: Duration,
    pub clock: Clock,
}

/// All workers of the node.
pub struct Pool {
    workers: Vec<WorkerHandle>,
    fingerprint: String,
}

/// One worker, as calls see it.
#[derive(Clone)]
pub struct WorkerHandle {
    mailbox: Arc<Mailbox>,
    stats: Arc<Stats>,
    candidates: Arc<[SocketAddr]>,
}

impl Pool {
    /// Binds the sockets and starts the threads.
    ///
    /// # Errors
    /// A port is taken, or the machine gives no thread or randomness.
    pub fn start(spec: &PoolSpec) -> Result<Pool, StartFault> {
        let identity = Identity::generate()?;
        let fingerprint = identity.fingerprint();
        let workers: Result<Vec<WorkerHandle>, StartFault> = (0..spec.workers.max(1))
            .map(|number| worker::start(number, spec, identity.clone()))
            .collect();
        Ok(Pool { workers: workers?, fingerprint })
    }

    /// The worker with the fewest legs: where a new call lives.
    pub fn place(&self) -> WorkerHandle {
        let load = |worker: &&WorkerHandle| (worker.mailbox.is_abandoned(), worker.stats.load());
        let least = self.workers.iter().min_by_key(load);
        least.expect("a pool has a worker").clone()
    }

    /// Whether every worker's thread still runs.
    pub fn is_whole(&self) -> bool {
        self.workers.iter().all(|worker| !worker.mailbox.is_abandoned())
    }

    /// Our certificate, as a description says it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn readings(&self) -> Vec<Reading> {
        self.workers.iter().map(|worker| worker.stats.read()).collect()
    }

    /// The ports the workers listen on, in order.
    pub fn ports(&self) -> Vec<u16> {
        self.workers.iter().filter_map(|w| w.candidates.first()).map(SocketAddr::port).collect()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for worker in &self.workers {
            worker.mailbox.stop();
        }
    }
}

impl WorkerHandle {
    /// Opens a leg; resolves to who is heard on each of its slots.
    ///
    /// # Errors
    /// The worker is overloaded or gone.
    pub async fn open(&self, spec: LegSpec) -> Result<Vec<Option<LegId>>, Full> {
        let (opened, answer) = oneshot::channel();
        self.mailbox.order(Order::Open { spec: Box::new(spec), opened })?;
        answer.await.map_err(|_| Full)
    }

    /// # Errors
    /// The worker is overloaded.
    pub fn order(&self, order: Order) -> Result<(), Full> {
        self.mailbox.order(order)
    }

    pub fn permit(&self, call: CallNo, permits: Permits) {
        self.mailbox.permit(call, permits);
    }

    /// The addresses clients may send to.
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }
}
