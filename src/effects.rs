//! Doing what a call wants done: orders to its worker, events to people, its line in the list
//! of live calls. In a direct chat every event is written for its one reader.

mod ringing;

use engine::call::{Audience, Effect, LegEnd, Link, Mute, Onliner, Phase};
use engine::{Jid, LegId, Level, Wall};
use tracing::{info, warn};

use crate::call_task::{CallTask, millis};
use crate::core::{AnswerStyle, CallSummary, ChatKey, Deliver, Device, To};
use crate::media::Order;
use crate::record::capture::Disk;
use crate::wire::ServerEvent;
use crate::wire::server::{
    CallDevice, CallOnliner, CallState, IceCandidate, Jsep, JsepKind, Track,
};
use crate::wire::time;

impl CallTask {
    /// Does everything that is waiting, in order.
    pub(super) fn carry_out(&mut self, told: &impl Fn(CallSummary)) {
        self.tape_roster();
        while let Some(effect) = self.call.poll_effect() {
            match effect {
                Effect::Permit(_) | Effect::CloseLeg { .. } => self.order_media(effect),
                Effect::PutOut { who, device, reason } => {
                    let (jid, uid) = self.named_for(&who);
                    let reason = told_reason(reason);
                    self.deliver(device_of(who, &device), ServerEvent::Leave { jid, uid, reason });
                }
                Effect::MutedAll { by } => {
                    self.tell_call(by.as_ref(), |jid| ServerEvent::MuteAll { jid, muted: true });
                }
                Effect::Talking { who, level, to } => self.tell_talking(&who, level, to),
                Effect::Restart { who, device } => {
                    let (jid, uid) = self.named_for(&who);
                    let team = self.team.uid.clone();
                    self.deliver(device_of(who, &device), ServerEvent::Restart { jid, uid, team });
                }
                Effect::State { gentime } => {
                    self.tell_state(gentime);
                    self.tape_told();
                }
                Effect::Sound { who, muted } => {
                    let (jid, _) = self.named_for(&who);
                    self.deliver(To::Person(who), ServerEvent::Sound { jid, muted });
                }
                Effect::Ring { caller, targets } => self.ring(&caller, &targets),
                Effect::StopRinging { whom } => self.stop_ringing(whom),
                Effect::Rejected { caller, by, device, reason } => {
                    let by = Device { jid: by, name: device.to_string() };
                    for (to, reader) in [
                        (To::Person(caller.clone()), caller),
                        (To::OtherDevices(by.clone()), by.jid),
                    ] {
                        let (jid, uid) = self.named_for(&reader);
                        let reason = reason.to_string();
                        self.deliver(to, ServerEvent::Reject { jid, uid, reason });
                    }
                }
                Effect::OfferSlots { leg, slots } => self.offer_slots(leg, slots),
                Effect::Fact(fact) => self.note(fact),
                Effect::Listed => told(self.summary()),
                Effect::RecordBegan { by } => self.begin_taping(by),
                Effect::RecordEnded { by } => self.end_taping(by.as_ref()),
                Effect::Finished => {}
            }
        }
    }

    /// Only the effects on media, so that a joiner's routes are ready before he is answered; the
    /// others keep their order.
    pub(super) fn carry_out_media(&mut self) {
        let mut later = Vec::new();
        while let Some(effect) = self.call.poll_effect() {
            match effect {
                Effect::Permit(_) | Effect::CloseLeg { .. } => self.order_media(effect),
                other => later.push(other),
            }
        }
        self.call.put_back(later);
    }

