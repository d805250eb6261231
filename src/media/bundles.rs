//! Bundles on their way out ([`engine::bundles`]): which calls have them, who of a call hears
//! them, and the end of a tick. A large call's listeners are served in portions, so that other
//! calls' packets do not wait for them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use arrayvec::ArrayVec;
use engine::bundles::{Bundle, Bundles};
use engine::limits::BUNDLE_VOICES_MAX;
use engine::ring::Ring;
use engine::routes::{Route, Routes};
use engine::{LegId, Time};

use super::busy::Busy;
use super::departing::{Rings, give_ring, take_ring};
use super::fanout::{Departure, FanOut, Kin, Sound, Speaking};
use super::leg::Leg;
use super::seats::Seats;
use super::worker::Worker;
use super::{BundleSpec, CallNo};
use crate::limits::{BUNDLE_LISTENERS_A_TURN, BUNDLE_RELIEF_PERCENT};

/// The calls of a worker whose listeners hear bundles.
pub(super) struct Bundling {
    spec: BundleSpec,
    calls: HashMap<CallNo, Ticking>,
    busy: Busy,
}

/// One call's ticks.
struct Ticking {
    bundles: Bundles,
    /// The first listener, by rank, who has not had what is leaving.
    next: u32,
}

impl Bundling {
    pub fn new(spec: BundleSpec) -> Bundling {
        Bundling { spec, calls: HashMap::new(), busy: Busy::default() }
    }

    /// The call's ticks, where it has them.
    pub fn of(&mut self, call: CallNo) -> Option<&mut Bundles> {
        self.calls.get_mut(&call).map(|ticking| &mut ticking.bundles)
    }

    /// Whether the call's tick should have ended by now, and can.
    pub fn is_late(&self, call: CallNo, now: Time) -> bool {
        let ticking = self.calls.get(&call).filter(|ticking| !ticking.is_leaving());
        ticking.is_some_and(|ticking| ticking.is_due(now))
    }

    /// The length of a call's ticks.
    pub fn span(&self, call: CallNo) -> Option<Duration> {
        self.calls.get(&call).map(|ticking| ticking.bundles.span())
    }

    /// When something is to be done.
    pub fn due(&self) -> Option<Time> {
        self.calls.values().filter_map(Ticking::due).min()
    }

    /// Whether so much loss, in 256ths, is too much for long packets.
    pub fn is_lossy(&self, lost: u8) -> bool {
        u32::from(lost) * 100 > self.spec.loss_percent * 256
    }

    pub fn close(&mut self, call: CallNo) {
        self.calls.remove(&call);
    }

    fn calls_where(&self, is_so: impl Fn(&Ticking) -> bool) -> Vec<CallNo> {
        let found = self.calls.iter().filter(|(_, ticking)| is_so(ticking));
        found.map(|(call, _)| *call).collect()
    }
}

impl Ticking {
    /// When something is to be done.
    fn due(&self) -> Option<Time> {
        if self.is_leaving() { Some(Time::ZERO) } else { self.bundles.due() }
    }

    fn is_due(&self, now: Time) -> bool {
        self.due().is_some_and(|due| due <= now)
    }

    /// Some listeners have not had what the last tick brought.
    fn is_leaving(&self) -> bool {
        !self.bundles.leaving().is_empty()
    }
}

impl Worker {
    /// Ends the ticks whose time has come, and serves a portion of each call's listeners.
    pub fn send_bundles(&mut self, now: Time) {
        for call in self.bundling.calls_where(|ticking| ticking.is_due(now)) {
            if let Some(ticking) = self.bundling.calls.get_mut(&call)
                && !ticking.is_leaving()
            {
                ticking.bundles.end(now, |seat| ring_at(&self.seats, seat));
                ticking.next = 0;
            }
            self.send_portion(call, BUNDLE_LISTENERS_A_TURN);
        }
    }

    /// Whatever is leaving leaves now: before anybody's place or slots change.
    pub fn finish_bundles(&mut self) {
        for call in self.bundling.calls_where(Ticking::is_leaving) {
            self.send_portion(call, usize::MAX);
        }
    }

