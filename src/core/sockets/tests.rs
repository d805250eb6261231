use std::time::Duration;

use serde_json::Value;

use super::repeats::Seen;
use super::session::Step;
use super::*;
use crate::core::builtin::BuiltIn;
use crate::core::fake_node::{FakeNode, state};
use crate::core::test_folder::TestFolder;
use crate::core::{Chat, Jid, Person, To};
use crate::limits::RESUME_GRACE;
use crate::wire::ServerEvent;

struct Hall {
    people: Arc<BuiltIn>,
    core: Arc<Sockets>,
    node: Arc<FakeNode>,
    _folder: TestFolder,
}

impl Hall {
    fn open() -> Self {
        let folder = TestFolder::new();
        let people = BuiltIn::open(folder.path()).unwrap();
        let core = Sockets::open(people.clone(), SocketOptions::default());
        let node = FakeNode::new(core.clone());
        core.join(node.clone());
        Self { people, core, node, _folder: folder }
    }

    async fn person(&self, name: &str) -> Person {
        self.people.login(name.to_owned(), false).await.unwrap().1
    }

    fn pass(&self, person: &Person) -> Arc<Pass> {
        Arc::new(self.people.pass_of(person.clone()))
    }

    fn lobby(&self, reader: &Person) -> Jid {
        Jid::parse(&self.people.chats(&self.pass(reader))[0].jid).unwrap()
    }

    fn attach(&self, person: &Person, device: &Device) -> Attached {
        self.core.attach(device, &self.pass(person)).unwrap()
    }
}

fn device(person: &Person, name: &str) -> Device {
    Device { jid: person.jid.clone(), name: name.to_owned() }
}

/// The names of what waits for a socket, but for what every new one is told.
fn waiting(attached: &Attached) -> Vec<(&'static str, Value)> {
    std::iter::from_fn(|| match attached.session.step(attached.socket) {
        Step::Write(outgoing) => Some(outgoing.frame),
        Step::Close(_) | Step::Wait => None,
    })
    .filter(|frame| !["server.time", "server.online"].contains(&frame.event))
    .map(|frame| (frame.event, serde_json::from_str(&frame.params).unwrap()))
    .collect()
}

fn sound() -> ServerEvent {
    ServerEvent::Sound { jid: "g-1".into(), muted: true }
}

#[tokio::test]
async fn a_delivery_reaches_those_it_is_for_and_nobody_else() {
    let hall = Hall::open();
    let (anna, boris) = (hall.person("anna").await, hall.person("boris").await);
    let devices = [device(&anna, "phone"), device(&anna, "tab"), device(&boris, "tab")];
    let people = [&anna, &anna, &boris];
    let sockets = [0, 1, 2].map(|at| hall.attach(people[at], &devices[at]));
    let reached = |to: To| {
        hall.node.deliver(to, sound());
        sockets.each_ref().map(|socket| waiting(socket).len())
    };
    assert_eq!(reached(To::Device(devices[0].clone())), [1, 0, 0]);
    assert_eq!(reached(To::Person(anna.jid.clone())), [1, 1, 0]);
    assert_eq!(reached(To::OtherDevices(devices[0].clone())), [0, 1, 0]);
    assert_eq!(reached(To::Members(hall.lobby(&anna))), [1, 1, 1]);
    let others = To::OtherMembers { chat: hall.lobby(&anna), except: vec![anna.jid.clone()] };
    assert_eq!(reached(others), [0, 0, 1]);
    assert_eq!(reached(To::Members(Jid::parse("g-none").unwrap())), [0, 0, 0]);
}

#[tokio::test]
async fn a_direct_event_carries_the_pair_to_the_node() {
    let hall = Hall::open();
    let (anna, boris) = (hall.person("anna").await, hall.person("boris").await);
    let sender = Sender {
        pass: hall.pass(&anna),
        device: device(&anna, "tab"),
        useragent: "agent".into(),
        answer_style: AnswerStyle::Answer,
    };
    let event = ClientEvent::MuteAll { jid: boris.jid.to_string(), muted: true, sticky: false };
    hall.core.signal(&sender, event.clone()).await.unwrap();
    let signal = hall.node.signals().remove(0);
    assert_eq!(signal.chat, Chat::direct(boris, anna.clone()));
    assert_eq!(signal.team, hall.pass(&anna).team);
    assert_eq!((signal.actor, signal.event), (anna, event));
    assert_eq!((signal.useragent.as_str(), signal.answer_style), ("agent", AnswerStyle::Answer));
}

