//! All workers of the node. A worker whose thread ends is replaced by another on the same socket:
//! its calls learn that their legs are lost and dial again, at the address they know.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use super::berth::{self, Berth, Boarded, StartFault};
use super::dtls::Identity;
use super::mailbox::Order;
use super::stats::Reading;
use super::worker::Ended;
use super::{PoolSpec, WorkerHandle};
use crate::limits::WORKER_RESTARTS_MAX;

/// See the module's words.
pub struct Pool {
    workers: Arc<Workers>,
    fingerprint: String,
}

/// The present worker of each berth.
struct Workers {
    present: RwLock<Vec<WorkerHandle>>,
    restarts: AtomicU64,
}

impl Pool {
    /// Binds the sockets and starts the threads.
    ///
    /// # Errors
    /// A port is taken, or the machine gives no thread or randomness.
    pub fn start(spec: &PoolSpec) -> Result<Pool, StartFault> {
        let identity = Identity::generate()?;
        let fingerprint = identity.fingerprint();
        let (present, restarts) = (RwLock::default(), AtomicU64::new(0));
        let workers = Arc::new(Workers { present, restarts });
        for number in 0..spec.workers.max(1) {
            let place = Berth::new(number, spec, identity.clone())?;
            let (handle, worker) = berth::board(&place)?;
            workers.write().push(handle);
            let crew = workers.clone();
            let name = format!("media-{number}");
            std::thread::Builder::new().name(name).spawn(move || crew.man(&place, worker))?;
        }
        Ok(Pool { workers, fingerprint })
    }

    /// The worker with the fewest legs: where a new call lives. One whose thread has ended, where
    /// all have: it refuses every leg.
    pub fn place(&self) -> WorkerHandle {
        let load = |worker: &&WorkerHandle| (worker.mailbox.is_abandoned(), worker.stats.load());
        let workers = self.workers.read();
        workers.iter().min_by_key(load).expect("a pool has a worker").clone()
    }

    /// One worker, wherever calls would be placed; `None` where there is none of that number.
    pub fn worker(&self, number: usize) -> Option<WorkerHandle> {
        self.workers.read().get(number).cloned()
    }

    /// Whether every worker's thread runs.
    pub fn is_whole(&self) -> bool {
        self.workers.read().iter().all(|worker| !worker.mailbox.is_abandoned())
    }

    /// Our certificate, as a description says it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub fn readings(&self) -> Vec<Reading> {
        self.workers.read().iter().map(|worker| worker.stats.read()).collect()
    }

    /// Workers that took the place of one whose thread had ended.
    pub fn restarts(&self) -> u64 {
        self.workers.restarts.load(Ordering::Relaxed)
    }

    /// The ports the workers listen on, in order.
    pub fn ports(&self) -> Vec<u16> {
        let workers = self.workers.read();
        workers.iter().filter_map(|w| w.candidates.first()).map(SocketAddr::port).collect()
    }

    /// Makes a worker's thread panic, to see what becomes of its calls. False where there is none
    /// of that number.
    pub fn break_worker(&self, number: usize) -> bool {
        let worker = self.workers.read().get(number).cloned();
        worker.is_some_and(|worker| worker.order(Order::Break).is_ok())
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        for worker in self.workers.read().iter() {
            worker.mailbox.stop();
        }
    }
}

impl Workers {
    /// Runs worker after worker in one berth, until one is told to stop.
    fn man(&self, place: &Berth, first: Boarded) {
        let mut next = Some(first);
        for restarts in 0.. {
            let Some(boarded) = next.take() else { return };
            let mailbox = boarded.mailbox();
            let ran = catch_unwind(AssertUnwindSafe(|| boarded.run()));
            mailbox.abandon();
            if matches!(ran, Ok(Ended::Stopped)) {
                return;
            }
            tracing::error!(worker = place.number, "media worker ended, its calls dial again");
            if restarts < WORKER_RESTARTS_MAX {
                next = self.replace(place);
            } else {
                tracing::error!(worker = place.number, "media worker ends too often: given up");
            }
            // Now, as a call that dials again must find the next one.
            mailbox.tell_gone();
        }
    }

    fn replace(&self, place: &Berth) -> Option<Boarded> {
        match berth::board(place) {
            Ok((handle, boarded)) => {
                if let Some(present) = self.write().get_mut(place.number) {
                    *present = handle;
                }
                self.restarts.fetch_add(1, Ordering::Relaxed);
                Some(boarded)
            }
            Err(error) => {
                tracing::error!(%error, "media worker cannot be replaced");
                None
            }
        }
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Vec<WorkerHandle>> {
        self.present.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Vec<WorkerHandle>> {
        self.present.write().unwrap_or_else(PoisonError::into_inner)
    }
}
