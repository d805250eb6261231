//! What a device does with what it is told, and how it asks.

use std::time::Duration;

use engine::call::Seen;
use engine::{LegId, Time};

use super::device::{Request, Told};
use super::speech::Ears;
use super::story::{Event, Story};

impl Story {
    /// Whoever has his answer connects as soon as his network lets him.
    pub fn shake_hands(&mut self, device: usize, leg: LegId) {
        let it = &mut self.devices[device];
        if it.leg != Some(leg) {
            return;
        }
        if it.is_online {
            it.has_keys = true;
            self.worker.handle_outcome(self.time, leg, Seen::Alive);
            if self.worker_ails {
                self.break_worker();
            }
        } else {
            let again = self.time + self.chance.millis(100..400);
            self.agenda.note(again, Event::Handshake { device, leg });
        }
    }

    pub fn hear_told(&mut self, device: usize, told: Told) {
        let it = &mut self.devices[device];
        match told {
            Told::Answer { leg, slots } => {
                (it.asks, it.leg, it.slots, it.has_keys) = (false, Some(leg), slots, false);
                (it.rings, it.ears) = (false, Ears::default());
                it.talkers.clear();
                let late = self.chance.millis(10..300);
                self.agenda.note(self.time + late, Event::Handshake { device, leg });
            }
            Told::Refused { what, is_offer } => {
                it.asks &= !is_offer;
                it.rings &= what != "not_rung";
                if is_offer && what == OVERLOADED {
                    let again = self.time + self.chance.millis(200..500);
                    self.agenda.note(again, Event::Dial { device });
                } else if is_offer {
                    (it.leg, it.wants_in, it.has_keys) = (None, false, false);
                }
                let line = format!("{} was refused: {what}", it.label());
                self.tell_story(line);
            }
            Told::Offer { leg, slots } if it.leg == Some(leg) => {
                if let Some(slots) = it.takes(slots) {
                    it.slots = slots;
                    self.ask(device, Request::Answer { leg, slots });
                }
            }
            // Of a leg that its own offer has replaced meanwhile.
            Told::Offer { .. } => {}
            Told::PutOut if !it.asks => {
                (it.leg, it.wants_in, it.has_keys) = (None, false, false);
                if self.returns {
                    self.enter_again(device);
                }
            }
            Told::PutOut => {}
            Told::State { no, gentime, text, muted, is_over } => {
                let is_newer = it.state.as_ref().is_none_or(|it| no > it.0 || gentime > it.1);
                if is_newer {
                    it.state = Some((no, gentime, text));
                    it.muted = muted.unwrap_or(it.muted);
                    it.rings &= !is_over;
                }
            }
            Told::Tracks { leg, slots } => it.tracks = Some((leg, slots)),
            Told::Talking { who, begins: true } => drop(it.talkers.insert(who)),
            Told::Talking { who, begins: false } => drop(it.talkers.remove(&who)),
            Told::Restart if it.wants_in => self.enter(device, self.devices[device].muted),
            Told::Restart => {}
            Told::Ring => it.rings = true,
            Told::Quiet => it.rings = false,
        }
    }

    pub fn ask(&mut self, device: usize, request: Request) {
        let at = self.through_core();
        let it = &mut self.devices[device];
        if !it.has_socket {
            it.unasked.push_back(request);
            return;
        }
        it.asked_until = it.asked_until.max(at);
        self.agenda.note(it.asked_until, Event::Request { device, request });
    }

    pub fn tell(&mut self, device: usize, told: Told) {
        let at = self.through_core();
        let it = &mut self.devices[device];
        if !it.has_socket {
            // Talking is of the moment: nobody is told of it later.
            if !matches!(told, Told::Talking { .. }) {
                it.untold.push_back(told);
            }
            return;
        }
        it.told_until = it.told_until.max(at);
        self.agenda.note(it.told_until, Event::Told { device, told });
    }

    /// When what goes now between a device and the call arrives.
    fn through_core(&mut self) -> Time {
        let trip = self.chance.millis(3..60);
        match self.core_slow_until > self.time {
            false => self.time + trip,
            true if self.core_lag > Duration::ZERO => self.time + trip + self.core_lag,
            true => self.core_slow_until + trip,
        }
    }

    pub fn dial_again(&mut self, device: usize) {
        if self.devices[device].wants_in {
            self.enter(device, self.devices[device].muted);
        }
    }
}

/// What the shell says while a worker is being replaced: dial again soon.
pub const OVERLOADED: &str = "overloaded";
