//! What a worker tells the calls: each change of a leg's link once, each change of its tracks.
//! A call that has no room is told again later; of each kind only the newest notice a leg waits.

use std::time::{Duration, Instant};

use engine::LegId;
use engine::call::Seen;
use engine::routes::{Routes, Turn};

use super::leg::Told;
use super::worker::Worker;
use super::{CallNo, Notice, NoticeSink, Step};

impl Worker {
    /// Tells a change of a leg's link once.
    pub fn tell_link(&mut self, seat: u32, told: Told) {
        let Some(leg) = self.seats.at_mut(seat) else { return };
        let seen = match told {
            Told::Nothing => return,
            Told::Alive => Seen::Alive,
            Told::Silent => Seen::Silent,
            Told::Closed => Seen::Closed,
            Told::Ended => Seen::Ended,
        };
        if leg.life.told == told || matches!(leg.life.told, Told::Closed | Told::Ended) {
            return;
        }
        leg.life.told = told;
        let (sink, notice) = (leg.notices.clone(), Notice::Link { leg: leg.id, seen });
        self.tell(sink, notice);
    }

    pub fn tell_tracks(&mut self) {
        let changed: Vec<_> = self.calls.values_mut().flat_map(Routes::take_tracks).collect();
        for tracks in changed {
            let Some((_, leg)) = self.leg_mut(tracks.leg) else { continue };
            let sink = leg.notices.clone();
            self.tell(sink, Notice::Tracks { leg: tracks.leg, slots: tracks.slots });
        }
    }

    /// Who began and who ceased to talk in one call.
    pub fn tell_turns(&mut self, call: CallNo) {
        let turns = self.calls.get_mut(&call).map(Routes::take_turns).unwrap_or_default();
        for Turn { leg: id, level } in turns {
            let Some((_, leg)) = self.leg_mut(id) else { continue };
            let sink = leg.notices.clone();
            self.tell(sink, Notice::Talking { leg: id, level });
        }
    }

    pub fn tell_all_turns(&mut self) {
        let has_turns = |(call, routes): (&CallNo, &Routes)| routes.has_turns().then_some(*call);
        let calls: Vec<CallNo> = self.calls.iter().filter_map(has_turns).collect();
        for call in calls {
            self.tell_turns(call);
        }
    }

    pub fn tell_step(&mut self, seat: u32, step: Step) {
        let Some(leg) = self.seats.at(seat) else { return };
        let (sink, leg, at) = (leg.notices.clone(), leg.id, Instant::now());
        self.tell(sink, Notice::Reached { leg, step, at });
    }

    pub fn tell_certificate(&mut self, seat: u32, fingerprint: String) {
        let Some(leg) = self.seats.at(seat) else { return };
        let (sink, leg) = (leg.notices.clone(), leg.id);
        self.tell(sink, Notice::Certified { leg, fingerprint });
    }

    /// Told of a call, by any leg of it.
    pub fn tell_bundled(&mut self, call: CallNo, span: Option<Duration>) {
        let mut legs = (0..self.seats.width()).filter_map(|seat| self.seats.at(seat));
        let Some(leg) = legs.find(|leg| leg.call == call) else { return };
        let (sink, notice) = (leg.notices.clone(), Notice::Bundled { leg: leg.id, span });
        self.tell(sink, notice);
    }

    /// Tells, or keeps the notice in place of an older one of its kind: nine a leg at most.
    fn tell(&mut self, sink: NoticeSink, notice: Notice) {
        let kept = self.untold.iter_mut().find(|(_, kept)| kept.is_superseded_by(&notice));
        match kept {
            Some((_, kept)) => *kept = notice,
            None => {
                if let Err(notice) = sink(notice) {
                    self.untold.push((sink, notice));
                }
            }
        }
    }

    pub fn retell(&mut self) {
        for (sink, notice) in std::mem::take(&mut self.untold) {
            self.tell(sink, notice);
        }
    }
}

impl Notice {
    pub(super) fn leg(&self) -> LegId {
        match self {
            Notice::Link { leg, .. }
            | Notice::Tracks { leg, .. }
            | Notice::Talking { leg, .. }
            | Notice::Certified { leg, .. }
            | Notice::Bundled { leg, .. }
            | Notice::Reached { leg, .. } => *leg,
        }
    }

    fn is_superseded_by(&self, newer: &Notice) -> bool {
        let is_same_kind = std::mem::discriminant(self) == std::mem::discriminant(newer);
        let is_same_step = match (self, newer) {
            (Notice::Reached { step, .. }, Notice::Reached { step: newer, .. }) => step == newer,
            _ => true,
        };
        is_same_kind && is_same_step && self.leg() == newer.leg()
    }
}