    /// Sends what is leaving to the next `most` listeners.
    fn send_portion(&mut self, call: CallNo, most: usize) {
        let Some(ticking) = self.bundling.calls.get_mut(&call) else { return };
        let Some(routes) = self.calls.get(&call) else { return };
        let lines = lines(ticking.bundles.leaving(), |leg| {
            // Who was muted meanwhile has none.
            let (_, routes) = routes.bundles_of(leg)?;
            routes.get(routes.partition_point(|route| route.rank < ticking.next)..)
        });
        let (out, extra) = ((&mut self.outbox, &*self.socket), &mut self.extra.packets);
        let mut fan_out = FanOut::of(out, &self.stats, extra);
        let next = speak(&lines, routes.is_scarce(), most, &mut self.seats, &mut fan_out);
        drop(lines);
        match next {
            Some(next) => ticking.next = next,
            None => ticking.bundles.clear(),
        }
    }

    /// Who heard bundles and hears each packet from now on is sent at once what waits for a tick.
    pub fn flush_unbundled(&mut self) {
        for (call, ticking) in &self.bundling.calls {
            let Some(routes) = self.calls.get_mut(call) else { continue };
            let unbundled = routes.take_unbundled();
            if unbundled.is_empty() {
                continue;
            }
            let waiting = ticking.bundles.apart(|seat| ring_at(&self.seats, seat));
            for leg in unbundled {
                let Some(seat) = self.legs.get(&leg).copied() else { continue };
                let lines = lines(&waiting, |leg| {
                    let (_, routes) = routes.of(leg)?;
                    let at = routes.iter().position(|route| route.seat == seat)?;
                    routes.get(at..=at)
                });
                let (out, extra) = ((&mut self.outbox, &*self.socket), &mut self.extra.packets);
                let mut fan_out = FanOut::of(out, &self.stats, extra);
                speak(&lines, routes.is_scarce(), 1, &mut self.seats, &mut fan_out);
            }
        }
    }

    /// Chooses anew, once a second, which calls have bundles and who hears them.
    pub fn choose_bundles(&mut self, now: Time) {
        if self.bundling.spec.is_off() {
            return;
        }
        self.finish_bundles();
        let busy = self.bundling.busy.percent(now);
        let Bundling { spec, calls, .. } = &mut self.bundling;
        let mut changed = Vec::new();
        for (call, routes) in &mut self.calls {
            let present = calls.get(call).map(|ticking| ticking.bundles.span());
            let span = spec.span(routes.listeners(), busy, present);
            // Nobody where the call has none.
            let fits = |seat| {
                let leg: Option<&Leg> = self.seats.at(seat);
                leg.zip(span).is_some_and(|(leg, span)| leg.takes_bundles(now, span))
            };
            if span.is_some() || present.is_some() {
                routes.bundle(now, fits);
            }
            match (span, calls.entry(*call)) {
                (Some(span), Entry::Occupied(mut known)) => known.get_mut().bundles.set_span(span),
                (Some(span), Entry::Vacant(free)) => {
                    free.insert(Ticking { bundles: Bundles::new(span), next: 0 });
                }
                (None, _) => {}
            }
            if span != present {
                changed.push((*call, span));
            }
        }
        self.flush_unbundled();
        for (call, span) in changed {
            if span.is_none() {
                self.bundling.close(call);
            }
            self.tell_bundled(call, span);
        }
        self.count_bundled();
    }

    fn count_bundled(&self) {
        let legs = |span| {
            let calls = self.bundling.calls.iter();
            let calls = calls.filter(|(_, ticking)| ticking.bundles.span() == span);
            calls.filter_map(|(call, _)| self.calls.get(call)).map(Routes::bundled).sum::<usize>()
        };
        self.stats.bundled_legs([SPAN_40, SPAN_60].map(|span| legs(span) as u64));
    }
}

/// A voice's bundles, and to whom they go.
pub(super) struct Line<'a> {
    bundles: &'a [Bundle],
    routes: &'a [Route],
}

type Lines<'a> = ArrayVec<Line<'a>, BUNDLE_VOICES_MAX>;

/// Each voice's bundles, and the routes that `routes_of` its leg are; without those who have none.
pub(super) fn lines<'a>(
    bundles: &'a [Bundle],
    routes_of: impl Fn(LegId) -> Option<&'a [Route]>,
) -> Lines<'a> {
    let line = |bundles: &'a [Bundle]| {
        let routes = routes_of(bundles.first()?.voice.source)?;
        Some(Line { bundles, routes })
    };
    let voices = bundles.chunk_by(|one, other| one.voice == other.voice);
    voices.filter_map(line).take(BUNDLE_VOICES_MAX).collect()
}

