//! A chat's call as its task runs it (`src/call_task.rs`, `src/effects.rs`): requests and notices
//! in, effects done in order, the clock kept.

use std::collections::BTreeMap;

use engine::call::{Effect, Join, Place, Ringing, Targets};
use engine::{Call, Input, Jid, LegId, Refusal, Time};

use super::device::{Request, Told};
use super::sabotage::Sabotage;
use super::story::{Event, Story};
use super::watch::{Complaint, Promise, broken};
use super::worker::{LegSpec, Notice, Order};

/// An input has no more effects than that: a few and a few for each leg.
const EFFECTS_MAX: usize = 80;

pub struct Chat {
    pub place: Place,
    pub call: Option<Call>,
    /// Number of the present or the last call, unique in the story.
    pub no: u64,
    /// Whose legs these are, and the SSRCs of their slots.
    pub legs: BTreeMap<LegId, Entry>,
    pub timer: Option<Time>,
    /// How the last call ended.
    pub last: String,
}

pub struct Entry {
    pub device: usize,
    pub ssrcs: Vec<u32>,
}

type Done = Result<(), Complaint>;

impl Story {
    pub fn handle_request(&mut self, device: usize, request: Request) -> Done {
        let (chat, who) = (self.devices[device].chat, self.devices[device].who.clone());
        let name = self.devices[device].name.clone();
        self.tell_story(format!("{} asks {request:?}", self.devices[device].label()));
        let input = match request {
            Request::Offer { muted } => return self.handle_offer(device, muted),
            Request::Sound { muted } => Input::Sound { who, muted },
            Request::Leave => Input::Leave { who, device: name },
            Request::Buzz(targets) => Input::Buzz { who, targets },
            Request::BuzzCancel => Input::BuzzCancel { who },
            Request::Reject => Input::Reject { who, device: name, reason: "busy".into() },
            Request::Record { on } => Input::Record { on },
            Request::Answer { leg, slots } => {
                self.reshape(chat, leg, slots);
                Input::Answered { leg, slots }
            }
            Request::Reoffer { leg, slots } => {
                let held = self.chats[chat].legs.get(&leg).map_or(0, |entry| entry.ssrcs.len());
                if !self.refusable(device, Input::Reoffered { leg, slots: held })? {
                    return Ok(());
                }
                self.reshape(chat, leg, slots);
                Input::Answered { leg, slots }
            }
        };
        self.refusable(device, input).map(drop)
    }

    /// False where the call refused.
    fn refusable(&mut self, device: usize, input: Input) -> Result<bool, Complaint> {
        let chat = self.devices[device].chat;
        match self.input(chat, input)? {
            Ok(()) => self.finish_effects(chat).map(|()| true),
            Err(refusal) => {
                let what = refusal.code();
                self.tell(device, Told::Refused { what, is_offer: false });
                Ok(false)
            }
        }
    }

    fn handle_offer(&mut self, device: usize, muted: bool) -> Done {
        let (chat, who) = (self.devices[device].chat, self.devices[device].who.clone());
        if self.chats[chat].call.is_none() {
            self.calls += 1;
            let call = Call::new(self.now(), self.chats[chat].place.clone(), self.rules);
            self.chats[chat].call = Some(call);
            self.chats[chat].no = self.calls;
        }
        let admitted = self.chats[chat].call.as_ref().map(|call| call.admits(&who));
        if let Some(Err(refusal)) = admitted {
            self.tell(device, Told::Refused { what: refusal.code(), is_offer: true });
            return Ok(());
        }
        self.legs += 1;
        let leg = LegId(self.legs);
        let (slots, growth) = self.devices[device].sections();
        let slots = slots.min(self.rules.slots_max);
        self.chats[chat].legs.insert(leg, Entry { device, ssrcs: ssrcs(leg, slots) });
        let spec = LegSpec {
            leg,
            call: self.chats[chat].no,
            ssrcs: ssrcs(leg, slots),
            sends: self.devices[device].sends,
            seed: self.chance.draw(),
        };
        // The order to open comes behind all that waits, and its answer is awaited.
        self.take_mail();
        self.worker.open(self.time, spec);
        self.take_mail();
        let name = self.devices[device].name.clone();
        let useragent = "".into();
        let has_socket = self.devices[device].has_socket;
        let device_name = name;
        let join =
            Join { who, device: device_name, useragent, leg, muted, has_socket, slots, growth };
        if let Err(refusal) = self.input(chat, Input::Join(join))? {
            return broken(Promise::AlwaysBack, format!("admitted, then {refusal}"));
        }
        self.media_effects(chat);
        self.tell(device, Told::Answer { leg, slots });
        self.finish_effects(chat)
    }

