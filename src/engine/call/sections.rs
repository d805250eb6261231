//! How many sections a leg has, and when the server offers more (PROTOCOL.md section 4.3): one
//! outstanding offer a device, the first only once the leg is connected; impolite for 5 s.

use super::Refusal;
use crate::Time;
use crate::limits::{GLARE_IMPOLITE, OFFER_RETRY};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sections {
    /// Never renegotiated by us.
    Fixed,
    Settled {
        slots: usize,
    },
    Offered {
        slots: usize,
        wanted: usize,
        at: Time,
    },
}

impl Sections {
    /// How many slots to offer now, if another offer is due.
    pub(super) fn due(&mut self, now: Time, wanted: usize) -> Option<usize> {
        let slots = match *self {
            Sections::Fixed => return None,
            Sections::Settled { slots } => slots,
            Sections::Offered { slots, at, .. } if now.since(at) >= OFFER_RETRY => slots,
            Sections::Offered { .. } => return None,
        };
        if wanted <= slots {
            return None;
        }
        *self = Sections::Offered { slots, wanted, at: now };
        Some(wanted)
    }

    /// The client answered. One that took fewer than offered is not asked again.
    pub(super) fn answered(&mut self, slots: usize) {
        *self = match *self {
            Sections::Fixed => Sections::Fixed,
            Sections::Offered { wanted, .. } if slots < wanted => Sections::Fixed,
            Sections::Settled { .. } | Sections::Offered { .. } => Sections::Settled { slots },
        };
    }

    /// A client's offer: refused while ours is young, else ours is withdrawn.
    pub(super) fn reoffered(&mut self, now: Time, slots: usize) -> Result<(), Refusal> {
        match *self {
            Sections::Offered { at, .. } if now.since(at) < GLARE_IMPOLITE => {
                return Err(Refusal::Glare);
            }
            Sections::Fixed => {}
            Sections::Settled { .. } | Sections::Offered { .. } => {
                *self = Sections::Settled { slots };
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::time::Duration;

    const START: Time = Time::ZERO;

    #[test]
    fn one_offer_is_outstanding_at_a_time() {
        let mut sections = Sections::Settled { slots: 1 };
        assert_eq!(sections.due(START, 2), Some(2));
        assert_eq!(sections.due(START, 3), None);
        sections.answered(2);
        assert_eq!(sections.due(START, 2), None);
        assert_eq!(sections.due(START, 3), Some(3));
    }

    #[test]
    fn an_unanswered_offer_is_repeated_only_after_its_time() {
        let mut sections = Sections::Settled { slots: 1 };
        sections.due(START, 2);
        assert_eq!(sections.due(START + Duration::from_secs(9), 3), None);
        assert_eq!(sections.due(START + OFFER_RETRY, 3), Some(3));
    }

    #[test]
    fn glare_is_refused_while_our_offer_is_young() {
        let mut sections = Sections::Settled { slots: 1 };
        sections.due(START, 2);
        let young = START + Duration::from_millis(4_999);
        assert_eq!(sections.reoffered(young, 1), Err(Refusal::Glare));
        assert_eq!(sections.reoffered(START + GLARE_IMPOLITE, 1), Ok(()));
        assert_eq!(sections, Sections::Settled { slots: 1 });
    }

    #[test]
    fn a_client_that_takes_fewer_is_left_alone() {
        let mut sections = Sections::Settled { slots: 1 };
        sections.due(START, 3);
        sections.answered(2);
        assert_eq!(sections.due(START + OFFER_RETRY, 3), None);
    }
}
