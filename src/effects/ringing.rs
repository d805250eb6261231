//! Ringing people, and letting them rest: `server.call.buzz` and `server.call.buzzcancel`, each
//! written for its reader.

use engine::Jid;
use engine::call::{Ringing, Targets};
use serde_json::json;

use crate::call_task::CallTask;
use crate::core::{Chat, ChatKey, Device, To};
use crate::wire::ServerEvent;
use crate::wire::server::{BuzzActor, BuzzChat, BuzzTeam};

impl CallTask {
    pub(super) fn ring(&self, caller: &Jid, targets: &Targets) {
        let rest = self.shared.rules.buzz_timeout.as_secs();
        match (targets, &self.key) {
            (Targets::These(these), _) => {
                for who in these {
                    self.deliver(To::Person(who.clone()), self.buzz(caller, who, rest));
                }
            }
            (Targets::Everyone, ChatKey::Group(jid)) => {
                let to = To::OtherMembers { chat: jid.clone(), except: self.inside() };
                self.deliver(to, self.buzz(caller, caller, rest));
            }
            (Targets::Everyone, ChatKey::Direct(one, other)) => {
                for who in [one, other].into_iter().filter(|who| !self.inside().contains(who)) {
                    self.deliver(To::Person(who.clone()), self.buzz(caller, who, rest));
                }
            }
        }
    }

    pub(super) fn stop_ringing(&self, whom: Ringing) {
        let cancel = |reader: &Jid| {
            let (jid, uid) = self.named_for(reader);
            ServerEvent::BuzzCancel { jid, team: self.team.uid.clone(), uid }
        };
        match whom {
            Ringing::OtherDevices { who, device } => {
                let event = cancel(&who);
                let device = Device { jid: who, name: device.to_string() };
                self.deliver(To::OtherDevices(device), event);
            }
            Ringing::Rest { targets: Targets::These(these), except } => {
                for who in these.into_iter().filter(|who| !except.contains(who)) {
                    self.deliver(To::Person(who.clone()), cancel(&who));
                }
            }
            Ringing::Rest { targets: Targets::Everyone, except } => match &self.key {
                ChatKey::Group(jid) => {
                    let event = cancel(jid);
                    self.deliver(To::OtherMembers { chat: jid.clone(), except }, event);
                }
                ChatKey::Direct(one, other) => {
                    for who in [one, other].into_iter().filter(|who| !except.contains(who)) {
                        self.deliver(To::Person(who.clone()), cancel(who));
                    }
                }
            },
        }
    }

    pub(super) fn buzz(&self, caller: &Jid, reader: &Jid, buzz_timeout: u64) -> ServerEvent {
        let (jid, uid) = self.named_for(reader);
        let person = self.people.get(caller);
        let name = person.map(|person| person.display_name.clone()).unwrap_or_default();
        let (chat_type, display_name) = match &self.chat {
            Chat::Direct(_) => ("direct", name.clone()),
            Chat::Group { display_name, .. } => ("group", display_name.clone()),
        };
        let chat = BuzzChat { jid: jid.clone(), chat_type, display_name: display_name.clone() };
        let icon = person.map(|person| person.icon.clone()).unwrap_or_default();
        ServerEvent::Buzz {
            jid,
            icons: json!({}),
            display_name,
            teaminfo: BuzzTeam { uid: self.team.uid.clone(), name: self.team.name.clone() },
            chat,
            actor: BuzzActor { jid: caller.to_string(), display_name: name, icon },
            uid,
            buzz_timeout,
            team: self.team.uid.clone(),
            call_type: "audio",
        }
    }
}
