use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, SystemTime};

use engine::call::{Growth, Join};

use super::*;
use crate::core::{Deliver, Rights, To};
use crate::media::{BundleSpec, PoolSpec};
use crate::wire::ServerEvent;

/// Keeps what it is to deliver.
#[derive(Default)]
struct Desk(Mutex<Vec<Deliver>>);

impl ChatCore for Desk {
    fn deliver(&self, deliver: Deliver) {
        self.0.lock().unwrap().push(deliver);
    }

    fn call_changed(&self, _: CallSummary) {}
}

impl Desk {
    /// Which devices one state went to, of each that went to devices.
    fn states(&self) -> Vec<Vec<String>> {
        let name = |device: &Device| device.name.clone();
        let kept = self.0.lock().unwrap();
        let told = kept.iter().filter_map(|deliver| match (&deliver.to, &deliver.event) {
            (To::Devices(all), ServerEvent::State(_)) => Some(all.iter().map(name).collect()),
            _ => None,
        });
        told.collect()
    }

    /// How often somebody was rung.
    fn rings(&self) -> usize {
        let kept = self.0.lock().unwrap();
        kept.iter().filter(|it| matches!(it.event, ServerEvent::Buzz { .. })).count()
    }
}

const RULES: Rules = Rules {
    participants_max: 10,
    slots_max: 2,
    only_one_device: false,
    buzz_timeout: Duration::from_secs(30),
    lost_grace: Duration::from_secs(30),
    connect_timeout: Duration::from_secs(30),
    socketless_max: Duration::from_secs(30),
    record_auto: false,
};

const SDP: sdp::Limits = sdp::Limits {
    bytes: 1,
    lines: 1,
    line_bytes: 1,
    sections: 1,
    formats: 1,
    extmaps: 1,
    candidates: 1,
};

fn shared(core: Arc<Desk>) -> Shared {
    let clock = Clock::start();
    let bundles =
        BundleSpec { listeners_40: 0, listeners_60: 0, busy_percent_60: 0, loss_percent: 0 };
    let pool = PoolSpec {
        advertised: vec![Ipv4Addr::LOCALHOST.into()],
        bind: Some(IpAddr::from(Ipv4Addr::LOCALHOST)),
        port: 0,
        workers: 1,
        silent_after: Duration::from_secs(4),
        clock,
        tap: None,
        bundles,
    };
    Shared {
        core,
        pool: Arc::new(Pool::start(&pool).unwrap()),
        outbox: None,
        recorder: None,
        clock,
        rules: RULES,
        sdp: SDP,
        check_fingerprint: false,
        metrics: Arc::new(Metrics::new(SystemTime::UNIX_EPOCH)),
        legs: AtomicU64::new(1),
    }
}

fn device(name: &str) -> Device {
    Device { jid: Jid::parse("d-boris").unwrap(), name: name.to_owned() }
}

/// Tells a group's call of one, who is in it, what `messages` are, all of them waiting at once.
async fn told(messages: Vec<Message>) -> Arc<Desk> {
    let desk = Arc::new(Desk::default());
    let (own, mut inbox) = mpsc::channel(messages.len());
    let shared = Arc::new(shared(desk.clone()));
    let opening = Opening {
        team: Team { uid: "t".into(), name: "team".into() },
        chat: Chat::Group { jid: Jid::parse("g-1").unwrap(), display_name: "chat".into() },
        uid: "call".into(),
        no: CallNo(1),
        worker: shared.pool.place(),
        own: own.downgrade(),
    };
    let mut task = CallTask::new(shared, opening);
    let joined = task.input(Input::Join(Join {
        who: Jid::parse("d-anna").unwrap(),
        device: "phone".into(),
        useragent: "".into(),
        leg: LegId(1),
        muted: true,
        no_record: false,
        has_socket: true,
        slots: 1,
        growth: Growth::Never,
    }));
    joined.unwrap();
    for message in messages {
        own.try_send(message).ok().unwrap();
    }
    drop(own);
    task.run(&mut inbox, |_| {}).await;
    desk
}

fn says(device: Device, event: ClientEvent) -> Signal {
    let actor = Person {
        jid: device.jid.clone(),
        display_name: String::new(),
        role: String::new(),
        icon: String::new(),
        no_record: false,
    };
    Signal {
        team: Team { uid: "t".into(), name: "team".into() },
        chat: Chat::Group { jid: Jid::parse("g-1").unwrap(), display_name: "chat".into() },
        actor,
        device,
        useragent: String::new(),
        answer_style: AnswerStyle::Sdp,
        rights: Rights { mute_all: true, record: true, kick: true },
        has_socket: true,
        event,
    }
}

fn comes(name: &str) -> Message {
    Message::Presence { device: device(name), presence: Presence::Connected }
}

#[tokio::test]
async fn devices_that_come_at_once_share_one_state() {
    let states = told(["phone", "laptop", "tablet"].map(comes).into()).await.states();
    assert_eq!(states, [["phone", "laptop", "tablet"]]);
}

#[tokio::test]
async fn a_newcomer_waits_for_so_many_messages_at_most() {
    let names: Vec<String> = (0..=NEWCOMERS_WAIT).map(|at| at.to_string()).collect();
    let states = told(names.iter().map(|name| comes(name)).collect()).await.states();
    let (all, last) = names.split_at(NEWCOMERS_WAIT);
    assert_eq!(states, [all, last]);
}

#[tokio::test]
async fn a_newcomer_learns_how_the_call_stands_before_he_is_answered() {
    let (done, refused) = oneshot::channel();
    let event = ClientEvent::Leave { jid: "g-1".into(), reason: String::new() };
    let signal = Box::new(says(device("phone"), event));
    let signal = Message::Signal { signal, taken: Instant::now(), done };
    let states = told(vec![comes("phone"), signal, comes("laptop")]).await.states();
    assert_eq!(states, [["phone"], ["laptop"]]);
    assert!(refused.await.unwrap().is_err(), "he is not in the call");
}

/// Anna rings Boris.
fn rings() -> Message {
    let anna = Device { jid: Jid::parse("d-anna").unwrap(), name: "phone".into() };
    let event = ClientEvent::Buzz { jid: "g-1".into(), members: vec!["d-boris".into()] };
    let (done, _) = oneshot::channel();
    Message::Signal { signal: Box::new(says(anna, event)), taken: Instant::now(), done }
}

#[tokio::test]
async fn a_newcomer_is_told_once_and_rung_once_however_often_he_comes() {
    let desk = told(vec![comes("phone"), comes("phone"), rings()]).await;
    assert_eq!((desk.rings(), desk.states()), (1, vec![vec!["phone".to_owned()]]));
}

#[tokio::test]
async fn who_comes_while_he_is_rung_does_not_wait_for_others() {
    let desk = told(vec![rings(), comes("phone"), comes("laptop")]).await;
    assert_eq!((desk.rings(), desk.states().len()), (3, 2));
}
