//! A client's descriptions: an offer that joins or reconnects, an answer, a renegotiation.

use std::sync::Arc;

use engine::call::{Growth, Join};
use engine::{Input, Jid, LegId};
use tokio::sync::mpsc;
use tracing::info;

use super::traced::Way;
use super::{CallTask, LegEntry, Message, refused};
use crate::core::{AnswerStyle, CallSummary, Device, Refusal, Signal};
use crate::media::dialogue::{Dialogue, Ours, Unfit};
use crate::media::sdp::{self, Remote};
use crate::media::{LegSpec, Notice, Order};
use crate::wire::server::{Jsep, JsepKind};

impl CallTask {
    /// Joins, or reconnects: leg on the worker, answer to the client, then everybody is told.
    pub(super) async fn handle_offer(
        &mut self,
        signal: &Signal,
        text: &str,
        trickle: bool,
        muted: bool,
        told: &impl Fn(CallSummary),
    ) -> Result<(), Refusal> {
        let began = std::time::Instant::now();
        let remote = self.parse(text)?;
        self.call.admits(&signal.actor.jid).map_err(refused)?;
        let ours = Ours {
            fingerprint: self.shared.pool.fingerprint().to_owned(),
            candidates: self.worker.candidates().to_vec(),
            slots_max: self.shared.rules.slots_max,
        };
        let dialogue = Dialogue::open(&remote, ours);
        let next = &self.shared.legs;
        let leg = LegId(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let opened = self.worker.open(self.leg_spec(leg, &signal.actor.jid, &dialogue)).await;
        let heard = opened.map_err(|full| Refusal::new("overloaded", full.to_string()))?;
        let slots = dialogue.slots().len();
        let growth = match (signal.answer_style, slots) {
            (AnswerStyle::Sdp, 0 | 1) => Growth::ByOffer,
            (AnswerStyle::Sdp | AnswerStyle::Answer, _) => Growth::Never,
        };
        let join = Join {
            who: signal.actor.jid.clone(),
            device: Arc::from(signal.device.name.as_str()),
            useragent: Arc::from(signal.useragent.as_str()),
            leg,
            muted,
            no_record: signal.actor.no_record,
            has_socket: signal.has_socket,
            slots,
            growth,
        };
        let entry = LegEntry {
            way: Way::from(began),
            device: signal.device.clone(),
            style: signal.answer_style,
            dialogue,
            heard: heard.clone(),
        };
        self.legs.insert(leg, entry);
        self.input(Input::Join(join))?;
        self.story.legs += 1;
        info!(call = %self.uid, leg = %leg, onliner = %signal.actor.jid, slots, "leg opened");
        self.carry_out_media();
        self.tell_answer(leg, &heard, trickle);
        if let Some(entry) = self.legs.get_mut(&leg) {
            entry.way.answered = Some(std::time::Instant::now());
        }
        self.shared.metrics.offer_answered(began.elapsed());
        self.carry_out(told);
        Ok(())
    }

    fn leg_spec(&self, leg: LegId, who: &Jid, dialogue: &Dialogue) -> LegSpec {
        let own = self.own.clone();
        let beside = self.legs.iter().filter(|(_, entry)| entry.device.jid == *who);
        LegSpec {
            leg,
            call: self.no,
            local: dialogue.local().clone(),
            remote_ufrag: dialogue.remote_ufrag().to_owned(),
            fingerprints: dialogue.fingerprints().to_vec(),
            voice: dialogue.voice(),
            beside: beside.map(|(leg, _)| *leg).collect(),
            slots: dialogue.slots(),
            packet_max: dialogue.packet_max(),
            notices: Arc::new(move |notice: Notice| {
                use mpsc::error::TrySendError;
                // A task that is gone has no use for the notice.
                let Some(own) = own.upgrade() else { return Ok(()) };
                match own.try_send(Message::Notice(notice)) {
                    Err(TrySendError::Full(Message::Notice(notice))) => Err(notice),
                    Err(TrySendError::Full(_) | TrySendError::Closed(_)) | Ok(()) => Ok(()),
                }
            }),
        }
    }

    pub(super) fn handle_sdp(
        &mut self,
        signal: &Signal,
        uid: &str,
        jsep: &Jsep,
    ) -> Result<(), Refusal> {
        let leg = self.leg_of(&signal.device)?;
        self.check_uid(uid)?;
        match jsep.kind {
            JsepKind::Answer => {
                let remote = sdp::parse_answer(&jsep.sdp, &self.shared.sdp).map_err(malformed)?;
                let entry = self.legs.get_mut(&leg).ok_or_else(not_in_call)?;
                entry.dialogue.handle_answer(&remote).map_err(unfit)?;
                let slots = entry.dialogue.slots().len();
                self.reshape(leg)?;
                self.input(Input::Answered { leg, slots })
            }
            JsepKind::Offer => {
                let remote = self.parse(&jsep.sdp)?;
                let now = self.shared.clock.now().time;
                self.call.admits_reoffer(now, leg).map_err(refused)?;
                let entry = self.legs.get_mut(&leg).ok_or_else(not_in_call)?;
                let reoffer = entry.dialogue.handle_offer(&remote).map_err(unfit)?;
                let slots = entry.dialogue.slots().len();
                self.input(Input::Reoffered { leg, slots })?;
                if let Some((local, remote_ufrag)) = reoffer.restart {
                    self.order(Order::RestartIce { leg, local, remote_ufrag })?;
                }
                self.reshape(leg)?;
                self.input(Input::Answered { leg, slots })?;
                let heard = self.legs.get(&leg).map(|entry| entry.heard.clone());
                self.tell_answer(leg, &heard.unwrap_or_default(), true);
                Ok(())
            }
        }
    }

    fn reshape(&mut self, leg: LegId) -> Result<(), Refusal> {
        let entry = self.legs.get(&leg).ok_or_else(not_in_call)?;
        let (slots, voice) = (entry.dialogue.slots(), entry.dialogue.voice());
        self.order(Order::Reshape { leg, slots, voice })
    }

    fn order(&self, order: Order) -> Result<(), Refusal> {
        self.worker.order(order).map_err(|full| Refusal::new("overloaded", full.to_string()))
    }

    fn leg_of(&self, device: &Device) -> Result<LegId, Refusal> {
        let own = self.legs.iter().find(|(_, entry)| entry.device == *device);
        own.map(|(leg, _)| *leg).ok_or_else(not_in_call)
    }

    fn parse(&self, text: &str) -> Result<Remote, Refusal> {
        sdp::parse(text, &self.shared.sdp).map_err(malformed)
    }
}

fn malformed(malformed: sdp::Malformed) -> Refusal {
    Refusal::new(malformed.code(), malformed.to_string())
}

fn unfit(unfit: Unfit) -> Refusal {
    Refusal::new(unfit.code(), unfit.to_string())
}

fn not_in_call() -> Refusal {
    refused(engine::Refusal::NotInCall)
}
