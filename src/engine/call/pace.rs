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
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// When the next one goes; `None`: everybody knows.
    due: Option<Time>,
    /// From when on one may go.
    next: Time,
    /// From when on one may go for the roster's sake alone.
    next_roster: Time,
}

impl Pace {
    /// Of a call that told nobody anything yet.
    pub fn new(now: Time) -> Pace {
        Pace { due: None, next: now, next_roster: now }
    }

    /// A state goes now, to a call of so many.
    pub fn told(&mut self, now: Time, onliners: usize) {
        let (next, next_roster) = intervals(onliners);
        *self = Pace { due: None, next: now + next, next_roster: now + next_roster };
    }

    pub fn changed(&mut self, now: Time, what: Change) {
        let from = match what {
            Change::Roster => self.next_roster,
            Change::Deed => self.next,
        };
        let at = from.max(now);
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    pub fn due(&self) -> Option<Time> {
        self.due
    }
}

/// Between two states; between two that tell of the roster alone.
fn intervals(onliners: usize) -> (Duration, Duration) {
    let interval = match onliners {
        0..=50 => STATE_INTERVAL,
        51..=200 => STATE_INTERVAL_ABOVE_50,
        _ => STATE_INTERVAL_ABOVE_200,
    };
    let count = u32::try_from(onliners).unwrap_or(u32::MAX);
    let pairs = count.saturating_mul(count);
    (interval, interval.max(ROSTER_INTERVAL_A_PAIR.saturating_mul(pairs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_a_state(onliners: usize, what: Change) -> Duration {
        let mut pace = Pace::new(Time::ZERO);
        pace.told(Time::ZERO, onliners);
        pace.changed(Time::ZERO, what);
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
        let mut pace = Pace::new(Time::ZERO);
        pace.changed(Time::ZERO, Change::Roster);
        assert_eq!(pace.due(), Some(Time::ZERO), "the first state goes at once");
        pace.told(Time::ZERO, 3_000);
        assert_eq!(pace.due(), None);
        let at = |millis| Time::ZERO + Duration::from_millis(millis);
        pace.changed(at(10), Change::Roster);
        pace.changed(at(20), Change::Deed);
        pace.changed(at(30), Change::Roster);
        assert_eq!(pace.due(), Some(at(1_000)));
        pace.told(at(1_000), 3_000);
        pace.changed(at(40_000), Change::Roster);
        assert_eq!(pace.due(), Some(at(40_000)), "none went lately");
    }
}
