//! Seat: one leg with its ears. Says what a frame is to this listener, and what he lacks.

use std::time::Duration;

use crate::hearing::{Gaps, Hearing};
use crate::leg::Leg;
use crate::light::Light;
use crate::tally::{Heard, Tally};
use crate::voice::{BotId, Frame};

pub struct Seat {
    pub leg: Leg,
    pub link: Link,
    ears: Ears,
    has_heard: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Connecting,
    Connected {
        since_ns: u64,
    },
    /// Gone by its own will: hears what was sent before.
    Leaving {
        left_ns: u64,
    },
}

enum Ears {
    /// By talker.
    Full(Vec<(BotId, Hearing)>),
    Light(Light),
}

impl Seat {
    pub fn new(leg: Leg) -> Self {
        let ears = match leg.light {
            Some(one_in) => Ears::Light(Light::new(one_in)),
            None => Ears::Full(Vec::new()),
        };
        Self { leg, link: Link::Connecting, ears, has_heard: false }
    }

    /// The counter of a light leg that is connected.
    pub fn light(&mut self) -> Option<&mut Light> {
        match (&mut self.ears, self.link) {
            (Ears::Light(light), Link::Connected { .. }) => Some(light),
            _ => None,
        }
    }

    /// How long time need not drive it again: str0m may name a time that is already past.
    pub fn rest(&self) -> Duration {
        match (&self.ears, self.link) {
            (Ears::Light(_), Link::Connected { .. }) => LIGHT_REST,
            _ => REST,
        }
    }

    /// Whether this is the first voice that the seat hears.
    pub fn is_first_voice(&mut self) -> bool {
        !std::mem::replace(&mut self.has_heard, true)
    }

    /// Whether the listener was in the call when this was said. A server may let him hear a
    /// little of what was said before, and something is under way when he leaves.
    pub fn is_for(&self, frame: Frame) -> bool {
        match self.link {
            Link::Connecting => false,
            Link::Connected { since_ns } => frame.sent_ns >= since_ns,
            Link::Leaving { left_ns } => frame.sent_ns < left_ns,
        }
    }

    /// What a frame that was decrypted is to this listener; `None` where its header has told.
    pub fn listen(&mut self, frame: Frame, gaps: &mut Gaps) -> Option<Heard> {
        let Ears::Full(ears) = &mut self.ears else {
            return None;
        };
        if frame.talker == self.leg.bot {
            return Some(Heard::Own);
        }
        let known = ears.iter().position(|(talker, _)| *talker == frame.talker);
        let at = known.unwrap_or_else(|| {
            ears.push((frame.talker, Hearing::default()));
            ears.len() - 1
        });
        Some(if ears[at].1.is_new(frame.seq, gaps) { Heard::New } else { Heard::Again })
    }

    /// Everything up to here is told to `tally`, or forgotten.
    pub fn settle(&mut self, tally: Option<&mut Tally>) {
        self.mark();
        let mut forgotten = (Gaps::default(), Gaps::default());
        let (full, light) = match tally {
            Some(tally) => (&mut tally.gaps, &mut tally.light_gaps),
            None => (&mut forgotten.0, &mut forgotten.1),
        };
        self.settle_marked(full, light);
    }

    /// Marks how far it has heard.
    pub fn mark(&mut self) {
        self.hearings(Hearing::mark);
    }

    /// Tells what is missing up to the mark.
    pub fn settle_marked(&mut self, full: &mut Gaps, light: &mut Gaps) {
        let gaps = if let Ears::Full(_) = self.ears { full } else { light };
        self.hearings(|hearing| hearing.settle(gaps));
    }

    fn hearings(&mut self, then: impl FnMut(&mut Hearing)) {
        match &mut self.ears {
            Ears::Full(ears) => ears.iter_mut().map(|(_, hearing)| hearing).for_each(then),
            Ears::Light(light) => light.hearings().for_each(then),
        }
    }
}

const REST: Duration = Duration::from_micros(200);

/// A light leg only has to answer for its path, which a twentieth of a second later does too.
const LIGHT_REST: Duration = Duration::from_millis(50);
