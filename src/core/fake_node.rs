//! A node for the tests: it writes down what it is asked, and answers an offer at once.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use crate::core::directory::Pass;
use crate::core::{
    CallSummary, Chat, ChatCore, Deliver, Device, Jid, Node, Person, Presence, Rights,
};
use crate::core::{Question, Reader, Refusal, Reply, Signal, Team, To};
use crate::wire::server::{CallState, Jsep, JsepKind};
use crate::wire::{ClientEvent, ServerEvent};

pub struct FakeNode {
    core: Arc<dyn ChatCore>,
    signals: watch::Sender<Vec<Signal>>,
    presences: Mutex<Vec<(Device, Presence)>>,
}

impl FakeNode {
    pub fn new(core: Arc<dyn ChatCore>) -> Arc<Self> {
        let (signals, presences) = (watch::Sender::default(), Mutex::default());
        Arc::new(Self { core, signals, presences })
    }

    pub fn signals(&self) -> Vec<Signal> {
        self.signals.borrow().clone()
    }

    pub async fn signals_come(&self, count: usize) -> Vec<Signal> {
        let mut signals = self.signals.subscribe();
        let came = signals.wait_for(|signals| signals.len() >= count);
        let came = tokio::time::timeout(crate::signal::PATIENCE, came).await;
        came.expect("signals in time").expect("a node that lives").clone()
    }

    pub fn presences(&self) -> Vec<(Device, Presence)> {
        self.presences.lock().expect("no test panics with it").clone()
    }

    pub fn deliver(&self, to: To, event: ServerEvent) {
        self.core.deliver(Deliver { to, event });
    }

    fn act(&self, signal: &Signal) -> Result<(), Refusal> {
        match &signal.event {
            ClientEvent::Offer { jid, .. } => {
                let jsep = Jsep { kind: JsepKind::Answer, sdp: "v=0 answer".into() };
                let (jid, uid) = (jid.clone(), "u-1".to_owned());
                let event = ServerEvent::Sdp { jid: jid.clone(), jids: vec![], uid, jsep };
                self.deliver(To::Device(signal.device.clone()), event);
                if let Chat::Group { jid, .. } = &signal.chat {
                    self.deliver(To::Members(jid.clone()), state(jid.as_str(), 1));
                }
                Ok(())
            }
            ClientEvent::Leave { .. } => Err(Refusal::new("no_such_call", "no call here")),
            _ => Ok(()),
        }
    }
}

impl Node for FakeNode {
    fn signal(&self, signal: Signal) -> Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>> {
        let acted = self.act(&signal);
        self.signals.send_modify(|signals| signals.push(signal));
        Box::pin(std::future::ready(acted))
    }

    fn tell_all(&self) {}

    fn presence(&self, device: &Device, presence: Presence, _reader: &Reader) {
        self.presences.lock().expect("no test panics with it").push((device.clone(), presence));
    }

    fn calls(&self) -> Vec<CallSummary> {
        Vec::new()
    }

    fn ask(
        &self,
        _uid: &str,
        _reader: &Jid,
        _question: Question,
    ) -> Pin<Box<dyn Future<Output = Option<Reply>> + Send>> {
        Box::pin(std::future::ready(None))
    }
}

/// Of somebody who may everything, for ever.
pub fn pass(jid: &str) -> Pass {
    let person = Person {
        jid: Jid::parse(jid).expect("a jid"),
        display_name: "anna".to_owned(),
        role: String::new(),
        icon: String::new(),
        no_record: false,
    };
    Pass {
        person,
        team: Team::default(),
        rights: Rights::ALL,
        chats: None,
        until: None,
        order: (0, 0),
    }
}

pub fn state(jid: &str, gentime: i64) -> ServerEvent {
    ServerEvent::State(CallState {
        jid: jid.into(),
        uid: "u-1".into(),
        buzz: false,
        created: "2019-09-27T01:01:35.264095Z".into(),
        start: None,
        finish: None,
        audiorecord: false,
        onliners: vec![],
        sticky: false,
        record_stopped: None,
        gentime,
        timestamp: 0,
    })
}