pub(super) fn ring_at(seats: &Seats<Leg>, seat: u32) -> Option<&Ring> {
    seats.at(seat).and_then(|leg| leg.source.ring.as_deref())
}

/// Sends bundles to the next `most` listeners; the rank of the first who was not served.
pub(super) fn speak<D: Departure>(
    lines: &[Line<'_>],
    is_scarce: bool,
    most: usize,
    seats: &mut Seats<Leg>,
    fan_out: &mut FanOut<'_, D>,
) -> Option<u32> {
    let none = Ring::default();
    let talker = |line: &Line<'_>| line.bundles.first().map_or(u32::MAX, |bundle| bundle.seat);
    let mut rings: Rings<BUNDLE_VOICES_MAX> = ArrayVec::new();
    rings.extend(lines.iter().map(|line| take_ring(seats, talker(line))));
    let mut speaking = ArrayVec::<Speaking<'_>, BUNDLE_VOICES_MAX>::new();
    for (line, ring) in lines.iter().zip(&rings) {
        let Some(voice) = line.bundles.first().map(|bundle| bundle.voice) else { continue };
        let kin = Kin { ring: ring.as_deref().unwrap_or(&none), is_scarce };
        let sound = Sound::Bundles(line.bundles, kin);
        speaking.push(Speaking { voice, routes: line.routes, sound, sent: 0 });
    }
    fan_out.send(&mut speaking, seats, most);
    fan_out.stats.bundled(speaking.iter().map(|one| one.sent).sum());
    let left = speaking.iter().filter_map(|one| one.routes.first());
    let next = left.map(|route| route.rank).min();
    drop(speaking);
    for (line, ring) in lines.iter().zip(rings) {
        give_ring(seats, talker(line), ring);
    }
    next
}

impl BundleSpec {
    /// The length of a call's ticks; `None`: packets go as they come. What is on stays on until
    /// the call is a fifth smaller, and under pressure until there is much less of it.
    fn span(
        &self,
        listeners: usize,
        busy_percent: u32,
        present: Option<Duration>,
    ) -> Option<Duration> {
        let reaches = |from: usize, is_on: bool| {
            from > 0 && listeners >= if is_on { from - from / 5 } else { from }
        };
        let is_60 = present == Some(SPAN_60);
        let relief = if is_60 { BUNDLE_RELIEF_PERCENT } else { 0 };
        let is_busy = busy_percent + relief >= self.busy_percent_60;
        if reaches(self.listeners_60, is_60) && is_busy {
            Some(SPAN_60)
        } else if reaches(self.listeners_40, present.is_some()) {
            Some(SPAN_40)
        } else {
            None
        }
    }

    fn is_off(&self) -> bool {
        self.listeners_40 == 0 && self.listeners_60 == 0
    }
}

/// Two and three packets of 20 ms.
const SPAN_40: Duration = Duration::from_millis(40);
const SPAN_60: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: BundleSpec =
        BundleSpec { listeners_40: 100, listeners_60: 500, busy_percent_60: 60, loss_percent: 5 };

    #[test]
    fn large_calls_have_bundles_and_larger_ones_longer_ones_under_pressure() {
        assert_eq!(SPEC.span(99, 90, None), None);
        assert_eq!(SPEC.span(100, 90, None), Some(SPAN_40));
        assert_eq!(SPEC.span(500, 59, None), Some(SPAN_40));
        assert_eq!(SPEC.span(500, 60, None), Some(SPAN_60));
        let off = BundleSpec { listeners_40: 0, listeners_60: 0, ..SPEC };
        assert_eq!(off.span(100_000, 100, None), None);
    }

    #[test]
    fn a_call_at_a_threshold_does_not_go_to_and_fro() {
        assert_eq!(SPEC.span(80, 0, Some(SPAN_40)), Some(SPAN_40));
        assert_eq!(SPEC.span(79, 0, Some(SPAN_40)), None);
        let relieved = 60 - BUNDLE_RELIEF_PERCENT;
        assert_eq!(SPEC.span(400, relieved, Some(SPAN_60)), Some(SPAN_60));
        assert_eq!(SPEC.span(400, relieved - 1, Some(SPAN_60)), Some(SPAN_40));
    }
}
