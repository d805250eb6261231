//! What a call wants done, done in order, as `src/effects.rs` does it.

use engine::call::{Audience, Effect, Ringing, Targets};
use engine::{Call, Jid};

use super::control::{Done, state_of};
use super::device::Told;
use super::sabotage::Sabotage;
use super::story::Story;
use super::watch::{Promise, broken};
use super::worker::Order;

impl Story {
    /// Only those on media, so that a joiner's routes are ready before he is answered.
    pub fn carry_out_media(&mut self, chat: usize) {
        let Some(mut call) = self.chats[chat].call.take() else { return };
        let effects: Vec<Effect> = std::iter::from_fn(|| call.poll_effect()).collect();
        let is_media = |it: &Effect| matches!(it, Effect::Permit(_) | Effect::CloseLeg { .. });
        let (media, later) = effects.into_iter().partition(is_media);
        call.put_back(later);
        self.chats[chat].call = Some(call);
        for effect in media {
            self.apply_to_media(chat, effect);
        }
    }

    /// Does every effect, looks at what the call says now, and sets its timer.
    pub fn finish_effects(&mut self, chat: usize) -> Done {
        let legs = self.chats[chat].legs.len();
        let mut finished = false;
        for count in 0.. {
            let effect = self.chats[chat].call.as_mut().and_then(Call::poll_effect);
            let Some(effect) = effect else { break };
            if count > EFFECTS_MAX + EFFECTS_A_LEG * legs {
                return broken(Promise::Bounded, "more effects than legs can need");
            }
            let is_state = matches!(effect, Effect::State { .. });
            if finished && !is_state {
                return broken(Promise::AllEnds, format!("{effect:?} after the finish"));
            }
            finished |= effect == Effect::Finished;
            match effect {
                Effect::State { gentime } => self.tell_new_state(chat, gentime)?,
                Effect::Talking { who, level, to } => {
                    self.tell_talking(chat, &who, level.is_some(), &to)?;
                }
                Effect::Permit(_) | Effect::CloseLeg { .. } => self.apply_to_media(chat, effect),
                other => self.apply(chat, other),
            }
        }
        self.look(chat)
    }

    fn tell_new_state(&mut self, chat: usize, gentime: i64) -> Done {
        let is_last = self.chats[chat].call.as_ref().is_none_or(Call::is_finished);
        let said = match self.sabotage {
            Sabotage::VersionsRepeat => gentime / 1_000_000_000,
            _ => gentime,
        };
        self.watch.state(self.time, self.chats[chat].no, said, is_last)?;
        if self.sabotage != Sabotage::StatesLost || !self.chance.permille(500) {
            self.tell_state(chat, gentime, None);
        }
        Ok(())
    }

    /// To all members of the chat, or to one device.
    pub fn tell_state(&mut self, chat: usize, gentime: i64, only: Option<usize>) {
        let Some(call) = &self.chats[chat].call else { return };
        let (no, text, is_over) = (self.chats[chat].no, state_of(call), call.is_finished());
        let mutes: Vec<(Jid, bool)> =
            call.onliners().iter().map(|it| (it.who.clone(), it.mute.is_muted())).collect();
        for device in 0..self.devices.len() {
            let is_meant = only.is_none_or(|only| only == device);
            if is_meant && self.devices[device].chat == chat {
                let own = mutes.iter().find(|(who, _)| *who == self.devices[device].who);
                let (text, muted) = (text.clone(), own.map(|(_, muted)| *muted));
                self.tell(device, Told::State { no, gentime, text, muted, is_over });
            }
        }
    }

    fn tell_talking(&mut self, chat: usize, who: &Jid, begins: bool, to: &Audience) -> Done {
        if self.sabotage == Sabotage::CeasesLost && !begins {
            return Ok(());
        }
        let devices: Vec<usize> = match to {
            Audience::Call => self.devices_in(chat),
            Audience::Device { who, device } => {
                let is_meant = |at: &usize| {
                    let it = &self.devices[*at];
                    it.chat == chat && it.who == *who && it.name == *device
                };
                (0..self.devices.len()).filter(is_meant).collect()
            }
        };
        if let Some(call) = &self.chats[chat].call {
            let told = (&*devices, *to == Audience::Call);
            let seen = (self.time, self.chats[chat].no, call);
            self.watch.turns.told(seen, (who, begins), told)?;
        }
        for device in devices {
            self.tell(device, Told::Talking { who: who.clone(), begins });
        }
        Ok(())
    }

