//! One call to oneself: a call task of its own, two clients on the `webrtc` crate, a voice there
//! and another one back. The task is the one that people's calls have; only its chat core is ours.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use engine::call::Rules;
use engine::{Jid, LegId};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout, timeout_at};
use tracing::debug;

use super::voice::Voice;
use super::watch::Stage;
use crate::call_task::{CallTask, Message, Opening, Shared};
use crate::clock::Clock;
use crate::core::{AnswerStyle, CallSummary, Chat, ChatCore, Deliver, Device, Person};
use crate::core::{Refusal, Rights, Signal, Team, To};
use crate::demo::client::ClientError;
use crate::demo::hearing::Heard;
use crate::demo::mouth::Mouth;
use crate::demo::peer::{Peer, Sections};
use crate::limits::{CALL_MESSAGES, PROBE_CALL_MAX, PROBE_END_MAX};
use crate::media::{CallNo, Order, PROBE_LEGS, Pool, WorkerHandle, sdp};
use crate::metrics::Metrics;
use crate::telemetry;
use crate::wire::{ClientEvent, ServerEvent};

/// Places calls, one after the other.
pub struct Caller {
    pool: Arc<Pool>,
    clock: Clock,
    rules: Rules,
    sdp: sdp::Limits,
    /// Where the workers' sockets are, from inside this machine.
    local: IpAddr,
    /// Of the next call; its legs are numbered from there on too.
    next: u64,
}

/// A call that runs.
struct Placed {
    mailbox: mpsc::Sender<Message>,
    task: JoinHandle<()>,
    desk: Arc<Desk>,
    worker: WorkerHandle,
    /// Of its two legs.
    first: u64,
}

/// The chat core of such a call: keeps each device's answer, and the rest is for nobody.
#[derive(Default)]
struct Desk(Mutex<BTreeMap<String, String>>);

/// One of the two who call.
struct Party {
    device: Device,
    peer: Peer,
    heard: mpsc::Receiver<Heard>,
}

impl Caller {
    /// Calls go over the pool of `shared` by its rules; `bind` is its sockets' address.
    pub fn new(shared: &Shared, bind: Option<IpAddr>) -> Caller {
        // Two people, never recorded, whatever holds for others.
        let rules = Rules { participants_max: 2, record_auto: false, ..shared.rules };
        let (pool, clock, sdp) = (shared.pool.clone(), shared.clock, shared.sdp);
        Caller { pool, clock, rules, sdp, local: local(bind), next: PROBE_LEGS }
    }

    /// Calls itself on worker `number`; how long it took until the first voice was heard.
    ///
    /// # Errors
    /// The stage that did not come within [`PROBE_CALL_MAX`] of the beginning.
    pub async fn call(&mut self, number: usize) -> Result<Duration, Stage> {
        let worker = self.pool.worker(number).ok_or(Stage::Answer)?.reached_at(self.local);
        let due = Instant::now() + PROBE_CALL_MAX;
        let placed = self.place(worker);
        let parties =
            async { tokio::try_join!(Party::come(self.local, 0), Party::come(self.local, 1)) };
        let talked = match by(due, Stage::Socket, parties).await {
            Ok(mut parties) => {
                let talked = placed.talk(&mut parties, due).await;
                let (one, other) = parties;
                // The legs end by the clients' good-byes, so that nothing comes behind them.
                let closed = async { tokio::join!(one.peer.close(), other.peer.close()) };
                // One that does not end in time is closed when it is dropped.
                let _ = timeout(PROBE_END_MAX / 2, closed).await;
                talked
            }
            Err(stage) => Err(stage),
        };
        placed.end().await;
        talked
    }

    fn place(&mut self, worker: WorkerHandle) -> Placed {
        let first = self.next;
        self.next += LEGS_A_CALL;
        let desk = Arc::new(Desk::default());
        let shared = Shared {
            core: desk.clone(),
            pool: self.pool.clone(),
            outbox: None,
            recorder: None,
            clock: self.clock,
            rules: self.rules,
            sdp: self.sdp,
            check_fingerprint: false,
            // Offers of people are counted, ours are not.
            metrics: Arc::new(Metrics::new(SystemTime::now())),
            legs: AtomicU64::new(first),
        };
        let (mailbox, mut inbox) = mpsc::channel(CALL_MESSAGES);
        let opening = Opening {
            team: Team::default(),
            chat: chat(),
            uid: Arc::from("probe"),
            no: CallNo(first),
            worker: worker.clone(),
            own: mailbox.downgrade(),
        };
        let task = CallTask::new(Arc::new(shared), opening);
        let run = async move { task.run(&mut inbox, |_| {}).await };
        // Calls of people begin and end in the log; this one does so each few seconds.
        let task = tokio::spawn(telemetry::quiet(run));
        Placed { mailbox, task, desk, worker, first }
    }
}

impl Placed {
    async fn talk(&self, parties: &mut (Party, Party), due: Instant) -> Result<Duration, Stage> {
        let began = Instant::now();
        let (one, other) = parties;
        by(due, Stage::Answer, async { tokio::try_join!(self.dial(one), self.dial(other)) })
            .await?;
        let reached = async { tokio::try_join!(one.peer.reached(), other.peer.reached()) };
        by(due, Stage::Path, reached).await?;
        let connected = async { tokio::try_join!(one.peer.connected(), other.peer.connected()) };
        let (mut mouth, mut reply) = by(due, Stage::Keys, connected).await?;
        by(due, Stage::Voice, say(&mut mouth, &mut other.heard)).await?;
        let elapsed = began.elapsed();
        by(due, Stage::Reply, say(&mut reply, &mut one.heard)).await?;
        Ok(elapsed)
    }

