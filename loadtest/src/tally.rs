//! Tally: counts and times of what was sent and heard. No clock: times come in as numbers.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::hearing::Gaps;
use crate::light::Counted;
use crate::voice::Frame;

/// A distribution of durations, 0.1 % exact.
#[derive(Clone, Debug)]
pub struct Times(Histogram<u64>);

/// A distribution in short, in milliseconds. All zero where nothing was measured.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
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

    /// Two digits, for one of many.
    fn coarse() -> Self {
        let bounds = Histogram::new_with_bounds(COARSE_NS, LONGEST_NS, 2);
        Self(bounds.expect("COARSE_NS < LONGEST_NS / 2, and 2 digits are within 0 to 5"))
    }

    /// How many took up to each of some times, in milliseconds: the distribution in at most
    /// `steps` steps of equal width, what is above the p99 left out.
    pub fn steps(&self, steps: u64) -> Vec<(f64, u64)> {
        let width = (self.0.value_at_quantile(0.99) / steps).max(1);
        let found = self.0.iter_linear(width).take(steps as usize);
        found
            .map(|step| (step.value_iterated_to() as f64 / 1e6, step.count_since_last_iteration()))
            .collect()
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

/// What happened to the frames that were sent between two moments.
#[derive(Clone, Debug)]
pub struct Tally {
    from_ns: u64,
    to_ns: u64,
    /// Frames sent by talkers.
    pub sent: u64,
    /// Frames that talkers should have sent and did not: the generator was late.
    pub missed: u64,
    /// Listeners' frames that the simulated network lost.
    pub injected: f64,
    /// Frames heard again by the same listener.
    pub duplicates: u64,
    /// Frames that are not what a talker sends, and packets that cannot be split into frames.
    pub corrupted: u64,
    /// RTP datagrams that str0m did not pass: replayed, not decryptable, of an unknown source.
    pub refused: u64,
    /// Frames heard by their own talker.
    pub echoed: u64,
    /// Of legs that decrypt everything.
    pub full: Voice,
    /// Of light legs.
    pub light: Voice,
    /// Packets of light legs that were decrypted.
    pub decrypted: u64,
    /// What is missing between what full legs heard, in frames.
    pub gaps: Gaps,
    /// What is missing between what light legs got, in packets.
    pub light_gaps: Gaps,
    /// From a talker's socket to the listener's, the generator's own reading included.
    pub latency: Times,
    /// How late talkers' packets left: the generator's own delay.
    pub lateness: Times,
    /// By the second in which it was sent.
    pub seconds: Vec<Second>,
}

/// Frames and packets of some listeners.
#[derive(Clone, Copy, Debug, Default)]
pub struct Voice {
    /// Frames that should have been heard: sent, times those who listen.
    pub expected: f64,
    /// Frames heard, each once a listener.
    pub heard: u64,
    /// Packets that listeners got, with a frame of this window in each.
    pub packets: u64,
}

/// One second of the window.
#[derive(Clone, Debug)]
pub struct Second {
    pub expected: f64,
    pub heard: u64,
    pub packets: u64,
    pub latency: Times,
}

impl Second {
    pub fn lost_percent(&self) -> f64 {
        let lost = (self.expected - self.heard as f64).max(0.0);
        lost * 100.0 / self.expected.max(1.0)
    }
}

/// Those who should hear a frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Audience {
    pub full: usize,
    pub light: usize,
    /// What each of them hears of it, of 1: less where there are more voices than sections.
    pub share: f64,
}

impl Audience {
    /// The legs of the kind that decrypts so.
    pub fn of(&mut self, light: Option<u32>) -> &mut usize {
        if light.is_some() { &mut self.light } else { &mut self.full }
    }
}

impl Tally {
    /// A tally of the frames sent within `length` from `from_ns`.
    pub fn new(from_ns: u64, length: Duration) -> Self {
        let to_ns = from_ns + length.as_nanos() as u64;
        let second = || Second { expected: 0.0, heard: 0, packets: 0, latency: Times::coarse() };
        Self {
            from_ns,
            to_ns,
            sent: 0,
            missed: 0,
            injected: 0.0,
            duplicates: 0,
            corrupted: 0,
            refused: 0,
            echoed: 0,
            full: Voice::default(),
            light: Voice::default(),
            decrypted: 0,
            gaps: Gaps::default(),
            light_gaps: Gaps::default(),
            latency: Times::default(),
            lateness: Times::coarse(),
            seconds: (0..length.as_secs().max(1)).map(|_| second()).collect(),
        }
    }

    pub fn covers(&self, sent_ns: u64) -> bool {
        (self.from_ns..self.to_ns).contains(&sent_ns)
    }

    fn second(&mut self, sent_ns: u64) -> &mut Second {
        let at = ((sent_ns - self.from_ns) / SECOND_NS) as usize;
        let last = self.seconds.len() - 1;
        &mut self.seconds[at.min(last)]
    }

