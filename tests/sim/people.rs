//! Who there is, and what they do: by seed, at any moment, with no regard for each other.

use std::time::Duration;

use engine::Jid;
use engine::call::{Place, Seen, Targets};

use super::chance::Chance;
use super::control::Chat;
use super::device::{Device, Habit, Request};
use super::story::{Event, Story};

/// People of a group; each may have two devices.
pub const PEOPLE_MAX: usize = 5;

/// A direct chat and a group, with nobody in common.
pub fn invite(chance: &mut Chance) -> (Vec<Chat>, Vec<Device>) {
    let (mut chats, mut devices) = (Vec::new(), Vec::new());
    for (chat, people) in [2, chance.within(2..PEOPLE_MAX as u64 + 1)].into_iter().enumerate() {
        let names = (0..people).filter_map(|at| Jid::parse(&format!("d-{chat}-{at}")));
        let names: Vec<Jid> = names.collect();
        let place = match chat {
            0 => Place::Direct([names[0].clone(), names[1].clone()]),
            _ => Place::Group,
        };
        for who in &names {
            devices.push(Device::new(chat, who.clone(), "phone", chance));
            if chance.permille(300) {
                devices.push(Device::new(chat, who.clone(), "desk", chance));
            }
        }
        let legs = Default::default();
        let last = String::new();
        chats.push(Chat { place, call: None, no: 0, legs, timer: None, last });
    }
    (chats, devices)
}

impl Story {
    /// One thing that somebody does or suffers, and when the next one comes.
    pub fn act(&mut self) {
        if self.heals {
            return;
        }
        let next = self.time + self.chance.millis(20..350);
        self.agenda.note(next, Event::Act);
        let device = self.chance.within(0..self.devices.len() as u64) as usize;
        let what = self.chance.within(0..100);
        if !self.devices[device].wants_in {
            return self.act_outside(device, what);
        }
        match what {
            0..22 => self.mute(device),
            22..30 => self.leave(device),
            30..36 => self.enter(device, self.devices[device].muted),
            36..50 => self.lose_network(device),
            50..60 => self.lose_socket(device),
            60..66 => self.reoffer(device),
            66..72 => self.devices[device].speaks ^= true,
            72..76 => self.change_track(device),
            76..80 => self.leap(device),
            80..85 => self.buzz(device),
            85..88 => self.ask(device, Request::BuzzCancel),
            88..91 => self.ask(device, Request::Record { on: what == 88 }),
            91..94 => self.end_media(device),
            94..97 => self.wall += self.chance.within(0..4_000_000_000) as i64 - 2_000_000_000,
            _ => {}
        }
    }

    fn act_outside(&mut self, device: usize, what: u64) {
        match what {
            0..60 => {
                let muted = self.chance.permille(300);
                self.enter(device, muted);
            }
            60..72 if self.devices[device].has_socket => {
                let it = &mut self.devices[device];
                (it.rings, it.refused_at) = (false, Some(self.time));
                self.ask(device, Request::Reject);
            }
            72..80 => self.lose_socket(device),
            80..84 => self.ask(device, Request::Sound { muted: false }),
            84..88 => self.ask(device, Request::Leave),
            _ => {}
        }
    }

    /// Joins, or makes a new leg in place of the device's former one.
    pub fn enter(&mut self, device: usize, muted: bool) {
        let chance = self.chance.draw();
        let it = &mut self.devices[device];
        if !it.asks {
            (it.wants_in, it.asks, it.muted) = (true, true, muted);
            it.rings = false;
            it.mouth = super::speech::Mouth::new(chance);
            self.ask(device, Request::Offer { muted });
        }
    }

    fn mute(&mut self, device: usize) {
        let it = &mut self.devices[device];
        it.muted = !it.muted;
        let muted = it.muted;
        self.ask(device, Request::Sound { muted });
    }

    pub fn leave(&mut self, device: usize) {
        let it = &mut self.devices[device];
        if !it.asks {
            (it.wants_in, it.leg, it.has_keys) = (false, None, false);
            self.ask(device, Request::Leave);
        }
    }

    fn lose_network(&mut self, device: usize) {
        if std::mem::replace(&mut self.devices[device].is_online, false) {
            let back = self.time + self.chance.millis(100..5_000);
            self.tell_story(format!("{} has no network", self.devices[device].label()));
            self.agenda.note(back, Event::Online { device });
        }
    }

