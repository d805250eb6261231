//! After the faults: everybody comes back, talks in turn, is quiet, and leaves.

use std::time::Duration;

use engine::limits::CLOSED_GRACE;

use super::device::{Habit, Request};
use super::net::{Line, Net};
use super::speech::Speech;
use super::story::Story;
use super::watch::Complaint;

impl Story {
    /// Faults are over: everybody is online, comes in, unmutes and speaks.
    pub fn heal(&mut self) -> Result<(), Complaint> {
        self.tell_story("faults are over".to_owned());
        self.heals = true;
        self.net = Net::PERFECT;
        (self.core_slow_until, self.worker_ails) = (self.time, false);
        for device in 0..self.devices.len() {
            let it = &mut self.devices[device];
            (it.is_online, it.speech, it.line) = (true, Speech::Freely, Line::default());
            self.find_socket(device);
        }
        // What is under way arrives, and whoever is out learns that he is.
        self.run(CLOSED_GRACE + Duration::from_millis(600))?;
        (0..self.devices.len()).try_for_each(|device| self.check_knows(device))?;
        self.returns = true;
        for device in 0..self.devices.len() {
            if &*self.devices[device].name == "phone" {
                self.enter_again(device);
            }
        }
        self.run(Duration::from_millis(200))?;
        self.ask_all(Request::LiftMute);
        self.run(Duration::from_millis(100))
    }

    /// Who came back late was muted when he left.
    pub fn unmute(&mut self) -> Result<(), Complaint> {
        self.ask_all(Request::Sound { muted: false });
        self.run(Duration::from_millis(300))
    }

    fn ask_all(&mut self, request: Request) {
        for device in 0..self.devices.len() {
            if self.devices[device].wants_in {
                self.ask(device, request.clone());
            }
        }
    }

    /// Comes in, unless another device of its person is or wants in.
    pub fn enter_again(&mut self, device: usize) {
        let who = self.devices[device].who.clone();
        let mut own = self.devices.iter().filter(|other| other.who == who);
        if own.all(|other| !other.wants_in) {
            self.enter(device, false);
        }
    }

    /// Each talks alone for a while, in every chat at once; then everybody is quiet.
    pub fn take_turns(&mut self) -> Result<(), Complaint> {
        self.pause_all();
        self.run(Duration::from_millis(200))?;
        for device in &mut self.devices {
            device.ears.heard.clear();
        }
        let speakers = |chat: usize| {
            let all = self.devices.iter().enumerate();
            let speaks = all.filter(move |(_, it)| it.chat == chat && it.wants_in && it.sends);
            speaks.filter(|(_, it)| it.manner.is_honest()).map(|(at, _)| at).collect()
        };
        let speakers: [Vec<usize>; 2] = [speakers(0), speakers(1)];
        let turns = speakers.iter().map(Vec::len).max().unwrap_or(0);
        for turn in 0..turns {
            for device in speakers.iter().filter_map(|speakers| speakers.get(turn)) {
                self.devices[*device].speech = Speech::Talks;
            }
            self.run(Duration::from_millis(350))?;
            if turn + 1 == turns {
                self.check_talk_is_told()?;
            }
            self.pause_all();
            self.run(Duration::from_millis(20))?;
        }
        self.run(Duration::from_millis(1_200) + TELLING * turns as u32)
    }

    /// The last speaker goes on until everybody must have been told.
    fn check_talk_is_told(&mut self) -> Result<(), Complaint> {
        self.run(Duration::from_millis(600) + TELLING * self.devices.len() as u32)?;
        (0..self.devices.len())
            .filter(|device| self.devices[*device].speech == Speech::Talks)
            .try_for_each(|device| self.check_talks(device))
    }

    fn pause_all(&mut self) {
        for device in 0..self.devices.len() {
            self.devices[device].speech = self.chance.pick(&[Speech::Pauses, Speech::Silent]);
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

/// A talking event's interval, and what a timer takes.
const TELLING: Duration = Duration::from_millis(130);
