//! One call's task: the single owner of its control state. Signals, notices and the clock go
//! into `engine::Call`; what it wants done is done in `effects`, in order.

mod facts;
mod offers;
pub mod operator;
mod report;
mod story;
mod taping;
mod traced;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use self::story::millis;
use self::traced::Stations;

use engine::call::{Place, Rules, Targets};
use engine::{Call, Input, Jid, LegId};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use crate::clock::Clock;
use crate::core::{AnswerStyle, CallSummary, Chat, ChatCore, ChatKey, Device, Person};
use crate::core::{Presence, Question, Refusal, Reply, Signal, Team};
use crate::limits::NEWCOMERS_WAIT;
use crate::media::dialogue::Dialogue;
use crate::media::{CallNo, Notice, Pool, WorkerHandle, sdp};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::record::Recorder;
use crate::record::capture::Disk;
use crate::wire::ClientEvent;

/// What every call of the node shares.
pub struct Shared {
    pub core: Arc<dyn ChatCore>,
    pub pool: Arc<Pool>,
    /// `None` where nobody is to hear of facts.
    pub outbox: Option<Arc<Outbox>>,
    /// `None` where this server does not record.
    pub recorder: Option<Arc<Recorder>>,
    pub clock: Clock,
    pub rules: Rules,
    pub sdp: sdp::Limits,
    /// Whether clients are told which certificate we saw of them.
    pub check_fingerprint: bool,
    pub metrics: Arc<Metrics>,
    /// Makes leg ids, unique for the life of the process.
    pub legs: std::sync::atomic::AtomicU64,
}

/// What reaches a call's task.
pub enum Message {
    Signal {
        signal: Box<Signal>,
        /// When the node had it.
        taken: Instant,
        done: oneshot::Sender<Result<(), Refusal>>,
    },
    Presence {
        device: Device,
        presence: Presence,
    },
    Notice(Notice),
    /// This server closes: everybody dials again, elsewhere.
    Move,
    /// The core may have lost what it had of the call.
    TellAll,
    /// Whether what is recorded arrives on the disk.
    Recorder(Disk),
    Question {
        reader: Jid,
        question: Question,
        answer: oneshot::Sender<Option<Reply>>,
    },
    Operator(operator::Request),
}

pub struct CallTask {
    pub(super) shared: Arc<Shared>,
    pub(super) call: Call,
    pub(super) team: Team,
    pub(super) chat: Chat,
    pub(super) key: ChatKey,
    pub(super) uid: Arc<str>,
    pub(super) no: CallNo,
    pub(super) worker: WorkerHandle,
    carrier: Carrier,
    pub(super) legs: BTreeMap<LegId, LegEntry>,
    /// How the core last described whom we met.
    pub(super) people: BTreeMap<Jid, Person>,
    taping: Option<taping::Taping>,
    story: story::Story,
    /// What the recorder last said of its disk.
    pub(super) disk: Disk,
    /// Devices that have come since the inbox was last empty, within [`NEWCOMERS_WAIT`] messages:
    /// not told yet how the call stands, so that they share one text.
    pub(super) newcomers: Vec<Device>,
    /// For the sinks of new legs: weak, or the task would keep itself alive.
    pub(super) own: mpsc::WeakSender<Message>,
}

/// Who carries the call's media.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carrier {
    Worker,
    /// No worker is left on this node.
    Nobody,
}

/// A leg as the control plane holds it.
pub(super) struct LegEntry {
    pub way: traced::Way,
    pub device: Device,
    pub style: AnswerStyle,
    pub dialogue: Dialogue,
    /// Who the worker last said is heard on each slot.
    pub heard: Vec<Option<LegId>>,
}

/// A call's first words.
pub struct Opening {
    pub team: Team,
    pub chat: Chat,
    pub uid: Arc<str>,
    pub no: CallNo,
    pub worker: WorkerHandle,
    pub own: mpsc::WeakSender<Message>,
}

