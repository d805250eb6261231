//! What a receiver report says of a talker's stream (RFC 3550 section 6.4.1, appendix A.3, A.8).

use crate::Time;
use crate::limits::RTP_HZ;

/// Reception statistics of one SSRC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reception {
    base: u64,
    highest: u64,
    received: u64,
    expected_before: u64,
    received_before: u64,
    transit: i64,
    /// 48 kHz samples, times 16.
    jitter_x16: u32,
    /// Of the last report.
    fraction: u8,
}

/// One report's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Lost since the former report, in 256ths.
    pub fraction_lost: u8,
    /// Lost since the start; duplicates count against it, so it may be negative.
    pub total_lost: i32,
    /// Rollover counter and highest sequence.
    pub highest: u32,
    /// 48 kHz samples.
    pub jitter: u32,
}

impl Reception {
    /// Begins with the first packet (`index` = rollover counter and sequence).
    pub fn new(at: Time, index: u64, timestamp: u32) -> Reception {
        Reception {
            base: index,
            highest: index,
            received: 1,
            expected_before: 0,
            received_before: 0,
            transit: transit(at, timestamp),
            jitter_x16: 0,
            fraction: 0,
        }
    }

    pub fn note(&mut self, at: Time, index: u64, timestamp: u32) {
        self.received += 1;
        self.base = self.base.min(index);
        self.highest = self.highest.max(index);
        let transit = transit(at, timestamp);
        // Both clocks wrap at 32 bits: only their difference means something.
        let change = u64::from((transit.wrapping_sub(self.transit) as i32).unsigned_abs());
        self.transit = transit;
        let jitter = u64::from(self.jitter_x16);
        let next = jitter + change - ((jitter + 8) >> 4);
        self.jitter_x16 = u32::try_from(next).unwrap_or(u32::MAX);
    }

    /// Share of packets lost in the last report's time, in 256ths.
    pub fn lost_lately(&self) -> u8 {
        self.fraction
    }

    /// The numbers now; the next fraction counts from here.
    pub fn report(&mut self) -> Report {
        let expected = self.highest - self.base + 1;
        let expected_since = expected.saturating_sub(self.expected_before);
        let received_since = self.received.saturating_sub(self.received_before);
        self.expected_before = expected;
        self.received_before = self.received;
        let lost_since = expected_since.saturating_sub(received_since);
        let fraction = (lost_since * 256).checked_div(expected_since).unwrap_or(0).min(255);
        self.fraction = fraction as u8;
        let total_lost = expected as i64 - self.received as i64;
        Report {
            fraction_lost: fraction as u8,
            total_lost: total_lost.clamp(-(1 << 23), (1 << 23) - 1) as i32,
            highest: self.highest as u32,
            jitter: self.jitter_x16 >> 4,
        }
    }
}

fn transit(at: Time, timestamp: u32) -> i64 {
    (at.as_micros().wrapping_mul(RTP_HZ) / 1_000_000) as i64 - i64::from(timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_micros(millis * 1_000)
    }

    #[test]
    fn a_lost_quarter_is_reported_once() {
        let mut reception = Reception::new(at(0), 10, 0);
        for index in [11, 12, 14, 15, 16, 18, 19] {
            reception.note(at((index - 10) * 20), index, (index as u32 - 10) * 960);
        }
        let report = reception.report();
        assert_eq!((report.fraction_lost, report.total_lost, report.highest), (51, 2, 19));
        reception.note(at(200), 20, 9_600);
        assert_eq!(reception.report().fraction_lost, 0);
    }

    #[test]
    fn a_steady_stream_has_no_jitter_though_its_timestamp_wraps() {
        let start = u32::MAX - 2_000;
        let mut reception = Reception::new(at(0), 0, start);
        for index in 1..50 {
            reception.note(at(index * 20), index, start.wrapping_add(index as u32 * 960));
        }
        assert_eq!(reception.report().jitter, 0);
    }

    #[test]
    fn late_packets_show_as_jitter() {
        let mut reception = Reception::new(at(0), 0, 0);
        for index in 1..200 {
            let late = if index % 2 == 0 { 10 } else { 0 };
            reception.note(at(index * 20 + late), index, index as u32 * 960);
        }
        let jitter = reception.report().jitter;
        assert!((400..=500).contains(&jitter), "10 ms are 480 samples: {jitter}");
    }

    #[test]
    fn duplicates_do_not_underflow() {
        let mut reception = Reception::new(at(0), 5, 0);
        for _ in 0..10 {
            reception.note(at(1), 5, 0);
        }
        assert_eq!(reception.report().total_lost, -10);
    }
}
