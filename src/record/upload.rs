//! Recordings in a store: each finished one is copied there, read back, and only then may its
//! sound go from this disk; what is deleted here is deleted there.
//!
//! One task, one recording after the other, so that calls have the network for themselves. What the
//! store has stands in `upload.json` ([`Ledger`]), so that a server that is killed goes on with the
//! next part. A store that is away harms nothing: recordings wait, and are tried for ever.

mod depot;
mod ledger;
mod parts;
mod retiring;
mod sending;
mod stats;
mod stored;
mod tending;
mod undoing;

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, sleep_until};
use tracing::{error, warn};

use self::depot::BACKOFF;
pub use self::depot::{Depot, Pieces, StoreFault};
pub use self::ledger::{Ledger, UPLOAD};
use self::stats::Stats;
pub use self::stats::{Outcome, Reading};
pub use self::stored::Stored;
use self::tending::Tending;
pub use self::undoing::{is_leftover, take_away};
use super::store::{Id, Root};
use crate::limits::{UPLOAD_LOOK_EVERY, UPLOADS_TOLD_MAX};

/// Why a recording is not in the store yet.
#[derive(Debug, thiserror::Error)]
pub enum UploadFault {
    #[error(transparent)]
    Store(#[from] StoreFault),
    #[error("the disk: {0}")]
    Disk(#[from] io::Error),
    #[error("the store forgot the parts of {0} that it had")]
    Forgotten(String),
    #[error("{0} in the store is not ours, and is not overwritten")]
    Occupied(String),
    #[error("{0} is not what call.json says, and is not uploaded")]
    Damaged(String),
    #[error("{0} in the store is not what was sent, and stays here")]
    Differs(String),
    #[error("it is in another store, {0}")]
    Elsewhere(String),
}

/// All that it is made of.
pub struct Spec {
    pub root: Arc<Root>,
    pub depot: Arc<Depot>,
    /// Large files stay here so many days after they are confirmed; 0 = for ever.
    pub keep_local_days: u32,
    /// Hears of each recording whose files went from this disk.
    pub went: Box<dyn Fn(&Id) + Send + Sync>,
}

/// See the module's words.
pub struct Uploader {
    told: Sender<Id>,
    depot: Arc<Depot>,
    stats: Arc<Stats>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl UploadFault {
    /// Waiting does not mend it: somebody must look.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Store(_) | Self::Disk(_) | Self::Forgotten(_) => false,
            Self::Occupied(_) | Self::Damaged(_) | Self::Differs(_) | Self::Elsewhere(_) => true,
        }
    }
}

impl Uploader {
    /// Starts it, with all that an earlier run of the server left.
    pub fn start(spec: Spec) -> Uploader {
        let (told, ids) = channel(UPLOADS_TOLD_MAX);
        let (depot, stats) = (spec.depot.clone(), Arc::<Stats>::default());
        let tending = Tending::new(spec, stats.clone());
        let task = Mutex::new(Some(tokio::spawn(run(tending, ids, stats.clone()))));
        Uploader { told, depot, stats, task }
    }

    /// Tells of a recording that is ready, or deleted.
    pub fn add(&self, id: Id) {
        if let Err(fault) = self.told.try_send(id) {
            let id = fault.into_inner();
            warn!(recording = %id, "recording is uploaded after the next look at all");
        }
    }

    /// A file that only the store has.
    pub fn stored(&self, id: &Id, name: &str, ledger: &Ledger) -> Option<Stored> {
        let held = ledger.confirmed(name).filter(|_| ledger.store == self.depot.url())?;
        let place = self.depot.place(id, name);
        Some(Stored::new(self.depot.clone(), place, held))
    }

    pub fn read_stats(&self) -> Reading {
        self.stats.read()
    }

    /// Ends it at once: what was under way goes on after the next start.
    pub fn stop(&self) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
    }
}

async fn run(tending: Tending, mut ids: Receiver<Id>, stats: Arc<Stats>) {
    let mut looks = interval(UPLOAD_LOOK_EVERY);
    let (mut waiting, mut failures, mut resume) = (VecDeque::new(), 0_u32, Instant::now());
    loop {
        stats.waiting(waiting.len());
        tokio::select! {
            biased;
            _ = looks.tick() => match tending.due().await {
                Ok(due) => waiting = due,
                Err(fault) => error!(%fault, "recordings to upload cannot be looked for"),
            },
            Some(id) = ids.recv() => waiting.push_back(id),
            () = sleep_until(resume), if !waiting.is_empty() => {
                let Some(id) = waiting.pop_front() else { continue };
                match tending.tend(&id).await {
                    Ok(()) => failures = 0,
                    Err(fault) if fault.is_lasting() => {
                        error!(recording = %id, %fault, "recording and store disagree");
                        stats.ended(Outcome::Refused);
                    }
                    Err(fault) => {
                        failures = failures.saturating_add(1);
                        let wait = BACKOFF.wait(failures, chance());
                        let retry_ms = wait.as_millis() as u64;
                        warn!(recording = %id, %fault, retry_ms, "store is tried again");
                        stats.ended(Outcome::Failed);
                        resume = Instant::now() + wait;
                        // Behind the others, which may fare better.
                        waiting.push_back(id);
                    }
                }
            }
        }
    }
}

fn chance() -> u8 {
    uuid::Uuid::new_v4().as_bytes()[0]
}