    fn order_media(&mut self, effect: Effect) {
        match effect {
            Effect::Permit(permits) => self.worker.permit(self.no, permits),
            Effect::CloseLeg { leg, reason } => {
                let entry = self.legs.remove(&leg);
                let onliner = entry.as_ref().map_or("", |entry| entry.device.jid.as_str());
                let elapsed_ms = entry.as_ref().map_or(0, |entry| millis(entry.way.opened));
                if let Some(entry) = &entry {
                    self.trace_end(leg, entry, reason);
                }
                let (call, reason) = (&self.uid, reason.label());
                info!(%call, %leg, %onliner, reason, elapsed_ms, "leg closed");
                if let Err(full) = self.worker.order(Order::Close { leg }) {
                    warn!(call = %self.uid, leg = %leg, error = %full, "leg not closed");
                }
            }
            _ => {}
        }
    }

    /// The answer to a device's offer, in the form its socket asked for.
    pub(super) fn tell_answer(&self, leg: LegId, heard: &[Option<LegId>], trickle: bool) {
        let Some(entry) = self.legs.get(&leg) else { return };
        let (jid, uid) = self.named_for(&entry.device.jid);
        let jsep = Jsep { kind: JsepKind::Answer, sdp: entry.dialogue.answer() };
        let event = match entry.style {
            AnswerStyle::Sdp => {
                let jids = self.voices(entry.dialogue.slots().len(), heard);
                ServerEvent::Sdp { jid, jids, uid, jsep }
            }
            AnswerStyle::Answer => {
                let listed = |candidate| IceCandidate { candidate, sdp_mline_index: 0 };
                let lines = entry.dialogue.candidate_lines();
                let candidates = (!trickle).then(|| lines.into_iter().map(listed).collect());
                ServerEvent::Answer { jid, uid, jsep, onliners: self.onliners(), candidates }
            }
        };
        self.deliver(To::Device(entry.device.clone()), event);
    }

    /// Whose voice each slot carries; `""` where none.
    fn voices(&self, slots: usize, heard: &[Option<LegId>]) -> Vec<String> {
        let voice = |at: usize| heard.get(at).copied().flatten().and_then(|leg| self.owner(leg));
        (0..slots).map(|at| voice(at).map_or(String::new(), |jid| jid.to_string())).collect()
    }

    pub(super) fn owner(&self, leg: LegId) -> Option<&Jid> {
        self.legs.get(&leg).map(|entry| &entry.device.jid)
    }