    fn lose_socket(&mut self, device: usize) {
        match self.devices[device].has_socket {
            true => {
                self.tell_story(format!("{} loses its socket", self.devices[device].label()));
                self.devices[device].has_socket = false;
                let noticed = self.devices[device].asked_until.max(self.time);
                self.agenda.note(noticed, Event::Socket { device, held: false });
            }
            false => self.find_socket(device),
        }
    }

    /// What waited on both sides goes in its order.
    fn find_socket(&mut self, device: usize) {
        if std::mem::replace(&mut self.devices[device].has_socket, true) {
            return;
        }
        self.tell_story(format!("{} has a socket again", self.devices[device].label()));
        for told in std::mem::take(&mut self.devices[device].untold) {
            self.tell(device, told);
        }
        let at = self.time + self.chance.millis(3..60);
        let it = &mut self.devices[device];
        it.asked_until = it.asked_until.max(at);
        self.agenda.note(it.asked_until, Event::Socket { device, held: true });
        for request in std::mem::take(&mut self.devices[device].unasked) {
            self.ask(device, request);
        }
    }

    /// A client's own renegotiation: it holds, or takes back, some of its sections.
    fn reoffer(&mut self, device: usize) {
        let slots = self.devices[device].slots as u64;
        if let Some(leg) = self.devices[device].leg.filter(|_| slots > 0) {
            let slots = self.chance.within(0..slots + 1) as usize;
            self.ask(device, Request::Reoffer { leg, slots });
        }
    }

    fn change_track(&mut self, device: usize) {
        self.devices[device].mouth = super::speech::Mouth::new(self.chance.draw());
    }

    /// A long loss: the sequence goes far ahead, over its wrap after some times.
    fn leap(&mut self, device: usize) {
        let it = &mut self.devices[device];
        if it.is_online && it.has_keys && it.speaks && (!it.muted || it.stubborn) {
            it.mouth.index += self.chance.within(0..9_000);
        }
    }

    fn buzz(&mut self, device: usize) {
        let it = &self.devices[device];
        let others = self.devices.iter().filter(|other| other.chat == it.chat);
        let targets = match self.chance.permille(500) {
            true => Targets::Everyone,
            false => Targets::These(others.map(|other| other.who.clone()).collect()),
        };
        self.ask(device, Request::Buzz(targets));
    }

    /// The peer closes its connection: a page that was reloaded.
    fn end_media(&mut self, device: usize) {
        if let Some(leg) = self.devices[device].leg {
            self.worker.handle_outcome(self.time, leg, Seen::Ended);
        }
    }

    /// Faults are over: everybody is online, comes in, unmutes and speaks.
    pub fn heal(&mut self) -> Result<(), super::watch::Complaint> {
        self.tell_story("faults are over".to_owned());
        self.heals = true;
        self.net = super::chance::Net::PERFECT;
        for device in 0..self.devices.len() {
            self.devices[device].is_online = true;
            self.devices[device].speaks = true;
            self.find_socket(device);
        }
        // What is under way arrives, and whoever is out learns that he is.
        self.run(Duration::from_millis(4_500))?;
        (0..self.devices.len()).try_for_each(|device| self.check_knows(device))?;
        self.returns = true;
        for device in 0..self.devices.len() {
            if &*self.devices[device].name == "phone" {
                self.enter_again(device);
            }
        }
        self.run(Duration::from_millis(200))?;
        for device in 0..self.devices.len() {
            if self.devices[device].wants_in {
                self.devices[device].muted = false;
                self.ask(device, Request::Sound { muted: false });
            }
        }
        Ok(())
    }

    /// Comes in, unless another device of its person is or wants in.
    pub fn enter_again(&mut self, device: usize) {
        let who = self.devices[device].who.clone();
        let mut own = self.devices.iter().filter(|other| other.who == who);
        if own.all(|other| !other.wants_in) {
            self.enter(device, false);
        }
    }

    /// From now on it counts who hears whom.
    pub fn listen(&mut self) {
        for device in &mut self.devices {
            device.ears.heard.clear();
        }
    }

    /// Everybody leaves, in any order.
    pub fn part(&mut self) {
        self.returns = false;
        for device in 0..self.devices.len() {
            if self.devices[device].wants_in {
                self.leave(device);
            }
        }
    }

    pub fn answers_offers(&self, device: usize) -> bool {
        self.devices[device].habit == Habit::Answers
    }
}
