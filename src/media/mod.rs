//! Media: everything that touches a UDP socket. Plain threads, no async; the only folder that
//! names the protocol crates.
//!
//! A call lives on one worker ([`Pool::place`]); its task gives orders and permits and hears
//! notices.

mod addresses;
mod ahead;
mod berth;
mod bundles;
mod busy;
mod departing;
pub mod dialogue;
pub mod dtls;
mod fanout;
pub mod ice;
mod inbox;
mod ingress;
mod leg;
mod mailbox;
mod meter;
mod outbox;
mod pool;
mod reading;
pub mod rehearsal;
mod reports;
pub mod sdp;
mod seats;
pub mod socket;
pub mod srtp;
pub mod stats;
pub mod tap;
mod telling;
mod worker;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::call::Seen;
use engine::routes::Permits;
use engine::{LegId, Level};
use tokio::sync::oneshot;

pub use berth::StartFault;
pub use leg::{LegSpec, NoticeSink, SlotSpec, VoiceSpec};
pub use mailbox::{Full, Order};
pub use pool::Pool;
pub use reading::{LegReading, SlotReading};

use crate::clock::Clock;
use mailbox::Mailbox;
use stats::Stats;
use tap::TapSink;

/// Names a call on its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallNo(pub u64);

/// The first leg of the probe's own calls: their legs and calls are numbered apart from those of
/// people, of which no node has so many in its life.
pub const PROBE_LEGS: u64 = 1 << 48;

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
    /// The leg's voice began, as loud as that, or ceased (`None`).
    Talking {
        leg: LegId,
        level: Option<Level>,
    },
    /// The handshake is done, and this is the certificate that the peer showed: `sha-256 AA:..`.
    Certified {
        leg: LegId,
        fingerprint: String,
    },
    /// Whoever of the leg's call listens hears packets of this length from now on; `None`: each
    /// packet as it comes.
    Bundled {
        leg: LegId,
        span: Option<Duration>,
    },
    /// The leg has come so far, for the first time.
    Reached {
        leg: LegId,
        step: Step,
        at: Instant,
    },
}

/// The way of a leg to its first voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// A check proved an address.
    Path,
    /// The handshake is done.
    Keys,
    /// A voice packet came that is true.
    Voice,
    /// There will be no keys, because of that.
    NoKeys(&'static str),
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
    /// Where recorded voices go; `None` where nothing is recorded.
    pub tap: Option<TapSink>,
    pub bundles: BundleSpec,
}

/// When listeners who do not talk hear several frames of a voice in one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleSpec {
    /// From so many listeners of a call on, packets of 40 ms; 0 = never.
    pub listeners_40: usize,
    /// From so many on, packets of 60 ms, while the worker is busy; 0 = never.
    pub listeners_60: usize,
    /// How busy: percent of a CPU.
    pub busy_percent_60: u32,
    /// A listener who reports more loss than this hears single packets, in percent.
    pub loss_percent: u32,
}

/// One worker, as calls see it.
#[derive(Clone)]
pub struct WorkerHandle {
    mailbox: Arc<Mailbox>,
    stats: Arc<Stats>,
    candidates: Arc<[SocketAddr]>,
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

    /// How each leg of the call is doing; nothing where the worker is gone.
    pub async fn inspect(&self, call: CallNo) -> Vec<LegReading> {
        let (readings, answer) = oneshot::channel();
        if self.mailbox.order(Order::Inspect { call, readings }).is_err() {
            return Vec::new();
        }
        answer.await.unwrap_or_default()
    }

    /// Whether the worker's thread has ended.
    pub fn is_gone(&self) -> bool {
        self.mailbox.is_abandoned()
    }

    /// Resolves once the worker's thread has ended: its legs are lost.
    pub async fn gone(&self) {
        self.mailbox.gone().await;
    }

    /// The same worker, known to clients by one address of its port and no other.
    pub fn reached_at(self, ip: IpAddr) -> WorkerHandle {
        let ports = self.candidates.first().map(SocketAddr::port);
        WorkerHandle {
            candidates: ports.map(|port| (ip, port).into()).into_iter().collect(),
            ..self
        }
    }

    /// The addresses clients may send to.
    pub fn candidates(&self) -> &[SocketAddr] {
        &self.candidates
    }
}
