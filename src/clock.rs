//! The one place that reads the wall clock, and that makes the engine's time of the machine's
//! monotonic one.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use engine::{Now, Time, Wall};

/// Both clocks; copies of one clock agree on [`Time`].
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    pub fn now(&self) -> Now {
        Now { time: self.time_at(Instant::now()), wall: wall() }
    }

    /// The engine's time of a moment.
    pub fn time_at(&self, moment: Instant) -> Time {
        Time::from_micros(moment.saturating_duration_since(self.start).as_micros() as u64)
    }

    /// The moment of an engine's time, for a timer.
    pub fn moment_of(&self, time: Time) -> Instant {
        self.start + std::time::Duration::from_micros(time.as_micros())
    }
}

/// Unix time. Before 1970 it stands at 0.
pub fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