impl CallTask {
    pub fn new(shared: Arc<Shared>, opening: Opening) -> CallTask {
        let Opening { team, chat, uid, no, worker, own } = opening;
        let key = chat.key();
        let place = match &key {
            ChatKey::Direct(one, other) => Place::Direct([one.clone(), other.clone()]),
            ChatKey::Group(_) => Place::Group,
        };
        let call = Call::new(shared.clock.now(), place, shared.rules);
        let mut people = BTreeMap::new();
        if let Chat::Direct(pair) = &chat {
            people.extend(pair.iter().map(|person| (person.jid.clone(), person.clone())));
        }
        let legs = BTreeMap::new();
        let carrier = Carrier::Worker;
        let (taping, disk) = (None, Disk::Takes);
        CallTask {
            shared,
            call,
            team,
            chat,
            key,
            uid,
            no,
            worker,
            carrier,
            legs,
            people,
            taping,
            story: story::Story::new(),
            disk,
            newcomers: Vec::new(),
            own,
        }
    }

    /// Runs until the call is finished; `told` is called with every change of its line in
    /// `server.online`.
    pub async fn run(mut self, inbox: &mut mpsc::Receiver<Message>, told: impl Fn(CallSummary)) {
        self.tell_began();
        let mut in_a_row = 0;
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
                () = self.worker.gone(), if self.carrier == Carrier::Worker => {
                    self.replace_worker();
                }
            }
            self.carry_out(&told);
            in_a_row += 1;
            if inbox.is_empty() || in_a_row == NEWCOMERS_WAIT {
                in_a_row = 0;
                self.tell_newcomers();
            }
            if self.call.is_finished() || self.call.onliners().is_empty() {
                self.tell_ended();
                return;
            }
        }
    }

    async fn handle(&mut self, message: Message, told: &impl Fn(CallSummary)) {
        match message {
            Message::Signal { signal, taken, done } => {
                let begun = Instant::now();
                if self.newcomers.contains(&signal.device) {
                    self.tell_newcomers();
                }
                let result = self.handle_signal(&signal, told).await;
                self.tell_signal(&signal, &result);
                let handled = Instant::now();
                // An HTTP request answers with what the event produced.
                self.carry_out(told);
                self.trace_signal(&signal, &result, &Stations { taken, begun, handled });
                // Whoever asked may be gone: the signal took effect all the same.
                let _ = done.send(result);
            }
            Message::Presence { device, presence } => {
                self.handle_presence(device, presence, told);
            }
            Message::Notice(Notice::Link { leg, seen }) => {
                let former = self.link_of(leg);
                // A leg that left meanwhile is nobody's news.
                let _ = self.input(Input::Link { leg, seen });
                self.tell_link(leg, former, seen);
            }
            Message::Notice(Notice::Reached { leg, step, at }) => {
                self.tell_step(leg, step, at);
                self.trace_step(leg, step, at);
            }
            Message::Notice(Notice::Tracks { leg, slots }) => self.tell_tracks(leg, &slots),
            Message::Move => drop(self.input(Input::MediaGone)),
            Message::TellAll => self.tell_all(told),
            Message::Recorder(disk) => self.handle_disk(disk),
            Message::Operator(request) => self.handle_operator(request, told).await,
            Message::Notice(Notice::Talking { leg, level }) => {
                self.tape_talking(leg, level);
                let _ = self.input(Input::Talking { leg, level });
            }
            Message::Notice(Notice::Bundled { span, .. }) => self.tell_bundled(span),
            Message::Notice(Notice::Certified { leg, fingerprint }) => {
                self.tell_certificate(leg, fingerprint);
            }
            Message::Question { reader, question, answer } => {
                let reply = self.reply(&reader, question).await;
                // Whoever asked may not wait any more.
                let _ = answer.send(reply);
            }
        }
    }

    async fn handle_signal(
        &mut self,
        signal: &Signal,
        told: &impl Fn(CallSummary),
    ) -> Result<(), Refusal> {
        let who = signal.actor.jid.clone();
        let device: Arc<str> = Arc::from(signal.device.name.as_str());
        signal.rights.check(&signal.event)?;
        self.people.insert(who.clone(), signal.actor.clone());
        let input = match signal.event.clone() {
            ClientEvent::Offer { sdp, trickle, muted, .. } => {
                return self.handle_offer(signal, &sdp, trickle, muted, told).await;
            }
            ClientEvent::Sdp { uid, jsep, .. } => return self.handle_sdp(signal, &uid, &jsep),
            ClientEvent::Trickle { candidate, .. } => return check_candidate(&candidate),
            ClientEvent::Sound { muted, .. } => Input::Sound { who, muted },
            ClientEvent::Buzz { members, .. } => Input::Buzz { who, targets: targets(&members)? },
            ClientEvent::BuzzCancel { .. } => Input::BuzzCancel { who },
            ClientEvent::Reject { reason, .. } => {
                Input::Reject { who, device, reason: reason.into() }
            }
            ClientEvent::Leave { .. } => Input::Leave { who, device },
            ClientEvent::Video { .. } | ClientEvent::Screenshare { .. } => {
                return Err(audio_only());
            }
            ClientEvent::MuteAll { muted: true, sticky, .. } => Input::MuteAll { who, sticky },
            ClientEvent::MuteAll { muted: false, .. } => Input::LiftMute { who },
            ClientEvent::Kick { onliner, .. } => Input::Kick { by: who, who: person(&onliner)? },
            ClientEvent::Record { uid, audiorecord, .. } => {
                self.check_uid(&uid)?;
                self.check_may_record(audiorecord)?;
                Input::Record { who, on: audiorecord }
            }
            ClientEvent::Ping | ClientEvent::Confirm { .. } | ClientEvent::Activity => {
                return Err(Refusal::new("unknown_event", "this is not an event of a call"));
            }
        };
        self.input(input)
    }

    fn handle_presence(&mut self, device: Device, presence: Presence, told: &impl Fn(CallSummary)) {
        self.newcomers.retain(|newcomer| *newcomer != device);
        let (who, name) = (device.jid.clone(), Arc::from(device.name.as_str()));
        let held = presence == Presence::Connected;
        // Most devices have no leg here; the engine knows.
        let _ = self.input(Input::Socket { who, device: name, held });
        if held && !self.call.onliners().is_empty() {
            self.newcomers.push(device.clone());
            self.tell_rest_of_ring(&device, told);
        }
    }

    /// The worker's thread has ended: everybody dials again, and is carried by another.
    fn replace_worker(&mut self) {
        warn!(call = %self.uid, chat = %self.chat_name(), "media lost, everybody dials again");
        self.worker = self.shared.pool.place();
        if self.worker.is_gone() {
            // Given up, all of them: nothing more is to be learnt, the legs end by their time.
            error!(call = %self.uid, chat = %self.chat_name(), "no media worker is left");
            self.carrier = Carrier::Nobody;
        }
        let _ = self.input(Input::MediaGone);
    }

    /// # Errors
    /// What the client speaks of is another call than this chat's present one.
    fn check_uid(&self, uid: &str) -> Result<(), Refusal> {
        if *self.uid == *uid { Ok(()) } else { Err(refused(engine::Refusal::NoSuchCall)) }
    }

    pub(super) fn input(&mut self, input: Input) -> Result<(), Refusal> {
        self.call.handle(self.shared.clock.now(), input).map_err(refused)
    }

    fn chat_name(&self) -> String {
        match &self.key {
            ChatKey::Group(jid) => jid.to_string(),
            ChatKey::Direct(one, other) => format!("{one}+{other}"),
        }
    }
}

impl Drop for CallTask {
    /// However it ended: nothing goes on recording a call that nobody owns.
    fn drop(&mut self) {
        self.end_taping(None);
    }
}

fn refused(refusal: engine::Refusal) -> Refusal {
    Refusal::new(refusal.code(), refusal.to_string())
}

pub(super) fn audio_only() -> Refusal {
    Refusal::new("audio_only", "calls here carry audio only")
}

/// Candidates are checked for form and used for nothing: a lite agent learns addresses from
/// checks, and never sends to one that a client wrote.
pub(super) fn check_candidate(candidate: &str) -> Result<(), Refusal> {
    if candidate.is_empty() || sdp::candidate_ok(candidate) {
        return Ok(());
    }
    Err(Refusal::new("bad_params", "candidate: this is not an ICE candidate"))
}

fn person(text: &str) -> Result<Jid, Refusal> {
    Jid::parse(text).ok_or_else(|| Refusal::new("bad_params", "onliner: this is not a jid"))
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

#[cfg(test)]
mod tests;
