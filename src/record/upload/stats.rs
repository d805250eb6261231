//! What is counted of the store, read on a scrape.

use std::sync::atomic::{AtomicU64, Ordering};

/// How it ended for a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is in the store, and was read back.
    Confirmed,
    /// It is tried again.
    Failed,
    /// Somebody must look.
    Refused,
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Stats {
    waiting: AtomicU64,
    bytes: AtomicU64,
    ended: [AtomicU64; Outcome::EACH.len()],
}

/// One reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Recordings.
    pub waiting: u64,
    /// Sent, those sent twice twice.
    pub bytes: u64,
    /// By outcome.
    pub ended: Vec<(&'static str, u64)>,
}

impl Default for Reading {
    /// Of nothing, with every label: so that an alert can be written before the first case.
    fn default() -> Reading {
        Stats::default().read()
    }
}

impl Outcome {
    const EACH: [Outcome; 3] = [Outcome::Confirmed, Outcome::Failed, Outcome::Refused];

    const fn label(self) -> &'static str {
        match self {
            Outcome::Confirmed => "confirmed",
            Outcome::Failed => "failed",
            Outcome::Refused => "refused",
        }
    }
}

impl Stats {
    pub fn waiting(&self, recordings: usize) {
        self.waiting.store(recordings as u64, Ordering::Relaxed);
    }

    pub fn sent(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn ended(&self, outcome: Outcome) {
        if let Some(at) = Outcome::EACH.iter().position(|it| *it == outcome) {
            self.ended[at].fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn read(&self) -> Reading {
        let value = |value: &AtomicU64| value.load(Ordering::Relaxed);
        let ended = Outcome::EACH.iter().zip(&self.ended);
        Reading {
            waiting: value(&self.waiting),
            bytes: value(&self.bytes),
            ended: ended.map(|(outcome, count)| (outcome.label(), value(count))).collect(),
        }
    }
}
