//! Tally: counts and times of what was sent and heard. No clock: times come in as numbers.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::voice::Frame;

/// A distribution of durations, 0.1 % exact.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

/// A distribution in short, in milliseconds. All zero where nothing was measured.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Spread {
    pub count: u64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

impl Default for Times {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, LONGEST_NS, 3);
        Self(bounds.expect("1 < LONGEST_NS / 2, and 3 digits are within 0 to 5"))
    }
}

impl Times {
    pub fn note(&mut self, time: Duration) {
        self.note_ns(time.as_nanos() as u64);
    }

    fn note_ns(&mut self, ns: u64) {
        self.0.saturating_record(ns);
    }

    pub fn spread(&self) -> Spread {
        let ms = |quantile| self.0.value_at_quantile(quantile) as f64 / 1e6;
        Spread {
            count: self.0.len(),
            p50_ms: ms(0.50),
            p95_ms: ms(0.95),
            p99_ms: ms(0.99),
            max_ms: ms(1.0),
        }
    }
}

/// How long joining took, each counted from the moment the offer was handed to the WebSocket.
#[derive(Debug, Default)]
pub struct Joins {
    /// Until the answer was read.
    pub answered: Times,
    /// Until ICE and DTLS were done and the keys ready.
    pub connected: Times,
    /// Until the joiner heard any voice.
    pub heard: Times,
}

/// What happened to the packets that were sent between two moments.
#[derive(Clone, Debug)]
pub struct Tally {
    from_ns: u64,
    to_ns: u64,
    /// Frames sent by talkers.
    pub sent: u64,
    /// Frames that should have been heard: sent, times the others in the call.
    pub expected: u64,
    /// Frames heard, each once a listener.
    pub heard: u64,
    /// Packets that listeners got, with a frame of this window in each.
    pub packets: u64,
    /// Frames heard again by the same listener.
    pub duplicates: u64,
    /// Frames that are not what a talker sends, and packets that cannot be split into frames.
    pub corrupted: u64,
    /// RTP datagrams that str0m did not pass: replayed, not decryptable, of an unknown source.
    pub refused: u64,
    /// Frames heard by their own talker.
    pub echoed: u64,
    /// From a talker's socket to the listener's, the generator's own reading included.
    pub latency: Times,
}

impl Tally {
    /// A tally of the packets sent within `length` from `from_ns`.
    pub fn new(from_ns: u64, length: Duration) -> Self {
        Self {
            from_ns,
            to_ns: from_ns + length.as_nanos() as u64,
            sent: 0,
            expected: 0,
            heard: 0,
            packets: 0,
            duplicates: 0,
            corrupted: 0,
            refused: 0,
            echoed: 0,
            latency: Times::default(),
        }
    }

    pub fn covers(&self, sent_ns: u64) -> bool {
        (self.from_ns..self.to_ns).contains(&sent_ns)
    }

    /// Notes a frame handed to the socket at `sent_ns`, for `listeners` to hear.
    pub fn note_sent(&mut self, sent_ns: u64, listeners: usize) {
        if self.covers(sent_ns) {
            self.sent += 1;
            self.expected += listeners as u64;
        }
    }

    /// Notes a frame that a listener's socket gave at `heard_ns`.
    pub fn note_heard(&mut self, frame: Frame, heard_ns: u64, hearing: Heard) {
        if !self.covers(frame.sent_ns) {
            return;
        }
        match hearing {
            Heard::New => {
                self.heard += 1;
                self.latency.note_ns(heard_ns.saturating_sub(frame.sent_ns));
            }
            Heard::Again => self.duplicates += 1,
            Heard::Own => self.echoed += 1,
        }
    }

    /// Frames that somebody should have heard and did not.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.heard)
    }
}

/// How a listener heard a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    New,
    Again,
    /// He is the talker: nobody hears himself.
    Own,
}

/// One minute: what takes longer is broken, not slow.
const LONGEST_NS: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sent_ns: u64) -> Frame {
        Frame { talker: 1, seq: 0, sent_ns }
    }

    #[test]
    fn what_nobody_heard_is_lost() {
        let mut tally = Tally::new(100, Duration::from_nanos(50));
        tally.note_sent(120, 3);
        tally.note_heard(frame(120), 130, Heard::New);
        tally.note_heard(frame(120), 131, Heard::Again);
        assert_eq!((tally.sent, tally.heard, tally.duplicates, tally.lost()), (1, 1, 1, 2));
    }

    #[test]
    fn frames_sent_outside_the_window_do_not_count() {
        let mut tally = Tally::new(100, Duration::from_nanos(50));
        for sent_ns in [99, 150] {
            tally.note_sent(sent_ns, 3);
            tally.note_heard(frame(sent_ns), 120, Heard::New);
        }
        assert_eq!((tally.sent, tally.expected, tally.heard), (0, 0, 0));
    }

    #[test]
    fn a_spread_tells_its_quantiles_in_milliseconds() {
        let mut times = Times::default();
        for ms in 1..=100 {
            times.note(Duration::from_millis(ms));
        }
        let spread = times.spread();
        let close = |seen: f64, wanted: f64| (seen - wanted).abs() < wanted / 500.0;
        assert!(close(spread.p50_ms, 50.0) && close(spread.max_ms, 100.0), "{spread:?}");
    }
}
