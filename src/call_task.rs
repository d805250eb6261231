//! One call's task: the single owner of its control state. Signals, notices and the clock go
//! into `engine::Call`; what it wants done is done in `effects`, in order.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::call::{Growth, Join, Place, Rules, Targets};
use engine::{Call, Input, Jid, LegId};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, info};

use crate::clock::Clock;
use crate::core::{AnswerStyle, CallSummary, Chat, ChatCore, ChatKey, Device, Person};
use crate::core::{Presence, Refusal, Signal};
use crate::media::dialogue::{Dialogue, Ours};
use crate::media::sdp::{self, Remote};
use crate::media::{CallNo, LegSpec, Notice, Order, Pool, WorkerHandle};
use crate::metrics::Metrics;
use crate::wire::ClientEvent;
use crate::wire::server::{Jsep, JsepKind};

/// What every call of the node shares.
pub struct Shared {
    pub core: Arc<dyn ChatCore>,
    pub pool: Pool,
    pub clock: Clock,
    pub rules: Rules,
    pub sdp: sdp::Limits,
    pub metrics: Arc<Metrics>,
    /// Makes leg ids, unique for the life of the process.
    pub legs: std::sync::atomic::AtomicU64,
}

/// What reaches a call's task.
pub enum Message {
    Signal { signal: Box<Signal>, done: oneshot::Sender<Result<(), Refusal>> },
    Presence { device: Device, presence: Presence },
    Notice(Notice),
}

pub struct CallTask {
    pub(super) shared: Arc<Shared>,
    pub(super) call: Call,
    pub(super) chat: Chat,
    pub(super) key: ChatKey,
    pub(super) uid: Arc<str>,
    pub(super) no: CallNo,
    pub(super) worker: WorkerHandle,
    pub(super) legs: BTreeMap<LegId, LegEntry>,
    /// How the core last described whom we met.
    pub(super) people: BTreeMap<Jid, Person>,
    /// For the sinks of new legs: weak, or the task would keep itself alive.
    pub(super) own: mpsc::WeakSender<Message>,
}

/// A leg as the control plane holds it.
pub(super) struct LegEntry {
    pub device: Device,
    pub style: AnswerStyle,
    pub dialogue: Dialogue,
    /// Who the worker last said is heard on each slot.
    pub heard: Vec<Option<LegId>>,
}

/// A call's first words.
pub struct Opening {
    pub chat: Chat,
    pub uid: Arc<str>,
    pub no: CallNo,
    pub own: mpsc::WeakSender<Message>,
}

impl CallTask {
    pub fn new(shared: Arc<Shared>, opening: Opening) -> CallTask {
        let Opening { chat, uid, no, own } = opening;
        let key = chat.key();
        let place = match &key {
            ChatKey::Direct(one, other) => Place::Direct([one.clone(), other.clone()]),
            ChatKey::Group(_) => Place::Group,
        };
        let call = Call::new(shared.clock.now(), place, shared.rules);
        let worker = shared.pool.place();
        let mut people = BTreeMap::new();
        if let Chat::Direct(pair) = &chat {
            people.extend(pair.iter().map(|person| (person.jid.clone(), person.clone())));
        }
        let legs = BTreeMap::new();
        CallTask { shared, call, chat, key, uid, no, worker, legs, people, own }
    }

