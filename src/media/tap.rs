//! The tap: a listener that cannot speak. What a call permits to be recorded is handed to the
//! recorder, a batch each half second; a recorder that is slow loses its own packets, never the
//! call's.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use bytes::Bytes;
use engine::Time;
use engine::timeline::Taken;

use super::CallNo;
use crate::limits::{RECORD_BATCH, RECORD_BATCHES_MAX, RECORD_HAND_OVER, RECORD_PACKETS_MAX};

/// What a worker hands over at once.
#[derive(Debug, Default)]
pub struct Batch {
    pub packets: Packets,
    /// Packets that found no room since the last batch, a call.
    pub lost: BTreeMap<CallNo, u64>,
}

/// Packets of many voices, their payloads one behind the other.
#[derive(Debug, Default)]
pub struct Packets {
    taken: Vec<(CallNo, Taken<Range<usize>>)>,
    payloads: Vec<u8>,
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

/// One worker's end. What it has is handed over when it is dropped.
pub(super) struct Tap {
    sink: TapSink,
    batch: Batch,
    next: Time,
}

/// A sink and what comes out of it.
pub fn tap() -> (TapSink, TapSource) {
    let (sender, receiver) = sync_channel(RECORD_BATCHES_MAX);
    let waiting = Arc::new(AtomicUsize::new(0));
    let sink = TapSink { batches: sender, waiting: waiting.clone() };
    (sink, TapSource { batches: receiver, waiting })
}

impl Packets {
    /// Room for as much as another one holds.
    fn like(other: &Packets) -> Packets {
        Packets {
            taken: Vec::with_capacity(other.taken.len()),
            payloads: Vec::with_capacity(other.payloads.len()),
        }
    }

    fn push(&mut self, call: CallNo, taken: Taken<&[u8]>) {
        let begin = self.payloads.len();
        self.payloads.extend_from_slice(taken.payload);
        self.taken.push((call, taken.map(|payload| begin..begin + payload.len())));
    }

    pub fn len(&self) -> usize {
        self.taken.len()
    }

    pub fn is_empty(&self) -> bool {
        self.taken.is_empty()
    }

    /// Each in the order it came, those of a voice together: so is what they touch.
    pub fn into_voices(mut self) -> impl Iterator<Item = (CallNo, Taken<Bytes>)> {
        self.taken.sort_by_key(|(call, taken)| (*call, taken.leg));
        let payloads = Bytes::from(self.payloads);
        let slice = move |range| payloads.slice(range);
        self.taken.into_iter().map(move |(call, taken)| (call, taken.map(&slice)))
    }
}

impl FromIterator<(CallNo, Taken)> for Packets {
    fn from_iter<I: IntoIterator<Item = (CallNo, Taken)>>(all: I) -> Packets {
        let mut packets = Packets::default();
        for (call, taken) in all {
            let payload = taken.payload.clone();
            packets.push(call, taken.map(|_| &*payload));
        }
        packets
    }
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
        Tap { sink, batch: Batch::default(), next: Time::ZERO }
    }

    pub fn take(&mut self, call: CallNo, taken: Taken<&[u8]>) {
        self.batch.packets.push(call, taken);
        if self.batch.packets.len() >= RECORD_BATCH {
            self.hand_over();
        }
    }

    /// What was taken since goes to the recorder, where it is time.
    pub fn handle_tick(&mut self, now: Time) {
        if now >= self.next {
            self.next = now + RECORD_HAND_OVER;
            self.hand_over();
        }
    }

    fn hand_over(&mut self) {
        if self.batch.packets.is_empty() && self.batch.lost.is_empty() {
            return;
        }
        let packets = Packets::like(&self.batch.packets);
        let batch = std::mem::replace(&mut self.batch, Batch { packets, ..Batch::default() });
        if let Err(mut batch) = self.sink.hand_over(batch) {
            for (call, _) in std::mem::take(&mut batch.packets).taken {
                *batch.lost.entry(call).or_default() += 1;
            }
            self.batch = batch;
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::slots::Arrival;
    use engine::{LegId, Time};

    use super::*;

    fn taken(index: u64) -> Taken<&'static [u8]> {
        let arrival = Arrival { at: Time::ZERO, index, timestamp: 0, marker: false };
        Taken { leg: LegId(1), epoch: 1, arrival, samples: 960, payload: &[] }
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

    #[test]
    fn a_batch_goes_each_half_second_and_with_its_worker() {
        let (sink, source) = tap();
        let mut tap = Tap::new(sink);
        let heard = |tap: &mut Tap, millis: u64| {
            tap.take(CallNo(7), taken(millis));
            tap.handle_tick(Time::from_micros(millis * 1_000));
            source.next(Duration::ZERO).map(|batch| batch.packets.len())
        };
        assert_eq!(heard(&mut tap, 0), Some(1));
        assert_eq!((heard(&mut tap, 100), heard(&mut tap, 499)), (None, None));
        assert_eq!((heard(&mut tap, 500), heard(&mut tap, 900)), (Some(3), None));
        drop(tap);
        assert_eq!(source.next(Duration::ZERO).map(|batch| batch.packets.len()), Some(1));
    }
}
