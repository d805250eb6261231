//! How long to wait before what failed is tried again: longer each time, never in step with others
//! that failed with us.

use std::time::Duration;

/// See the module's words.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    pub first: Duration,
    pub most: Duration,
}

impl Backoff {
    /// After so many failures in a row, from 1. `chance` takes up to half of it away.
    pub fn wait(self, failures: u32, chance: u8) -> Duration {
        let doubled = 1_u32.checked_shl(failures.saturating_sub(1)).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(doubled).min(self.most);
        whole - whole.mul_f64(f64::from(chance) / 512.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_most_and_chance_takes_less_than_half() {
        let backoff = Backoff { first: Duration::from_secs(1), most: Duration::from_secs(300) };
        let waits =
            [1, 2, 3, 9, 10, 33, u32::MAX].map(|failures| backoff.wait(failures, 0).as_secs());
        assert_eq!(waits, [1, 2, 4, 256, 300, 300, 300]);
        let least = backoff.wait(10, u8::MAX);
        assert!(least > Duration::from_secs(150) && least < Duration::from_secs(151), "{least:?}");
    }
}
