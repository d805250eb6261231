//! The call for the operator of the server: how it stands, with nothing left out, why one does not
//! hear another, and what he does to it.

use engine::call::{Deed, Leg, Link, Mute, Onliner, Phase, Socket};
use engine::{Input, Jid};
use tokio::sync::oneshot;

use super::CallTask;
use crate::core::link::chat_value;
use crate::core::{CallSummary, Refusal};
use crate::effects::muted_by;
use crate::media::LegReading;
use crate::wire::admin::{
    CallLine, CallView, HeardView, Hearing, HearingView, LegView, OPERATOR, OnlinerView, Recording,
};
use crate::wire::report::Verdict;
use crate::wire::time;

/// What he asks of a call, or does to it.
pub enum Request {
    Line(oneshot::Sender<CallLine>),
    View(oneshot::Sender<CallView>),
    Hearing {
        listener: Jid,
        /// `None`: he is not in the call.
        answer: oneshot::Sender<Option<HearingView>>,
    },
    Deed {
        deed: Deed,
        done: oneshot::Sender<Result<(), Refusal>>,
    },
}

impl CallTask {
    /// Whoever asked may not wait any more: that is nobody's fault.
    pub(super) async fn handle_operator(&mut self, request: Request, told: &impl Fn(CallSummary)) {
        match request {
            Request::Line(answer) => drop(answer.send(self.line())),
            Request::View(answer) => {
                let readings = self.worker.inspect(self.no).await;
                let _ = answer.send(self.view(&readings));
            }
            Request::Hearing { listener, answer } => {
                let readings = self.worker.inspect(self.no).await;
                let _ = answer.send(self.hearing(&listener, &readings));
            }
            Request::Deed { deed, done } => {
                let checked = match deed {
                    Deed::Record { on } => self.check_may_record(on),
                    _ => Ok(()),
                };
                let result = checked.and_then(|()| self.input(Input::Operate(deed)));
                // Who reads the call next finds it done.
                self.carry_out(told);
                let _ = done.send(result);
            }
        }
    }

    fn line(&self) -> CallLine {
        let onliners = self.call.onliners();
        let start = match self.call.phase() {
            Phase::Calling => None,
            Phase::Live { start } => Some(start),
            Phase::Finished { start, .. } => start,
        };
        CallLine {
            uid: self.uid.to_string(),
            chat: chat_value(&self.chat),
            start: start.map(|wall| time::format(wall.as_nanos())),
            people: onliners.len(),
            legs: onliners.iter().map(|onliner| onliner.legs.len()).sum(),
            recording: match (self.call.is_recording(), self.call.is_record_stopped()) {
                (true, _) => Recording::On,
                (false, true) => Recording::Stopped,
                (false, false) => Recording::Off,
            },
        }
    }

    fn view(&self, readings: &[LegReading]) -> CallView {
        let onliner_view = |onliner: &Onliner| OnlinerView {
            jid: onliner.who.to_string(),
            display_name: self.name_of(&onliner.who),
            role: self.people.get(&onliner.who).map(|it| it.role.clone()).unwrap_or_default(),
            muted: onliner.mute.is_muted(),
            muted_by: match onliner.mute {
                Mute::ByOperator => OPERATOR.to_owned(),
                Mute::Off | Mute::BySelf | Mute::ByModerator(_) => muted_by(onliner),
            },
            talking: onliner.talks().is_some(),
            no_record: onliner.no_record,
            legs: onliner.legs.iter().map(|leg| self.whole_leg(onliner, leg, readings)).collect(),
        };
        CallView {
            line: self.line(),
            created: time::format(self.call.created().as_nanos()),
            ringing: self.call.is_buzzing(),
            sticky: self.call.is_mute_sticky(),
            onliners: self.call.onliners().iter().map(onliner_view).collect(),
        }
    }

    fn whole_leg(&self, onliner: &Onliner, leg: &Leg, readings: &[LegReading]) -> LegView {
        let reading = readings.iter().find(|reading| reading.leg == leg.id);
        LegView {
            leg: leg.id.0,
            socket: leg.socket == Socket::Held,
            figures: self.leg_figures(onliner, leg, reading),
        }
    }

    fn hearing(&self, listener: &Jid, readings: &[LegReading]) -> Option<HearingView> {
        let onliners = self.call.onliners();
        let ears = onliners.iter().find(|onliner| onliner.who == *listener)?;
        let name = self.name_of(listener);
        let others = onliners.iter().filter(|onliner| onliner.who != *listener);
        let heard = |speaker: &Onliner| {
            let verdict = self.hears(ears, speaker, readings);
            let speaker_name = self.name_of(&speaker.who);
            let by = match &speaker.mute {
                Mute::ByModerator(by) => Some(self.name_of(by)),
                Mute::ByOperator => Some("the operator of the server".to_owned()),
                Mute::Off | Mute::BySelf => None,
            };
            HeardView {
                jid: speaker.who.to_string(),
                why: verdict.sentence(&speaker_name, &name, by.as_deref()),
                display_name: speaker_name,
                verdict,
            }
        };
        let (uid, listener) = (self.uid.to_string(), listener.to_string());
        let others = others.map(heard).collect();
        Some(HearingView { uid, listener, display_name: name, others })
    }

    /// By the best of the speaker's legs: one that is heard is enough.
    fn hears(&self, ears: &Onliner, speaker: &Onliner, readings: &[LegReading]) -> Hearing {
        let listens = |reading: &&LegReading| ears.legs.iter().any(|leg| leg.id == reading.leg);
        if ears.legs.iter().all(|leg| leg.link != Link::Connected) {
            return Hearing::ListenerNotConnected;
        }
        if readings.iter().filter(listens).all(|reading| reading.slots.is_empty()) {
            return Hearing::ListenerWithoutSlots;
        }
        let judged = speaker.legs.iter().map(|leg| {
            let reading = readings.iter().find(|reading| reading.leg == leg.id);
            let mut slots = readings.iter().filter(listens).flat_map(|it| &it.slots);
            let slot = slots.find(|slot| slot.heard == Some(leg.id));
            let lost_there = slot.is_some_and(|slot| slot.lost_there >= MUCH);
            let lost_here = reading.is_some_and(|reading| reading.lost_in >= MUCH);
            match self.verdict(&ears.who, speaker, leg, (reading, readings)) {
                Verdict::Own | Verdict::Heard if lost_here => Hearing::LostFromSpeaker,
                Verdict::Own | Verdict::Heard if lost_there => Hearing::LostToListener,
                Verdict::Own | Verdict::Heard => Hearing::Heard,
                Verdict::Silent => Hearing::Silent,
                Verdict::NoSlot => Hearing::NoSlot,
                Verdict::NoPackets => Hearing::NoPackets,
                Verdict::NoMicrophone => Hearing::NoMicrophone,
                Verdict::Muted => Hearing::Muted,
                Verdict::NotConnected => Hearing::NotConnected,
            }
        });
        judged.min_by_key(|hearing| *hearing as usize).unwrap_or(Hearing::NotConnected)
    }

    /// As people know him; his jid where nobody said.
    fn name_of(&self, who: &Jid) -> String {
        let name = self.people.get(who).map(|person| person.display_name.as_str());
        name.filter(|name| !name.is_empty()).unwrap_or(who.as_str()).to_owned()
    }
}

/// A share lost, in 256ths, with which speech breaks up: a fifth. Opus conceals less.
const MUCH: u8 = 51;
