//! What a call tells of times, where somebody collects traces: of each signal, from the node's
//! taking it to the last effect done; of each leg, from its offer to its first voice.

use std::time::Instant;

use engine::LegId;
use engine::call::LegEnd;

use super::{CallTask, LegEntry};
use crate::core::{Refusal, Signal};
use crate::media::{PROBE_LEGS, Step};
use crate::telemetry::traces::{self, Part, Trace};

/// When a leg came how far.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Way {
    /// Its offer was read.
    pub opened: Instant,
    pub answered: Option<Instant>,
    path: Option<Instant>,
    keys: Option<Instant>,
    voice: Option<Instant>,
}

/// The stations of a signal in its call.
pub(super) struct Stations {
    /// The node had it.
    pub taken: Instant,
    /// The call came to it.
    pub begun: Instant,
    /// Its effects were known.
    pub handled: Instant,
}

impl Way {
    pub fn from(opened: Instant) -> Way {
        Way { opened, answered: None, path: None, keys: None, voice: None }
    }

    /// What is known of it, one behind the other.
    fn parts(&self) -> Vec<Part> {
        let stations = [
            ("offer", self.answered),
            ("ice", self.path),
            ("dtls", self.keys),
            ("first_packet", self.voice),
        ];
        let mut from = self.opened;
        let mut parts = Vec::new();
        for (name, to) in stations {
            let Some(to) = to else { continue };
            // A check may overtake our answer's last step.
            parts.push(Part { name, from: from.min(to), to });
            from = from.max(to);
        }
        parts
    }
}

impl CallTask {
    pub(super) fn trace_signal(
        &self,
        signal: &Signal,
        result: &Result<(), Refusal>,
        stations: &Stations,
    ) {
        if !self.is_traced() {
            return;
        }
        let Stations { taken, begun, handled } = *stations;
        let done = Instant::now();
        let part = |name, from, to| Part { name, from, to };
        traces::tell(Trace {
            name: "signal",
            call: self.uid.clone(),
            event: signal.event.name(),
            leg: None,
            failed: result.as_ref().err().map(|refusal| refusal.code),
            from: taken,
            to: done,
            parts: vec![
                part("queue", taken, begun),
                part("call_task", begun, handled),
                part("effects", handled, done),
            ],
        });
    }

    /// The leg has come so far; with its first voice its way is told.
    pub(super) fn trace_step(&mut self, leg: LegId, step: Step, at: Instant) {
        let is_traced = self.is_traced();
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let way = &mut entry.way;
        match step {
            Step::Path => way.path = way.path.or(Some(at)),
            Step::Keys => way.keys = way.keys.or(Some(at)),
            Step::Voice if way.voice.is_none() => {
                way.voice = Some(at);
                let way = *way;
                if is_traced {
                    self.tell_way(leg, &way, at, None);
                }
            }
            Step::Voice | Step::NoKeys(_) => {}
        }
    }

    /// One that ends without having said anything: why, if it never could.
    pub(crate) fn trace_end(&self, leg: LegId, entry: &LegEntry, reason: LegEnd) {
        if self.is_traced() && entry.way.voice.is_none() {
            let failed = entry.way.keys.is_none().then_some(reason.label());
            self.tell_way(leg, &entry.way, Instant::now(), failed);
        }
    }

    fn tell_way(&self, leg: LegId, way: &Way, to: Instant, failed: Option<&'static str>) {
        traces::tell(Trace {
            name: "leg",
            call: self.uid.clone(),
            event: if way.voice.is_some() { "first_voice" } else { "closed" },
            leg: Some(leg.0),
            failed,
            from: way.opened,
            to,
            parts: way.parts(),
        });
    }

    /// The node's calls to itself are nobody's.
    fn is_traced(&self) -> bool {
        traces::is_on() && self.no.0 < PROBE_LEGS
    }
}