    /// Notes frames handed to the socket at `sent_ns`.
    pub fn note_sent(&mut self, sent_ns: u64, frames: u32, audience: Audience) {
        if !self.covers(sent_ns) {
            return;
        }
        let expected = |legs: usize| f64::from(frames) * legs as f64 * audience.share;
        self.sent += u64::from(frames);
        self.full.expected += expected(audience.full);
        self.light.expected += expected(audience.light);
        self.second(sent_ns).expected += expected(audience.full + audience.light);
    }

    /// Notes listeners' frames that the simulated network lost.
    pub fn note_injected(&mut self, at_ns: u64, frames: f64) {
        if self.covers(at_ns) {
            self.injected += frames;
        }
    }

    /// Notes a frame that a listener's socket gave at `heard_ns`.
    pub fn note_heard(&mut self, frame: Frame, heard_ns: u64, hearing: Heard) {
        if !self.covers(frame.sent_ns) {
            return;
        }
        match hearing {
            Heard::New => {
                self.full.heard += 1;
                self.second(frame.sent_ns).heard += 1;
                self.note_latency(frame, heard_ns);
            }
            Heard::Again => self.duplicates += 1,
            Heard::Own => self.echoed += 1,
        }
    }

    /// Notes how long a frame took.
    pub fn note_latency(&mut self, frame: Frame, heard_ns: u64) {
        if self.covers(frame.sent_ns) {
            let took = heard_ns.saturating_sub(frame.sent_ns);
            self.latency.note_ns(took);
            self.second(frame.sent_ns).latency.note_ns(took);
        }
    }

    /// Notes a packet of a full leg by the time of its first frame.
    pub fn note_packet(&mut self, sent_ns: u64) {
        if self.covers(sent_ns) {
            self.full.packets += 1;
            self.second(sent_ns).packets += 1;
        }
    }

    /// Notes a packet of a light leg, sent at about `sent_ns`.
    pub fn note_counted(&mut self, sent_ns: u64, counted: Counted, is_decrypted: bool) {
        if !self.covers(sent_ns) {
            return;
        }
        if !counted.is_new {
            self.duplicates += 1;
            return;
        }
        self.decrypted += u64::from(is_decrypted);
        self.light.packets += 1;
        self.light.heard = self.light.heard.saturating_add_signed(counted.frames);
        let second = self.second(sent_ns);
        second.packets += 1;
        second.heard = second.heard.saturating_add_signed(counted.frames);
    }

    /// Frames heard, each once a listener.
    pub fn heard(&self) -> u64 {
        self.full.heard + self.light.heard
    }

    /// Packets that came.
    pub fn packets(&self) -> u64 {
        self.full.packets + self.light.packets
    }

    /// Frames that should have been heard.
    pub fn expected(&self) -> u64 {
        (self.full.expected + self.light.expected).round() as u64
    }

    /// Frames that somebody should have heard and did not.
    pub fn lost(&self) -> u64 {
        self.expected().saturating_sub(self.heard())
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

const SECOND_NS: u64 = 1_000_000_000;

/// 10 us: finer a second's distribution need not be.
const COARSE_NS: u64 = 10_000;

/// One minute: what takes longer is broken, not slow.
const LONGEST_NS: u64 = 60_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(sent_ns: u64) -> Frame {
        Frame { talker: 1, seq: 0, sent_ns }
    }

    const THREE: Audience = Audience { full: 3, light: 0, share: 1.0 };

    #[test]
    fn what_nobody_heard_is_lost() {
        let mut tally = Tally::new(100, Duration::from_nanos(50));
        tally.note_sent(120, 1, THREE);
        tally.note_heard(frame(120), 130, Heard::New);
        tally.note_heard(frame(120), 131, Heard::Again);
        assert_eq!((tally.sent, tally.heard(), tally.duplicates, tally.lost()), (1, 1, 1, 2));
    }

    #[test]
    fn frames_sent_outside_the_window_do_not_count() {
        let mut tally = Tally::new(100, Duration::from_nanos(50));
        for sent_ns in [99, 150] {
            tally.note_sent(sent_ns, 1, THREE);
            tally.note_heard(frame(sent_ns), 120, Heard::New);
            tally.note_packet(sent_ns);
        }
        assert_eq!((tally.sent, tally.expected(), tally.heard(), tally.packets()), (0, 0, 0, 0));
    }

    #[test]
    fn a_light_leg_hears_what_its_lengths_say() {
        let mut tally = Tally::new(0, Duration::from_secs(2));
        tally.note_sent(5, 3, Audience { full: 0, light: 4, share: 1.0 });
        for _ in 0..3 {
            tally.note_counted(1_000_000_005, Counted { is_new: true, frames: 3 }, false);
        }
        assert_eq!((tally.expected(), tally.heard(), tally.lost()), (12, 9, 3));
        let heard: Vec<u64> = tally.seconds.iter().map(|second| second.heard).collect();
        assert_eq!(heard, [0, 9]);
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
