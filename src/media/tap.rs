//! The tap: a listener that cannot speak. What a call permits to be recorded is handed to the
//! recorder, a batch a tick; a recorder that is slow loses its own packets, never the call's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use engine::timeline::Taken;

use super::CallNo;
use crate::limits::{RECORD_BATCH, RECORD_BATCHES_MAX, RECORD_PACKETS_MAX};

/// What a worker hands over at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub packets: Vec<(CallNo, Taken)>,
    /// Packets that found no room since the last batch, a call.
    pub lost: BTreeMap<CallNo, u64>,
}

/// Where all workers hand over.
#[derive(Clone, Debug)]
pub struct TapSink {
    batches: SyncSender<Batch>,
    waiting: Arc<AtomicUsize>,
}

/// The recorder's end.
pub struct TapSource {
    batches: Receiver<Batch>,
    waiting: Arc<AtomicUsize>,
}

/// One worker's end.
pub(super) struct Tap {
    sink: TapSink,
    batch: Batch,
}

/// A sink and what comes out of it.
pub fn tap() -> (TapSink, TapSource) {
    let (sender, receiver) = sync_channel(RECORD_BATCHES_MAX);
    let waiting = Arc::new(AtomicUsize::new(0));
    let sink = TapSink { batches: sender, waiting: waiting.clone() };
    (sink, TapSource { batches: receiver, waiting })
}

impl TapSource {
    /// The next batch; `None` where there is none within that time.
    pub fn next(&self, within: std::time::Duration) -> Option<Batch> {
        let batch = self.batches.recv_timeout(within).ok()?;
        self.waiting.fetch_sub(batch.packets.len(), Ordering::Relaxed);
        Some(batch)
    }
}

impl TapSink {
    fn hand_over(&self, batch: Batch) -> Result<(), Batch> {
        let count = batch.packets.len();
        if self.waiting.fetch_add(count, Ordering::Relaxed) + count <= RECORD_PACKETS_MAX {
            match self.batches.try_send(batch) {
                Ok(()) => return Ok(()),
                Err(full) => {
                    self.waiting.fetch_sub(count, Ordering::Relaxed);
                    let (std::sync::mpsc::TrySendError::Full(batch)
                    | std::sync::mpsc::TrySendError::Disconnected(batch)) = full;
                    return Err(batch);
                }
            }
        }
        self.waiting.fetch_sub(count, Ordering::Relaxed);
        Err(batch)
    }
}

impl Tap {
    pub fn new(sink: TapSink) -> Tap {
        Tap { sink, batch: Batch::default() }
    }

    pub fn take(&mut self, call: CallNo, taken: Taken) {
        self.batch.packets.push((call, taken));
        if self.batch.packets.len() >= RECORD_BATCH {
            self.hand_over();
        }
    }

    /// What was taken since the last tick goes to the recorder.
    pub fn hand_over(&mut self) {
        if self.batch.packets.is_empty() && self.batch.lost.is_empty() {
            return;
        }
        if let Err(mut batch) = self.sink.hand_over(std::mem::take(&mut self.batch)) {
            for (call, _) in batch.packets.drain(..) {
                *batch.lost.entry(call).or_default() += 1;
            }
            self.batch = batch;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::slots::Arrival;
    use engine::{LegId, Time};

    use super::*;

    fn taken(index: u64) -> Taken {
        let arrival = Arrival { at: Time::ZERO, index, timestamp: 0, marker: false };
        Taken { leg: LegId(1), epoch: 1, arrival, samples: 960, payload: Box::default() }
    }

    #[test]
    fn one_packet_more_than_may_wait_is_lost_and_told_with_the_next_batch() {
        let (sink, source) = tap();
        let mut tap = Tap::new(sink);
        for index in 0..RECORD_PACKETS_MAX as u64 {
            tap.take(CallNo(7), taken(index));
        }
        tap.hand_over();
        assert!(tap.batch.lost.is_empty() && tap.batch.packets.is_empty());
        tap.take(CallNo(7), taken(0));
        tap.hand_over();
        assert_eq!(tap.batch.lost, BTreeMap::from([(CallNo(7), 1)]));
        assert_eq!(source.next(Duration::ZERO).map(|it| it.packets.len()), Some(RECORD_BATCH));
        tap.take(CallNo(7), taken(0));
        tap.hand_over();
        let rest = std::iter::from_fn(|| source.next(Duration::ZERO));
        let lost: u64 = rest.flat_map(|batch| batch.lost.into_values()).sum();
        assert_eq!(lost, 1);
        assert_eq!(source.waiting.load(Ordering::Relaxed), 0);
    }
}
