//! Window: the time that is measured, second by second. Knows no legs: counts are brought to its
//! tally, and so is the time.

use std::time::{Duration, Instant};

use crate::cpu;
use crate::notice::{LastSecond, Measured};
use crate::tally::Tally;
use crate::voice::nanos;

pub enum Window {
    Shut,
    Open {
        tally: Box<Tally>,
        from: Instant,
        until: Instant,
        cpu_before: Duration,
        /// Seconds told so far.
        told: usize,
    },
    /// Over, but the last packets may still be under way.
    Settling {
        measured: Box<Measured>,
        until: Instant,
    },
}

/// What has become of a window.
pub enum Turn {
    Nothing,
    /// A second is over, and what was sent in it has mostly come.
    Second(LastSecond),
    /// It is over; what comes from now on does not count, unless it was sent before.
    Ends,
    /// What was under way has come.
    Over(Box<Measured>),
}

impl Window {
    pub fn open(now: Instant, length: Duration) -> Self {
        Self::Open {
            tally: Box::new(Tally::new(nanos(now), length)),
            from: now,
            until: now + length,
            cpu_before: cpu::of_this_thread(),
            told: 0,
        }
    }

    pub fn tally(&mut self) -> Option<&mut Tally> {
        match self {
            Self::Shut => None,
            Self::Open { tally, .. } => Some(tally),
            Self::Settling { measured, .. } => Some(&mut measured.tally),
        }
    }

    /// Lets time pass.
    pub fn turn(&mut self, now: Instant) -> Turn {
        if let Self::Open { tally, from, until, told, .. } = self {
            let over = *from + SECOND * (*told as u32 + 1);
            if over + LAG <= now && over <= *until {
                let second = &tally.seconds[*told];
                *told += 1;
                return Turn::Second(LastSecond::of(second));
            }
            if *until > now {
                return Turn::Nothing;
            }
        }
        match std::mem::replace(self, Self::Shut) {
            Self::Open { tally, cpu_before, .. } => {
                let media_cpu = cpu::of_this_thread() - cpu_before;
                let measured = Box::new(Measured { tally: *tally, media_cpu });
                *self = Self::Settling { measured, until: now + STRAGGLERS };
                Turn::Ends
            }
            Self::Settling { measured, until } if until <= now => Turn::Over(measured),
            other => {
                *self = other;
                Turn::Nothing
            }
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// A second is told so much later than it ends.
const LAG: Duration = Duration::from_millis(100);

/// How long packets of a window may still arrive after it.
const STRAGGLERS: Duration = Duration::from_millis(500);