#[tokio::test]
async fn a_device_that_stays_away_is_forgotten_after_thirty_seconds() {
    let hall = Hall::open();
    let anna = hall.person("anna").await;
    let tab = device(&anna, "tab");
    drop(hall.attach(&anna, &tab));
    hall.node.deliver(To::Device(tab.clone()), sound());
    let until = hall.core.session_of(&tab, &hall.pass(&anna)).until().unwrap();
    hall.core.sweep(until);
    assert_eq!(hall.core.sessions().all().count(), 1);
    hall.core.sweep(until + Duration::from_millis(1));
    assert_eq!(hall.core.sessions().all().count(), 0);
    assert_eq!(hall.attach(&anna, &tab).resent, 0);
}

#[tokio::test]
async fn a_repeat_is_known_though_its_device_was_away_for_longer_than_its_mail_waits() {
    let hall = Hall::open();
    let anna = hall.person("anna").await;
    let tab = device(&anna, "tab");
    let first = hall.attach(&anna, &tab);
    assert_eq!(first.session.note(Instant::now(), "c1"), Seen::First);
    drop(first);
    hall.node.deliver(To::Device(tab.clone()), sound());
    hall.core.sweep(Instant::now() + RESUME_GRACE * 2);
    let back = hall.attach(&anna, &tab);
    assert_eq!(back.resent, 0);
    assert_eq!(back.session.note(Instant::now(), "c1"), Seen::Repeat);
}

#[tokio::test]
async fn a_device_that_comes_back_gets_what_it_missed_first() {
    let hall = Hall::open();
    let anna = hall.person("anna").await;
    let tab = device(&anna, "tab");
    drop(hall.attach(&anna, &tab));
    hall.node.deliver(To::Device(tab.clone()), state("g-1", 1));
    hall.node.deliver(To::Device(tab.clone()), state("g-1", 2));
    hall.node.deliver(To::Device(tab.clone()), sound());
    let back = hall.attach(&anna, &tab);
    assert_eq!(back.resent, 2);
    let waiting = waiting(&back);
    assert_eq!(waiting[0].1["gentime"], 2);
    assert_eq!(waiting[1].0, "server.call.sound");
}

#[tokio::test]
async fn a_live_call_is_listed_until_it_is_over() {
    let hall = Hall::open();
    let (anna, boris, clara) =
        (hall.person("anna").await, hall.person("boris").await, hall.person("clara").await);
    let mut summary = CallSummary {
        chat: Chat::direct(anna.clone(), boris.clone()).key(),
        uid: "u-1".into(),
        start: None,
        online_count: 1,
        finished: false,
    };
    hall.core.call_changed(summary.clone());
    let listed = |reader: &Person| hall.core.calls_of(&hall.pass(reader));
    assert_eq!(listed(&anna)[0].jid, boris.jid.as_str());
    assert_eq!(listed(&boris)[0].jid, anna.jid.as_str());
    assert!(listed(&clara).is_empty());
    summary.finished = true;
    hall.core.call_changed(summary);
    assert!(listed(&anna).is_empty());
}

#[tokio::test]
async fn the_17th_device_of_a_person_forgets_the_one_away_longest() {
    let hall = Hall::open();
    let anna = hall.person("anna").await;
    for name in 0..=crate::limits::DEVICES_PER_PERSON_MAX {
        drop(hall.attach(&anna, &device(&anna, &name.to_string())));
    }
    let sessions = hall.core.sessions();
    let names: Vec<&str> = sessions.all().map(|session| session.device.name.as_str()).collect();
    assert_eq!(names.len(), crate::limits::DEVICES_PER_PERSON_MAX);
    assert!(!names.contains(&"0"));
}

/// Anna's pass, good for so many seconds; of two the later made counts.
fn pass_for(hall: &Hall, anna: &Person, (now, seconds): (Instant, u64), made: u64) -> Arc<Pass> {
    let pass = hall.people.pass_of(anna.clone());
    let until = Some(now + Duration::from_secs(seconds));
    Arc::new(Pass { until, order: (made, seconds), ..pass })
}

fn sender(pass: &Arc<Pass>, device: &Device) -> Sender {
    Sender {
        pass: pass.clone(),
        device: device.clone(),
        useragent: String::new(),
        answer_style: AnswerStyle::Sdp,
    }
}

fn offer(chat: &Jid) -> ClientEvent {
    let sdp = String::new();
    ClientEvent::Offer { jid: chat.to_string(), sdp, trickle: false, muted: false }
}