    /// Runs until the call is finished; `told` is called with every change of its line in
    /// `server.online`.
    pub async fn run(mut self, inbox: &mut mpsc::Receiver<Message>, told: impl Fn(CallSummary)) {
        info!(call = %self.uid, chat = %self.chat_name(), "call began");
        loop {
            let due = self.call.poll_timeout().map(|at| self.shared.clock.moment_of(at));
            let timer = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.handle(message, &told).await,
                    None => return,
                },
                () = timer => self.call.handle_timeout(self.shared.clock.now()),
            }
            self.carry_out(&told);
            if self.call.is_finished() {
                info!(call = %self.uid, chat = %self.chat_name(), "call finished");
                return;
            }
            if self.call.onliners().is_empty() {
                // Its first offer was refused: nobody was told of it, and nobody shall be.
                info!(call = %self.uid, chat = %self.chat_name(), "call given up");
                return;
            }
        }
    }

    async fn handle(&mut self, message: Message, told: &impl Fn(CallSummary)) {
        match message {
            Message::Signal { signal, done } => {
                let result = self.handle_signal(*signal, told).await;
                // Whoever asked may be gone: the signal took effect all the same.
                let _ = done.send(result);
            }
            Message::Presence { device, presence } => {
                self.handle_presence(&device, presence, told);
            }
            Message::Notice(Notice::Link { leg, seen }) => {
                debug!(call = %self.uid, leg = %leg, ?seen, "link");
                // A leg that left meanwhile is nobody's news.
                let _ = self.input(Input::Link { leg, seen });
            }
            Message::Notice(Notice::Tracks { leg, slots }) => self.tell_tracks(leg, &slots),
        }
    }

    async fn handle_signal(
        &mut self,
        signal: Signal,
        told: &impl Fn(CallSummary),
    ) -> Result<(), Refusal> {
        let who = signal.actor.jid.clone();
        let device: Arc<str> = Arc::from(signal.device.name.as_str());
        self.people.insert(who.clone(), signal.actor.clone());
        let input = match signal.event.clone() {
            ClientEvent::Offer { sdp, trickle, muted, .. } => {
                return self.handle_offer(&signal, &sdp, trickle, muted, told).await;
            }
            ClientEvent::Sdp { jsep, .. } => return self.handle_sdp(&signal, &jsep),
            ClientEvent::Trickle { candidate, .. } => return check_candidate(&candidate),
            ClientEvent::Sound { muted, .. } => Input::Sound { who, muted },
            ClientEvent::Buzz { members, .. } => Input::Buzz { who, targets: targets(&members)? },
            ClientEvent::BuzzCancel { .. } => Input::BuzzCancel { who },
            ClientEvent::Reject { reason, .. } => {
                Input::Reject { who, device, reason: reason.into() }
            }
            ClientEvent::Leave { .. } => Input::Leave { who, device },
            ClientEvent::Video { .. } | ClientEvent::Screenshare { .. } => {
                return Err(Refusal::new("audio_only", "calls here carry audio only"));
            }
            ClientEvent::MuteAll { .. } | ClientEvent::Record { .. } => {
                return Err(Refusal::new("not_supported", "this server does not do that yet"));
            }
            ClientEvent::Ping | ClientEvent::Confirm { .. } | ClientEvent::Activity => {
                return Err(Refusal::new("unknown_event", "this is not an event of a call"));
            }
        };
        self.input(input)
    }

    /// Joins, or reconnects: leg on the worker, answer to the client, then everybody is told.
    async fn handle_offer(
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
            slots,
            growth,
        };
        let entry = LegEntry {
            device: signal.device.clone(),
            style: signal.answer_style,
            dialogue,
            heard: heard.clone(),
        };
        self.legs.insert(leg, entry);
        self.input(Input::Join(join))?;
        info!(call = %self.uid, leg = %leg, onliner = %signal.actor.jid, slots, "leg opened");
        self.carry_out_media();
        self.tell_answer(leg, &heard, trickle);
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

    fn handle_sdp(&mut self, signal: &Signal, jsep: &Jsep) -> Result<(), Refusal> {
        let leg = self.leg_of(&signal.device)?;
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

    fn handle_presence(
        &mut self,
        device: &Device,
        presence: Presence,
        told: &impl Fn(CallSummary),
    ) {
        let (who, name) = (device.jid.clone(), Arc::from(device.name.as_str()));
        let held = presence == Presence::Connected;
        // Most devices have no leg here; the engine knows.
        let _ = self.input(Input::Socket { who, device: name, held });
        if held && !self.call.onliners().is_empty() {
            // What waits is older than what the newcomer gets.
            self.carry_out(told);
            self.tell_newcomer(device);
        }
    }

    pub(super) fn input(&mut self, input: Input) -> Result<(), Refusal> {
        self.call.handle(self.shared.clock.now(), input).map_err(refused)
    }

    fn leg_of(&self, device: &Device) -> Result<LegId, Refusal> {
        let own = self.legs.iter().find(|(_, entry)| entry.device == *device);
        own.map(|(leg, _)| *leg).ok_or_else(not_in_call)
    }

    fn parse(&self, text: &str) -> Result<Remote, Refusal> {
        sdp::parse(text, &self.shared.sdp).map_err(malformed)
    }

    fn chat_name(&self) -> String {
        match &self.key {
            ChatKey::Group(jid) => jid.to_string(),
            ChatKey::Direct(one, other) => format!("{one}+{other}"),
        }
    }
}

fn refused(refusal: engine::Refusal) -> Refusal {
    Refusal::new(refusal.code(), refusal.to_string())
}

fn malformed(malformed: sdp::Malformed) -> Refusal {
    Refusal::new(malformed.code(), malformed.to_string())
}

fn unfit(unfit: crate::media::dialogue::Unfit) -> Refusal {
    Refusal::new(unfit.code(), unfit.to_string())
}

fn not_in_call() -> Refusal {
    refused(engine::Refusal::NotInCall)
}

/// Candidates are checked for form and used for nothing: a lite agent learns addresses from
/// checks, and never sends to one that a client wrote.
pub(super) fn check_candidate(candidate: &str) -> Result<(), Refusal> {
    if candidate.is_empty() || sdp::candidate_ok(candidate) {
        return Ok(());
    }
    Err(Refusal::new("bad_params", "candidate: this is not an ICE candidate"))
}

fn targets(members: &[String]) -> Result<Targets, Refusal> {
    if members.is_empty() {
        return Ok(Targets::Everyone);
    }
    let these: Option<Vec<Jid>> = members.iter().map(|text| Jid::parse(text)).collect();
    these
        .map(Targets::These)
        .ok_or_else(|| Refusal::new("bad_params", "members: not a list of jids"))
}
