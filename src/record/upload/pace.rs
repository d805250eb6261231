//! How long to wait before a store is asked again that failed: longer each time, never in step with
//! others that failed with us.

use std::time::Duration;

use crate::limits::{STORE_RETRY_FIRST, STORE_RETRY_MOST};

/// See the module's words.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    pub first: Duration,
    pub most: Duration,
}

pub const PACE: Pace = Pace { first: STORE_RETRY_FIRST, most: STORE_RETRY_MOST };

impl Pace {
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
        let pace = Pace { first: Duration::from_secs(1), most: Duration::from_secs(300) };
        let waits = [1, 2, 3, 9, 10, 33, u32::MAX].map(|failures| pace.wait(failures, 0).as_secs());
        assert_eq!(waits, [1, 2, 4, 256, 300, 300, 300]);
        let least = pace.wait(10, u8::MAX);
        assert!(least > Duration::from_secs(150) && least < Duration::from_secs(151), "{least:?}");
    }
}
