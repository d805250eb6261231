//! Short trials of one promise: 100 ms after a mute, a mute-all or a removal nothing of that source
//! is forwarded, and nothing that came in meanwhile ever is. Three people who never cease to send,
//! one with a second device, and everything that might open the gate again: renegotiation, resume,
//! rejoin, another path, another SSRC, worker mail that comes up to 50 ms late.

use std::time::Duration;

use super::device::Request;
use super::net::Net;
use super::sabotage::Sabotage;
use super::speech::Speech;
use super::story::{Event, Size, Story};
use super::watch::Complaint;

/// What a trial was worth.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tried {
    pub forwarded: u64,
    /// Packets that came in while their voice was muted.
    pub came_muted: u64,
}

/// One trial.
pub fn attempt(seed: u64, sabotage: Sabotage) -> Result<Tried, (Complaint, String)> {
    let mut story = Story::new(seed, Size::Trial, sabotage);
    let told = whole(&mut story);
    let transcript = story.transcript();
    let tried = Tried { forwarded: story.watch.forwarded, came_muted: story.watch.came_muted() };
    told.map(|()| tried).map_err(|complaint| (complaint, transcript))
}

fn whole(story: &mut Story) -> Result<(), Complaint> {
    let (jitter_ms, duplicates_permille) = (story.chance.within(1..20), 20);
    story.net = Net { loss_permille: 20, duplicates_permille, jitter_ms };
    for device in 0..story.devices.len() {
        let it = &mut story.devices[device];
        (it.stubborn, it.sends) = (true, true);
        it.speech = story.chance.pick(&[Speech::Freely, Speech::Talks]);
        if &*story.devices[device].name == "phone" {
            story.enter(device, false);
        }
    }
    story.run(Duration::from_millis(300))?;
    story.agenda.note(story.time, Event::Act);
    let acts = story.chance.millis(300..700);
    story.run(acts)?;
    // The last word is a mute, and nobody does anything after it.
    story.heals = true;
    let device = story.chance.within(0..story.devices.len() as u64) as usize;
    story.ask(device, Request::MuteAll { sticky: false });
    story.run(Duration::from_millis(350))
}

impl Story {
    /// One thing that somebody does to the gate.
    pub fn act_in_trial(&mut self) {
        let next = self.time + self.chance.millis(4..60);
        self.agenda.note(next, Event::Act);
        let device = self.chance.within(0..self.devices.len() as u64) as usize;
        let it = &self.devices[device];
        let (is_in, is_muted, leg) = (it.wants_in, it.muted, it.leg.filter(|_| it.has_keys));
        match self.chance.within(0..100) {
            0..30 => self.mute(device),
            30..42 => self.mute_all(device),
            42..50 => self.ask(device, Request::LiftMute),
            50..56 => self.kick(device),
            56..66 if leg.is_some() => self.reoffer(device),
            66..74 if leg.is_some() => self.restart_ice(device),
            74..82 => self.lose_socket(device),
            82..87 if leg.is_some() => self.change_track(device),
            87..90 => self.leave(device),
            _ => self.enter(device, is_in && is_muted),
        }
    }
}
