//! Who there is, and what they do: by seed, at any moment, with no regard for each other.

use engine::Jid;
use engine::call::{Place, Rules, Seen, Targets};

use super::chance::Chance;
use super::control::Chat;
use super::device::{Device, Request};
use super::speech::{Mouth, Speech};
use super::story::{Event, Size, Story};

/// People of a group, each with a device or two, seldom with more than one may have.
pub const PEOPLE_MAX: usize = 12;

/// A direct chat and a group, with nobody in common.
pub fn invite(chance: &mut Chance, size: Size, rules: &Rules) -> (Vec<Chat>, Vec<Device>) {
    let (mut chats, mut devices) = (Vec::new(), Vec::new());
    let (pair, group) = match size {
        Size::Small => (2, 2..6),
        Size::Crowded => (2, 8..PEOPLE_MAX as u64 + 1),
        Size::Trial => (0, 3..4),
    };
    for (chat, people) in [pair, chance.within(group)].into_iter().enumerate() {
        let names = (0..people).filter_map(|at| Jid::parse(&format!("d-{chat}-{at}")));
        let names: Vec<Jid> = names.collect();
        let place = match chat {
            0 if names.len() == 2 => Place::Direct([names[0].clone(), names[1].clone()]),
            _ => Place::Group,
        };
        for who in &names {
            let more = match rules.only_one_device {
                _ if size == Size::Trial => usize::from(*who == names[0]),
                true => usize::from(chance.permille(300)),
                false if chance.permille(20) => NAMES.len() - 1,
                false => usize::from(chance.permille(400)),
            };
            for name in &NAMES[..=more] {
                devices.push(Device::new(chat, who.clone(), name, chance));
            }
        }
        chats.push(Chat::new(place));
    }
    (chats, devices)
}

impl Story {
    /// One thing that somebody does or suffers, and when the next one comes.
    pub fn act(&mut self) {
        if self.heals {
            return;
        }
        if self.size == Size::Trial {
            return self.act_in_trial();
        }
        let next = self.time + self.chance.millis(20..350);
        self.agenda.note(next, Event::Act);
        let device = self.chance.within(0..self.devices.len() as u64) as usize;
        let what = self.chance.within(0..200);
        match self.devices[device].wants_in {
            true => self.act_inside(device, what),
            false => self.act_outside(device, what),
        }
    }

    fn act_inside(&mut self, device: usize, what: u64) {
        match what {
            0..30 => self.mute(device),
            30..40 => self.leave(device),
            40..50 => self.enter(device, self.devices[device].muted),
            50..64 => self.lose_network(device),
            64..74 => self.spoil_line(device),
            74..88 => self.lose_socket(device),
            88..96 => self.reoffer(device),
            96..106 => self.restart_ice(device),
            106..116 => self.change_speech(device),
            116..122 => self.change_track(device),
            122..128 => self.leap(device),
            128..137 => self.buzz(device),
            137..142 => self.ask(device, Request::BuzzCancel),
            142..148 => self.ask(device, Request::Record { on: what < 145 }),
            148..152 => self.end_media(device, what < 150),
            152..157 => self.wall += self.chance.within(0..4_000_000_000) as i64 - 2_000_000_000,
            157..165 => self.mute_all(device),
            165..170 => self.ask(device, Request::LiftMute),
            170..173 => self.kick(device),
            173..177 => self.slow_core(),
            177..179 => self.strike_worker(),
            179..197 => self.send_nonsense(device),
            _ => {}
        }
    }

    fn act_outside(&mut self, device: usize, what: u64) {
        match what {
            0..120 => {
                let muted = self.chance.permille(300);
                self.enter(device, muted);
            }
            120..144 if self.devices[device].has_socket => {
                self.devices[device].rings = false;
                self.ask(device, Request::Reject);
            }
            144..160 => self.lose_socket(device),
            160..170 => self.ask(device, Request::Sound { muted: false }),
            170..180 => self.ask(device, Request::Leave),
            180..190 => self.mute_all(device),
            190..200 => self.send_nonsense(device),
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
            it.mouth = Mouth::new(chance, it.manner);
            self.ask(device, Request::Offer { muted });
        }
    }

    pub fn mute(&mut self, device: usize) {
        let it = &mut self.devices[device];
        it.muted = !it.muted;
        let muted = it.muted;
        self.ask(device, Request::Sound { muted });
    }

    pub fn mute_all(&mut self, device: usize) {
        let sticky = self.chance.permille(500);
        self.ask(device, Request::MuteAll { sticky });
    }

    pub fn kick(&mut self, device: usize) {
        let chat = self.devices[device].chat;
        let others = self.devices.iter().filter(|other| other.chat == chat);
        let others: Vec<Jid> = others.map(|other| other.who.clone()).collect();
        let who = self.chance.pick(&others);
        self.ask(device, Request::Kick(who));
    }

    pub fn leave(&mut self, device: usize) {
        let it = &mut self.devices[device];
        if !it.asks {
            (it.wants_in, it.leg, it.has_keys) = (false, None, false);
            self.ask(device, Request::Leave);
        }
    }

    /// A client's own renegotiation: it holds, or takes back, some of its sections.
    pub fn reoffer(&mut self, device: usize) {
        let slots = self.devices[device].slots as u64;
        if let Some(leg) = self.devices[device].leg.filter(|_| slots > 0) {
            let slots = self.chance.within(0..slots + 1) as usize;
            self.ask(device, Request::Reoffer { leg, slots, restarts: false });
        }
    }

    /// Another network: the same sections, another path.
    pub fn restart_ice(&mut self, device: usize) {
        let slots = self.devices[device].slots;
        if let Some(leg) = self.devices[device].leg {
            self.ask(device, Request::Reoffer { leg, slots, restarts: true });
        }
    }

    fn change_speech(&mut self, device: usize) {
        use Speech::{Freely, Pauses, Silent, Talks};
        self.devices[device].speech = self.chance.pick(&[Freely, Freely, Talks, Pauses, Silent]);
    }

    pub fn change_track(&mut self, device: usize) {
        let it = &mut self.devices[device];
        it.mouth = Mouth::new(self.chance.draw(), it.manner);
    }

    /// A long loss: the sequence goes far ahead, over its wrap after some times.
    fn leap(&mut self, device: usize) {
        let it = &mut self.devices[device];
        let sends = it.speech != Speech::Silent && (!it.muted || it.stubborn);
        if it.is_online && it.has_keys && sends {
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

    /// The peer closes its connection, as a page that is reloaded does, or breaks it.
    fn end_media(&mut self, device: usize, closes: bool) {
        if let Some(leg) = self.devices[device].leg {
            let seen = if closes { Seen::Closed } else { Seen::Ended };
            self.worker.handle_outcome(self.time, leg, seen);
        }
    }
}

const NAMES: [&str; 6] = ["phone", "desk", "tablet", "watch", "car", "fridge"];
