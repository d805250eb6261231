//! What must hold once faults are over, and once everybody has gone.

use engine::LegId;
use engine::call::Link;

use super::control::state_of;
use super::speech::Speech;
use super::story::Story;
use super::watch::{Complaint, Promise, broken};

type Checked = Result<(), Complaint>;

impl Story {
    /// Whoever wants in is in.
    pub fn check_all_are_in(&self) -> Checked {
        let wanting = (0..self.devices.len()).filter(|device| self.devices[*device].wants_in);
        wanting.into_iter().try_for_each(|device| self.check_is_in(device))
    }

    /// Everybody has talked and is quiet.
    pub fn check_all_is_well(&self) -> Checked {
        self.check_all_are_in()?;
        self.watch.turns.check_none_talks()?;
        for device in 0..self.devices.len() {
            if self.devices[device].wants_in {
                self.check_slots(device)?;
                self.check_hears(device)?;
            }
            self.check_knows(device)?;
        }
        self.worker.legs().try_for_each(|leg| match self.device_of(leg) {
            Some(_) => Ok(()),
            None => broken(Promise::AllEnds, format!("leg {leg} is nobody's")),
        })
    }

    /// Everybody in the call was told that this one talks.
    pub fn check_talks(&self, device: usize) -> Checked {
        let it = &self.devices[device];
        let no = self.chats[it.chat].no;
        let mut inside = self.devices.iter().filter(|it| it.chat == self.devices[device].chat);
        let unknowing = inside.find(|other| other.wants_in && !other.talkers.contains(&it.who));
        let is_told = self.watch.turns.is_told(no, &it.who);
        if is_told && unknowing.is_none() {
            return Ok(());
        }
        let label = unknowing.map(|other| other.label());
        let what = format!("{} talks, told {is_told}, unknown to {label:?}", it.label());
        broken(Promise::EveryBeganCeases, what)
    }

    /// A correct client is back, whatever happened before.
    fn check_is_in(&self, device: usize) -> Checked {
        let it = &self.devices[device];
        let call = self.chats[it.chat].call.as_ref();
        let onliners = call.map(|call| call.onliners()).unwrap_or_default();
        let legs = onliners.iter().filter(|who| who.who == it.who).flat_map(|who| &who.legs);
        let own = legs.clone().find(|leg| Some(leg.id) == it.leg);
        match own.map(|leg| leg.link) {
            Some(Link::Connected) => Ok(()),
            link => {
                let legs: Vec<LegId> = legs.map(|leg| leg.id).collect();
                let (label, leg) = (it.label(), it.leg);
                let what = format!("{label}: leg {leg:?} is {link:?}, the call has {legs:?}");
                broken(Promise::AlwaysBack, what)
            }
        }
    }

    /// A client that answers every offer has a slot for each voice, up to `slots_max`.
    fn check_slots(&self, device: usize) -> Checked {
        let it = &self.devices[device];
        let Some(leg) = it.leg.filter(|_| self.answers_offers(device)) else { return Ok(()) };
        let wanted = self.others(device).len().min(self.rules.slots_max);
        let held = self.worker.slots(self.chats[it.chat].no, leg).len();
        if held < wanted {
            let what = format!("{} has {held} slots and needs {wanted}", it.label());
            return broken(Promise::EveryVoiceIsHeard, what);
        }
        Ok(())
    }

    /// Everybody talked alone for a while, so whoever has a slot has heard every voice.
    fn check_hears(&self, device: usize) -> Checked {
        let it = &self.devices[device];
        let Some(leg) = it.leg else { return Ok(()) };
        let others = self.others(device).into_iter().map(|other| &self.devices[other]);
        let voices: Vec<_> = others.filter(|other| other.sends).collect();
        let has_slot = !self.worker.slots(self.chats[it.chat].no, leg).is_empty();
        let is_heard = |voice: &LegId| it.ears.heard.contains_key(voice);
        let mut honest = voices.iter().filter(|it| it.manner.is_honest()).filter_map(|it| it.leg);
        let unheard = honest.find(|voice| has_slot && !is_heard(voice));
        let mut heard = it.ears.heard.keys();
        let strange = heard.find(|leg| !voices.iter().any(|it| it.leg == Some(**leg)));
        if unheard.is_some() || strange.is_some() {
            let what = format!(
                "{} leg {leg} does not hear {unheard:?}, hears {strange:?} of {:?}",
                it.label(),
                it.ears.heard.keys()
            );
            return broken(Promise::EveryVoiceIsHeard, what);
        }
        Ok(())
    }

    /// The last word that a device got is how things stand.
    pub fn check_knows(&self, device: usize) -> Checked {
        let it = &self.devices[device];
        let chat = &self.chats[it.chat];
        let label = it.label();
        let rung = chat.call.as_ref().is_some_and(|call| call.rings(self.time, &it.who).is_some());
        if it.rings && !rung {
            return broken(Promise::LastWordHolds, format!("{label} still rings"));
        }
        if let Some(call) = &chat.call {
            let truth = state_of(call);
            let told = it.state.as_ref().map(|(no, _, text)| (*no, text.as_str()));
            if told != Some((chat.no, &*truth)) {
                let what = format!("{label} was told {told:?}, it is {} {truth}", chat.no);
                return broken(Promise::LastWordHolds, what);
            }
        }
        let Some(leg) = it.leg else { return Ok(()) };
        let truth = (leg, self.worker.slots(chat.no, leg).to_vec());
        // Until everybody is quiet they may change hands at any moment where they are scarce.
        let is_settled = self.is_quiet() || !self.worker.is_scarce(chat.no);
        if it.tracks.as_ref() != Some(&truth) && is_settled && !truth.1.is_empty() {
            let what = format!("{label} was told of {:?}, it is {truth:?}", it.tracks);
            return broken(Promise::LastWordHolds, what);
        }
        Ok(())
    }

    /// Nothing is left of a call whose people have left.
    pub fn check_all_has_ended(&self) -> Checked {
        if let Some(chat) = self.chats.iter().find(|chat| chat.call.is_some()) {
            return broken(Promise::AllEnds, format!("call {} goes on without people", chat.no));
        }
        if self.chats.iter().any(|chat| !chat.legs.is_empty()) || !self.worker.is_empty() {
            let legs: Vec<LegId> = self.worker.legs().collect();
            return broken(Promise::AllEnds, format!("the worker still holds {legs:?}"));
        }
        for device in 0..self.devices.len() {
            let it = &self.devices[device];
            let chat = &self.chats[it.chat];
            let told = it.state.as_ref().map(|(no, _, text)| (*no, text.as_str()));
            if told != Some((chat.no, &*chat.last)) {
                let what = format!("{} was told {told:?} of {}", it.label(), chat.last);
                return broken(Promise::LastWordHolds, what);
            }
            self.check_knows(device)?;
        }
        Ok(())
    }

    fn is_quiet(&self) -> bool {
        let speaks = |speech| matches!(speech, Speech::Freely | Speech::Talks);
        self.devices.iter().all(|it| !speaks(it.speech))
    }

    /// Devices of other people in the same call.
    fn others(&self, device: usize) -> Vec<usize> {
        let own = &self.devices[device];
        let all = self.devices.iter().enumerate();
        let is_other =
            |it: &super::device::Device| it.chat == own.chat && it.who != own.who && it.wants_in;
        all.filter(|(_, it)| is_other(it)).map(|(at, _)| at).collect()
    }

    fn device_of(&self, leg: LegId) -> Option<usize> {
        self.devices.iter().position(|it| it.leg == Some(leg))
    }
}
