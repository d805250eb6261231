//! How busy a worker's thread is.

use std::time::Duration;

use engine::Time;
use rustix::time::{ClockId, clock_gettime};

/// The CPU time that the thread had, when it was last asked.
#[derive(Default)]
pub(super) struct Busy {
    cpu: Duration,
    at: Time,
}

impl Busy {
    /// The share of one CPU that this thread had since it was last asked, in percent; what it had
    /// before the first time is not told.
    pub fn percent(&mut self, now: Time) -> u32 {
        let cpu = thread_cpu();
        let (spent, passed) = (cpu.saturating_sub(self.cpu), now.since(self.at));
        let is_first = self.at == Time::ZERO;
        (self.cpu, self.at) = (cpu, now);
        if is_first || passed.is_zero() {
            return 0;
        }
        (spent.as_micros() * 100 / passed.as_micros().max(1)).min(100) as u32
    }
}

fn thread_cpu() -> Duration {
    let spent = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(spent.tv_sec.max(0) as u64, spent.tv_nsec.max(0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_all_the_time_is_busy() {
        let mut busy = Busy::default();
        let spend = || {
            let begun = thread_cpu();
            while thread_cpu() - begun < Duration::from_millis(5) {
                std::hint::spin_loop();
            }
        };
        assert_eq!(busy.percent(Time::from_micros(1)), 0);
        spend();
        // Of 20 ms at least 5.
        assert!(busy.percent(Time::from_micros(20_001)) >= 25);
    }
}