    /// An offer and its answer.
    async fn dial(&self, party: &Party) -> Result<(), Unanswered> {
        let sdp = party.peer.offer().await?;
        let jid = chat().key().jid_for(&party.device.jid).to_string();
        let offer = ClientEvent::Offer { jid, sdp, trickle: false, muted: false };
        self.signal(&party.device, offer).await?;
        let answer = self.desk.answers().remove(&party.device.name);
        Ok(party.peer.accept(&answer.ok_or(Unanswered::Nothing)?).await?)
    }

    async fn signal(&self, device: &Device, event: ClientEvent) -> Result<(), Unanswered> {
        let (done, result) = oneshot::channel();
        let signal = Box::new(signal(device, event));
        let sent = self
            .mailbox
            .send(Message::Signal { signal, taken: Instant::now().into_std(), done })
            .await;
        sent.map_err(|_| Unanswered::Nothing)?;
        Ok(result.await.map_err(|_| Unanswered::Nothing)??)
    }

    /// Both leave; a task that does not end by that is ended, and its legs with it.
    async fn end(self) {
        let Placed { mailbox, mut task, worker, first, .. } = self;
        for device in [device(0), device(1)] {
            let jid = chat().key().jid_for(&device.jid).to_string();
            let event = ClientEvent::Leave { jid, reason: String::new() };
            let (done, _) = oneshot::channel();
            let taken = Instant::now().into_std();
            // Without room nothing is read any more: see below.
            let _ = mailbox.try_send(Message::Signal {
                signal: Box::new(signal(&device, event)),
                taken,
                done,
            });
        }
        // Without a sender the task ends, whoever never came.
        drop(mailbox);
        if timeout(PROBE_END_MAX / 2, &mut task).await.is_ok() {
            return;
        }
        task.abort();
        for leg in first..first + LEGS_A_CALL {
            // A worker whose thread has ended has no legs.
            let _ = worker.order(Order::Close { leg: LegId(leg) });
        }
    }
}

impl Desk {
    fn answers(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatCore for Desk {
    fn deliver(&self, deliver: Deliver) {
        if let (To::Device(device), ServerEvent::Answer { jsep, .. }) = (deliver.to, deliver.event)
        {
            self.answers().insert(device.name, jsep.sdp);
        }
    }

    fn call_changed(&self, _: CallSummary) {}
}

impl Party {
    async fn come(local: IpAddr, number: usize) -> Result<Party, ClientError> {
        let (peer, outlets) = Peer::new(local, Sections::One).await?;
        Ok(Party { device: device(number), peer, heard: outlets.heard })
    }
}

/// Why an offer was not answered.
#[derive(Debug, thiserror::Error)]
enum Unanswered {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("the call does not speak")]
    Nothing,
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Speaks until the other end has heard it.
async fn say(mouth: &mut Mouth, heard: &mut mpsc::Receiver<Heard>) -> Result<(), ClientError> {
    let voice = Voice::new();
    let mut ear = voice.ear();
    let mut ticks = interval(FRAME);
    let mut number = 0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {
                mouth.say(&voice.frame(number), number.into()).await?;
                number += 1;
            }
            packet = heard.recv() => {
                let packet = packet.ok_or(ClientError::LinkFailed)?.packet;
                if ear.hears(&packet.payload) {
                    return Ok(());
                }
            }
        }
    }
}

/// What comes of `step` by `due`, else the stage at which it ended.
async fn by<T, E: Display>(
    due: Instant,
    stage: Stage,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, Stage> {
    match timeout_at(due, step).await {
        Ok(Ok(made)) => Ok(made),
        Ok(Err(error)) => {
            debug!(stage = stage.label(), %error, "call to itself stopped");
            Err(stage)
        }
        Err(_) => Err(stage),
    }
}

/// Where a socket bound so is reached from this machine. An advertised address may be that of a
/// NAT, which leads nowhere from inside.
fn local(bind: Option<IpAddr>) -> IpAddr {
    match bind {
        Some(ip) if !ip.is_unspecified() => ip,
        Some(IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
        Some(IpAddr::V4(_)) | None => Ipv4Addr::LOCALHOST.into(),
    }
}

fn chat() -> Chat {
    Chat::Group { jid: jid("g-probe"), display_name: String::new() }
}

fn device(number: usize) -> Device {
    Device { jid: jid(PEOPLE[number]), name: PEOPLE[number].to_owned() }
}

fn signal(device: &Device, event: ClientEvent) -> Signal {
    Signal {
        team: Team::default(),
        chat: chat(),
        actor: Person {
            jid: device.jid.clone(),
            display_name: String::new(),
            role: String::new(),
            icon: String::new(),
            no_record: true,
        },
        device: device.clone(),
        useragent: String::new(),
        answer_style: AnswerStyle::Answer,
        rights: Rights { mute_all: false, record: false, kick: false },
        has_socket: true,
        event,
    }
}

fn jid(text: &'static str) -> Jid {
    Jid::parse(text).expect("a constant of the right form")
}

/// Who calls whom: in a call of their own, so that nobody of that name is meant.
const PEOPLE: [&str; 2] = ["d-probe-1", "d-probe-2"];

/// Numbers of legs that a call may use up.
const LEGS_A_CALL: u64 = 2;

/// What one packet stands for.
const FRAME: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_called_where_it_is_and_not_where_it_is_advertised() {
        let at = |bind: Option<&str>| local(bind.map(|ip| ip.parse().unwrap())).to_string();
        assert_eq!(at(None), "127.0.0.1");
        assert_eq!(at(Some("0.0.0.0")), "127.0.0.1");
        assert_eq!(at(Some("::")), "::1");
        assert_eq!(at(Some("192.0.2.5")), "192.0.2.5");
        assert_eq!(at(Some("2001:db8::5")), "2001:db8::5");
    }
}