    pub(super) fn tell_tracks(&mut self, leg: LegId, slots: &[Option<LegId>]) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        entry.heard = slots.to_vec();
        let Some(entry) = self.legs.get(&leg) else { return };
        let mids = entry.dialogue.slots().into_iter().map(|slot| slot.mid);
        let voices = self.voices(slots.len(), slots);
        let tracks = mids.zip(voices).map(|(mid, jid)| Track { mid, jid }).collect();
        let (jid, uid) = self.named_for(&entry.device.jid);
        let device = entry.device.clone();
        self.deliver(To::Device(device), ServerEvent::Tracks { jid, uid, tracks });
    }

    fn offer_slots(&mut self, leg: LegId, slots: usize) {
        let Some(entry) = self.legs.get_mut(&leg) else { return };
        let jsep = Jsep { kind: JsepKind::Offer, sdp: entry.dialogue.offer(slots) };
        let heard = entry.heard.clone();
        let device = entry.device.clone();
        let jids = self.voices(slots, &heard);
        let (jid, uid) = self.named_for(&device.jid);
        self.deliver(To::Device(device), ServerEvent::Sdp { jid, jids, uid, jsep });
    }

    /// An event to every device in the call but those of `except`, with the chat's name as its
    /// reader knows it.
    fn tell_call(&self, except: Option<&Jid>, event: impl Fn(String) -> ServerEvent) {
        let onliners = self.call.onliners().iter().filter(|it| Some(&it.who) != except);
        let devices = |onliner: &engine::call::Onliner| -> Vec<Device> {
            let name = |leg: &engine::call::Leg| leg.device.to_string();
            let device = |name: String| Device { jid: onliner.who.clone(), name };
            onliner.legs.iter().map(name).map(device).collect()
        };
        match &self.key {
            ChatKey::Group(jid) => {
                let all: Vec<Device> = onliners.flat_map(devices).collect();
                if !all.is_empty() {
                    self.deliver(To::Devices(all), event(jid.to_string()));
                }
            }
            ChatKey::Direct(..) => {
                for onliner in onliners {
                    let jid = self.key.jid_for(&onliner.who).to_string();
                    self.deliver(To::Devices(devices(onliner)), event(jid));
                }
            }
        }
    }

    fn tell_talking(&self, who: &Jid, level: Option<Level>, to: Audience) {
        let event = |jid: String| ServerEvent::Talking {
            jid,
            actor: who.to_string(),
            talking: level.is_some(),
            level: level.map(Level::dbov),
        };
        match to {
            Audience::Call => self.tell_call(None, event),
            Audience::Device { who: reader, device } => {
                let jid = self.key.jid_for(&reader).to_string();
                self.deliver(device_of(reader, &device), event(jid));
            }
        }
    }

    /// The certificate that the server saw from this client, for a page that compares.
    pub(super) fn tell_certificate(&self, leg: LegId, fingerprint: String) {
        if let Some(entry) = self.legs.get(&leg).filter(|_| self.shared.check_fingerprint) {
            let to = To::Device(entry.device.clone());
            self.deliver(to, ServerEvent::CheckFingerprint { fingerprint });
        }
    }

    fn tell_state(&self, gentime: i64) {
        match &self.key {
            ChatKey::Group(jid) => {
                let state = self.state_for(jid, gentime);
                self.deliver(To::Members(jid.clone()), ServerEvent::State(state));
            }
            ChatKey::Direct(one, other) => {
                for reader in [one, other] {
                    let state = self.state_for(self.key.jid_for(reader), gentime);
                    self.deliver(To::Person(reader.clone()), ServerEvent::State(state));
                }
            }
        }
    }

    /// The core may have lost all of it.
    pub(super) fn tell_all(&mut self, told: &impl Fn(CallSummary)) {
        if self.call.onliners().is_empty() {
            return;
        }
        let gentime = self.call.next_gentime(self.shared.clock.now().wall);
        self.tell_state(gentime);
        told(self.summary());
    }

    /// A device that has come while its person is rung: what waits, how the call stands, and the
    /// rest of the ringing, which is too short to wait.
    pub(super) fn tell_rest_of_ring(&mut self, device: &Device, told: &impl Fn(CallSummary)) {
        let rung = self.call.rings(self.shared.clock.now().time, &device.jid);
        let Some((caller, rest)) = rung.map(|(caller, rest)| (caller.clone(), rest)) else {
            return;
        };
        self.carry_out(told);
        self.tell_newcomers();
        let event = self.buzz(&caller, &device.jid, rest.as_secs());
        self.deliver(To::Device(device.clone()), event);
    }

    /// Devices that have just come: how the call stands.
    pub(super) fn tell_newcomers(&mut self) {
        let newcomers = std::mem::take(&mut self.newcomers);
        if newcomers.is_empty() || self.call.onliners().is_empty() {
            return;
        }
        let gentime = self.call.next_gentime(self.shared.clock.now().wall);
        let states = match &self.key {
            ChatKey::Group(jid) => vec![(jid.clone(), newcomers)],
            ChatKey::Direct(..) => {
                let named = |device: &Device| self.key.jid_for(&device.jid).clone();
                newcomers.into_iter().map(|device| (named(&device), vec![device])).collect()
            }
        };
        for (chat, devices) in states {
            let state = self.state_for(&chat, gentime);
            self.deliver(To::Devices(devices), ServerEvent::State(state));
        }
    }

    pub(super) fn state_for(&self, chat: &Jid, gentime: i64) -> CallState {
        let iso = |wall: Wall| time::format(wall.as_nanos());
        let (start, finish) = match self.call.phase() {
            Phase::Calling => (None, None),
            Phase::Live { start } => (Some(start), None),
            Phase::Finished { start, finish } => (start, Some(finish)),
        };
        CallState {
            jid: chat.to_string(),
            uid: self.uid.to_string(),
            buzz: self.call.is_buzzing(),
            created: iso(self.call.created()),
            start: start.map(iso),
            finish: finish.map(iso),
            audiorecord: self.call.is_recording(),
            onliners: self.onliners(),
            sticky: self.call.is_mute_sticky(),
            record_stopped: match self.disk {
                Disk::Refuses(why) if self.call.is_record_stopped() => Some(why.label()),
                Disk::Refuses(_) | Disk::Takes | Disk::TakesAnew => None,
            },
            gentime,
            timestamp: Wall(gentime).as_millis(),
        }
    }

    fn onliners(&self) -> Vec<CallOnliner> {
        let listed = |onliner: &engine::call::Onliner| {
            let person = self.people.get(&onliner.who);
            let text = |part: fn(&crate::core::Person) -> &String| {
                person.map(part).cloned().unwrap_or_default()
            };
            let muted = onliner.mute.is_muted();
            let device = |leg: &engine::call::Leg| CallDevice {
                muted,
                useragent: leg.useragent.to_string(),
            };
            CallOnliner {
                jid: onliner.who.to_string(),
                display_name: text(|person| &person.display_name),
                role: text(|person| &person.role),
                icon: text(|person| &person.icon),
                muted,
                enabled_video: false,
                enabled_screenshare: false,
                devices: onliner.legs.iter().map(device).collect(),
                link: link_word(onliner.link()),
                muted_by: muted_by(onliner),
                voice: None,
            }
        };
        self.call.onliners().iter().map(listed).collect()
    }

    pub(super) fn summary(&self) -> CallSummary {
        let start = match self.call.phase() {
            Phase::Calling => None,
            Phase::Live { start } => Some(start),
            Phase::Finished { start, .. } => start,
        };
        CallSummary {
            chat: self.key.clone(),
            uid: self.uid.to_string(),
            start: start.map(|wall| time::format(wall.as_nanos())),
            online_count: self.call.onliners().len(),
            finished: self.call.is_finished(),
        }
    }

    pub(super) fn inside(&self) -> Vec<Jid> {
        self.call.onliners().iter().map(|onliner| onliner.who.clone()).collect()
    }

    /// The chat's jid as this reader knows it, and the call's uid.
    pub(super) fn named_for(&self, reader: &Jid) -> (String, String) {
        (self.key.jid_for(reader).to_string(), self.uid.to_string())
    }

    pub(super) fn deliver(&self, to: To, event: ServerEvent) {
        self.shared.core.deliver(Deliver { to, event });
    }
}

fn device_of(who: Jid, device: &str) -> To {
    To::Device(Device { jid: who, name: device.to_owned() })
}

/// Only what the client did not do itself, by this device or another one.
fn told_reason(reason: LegEnd) -> Option<&'static str> {
    match reason {
        LegEnd::Kicked | LegEnd::MediaLost | LegEnd::SocketLost => Some(reason.label()),
        LegEnd::Left
        | LegEnd::Replaced
        | LegEnd::OtherDevice
        | LegEnd::MediaEnded
        | LegEnd::CallFinished => None,
    }
}

pub(super) fn link_word(link: Option<Link>) -> &'static str {
    match link {
        Some(Link::Connected) => "connected",
        Some(Link::Connecting { .. }) | None => "connecting",
        Some(Link::Lost { .. }) => "lost",
    }
}

pub(super) fn muted_by(onliner: &Onliner) -> String {
    match &onliner.mute {
        // Nobody of the chat did it.
        Mute::Off | Mute::ByOperator => String::new(),
        Mute::BySelf => onliner.who.to_string(),
        Mute::ByModerator(by) => by.to_string(),
    }
}
