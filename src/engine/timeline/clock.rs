//! From a voice's sample axis to the call's time. The two clocks are two crystals: they part by up
//! to 100 ppm each, 0.7 s in two hours, and what is seen of it is blurred by the network's jitter.
//! The packets that were least delayed lie on the line that is looked for.

use alloc::vec::Vec;

use crate::Time;
use crate::limits::{CLOCK_SLOPE_PPM, RTP_HZ};

/// This sample of the axis was said at that time, as far as the packets show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockPoint {
    pub sample: u64,
    pub at: Time,
    /// What came before has another clock: a new SSRC, a sender that set its timestamps anew.
    pub is_anew: bool,
}

/// A track's clock: the lower envelope of its points.
#[derive(Clone, Debug, Default)]
pub struct ClockMap {
    knots: Vec<Knot>,
}

/// A sample, and how far its time lies behind the sample's own, in microseconds.
#[derive(Clone, Copy, Debug)]
struct Knot {
    sample: u64,
    delay_us: i64,
    is_anew: bool,
}

impl ClockMap {
    /// `points` in the order of their samples; others are left out.
    pub fn new(points: &[ClockPoint]) -> ClockMap {
        let mut knots: Vec<Knot> = Vec::with_capacity(points.len());
        for point in points {
            if knots.last().is_some_and(|last| last.sample > point.sample) {
                continue;
            }
            let delay_us = point.at.as_micros() as i64 - micros_of(point.sample);
            knots.push(Knot { sample: point.sample, delay_us, is_anew: point.is_anew });
        }
        lower(&mut knots);
        ClockMap { knots }
    }

    /// Samples and the microseconds in which they were said; straight lines between, and a break
    /// before a clock that begins anew.
    pub fn knots(&self) -> impl Iterator<Item = (u64, i64)> {
        self.knots.iter().map(|knot| (knot.sample, micros_of(knot.sample) + knot.delay_us))
    }

    /// When a sample was said, in microseconds of the call's time; `None` for a map without a
    /// point. Negative before the recording began.
    pub fn at_us(&self, sample: u64) -> Option<i64> {
        let after = self.knots.partition_point(|knot| knot.sample <= sample);
        let next = self.knots.get(after);
        let delay_us = match (after.checked_sub(1).map(|at| self.knots[at]), next) {
            (Some(from), Some(to)) if !to.is_anew => {
                let (span, done) = (to.sample - from.sample, sample - from.sample);
                let part = i128::from(to.delay_us - from.delay_us) * i128::from(done);
                from.delay_us + (part / i128::from(span.max(1))) as i64
            }
            (Some(knot), _) => knot.delay_us,
            (None, Some(knot)) => knot.delay_us,
            (None, None) => return None,
        };
        Some(micros_of(sample) + delay_us)
    }
}

/// Lowers each knot to what its neighbours allow: no clock runs faster away than the slope.
fn lower(knots: &mut [Knot]) {
    let reach = |from: Knot, to: Knot| {
        let span = micros_of(to.sample.abs_diff(from.sample));
        from.delay_us + span * CLOCK_SLOPE_PPM / 1_000_000
    };
    for at in 1..knots.len() {
        if !knots[at].is_anew {
            knots[at].delay_us = knots[at].delay_us.min(reach(knots[at - 1], knots[at]));
        }
    }
    for at in (1..knots.len()).rev() {
        if !knots[at].is_anew {
            knots[at - 1].delay_us = knots[at - 1].delay_us.min(reach(knots[at], knots[at - 1]));
        }
    }
}

fn micros_of(sample: u64) -> i64 {
    (u128::from(sample) * 1_000_000 / u128::from(RTP_HZ)) as i64
}