    /// Devices that have a leg in the call.
    pub fn devices_in(&self, chat: usize) -> Vec<usize> {
        let onliners = self.chats[chat].call.iter().flat_map(Call::onliners);
        let legs = onliners.flat_map(|onliner| &onliner.legs);
        let entries = legs.filter_map(|leg| self.chats[chat].legs.get(&leg.id));
        entries.map(|entry| entry.device).collect()
    }

    fn apply_to_media(&mut self, chat: usize, effect: Effect) {
        match effect {
            Effect::Permit(permits) => {
                self.worker.permits.insert(self.chats[chat].no, permits);
                self.wake_worker();
            }
            Effect::CloseLeg { leg, reason } => {
                self.tell_story(format!("leg {leg} closed: {}", reason.label()));
                self.chats[chat].legs.remove(&leg);
                self.worker.orders.push_back(Order::Close { leg });
                self.wake_worker();
            }
            _ => {}
        }
    }

    fn apply(&mut self, chat: usize, effect: Effect) {
        match effect {
            Effect::PutOut { who, device, .. } => {
                self.tell_device(chat, &who, &device, Told::PutOut);
            }
            Effect::Restart { who, device } if self.sabotage != Sabotage::RestartsLost => {
                self.restarts += 1;
                self.tell_device(chat, &who, &device, Told::Restart);
            }
            Effect::Ring { targets, .. } => self.tell_rung(chat, &targets, &[], Told::Ring),
            Effect::StopRinging { whom: Ringing::Rest { targets, except } } => {
                if self.sabotage != Sabotage::RingingLost {
                    self.tell_rung(chat, &targets, &except, Told::Quiet);
                }
            }
            Effect::StopRinging { whom: Ringing::OtherDevices { who, device } } => {
                for other in 0..self.devices.len() {
                    let it = &self.devices[other];
                    if it.chat == chat && it.who == who && it.name != device {
                        self.tell(other, Told::Quiet);
                    }
                }
            }
            Effect::OfferSlots { leg, slots } => {
                let entry = self.chats[chat].legs.get(&leg);
                if let Some(device) = entry.map(|entry| entry.device) {
                    self.tell(device, Told::Offer { leg, slots });
                }
            }
            Effect::Permit(_)
            | Effect::CloseLeg { .. }
            | Effect::State { .. }
            | Effect::Talking { .. }
            | Effect::Fact(_)
            | Effect::MutedAll { .. }
            | Effect::Restart { .. }
            | Effect::Sound { .. }
            | Effect::Rejected { .. }
            | Effect::RecordBegan { .. }
            | Effect::RecordEnded { .. }
            | Effect::Listed
            | Effect::Finished => {}
        }
    }

    fn tell_device(&mut self, chat: usize, who: &Jid, name: &str, told: Told) {
        let is_meant =
            |it: &super::device::Device| it.chat == chat && it.who == *who && *it.name == *name;
        if let Some(device) = self.devices.iter().position(is_meant) {
            self.tell(device, told);
        }
    }

    fn tell_rung(&mut self, chat: usize, targets: &Targets, except: &[Jid], told: Told) {
        let call = self.chats[chat].call.as_ref();
        let inside: Vec<Jid> = call
            .map(|call| call.onliners().iter().map(|it| it.who.clone()).collect())
            .unwrap_or_default();
        for device in 0..self.devices.len() {
            let it = &self.devices[device];
            let is_meant = match targets {
                Targets::These(these) => these.contains(&it.who),
                Targets::Everyone => !matches!(told, Told::Ring) || !inside.contains(&it.who),
            };
            if it.chat == chat && is_meant && !except.contains(&it.who) {
                self.tell(device, told.clone());
            }
        }
    }
}

/// An input has no more effects than that: a few and a few for each leg. Most has who refuses the
/// ring of a recorded call: that ends both, each told to people and as a fact.
const EFFECTS_MAX: usize = 10;
const EFFECTS_A_LEG: usize = 4;
