//! When the states of a call go: at once where none went lately, else together, as seldom as its
//! size asks for.

use core::time::Duration;

use crate::Time;
use crate::limits::{
    ROSTER_INTERVAL_A_PAIR, STATE_INTERVAL, STATE_INTERVAL_ABOVE_50, STATE_INTERVAL_ABOVE_200,
};

/// What of a state has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Who is there, and how connected: in a very large call somebody always comes or goes.
    Roster,
    /// What people did: they look for it at once.
    Deed,
}

/// The pace of one call's states.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    /// When the next one goes; `None`: everybody knows.
    due: Option<Time>,
    /// When the last one went.
    told_at: Option<Time>,
}

impl Pace {
    /// A state goes now.
    pub fn told(&mut self, now: Time) {
        *self = Pace { due: None, told_at: Some(now) };
    }

    /// Something changed in a call that has so many onliners now.
    pub fn changed(&mut self, now: Time, what: Change, onliners: usize) {
        let at = self.told_at.map_or(now, |told_at| now.max(told_at + interval(what, onliners)));
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    pub fn due(&self) -> Option<Time> {
        self.due
    }
}

/// Between two states.
fn interval(what: Change, onliners: usize) -> Duration {
    let interval = match onliners {
        0..=50 => STATE_INTERVAL,
        51..=200 => STATE_INTERVAL_ABOVE_50,
        _ => STATE_INTERVAL_ABOVE_200,
    };
    let count = u32::try_from(onliners).unwrap_or(u32::MAX);
    match what {
        Change::Deed => interval,
        Change::Roster => {
            interval.max(ROSTER_INTERVAL_A_PAIR.saturating_mul(count.saturating_mul(count)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_a_state(onliners: usize, what: Change) -> Duration {
        let mut pace = Pace::default();
        pace.told(Time::ZERO);
        pace.changed(Time::ZERO, what, onliners);
        pace.due().expect("it changed").since(Time::ZERO)
    }

    #[test]
    fn the_larger_a_call_the_fewer_its_states() {
        let millis = |onliners, what| after_a_state(onliners, what).as_millis();
        for (onliners, deed, roster) in [
            (1, 100, 100),
            (50, 100, 100),
            (51, 250, 250),
            (200, 250, 250),
            (201, 1_000, 1_000),
            (632, 1_000, 1_000),
            (1_000, 1_000, 2_500),
            (3_000, 1_000, 22_500),
        ] {
            assert_eq!(
                (millis(onliners, Change::Deed), millis(onliners, Change::Roster)),
                (deed, roster)
            );
        }
    }

    #[test]
    fn a_deed_takes_the_roster_along() {
        let mut pace = Pace::default();
        pace.changed(Time::ZERO, Change::Roster, 3_000);
        assert_eq!(pace.due(), Some(Time::ZERO), "the first state goes at once");
        pace.told(Time::ZERO);
        assert_eq!(pace.due(), None);
        let at = |millis| Time::ZERO + Duration::from_millis(millis);
        pace.changed(at(10), Change::Roster, 3_000);
        pace.changed(at(20), Change::Deed, 3_000);
        pace.changed(at(30), Change::Roster, 3_000);
        assert_eq!(pace.due(), Some(at(1_000)));
        pace.told(at(1_000));
        pace.changed(at(40_000), Change::Roster, 3_000);
        assert_eq!(pace.due(), Some(at(40_000)), "none went lately");
    }

    #[test]
    fn whoever_stays_after_a_large_call_does_not_wait_for_its_pace() {
        let mut pace = Pace::default();
        pace.told(Time::ZERO);
        let at = |millis| Time::ZERO + Duration::from_millis(millis);
        for (millis, onliners) in [(10, 2_999), (500, 1_000), (600, 5)] {
            pace.changed(at(millis), Change::Roster, onliners);
        }
        assert_eq!(pace.due(), Some(at(600)));
    }
}