    pub fn handle_notice(&mut self, no: u64, notice: Notice) -> Done {
        let Some(chat) = self.chats.iter().position(|chat| chat.no == no) else { return Ok(()) };
        match notice {
            Notice::Link { leg, seen } => {
                self.tell_story(format!("leg {leg} is {seen:?}"));
                // A leg that left meanwhile is nobody's news.
                let _ = self.input(chat, Input::Link { leg, seen })?;
                self.finish_effects(chat)
            }
            Notice::Talking { leg, level } => {
                let _ = self.input(chat, Input::Talking { leg, level })?;
                self.finish_effects(chat)
            }
            Notice::Tracks(tracks) => {
                let entry = self.chats[chat].legs.get(&tracks.leg);
                if let Some(device) = entry.map(|entry| entry.device) {
                    self.tell(device, Told::Tracks { leg: tracks.leg, slots: tracks.slots });
                }
                Ok(())
            }
        }
    }

    /// A device's socket came or went; one that came is told how things stand.
    pub fn handle_socket(&mut self, device: usize, held: bool) -> Done {
        let (chat, who) = (self.devices[device].chat, self.devices[device].who.clone());
        let name = self.devices[device].name.clone();
        let _ = self.input(chat, Input::Socket { who: who.clone(), device: name, held })?;
        self.finish_effects(chat)?;
        let (now, no) = (self.now(), self.chats[chat].no);
        if let Some(call) = self.chats[chat].call.as_mut().filter(|_| held) {
            let gentime = call.next_gentime(now.wall);
            let is_rung = call.rings(now.time, &who).is_some();
            self.watch.version(no, gentime)?;
            self.tell_state(chat, gentime, Some(device));
            self.tell(device, if is_rung { Told::Ring } else { Told::Quiet });
        }
        Ok(())
    }

    pub fn handle_timer(&mut self, chat: usize, due: Time) -> Done {
        if self.chats[chat].timer != Some(due) || self.sabotage == Sabotage::TimersLost {
            return Ok(());
        }
        self.chats[chat].timer = None;
        let now = self.now();
        let Some(call) = &mut self.chats[chat].call else { return Ok(()) };
        call.handle_timeout(now);
        if call.poll_timeout().is_some_and(|next| next <= now.time) {
            return broken(Promise::DeadlinesAreMet, "its time came, and is still to come");
        }
        self.finish_effects(chat)
    }

    fn input(&mut self, chat: usize, input: Input) -> Result<Result<(), Refusal>, Complaint> {
        let now = self.now();
        let Some(call) = &mut self.chats[chat].call else {
            return Ok(Err(Refusal::NoSuchCall));
        };
        Ok(call.handle(now, input))
    }

    /// Only those on media, so that a joiner's routes are ready before he is answered.
    fn media_effects(&mut self, chat: usize) {
        let Some(mut call) = self.chats[chat].call.take() else { return };
        let effects: Vec<Effect> = std::iter::from_fn(|| call.poll_effect()).collect();
        let is_media = |it: &Effect| matches!(it, Effect::Permit(_) | Effect::CloseLeg { .. });
        let (media, later) = effects.into_iter().partition(is_media);
        call.put_back(later);
        self.chats[chat].call = Some(call);
        for effect in media {
            self.apply(chat, effect);
        }
    }

