//! A chat's call as its task runs it (`src/call_task.rs`): requests and notices in, the clock kept.

use std::collections::BTreeMap;

use engine::call::{Join, Place};
use engine::{Call, Input, Jid, LegId, Refusal, Time};

use super::client::OVERLOADED;
use super::device::{Request, Told};
use super::sabotage::Sabotage;
use super::story::{Event, Story};
use super::watch::{Complaint, Promise, broken};
use super::worker::{LegSpec, Notice, Order};

pub struct Chat {
    pub place: Place,
    pub call: Option<Call>,
    /// Number of the present or the last call, unique in the story.
    pub no: u64,
    /// Whose legs these are, and the SSRCs of their slots.
    pub legs: BTreeMap<LegId, Entry>,
    pub timer: Option<Time>,
    /// Who keeps the others muted.
    pub keeper: Option<Jid>,
    /// The worker is gone, and the call does not know it yet.
    pub is_media_lost: bool,
    /// How the last call ended.
    pub last: String,
}

pub struct Entry {
    pub device: usize,
    pub ssrcs: Vec<u32>,
}

pub type Done = Result<(), Complaint>;

impl Chat {
    pub fn new(place: Place) -> Chat {
        Chat {
            place,
            call: None,
            no: 0,
            legs: BTreeMap::new(),
            timer: None,
            keeper: None,
            is_media_lost: false,
            last: String::new(),
        }
    }
}

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
            Request::Reject => return self.handle_reject(device),
            Request::Record { on } => Input::Record { who, on },
            Request::MuteAll { sticky } => return self.handle_mute_all(device, sticky),
            Request::LiftMute => return self.handle_lift(device),
            Request::Kick(whom) => Input::Kick { by: who, who: whom },
            Request::Answer { leg, slots } => {
                self.reshape(chat, leg, slots);
                Input::Answered { leg, slots }
            }
            Request::Reoffer { leg, slots, restarts } => {
                let held = self.chats[chat].legs.get(&leg).map_or(0, |entry| entry.ssrcs.len());
                if !self.refusable(device, Input::Reoffered { leg, slots: held })? {
                    return Ok(());
                }
                if restarts {
                    let mixed = self.chance.millis(100..600);
                    self.devices[device].line.mixed_until = self.time + mixed;
                }
                self.reshape(chat, leg, slots);
                Input::Answered { leg, slots }
            }
        };
        self.refusable(device, input).map(drop)
    }

    fn handle_mute_all(&mut self, device: usize, sticky: bool) -> Done {
        let (chat, who) = (self.devices[device].chat, self.devices[device].who.clone());
        let former = self.chats[chat].keeper.clone();
        if sticky && self.is_inside(chat, &who) {
            self.chats[chat].keeper = Some(who.clone());
        }
        let sticks = sticky && self.sabotage != Sabotage::StickinessLost;
        if !self.refusable(device, Input::MuteAll { who, sticky: sticks })? {
            self.chats[chat].keeper = former;
        }
        Ok(())
    }

    fn handle_lift(&mut self, device: usize) -> Done {
        let (chat, who) = (self.devices[device].chat, self.devices[device].who.clone());
        let former = self.chats[chat].keeper.clone();
        if self.is_inside(chat, &who) {
            self.chats[chat].keeper = None;
        }
        if !self.refusable(device, Input::LiftMute { who })? {
            self.chats[chat].keeper = former;
        }
        Ok(())
    }

    /// The confirm tells the device that its ringing is over: another ring may have crossed it.
    fn handle_reject(&mut self, device: usize) -> Done {
        let it = &self.devices[device];
        let (who, name) = (it.who.clone(), it.name.clone());
        let input = Input::Reject { who, device: name, reason: "busy".into() };
        if self.refusable(device, input)? {
            self.tell(device, Told::Quiet);
        }
        Ok(())
    }

    fn is_inside(&self, chat: usize, who: &Jid) -> bool {
        let call = self.chats[chat].call.as_ref();
        call.is_some_and(|call| call.onliners().iter().any(|it| it.who == *who))
    }

    /// False where the call refused: then nothing has changed.
    fn refusable(&mut self, device: usize, input: Input) -> Result<bool, Complaint> {
        let chat = self.devices[device].chat;
        let before = self.chats[chat].call.clone();
        match self.input(chat, input)? {
            Ok(()) => self.finish_effects(chat).map(|()| true),
            Err(refusal) => {
                self.check_unchanged(chat, before.as_ref(), refusal.code())?;
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
            (self.chats[chat].keeper, self.chats[chat].is_media_lost) = (None, false);
        }
        if self.chats[chat].is_media_lost {
            self.tell(device, Told::Refused { what: OVERLOADED, is_offer: true });
            return Ok(());
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
        let is_own = |(_, entry): &(&LegId, &Entry)| self.devices[entry.device].who == who;
        let beside = self.chats[chat].legs.iter().filter(is_own).map(|(leg, _)| *leg).collect();
        self.chats[chat].legs.insert(leg, Entry { device, ssrcs: ssrcs(leg, slots) });
        let spec = LegSpec {
            leg,
            call: self.chats[chat].no,
            ssrcs: ssrcs(leg, slots),
            sends: self.devices[device].sends,
            beside,
            seed: self.chance.draw(),
        };
        // The order to open comes behind all that waits, and its answer is awaited.
        self.take_mail();
        self.worker.open(self.time, spec);
        self.take_mail();
        self.watch.turns.joined(self.chats[chat].no, device);
        let (name, has_socket) =
            (self.devices[device].name.clone(), self.devices[device].has_socket);
        let useragent = "".into();
        let no_record = super::tape::is_private(&who);
        let join =
            Join { who, device: name, useragent, leg, muted, no_record, has_socket, slots, growth };
        if let Err(refusal) = self.input(chat, Input::Join(join))? {
            return broken(Promise::AlwaysBack, format!("admitted, then {refusal}"));
        }
        self.carry_out_media(chat);
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

    /// The worker that carried the call is gone; there is another.
    pub fn handle_media_gone(&mut self, chat: usize) -> Done {
        self.chats[chat].is_media_lost = false;
        if self.sabotage == Sabotage::DeathUntold {
            return Ok(());
        }
        let (carried, restarts) = (self.devices_in(chat).len(), self.restarts);
        let _ = self.input(chat, Input::MediaGone)?;
        self.finish_effects(chat)?;
        match self.restarts - restarts == carried {
            true => Ok(()),
            false => broken(Promise::AlwaysBack, "media is lost, and not all are told to dial"),
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

    pub fn input(&mut self, chat: usize, input: Input) -> Result<Result<(), Refusal>, Complaint> {
        let now = self.now();
        let Some(call) = &mut self.chats[chat].call else {
            return Ok(Err(Refusal::NoSuchCall));
        };
        Ok(call.handle(now, input))
    }

    pub fn look(&mut self, chat: usize) -> Done {
        let now = self.time;
        let entry = &mut self.chats[chat];
        let Some(call) = &entry.call else { return Ok(()) };
        let devices_max = if self.rules.only_one_device { 1 } else { usize::MAX };
        let seen = (now, entry.no, call);
        self.watch.roster(seen, devices_max, entry.keeper.as_ref())?;
        let device_of = |leg| entry.legs.get(&leg).map(|entry| entry.device);
        self.watch.turns.look(seen, device_of)?;
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

    /// Nothing is owed for long.
    pub fn look_again(&mut self, chat: usize) -> Done {
        let (now, entry) = (self.time, &self.chats[chat]);
        let Some(call) = &entry.call else { return Ok(()) };
        self.watch.deadline(now, call.poll_timeout())?;
        self.watch.turns.check_owed(now, entry.no, call.onliners().len())?;
        let is_known = |leg| entry.is_media_lost || self.worker.holds(leg);
        self.watch.held(now, call, is_known)
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
