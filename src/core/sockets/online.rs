//! `server.online`: who is there and which calls live, told to everybody when it changes.
//!
//! Its cost grows with the square of the sockets, so it comes the less often the more there are.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::Sockets;
use super::mail::Letter;
use crate::core::directory::Pass;
use crate::core::{CallSummary, ChatKey, Jid};
use crate::limits::{ONLINE_BYTES_PER_S, ONLINE_CONTACTS_MAX, ONLINE_EVERY};
use crate::wire::ServerEvent;
use crate::wire::server::{Contact, OnlineCall};

/// How often devices are looked through for those whose time to resume is over.
const SWEEP_EVERY: Duration = Duration::from_secs(5);

impl Sockets {
    /// The live calls in somebody's chats, as he reads them.
    pub fn calls_of(&self, reader: &Pass) -> Vec<OnlineCall> {
        let calls = self.calls();
        let own = calls.values().filter(|call| self.directory.reads(reader, &call.chat));
        own.map(|call| read_by(call, &reader.person.jid)).collect()
    }

    pub(super) fn online_for(&self, reader: &Pass) -> ServerEvent {
        let contacts = contacts(&self.sessions().present(&reader.team.uid));
        ServerEvent::Online { contacts, calls: self.calls_of(reader) }
    }

    /// Tells everybody. Returns the time that has to pass before the next one.
    fn tell_online(&self) -> Duration {
        let readers: Vec<_> = {
            let sessions = self.sessions();
            sessions.all().filter(|session| session.is_connected()).cloned().collect()
        };
        let direct: Vec<ChatKey> = {
            let chats = self.calls();
            chats.values().map(|call| call.chat.clone()).filter(ChatKey::is_direct).collect()
        };
        let make = |pass: &Pass| {
            let event = self.online_for(pass);
            (Letter::new(&event), event)
        };
        let (now, mut bytes, mut common) = (Instant::now(), 0, HashMap::new());
        for session in &readers {
            let pass = session.pass();
            // Whoever is in no direct call reads the same as all others with the same chats.
            let has_own = direct.iter().any(|chat| self.directory.reads(&pass, chat));
            let own = has_own.then(|| make(&pass));
            let (letter, event) = match &own {
                Some(own) => own,
                None => common.entry(audience(&pass)).or_insert_with(|| make(&pass)),
            };
            bytes += letter.frame.params.len();
            session.push(now, event, letter, &self.ids);
        }
        pause_after(bytes)
    }
}

/// Those with the same one read the same: of a team, and in the same groups.
fn audience(pass: &Arc<Pass>) -> (String, Vec<String>) {
    let groups = pass.chats.iter().flat_map(|chats| &chats.groups);
    let groups = groups.map(|chat| format!("{:?}", chat.key())).collect();
    (pass.team.uid.clone(), groups)
}

/// Runs as long as the core: tells who is online, and forgets devices that stay away.
pub(super) async fn announce(sockets: Weak<Sockets>) {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    let mut next = tokio::time::Instant::now();
    while let Some(held) = sockets.upgrade() {
        let changed = async {
            tokio::time::sleep_until(next).await;
            held.online_changed.notified().await;
        };
        tokio::select! {
            () = changed => next = tokio::time::Instant::now() + held.tell_online(),
            _ = sweep.tick() => held.sweep(Instant::now()),
        }
    }
}

fn pause_after(bytes: usize) -> Duration {
    let cost = Duration::from_millis((bytes * 1000 / ONLINE_BYTES_PER_S) as u64);
    cost.max(ONLINE_EVERY)
}

fn contacts(present: &[Jid]) -> Vec<Contact> {
    let contact = |jid: &Jid| Contact { jid: jid.to_string(), afk: false, mobile: false };
    present.iter().take(ONLINE_CONTACTS_MAX).map(contact).collect()
}

fn read_by(call: &CallSummary, reader: &Jid) -> OnlineCall {
    OnlineCall {
        jid: call.chat.jid_for(reader).to_string(),
        uid: call.uid.clone(),
        start: call.start.clone(),
        online_count: call.online_count,
        call_type: "audio",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_people_are_told_less_often_than_ten() {
        assert_eq!(pause_after(10 * 10 * 75), ONLINE_EVERY);
        assert!(pause_after(1000 * 1000 * 75) > Duration::from_secs(5));
    }

    #[test]
    fn the_1001st_contact_is_left_out() {
        let people = vec![Jid::parse("d-1").unwrap(); ONLINE_CONTACTS_MAX + 1];
        assert_eq!(contacts(&people).len(), ONLINE_CONTACTS_MAX);
    }

    #[test]
    fn a_direct_call_is_named_after_the_other_one() {
        let [anna, boris] = ["d-a", "d-b"].map(|jid| Jid::parse(jid).unwrap());
        let call = CallSummary {
            chat: ChatKey::Direct(anna.clone(), boris.clone()),
            uid: "u".into(),
            start: None,
            online_count: 1,
            finished: false,
        };
        assert_eq!(read_by(&call, &anna).jid, "d-b");
        assert_eq!(read_by(&call, &boris).jid, "d-a");
    }
}