    /// Does every effect, looks at what the call says now, and sets its timer.
    fn finish_effects(&mut self, chat: usize) -> Done {
        let mut finished = false;
        for count in 0.. {
            let effect = self.chats[chat].call.as_mut().and_then(Call::poll_effect);
            let Some(effect) = effect else { break };
            if count > EFFECTS_MAX {
                return broken(Promise::Bounded, "more effects than legs can need");
            }
            let is_state = matches!(effect, Effect::State { .. });
            if finished && !is_state {
                return broken(Promise::AllEnds, format!("{effect:?} after the finish"));
            }
            finished |= effect == Effect::Finished;
            if let Effect::State { gentime } = effect {
                self.handle_state(chat, gentime)?;
            } else {
                self.apply(chat, effect);
            }
        }
        self.look(chat)
    }

    fn look(&mut self, chat: usize) -> Done {
        let now = self.time;
        let entry = &mut self.chats[chat];
        let Some(call) = &entry.call else { return Ok(()) };
        let devices_max = if self.rules.only_one_device { 1 } else { usize::MAX };
        self.watch.roster(now, entry.no, call, devices_max)?;
        let rung = call.onliners().iter().find(|it| call.rings(now, &it.who).is_some());
        if let Some(rung) = rung {
            return broken(Promise::LastWordHolds, format!("{} is in and rung", rung.who));
        }
        let due = call.poll_timeout();
        if call.is_finished() {
            if due.is_some() || !call.onliners().is_empty() {
                return broken(Promise::AllEnds, "finished, and something is left");
            }
            entry.last = state_of(call);
            entry.call = None;
        }
        if due != entry.timer {
            entry.timer = due;
            if let Some(due) = due {
                let late = self.chance.millis(0..20);
                self.agenda.note(due.max(now) + late, Event::Timer { chat, due });
            }
        }
        Ok(())
    }

    fn handle_state(&mut self, chat: usize, gentime: i64) -> Done {
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
    fn tell_state(&mut self, chat: usize, gentime: i64, only: Option<usize>) {
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

    fn apply(&mut self, chat: usize, effect: Effect) {
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
            Effect::PutOut { who, device, .. } => {
                let is_meant = |it: &&usize| {
                    let it = &self.devices[**it];
                    it.chat == chat && it.who == who && it.name == device
                };
                let all: Vec<usize> = (0..self.devices.len()).collect();
                if let Some(device) = all.iter().find(is_meant) {
                    self.tell(*device, Told::PutOut);
                }
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
            Effect::State { .. }
            | Effect::MutedAll { .. }
            | Effect::Talking { .. }
            | Effect::Restart { .. }
            | Effect::Sound { .. }
            | Effect::Rejected { .. }
            | Effect::Listed
            | Effect::Finished => {}
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

    /// The sections of a leg changed: a section that comes back keeps its SSRC.
    fn reshape(&mut self, chat: usize, leg: LegId, slots: usize) {
        if let Some(entry) = self.chats[chat].legs.get_mut(&leg) {
            entry.ssrcs = ssrcs(leg, slots);
            let ssrcs = entry.ssrcs.clone();
            self.worker.orders.push_back(Order::Reshape { leg, ssrcs });
            self.wake_worker();
        }
    }
}

fn ssrcs(leg: LegId, slots: usize) -> Vec<u32> {
    (0..slots).map(|slot| (leg.0 as u32) << 8 | slot as u32).collect()
}

/// What everybody must know in the end.
pub fn state_of(call: &Call) -> String {
    let mut text = format!(
        "{:?}, buzz {}, record {}:",
        std::mem::discriminant(&call.phase()),
        call.is_buzzing(),
        call.is_recording()
    );
    for onliner in call.onliners() {
        let link = onliner.link().map(|link| std::mem::discriminant(&link));
        let legs = onliner.legs.len();
        text += &format!(" {} {:?} {legs} {link:?};", onliner.who, onliner.mute);
    }
    text
}