#[tokio::test]
async fn whoever_stays_longer_than_his_token_is_taken_out_of_his_calls_once() {
    let hall = Hall::open();
    let (anna, now) = (hall.person("anna").await, Instant::now());
    let (tab, lobby) = (device(&anna, "tab"), hall.lobby(&anna));
    let (first, fresh) =
        (pass_for(&hall, &anna, (now, 60), 1), pass_for(&hall, &anna, (now, 120), 2));
    let attached = hall.core.attach(&tab, &first).unwrap();
    hall.core.signal(&sender(&first, &tab), offer(&lobby)).await.unwrap();
    drop(attached);
    // A fresh token that came meanwhile counts, by whatever event, and the older one no longer.
    for pass in [&fresh, &first] {
        hall.core.act(&sender(pass, &tab), ClientEvent::Ping, None).await.unwrap();
    }
    let ends = now + Duration::from_secs(120) + RESUME_GRACE;
    hall.core.sweep(now + Duration::from_secs(60) + RESUME_GRACE + Duration::from_millis(1));
    hall.core.sweep(ends);
    assert_eq!(hall.node.signals().len(), 1, "the offer");
    hall.core.sweep(ends + Duration::from_millis(1));
    let signals = hall.node.signals_come(2).await;
    assert_eq!((signals[1].event.name(), &signals[1].device), ("client.call.leave", &tab));
    hall.core.sweep(ends + Duration::from_secs(60));
    assert_eq!(hall.core.sessions().all().count(), 0);
    assert_eq!(hall.node.signals().len(), 2);
}

#[tokio::test]
async fn whoever_left_by_himself_is_forgotten_with_his_mail() {
    let hall = Hall::open();
    let (anna, now) = (hall.person("anna").await, Instant::now());
    let (tab, lobby) = (device(&anna, "tab"), hall.lobby(&anna));
    let pass = pass_for(&hall, &anna, (now, 3_600), 1);
    let attached = hall.core.attach(&tab, &pass).unwrap();
    hall.core.signal(&sender(&pass, &tab), offer(&lobby)).await.unwrap();
    let leave = ClientEvent::Leave { jid: lobby.to_string(), reason: String::new() };
    let _ = hall.core.signal(&sender(&pass, &tab), leave).await;
    drop(attached);
    assert!(hall.core.holds(&tab));
    hall.core.sweep(Instant::now() + RESUME_GRACE + Duration::from_secs(1));
    assert_eq!(hall.core.sessions().all().count(), 0);
}

#[tokio::test]
async fn a_pass_that_names_a_chat_no_longer_takes_its_holder_out_of_that_call() {
    use crate::core::directory::TokenChats;
    use crate::core::tokens::{Keys, Tokens};
    let tokens = Arc::new(Tokens::new(Keys::read(&[], &[], "voxhall").unwrap()));
    let core = Sockets::open(tokens, SocketOptions::default());
    let node = FakeNode::new(core.clone());
    core.join(node.clone());
    let group = |jid: &str| Chat::Group { jid: Jid::parse(jid).unwrap(), display_name: "".into() };
    let pass = |made: u64, groups: &[&str]| {
        let groups = groups.iter().map(|jid| group(jid)).collect();
        let chats = Some(TokenChats { groups, ..TokenChats::default() });
        Arc::new(Pass { chats, order: (made, 0), ..crate::core::fake_node::pass("d-anna") })
    };
    let both = pass(1, &["g-tea", "g-cake"]);
    let tab = device(&both.person, "tab");
    let _attached = core.attach(&tab, &both).unwrap();
    for chat in ["g-tea", "g-cake"] {
        core.signal(&sender(&both, &tab), offer(&Jid::parse(chat).unwrap())).await.unwrap();
    }
    let fewer = pass(2, &["g-cake"]);
    core.act(&sender(&fewer, &tab), ClientEvent::Activity, None).await.unwrap();
    let signals = node.signals_come(3).await;
    let left = (signals[2].event.name(), signals[2].chat.key());
    assert_eq!(left, ("client.call.leave", group("g-tea").key()));
    // And of it he hears no more.
    let sound = ClientEvent::Sound { jid: "g-tea".into(), muted: true };
    let refused = core.signal(&sender(&both, &tab), sound).await.unwrap_err();
    assert_eq!(refused.code, "no_such_chat");
}

#[tokio::test]
async fn an_event_by_http_is_acted_on_by_the_pass_that_came_with_it() {
    let hall = Hall::open();
    let (anna, now) = (hall.person("anna").await, Instant::now());
    let (tab, lobby) = (device(&anna, "tab"), hall.lobby(&anna));
    let strong = pass_for(&hall, &anna, (now, 3_600), 2);
    let _attached = hall.core.attach(&tab, &strong).unwrap();
    let none = crate::core::Rights { mute_all: false, record: false, kick: false };
    let weak = Arc::new(Pass { rights: none, order: (1, 0), ..(*strong).clone() });
    let kick = ClientEvent::Kick { jid: lobby.to_string(), onliner: "d-x".into() };
    hall.core.act(&sender(&weak, &tab), kick.clone(), None).await.unwrap();
    hall.core.signal(&sender(&weak, &tab), kick).await.unwrap();
    let rights: Vec<bool> = hall.node.signals().iter().map(|signal| signal.rights.kick).collect();
    assert_eq!(rights, [false, true], "by HTTP what was shown, by the socket what it holds");
}
