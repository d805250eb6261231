//! What a worker tells the calls: each change of a leg's link once, each change of its tracks.
//! A call that has no room is told again later; of each kind only the newest notice a leg waits.

use engine::LegId;
use engine::call::Seen;
use engine::routes::Routes;

use super::leg::Told;
use super::worker::Worker;
use super::{Notice, NoticeSink};

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

    /// Tells, or keeps the notice in place of an older one of its kind: two a leg at most.
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
            Notice::Link { leg, .. } | Notice::Tracks { leg, .. } => *leg,
        }
    }

    fn is_superseded_by(&self, newer: &Notice) -> bool {
        match (self, newer) {
            (Notice::Link { leg, .. }, Notice::Link { leg: newer, .. })
            | (Notice::Tracks { leg, .. }, Notice::Tracks { leg: newer, .. }) => leg == newer,
            (Notice::Link { .. }, Notice::Tracks { .. })
            | (Notice::Tracks { .. }, Notice::Link { .. }) => false,
        }
    }
}
