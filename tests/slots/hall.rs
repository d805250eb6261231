//! A call's way of voices without network: routes, rings and streams, used as the media worker
//! uses them (`src/media/ingress.rs`, `fanout.rs`).

use std::collections::VecDeque;

use engine::ring::{Kept, Ring};
use engine::routes::{Permits, Routes};
use engine::slots::{Arrival, Holder, Newest, Stream};
use engine::talking::Said;
use engine::{LegId, Level, Time};

pub struct Hall {
    pub routes: Routes,
    rings: Vec<Ring>,
    streams: Vec<Vec<Stream>>,
}

/// One 20 ms frame of a voice: the `index`-th that its person sends.
#[derive(Clone, Copy, Debug)]
pub struct Spoken {
    pub person: usize,
    pub index: u64,
    pub at: Time,
    pub level: u8,
    pub is_silence: bool,
    pub is_voiceless: bool,
}

/// A frame that went to a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Went {
    pub listener: usize,
    pub index: u64,
}

impl Hall {
    /// People who all may speak, each with so many slots.
    pub fn of(people: usize, slots: usize) -> Hall {
        let mut routes = Routes::default();
        for person in 0..people {
            routes.join(LegId(person as u64), person as u32, slots, true);
        }
        let audible = (0..people as u64).map(LegId).collect();
        routes.permit(Permits { version: 1, audible, ..Permits::default() });
        let streams = (0..people).map(|_| vec![Stream::new(0, 0); slots]).collect();
        Hall { routes, rings: vec![Ring::default(); people], streams }
    }

    /// One frame comes in; gives what goes out.
    pub fn hear(&mut self, spoken: Spoken) -> Vec<Went> {
        let Spoken { person, index, at, is_silence, is_voiceless, .. } = spoken;
        let (leg, level) = (LegId(person as u64), Level::from_extension(spoken.level));
        self.routes.hear(leg, Said { at, level, samples: 960, is_silence, is_voiceless });
        let Some((voice, places)) = self.routes.of(leg) else { return Vec::new() };
        let timestamp = index as u32 * 960;
        let arrival = Arrival { at, index, timestamp, marker: false };
        let newest = Kept { arrival, level: Some(level), payload: vec![0] };
        let kept: VecDeque<Kept> = match self.routes.is_scarce() {
            true => {
                self.rings[person].keep(voice, arrival, Some(level), &[0]);
                self.rings[person].of(voice).clone()
            }
            false => VecDeque::from([newest.clone()]),
        };
        let mut went = Vec::new();
        for route in places {
            let listener = route.seat as usize;
            let streams = &mut self.streams[listener];
            let unheard = streams.iter().map(|it| it.unheard_from(voice)).max().unwrap_or(0);
            let stream = &mut streams[usize::from(route.slot)];
            let holder = Holder { voice, turn: route.turn };
            let due: Vec<Arrival> = match stream.is_live(holder) {
                true => vec![arrival],
                false => {
                    let newest = Newest { index, unheard, may_catch_up: true };
                    let owed = stream.owed(holder, &kept, newest);
                    kept.range(owed).map(|kept| kept.arrival).collect()
                }
            };
            for arrival in due {
                if stream.stamp(holder, arrival, 1).is_ok() {
                    went.push(Went { listener, index: arrival.index });
                }
            }
        }
        went
    }

    /// Whose voice each slot of a listener carries.
    pub fn slots(&self, listener: usize) -> Vec<Option<usize>> {
        let slots = self.routes.slots(LegId(listener as u64));
        slots.into_iter().map(|held| held.map(|leg| leg.0 as usize)).collect()
    }
}
