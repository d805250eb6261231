//! The recorder's threads: one captures, one brings what was written to the disk. A disk that is
//! slow fills the queue in front of them, and no other.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Now, Time};
use tracing::error;

use super::Floor;
use super::capture::{Begin, Capture, Order};
use super::line::{End, Event};
use super::stats::Stats;
use super::store::{Id, Root};
use crate::clock::Clock;
use crate::limits::{RECORD_BATCHES_A_TURN, RECORD_NOTES_MAX, RECORD_SYNCS_ALONE, RECORD_TICK};
use crate::media::CallNo;
use crate::media::tap::{TapSource, tap};

pub use crate::media::tap::TapSink;

/// How calls reach the recorder.
pub struct Recorder {
    orders: Arc<Orders>,
    tap: TapSink,
    open_max: u64,
    stats: Arc<Stats>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// One more recording than there may be at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} calls are being recorded, and more this server does not record at once")]
pub struct TooMany(u64);

/// All that the recorder is made of.
pub struct Spec {
    pub root: Arc<Root>,
    pub clock: Clock,
    pub floor: Floor,
    pub open_max: u64,
    pub stats: Arc<Stats>,
    /// Hears of each recording that has ended.
    pub ended: Box<dyn Fn(Id) + Send>,
}

#[derive(Default)]
struct Orders {
    waiting: Mutex<VecDeque<Order>>,
    stop: AtomicBool,
}

impl Recorder {
    /// # Errors
    /// The machine gives no thread.
    pub fn start(spec: Spec) -> io::Result<Recorder> {
        let (sink, source) = tap();
        let orders = Arc::new(Orders::default());
        let capture = Capture::new(spec.root, spec.floor, spec.open_max, spec.stats.clone());
        let (sync, dirty) = sync_channel(1);
        let syncs = spec.stats.clone();
        let bring = move || bring(&dirty, &syncs);
        std::thread::Builder::new().name("record-sync".into()).spawn(bring)?;
        let (clock, own) = (spec.clock, orders.clone());
        let ended = spec.ended;
        let run = move || run(capture, &own, &source, clock, &sync, &*ended);
        let thread = std::thread::Builder::new().name("record".into()).spawn(run)?;
        let (stats, open_max) = (spec.stats, spec.open_max);
        Ok(Recorder { orders, tap: sink, open_max, stats, thread: Mutex::new(Some(thread)) })
    }

    /// Where media workers hand over what is recorded.
    pub fn tap(&self) -> TapSink {
        self.tap.clone()
    }

    /// # Errors
    /// As many recordings as may be are being made.
    pub fn admits(&self) -> Result<(), TooMany> {
        let open = self.stats.read().open;
        if open < self.open_max { Ok(()) } else { Err(TooMany(self.open_max)) }
    }

    /// # Errors
    /// As many recordings as may be are being made: the call hears by its notices
    /// ([`super::capture::Disk::TakesAnew`]) once it can begin, unless it ends it before.
    pub fn begin(&self, begin: Begin) -> Result<(), TooMany> {
        let Some(open) = self.stats.begin(self.open_max) else {
            let wait = Order::Wait { call: begin.call, notices: begin.notices };
            self.orders.lock().push_back(wait);
            return Err(TooMany(self.open_max));
        };
        tracing::debug!(recording = %begin.id, open, "recording ordered");
        self.orders.lock().push_back(Order::Begin(Box::new(begin)));
        Ok(())
    }

    pub fn note(&self, call: CallNo, at: Time, event: Event) {
        let mut waiting = self.orders.lock();
        if waiting.len() < RECORD_NOTES_MAX {
            waiting.push_back(Order::Note { call, at, event });
        } else {
            self.stats.notes_lost(1);
        }
    }

    pub fn end(&self, call: CallNo, now: Now, why: End) {
        self.orders.lock().push_back(Order::End { call, now, why });
    }

    /// Ends every recording, and returns once all is written.
    pub fn stop(&self) {
        self.orders.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            error!("the recorder has panicked: the next start mends what it left");
        }
    }
}

impl Orders {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Order>> {
        // A poisoned lock guards plain data: whoever panicked left it whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run(
    mut capture: Capture,
    orders: &Orders,
    source: &TapSource,
    clock: Clock,
    sync: &SyncSender<Vec<Arc<File>>>,
    ended: &dyn Fn(Id),
) {
    let mut next_tick = clock.now().time + RECORD_TICK;
    let mut dirty = Vec::new();
    loop {
        let stops = orders.stop.load(Ordering::Relaxed);
        let mut wait = next_tick.since(clock.now().time);
        if stops {
            wait = Duration::ZERO;
        }
        let mut heard = None;
        // What has piled up behind a slow disk is taken before it is written to again.
        for _ in 0..RECORD_BATCHES_A_TURN {
            let batch = source.next(std::mem::take(&mut wait));
            // After the batch: whoever is heard in it was told of before he was permitted.
            for order in std::mem::take(&mut *orders.lock()) {
                capture.handle_order(order);
            }
            let Some(batch) = batch else {
                heard = Some(clock.now().time);
                break;
            };
            capture.handle_batch(clock.now().time, batch);
            // Written at once.
            next_tick = clock.now().time;
        }
        let now = clock.now();
        if stops && heard.is_some() {
            capture.stop(now).into_iter().for_each(ended);
            return;
        }
        if now.time >= next_tick {
            next_tick = now.time + RECORD_TICK;
            let due = capture.handle_tick(now.time, heard);
            due.ended.into_iter().for_each(ended);
            dirty.extend(due.dirty);
            dirty.sort_by_key(Arc::as_ptr);
            dirty.dedup_by_key(|file| Arc::as_ptr(file));
            if !dirty.is_empty() {
                // Full: the former ones are not on the disk yet. These come with the next ones.
                if let Err(TrySendError::Full(left)) = sync.try_send(std::mem::take(&mut dirty)) {
                    dirty = left;
                }
            }
        }
    }
}

/// Brings files to the disk, until the recorder is gone: many at once, as each alone costs a
/// transaction of the file system.
fn bring(dirty: &Receiver<Vec<Arc<File>>>, stats: &Stats) {
    while let Ok(files) = dirty.recv() {
        let brought = match files.as_slice() {
            [first, ..] if files.len() > RECORD_SYNCS_ALONE => {
                rustix::fs::syncfs(first).map_err(io::Error::from)
            }
            files => files.iter().map(|file| file.sync_data()).fold(Ok(()), io::Result::and),
        };
        if let Err(fault) = brought {
            stats.not_synced();
            error!(%fault, "what was recorded last may not survive a power cut");
        }
    }
}
