//! What goes wrong: networks, sockets, the core, the media worker.

use std::time::Duration;

use super::story::{Event, Story};
use super::worker::Worker;

impl Story {
    pub fn lose_network(&mut self, device: usize) {
        if std::mem::replace(&mut self.devices[device].is_online, false) {
            let back = self.time + self.chance.millis(100..5_000);
            self.tell_story(format!("{} has no network", self.devices[device].label()));
            self.agenda.note(back, Event::Online { device });
        }
    }

    pub fn lose_socket(&mut self, device: usize) {
        match self.devices[device].has_socket {
            true => {
                self.tell_story(format!("{} loses its socket", self.devices[device].label()));
                self.devices[device].has_socket = false;
                self.devices[device].talkers.clear();
                let noticed = self.devices[device].asked_until.max(self.time);
                self.agenda.note(noticed, Event::Socket { device, held: false });
            }
            false => self.find_socket(device),
        }
    }

    /// What waited on both sides goes in its order.
    pub fn find_socket(&mut self, device: usize) {
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

    /// Most packets are lost for a while, or none arrives and then all at once.
    pub fn spoil_line(&mut self, device: usize) {
        let stops = self.chance.permille(500);
        let until = self.time + self.chance.millis(60..1_800);
        let line = &mut self.devices[device].line;
        match stops {
            true => line.stopped_until = until,
            false => line.lossy_until = until,
        }
    }

    /// What people ask and are told waits, or comes late, always in its order.
    pub fn slow_core(&mut self) {
        self.core_slow_until = self.time + self.chance.millis(300..2_500);
        let is_late = self.chance.permille(500);
        self.core_lag = if is_late { self.chance.millis(200..2_500) } else { Duration::ZERO };
        self.tell_story("the core is slow".to_owned());
    }

    /// The media worker dies, now or when it has something to tell.
    pub fn strike_worker(&mut self) {
        match self.chance.permille(500) {
            true => self.worker_ails = true,
            false => self.break_worker(),
        }
    }

    /// Another worker takes the place of one that died, and each call learns it in its time.
    pub fn break_worker(&mut self) {
        self.worker_ails = false;
        self.post_notices();
        self.tell_story("the media worker dies".to_owned());
        let extra_most = self.worker.extra_most;
        self.worker = Worker::new(self.sabotage, extra_most);
        for chat in 0..self.chats.len() {
            if self.chats[chat].call.is_some() {
                self.chats[chat].is_media_lost = true;
                let noticed = self.time + self.chance.millis(0..40);
                self.agenda.note(noticed, Event::MediaGone { chat });
            }
        }
    }
}
