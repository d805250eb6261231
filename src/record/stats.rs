//! The recorder's counters, read on a scrape.

use std::sync::atomic::{AtomicU64, Ordering};

use super::line::Stop;

/// See the module's words.
#[derive(Debug, Default)]
pub struct Stats {
    open: AtomicU64,
    dropped: AtomicU64,
    notes_lost: AtomicU64,
    not_synced: AtomicU64,
    stopped: [AtomicU64; STOPS.len()],
    finished: AtomicU64,
    failed: AtomicU64,
}

/// One reading.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    pub open: u64,
    pub dropped: u64,
    pub notes_lost: u64,
    pub not_synced: u64,
    pub stopped: Vec<(&'static str, u64)>,
    pub finished: u64,
    pub failed: u64,
}

const STOPS: [Stop; 3] = [Stop::DiskFloor, Stop::DiskFull, Stop::DiskFailed];

impl Stats {
    /// Takes a place among the recordings that are being made; how many there are then.
    pub fn begin(&self, most: u64) -> Option<u64> {
        let more = |open: u64| (open < most).then_some(open + 1);
        let order = Ordering::Relaxed;
        self.open.fetch_update(order, order, more).ok().map(|open| open + 1)
    }

    pub fn end(&self) {
        let order = Ordering::Relaxed;
        // Each end has its begin.
        let _ = self.open.fetch_update(order, order, |open| open.checked_sub(1));
    }

    pub fn dropped(&self, packets: u64) {
        add(&self.dropped, packets);
    }

    pub fn notes_lost(&self, count: u64) {
        add(&self.notes_lost, count);
    }

    /// What was written was not brought to the disk.
    pub fn not_synced(&self) {
        add(&self.not_synced, 1);
    }

    pub fn stopped(&self, why: Stop) {
        if let Some(at) = STOPS.iter().position(|stop| *stop == why) {
            add(&self.stopped[at], 1);
        }
    }

    /// A recording was made ready, or could not be.
    pub fn finished(&self, is_done: bool) {
        add(if is_done { &self.finished } else { &self.failed }, 1);
    }

    pub fn read(&self) -> Reading {
        let get = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let stopped = STOPS.iter().zip(&self.stopped);
        Reading {
            open: get(&self.open),
            dropped: get(&self.dropped),
            notes_lost: get(&self.notes_lost),
            not_synced: get(&self.not_synced),
            stopped: stopped.map(|(stop, count)| (stop.label(), get(count))).collect(),
            finished: get(&self.finished),
            failed: get(&self.failed),
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
